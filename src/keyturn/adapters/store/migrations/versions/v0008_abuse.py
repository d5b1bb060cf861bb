"""What holds abuse back; and what an API key is limited to besides, who made it, and when it was used."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables and the columns."""
    op.create_table(
        "login_ends",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("how", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("source", "account"),
    )
    op.create_index("login_ends_outdated", "login_ends", ["at"])
    op.create_table(
        "login_stops",
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("connector", sa.Text(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("project", "connector"),
    )
    op.create_table(
        "rate_counts",
        sa.Column("bucket", sa.Text(), nullable=False),
        sa.Column("begins_at", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("keep_until", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("bucket", "begins_at"),
    )
    op.create_index("rate_counts_outdated", "rate_counts", ["keep_until"])
    op.add_column("api_keys", sa.Column("owners", sa.Text(), nullable=False, server_default="[]"))
    op.add_column("api_keys", sa.Column("created_by", sa.Text(), nullable=False, server_default=""))
    op.add_column("api_keys", sa.Column("last_used_at", sa.Float(), nullable=True))
