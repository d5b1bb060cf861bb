"""A connection's timeline: its records, and between them its calls, folded by the hour.

Rule 1: an hour stands where it began, below all that was recorded in it; so it keeps its place while it grows.
Rule 2: neither records nor hours change their order: the place of a row depends on the next of each alone. A page that
goes on after the last record and the last hour of the page before it repeats nothing and leaves nothing out.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from typing import TypeAlias

from keyturn.core.audit.kinds import RecordKind
from keyturn.core.audit_record import AuditRecord
from keyturn.core.observing.call_hour import CallHour

TimelineRow: TypeAlias = tuple[int, AuditRecord] | CallHour


def folded(records: Sequence[tuple[int, AuditRecord]], hours: Sequence[CallHour]) -> Iterator[TimelineRow]:
    """Both as one list, newest first. Each of the two is handed in newest first, the records by number."""
    return heapq.merge(records, hours, key=_moment, reverse=True)


def hour_is_of(kind: RecordKind | None, hour: CallHour) -> bool:
    """Whether an hour is of this kind, as `is_of` says of a record."""
    match kind:
        case RecordKind.RENEWALS | RecordKind.CHANGES:
            return False
        case RecordKind.FAILURES:
            return hour.failed > 0
        case _:
            return True


def _moment(row: TimelineRow) -> float:
    return row.begins_at if isinstance(row, CallHour) else row[1].at
