"""When the refresh token of a connection ends, where the provider or the connector says so."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; nothing is known of connections that are there already."""
    op.add_column("connections", sa.Column("refresh_expires_at", sa.Float(), nullable=True))
