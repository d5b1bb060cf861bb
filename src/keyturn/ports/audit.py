"""The audit log as two chains, of routine records and of all others: read with their MACs, checked, signed, cut.

A person's name is taken out of both.

Promises: `tests/contracts/audit_chain_contract.py`. Writing and following it: `AuditLog` in `ports/store.py`.
Rule 1: the keys never leave the adapter; the engine gets verdicts and signatures.
Rule 2: nothing here holds up a writer but `cut` and `erase`, which write themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from keyturn.core.audit.chain import Entry, Fault
from keyturn.core.audit.checkpoint import Checkpoint
from keyturn.core.audit_record import AuditRecord


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which records a list shows; None means any. `owner`: an owner, or the subject id of one. Times: Unix seconds.

    `without`: actions that are left out, such as those that recur and hide the rest.
    """

    actor: str | None = None
    action: str | None = None
    owner: str | None = None
    connection: str | None = None
    connector: str | None = None
    outcome: str | None = None
    since: float | None = None
    until: float | None = None
    connectors: frozenset[str] | None = None  # what an API key is limited to
    without: frozenset[str] = frozenset()


def actions_in(text: str) -> frozenset[str]:
    """Actions as one text has them, with commas between."""
    return frozenset(filter(None, (each.strip() for each in text.split(","))))


@dataclass(frozen=True, slots=True)
class Bounds:
    """Where the chain begins and ends now. `start`: the record before the first, (0, zeros) if none was cut off."""

    start: tuple[int, bytes]
    head: tuple[int, bytes]
    fault: Fault | None = None  # the start is not what was signed


class AuditChain(Protocol):
    """The chain."""

    async def page(
        self, which: AuditFilter, *, cursor: str | None, limit: int, project: str = "default"
    ) -> tuple[Sequence[tuple[int, AuditRecord]], str | None]:
        """Newest first, with their numbers, and the next cursor."""
        ...

    async def entry(self, seq: int, *, project: str = "default") -> Entry | None:
        """One record with its place in the chain."""
        ...

    async def entries(self, after: int, *, limit: int) -> Sequence[Entry]:
        """The records after this number, of every project, oldest first."""
        ...

    async def both(self, after: int, *, limit: int) -> Sequence[Entry]:
        """As `entries`, with the routine records among them: both chains count with the same numbers."""
        ...

    async def bounds(self) -> Bounds:
        """Where it begins and ends."""
        ...

    async def check(self, after: tuple[int, bytes], *, until: int, limit: int) -> tuple[Sequence[Entry], Fault | None]:
        """The next records that are right, and what is wrong with the one after them; empty at the end."""
        ...

    async def routine_bounds(self) -> Bounds:
        """Where the chain of routine records begins and ends; its MACs are half as long."""
        ...

    async def check_routine(
        self, after: tuple[int, bytes], *, until: int, limit: int
    ) -> tuple[Sequence[Entry], Fault | None]:
        """As `check`, of that chain."""
        ...

    async def fold(self, *, before: float, at: float) -> int:
        """Tell the days of routine records that are older in the main chain, one record a connection, day and kind, and
        cut those records off, signed; returns how many days. What dies in the middle goes on the next time.
        """
        ...

    async def strangers(self) -> Sequence[str]:
        """Subjects that somebody tied to another owner; a hundred at most."""
        ...

    async def sign(self, checkpoint: Checkpoint) -> Checkpoint:
        """Put public key and signature on it."""
        ...

    def is_signed(self, checkpoint: Checkpoint) -> bool:
        """Whether this log signed it."""
        ...

    async def cut(self, *, before: float, at: float) -> int:
        """Cut off the oldest records, as far as all of them are older; signed and recorded; returns how many."""
        ...

    async def sent(self, sink: str) -> int | None:
        """The number of the last record that this sink was sent; None where it never was sent any."""
        ...

    async def note_sent(self, sink: str, seq: int, *, at: float) -> None:
        """Note that."""
        ...

    async def verified_at(self) -> float | None:
        """When the whole log was found right last, Unix seconds; None where it never was."""
        ...

    async def note_verified(self, seq: int, *, at: float) -> None:
        """Note that it was found right up to this record."""
        ...

    async def subject_of(self, owner: str, *, project: str = "default") -> str | None:
        """The subject that stands for an owner."""
        ...

    async def erase(self, owner: str, *, records: Sequence[AuditRecord], project: str = "default") -> int:
        """Take the owner's name out of all rows, and the tie between name and subject; returns how many rows.

        Ended connections stay as tombstones that name the subject; those that are not ended are left alone.
        """
        ...


class AnchorFile(Protocol):
    """Where heads are written down outside the database; a line each."""

    async def append(self, head: Checkpoint) -> None:
        """Add one; StoreUnavailable where that can't be done."""
        ...

    async def read(self) -> Sequence[Checkpoint]:
        """All of them, oldest first; StoreUnavailable where a line is none."""
        ...

    async def newest(self) -> Checkpoint | None:
        """The last one; None where there is none. Reads no more than that. StoreUnavailable as `read`."""
        ...


class RecordSink(Protocol):
    """Where records are sent as they are written."""

    async def send(self, entries: Sequence[Entry]) -> None:
        """Send some, in order; StoreUnavailable where that can't be done."""
        ...

    async def close(self) -> None:
        """Let go of the connection."""
        ...
