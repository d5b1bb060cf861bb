"""What the console's first pages read: counts and groups, never a whole table. Promises: `tests/contracts`.

Rule 1: nothing here writes, and nothing sealed is opened.
Rule 2: every method is answered from an index and costs no more than its index has rows in the time that is asked for.
Rule 3: where there is nothing, nothing is returned: a reader can tell "none" from "zero of some".
Times are Unix seconds.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from keyturn.core.audit.kinds import RecordKind
from keyturn.core.audit.timeline import TimelineRow
from keyturn.core.observing.call_hour import CallHour
from keyturn.ports.store import ConnectionFilter, ConnectSession

SOON_S: Final = 3600.0  # until a renewal that is due soon
# The records that tell how renewals went; a person's login is none of them.
SENDS: Final = ("connection.renewed", "refresh.answered", "login.answered", "connection.needs_reconnect")
# What a send ends with where the connector's set-up is at fault, not the person, in the records of these actions.
TROUBLES: Final = (
    "connector_client_rejected", "connector_value_absent", "provider_grant_disabled", "scope_insufficient",
    "unique_id_missing",
)  # fmt: skip
TROUBLED: Final = ("challenge.answered", "login.answered", "login.refused", "refresh.answered")
# After which such a trouble may be over.
MENDS: Final = (
    "connection.created", "connection.reconnected", "connector.client_set", "connector.corrected",
    "connector.published",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Standing:
    """How all connections stand.

    `connections`: (connector, state as shown) → how many. `due_soon`: renewals whose time comes within the next hour or
    has come; `overdue`: those of them whose time was over a minute ago, `oldest` the id and due time of the one that
    waits longest. `called`: whether a call was ever made.
    """

    connections: Mapping[tuple[str, str], int] = field(default_factory=dict)
    due_soon: int = 0
    overdue: int = 0
    oldest: tuple[str, float] | None = None
    called: bool = False


@dataclass(frozen=True, slots=True)
class Tally:
    """How many records of one kind were written in the time that begins at `start`."""

    start: float
    connector: str
    action: str
    outcome: str
    count: int


@dataclass(frozen=True, slots=True)
class Expiry:
    """How many tokens end in the hour that begins at `start`; `alone` of them have nothing that could renew them."""

    start: float
    count: int
    alone: int


@dataclass(frozen=True, slots=True)
class Need:
    """Connections that need the person for one reason. `since`: from when on the first of them does."""

    reason: str
    connector: str
    count: int
    since: float


@dataclass(frozen=True, slots=True)
class Ending:
    """Connections of a connector that end without the person; `first` is when the first of them does."""

    connector: str
    count: int
    first: float


@dataclass(frozen=True, slots=True)
class SessionFilter:
    """Which waiting sessions a list shows; None means any. `state`: `open`, nobody has opened it, or `claimed`."""

    connector: str | None = None
    owner: str | None = None
    state: str | None = None


ANY_SESSION: Final = SessionFilter()


@dataclass(frozen=True, slots=True)
class Trouble:
    """Sends of a connector that ended with one code of `TROUBLES`: how many, and when the first and the last did."""

    connector: str
    code: str
    count: int
    first: float
    last: float


@dataclass(frozen=True, slots=True)
class Backlog:
    """Webhook deliveries that wait, and since when the oldest does."""

    count: int = 0
    oldest: float | None = None


class Overview(Protocol):
    """Reads."""

    async def standing(self, now: float, *, project: str = "default") -> Standing:
        """How all connections stand, and what is due."""
        ...

    async def states(self, which: ConnectionFilter, *, project: str = "default") -> Mapping[str, int]:
        """State as shown → how many of these connections have it."""
        ...

    async def errors(self, which: ConnectionFilter, *, project: str = "default") -> Mapping[str, int]:
        """How many of these, ended ones aside, stand with which code (`ConnectionFilter.error`)."""
        ...

    async def renewals(self, since: float, until: float, step_s: float, *, project: str = "default") -> Sequence[Tally]:
        """The records of `SENDS` from `since` to before `until`, counted in steps that begin at `since`."""
        ...

    async def recorded_since(self, *, project: str = "default") -> float | None:
        """When the oldest of those records was written; None where there is none."""
        ...

    async def expiries(self, now: float, until: float, *, project: str = "default") -> Sequence[Expiry]:
        """Tokens that end from `now` to before `until`, counted in hours that begin at `now`; not of ended ones."""
        ...

    async def needs(self, *, project: str = "default") -> Sequence[Need]:
        """Connections that are shown as needing a reconnect, most first."""
        ...

    async def endings(self, now: float, until: float, *, project: str = "default") -> Sequence[Ending]:
        """Active connections without refresh token and usable password that end in this time, first end first."""
        ...

    async def troubles(self, since: float, *, project: str = "default") -> Sequence[Trouble]:
        """Troubles of connectors' set-ups that were recorded from this time on, by connector and code."""
        ...

    async def mended(
        self, connectors: Collection[str], since: float, *, project: str = "default"
    ) -> Mapping[tuple[str, str], float]:
        """(connector, action of `MENDS`) → when it was recorded last; of these connectors, from this time on."""
        ...

    async def backlog(self, *, project: str = "default") -> Backlog:
        """Webhook deliveries that wait."""
        ...

    async def calls(self, connections: Collection[str], since: float) -> Mapping[str, Sequence[CallHour]]:
        """Calls of each of these connections by the hour, oldest first, of hours that began from `since` on.

        An hour without a call is not there, nor is a connection without any. All of them are read at once.
        """
        ...

    async def timeline(
        self, connection_id: str, *, kind: RecordKind | None = None, cursor: str | None, limit: int,
        project: str = "default",
    ) -> tuple[Sequence[TimelineRow], str | None]:  # fmt: skip
        """A connection's records and its calls by the hour, newest first as `folded` has them, and the next cursor.

        `kind` is judged as `is_of` and `hour_is_of` do. Who asks has seen that the connection is one of this project.
        A cursor that is none of ours raises ValidationFailed.
        """
        ...

    async def open_sessions(
        self, now: float, *, which: SessionFilter = ANY_SESSION, cursor: str | None, limit: int,
        project: str = "default",
    ) -> tuple[Sequence[ConnectSession], str | None]:  # fmt: skip
        """Connect sessions that wait for the person (open or claimed, not expired), newest first, and the next cursor.

        A cursor that is none of ours raises ValidationFailed.
        """
        ...
