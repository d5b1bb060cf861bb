"""A record as a line of an export, and a whole export held against its checkpoint, without the server.

Rule 1: the last line is the checkpoint: how many lines there were, SHA-256 over them, signed. A line that was changed,
taken out, put in or moved gives another digest.
Rule 2: lines are read one by one; nothing is held but sums.
Rule 3: a person is named by the subject alone: what left the database can't be erased.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from typing import Any, Final

from keyturn.core.audit.chain import Entry, Fault
from keyturn.core.audit.checkpoint import Checkpoint, Kind, checkpoint_in, is_checkpoint, precise_time

MEDIA_TYPE: Final = "application/x-ndjson"


def entry_json(entry: Entry) -> dict[str, Any]:
    """A record with its place in the chain, as plain JSON."""
    record = entry.record
    of_chain = {"chain": "routine"} if entry.routine else {}
    return of_chain | {
        "seq": entry.seq,
        "at": precise_time(record.at),
        "project": record.project,
        "action": record.action,
        "actor": record.actor,
        "outcome": record.outcome,
        "connector": record.connector,
        "connection": record.connection,
        "subject": entry.subject,
        "request_id": record.request_id,
        "facts": json.loads(entry.facts),
        "previous": entry.previous.hex(),
        "mac": entry.mac.hex(),
    }


def entry_line(entry: Entry) -> bytes:
    """The same as one line."""
    return json.dumps(entry_json(entry), separators=(",", ":")).encode("ascii") + b"\n"


class ExportSum:
    """Adds lines up, for the one who writes them and for the one who checks them."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()
        self.entries = 0

    def add(self, line: bytes) -> None:
        """Take a line, with its line end."""
        self._digest.update(line)
        self.entries += 1

    @property
    def digest(self) -> bytes:
        """SHA-256 so far."""
        return self._digest.digest()


def check_export(
    lines: Iterable[bytes], is_signed: Callable[[Checkpoint], bool]
) -> tuple[Checkpoint | None, int, Fault | None]:
    """Hold an export against its checkpoint.

    Args:
        lines: with their line ends.
        is_signed: whether a checkpoint was signed by the key that is trusted.

    Returns:
        The checkpoint, how many records there are, and what is wrong: at a record's number, or at a line's (from 1)
        where there is no number to read.
    """
    added, last = ExportSum(), 0
    ends: dict[object, tuple[int, str]] = {}  # of each chain: the number and MAC of its last record
    checkpoint: Checkpoint | None = None
    for number, line in enumerate(lines, start=1):
        if checkpoint is not None:
            return checkpoint, added.entries, Fault(number, "after_the_end")
        try:
            document = json.loads(line)
            if is_checkpoint(document):
                checkpoint = checkpoint_in(document)
                continue
            seq, before, mac = document["seq"], document["previous"], document["mac"]
            in_order, chain = seq > last, str(document.get("chain", ""))
        except (ValueError, TypeError, KeyError, RecursionError):
            return None, added.entries, Fault(number, "unreadable")
        if not in_order:
            return None, added.entries, Fault(seq, "out_of_order")
        end = ends.get(chain)
        if end is not None and seq == end[0] + 1 and before != end[1]:
            return None, added.entries, Fault(seq, "unlinked")
        last, ends[chain] = seq, (seq, mac)
        added.add(line)
    if checkpoint is None:
        return None, added.entries, Fault(last + 1, "no_checkpoint")
    if checkpoint.kind is not Kind.EXPORT or not is_signed(checkpoint):
        return checkpoint, added.entries, Fault(checkpoint.seq, "not_signed")
    if (added.entries, added.digest) != (checkpoint.entries, checkpoint.digest):
        return checkpoint, added.entries, Fault(checkpoint.seq, "digest_differs")
    return checkpoint, added.entries, None
