"""What says quickly whether somebody's read of the audit log stands in it already."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the index."""
    op.create_index("audit_reads", "audit", ["project", "actor", "at"], sqlite_where=sa.text("action = 'audit.read'"))
