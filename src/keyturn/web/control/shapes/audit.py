"""What the audit log answers beyond a list of events."""

from __future__ import annotations

from pydantic import BaseModel

from keyturn.core.audit.chain import FAULTS, Entry, Fault
from keyturn.core.audit.checkpoint import Checkpoint, precise_time
from keyturn.engine.audit.verify import Verdict
from keyturn.web.control.shapes.answers import EventAnswer
from keyturn.web.control.shapes.showing import event


class EntryAnswer(EventAnswer):
    """A record in its place in the chain. `subject`: the random id that stands for the owner in it."""

    project: str
    subject: str | None
    previous: str
    mac: str


class FaultAnswer(BaseModel):
    """What is wrong, and at which record. `expected`, `found`: the MACs that differ, where two do.

    Of one that was reckoned anew, `expected` has only the first eight digits.
    """

    seq: int
    what: str
    text: str
    expected: str | None
    found: str | None


class HeadAnswer(BaseModel):
    """The newest record's number and MAC."""

    seq: int
    mac: str


class AnchorsAnswer(BaseModel):
    """How many heads from outside were held against the log, the newest of them, and what is wrong."""

    checked: int
    newest: int | None
    fault: FaultAnswer | None


class OlderAnswer(BaseModel):
    """A connection whose row is older than the log knows it."""

    connection: str
    generation: int
    recorded: int


class GenerationsAnswer(BaseModel):
    """How many connections were compared, those with an older row, and those whose row is gone; a hundred at most."""

    checked: int
    older: list[OlderAnswer]
    missing: list[str]


class RoutineAnswer(BaseModel):
    """The chain of routine records: how many are right, and the first that is not."""

    entries: int
    first_bad: FaultAnswer | None


class VerifyAnswer(BaseModel):
    """Whether the log is what was written. `since`: the first record that was looked at. `strangers`: subjects that
    somebody tied to another owner. `whole`: false of a stretch, whose last record `head` is then.
    """

    ok: bool
    whole: bool
    entries: int
    since: int
    head: HeadAnswer
    first_bad: FaultAnswer | None
    anchor: AnchorsAnswer
    generations: GenerationsAnswer
    strangers: list[str]
    routine: RoutineAnswer
    public_key: str


class AnchorAnswer(BaseModel):
    """The signed head, to be kept outside; its signature (Ed25519) can be checked with the public key alone."""

    keyturn_audit: int
    kind: str
    seq: int
    mac: str
    at: str
    public_key: str
    signature: str


class ErasedAnswer(BaseModel):
    """How many connections the owner had, and what came of telling the provider: word → how many."""

    connections: int
    revocation: dict[str, int]


def entry_answer(entry: Entry) -> EntryAnswer:
    """A record in its place."""
    shown = event(entry.seq, entry.record).model_dump() | {"at": precise_time(entry.record.at)}
    return EntryAnswer(
        **shown,
        project=entry.record.project,
        subject=entry.subject,
        previous=entry.previous.hex(),
        mac=entry.mac.hex(),
    )


def verify_answer(verdict: Verdict) -> VerifyAnswer:
    """A verdict as callers see it."""
    seq, mac = verdict.head
    older = verdict.generations.older.items()
    return VerifyAnswer(
        ok=verdict.ok,
        whole=verdict.whole,
        entries=verdict.entries,
        since=verdict.since,
        head=HeadAnswer(seq=seq, mac=mac.hex()),
        first_bad=_fault(verdict.first_bad),
        anchor=AnchorsAnswer(
            checked=verdict.anchors.checked, newest=verdict.anchors.newest, fault=_fault(verdict.anchors.fault)
        ),
        generations=GenerationsAnswer(
            checked=verdict.generations.checked,
            older=[OlderAnswer(connection=name, generation=is_, recorded=was) for name, (is_, was) in older],
            missing=list(verdict.generations.missing),
        ),
        strangers=list(verdict.strangers),
        routine=RoutineAnswer(entries=verdict.routine.entries, first_bad=_fault(verdict.routine.fault)),
        public_key=verdict.public_key.hex(),
    )


def anchor_answer(head: Checkpoint) -> AnchorAnswer:
    """A signed head as callers see it."""
    return AnchorAnswer(**head.as_json())


def _fault(fault: Fault | None) -> FaultAnswer | None:
    if fault is None:
        return None
    told = FAULTS[fault.what]
    return FaultAnswer(
        seq=fault.seq, what=fault.what, text=told, expected=fault.expected or None, found=fault.found or None
    )
