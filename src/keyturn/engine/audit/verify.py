"""Whether the audit log is what was written: the chain, its anchors, and each connection's generation.

Rule 1: it goes along the chain in batches and holds nothing but one number for each connection.
Rule 2: a fault that appears because records were cut off meanwhile, by retention, is none: it begins again.
Rule 3: of a stretch, the records in it and the heads within it are looked at, and nothing else; what stands before it
is believed, as the MAC that its first record names. Only of the whole log it is noted that it was right.
Rule 4: generations only grow. A connection with an older one than the log has recorded is an older row put back; its
seals alone can't tell.

Source: the threat model, U1 and S2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from keyturn.core.audit.chain import Entry, Fault
from keyturn.core.audit.checkpoint import Checkpoint, Kind
from keyturn.core.connection import State
from keyturn.core.errors import Finding, ValidationFailed
from keyturn.ports.audit import AnchorFile, AuditChain, Bounds
from keyturn.ports.clock import Clock
from keyturn.ports.store import ConnectionFilter, ConnectionStore

BATCH: Final = 500
ROWS_AT_ONCE: Final = 200
TRIES: Final = 3
MOST_NAMED: Final = 100
GONE: Final = "connection.disconnected"  # after this a connection's row may be taken away


@dataclass(frozen=True, slots=True)
class AnchorVerdict:
    """How many heads from outside were held against the log, and the newest of them."""

    checked: int = 0
    newest: int | None = None
    fault: Fault | None = None


@dataclass(frozen=True, slots=True)
class GenerationVerdict:
    """`older`: connection id → (generation of the row, generation recorded). `missing`: rows that are gone."""

    checked: int = 0
    older: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    missing: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class RoutineVerdict:
    """How many routine records are right, the first thing that is wrong with one, and how many heads of theirs from
    outside were held against them.
    """

    entries: int = 0
    fault: Fault | None = None
    anchors: int = 0


@dataclass(frozen=True, slots=True)
class Verdict:
    """`entries`: how many records are right, from the first one on. `since`: the first record that was looked at.

    `head`: number and MAC of the newest record, or of the last of a stretch. `whole`: all of the log was looked at.
    """

    entries: int
    since: int
    head: tuple[int, bytes]
    public_key: bytes
    first_bad: Fault | None
    anchors: AnchorVerdict
    generations: GenerationVerdict
    strangers: Sequence[str]
    whole: bool = True
    routine: RoutineVerdict = field(default_factory=RoutineVerdict)

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        clean = not (self.generations.older or self.generations.missing or self.strangers)
        right = self.first_bad is None and self.routine.fault is None and self.anchors.fault is None
        return clean and right


@dataclass(frozen=True, slots=True)
class _Stretch:
    """`start`: number and MAC of the record before the first. `last`: the number of the last."""

    start: tuple[int, bytes]
    last: int
    whole: bool

    def has(self, seq: int) -> bool:
        """Whether a head of this number is looked at; of the whole log also one of a record that is not there."""
        return self.whole or self.start[0] < seq <= self.last


@dataclass(frozen=True, slots=True)
class _Walked:
    entries: int
    position: tuple[int, bytes]
    fault: Fault | None
    anchor_fault: Fault | None
    recorded: dict[str, int]
    ended: set[str]


@dataclass(frozen=True, slots=True)
class VerifyAudit:
    """The use case and what it needs."""

    chain: AuditChain
    connections: ConnectionStore
    anchor_file: AnchorFile | None = None
    clock: Clock | None = None

    async def __call__(
        self,
        *,
        anchor: tuple[int, bytes] | None = None,
        first: int | None = None,
        last: int | None = None,
        project: str = "default",
    ) -> Verdict:
        """Go along the chain; where the whole of it is right, and there is a clock, the time of it is noted.

        Args:
            anchor: number and MAC of a head that the caller kept, beside those of the anchor file.
            first, last: numbers of the records where a stretch begins and ends; None: where the log does.
            project: whose connections are looked at; the chain is one for all.

        Raises:
            ValidationFailed: there is no such stretch.
            StoreUnavailable: the database, or the anchor file, can't be read.
        """
        written = list(await self.anchor_file.read()) if self.anchor_file is not None else []
        kept = [(each.seq, each.mac) for each in written if each.kind is not Kind.ROUTINE_HEAD]
        kept += [anchor] if anchor is not None else []
        of_routine = [(each.seq, each.mac) for each in written if each.kind is Kind.ROUTINE_HEAD]
        for _ in range(TRIES):
            bounds = await self.chain.bounds()
            stretch = await self._stretch(bounds, first, last)
            known = [each for each in kept if stretch.has(each[0])]
            walked = await self._walk(bounds, stretch, known, project)
            if walked.fault is None or (await self.chain.bounds()).start == bounds.start:
                break
        routine = await self._routine(walked, of_routine, project) if stretch.whole else RoutineVerdict()
        unsigned = next((each for each in written if stretch.has(each.seq) and not self._is_ours(each)), None)
        anchor_fault = Fault(unsigned.seq, "anchor_unsigned") if unsigned else walked.anchor_fault
        signed = await self.chain.sign(Checkpoint(Kind.HEAD, *bounds.head, at=0.0))
        verdict = Verdict(
            walked.entries,
            stretch.start[0] + 1,
            bounds.head if stretch.whole else walked.position,
            signed.public_key,
            walked.fault,
            AnchorVerdict(len(known) + routine.anchors, max((seq for seq, _ in known), default=None), anchor_fault),
            await self._generations(walked, project) if stretch.whole else GenerationVerdict(),
            await self.chain.strangers() if stretch.whole else (),
            stretch.whole,
            routine,
        )
        if verdict.ok and verdict.whole and self.clock is not None:
            await self.chain.note_verified(bounds.head[0], at=self.clock.now())
        return verdict

    def _is_ours(self, head: Checkpoint) -> bool:
        return head.kind in (Kind.HEAD, Kind.ROUTINE_HEAD) and self.chain.is_signed(head)

    async def _stretch(self, bounds: Bounds, first: int | None, last: int | None) -> _Stretch:
        (start, _), (head, _) = bounds.start, bounds.head
        if first is None and last is None:
            return _Stretch(bounds.start, head, whole=True)
        begins, ends = max(first or 1, start + 1), head if last is None else last
        if not begins <= ends <= head:
            message = f"The log has the records {start + 1} to {head}; a stretch begins and ends within them."
            raise ValidationFailed(errors=[Finding("/last" if last is not None else "/first", "invalid", message)])
        found = await self.chain.entries(begins - 1, limit=1) if begins > start + 1 else ()
        return _Stretch((begins - 1, found[0].previous) if found else bounds.start, ends, whole=False)

    async def _walk(
        self, bounds: Bounds, stretch: _Stretch, known: Sequence[tuple[int, bytes]], project: str
    ) -> _Walked:
        """From the first record to the last, or to the one that was the newest when this began."""
        anchors, beyond = _anchors_of(known, bounds)
        recorded: dict[str, int] = {}
        ended: set[str] = set()
        position, entries, anchor_fault = stretch.start, 0, beyond
        fault = bounds.fault if stretch.start == bounds.start else None
        while fault is None and position[0] < stretch.last:
            found, fault = await self.chain.check(position, until=stretch.last, limit=BATCH)
            for entry in found:
                _note(entry, project, recorded, ended)
                if entry.mac != anchors.get(entry.seq, entry.mac):
                    told = (anchors[entry.seq].hex(), entry.mac.hex())
                    anchor_fault = anchor_fault or Fault(entry.seq, "rewritten", *told)
            entries += len(found)
            if found:
                position = (found[-1].seq, found[-1].mac)
            elif fault is None and stretch.last == bounds.head[0]:
                fault = Fault(position[0] + 1, "missing")
            elif fault is None:
                break  # what follows within the stretch are routine records
        if fault is None and stretch.last == bounds.head[0] and position != bounds.head:
            fault = Fault(bounds.head[0], "head_changed", bounds.head[1].hex(), position[1].hex())
        return _Walked(entries, position, fault, anchor_fault, recorded, ended)

    async def _routine(self, walked: _Walked, known: Sequence[tuple[int, bytes]], project: str) -> RoutineVerdict:
        """The chain of routine records, from its first to its newest; what it says of generations counts too."""
        for _ in range(TRIES):
            bounds = await self.chain.routine_bounds()
            anchors, anchored = _anchors_of(known, bounds)
            position, entries, fault = bounds.start, 0, bounds.fault
            while fault is None and position[0] < bounds.head[0]:
                found, fault = await self.chain.check_routine(position, until=bounds.head[0], limit=BATCH)
                for entry in found:
                    _note(entry, project, walked.recorded, walked.ended)
                    if entry.mac != anchors.get(entry.seq, entry.mac):
                        told = (anchors[entry.seq].hex(), entry.mac.hex())
                        anchored = anchored or Fault(entry.seq, "rewritten", *told)
                entries += len(found)
                if found:
                    position = (found[-1].seq, found[-1].mac)
                elif fault is None:
                    fault = Fault(position[0] + 1, "missing")
            if fault is None and bounds.head[0] and position != bounds.head:
                fault = Fault(bounds.head[0], "head_changed", bounds.head[1].hex(), position[1].hex())
            if fault is None or (await self.chain.routine_bounds()).start == bounds.start:
                break
        return RoutineVerdict(entries, fault or anchored, len(known))

    async def _generations(self, walked: _Walked, project: str) -> GenerationVerdict:
        """Rows are read after the records: a row that is behind its records is an old one."""
        left = dict(walked.recorded)
        older: dict[str, tuple[int, int]] = {}
        cursor: str | None = None
        checked = 0
        while True:
            page = await self.connections.list(ConnectionFilter(), cursor=cursor, limit=ROWS_AT_ONCE, project=project)
            for row in page.items:
                recorded = left.pop(row.id, None)
                if row.state is State.UNREADABLE:
                    continue  # of which generation it is can't be read
                checked += recorded is not None
                if recorded is not None and row.generation < recorded and len(older) < MOST_NAMED:
                    older[row.id] = (row.generation, recorded)
            cursor = page.next_cursor
            if cursor is None:
                break
        missing = sorted(each for each in left if each not in walked.ended)
        return GenerationVerdict(checked, older, missing[:MOST_NAMED])


def _anchors_of(known: Sequence[tuple[int, bytes]], bounds: Bounds) -> tuple[dict[int, bytes], Fault | None]:
    """What the anchors say of records that are there, and a fault where the log ends before one of them."""
    (start, start_mac), (head, _) = bounds.start, bounds.head
    anchors: dict[int, bytes] = {}
    fault = None
    for seq, mac in sorted(known):
        if seq > head:
            return anchors, fault or Fault(head + 1, "cut_off")
        if anchors.setdefault(seq, mac) != mac or (seq == start and mac != start_mac):
            fault = fault or Fault(seq, "rewritten", mac.hex(), (start_mac if seq == start else anchors[seq]).hex())
    return anchors, fault


def _note(entry: Entry, project: str, recorded: dict[str, int], ended: set[str]) -> None:
    record = entry.record
    if record.connection is None or record.project != project:
        return
    generation = record.facts.get("generation")
    if isinstance(generation, int):
        recorded[record.connection] = max(generation, recorded.get(record.connection, 0))
    if record.action == GONE:
        ended.add(record.connection)
