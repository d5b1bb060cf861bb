"""Who published a version and why; calls that an API refused or failed; what the overview's tasks are read from."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

_CODES = ("connector_client_rejected", "connector_value_absent", "provider_grant_disabled", "scope_insufficient",
          "unique_id_missing")  # fmt: skip
_MENDS = ("connection.created", "connection.reconnected", "connector.client_set", "connector.corrected",
          "connector.published")  # fmt: skip


def _in(column: str, values: tuple[str, ...]) -> sa.TextClause:
    return sa.text("{} IN ({})".format(column, ", ".join(f"'{each}'" for each in values)))


def upgrade() -> None:
    """Add the columns and indexes; of versions that are there, nobody knows who published them but the audit log."""
    for name in ("published_by", "note"):
        op.add_column("connector_versions", sa.Column(name, sa.Text(), nullable=False, server_default=""))
    for name in ("client_errors", "server_errors"):
        op.add_column("call_times", sa.Column(name, sa.Integer(), nullable=False, server_default="0"))
    op.create_index(
        "audit_troubles",
        "audit",
        ["project", "at", "action", "outcome", "connector"],
        sqlite_where=_in("outcome", _CODES),
    )
    op.create_index(
        "audit_mended", "audit", ["project", "connector", "action", "at"], sqlite_where=_in("action", _MENDS)
    )
    op.create_index(
        "webhook_deliveries_waiting",
        "webhook_deliveries",
        ["project", "created_at"],
        sqlite_where=sa.text("state = 'pending'"),
    )
