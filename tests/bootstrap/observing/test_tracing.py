"""Traces of a whole application: off by default, and bounded in what they say."""

from __future__ import annotations

import subprocess
import sys

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from keyturn.adapters.egress.resolver import SystemResolver
from keyturn.adapters.tracing.otel import OtelTracing
from keyturn.bootstrap.front import make_front
from keyturn.bootstrap.observing.tracing import open_tracing, traced, traced_front
from keyturn.bootstrap.settings import read_settings
from keyturn.bootstrap.system import SystemClock
from keyturn.core.errors import SettingsInvalid
from keyturn.ports.observing.tracing import NO_TRACING
from keyturn.web.connect.app import make_connect
from keyturn.web.dataplane.application import DataPlane
from tests.web.control.house import begin
from tests.web.dataplane.story import OK

CANARY = "canary-77d0"


async def test_off_is_nothing_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same front and the same ports: a call costs what it cost before."""
    for name in ("KEYTURN_OTEL_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    house = await begin()
    ports = object()

    assert NO_TRACING is open_tracing(read_settings(), SystemResolver(), SystemClock())
    assert house.app is traced_front(house.app, NO_TRACING)
    assert ports is traced(ports, NO_TRACING, ())  # type: ignore[arg-type]


def test_off_imports_nothing() -> None:
    """No SDK, no exporter; the API alone may come with a library that looks for it."""
    wanted = "('opentelemetry.sdk', 'opentelemetry.exporter', 'keyturn.adapters.tracing.otel')"
    code = f"import sys, keyturn.bootstrap.runtimes; print([m for m in sys.modules if m.startswith({wanted})])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=100)

    assert "[]" == done.stdout.strip()


async def test_asked_for_and_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """It says what to install; it does not start without what was asked for."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318")
    monkeypatch.setitem(sys.modules, "keyturn.adapters.tracing.otel", None)

    with pytest.raises(SettingsInvalid, match=r"pip install 'keyturn\[otel\]'"):
        open_tracing(read_settings(), SystemResolver(), SystemClock())


@pytest.mark.parametrize("endpoint", ["collector:4318", f"http://user:{CANARY}@h", "https://", "http://h/?x=1"])
def test_an_endpoint_that_is_none(monkeypatch: pytest.MonkeyPatch, endpoint: str) -> None:
    """It is said of either variable, without its value."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
    with pytest.raises(SettingsInvalid, match="OTEL_EXPORTER_OTLP_ENDPOINT") as standard:
        _ = read_settings().collector
    monkeypatch.setenv("KEYTURN_OTEL_ENDPOINT", endpoint)
    with pytest.raises(SettingsInvalid, match="KEYTURN_OTEL_ENDPOINT") as own:
        read_settings()

    assert CANARY not in f"{standard.value}{own.value}"


async def test_requests_are_named_by_their_routes() -> None:
    """With status and code; nothing of paths, queries, keys, ids and links."""
    kept = InMemorySpanExporter()
    tracing = OtelTracing(kept, version="0")
    house = await begin()
    house.world.upstream.will_reply(OK)
    application = house.world.application
    front = make_front(DataPlane(application), house.app, make_connect(application), house.app)
    house.app = traced_front(front, tracing)
    await house.call("GET", f"/v1/proxy/{house.connection_id}/me?q={CANARY}", key="call")
    await house.call("GET", f"/v1/forward-auth?connection={CANARY}", key="read")
    await house.call("POST", f"/v1/connections/{CANARY}/token", key="token")
    await house.call("GET", f"{house.path}?{CANARY}=1", key="read")
    await house.call("GET", f"/v1/{CANARY}", key=CANARY)
    await house.call("GET", f"/c/{CANARY}")
    await tracing.close()
    spans = kept.get_finished_spans()
    said = [
        (each.name, *((each.attributes or {}).get(key) for key in ("http.response.status_code", "error.type")))
        for each in spans
    ]

    assert [
        ("GET /v1/proxy/{connection}/{path}", 200, None),
        ("GET /v1/forward-auth", 403, "forbidden_scope"),
        ("POST /v1/connections/{connection_id}/token", 404, "not_found"),
        ("GET /v1/connections/{connection_id}", 422, "validation_failed"),
        ("GET none", 401, "unauthenticated"),
        ("GET /c/{link}", 404, None),
    ] == said
    text = "".join(each.to_json() for each in spans)
    assert not [each for each in (CANARY, house.connection_id, "owner-1", *house.keys.values()) if each in text]
