"""The audit log becomes a chain and names persons by subjects; the start, which has the key, begins the chain."""

from __future__ import annotations

import os

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables; put a random subject where an owner stood, the same for the same one."""
    op.create_table(
        "audit_subjects",
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("mac", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("subject"),
    )
    op.create_index("audit_subjects_by_owner", "audit_subjects", ["project", "owner"], unique=True)
    op.create_table(
        "audit_marks",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("mac", sa.LargeBinary(), nullable=True),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("name"),
    )
    op.execute("ALTER TABLE audit RENAME COLUMN owner TO subject")
    op.execute("ALTER TABLE audit RENAME COLUMN chain TO mac")
    op.add_column("audit", sa.Column("previous", sa.LargeBinary(), nullable=True))
    op.create_index("audit_by_subject", "audit", ["project", "subject", "seq"])
    _name_subjects()


def _name_subjects() -> None:
    connection = op.get_bind()
    owners = connection.execute(sa.text("SELECT DISTINCT project, subject FROM audit WHERE subject IS NOT NULL")).all()
    named = [
        {"project": project, "owner": owner, "subject": f"sub_{os.urandom(16).hex()}"} for project, owner in owners
    ]
    if named:
        connection.execute(
            sa.text("INSERT INTO audit_subjects (subject, project, owner) VALUES (:subject, :project, :owner)"), named
        )
        connection.execute(
            sa.text("UPDATE audit SET subject = :subject WHERE project = :project AND subject = :owner"), named
        )
