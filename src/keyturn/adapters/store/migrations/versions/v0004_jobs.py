"""The table of jobs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make it."""
    op.create_table(
        "jobs",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("unique_key", sa.Text(), nullable=True),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("run_at", sa.Float(), nullable=False),
        sa.Column("arguments", sa.Text(), nullable=False),
        sa.Column("cursor", sa.Text(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=True),
        sa.Column("failures", sa.Text(), nullable=False),
        sa.Column("report", sa.Text(), nullable=False),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("cancelled_by", sa.Text(), nullable=True),
        sa.Column("started_at", sa.Float(), nullable=True),
        sa.Column("seen_at", sa.Float(), nullable=True),
        sa.Column("ended_at", sa.Float(), nullable=True),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "jobs_unique",
        "jobs",
        ["project", "kind", "unique_key"],
        unique=True,
        sqlite_where=sa.text("unique_key IS NOT NULL AND state IN ('queued', 'running')"),
    )
    op.create_index("jobs_due", "jobs", ["run_at"], sqlite_where=sa.text("state = 'queued'"))
    op.create_index("jobs_running", "jobs", ["seen_at"], sqlite_where=sa.text("state = 'running'"))
    op.create_index("jobs_newest", "jobs", ["project", "created_at", "id"])
    op.create_index("jobs_ended", "jobs", ["ended_at"], sqlite_where=sa.text("ended_at IS NOT NULL"))
