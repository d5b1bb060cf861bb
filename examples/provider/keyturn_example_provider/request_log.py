"""What was asked, for tests and for the page: fingerprints and fixed words, never a secret or a caller's text."""

from __future__ import annotations

import json
from collections import deque
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import TextIO

ENTRIES_KEPT = 10_000


@dataclass(frozen=True, slots=True)
class Entry:
    """One request.

    `refresh_token_fingerprint` is that of the token presented, `issued_fingerprint` that of the new refresh token.
    `generation` is the new one after a login or refresh, else the presented token's. `account` is set for known
    names only, and `grant_type` is "other" for an unknown one: both could hold what someone typed by mistake.
    """

    endpoint: str
    outcome: str
    grant_type: str | None = None
    account: str | None = None
    refresh_token_fingerprint: str | None = None
    issued_fingerprint: str | None = None
    access_token_fingerprint: str | None = None
    family: int | None = None
    generation: int | None = None
    fault: str | None = None
    at: str = ""


@dataclass(slots=True)
class RequestLog:
    """The last ten thousand entries, and a line of JSON for each in `sink` when there is one."""

    sink: TextIO | None = None
    _entries: deque[Entry] = field(default_factory=lambda: deque(maxlen=ENTRIES_KEPT))

    def add(self, entry: Entry, *, now: float) -> None:
        """Keep `entry`, stamped with `now` (seconds since the epoch) as ISO 8601 in UTC."""
        at = datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        stamped = replace(entry, at=at)
        self._entries.append(stamped)
        if self.sink is not None:
            self.sink.write(json.dumps(asdict(stamped)) + "\n")
            self.sink.flush()

    def as_rows(self) -> list[dict[str, object]]:
        """Give the entries, oldest first, as plain mappings."""
        return [asdict(entry) for entry in self._entries]

    def latest(self, count: int) -> list[Entry]:
        """Give the last `count` entries, newest first."""
        return list(self._entries)[: -count - 1 : -1]
