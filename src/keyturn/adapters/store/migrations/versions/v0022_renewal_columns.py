"""Back-off, scheduling, lease and set-aside rows as columns; claims of revocations; the processes that live."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

_COLUMNS = (
    ("retry_at", sa.Float()), ("retry_asked", sa.Boolean()), ("look_at", sa.Float()),
    ("lease_holder", sa.Text()), ("lease_until", sa.Float()),
    ("intent_last_resort", sa.Boolean()), ("parked_at", sa.Float()), ("parked_why", sa.Text()),
    ("failing_since", sa.Float()), ("last_answer", sa.Text()),
)  # fmt: skip
_OF_REVOCATIONS = (
    ("renewal_sent_at", sa.Float()), ("claim", sa.Text()), ("claim_until", sa.Float()), ("parked_at", sa.Float()),
    ("parked_why", sa.Text()),
)  # fmt: skip


def upgrade() -> None:
    """Add them. What is due is looked at when it was due; a back-off that lasts is the due time it was written as."""
    for name, kind in _COLUMNS:
        op.add_column("connections", sa.Column(name, kind, nullable=True))
    for name, kind in _OF_REVOCATIONS:
        op.add_column("revocations", sa.Column(name, kind, nullable=True))
    op.execute(
        "UPDATE connections SET look_at = renews_at WHERE renews_at IS NOT NULL "
        "AND state NOT IN ('disconnected', 'disconnecting') AND (refreshable OR NOT (paused OR unconfirmed))"
    )
    op.execute("UPDATE connections SET retry_at = look_at WHERE failures_in_a_row > 0 AND look_at IS NOT NULL")
    # No known end means alive until the API refuses it: of these there is no token left.
    op.execute(
        "UPDATE connections SET expires_at = COALESCE(state_since, updated_at) "
        "WHERE reason = 'key_lost' AND state = 'needs_reconnect' AND expires_at IS NULL"
    )
    op.create_index(
        "connections_look", "connections", ["connector", "look_at"], sqlite_where=sa.text("look_at IS NOT NULL")
    )
    op.create_index("connections_parked", "connections", ["parked_at"], sqlite_where=sa.text("parked_at IS NOT NULL"))
    op.create_index("revocations_parked", "revocations", ["parked_at"], sqlite_where=sa.text("parked_at IS NOT NULL"))
    op.create_table(
        "processes",
        sa.Column("holder", sa.Text(), nullable=False, primary_key=True),
        sa.Column("beat_s", sa.Float(), nullable=False),
        sa.Column("begun_at", sa.Float(), nullable=False),
    )
