"""What a busy broker records all the time, and how it is told once its days are over.

Rule 1: successful renewals and tokens that were handed out are routine: they have a chain of their own beside the main
one, are kept in full for three days at least, and then stand in the main chain as one record a connection and day.
Rule 2: everything else is not, above all what failed.

Source: the scale design, "Audit"; the decision "Two chains of audit records".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import IntEnum
from typing import Any, Final

from keyturn.core.audit_record import AuditRecord

KEPT_S: Final = 72 * 3600.0
DAY_S: Final = 86_400.0
MAC_BYTES: Final = 16  # half a SHA-256
START: Final = bytes(MAC_BYTES)  # what stands before the first record


class RoutineKind(IntEnum):
    """What a routine record is; the number is what a row holds, and never changes its meaning."""

    RENEWED = 1
    TOKEN_VENDED = 2


ACTIONS: Final[Mapping[RoutineKind, str]] = {
    RoutineKind.RENEWED: "connection.renewed",
    RoutineKind.TOKEN_VENDED: "connection.token_vended",
}
FOLDED: Final[Mapping[RoutineKind, str]] = {
    RoutineKind.RENEWED: "connection.renewals",
    RoutineKind.TOKEN_VENDED: "connection.tokens_vended",
}
_KINDS: Final = {action: kind for kind, action in ACTIONS.items()}


@dataclass(frozen=True, slots=True)
class Day:
    """The routine records of one kind, connection and day. `begins_at`: Unix seconds, midnight UTC."""

    connection: str
    kind: RoutineKind
    begins_at: float
    count: int
    first_generation: int | None
    last_generation: int | None
    hosts: tuple[str, ...] = ()


def routine_kind(record: AuditRecord) -> RoutineKind | None:
    """Say what routine a record is; None: it is none."""
    return _KINDS.get(record.action) if record.outcome == "ok" and record.connection is not None else None


def folded(day: Day, at: float) -> AuditRecord:
    """The record that stands for a day, written at this time; whose connection it is, its writer knows."""
    date = datetime.fromtimestamp(day.begins_at, UTC).date().isoformat()
    said: dict[str, Any] = {"day": date, "count": day.count}
    if day.last_generation is not None:
        said |= {"first_generation": day.first_generation, "generation": day.last_generation}
    if any(day.hosts):
        said["hosts"] = [each for each in day.hosts if each]
    return AuditRecord(at, FOLDED[day.kind], "scheduler", connection=day.connection, facts=said)


def fold_before(now: float) -> float:
    """Until when records are folded, Unix seconds: whole days alone, so that each day is told once."""
    return (now - KEPT_S) // DAY_S * DAY_S
