"""Where the next step of a problem is done: a link for the person, or the address of the call that helps.

Rule 1: a connect link is shown to keys with the scope `connect` only; others learn where to ask for one.
Rule 2: a problem never fails for want of its next step.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Final

from keyturn.core.errors import ConnectionExists, KeyturnError, NeedsReconnect
from keyturn.engine.application import Application
from keyturn.web.control.caller import Caller
from keyturn.web.control.shown_once import link_text

# code → the call that mends it; the names are those of the path, or of the problem's own members.
_CALLS: Final[Mapping[str, str]] = {
    "connection_needs_reconnect": "/v1/connections/{connection_id}/reconnect",
    "renewal_not_possible": "/v1/connections/{connection_id}/reconnect",
    "connection_paused": "/v1/connections/{connection_id}/resume",
    "connector_not_published": "/v1/connectors/{connector_id}/publish",
    "version_immutable": "/v1/connectors/{connector_id}",
    "publish_blocked": "/v1/connectors/{connector_id}",
    "connector_client_missing": "/v1/connectors/{connector_id}/client",
    "connector_client_rejected": "/v1/connectors/{connector_id}/client",
    "job_not_ended": "/v1/jobs/{job_id}",
    "version_conflict": "{path}",
    "store_unavailable": "/readyz",
    "key_unavailable": "/readyz",
}


async def next_url(error: KeyturnError, application: Application, caller: Caller, place: Mapping[str, str]) -> str:
    """The address of the next step, or an empty text where there is no such place.

    Args:
        error: what went wrong.
        application: makes the connect link.
        caller: whose key decides whether it may see one.
        place: `connection_id` and `connector_id` where the request named them, and `path`.
    """
    if isinstance(error, ConnectionExists):
        return f"{application.public_url}/v1/connections/{error.extensions['connection_id']}"
    connection_id = place.get("connection_id")
    if isinstance(error, NeedsReconnect) and connection_id and caller.principal.allows("connect"):
        with suppress(KeyturnError):  # then the address of the call is the next best
            return link_text(await application.connect_sessions.reconnect_link(connection_id, caller.actor))
    try:
        path = _CALLS[error.code].format_map(dict(place))
    except KeyError:
        return ""
    return f"{application.public_url}{path}"
