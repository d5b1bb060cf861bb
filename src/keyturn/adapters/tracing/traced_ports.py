"""The two ways out to providers and APIs, with a span for each request.

Rule: a provider learns of no trace, unless the operator named its host.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Final
from urllib.parse import urlsplit

from keyturn.core.messages import Answer, OutgoingRequest
from keyturn.ports.egress import Egress, EgressPolicy, Upstream, UpstreamAnswer, UpstreamRequest
from keyturn.ports.observing.tracing import SpanKind, Tracing, coded

TRACEPARENT: Final = "traceparent"
METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
OTHER: Final = "_OTHER"  # as the conventions of OpenTelemetry have it: a caller may invent methods
_TRACE_HEADERS: Final = frozenset({b"traceparent", b"tracestate"})


class TracedEgress:
    """An `Egress`: token, refresh, revocation and test requests, webhooks."""

    def __init__(self, egress: Egress, tracing: Tracing) -> None:
        self._egress = egress
        self._tracing = tracing

    async def send(self, request: OutgoingRequest, policy: EgressPolicy) -> Answer:
        """See `Egress`."""
        host = urlsplit(request.url).hostname or ""
        with (
            self._tracing.span(
                "provider request", SpanKind.CLIENT, http_request_method=method_of(request.method), server_address=host
            ) as span,
            coded(span),
        ):
            answer = await self._egress.send(request, policy)
            span.note(http_response_status__code=answer.status)
            return answer


class TracedUpstream:
    """An `Upstream`: proxied calls, up to the head of the answer."""

    def __init__(self, upstream: Upstream, tracing: Tracing, hosts: frozenset[str]) -> None:
        """`hosts`: those that are told of the trace, lower case."""
        self._upstream = upstream
        self._tracing = tracing
        self._hosts = hosts

    async def open(
        self, request: UpstreamRequest, body: AsyncIterator[bytes] | bytes | None, policy: EgressPolicy
    ) -> UpstreamAnswer:
        """See `Upstream`."""
        method = method_of(request.method.decode("latin-1"))
        with (
            self._tracing.span(
                "API call", SpanKind.CLIENT, http_request_method=method, server_address=request.host
            ) as span,
            coded(span),
        ):
            if request.host in self._hosts:
                kept = [each for each in request.headers if each[0] not in _TRACE_HEADERS]
                request = replace(request, headers=(*kept, (TRACEPARENT.encode(), span.traceparent.encode())))
            answer = await self._upstream.open(request, body, policy)
            span.note(http_response_status__code=answer.status)
            return answer

    async def close(self, grace_s: float = 0.0) -> None:
        """See `Upstream`."""
        await self._upstream.close(grace_s)


def method_of(method: str) -> str:
    """The method, where it is one that is known."""
    return method if method in METHODS else OTHER
