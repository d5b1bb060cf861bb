"""The instance's own calls, what every answer carries, and the OpenAPI document."""

from __future__ import annotations

import json
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from keyturn.core.errors import StoreUnavailable
from keyturn.core.problems import PROBLEMS
from keyturn.web.control.application import OPERATIONS, document_of, make_control, make_framework
from keyturn.web.control.openapi import with_paths
from keyturn.web.control.operations import PUBLIC, Takes
from tests.web.control.house import CANARY, assert_problem, begin, login_body

SECURITY = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


async def document() -> dict[str, Any]:
    """The document as it is served."""
    house = await begin()
    found: dict[str, Any] = json.loads((await house.call("GET", "/openapi.json", key=None)).content)
    return found


@pytest.mark.parametrize(
    ("method", "path", "key"),
    [
        ("GET", "/healthz", None), ("HEAD", "/healthz", None), ("GET", "/readyz", None), ("GET", "/metrics", None),
        ("GET", "/openapi.json", None), ("GET", "/v1/connections", "read"), ("GET", "/v1/connections", None),
        ("GET", "/v1/connections", "call"), ("GET", "/nothing", "read"), ("PATCH", "/v1/connections", "read"),
        ("POST", "/v1/connections", "login"), ("GET", "/v1/connections?limit=x", "read"),
    ],
)  # fmt: skip
async def test_every_answer_is_for_one_reader(method: str, path: str, key: str | None) -> None:
    """No cache keeps it, no browser makes more of it, no other origin reads it; each has a name of its own."""
    house = await begin()
    answer = await house.call(method, path, key=key, headers={"origin": "https://evil.example"})
    again = await house.call(method, path, key=key)

    assert SECURITY == {name: answer.headers[name] for name in SECURITY}
    assert [] == [name for name in answer.headers if name.startswith("access-control-")]
    assert answer.headers["keyturn-request-id"].startswith("req_")
    assert answer.headers["keyturn-request-id"] != again.headers["keyturn-request-id"]
    assert len(SECURITY) == sum(name in SECURITY for name, _ in answer.headers.multi_items())


async def test_head_is_get_without_the_body() -> None:
    """As HTTP wants it, on every GET."""
    house = await begin()
    get, head = [await house.call(method, house.path, key="read") for method in ("GET", "HEAD")]

    assert (200, b"") == (head.status_code, head.content)
    assert get.headers["content-length"] == head.headers["content-length"]
    assert get.headers["etag"] == head.headers["etag"]


@pytest.mark.parametrize(
    ("parts", "code"),
    [
        pytest.param({"database": "ok", "keys": "ok"}, None, id="all is well"),
        pytest.param({"database": "gone", "keys": "ok"}, "store_unavailable", id="the database"),
        pytest.param({"database": "ok", "keys": "unreachable"}, "key_unavailable", id="the key provider"),
        pytest.param({"database": "gone", "keys": "unreachable"}, "store_unavailable", id="both"),
    ],
)
async def test_readiness_says_which_part(parts: dict[str, str], code: str | None) -> None:
    """503 with the part that is missing; no key is needed, and no more is said."""
    house = await begin()
    house.parts = parts
    answer = await house.call("GET", "/readyz", key=None)

    if code is None:
        nothing = {"connections": 0, "revocations": 0}
        assert (200, {"ready": True, "parts": parts, "set_aside": nothing}) == (answer.status_code, answer.json())
    else:
        assert parts == assert_problem(answer, 503, code)["parts"]


async def test_rows_that_are_set_aside_make_nobody_unready() -> None:
    """They are counted; with something that is missing, it is that which decides."""
    house = await begin()

    async def readiness() -> dict[str, str]:
        return house.parts

    async def aside() -> dict[str, int]:
        return {"connections": 1, "revocations": 2}

    house.app = make_control(house.world.application, readiness=readiness, metrics=no_metrics, set_aside=aside)
    house.parts = {"database": "ok", "rows": "set_aside"}
    ready = await house.call("GET", "/readyz", key=None)
    house.parts = {"database": "ok", "rows": "set_aside", "disk": "full"}
    full = await house.call("GET", "/readyz", key=None)

    assert (200, {"connections": 1, "revocations": 2}) == (ready.status_code, ready.json()["set_aside"])
    assert {"database": "ok", "rows": "set_aside"} == ready.json()["parts"]
    assert house.parts == assert_problem(full, 503, "not_ready")["parts"]


async def no_metrics() -> bytes:
    """No other zone has any."""
    return b""


async def test_a_readiness_check_that_fails_is_a_part_that_is_missing() -> None:
    """The probe hears what could not be asked."""
    house = await begin()

    async def fails() -> dict[str, str]:
        raise StoreUnavailable("not to be shown")

    house.app = make_control(house.world.application, readiness=fails, metrics=no_metrics)
    answer = await house.call("GET", "/readyz", key=None)

    assert {"database": "store_unavailable"} == assert_problem(answer, 503, "store_unavailable")["parts"]


async def test_metrics_are_handed_through() -> None:
    """In Prometheus' own format, with the zone's own behind them."""
    house = await begin()
    answer = await house.call("GET", "/metrics", key=None)

    assert answer.text.startswith("# HELP a b\n# HELP keyturn_control_requests_total ")
    assert answer.headers["content-type"].startswith("text/plain; version=")


