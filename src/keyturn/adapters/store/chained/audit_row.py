"""A row of the audit log as a record, and as an entry of the chain."""

from __future__ import annotations

import math
from typing import Any, Final

import sqlalchemy as sa

from keyturn.adapters.store.database.audit_tables import audit_subjects
from keyturn.adapters.store.database.schema import audit
from keyturn.adapters.store.rows.plain_columns import mapping_in
from keyturn.core.audit.chain import Entry
from keyturn.core.audit_record import AuditRecord

# Every column, and the owner where that is still known.
ROWS: Final[sa.Select[Any]] = sa.select(audit, audit_subjects.c.owner).select_from(
    audit.outerjoin(audit_subjects, audit.c.subject == audit_subjects.c.subject)
)


def in_project(project: str, *, of_one: bool) -> sa.ColumnElement[bool]:
    """The records of a project. `of_one`: only those of one connection or person are asked for.

    SQLite keeps no count of rows for each value, so that the project's index looks as good to it as one's own, and it
    would read everybody's records for those of one. The sign takes the first of them out of the choice.
    """
    column = sa.literal_column("+audit.project", sa.Text) if of_one else audit.c.project
    return column == project


def record_in(row: sa.Row[Any], owner: str | None) -> AuditRecord:
    """Read a record; `owner`: who the subject is, if somebody knows."""
    return AuditRecord(
        at=row.at,
        action=row.action,
        actor=row.actor,
        outcome=row.outcome,
        connector=row.connector,
        connection=row.connection,
        owner=owner if owner is not None else row.subject,
        request_id=row.request_id,
        facts=mapping_in(row.facts),
        project=row.project,
    )


def entry_in(row: sa.Row[Any]) -> Entry:
    """Read a record in its place; what is no MAC any more is none, and fails where it is checked."""
    return Entry(row.seq, _safely_read(row), row.subject, str(row.facts), _bytes_in(row.previous), _bytes_in(row.mac))


def _bytes_in(value: object) -> bytes:
    return value if isinstance(value, bytes) else b""


def _safely_read(row: sa.Row[Any]) -> AuditRecord:
    """As `record_in`; what somebody made unreadable is left out, so that the check gets to say so."""
    timed = isinstance(row.at, float | int) and math.isfinite(row.at)
    try:
        if timed:
            return record_in(row, row.owner)
    except (ValueError, TypeError, RecursionError):
        pass
    return AuditRecord(
        row.at if timed else 0.0, str(row.action), str(row.actor), str(row.outcome), project=str(row.project)
    )
