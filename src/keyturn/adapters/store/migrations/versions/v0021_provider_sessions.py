"""With which username a connection last logged in, as a keyed hash: for providers that allow few sessions."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column and its index; a connection's next login fills it."""
    op.add_column("connections", sa.Column("account", sa.Text(), nullable=True))
    op.create_index(
        "connections_by_login", "connections", ["project", "account"], sqlite_where=sa.text("account IS NOT NULL")
    )
