"""A chain of their own for successful renewals and tokens that were handed out; what is there stays where it is."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table and its index, and where its chain begins; an empty database's first start begins it."""
    op.create_table(
        "audit_routine",
        sa.Column("seq", sa.Integer(), nullable=False, primary_key=True),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("kind", sa.Integer(), nullable=False),
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=True),
        sa.Column("actor", sa.Text(), nullable=True),
        sa.Column("request_id", sa.Text(), nullable=True),
        sa.Column("attempt", sa.Text(), nullable=True),
        sa.Column("host", sa.Text(), nullable=True),
        sa.Column("sent_at", sa.Float(), nullable=True),
        sa.Column("facts", sa.Text(), nullable=True),
        sa.Column("mac", sa.LargeBinary(), nullable=False),
    )
    op.create_index("audit_routine_by_connection", "audit_routine", ["connection", "seq"])
    op.execute(
        "INSERT INTO audit_marks (name, seq, mac, at) SELECT 'routine head', 0, zeroblob(16), at FROM audit_marks"
        " WHERE name = 'head'"
    )
    op.create_index("audit_told", "audit", ["project", "at"], sqlite_where=sa.text("action IN ('connection.renewals')"))
