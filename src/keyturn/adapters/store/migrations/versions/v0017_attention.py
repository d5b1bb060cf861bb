"""Since when a connection is in its state, why its last test failed, and the index of those that need attention."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

PLAINLY_ACTIVE = "state = 'active' AND paused = 0 AND unconfirmed = 0"
FAILING = "(reason IS NOT NULL OR last_error IS NOT NULL)"
# What is known of connections that are there already: when the person was needed last, and when it was ended.
SINCE = """
UPDATE connections SET state_since = CASE state
  WHEN 'needs_reconnect' THEN coalesce(
    (SELECT max(audit.at) FROM audit
     WHERE audit.connection = connections.id AND audit.action = 'connection.needs_reconnect'),
    updated_at)
  ELSE disconnected_at END
WHERE state != 'active'
"""


def upgrade() -> None:
    """Add the columns and make the indexes; since when those that work do so is not known."""
    op.add_column("connections", sa.Column("state_since", sa.Float(), nullable=True))
    op.add_column("connections", sa.Column("test_cause", sa.Text(), nullable=True))
    op.execute(sa.text(SINCE))
    op.drop_index("connections_lost", "connections")
    op.create_index(
        "connections_lost",
        "connections",
        ["project", "reason", "connector", "state_since", "updated_at", "paused", "unconfirmed"],
        sqlite_where=sa.text("state = 'needs_reconnect'"),
    )
    op.create_index(
        "connections_by_error",
        "connections",
        ["project", sa.text("coalesce(reason, last_error)")],
        sqlite_where=sa.text(FAILING),
    )
    op.create_index(
        "connections_attention",
        "connections",
        [
            "project", "connector", "connector_version", "id", "last_error", "test_passed", "expires_at", "renews_at",
            "refreshable", "password_kept_at", "password_rejected", "refresh_expires_at", "refresh_end_fixed", "state",
            "paused", "unconfirmed",
        ],
        sqlite_where=sa.text(PLAINLY_ACTIVE),
    )  # fmt: skip
