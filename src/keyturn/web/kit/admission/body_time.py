"""A body that is read whole has to come in time: nobody holds a request open by sending a byte now and then.

Rule 1: the time runs from the first look at the body to its last byte; afterwards waiting for a hang-up is free.
Rule 2: a proxied call's body is none of this: it streams, at the pace of the slower side.

Source: the threat model, D1; RFC 9110 section 15.5.9 (408, and that the connection is closed).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from keyturn.core.errors import RequestTimeout

BODY_WITHIN_S: Final = 30.0
CLOSE: Final = (b"connection", b"close")

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]


def in_time(receive: Receive, *, within_s: float = BODY_WITHIN_S) -> Receive:
    """The same channel; RequestTimeout where the body is not whole within so many seconds."""
    deadline: float | None = None
    whole = False

    async def receive_in_time() -> MutableMapping[str, Any]:
        nonlocal deadline, whole
        if whole:
            return await receive()
        deadline = deadline or asyncio.get_running_loop().time() + within_s
        try:
            async with asyncio.timeout_at(deadline):
                message = await receive()
        except TimeoutError:
            raise RequestTimeout from None
        whole = message["type"] != "http.request" or not message.get("more_body", False)
        return message

    return receive_in_time
