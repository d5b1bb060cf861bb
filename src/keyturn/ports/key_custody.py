"""What the database knows of wrapping keys, and moving what they wrap from one to another.

Rule 1: exactly one key is current: it wraps every new data key. The others that are at hand open what they wrapped.
Rule 2: rewrapping changes a data key's wrapped form and nothing else: no sealed value, no revision; whoever writes the
row at the same moment wins.
Rule 3: every table that holds wrapped data keys is one of `places`; a test walks the tables.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from keyturn.core.audit_record import AuditRecord
from keyturn.core.connection import Connection


class KeyState(StrEnum):
    """Where a wrapping key stands."""

    STANDBY = "standby"  # opens what it wrapped; may be made current
    CURRENT = "current"  # wraps every new data key
    RETIRED = "retired"  # wraps nothing any more, and is no longer needed
    LOST = "lost"  # given up, with all that it had sealed


@dataclass(frozen=True, slots=True)
class KeyStanding:
    """A wrapping key. `at_hand`: this process can use it. `data_keys`: how many it wraps. Times are Unix seconds."""

    id: str
    provider: str
    state: KeyState
    at_hand: bool
    data_keys: int
    added_at: float
    current_at: float | None = None
    retired_at: float | None = None


@dataclass(frozen=True, slots=True)
class Rewrapped:
    """What one step did. `following`: where to go on; None at the place's end. `failures`: code → how many."""

    done: int = 0
    failures: Mapping[str, int] = field(default_factory=dict)
    following: tuple[str, ...] | None = None


class KeyCustody(Protocol):
    """Wrapping keys and what they wrap. Promises: `tests/contracts/key_custody_contract.py`."""

    @property
    def places(self) -> Sequence[str]:
        """Every place that holds wrapped data keys, `table.column`."""
        ...

    async def keys(self) -> Sequence[KeyStanding]:
        """All that were ever known, oldest first."""
        ...

    async def current_since(self) -> float:
        """Since when the current key is that, Unix seconds; counts nothing that it wraps."""
        ...

    async def add(self, *, at: float, record: Callable[[str], AuditRecord]) -> KeyStanding:
        """Make a key, as a standby; `record` tells of it by its id. KeyNotMadeHere where an operator names them."""
        ...

    async def make_current(self, key_id: str, *, at: float, records: Sequence[AuditRecord] = ()) -> KeyStanding:
        """Wrap with this key from now on; the one before is a standby. Of the current one it changes nothing.

        Raises:
            NotFound: there is no such key.
            KeyStateConflict: it is retired or lost.
            WrongKey: it is not at hand.
            KeyUnavailable: it can't be asked; nothing changed.
        """
        ...

    async def retire(self, key_id: str, *, at: float, records: Sequence[AuditRecord] = ()) -> KeyStanding:
        """Say that a standby is needed no more. KeyInUse while it wraps anything; else as `make_current`."""
        ...

    async def backup_made_at(self) -> float | None:
        """When `keyturn backup` copied this database last, Unix seconds; None where it never did, or doesn't apply."""
        ...

    async def outdated(self) -> int:
        """How many data keys another than the current key wraps."""
        ...

    async def rewrap(self, place: str, *, after: tuple[str, ...], limit: int) -> Rewrapped:
        """Wrap some of a place's data keys with the current key, in the order of its rows.

        `after`: the last row that was done, empty at the start.
        What can't be opened is passed over and counted; a provider that can't be asked raises KeyUnavailable.
        """
        ...

    async def follow(self) -> None:
        """Take over what another process decided: which key is current."""
        ...

    def forget_passwords(self) -> None:
        """Let go of what is remembered of kept passwords: another process has destroyed them."""
        ...

    async def ask(self) -> None:
        """Raise KeyUnavailable or WrongKey where the current key can't be used now."""
        ...

    async def destroy_passwords(self, *, at: float, record: Callable[[Connection], AuditRecord]) -> int:
        """Destroy all kept passwords with their keys, in one transaction; `record` tells of each. Returns how many."""
        ...


@dataclass(frozen=True, slots=True)
class LostItem:
    """What a lost key had sealed, beside connections; `place` as in `KeyCustody.places`."""

    place: str
    project: str
    connector: str | None = None
    connection: str | None = None


@dataclass(frozen=True, slots=True)
class LostParts:
    """A connection of which a lost key had sealed something: its `tokens` and fields, or only its password."""

    connection: Connection
    tokens: bool


class LostKeys(Protocol):
    """Giving up what a lost key had sealed; one step at a time, each of them whole."""

    async def connections(self, key_id: str, *, limit: int) -> Sequence[LostParts]:
        """Some of those that are left."""
        ...

    async def give_up(
        self, connection: Connection, *, tokens: bool, records: Sequence[AuditRecord] = ()
    ) -> Connection | None:
        """Write the connection, and destroy its tokens, fields and password, or its password alone.

        None where somebody wrote the row meanwhile.
        """
        ...

    async def give_up_others(self, key_id: str, *, record: Callable[[LostItem], AuditRecord]) -> Mapping[str, int]:
        """Destroy the rest; returns how many at each place."""
        ...
