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


def text_column(name: str, *, empty: bool = False, key: bool = False) -> sa.Column[str]:
    """Text that may have come from anywhere."""
    """A text."""
    return sa.Column(name, PlainText, nullable=empty, primary_key=key)


def number_column(name: str, *, empty: bool = False, key: bool = False) -> sa.Column[int]:
    """A whole number."""
    """A whole number."""
    return sa.Column(name, sa.Integer, nullable=empty, primary_key=key)


def time_column(name: str, *, empty: bool = False) -> sa.Column[float]:
    """Unix seconds."""
    """A time, Unix seconds."""
    return sa.Column(name, sa.Float, nullable=empty)


def flag_column(name: str, *, empty: bool = False) -> sa.Column[bool]:
    """Yes or no."""
    """Yes or no."""
    return sa.Column(name, sa.Boolean, nullable=empty)


def bytes_column(name: str, *, empty: bool = True) -> sa.Column[bytes]:
    """Bytes: sealed values, keys, hashes."""
    """Bytes."""
    return sa.Column(name, sa.LargeBinary, nullable=empty)


meta: Final = sa.Table("meta", metadata, text_column("name", key=True), bytes_column("value", empty=False))

connections: Final = sa.Table(
    "connections",
    metadata,
    text_column("id", key=True),
    text_column("project"),
    text_column("connector"),
    number_column("connector_version"),
    text_column("owner"),
    text_column("name"),
    text_column("unique_id"),
    flag_column("is_unique"),
    bytes_column("unique_hash", empty=False),
    time_column("created_at"),
    time_column("updated_at"),
    text_column("state"),
    text_column("reason", empty=True),
    flag_column("paused"),
    flag_column("unconfirmed"),
    number_column("revision"),
    number_column("generation"),
    time_column("token_issued_at", empty=True),
    time_column("expires_at", empty=True),
    time_column("renews_at", empty=True),
    flag_column("refreshable"),
    time_column("password_kept_at", empty=True),
    flag_column("password_rejected"),
    text_column("fields"),
    text_column("sealed_field_names"),
    text_column("hosts"),
    text_column("intent_kind", empty=True),
    number_column("intent_generation", empty=True),
    text_column("intent_attempt", empty=True),
    time_column("intent_sent_at", empty=True),
    number_column("intent_tries", empty=True),
    text_column("last_error", empty=True),
    time_column("last_error_at", empty=True),
    number_column("failures_in_a_row"),
    time_column("test_at", empty=True),
    flag_column("test_passed", empty=True),
    number_column("test_status", empty=True),
    text_column("test_code", empty=True),
    time_column("last_used_at", empty=True),
    number_column("worked_generation", empty=True),
    time_column("disconnected_at", empty=True),
    text_column("revocation"),
    bytes_column("data_key"),
    bytes_column("password_key"),
    bytes_column("sealed_token_set"),
    bytes_column("sealed_fields"),
    number_column("sealed_fields_generation", empty=True),
    bytes_column("sealed_username"),
    number_column("sealed_username_generation", empty=True),
    bytes_column("sealed_password"),
    number_column("sealed_password_generation", empty=True),
    number_column("totp_step", empty=True),
    time_column("refresh_expires_at", empty=True),
    flag_column("refresh_end_fixed"),
    time_column("state_since", empty=True),
    text_column("test_cause", empty=True),
    text_column("account", empty=True),
    time_column("retry_at", empty=True),  # this connection's own back-off: callers and the scheduler wait for it
    flag_column("retry_asked", empty=True),  # the provider said how long
    time_column("look_at", empty=True),  # when the scheduler looks next, for it alone; empty: never
    text_column("lease_holder", empty=True),
    time_column("lease_until", empty=True),  # on the monotonic clock of the holder's boot
    flag_column("intent_last_resort", empty=True),
    time_column("parked_at", empty=True),
    text_column("parked_why", empty=True),
    time_column("failing_since", empty=True),
    text_column("last_answer", empty=True),
)

NOT_ENDED: Final = "state NOT IN ({})".format(", ".join(f"'{each}'" for each in sorted(ENDED)))
PARKED: Final = "parked_at IS NOT NULL"
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
sa.Index("connections_look", _c.connector, _c.look_at, sqlite_where=sa.text("look_at IS NOT NULL"))
sa.Index("connections_parked", _c.parked_at, sqlite_where=sa.text(PARKED))
sa.Index("connections_newest", _c.project, _c.created_at, _c.id)
sa.Index("connections_by_owner", _c.project, _c.owner, _c.created_at, _c.id)
sa.Index("connections_by_connector", _c.project, _c.connector, _c.state)
sa.Index("connections_by_login", _c.project, _c.account, sqlite_where=sa.text("account IS NOT NULL"))

