"""Whether a refresh leaves the end of the refresh token where it is."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; the next renewal tells."""
    op.add_column(
        "connections", sa.Column("refresh_end_fixed", sa.Boolean(), nullable=False, server_default=sa.false())
    )
