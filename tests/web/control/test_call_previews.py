"""A call shown as it would be sent: judged like one, and nothing leaves."""

from __future__ import annotations

import pytest

from tests.web.control.house import assert_problem, begin

ASKED = {"method": "get", "path": "/v1/me?x=1", "headers": {"Accept": "text/plain", "Cookie": "a=b"}}


async def test_it_is_shown_with_secrets_masked() -> None:
    """What the connector adds is told from what was written; what is not sent on is named; nothing is sent."""
    house = await begin()
    sent = len(house.world.egress.requests)
    answer = await house.call("POST", f"{house.path}/preview", ASKED, key="call")
    shown = answer.json()

    assert 200 == answer.status_code
    assert ("GET", "/v1/me?x=1") == (shown["method"], shown["url"].partition(".example")[2])
    added = {each["name"]: each["value"] for each in shown["headers"] if each["added"]}
    assert "‹" in added["authorization"]
    assert "access-1" not in answer.text
    assert {"accept": "text/plain"} == {each["name"]: each["value"] for each in shown["headers"] if not each["added"]}
    assert ["Cookie"] == shown["left_out"]
    assert sent == len(house.world.egress.requests)


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"base_url": "https://elsewhere.example"}, "url_not_allowed"),
        ({"path": "no-slash"}, "validation_failed"),
        ({"method": "TRACE"}, "validation_failed"),
        ({"body": "of a GET"}, "validation_failed"),
        ({"headers": {"A B": "c"}}, "validation_failed"),
        ({"headers": {"A": "line\u2028break"}}, "validation_failed"),
    ],
)
async def test_it_is_judged_as_a_call_is(changed: dict[str, object], code: str) -> None:
    """By the same rules."""
    house = await begin()
    answer = await house.call("POST", f"{house.path}/preview", ASKED | changed, key="call")

    assert_problem(answer, 403 if code == "url_not_allowed" else 422, code)


async def test_a_paused_connection_shows_none() -> None:
    """As it would take none."""
    house = await begin()
    await house.call("POST", f"{house.path}/pause")

    assert_problem(await house.call("POST", f"{house.path}/preview", ASKED, key="call"), 409, "connection_paused")


async def test_what_was_written_is_not_stored_for_a_replay() -> None:
    """Neither in the request's digest nor in the answer."""
    house = await begin()
    asked = {"method": "POST", "path": "/v1/notes?q=canary-1", "body": '{"a": "canary-2"}'}
    headers = {"idempotency-key": "k1"}
    first = await house.call("POST", f"{house.path}/preview", asked, key="call", headers=headers)
    again = await house.call("POST", f"{house.path}/preview", asked, key="call", headers=headers)

    assert "canary-2" in first.json()["body"]
    assert ("true", None, None) == (again.headers["idempotency-replayed"], again.json()["url"], again.json()["body"])
