"""Challenges that wait. A change here comes with a migration; the rules are those of `schema`."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from keyturn.adapters.store.database.schema import bytes_column, metadata, number_column, text_column, time_column

challenges: Final = sa.Table(
    "challenges",
    metadata,
    text_column("id", key=True),
    text_column("project"),
    text_column("holder"),
    text_column("connector"),
    number_column("connector_version"),
    text_column("owner"),
    number_column("place"),
    time_column("created_at"),
    time_column("expires_at"),
    text_column("state"),
    text_column("ask"),
    text_column("facts"),
    number_column("wrong_codes"),
    text_column("error", empty=True),
    time_column("due_at", empty=True),
    text_column("connection", empty=True),
    text_column("successor", empty=True),
    number_column("revision"),
    bytes_column("data_key"),
    bytes_column("sealed_login"),
    sa.Index("challenges_outdated", "expires_at"),
)

sa.Index("challenges_due", challenges.c.due_at, sqlite_where=sa.text("due_at IS NOT NULL"))
