"""The indexes of the overview, of searching connections and of open links."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

NOT_ENDED = "state NOT IN ('disconnected', 'disconnecting')"
SENT = "action IN ('connection.renewed', 'refresh.answered', 'login.answered', 'connection.needs_reconnect')"


def upgrade() -> None:
    """Make them."""
    op.create_index("connections_standing", "connections", ["project", "connector", "state", "paused", "unconfirmed"])
    op.create_index("connections_by_name", "connections", ["project", sa.text("lower(name)")])
    op.create_index(
        "connections_ending",
        "connections",
        ["project", "expires_at", "connector", "state", "refreshable", "password_kept_at", "password_rejected"],
        sqlite_where=sa.text(f"expires_at IS NOT NULL AND {NOT_ENDED}"),
    )
    op.create_index(
        "connections_lost",
        "connections",
        ["project", "reason", "connector", "updated_at", "paused", "unconfirmed"],
        sqlite_where=sa.text("state = 'needs_reconnect'"),
    )
    op.create_index(
        "audit_sends",
        "audit",
        ["project", "at", "action", "outcome", "connector"],
        sqlite_where=sa.text(SENT),
    )
    op.create_index(
        "sessions_waiting",
        "sessions",
        ["project", "created_at", "id"],
        sqlite_where=sa.text("state IN ('open', 'claimed')"),
    )
