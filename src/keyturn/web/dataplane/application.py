"""The data plane as one ASGI application: no framework, since each layer costs as much as the call itself.

Rule 1: a door is chosen by the path as it was sent, never by a decoded one.
Rule 2: the proxy is asked for first: it is the hot path.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from ipaddress import IPv4Network, IPv6Network
from typing import Any

from keyturn.core.errors import NotFound
from keyturn.engine.application import Application
from keyturn.web.dataplane.call import PREFIX as PROXY
from keyturn.web.dataplane.call import CallParts, ProxiedCall
from keyturn.web.dataplane.call_counts import CallCounts
from keyturn.web.dataplane.forward_auth import PATH as FORWARD_AUTH
from keyturn.web.dataplane.forward_auth import ForwardAuth
from keyturn.web.dataplane.hand_out_door import DoorParts
from keyturn.web.dataplane.next_step import ReconnectLink
from keyturn.web.dataplane.request_body import Receive
from keyturn.web.dataplane.token_endpoint import PATH as TOKEN
from keyturn.web.dataplane.token_endpoint import TokenEndpoint
from keyturn.web.kit.problems import Send, problem_answer
from keyturn.web.kit.refusals import Refusals
from keyturn.web.kit.request_ids import RequestIds


class DataPlane:
    """Proxied calls, and the doors that hand tokens out, over one application's use cases.

    `counts` is to be registered with Prometheus. `trusted_proxies`: whose `X-Forwarded-*` forward-auth believes.
    `refusals`: where they are written down; its own where there is none.
    """

    def __init__(
        self,
        application: Application,
        *,
        reconnect_link: ReconnectLink | None = None,
        counts: CallCounts | None = None,
        trusted_proxies: tuple[IPv4Network | IPv6Network, ...] = (),
        refusals: Refusals | None = None,
    ) -> None:
        refusals = refusals or Refusals(trusted_proxies)
        self.counts = counts or CallCounts()
        self.counts.in_flight = application.calls.under_way
        self._request_ids = RequestIds(application.entropy)
        self._parts = CallParts(
            api_keys=application.api_keys,
            calls=application.calls,
            upstream=application.upstream,
            counts=self.counts,
            limits=application.guards.rate_limits,
            refusals=refusals,
            public_url=application.public_url,
            reconnect_link=reconnect_link,
        )
        self._door_parts = DoorParts(
            api_keys=application.api_keys,
            hand_out=application.hand_out,
            counts=self.counts,
            limits=application.guards.rate_limits,
            refusals=refusals,
            public_url=application.public_url,
            reconnect_link=reconnect_link,
            trusted_proxies=trusted_proxies,
        )

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer one request."""
        request_id = self._request_ids.next()
        raw_path: bytes = scope["raw_path"]
        if raw_path.startswith(PROXY):
            await ProxiedCall(self._parts, scope, receive, send, request_id).run()
        elif raw_path == FORWARD_AUTH:
            await ForwardAuth(self._door_parts, scope, receive, send, request_id).run()
        elif TOKEN.fullmatch(raw_path):
            await TokenEndpoint(self._door_parts, scope, receive, send, request_id).run()
        else:
            await problem_answer(NotFound(), request_id=request_id.decode("ascii")).send(send)
