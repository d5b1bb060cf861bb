"""When the person at a browser last proved who they are, which session it took the place of; invitations by e-mail."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns; who is signed in already has to sign in again before anything that asks for it."""
    op.add_column("console_sessions", sa.Column("authenticated_at", sa.Float(), nullable=True))
    op.add_column("console_sessions", sa.Column("before", sa.Text(), nullable=True))
    op.add_column("people", sa.Column("email", sa.Text(), nullable=True))
