"""The fate of each connection of a back-up, decided by what the replaced database says. Reads and writes nothing.

Rule 1: a refresh token whose fate nobody knows is never taken for unused.
Rule 2: a row is kept or taken over whole: its columns and its seals belong together.
Rule 3: a connection that ended in either database stays ended.

Source: the renewal design, "Settling the unknown" (restore); the decision "A restore takes over what happened since".
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Lineage(StrEnum):
    """How the replaced database and the back-up belong together, by their audit logs."""

    CONTINUES = "continues"  # it has all records of the back-up, and maybe more
    OLDER = "older"  # the back-up has all of its records, and more
    FORKED = "forked"  # they began alike, and each has records that the other one lacks


class Fate(StrEnum):
    """What a restore does with a connection."""

    KEPT = "kept"  # the back-up's row; its refresh token is unused
    TAKEN_OVER = "taken_over"  # the replaced database's row
    OPEN_THERE = "open_there"  # the same, with a renewal that has no outcome
    UNKNOWN = "unknown"  # the back-up's row, marked
    ENDED = "ended"  # the replaced database's tombstone
    GONE = "gone"  # no row: it ended and its tombstone was removed
    CREATED = "created"  # the replaced database's row, which the back-up does not have
    LEFT_OUT = "left_out"  # the same, but it can't be read


@dataclass(frozen=True, slots=True)
class Ground:
    """What the comparison goes by.

    `shared_until`: Unix seconds of the newest record that both logs have. `whole`: the replaced database is not
    damaged, so that a row that is not found is not there. `vouched`: the operator says that nothing ran since.
    """

    lineage: Lineage
    shared_until: float = 0.0
    whole: bool = True
    vouched: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """What decides of a row. `created_at`: Unix seconds. `open`: an intent of this generation has no outcome.

    `sound`: its seals open with the keys at hand. `seal`: the sealed token set, to tell two sets of one generation
    apart.
    """

    generation: int
    revision: int
    created_at: float
    ended: bool = False
    active: bool = True
    open: bool = False
    refreshable: bool = True
    sound: bool = True
    seal: bytes | None = None


class Unreadable:
    """A row that is there and can't be read."""


UNREADABLE = Unreadable()
There = Row | Unreadable | None


def fate_alone(here: Row | Unreadable, *, vouched: bool) -> Fate:
    """Decide of a connection of the back-up where there is nothing to compare it with."""
    if isinstance(here, Unreadable) or here.ended:
        return Fate.KEPT
    if here.open:
        return Fate.UNKNOWN
    return Fate.UNKNOWN if here.refreshable and not vouched else Fate.KEPT


def fate_of(here: Row | Unreadable, there: There, ground: Ground) -> Fate:
    """Decide of a connection of the back-up.

    Args:
        here: its row in the back-up.
        there: its row in the replaced database; None: there is none.
        ground: what is known of that database.
    """
    alone = fate_alone(here, vouched=ground.vouched)
    if ground.lineage is Lineage.OLDER:
        return fate_alone(here, vouched=True)  # the back-up has seen all that happened there
    if not isinstance(here, Unreadable) and here.ended:
        return Fate.KEPT
    if there is None:
        ended = ground.whole and (ground.lineage is Lineage.CONTINUES or _before(here, ground.shared_until))
        return Fate.GONE if ended else alone
    if isinstance(there, Unreadable):
        return alone
    if there.ended:
        return Fate.ENDED
    if isinstance(here, Unreadable):
        return _taken(there) or alone
    return _compared(here, there, alone)


def fate_of_new(there: Row | Unreadable, ground: Ground) -> Fate | None:
    """Decide of a connection that the back-up does not have; None: the back-up has seen it end."""
    if ground.lineage is Lineage.OLDER:
        return None
    if ground.lineage is Lineage.FORKED and _before(there, ground.shared_until):
        return None
    if isinstance(there, Unreadable):
        return Fate.LEFT_OUT
    return Fate.ENDED if there.ended else Fate.CREATED


def _compared(here: Row, there: Row, alone: Fate) -> Fate:
    """Decide of one that lives in both."""
    if there.generation < here.generation:
        return alone
    if there.open or there.generation > here.generation:
        return _taken(there) or alone
    if (there.revision, there.seal) == (here.revision, here.seal):
        return Fate.KEPT
    # Of one whose seals are damaged there, the generation says that the token was not used.
    return _taken(there) or (Fate.KEPT if there.active else alone)


def _taken(there: Row) -> Fate | None:
    if not there.sound:
        return None
    return Fate.OPEN_THERE if there.open else Fate.TAKEN_OVER


def _before(row: Row | Unreadable, at: float) -> bool:
    return isinstance(row, Row) and row.created_at <= at
