"""The tables. A change here comes with a migration; a test holds the two together.

Rule 1: every table of a project's things has the project in it.
Rule 2: a sealed column is named `sealed_…` and stands beside the wrapped data key of its row; no other column may hold
anything that is a secret.
Rule 3: an account is looked up by a keyed hash of its unique id.
Times are Unix seconds.
"""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa

from keyturn.core.connection import ENDED

metadata: Final = sa.MetaData()


class PlainText(sa.types.TypeDecorator[str]):
    """Text that may have come from a provider: a lone surrogate, which no database takes, becomes U+FFFD."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: sa.Dialect) -> Any:
        """Mend what can't be encoded."""
        return plain(value) if isinstance(value, str) else value


def plain(text: str) -> str:
    """The text as a row holds it."""
    return text if text.isascii() else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _text(name: str, *, empty: bool = False, key: bool = False) -> sa.Column[str]:
    return sa.Column(name, PlainText, nullable=empty, primary_key=key)


def _number(name: str, *, empty: bool = False, key: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.Integer, nullable=empty, primary_key=key)


def _time(name: str, *, empty: bool = False) -> sa.Column[float]:
    return sa.Column(name, sa.Float, nullable=empty)


def _flag(name: str, *, empty: bool = False) -> sa.Column[bool]:
    return sa.Column(name, sa.Boolean, nullable=empty)


def _bytes(name: str, *, empty: bool = True) -> sa.Column[bytes]:
    return sa.Column(name, sa.LargeBinary, nullable=empty)


meta: Final = sa.Table("meta", metadata, _text("name", key=True), _bytes("value", empty=False))

connections: Final = sa.Table(
    "connections",
    metadata,
    _text("id", key=True),
    _text("project"),
    _text("connector"),
    _number("connector_version"),
    _text("owner"),
    _text("name"),
    _text("unique_id"),
    _flag("is_unique"),
    _bytes("unique_hash", empty=False),
    _time("created_at"),
    _time("updated_at"),
    _text("state"),
    _text("reason", empty=True),
    _flag("paused"),
    _flag("unconfirmed"),
    _number("revision"),
    _number("generation"),
    _time("token_issued_at", empty=True),
    _time("expires_at", empty=True),
    _time("renews_at", empty=True),
    _flag("refreshable"),
    _time("password_kept_at", empty=True),
    _flag("password_rejected"),
    _text("fields"),
    _text("sealed_field_names"),
    _text("hosts"),
    _text("intent_kind", empty=True),
    _number("intent_generation", empty=True),
    _text("intent_attempt", empty=True),
    _time("intent_sent_at", empty=True),
    _number("intent_tries", empty=True),
    _text("last_error", empty=True),
    _time("last_error_at", empty=True),
    _number("failures_in_a_row"),
    _time("test_at", empty=True),
    _flag("test_passed", empty=True),
    _number("test_status", empty=True),
    _text("test_code", empty=True),
    _time("last_used_at", empty=True),
    _number("worked_generation", empty=True),
    _time("disconnected_at", empty=True),
    _text("revocation"),
    _bytes("data_key"),
    _bytes("password_key"),
    _bytes("sealed_token_set"),
    _bytes("sealed_fields"),
    _number("sealed_fields_generation", empty=True),
    _bytes("sealed_username"),
    _number("sealed_username_generation", empty=True),
    _bytes("sealed_password"),
    _number("sealed_password_generation", empty=True),
)

NOT_ENDED: Final = "state NOT IN ({})".format(", ".join(f"'{each}'" for each in sorted(ENDED)))
_c = connections.c
sa.Index(
    "connections_account",
    _c.project,
    _c.connector,
    _c.owner,
    _c.unique_hash,
    unique=True,
    sqlite_where=sa.text(f"is_unique = 1 AND {NOT_ENDED}"),
)
sa.Index("connections_due", _c.renews_at, sqlite_where=sa.text(f"renews_at IS NOT NULL AND {NOT_ENDED}"))
sa.Index("connections_newest", _c.project, _c.created_at, _c.id)
sa.Index("connections_by_owner", _c.project, _c.owner, _c.created_at, _c.id)
sa.Index("connections_by_connector", _c.project, _c.connector, _c.state)

