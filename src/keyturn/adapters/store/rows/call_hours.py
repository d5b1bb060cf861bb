"""Calls of a connection by hour: one row for each, added to by one statement, so that two processes lose nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy.dialects.sqlite import insert

from keyturn.adapters.store.database.observing_tables import connection_calls
from keyturn.core.observing.call_hour import HOUR_S
from keyturn.ports.store import Use

_c = connection_calls.c
_adding = insert(connection_calls)
ADD_CALLS: Final = _adding.on_conflict_do_update(
    index_elements=["connection", "begins_at"],
    set_={name: _c[name] + _adding.excluded[name] for name in ("calls", "failed")},
)


def call_rows(uses: Mapping[str, Use]) -> list[dict[str, Any]]:
    """What `ADD_CALLS` takes, of the uses that were calls."""
    return [
        {
            "connection": connection_id,
            "begins_at": int(use.at) // HOUR_S * HOUR_S,
            "calls": use.calls,
            "failed": use.failed,
        }
        for connection_id, use in uses.items()
        if use.calls
    ]
