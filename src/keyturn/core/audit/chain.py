"""How audit records are tied together: each carries the MAC of the one before it, and its own over everything in it.

Rule 1: a record's MAC is HMAC-SHA256 (RFC 2104) over version, number, the previous MAC and every part of the record,
each with a mark of presence and its length before it: no two records give the same bytes.
Rule 2: numbers only grow, and each record names the MAC of the one before it in its chain. A record that is missing,
moved or put in shows by that. Two chains share the numbers: the main one, and that of routine records.
Rule 3: a person stands in it as a subject, a random id; who that is, is kept apart and can be erased.
Rule 4: times count in whole microseconds, facts as canonical JSON, so that an exported record can be computed again.

Vectors: `tests/core/audit/test_chain.py`. Source: the threat model, U1 and S2.
"""

from __future__ import annotations

import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from keyturn.core.audit_record import AuditRecord

VERSION: Final = 1
MAC_BYTES: Final = 32
TOLD_OF_A_MAC: Final = 8  # hexadecimal digits
START: Final = bytes(MAC_BYTES)  # what stands before the first record
SUBJECT: Final = re.compile(r"sub_[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Entry:
    """A record in its place.

    `subject`: the person; `record.owner` is the owner where that is still known, else the subject. `facts`: the JSON
    text as it is stored, which is what counts. `mac` and `previous`: 32 bytes each.
    """

    seq: int
    record: AuditRecord
    subject: str | None
    facts: str
    previous: bytes
    mac: bytes
    routine: bool = False  # it stands in the chain of routine records, whose MACs have 16 bytes


@dataclass(frozen=True, slots=True)
class Fault:
    """The first thing that is wrong. `what`: a word of `FAULTS`.

    `expected`, `found`: the MACs that differ, hexadecimal, where two do. Of one that was reckoned just now only the
    beginning is told: in full it would be the very MAC that whoever changed the record needs to hide that.
    """

    seq: int
    what: str
    expected: str = field(default="", compare=False)
    found: str = field(default="", compare=False)


FAULTS: Final[Mapping[str, str]] = {
    "missing": "This record is not there any more.",
    "changed": "This record is not as it was written.",
    "unlinked": "What stands before this record is not what it was written after.",
    "cut_off": "The log ends before this record, which it had when its head was anchored or written down.",
    "rewritten": "This record is another one than the one that was anchored.",
    "anchor_unsigned": "An anchored head was not signed by this log.",
    "head_changed": "The last record is not the one that the log says it has.",
    "cut_unsigned": "The log begins here without a signed word that what was before was cut off on purpose.",
}


def canonical_facts(facts: Mapping[str, Any]) -> str:
    """Facts as the one JSON text that stands for them: names in order, no blanks, ASCII."""
    return json.dumps(facts, default=_opened, sort_keys=True, separators=(",", ":"))


def microseconds(at: float) -> int:
    """Unix seconds as whole microseconds."""
    return round(at * 1_000_000)


def mac_of(key: bytes, seq: int, previous: bytes, record: AuditRecord, subject: str | None, facts: str) -> bytes:
    """The MAC of a record in its place; `key` has 32 bytes, of this use alone."""
    return hmac.digest(key, encoded(seq, previous, record, subject, facts), "sha256")


def encoded(seq: int, previous: bytes, record: AuditRecord, subject: str | None, facts: str) -> bytes:
    """What is under the MAC: the version, then each part as 0, or as 1, its length (8 bytes) and its bytes."""
    parts: tuple[bytes | str | int | None, ...] = (
        seq, previous, record.project, microseconds(record.at), record.action, record.actor, record.outcome,
        record.connector, record.connection, subject, record.request_id, facts,
    )  # fmt: skip
    return bytes([VERSION]) + b"".join(_part(each) for each in parts)


def subject_mac(key: bytes, subject: str, project: str, owner: str) -> bytes:
    """What ties a subject to its owner, so that nobody can give a person the deeds of another."""
    return hmac.digest(key, b"subject" + b"".join(_part(each) for each in (subject, project, owner)), "sha256")


class ChainWalk:
    """Goes along the records in order and says where they stop being a chain."""

    def __init__(self, key: bytes, seq: int, mac: bytes) -> None:
        """`seq`, `mac`: of the record before the first that is taken."""
        self._key = key
        self.seq = seq
        self.mac = mac

    def take(self, entry: Entry) -> Fault | None:
        """Hold the next record against what it has to be."""
        if entry.seq <= self.seq:
            return Fault(self.seq + 1, "missing")
        mac = mac_of(self._key, entry.seq, entry.previous, entry.record, entry.subject, entry.facts)
        if not hmac.compare_digest(mac, entry.mac):
            return Fault(entry.seq, "changed", mac.hex()[:TOLD_OF_A_MAC], entry.mac.hex())
        if not hmac.compare_digest(entry.previous, self.mac):
            if entry.seq > self.seq + 1:
                return Fault(self.seq + 1, "missing")
            return Fault(entry.seq, "unlinked", self.mac.hex(), entry.previous.hex())
        self.seq, self.mac = entry.seq, entry.mac
        return None


def _part(part: bytes | str | int | None) -> bytes:
    if part is None:
        return b"\x00"
    content = part if isinstance(part, bytes) else str(part).encode("utf-8", "surrogatepass")
    return b"\x01" + len(content).to_bytes(8) + content


def _opened(value: Any) -> Any:
    """A mapping that can't be changed, or a set, as JSON has it."""
    return dict(value) if isinstance(value, Mapping) else sorted(value)
