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