async def test_counters_know_no_ids() -> None:
    """Routes are counted by their template and methods by the known ones, so that no caller can make new series."""
    house = await begin()
    await house.call("GET", house.path)
    await house.call("GET", f"/{CANARY}")
    await house.call(CANARY.upper(), "/v1/connections")
    text = (await house.call("GET", "/metrics", key=None)).text
    counted = {
        (each.labels["method"], each.labels["route"])
        for metric in text_string_to_metric_families(text)
        for each in metric.samples
    }

    assert {("GET", "/v1/connections/{connection_id}"), ("GET", "none"), ("other", "/v1/connections")} <= counted
    assert {method for method, _ in counted} <= {"GET", "HEAD", "POST", "PUT", "DELETE", "other"}
    assert {route for _, route in counted} <= {"none", *(each.path for each in OPERATIONS)}


async def test_a_mistake_of_ours_says_nothing() -> None:
    """What went wrong inside is for the log; the caller has the request id."""
    house = await begin()

    def crash(write: str) -> None:
        raise ZeroDivisionError(CANARY)

    house.world.stores.database.before_write = crash
    answer = await house.call("POST", f"{house.path}/pause")

    assert_problem(answer, 500, "internal_error")
    assert CANARY not in answer.text


async def test_a_mistake_at_the_door_says_nothing() -> None:
    """The same, where no operation has been reached yet."""
    house = await begin()

    async def crash(_: str) -> None:
        raise ZeroDivisionError(CANARY)

    house.world.stores.api_keys.find = crash  # type: ignore[method-assign, assignment]
    answer = await house.call("GET", house.path, key="read")

    assert_problem(answer, 500, "internal_error")
    assert CANARY not in answer.text


async def test_the_document_lists_every_call() -> None:
    """Each with its scope, its security, its codes, and an id of its own; nothing else stands in it."""
    found = await document()
    listed = {(method.upper(), path) for path, methods in found["paths"].items() for method in methods}
    ids = [one["operationId"] for methods in found["paths"].values() for one in methods.values()]

    assert "3.1.0" == found["openapi"]
    assert {(each.method, each.path) for each in OPERATIONS} == listed
    assert len(ids) == len(set(ids))
    assert "HTTPValidationError" not in json.dumps(found)
    for operation in OPERATIONS:
        one = found["paths"][operation.path][operation.method.lower()]
        codes = {code for answer in one["responses"].values() for code in answer.get("x-codes", ())}
        assert set(operation.codes()) == codes <= set(PROBLEMS)
        assert {str(each) for each in operation.answers} == {each for each in one["responses"] if each[0] == "2"}
        assert (operation.scope == PUBLIC) == ([] == one["security"])
        assert operation.scope == one.get("x-required-scope", PUBLIC)
        assert (operation.takes is not Takes.NOTHING) <= ("requestBody" in one)


async def test_no_schema_of_an_answer_has_a_secret() -> None:
    """What is write-only stands in requests alone."""
    schemas = (await document())["components"]["schemas"]
    answers = {name: json.dumps(each) for name, each in schemas.items() if name.endswith(("Answer", "List", "Row"))}

    assert 15 < len(answers)
    assert [] == [name for name, text in answers.items() if "writeOnly" in text]
    assert "writeOnly" in json.dumps(schemas["NewConnection"])


async def test_calls_of_another_zone_can_be_added() -> None:
    """The document of the whole instance is one; a call that stands there twice is a mistake."""
    found = await document()
    more = with_paths(found, {"/v1/connections/{connection_id}": {"patch": {}}, "/v1/forward-auth": {"get": {}}})

    assert {"get", "delete", "patch"} == set(more["paths"]["/v1/connections/{connection_id}"])
    assert "/v1/forward-auth" in more["paths"]
    assert "/v1/forward-auth" not in found["paths"]
    with pytest.raises(ValueError, match="twice"):
        with_paths(found, {"/v1/connections": {"get": {}}})


async def test_the_document_is_the_same_each_time() -> None:
    """So that a difference in it is a difference in the code."""
    house = await begin()
    one, two = [document_of(make_framework(house.world.application)) for _ in range(2)]

    assert json.dumps(one) == json.dumps(two)


async def test_no_log_line_holds_a_body(capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> None:
    """Neither a refused body nor one at which something crashed; wherever lines go, as other tests set logging up."""
    house = await begin()

    def crash(write: str) -> None:
        raise ZeroDivisionError

    house.world.stores.database.before_write = crash
    for body in (login_body(password=CANARY), login_body(password=CANARY, keep_password=CANARY), [CANARY]):
        await house.call("POST", "/v1/connections", body)
    written = "".join(capfd.readouterr()) + caplog.text

    assert "crashed" in written
    assert CANARY not in written


async def test_the_log_level_is_changed_for_a_while() -> None:
    """It says until when, and the audit log says who wanted it."""
    house = await begin()
    before = (await house.call("GET", "/v1/instance/log-level")).json()
    after = await house.call("PUT", "/v1/instance/log-level", {"level": "debug", "for_s": 600})
    records, _ = await house.world.stores.audit.list(limit=1)

    assert {"level": "info", "setting": "info", "until": None} == before
    assert {"level": "debug", "setting": "info", "until": "2030-03-17T17:56:40+00:00"} == after.json()
    assert ("instance.log_level_set", {"level": "debug", "for_s": 600}) == (records[0][1].action, records[0][1].facts)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"level": "everything"}, id="no level"),
        pytest.param({"level": "debug", "for_s": 86_401}, id="over a day"),
        pytest.param({"level": "debug", "for_s": 0}, id="no time at all"),
        pytest.param({}, id="nothing"),
    ],
)
async def test_a_log_level_that_can_not_be(body: dict[str, object]) -> None:
    """Nothing changes."""
    house = await begin()
    answer = await house.call("PUT", "/v1/instance/log-level", body)

    assert_problem(answer, 422, "validation_failed")
    assert ("info", "info", None) == house.log_level.state
