"""The indexes that the overview and the lists are read from. Each holds all that its query asks for.

Rule: the condition of a partial index is named here once, for the index and for its queries.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import sqlalchemy as sa

from keyturn.adapters.store.database.schema import NOT_ENDED, audit, connections, sessions
from keyturn.adapters.store.database.webhook_tables import webhook_deliveries
from keyturn.core.audit.routine import FOLDED, RoutineKind
from keyturn.ports.overview import MENDS, SENDS, TROUBLES


def _one_of(column: str, values: Sequence[str]) -> str:
    return "{} IN ({})".format(column, ", ".join(f"'{each}'" for each in values))


SENT: Final = _one_of("action", SENDS)
TOLD: Final = _one_of("action", [FOLDED[RoutineKind.RENEWED]])
TROUBLE: Final = _one_of("outcome", TROUBLES)
MENDED: Final = _one_of("action", MENDS)
ENDING: Final = f"expires_at IS NOT NULL AND {NOT_ENDED}"
# As `Connection.shown_state` has it: no flag stands before the state.
PLAINLY_ACTIVE: Final = "state = 'active' AND paused = 0 AND unconfirmed = 0"
FAILING: Final = "(reason IS NOT NULL OR last_error IS NOT NULL)"
LOST: Final = "state = 'needs_reconnect'"
WAITING: Final = "state IN ('open', 'claimed')"
UNDELIVERED: Final = "state = 'pending'"

sa.Index("audit_told", audit.c.project, audit.c.at, sqlite_where=sa.text(TOLD))
_c = connections.c
sa.Index("connections_standing", _c.project, _c.connector, _c.state, _c.paused, _c.unconfirmed)
sa.Index("connections_by_name", _c.project, sa.func.lower(_c.name))
sa.Index(
    "connections_ending",
    _c.project,
    _c.expires_at,
    _c.connector,
    _c.state,
    _c.refreshable,
    _c.password_kept_at,
    _c.password_rejected,
    sqlite_where=sa.text(ENDING),
)
sa.Index(
    "connections_lost",
    _c.project,
    _c.reason,
    _c.connector,
    _c.state_since,
    _c.updated_at,
    _c.paused,
    _c.unconfirmed,
    sqlite_where=sa.text(LOST),
)
sa.Index("connections_by_error", _c.project, sa.func.coalesce(_c.reason, _c.last_error), sqlite_where=sa.text(FAILING))
sa.Index(
    "connections_attention",
    _c.project,
    _c.connector,
    _c.connector_version,
    _c.id,
    _c.last_error,
    _c.test_passed,
    _c.expires_at,
    _c.renews_at,
    _c.refreshable,
    _c.password_kept_at,
    _c.password_rejected,
    _c.refresh_expires_at,
    _c.refresh_end_fixed,
    _c.state,
    _c.paused,
    _c.unconfirmed,
    sqlite_where=sa.text(PLAINLY_ACTIVE),
)
sa.Index(
    "audit_sends",
    audit.c.project,
    audit.c.at,
    audit.c.action,
    audit.c.outcome,
    audit.c.connector,
    sqlite_where=sa.text(SENT),
)
sa.Index("sessions_waiting", sessions.c.project, sessions.c.created_at, sessions.c.id, sqlite_where=sa.text(WAITING))
sa.Index(
    "audit_troubles",
    audit.c.project,
    audit.c.at,
    audit.c.action,
    audit.c.outcome,
    audit.c.connector,
    sqlite_where=sa.text(TROUBLE),
)
sa.Index(
    "audit_mended",
    audit.c.project,
    audit.c.connector,
    audit.c.action,
    audit.c.at,
    sqlite_where=sa.text(MENDED),
)
sa.Index(
    "webhook_deliveries_waiting",
    webhook_deliveries.c.project,
    webhook_deliveries.c.created_at,
    sqlite_where=sa.text(UNDELIVERED),
)
