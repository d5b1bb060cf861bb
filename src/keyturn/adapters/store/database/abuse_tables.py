"""What holds abuse back. A change here comes with a migration; the rules are those of `schema`.

Sources and buckets are keyed hashes that have the project in them.
"""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from keyturn.adapters.store.database.schema import metadata, number_column, text_column, time_column

login_ends: Final = sa.Table(
    "login_ends",
    metadata,
    text_column("source", key=True),
    text_column("account", key=True),  # empty: that somebody was told that the source is held
    time_column("at"),
    text_column("how", empty=True),  # empty: it is under way
    sa.Index("login_ends_outdated", "at"),
)

login_stops: Final = sa.Table(
    "login_stops",
    metadata,
    text_column("project", key=True),
    text_column("connector", key=True),
    time_column("at"),
    text_column("by"),
)

rate_counts: Final = sa.Table(
    "rate_counts",
    metadata,
    text_column("bucket", key=True),
    number_column("begins_at", key=True),
    number_column("number"),
    number_column("keep_until"),
    sa.Index("rate_counts_outdated", "keep_until"),
)
