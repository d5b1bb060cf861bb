"""What is kept of how keyturn runs. A change here comes with a migration; the rules are those of `schema`."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from keyturn.adapters.store.database.schema import metadata, number_column, text_column

call_times: Final = sa.Table(
    "call_times",
    metadata,
    text_column("project", key=True),
    number_column("begins_at", key=True),
    text_column("connector", key=True),
    number_column("up_to_us", key=True),
    number_column("provider"),
    number_column("keyturn"),
    number_column("whole"),
    number_column("client_errors"),
    number_column("server_errors"),
)

connection_calls: Final = sa.Table(
    "connection_calls",
    metadata,
    text_column("connection", key=True),
    number_column("begins_at", key=True),
    number_column("calls"),
    number_column("failed"),
)
