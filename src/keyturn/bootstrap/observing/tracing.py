"""Traces, where the operator asked for them; otherwise nothing of OpenTelemetry is imported.

Rule: the collector is the operator's own, named by a setting: it may stand in a private network and speak plain http.
It is reached by an egress of its own, so that no connector gains by that.
"""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping
from dataclasses import replace
from importlib.metadata import version
from ipaddress import ip_network
from typing import Any, Final

from keyturn.adapters.egress.client import HttpEgress
from keyturn.adapters.egress.dialling import EgressAllowances
from keyturn.adapters.tracing.traced_ports import TracedEgress, TracedUpstream, method_of
from keyturn.bootstrap.assembly import Ports
from keyturn.bootstrap.front import HANDS_OUT, PROXY, AsgiApp, Receive, Scope, Send
from keyturn.bootstrap.settings import Settings
from keyturn.core.errors import SettingsInvalid
from keyturn.ports.clock import Clock
from keyturn.ports.egress import Resolver
from keyturn.ports.observing.tracing import NO_TRACING, SpanKind, Tracing
from keyturn.web.dataplane.call import ROUTE as PROXY_ROUTE
from keyturn.web.kit.guarded_pages import ROUTE_KEY

# Where a collector may stand: this machine and private networks. A cloud's metadata is in none of them by itself.
PRIVATE: Final = tuple(ip_network(each) for each in (
    "127.0.0.0/8", "::1/128", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7",
))  # fmt: skip
HANDED_OUT: Final = {"/v1/forward-auth": "/v1/forward-auth"}
TOKEN_ROUTE: Final = "/v1/connections/{connection_id}/token"  # noqa: S105


def open_tracing(settings: Settings, resolver: Resolver, clock: Clock) -> Tracing:
    """What was asked for; `NO_TRACING` where nothing was. SettingsInvalid: it is not installed."""
    collector = settings.collector
    if collector is None:
        return NO_TRACING
    try:
        from keyturn.adapters.tracing.otel import EgressSpanExporter, OtelTracing
    except ImportError:
        raise SettingsInvalid("Traces are asked for (KEYTURN_OTEL_ENDPOINT): pip install 'keyturn[otel]'.") from None
    egress = HttpEgress(resolver, EgressAllowances(PRIVATE, insecure_http=True), clock)
    exporter = EgressSpanExporter(egress, *collector, asyncio.get_running_loop())
    return OtelTracing(exporter, version=version("keyturn"))


def traced(ports: Ports, tracing: Tracing, hosts: tuple[str, ...]) -> Ports:
    """The same ports, with spans; `hosts`: the APIs that are told of the trace."""
    if tracing is NO_TRACING:
        return ports
    told = frozenset(each.lower() for each in hosts)
    return replace(
        ports,
        egress=TracedEgress(ports.egress, tracing),
        upstream=TracedUpstream(ports.upstream, tracing, told),
        tracing=tracing,
    )


def traced_front(front: AsgiApp, tracing: Tracing) -> AsgiApp:
    """The same doors, with a span for each request; a caller's own trace is linked."""
    if tracing is NO_TRACING:
        return front

    async def with_span(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await front(scope, receive, send)
            return
        link = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"traceparent"), "")
        method = method_of(scope["method"])
        with tracing.span(method, SpanKind.SERVER, link=link, http_request_method=method) as span:

            async def sending(message: MutableMapping[str, Any]) -> None:
                if message["type"] == "http.response.start":
                    span.note(http_response_status__code=message["status"])
                    code = next((value for name, value in message["headers"] if name == b"keyturn-code"), b"")
                    if code:
                        span.note(error_type=code.decode("ascii"))
                await send(message)

            await front(scope, receive, sending)
            route = route_of(scope)
            span.name(f"{method} {route}")
            span.note(http_route=route)

    return with_span


def route_of(scope: Scope) -> str:
    """The template of the path, never the path."""
    path = scope["path"]
    if path.startswith(PROXY):
        return PROXY_ROUTE
    if HANDS_OUT.fullmatch(scope["raw_path"]):
        return HANDED_OUT.get(path, TOKEN_ROUTE)
    return str(scope.get(ROUTE_KEY, "none"))
