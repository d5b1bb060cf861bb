"""Where the next step of a refused call is done: a link for the person, or where to ask for one.

Rule 1: a connect link is shown to keys with the scope `connect` only.
Rule 2: a refusal never fails for want of its next step.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress

from keyturn.core.errors import KeyturnError, NeedsReconnect
from keyturn.engine.api_keys import Principal

ReconnectLink = Callable[[str], Awaitable[str]]


async def next_url(
    error: Exception, connection_id: str, principal: Principal | None, public_url: str, link: ReconnectLink | None
) -> str | None:
    """The address of the next step, or None where there is no such place.

    Args:
        error: what went wrong.
        connection_id: of the call.
        principal: the caller, where that is known.
        public_url: of this instance, without a slash at its end.
        link: makes a link that repairs a connection.
    """
    if not isinstance(error, NeedsReconnect):
        return None
    if link is not None and principal is not None and principal.allows("connect"):
        with suppress(KeyturnError):
            return await link(connection_id)
    return f"{public_url}/v1/connections/{connection_id}/reconnect"
