"""One event, and the thin body in which it travels.

Rule 1: a body says what happened and to what, by ids and codes; never a secret, a link or a provider's text. Who wants
to know more asks the API.
Rule 2: the same event gives the same bytes, however often it is sent.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Event:
    """What happened.

    `at`: Unix seconds. `place`: its position among all events; grows. `object`: the id of the connection, session,
    connector, job, key or endpoint. `state`: the state of a connection when the event was made. `code`: of the
    register.
    """

    id: str
    type: str
    at: float
    place: int
    object: str | None = None
    connector: str | None = None
    owner: str | None = None
    state: str | None = None
    code: str | None = None
    project: str = "default"

    def document(self) -> dict[str, Any]:
        """As plain JSON."""
        data = {
            "id": self.object, "connector": self.connector, "owner": self.owner, "state": self.state, "code": self.code,
        }  # fmt: skip
        return {"type": self.type, "timestamp": time_text(self.at), "data": data}

    def body(self) -> bytes:
        """The bytes that are signed and sent."""
        return json.dumps(self.document(), ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def time_text(at: float) -> str:
    """Unix seconds as RFC 3339 in UTC, with milliseconds."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
