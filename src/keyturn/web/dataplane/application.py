"""The data plane as one ASGI application: no framework, since each layer costs as much as the call itself.

Rule 1: a door is chosen by the path as it was sent, never by a decoded one.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

from keyturn.core.errors import NotFound
from keyturn.engine.application import Application
from keyturn.web.dataplane.call import PREFIX as PROXY
from keyturn.web.dataplane.call import CallParts, ProxiedCall, ReconnectLink
from keyturn.web.dataplane.call_counts import CallCounts
from keyturn.web.dataplane.request_body import Receive
from keyturn.web.kit.problems import Send, problem_answer
from keyturn.web.kit.request_ids import RequestIds


class DataPlane:
    """Proxied calls, over one application's use cases. `counts` is to be registered with Prometheus."""

    def __init__(
        self,
        application: Application,
        *,
        reconnect_link: ReconnectLink | None = None,
        counts: CallCounts | None = None,
    ) -> None:
        self.counts = counts or CallCounts()
        self._request_ids = RequestIds(application.entropy)
        self._parts = CallParts(
            api_keys=application.api_keys,
            calls=application.calls,
            upstream=application.upstream,
            counts=self.counts,
            public_url=application.public_url,
            reconnect_link=reconnect_link,
        )

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer one request."""
        request_id = self._request_ids.next()
        if scope["raw_path"].startswith(PROXY):
            await ProxiedCall(self._parts, scope, receive, send, request_id).run()
        else:
            await problem_answer(NotFound(), request_id=request_id.decode("ascii")).send(send)
