"""How one connector stands: its connections by state, its renewals, and what keeps it from working.

Rule: the figures are the board's, so that a connector's page, the list of connectors and the overview never disagree.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

from keyturn.engine.overview.board import Board, Failing
from keyturn.ports.overview import Trouble

ENDED: Final = frozenset({"disconnected", "disconnecting"})
_WAIT_FOR_SOMEBODY: Final = ("needs_reconnect", "uncertain")


class Grade(IntEnum):
    """How much a connector needs somebody; the worst comes first."""

    FAILS = 0
    LOOK = 1  # it works, and something of it waits for somebody
    WELL = 2


@dataclass(frozen=True, slots=True)
class ConnectorHealth:
    """One connector at the board's moment.

    `by_state`: state as shown → how many connections, ended ones aside. `failed`, `sent`: renewals of its range.
    `stopped_since`: an operator has stopped its logins; `quiet_until`: it is quiet now; both in Unix seconds.
    """

    connector: str
    by_state: Mapping[str, int] = field(default_factory=dict)
    failed: int = 0
    sent: int = 0
    failing: Failing | None = None
    troubles: tuple[Trouble, ...] = ()
    stopped_since: float | None = None
    quiet_until: float | None = None

    @property
    def connections(self) -> int:
        """How many there are, ended ones aside."""
        return sum(self.by_state.values())

    @property
    def share(self) -> int | None:
        """How many of its renewals worked, in percent, cut off: 100 is said of none that failed. None of none."""
        return (self.sent - self.failed) * 100 // self.sent if self.sent else None

    @property
    def grade(self) -> Grade:
        """How much it needs somebody."""
        if self.failing is not None or self.troubles:
            return Grade.FAILS
        waits = any(self.by_state.get(state) for state in _WAIT_FOR_SOMEBODY)
        return Grade.LOOK if waits or self.stopped_since is not None else Grade.WELL


def health_of(
    board: Board, connector: str, *, stopped_since: float | None = None, quiet_until: float | None = None
) -> ConnectorHealth:
    """The part of a board that is about one connector."""
    failed, sent = board.sends.get(connector, (0, 0))
    return ConnectorHealth(
        connector,
        {state: n for (of, state), n in board.standing.connections.items() if of == connector and state not in ENDED},
        failed,
        sent,
        next((each for each in board.failing if each.connector == connector), None),
        tuple(each for each in board.troubles if each.connector == connector),
        stopped_since,
        quiet_until,
    )
