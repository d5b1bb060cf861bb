"""What a bulk job is told to do, as its row keeps it: names and ids, no secret.

Rule: a job acts within the limits of the API key that asked for it; they stand in its arguments.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from keyturn.core.connection import Connection, State
from keyturn.core.renewal.attention import AttentionBounds
from keyturn.ports.jobs import Job
from keyturn.ports.store import ConnectionFilter

KIND: Final = "connection.bulk"


class BulkAction(StrEnum):
    """What is done with each connection."""

    TEST = "test"
    RENEW = "renew"
    PAUSE = "pause"
    RESUME = "resume"
    DISCONNECT = "disconnect"
    RECONNECT_LINKS = "reconnect_links"
    MIGRATE = "migrate"


# Where nobody says which state: an action leaves those alone that it could only fail on.
_STATE_OF: Final[Mapping[BulkAction, str]] = {
    BulkAction.RECONNECT_LINKS: State.NEEDS_RECONNECT.value,
    BulkAction.RESUME: "paused",
}


FILTER: Final = (
    "connector", "owner", "state", "search", "reason", "error", "attention", "ends_before", "renews_before",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class BulkOrder:
    """One action on the connections of a filter, or on those with these ids.

    `connectors`, `owners`: what the API key that asks is limited to (none: all). `ids`: of a job that is done again for
    what failed, or of those that were picked. `request_id`: of the request that began it, for the audit log. `search`:
    what name, owner or id begins with. `reason`: why the person is needed. `error`: the code that stands in the way.
    `attention`: only active ones in which something is wrong. `ends_before`, `renews_before`: Unix seconds.
    """

    action: BulkAction
    connector: str | None = None
    owner: str | None = None
    state: str | None = None
    connectors: tuple[str, ...] = ()
    ids: tuple[str, ...] | None = None
    request_id: str | None = None
    search: str | None = None
    reason: str | None = None
    owners: tuple[str, ...] = ()
    error: str | None = None
    attention: bool = False
    ends_before: float | None = None
    renews_before: float | None = None

    def filter(self, bounds: AttentionBounds | None) -> ConnectionFilter:
        """Which connections it is about; never those that are disconnected already. `bounds`: where it asks for them.

        `attention` without bounds is a mistake of ours: the order would be about more than it says.
        """
        if self.attention and bounds is None:
            raise ValueError("who needs attention is not known without bounds")
        return ConnectionFilter(
            connector=self.connector,
            owner=self.owner,
            state=self.state or _STATE_OF.get(self.action),
            connectors=frozenset(self.connectors) or None,
            owners=frozenset(self.owners) or None,
            not_ended=True,
            search=self.search,
            reason=self.reason,
            error=self.error,
            attention=bounds if self.attention else None,
            ends_before=self.ends_before,
            renews_before=self.renews_before,
        )

    def covers(self, connection: Connection) -> bool:
        """Whether the key that asked may know of it."""
        of_connector = not self.connectors or connection.connector in self.connectors
        return of_connector and (not self.owners or connection.owner in self.owners)

    def arguments(self) -> dict[str, Any]:
        """As the row keeps it."""
        return {
            "action": self.action.value,
            "filter": {name: getattr(self, name) for name in FILTER},
            "connectors": list(self.connectors),
            "owners": list(self.owners),
            "ids": None if self.ids is None else list(self.ids),
            "request_id": self.request_id,
        }

    @classmethod
    def of(cls, job: Job) -> BulkOrder:
        """Read it back."""
        given = job.arguments
        ids = given.get("ids")
        return cls(
            BulkAction(given["action"]),
            **given["filter"],
            connectors=tuple(given["connectors"]),
            owners=tuple(given.get("owners", ())),
            ids=None if ids is None else tuple(ids),
            request_id=given.get("request_id"),
        )
