"""The table of jobs. Nothing in it is sealed, because nothing in it may be secret (the port's rule 1)."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from keyturn.adapters.store.database.schema import metadata, number_column, text_column, time_column

# Written out, not bound: SQLite uses a partial index only where it sees that the condition is the index's own.
QUEUED: Final = "state = 'queued'"
RUNNING: Final = "state = 'running'"
OPEN: Final = "state IN ('queued', 'running')"

jobs: Final = sa.Table(
    "jobs",
    metadata,
    text_column("id", key=True),
    text_column("project"),
    text_column("kind"),
    text_column("state"),
    text_column("unique_key", empty=True),
    time_column("created_at"),
    text_column("created_by"),
    time_column("run_at"),
    text_column("arguments"),
    text_column("cursor"),
    number_column("tries"),
    number_column("done"),
    number_column("total", empty=True),
    text_column("failures"),
    text_column("report"),
    text_column("last_error", empty=True),
    text_column("cancelled_by", empty=True),
    time_column("started_at", empty=True),
    time_column("seen_at", empty=True),
    time_column("ended_at", empty=True),
    number_column("revision"),
)

_c = jobs.c
sa.Index(
    "jobs_unique",
    _c.project,
    _c.kind,
    _c.unique_key,
    unique=True,
    sqlite_where=sa.text(f"unique_key IS NOT NULL AND {OPEN}"),
)
sa.Index("jobs_due", _c.run_at, sqlite_where=sa.text(QUEUED))
sa.Index("jobs_running", _c.seen_at, sqlite_where=sa.text(RUNNING))
sa.Index("jobs_newest", _c.project, _c.created_at, _c.id)
sa.Index("jobs_ended", _c.ended_at, sqlite_where=sa.text("ended_at IS NOT NULL"))
