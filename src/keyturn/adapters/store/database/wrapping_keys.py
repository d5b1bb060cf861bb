"""What is known of each wrapping key; the keys themselves are nowhere in the database.

A change here comes with a migration; the rules are those of `schema`.
"""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from keyturn.adapters.store.database.schema import metadata, text_column, time_column

wrapping_keys: Final = sa.Table(
    "wrapping_keys",
    metadata,
    text_column("id", key=True),
    text_column("provider"),
    text_column("fingerprint"),
    text_column("state"),
    time_column("added_at"),
    time_column("current_at", empty=True),
    time_column("retired_at", empty=True),
)


def is_key_known(tx: sa.Connection, key_id: str) -> bool:
    """Whether the table has it."""
    return tx.execute(sa.select(wrapping_keys.c.id).where(wrapping_keys.c.id == key_id)).scalar() is not None
