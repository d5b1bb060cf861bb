"""Quiet hours. A change here comes with a migration; the rules are those of `schema`."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from keyturn.adapters.store.database.schema import metadata, text_column, time_column

quiet_hours: Final = sa.Table(
    "quiet_hours",
    metadata,
    text_column("project", key=True),
    text_column("connector", key=True),
    text_column("hours"),  # JSON
    time_column("at"),
    text_column("by"),
)
