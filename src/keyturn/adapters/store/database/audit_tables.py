"""What stands beside the audit log: who its subjects are, and marks along its chain."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from keyturn.adapters.store.database.schema import (
    audit,
    bytes_column,
    metadata,
    number_column,
    text_column,
    time_column,
)
from keyturn.core.audit.kinds import READ

# Whether somebody's read of this hour stands in the log is asked at each first read; the condition is the index's too.
READS: Final = f"action = '{READ}'"
sa.Index("audit_reads", audit.c.project, audit.c.actor, audit.c.at, sqlite_where=sa.text(READS))

# The only tie between a person's name and what the log says of the person; erasing a row leaves the chain as it is.
audit_subjects: Final = sa.Table(
    "audit_subjects",
    metadata,
    text_column("subject", key=True),
    text_column("project"),
    text_column("owner"),
    bytes_column("mac"),
    sa.Index("audit_subjects_by_owner", "project", "owner", unique=True),
)

# Routine records, in a chain of their own. Their numbers are the main log's too, so that both make one list. Connector
# and person are the connection's; the MAC of the record before is that of the row before.
audit_routine: Final = sa.Table(
    "audit_routine",
    metadata,
    number_column("seq", key=True),
    time_column("at"),
    number_column("kind"),  # `RoutineKind`
    text_column("connection"),
    number_column("generation", empty=True),
    text_column("actor", empty=True),  # empty: the scheduler
    text_column("request_id", empty=True),
    text_column("attempt", empty=True),
    text_column("host", empty=True),
    time_column("sent_at", empty=True),
    text_column("facts", empty=True),  # what has no column
    bytes_column("mac", empty=False),
    sa.Index("audit_routine_by_connection", "connection", "seq"),
)

# `routine …`: the same of the other chain; `routine fold`: how far its days are told, and of which connections.
# `head`: the newest record. `cut`: the last one that was cut off, signed. `sink:…`: the last one that was sent there.
# `verified`: the newest one when the whole log was found right last.
VERIFIED: Final = "verified"
audit_marks: Final = sa.Table(
    "audit_marks",
    metadata,
    text_column("name", key=True),
    number_column("seq"),
    bytes_column("mac"),
    time_column("at"),
    bytes_column("signature"),
)