revocations: Final = sa.Table(
    "revocations",
    metadata,
    _text("id", key=True),
    _text("project"),
    _text("connector"),
    _number("connector_version"),
    _text("cause"),
    _time("due_at"),
    _time("give_up_at"),
    _text("connection", empty=True),
    _text("hosts"),
    _number("tries"),
    _text("done"),
    _text("last_error", empty=True),
    _text("key_owner"),
    _bytes("data_key", empty=False),
    _bytes("sealed_tokens", empty=False),
    sa.Index("revocations_due", "due_at"),
    sa.Index("revocations_by_connection", "connection"),
)

connectors: Final = sa.Table(
    "connectors",
    metadata,
    _text("project", key=True),
    _text("id", key=True),
    _text("title"),
    _time("updated_at"),
    _text("draft_document", empty=True),
    _text("draft_source", empty=True),
    _time("draft_updated_at", empty=True),
    _number("draft_revision"),
    _number("latest_version", empty=True),
    _number("client_generation"),
    _bytes("data_key"),
    _bytes("sealed_client"),
)

connector_versions: Final = sa.Table(
    "connector_versions",
    metadata,
    _text("project", key=True),
    _text("connector", key=True),
    _number("version", key=True),
    _text("digest"),
    _text("document"),
    _text("source"),
    _time("published_at"),
    sa.ForeignKeyConstraint(["project", "connector"], ["connectors.project", "connectors.id"]),
)

logins: Final = sa.Table(
    "logins",
    metadata,
    _text("id", key=True),
    _text("account"),
    _time("at"),
    _text("result", empty=True),
    _number("limit_logins"),
    _time("limit_per_s"),
    _time("keep_until"),
    sa.Index("logins_by_account", "account"),
    sa.Index("logins_outdated", "keep_until"),
)

audit: Final = sa.Table(
    "audit",
    metadata,
    _number("seq", key=True),
    _text("project"),
    _time("at"),
    _text("action"),
    _text("actor"),
    _text("outcome"),
    _text("connector", empty=True),
    _text("connection", empty=True),
    _text("owner", empty=True),
    _text("request_id", empty=True),
    _text("facts"),
    _bytes("chain"),  # for the HMAC that ties a record to the one before it; nothing writes it so far
    sa.Index("audit_by_project", "project", "seq"),
    sa.Index("audit_by_connection", "connection", "seq"),
    sqlite_autoincrement=True,
)

api_keys: Final = sa.Table(
    "api_keys",
    metadata,
    _text("id", key=True),
    _text("project"),
    _text("name"),
    sa.Column("digest", PlainText, nullable=False, unique=True),
    _text("scopes"),
    _text("connectors"),
    _time("created_at"),
    _time("expires_at", empty=True),
    _time("revoked_at", empty=True),
)

sessions: Final = sa.Table(
    "sessions",
    metadata,
    _text("id", key=True),
    _text("project"),
    _text("connector"),
    _text("owner"),
    sa.Column("link_digest", PlainText, nullable=False, unique=True),
    _time("created_at"),
    _time("expires_at"),
    _text("state"),
    _text("return_url", empty=True),
    _text("app_name"),
    _text("owner_label"),
    _text("reconnects", empty=True),
    _text("browser_digest", empty=True),
    _text("code_digest", empty=True),
    _text("connection", empty=True),
    _text("created_by"),
    _number("revision"),
    _text("facts"),
    sa.Index("sessions_by_reconnect", "reconnects"),
)

idempotency: Final = sa.Table(
    "idempotency",
    metadata,
    sa.Column("key_hash", sa.LargeBinary, primary_key=True),
    _text("request_digest"),
    _time("claimed_at"),
    _number("status", empty=True),
    _bytes("sealed_reply"),
    sa.Index("idempotency_outdated", "claimed_at"),
)

leases: Final = sa.Table(
    "leases",
    metadata,
    _text("connection", key=True),
    _text("token"),
    _text("holder"),
    _text("boot_id"),
    _time("until_s"),  # on the monotonic clock of that boot
)
