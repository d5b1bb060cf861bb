"""The first tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make them."""
    _meta()
    _connections()
    _connection_indexes()
    _revocations()
    _connectors()
    _connector_versions()
    _logins()
    _audit()
    _api_keys()
    _sessions()
    _idempotency()
    _leases()


def _meta() -> None:
    op.create_table(
        "meta",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )


def _connections() -> None:
    op.create_table(
        "connections",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("connector", sa.Text(), nullable=False),
        sa.Column("connector_version", sa.Integer(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("unique_id", sa.Text(), nullable=False),
        sa.Column("is_unique", sa.Boolean(), nullable=False),
        sa.Column("unique_hash", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("updated_at", sa.Float(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("paused", sa.Boolean(), nullable=False),
        sa.Column("unconfirmed", sa.Boolean(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("token_issued_at", sa.Float(), nullable=True),
        sa.Column("expires_at", sa.Float(), nullable=True),
        sa.Column("renews_at", sa.Float(), nullable=True),
        sa.Column("refreshable", sa.Boolean(), nullable=False),
        sa.Column("password_kept_at", sa.Float(), nullable=True),
        sa.Column("password_rejected", sa.Boolean(), nullable=False),
        sa.Column("fields", sa.Text(), nullable=False),
        sa.Column("sealed_field_names", sa.Text(), nullable=False),
        sa.Column("hosts", sa.Text(), nullable=False),
        sa.Column("intent_kind", sa.Text(), nullable=True),
        sa.Column("intent_generation", sa.Integer(), nullable=True),
        sa.Column("intent_attempt", sa.Text(), nullable=True),
        sa.Column("intent_sent_at", sa.Float(), nullable=True),
        sa.Column("intent_tries", sa.Integer(), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("last_error_at", sa.Float(), nullable=True),
        sa.Column("failures_in_a_row", sa.Integer(), nullable=False),
        sa.Column("test_at", sa.Float(), nullable=True),
        sa.Column("test_passed", sa.Boolean(), nullable=True),
        sa.Column("test_status", sa.Integer(), nullable=True),
        sa.Column("test_code", sa.Text(), nullable=True),
        sa.Column("last_used_at", sa.Float(), nullable=True),
        sa.Column("worked_generation", sa.Integer(), nullable=True),
        sa.Column("disconnected_at", sa.Float(), nullable=True),
        sa.Column("revocation", sa.Text(), nullable=False),
        sa.Column("data_key", sa.LargeBinary(), nullable=True),
        sa.Column("password_key", sa.LargeBinary(), nullable=True),
        sa.Column("sealed_token_set", sa.LargeBinary(), nullable=True),
        sa.Column("sealed_fields", sa.LargeBinary(), nullable=True),
        sa.Column("sealed_fields_generation", sa.Integer(), nullable=True),
        sa.Column("sealed_username", sa.LargeBinary(), nullable=True),
        sa.Column("sealed_username_generation", sa.Integer(), nullable=True),
        sa.Column("sealed_password", sa.LargeBinary(), nullable=True),
        sa.Column("sealed_password_generation", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )


def _connection_indexes() -> None:
    op.create_index(
        "connections_account",
        "connections",
        ["project", "connector", "owner", "unique_hash"],
        unique=True,
        sqlite_where=sa.text("is_unique = 1 AND state NOT IN ('disconnected', 'disconnecting')"),
    )
    op.create_index("connections_by_connector", "connections", ["project", "connector", "state"], unique=False)
    op.create_index("connections_by_owner", "connections", ["project", "owner", "created_at", "id"], unique=False)
    op.create_index(
        "connections_due",
        "connections",
        ["renews_at"],
        unique=False,
        sqlite_where=sa.text("renews_at IS NOT NULL AND state NOT IN ('disconnected', 'disconnecting')"),
    )
    op.create_index("connections_newest", "connections", ["project", "created_at", "id"], unique=False)


def _revocations() -> None:
    op.create_table(
        "revocations",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("connector", sa.Text(), nullable=False),
        sa.Column("connector_version", sa.Integer(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("due_at", sa.Float(), nullable=False),
        sa.Column("give_up_at", sa.Float(), nullable=False),
        sa.Column("connection", sa.Text(), nullable=True),
        sa.Column("hosts", sa.Text(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("done", sa.Text(), nullable=False),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("key_owner", sa.Text(), nullable=False),
        sa.Column("data_key", sa.LargeBinary(), nullable=False),
        sa.Column("sealed_tokens", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("revocations_by_connection", "revocations", ["connection"], unique=False)
    op.create_index("revocations_due", "revocations", ["due_at"], unique=False)


def _connectors() -> None:
    op.create_table(
        "connectors",
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.Float(), nullable=False),
        sa.Column("draft_document", sa.Text(), nullable=True),
        sa.Column("draft_source", sa.Text(), nullable=True),
        sa.Column("draft_updated_at", sa.Float(), nullable=True),
        sa.Column("draft_revision", sa.Integer(), nullable=False),
        sa.Column("latest_version", sa.Integer(), nullable=True),
        sa.Column("client_generation", sa.Integer(), nullable=False),
        sa.Column("data_key", sa.LargeBinary(), nullable=True),
        sa.Column("sealed_client", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("project", "id"),
    )


def _connector_versions() -> None:
    op.create_table(
        "connector_versions",
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("connector", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("published_at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(
            ["project", "connector"],
            ["connectors.project", "connectors.id"],
        ),
        sa.PrimaryKeyConstraint("project", "connector", "version"),
    )


def _logins() -> None:
    op.create_table(
        "logins",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("result", sa.Text(), nullable=True),
        sa.Column("limit_logins", sa.Integer(), nullable=False),
        sa.Column("limit_per_s", sa.Float(), nullable=False),
        sa.Column("keep_until", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("logins_by_account", "logins", ["account"], unique=False)
    op.create_index("logins_outdated", "logins", ["keep_until"], unique=False)


def _audit() -> None:
    op.create_table(
        "audit",
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("connector", sa.Text(), nullable=True),
        sa.Column("connection", sa.Text(), nullable=True),
        sa.Column("owner", sa.Text(), nullable=True),
        sa.Column("request_id", sa.Text(), nullable=True),
        sa.Column("facts", sa.Text(), nullable=False),
        sa.Column("chain", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("seq"),
        sqlite_autoincrement=True,
    )
    op.create_index("audit_by_connection", "audit", ["connection", "seq"], unique=False)
    op.create_index("audit_by_project", "audit", ["project", "seq"], unique=False)


def _api_keys() -> None:
    op.create_table(
        "api_keys",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("connectors", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("expires_at", sa.Float(), nullable=True),
        sa.Column("revoked_at", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("digest"),
    )


def _sessions() -> None:
    op.create_table(
        "sessions",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("connector", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("link_digest", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("expires_at", sa.Float(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("return_url", sa.Text(), nullable=True),
        sa.Column("app_name", sa.Text(), nullable=False),
        sa.Column("owner_label", sa.Text(), nullable=False),
        sa.Column("reconnects", sa.Text(), nullable=True),
        sa.Column("browser_digest", sa.Text(), nullable=True),
        sa.Column("code_digest", sa.Text(), nullable=True),
        sa.Column("connection", sa.Text(), nullable=True),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("facts", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("link_digest"),
    )
    op.create_index("sessions_by_reconnect", "sessions", ["reconnects"], unique=False)


def _idempotency() -> None:
    op.create_table(
        "idempotency",
        sa.Column("key_hash", sa.LargeBinary(), nullable=False),
        sa.Column("request_digest", sa.Text(), nullable=False),
        sa.Column("claimed_at", sa.Float(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("sealed_reply", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("key_hash"),
    )
    op.create_index("idempotency_outdated", "idempotency", ["claimed_at"], unique=False)


def _leases() -> None:
    op.create_table(
        "leases",
        sa.Column("connection", sa.Text(), nullable=False),
        sa.Column("token", sa.Text(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("boot_id", sa.Text(), nullable=False),
        sa.Column("until_s", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("connection"),
    )
