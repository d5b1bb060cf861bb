"""Traces: what stands in a span, what never does, and that they reach a collector."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from structlog.testing import capture_logs

from keyturn.adapters.egress.client import HttpEgress
from keyturn.adapters.egress.dialling import EgressAllowances
from keyturn.adapters.egress.resolver import SystemResolver
from keyturn.adapters.tracing.otel import EgressSpanExporter, OtelTracing
from keyturn.adapters.tracing.traced_ports import TracedEgress, TracedUpstream
from keyturn.bootstrap.observing.tracing import PRIVATE
from keyturn.bootstrap.system import SystemClock
from keyturn.core.errors import ProviderTimeout
from keyturn.core.messages import OutgoingRequest
from keyturn.core.secret import Secret
from keyturn.ports.egress import EgressPolicy, UpstreamRequest
from keyturn.ports.observing.tracing import NO_TRACING, SpanKind, coded
from tests.fakes.egress import FakeEgress, FakeUpstream, UpstreamReply, json_answer

CANARY = "canary-51ee"
PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
URL = f"https://user:{CANARY}@id.example/{CANARY}?code={CANARY}"


@dataclass
class Collector:
    """An HTTP server that takes OTLP; the status that it answers."""

    port: int = 0
    status: int = 200
    heads: list[str] = field(default_factory=list)
    batches: list[ExportTraceServiceRequest] = field(default_factory=list)

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request on one connection."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        length = next(
            int(line.split(":")[1]) for line in head.splitlines() if line.lower().startswith("content-length")
        )
        self.batches.append(ExportTraceServiceRequest.FromString(await reader.readexactly(length)))
        self.heads.append(head)
        writer.write(f"HTTP/1.1 {self.status} X\r\ncontent-length: 0\r\n\r\n".encode())
        writer.close()

    @property
    def spans(self) -> list[Any]:
        """All that came."""
        return [
            span
            for batch in self.batches
            for of in batch.resource_spans
            for scope in of.scope_spans
            for span in scope.spans
        ]


@pytest.fixture
async def collector() -> AsyncIterator[Collector]:
    """One on a port of this machine."""
    found = Collector()
    server = await asyncio.start_server(found.take, "127.0.0.1", 0)
    found.port = server.sockets[0].getsockname()[1]
    yield found
    server.close()
    await server.wait_closed()


def tracing_to(collector: Collector) -> OtelTracing:
    """Tracing that exports there through an egress, as the wiring makes it."""
    egress = HttpEgress(SystemResolver(), EgressAllowances(PRIVATE, insecure_http=True), SystemClock())
    url = f"http://127.0.0.1:{collector.port}/v1/traces"
    exporter = EgressSpanExporter(
        egress, url, Secret("x-tenant=acme, authorization=Bearer t"), asyncio.get_running_loop()
    )
    return OtelTracing(exporter, version="1.2.3")


async def test_spans_reach_a_collector(collector: Collector) -> None:
    """As OTLP, through our own way out, with the operator's headers; the last ones at the end."""
    tracing = tracing_to(collector)
    with tracing.span("GET", SpanKind.SERVER, link=PARENT) as outer:
        outer.name("GET /v1/x/{id}")
        outer.note(http_response_status__code=200)
        with tracing.span("renewal"):
            pass
    await tracing.close()
    inner, server = collector.spans
    resource = {
        each.key: each.value.string_value for each in collector.batches[0].resource_spans[0].resource.attributes
    }

    assert ("renewal", "GET /v1/x/{id}") == (inner.name, server.name)
    assert (server.span_id, server.trace_id) == (inner.parent_span_id, inner.trace_id)
    assert [("http.response.status_code", 200)] == [(each.key, each.value.int_value) for each in server.attributes]
    assert ("keyturn", "1.2.3") == (resource["service.name"], resource["service.version"])
    assert collector.heads[0].startswith("POST /v1/traces HTTP/1.1\r\n")
    assert "x-tenant: acme" in collector.heads[0]


