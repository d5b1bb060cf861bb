"""The kinds of records that a connection's timeline is asked for."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from keyturn.core.audit_record import AuditRecord


class RecordKind(StrEnum):
    """What a record is about; it may be of several kinds."""

    RENEWALS = "renewals"
    CALLS = "calls"  # and tests
    FAILURES = "failures"
    CHANGES = "changes"  # made, changed, ended


READ: Final = "audit.read"  # somebody reads the audit log itself
WELL: Final = frozenset({"ok", "not_sent"})
RENEWALS: Final = frozenset(
    {
        "connection.renewed",
        "connection.renewals",
        "refresh.answered",
        "refresh.sent",  # of logs that earlier releases wrote
        "connection.uncertain",
        "connection.needs_reconnect",
    }
)
CALLS: Final = frozenset(
    {"connection.tested", "connection.called", "connection.token_vended", "connection.tokens_vended"}
)
OF_CONNECTIONS: Final = "connection."  # what the actions of all others begin with


def is_of(kind: RecordKind | None, record: AuditRecord) -> bool:
    """Whether a record is of this kind; None: of any."""
    match kind:
        case RecordKind.RENEWALS:
            return record.action in RENEWALS
        case RecordKind.CALLS:
            return record.action in CALLS
        case RecordKind.FAILURES:
            return record.outcome not in WELL
        case RecordKind.CHANGES:
            return record.action.startswith(OF_CONNECTIONS) and record.action not in RENEWALS | CALLS
        case _:
            return True
