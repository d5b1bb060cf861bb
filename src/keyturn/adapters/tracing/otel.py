"""Spans of OpenTelemetry, sent as OTLP over HTTP by our own egress.

Rule 1: nothing imports this but the wiring, and only where the operator named a collector.
Rule 2: the SDK's exporters bring HTTP clients of their own; this one hands its bytes to an egress that dials, checks
certificates and follows no redirect as for every other request. The SDK's thread waits for the loop, never the reverse.
Rule 3: of an exception no text and no place is kept: only a code of ours.

Source: decision 0009; OTLP 1.x over HTTP; W3C Trace Context.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager
from typing import Final

import structlog
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from keyturn.core.errors import KeyturnError
from keyturn.core.messages import OutgoingRequest
from keyturn.core.secret import Secret
from keyturn.ports.egress import Egress, EgressPolicy
from keyturn.ports.observing.tracing import Span, SpanKind

EXPORT_WITHIN_S: Final = 10.0
_KINDS: Final = {
    SpanKind.SERVER: trace.SpanKind.SERVER,
    SpanKind.CLIENT: trace.SpanKind.CLIENT,
    SpanKind.INTERNAL: trace.SpanKind.INTERNAL,
}
_W3C: Final = TraceContextTextMapPropagator()

log = structlog.get_logger("keyturn.tracing")


def attributes_of(facts: dict[str, str | int]) -> dict[str, str | int]:
    """Names as the conventions spell them: `_` is a dot, `__` an underscore."""
    return {name.replace("__", "\0").replace("_", ".").replace("\0", "_"): value for name, value in facts.items()}


class OtelSpan:
    """A `Span`."""

    def __init__(self, span: trace.Span) -> None:
        self._span = span

    @property
    def traceparent(self) -> str:
        """See `Span`."""
        carrier: dict[str, str] = {}
        _W3C.inject(carrier, trace.set_span_in_context(self._span))
        return carrier.get("traceparent", "")

    def name(self, text: str) -> None:
        """See `Span`."""
        self._span.update_name(text)

    def note(self, **facts: str | int) -> None:
        """See `Span`."""
        self._span.set_attributes(attributes_of(facts))
        if "error_type" in facts:
            self._span.set_status(trace.StatusCode.ERROR)


class OtelTracing:
    """A `Tracing`."""

    def __init__(self, exporter: SpanExporter, *, version: str) -> None:
        """`exporter`: where spans go. Sampling, batches and a service's name are read from the SDK's own variables."""
        resource = Resource.create({"service.version": version})
        if str(resource.attributes.get("service.name", "")).startswith("unknown_service"):
            resource = resource.merge(Resource({"service.name": "keyturn"}))
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("keyturn", version)

    @contextmanager
    def span(
        self, name: str, kind: SpanKind = SpanKind.INTERNAL, *, link: str = "", **facts: str | int
    ) -> Iterator[Span]:
        """See `Tracing`."""
        with self._tracer.start_as_current_span(
            name,
            context=Context() if kind is SpanKind.SERVER else None,
            kind=_KINDS[kind],
            attributes=attributes_of(facts),
            links=links_to(link),
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            yield OtelSpan(span)

    async def close(self) -> None:
        """See `Tracing`."""
        await asyncio.to_thread(self._provider.shutdown)


def links_to(traceparent: str) -> list[trace.Link]:
    """The span that a caller named, if it named one."""
    if not traceparent:
        return []
    found = trace.get_current_span(_W3C.extract({"traceparent": traceparent}, Context())).get_span_context()
    return [trace.Link(found)] if found.is_valid else []


class EgressSpanExporter(SpanExporter):
    """Sends batches of spans, one request each; what a collector does not take is dropped."""

    def __init__(self, egress: Egress, url: str, headers: Secret | None, loop: asyncio.AbstractEventLoop) -> None:
        """`headers`: `NAME=VALUE` with commas between them, as `OTEL_EXPORTER_OTLP_HEADERS` has them."""
        self._egress = egress
        self._url = url
        self._headers = headers
        self._loop = loop
        self._failing = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send them; called in the SDK's thread."""
        body = encode_spans(spans).SerializeToString()
        sending = asyncio.run_coroutine_threadsafe(self._send(body), self._loop)
        try:
            problem = sending.result(EXPORT_WITHIN_S + 1.0)
        except (TimeoutError, CancelledError):
            sending.cancel()
            problem = "provider_timeout"
        self._say(problem)
        return SpanExportResult.FAILURE if problem else SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        """Nothing is held open."""

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Nothing waits here."""
        return True

    async def _send(self, body: bytes) -> str:
        """What went wrong: a code, a status; empty where nothing did."""
        headers = (("Content-Type", "application/x-protobuf"), *pairs_in(self._headers))
        request = OutgoingRequest("POST", self._url, headers, body)
        policy = EgressPolicy(private_network=True, insecure_http=True, timeout_s=EXPORT_WITHIN_S)
        try:
            answer = await self._egress.send(request, policy)
        except KeyturnError as error:
            return error.code
        return "" if 200 <= answer.status < 300 else f"status_{answer.status}"

    def _say(self, problem: str) -> None:
        """Once when it begins to fail, and once when it works again."""
        if bool(problem) != self._failing:
            self._failing = bool(problem)
            if problem:
                log.warning("trace_export_failed", code=problem)
            else:
                log.warning("trace_export_back")


def pairs_in(headers: Secret | None) -> tuple[tuple[str, str], ...]:
    """Header names and values; a part without `=` is none."""
    parts = headers.reveal().split(",") if headers is not None else []
    pairs = (part.partition("=") for part in parts if "=" in part)
    return tuple((name.strip(), value.strip()) for name, _, value in pairs)