revocations: Final = sa.Table(
    "revocations",
    metadata,
    text_column("id", key=True),
    text_column("project"),
    text_column("connector"),
    number_column("connector_version"),
    text_column("cause"),
    time_column("due_at"),
    time_column("give_up_at"),
    text_column("connection", empty=True),
    text_column("hosts"),
    number_column("tries"),
    text_column("done"),
    text_column("last_error", empty=True),
    text_column("key_owner"),
    bytes_column("data_key", empty=False),
    bytes_column("sealed_tokens", empty=False),
    time_column("renewal_sent_at", empty=True),
    text_column("claim", empty=True),  # who sends it now
    time_column("claim_until", empty=True),
    time_column("parked_at", empty=True),
    text_column("parked_why", empty=True),
    sa.Index("revocations_due", "due_at"),
    sa.Index("revocations_by_connection", "connection"),
    sa.Index("revocations_parked", "parked_at", sqlite_where=sa.text("parked_at IS NOT NULL")),
)

connectors: Final = sa.Table(
    "connectors",
    metadata,
    text_column("project", key=True),
    text_column("id", key=True),
    text_column("title"),
    time_column("updated_at"),
    text_column("draft_document", empty=True),
    text_column("draft_source", empty=True),
    time_column("draft_updated_at", empty=True),
    number_column("draft_revision"),
    number_column("latest_version", empty=True),
    number_column("client_generation"),
    bytes_column("data_key"),
    bytes_column("sealed_client"),
)

connector_versions: Final = sa.Table(
    "connector_versions",
    metadata,
    text_column("project", key=True),
    text_column("connector", key=True),
    number_column("version", key=True),
    text_column("digest"),
    text_column("document"),
    text_column("source"),
    time_column("published_at"),
    text_column("published_by"),
    text_column("note"),
    sa.ForeignKeyConstraint(["project", "connector"], ["connectors.project", "connectors.id"]),
)

logins: Final = sa.Table(
    "logins",
    metadata,
    text_column("id", key=True),
    text_column("account"),
    time_column("at"),
    text_column("result", empty=True),
    number_column("limit_logins"),
    time_column("limit_per_s"),
    time_column("keep_until"),
    sa.Index("logins_by_account", "account"),
    sa.Index("logins_outdated", "keep_until"),
)

audit: Final = sa.Table(
    "audit",
    metadata,
    number_column("seq", key=True),
    text_column("project"),
    time_column("at"),
    text_column("action"),
    text_column("actor"),
    text_column("outcome"),
    text_column("connector", empty=True),
    text_column("connection", empty=True),
    text_column("subject", empty=True),  # a person, by a random id: `audit_subjects` knows whose
    text_column("request_id", empty=True),
    text_column("facts"),
    bytes_column("mac"),
    bytes_column("previous"),  # the MAC of the record before
    sa.Index("audit_by_project", "project", "seq"),
    sa.Index("audit_by_connection", "connection", "seq"),
    sa.Index("audit_by_subject", "project", "subject", "seq"),
    sqlite_autoincrement=True,
)

api_keys: Final = sa.Table(
    "api_keys",
    metadata,
    text_column("id", key=True),
    text_column("project"),
    text_column("name"),
    sa.Column("digest", PlainText, nullable=False, unique=True),
    text_column("scopes"),
    text_column("connectors"),
    time_column("created_at"),
    time_column("expires_at", empty=True),
    time_column("revoked_at", empty=True),
    text_column("owners"),
    text_column("created_by"),
    time_column("last_used_at", empty=True),
)

sessions: Final = sa.Table(
    "sessions",
    metadata,
    text_column("id", key=True),
    text_column("project"),
    text_column("connector"),
    text_column("owner"),
    sa.Column("link_digest", PlainText, nullable=False, unique=True),
    time_column("created_at"),
    time_column("expires_at"),
    text_column("state"),
    text_column("return_url", empty=True),
    text_column("app_name"),
    text_column("owner_label"),
    text_column("reconnects", empty=True),
    text_column("browser_digest", empty=True),
    text_column("code_digest", empty=True),
    text_column("connection", empty=True),
    text_column("created_by"),
    number_column("revision"),
    text_column("facts"),
    sa.Index("sessions_by_reconnect", "reconnects"),
)

idempotency: Final = sa.Table(
    "idempotency",
    metadata,
    sa.Column("key_hash", sa.LargeBinary, primary_key=True),
    text_column("request_digest"),
    time_column("claimed_at"),
    number_column("status", empty=True),
    bytes_column("sealed_reply"),
    sa.Index("idempotency_outdated", "claimed_at"),
)

processes: Final = sa.Table(
    "processes",
    metadata,
    text_column("holder", key=True),  # boot, process-id namespace, process id and start time
    time_column("beat_s"),  # on the monotonic clock of that boot
    time_column("begun_at"),
)

leases: Final = sa.Table(
    "leases",
    metadata,
    text_column("connection", key=True),
    text_column("token"),
    text_column("holder"),
    text_column("boot_id"),
    time_column("until_s"),  # on the monotonic clock of that boot
)