async def test_a_callers_trace_is_linked_and_decides_nothing(collector: Collector) -> None:
    """Neither the trace's id nor whether it is sampled; what is no traceparent is none."""
    tracing = tracing_to(collector)
    for link in (PARENT, PARENT[:-1] + "0", "nonsense", ""):
        with tracing.span("GET", SpanKind.SERVER, link=link):
            pass
    await tracing.close()
    linked = bytes.fromhex(PARENT[3:35])

    assert [[linked], [linked], [], []] == [[each.trace_id for each in span.links] for span in collector.spans]
    assert linked not in {span.trace_id for span in collector.spans}


async def test_a_collector_that_fails_is_told_once(collector: Collector) -> None:
    """Not for each batch; and that it works again."""
    tracing = tracing_to(collector)
    with capture_logs() as lines:
        for collector.status in (503, 500, 200):
            with tracing.span("job"):
                pass
            await asyncio.to_thread(tracing._provider.force_flush)
    await tracing.close()

    assert [("trace_export_failed", "status_503"), ("trace_export_back", None)] == [
        (each["event"], each.get("code")) for each in lines
    ]


async def test_no_secret_stands_in_a_span() -> None:
    """Nor a path, a query, a header, a body or the text of an exception."""
    kept = InMemorySpanExporter()
    tracing = OtelTracing(kept, version="0")
    egress, upstream = FakeEgress(), FakeUpstream()
    egress.will_reply(json_answer(f'{{"access_token": "{CANARY}"}}'), ProviderTimeout(CANARY))
    upstream.will_reply(UpstreamReply(200, ((b"x", CANARY.encode()),), (CANARY.encode(),)))
    request = OutgoingRequest("POST", URL, (("Authorization", CANARY),), CANARY.encode())

    async def work() -> None:
        with tracing.span("job", keyturn_job="bulk"):
            await TracedEgress(egress, tracing).send(request, EgressPolicy())
            with pytest.raises(ProviderTimeout):
                await TracedEgress(egress, tracing).send(request, EgressPolicy())
            call = UpstreamRequest(b"CANARY", "https", "api.example", 443, CANARY.encode(), ((b"a", CANARY.encode()),))
            await TracedUpstream(upstream, tracing, frozenset()).open(call, None, EgressPolicy())
            raise ValueError(CANARY)

    with pytest.raises(ValueError, match="canary"):
        await work()
    await tracing.close()
    spans = kept.get_finished_spans()

    assert [
        {"http.request.method": "POST", "server.address": "id.example", "http.response.status_code": 200},
        {"http.request.method": "POST", "server.address": "id.example", "error.type": "provider_timeout"},
        {"http.request.method": "_OTHER", "server.address": "api.example", "http.response.status_code": 200},
        {"keyturn.job": "bulk"},
    ] == [dict(each.attributes or {}) for each in spans]
    assert CANARY not in "".join(each.to_json() for each in spans).lower()
    assert ((b"a", CANARY.encode()),) == tuple(upstream.sent[0].request.headers)


async def test_an_api_is_told_only_where_the_operator_names_it() -> None:
    """Then ours takes the place of the caller's."""
    kept = InMemorySpanExporter()
    tracing, upstream = OtelTracing(kept, version="0"), FakeUpstream()
    upstream.will_reply(*(UpstreamReply(200, (), (b"",)) for _ in range(2)))
    traced = TracedUpstream(upstream, tracing, frozenset({"api.example"}))
    for host in ("api.example", "other.example"):
        call = UpstreamRequest(b"GET", "https", host, 443, b"/", ((b"traceparent", b"theirs"), (b"tracestate", b"x")))
        await traced.open(call, None, EgressPolicy())
    await tracing.close()
    first, second = (dict(each.request.headers) for each in upstream.sent)
    context = kept.get_finished_spans()[0].context

    assert context is not None
    assert [b"traceparent"] == [*first]
    assert first[b"traceparent"].startswith(f"00-{context.trace_id:032x}-{context.span_id:016x}-".encode())
    assert {b"traceparent": b"theirs", b"tracestate": b"x"} == second


async def test_without_tracing_there_is_none() -> None:
    """The same calls, and nothing comes of them."""
    with NO_TRACING.span("renewal") as span, coded(span):
        span.note(keyturn_connector="acme")
    await NO_TRACING.close()

    assert "" == span.traceparent
