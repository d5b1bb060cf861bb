"""Challenges over REST: shapes, replays, and whose they are. What reaches a provider: `tests/end_to_end`."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from tests.engine.story import bodies, error, me, token
from tests.web.control.house import House, assert_problem, begin, login_body, new_key

CHALLENGES = """
challenges:
  - when: {body: "error == 'mfa_required'"}
    ask:
      - {key: otp, label: Code, type: otp, help: From your app.}
      - {key: trust, label: Trust this device, type: choice, choices: {n: "No", y: "Yes"}, required: false}
    then: {extra_params: {otp: "{{ otp }}", trust: "{{ trust }}"}}
"""
CODE = "73191846"


async def stopped(**headers: str) -> tuple[House, httpx.Response]:
    """A login that was stopped by a challenge."""
    house = await begin(more=CHALLENGES)
    house.world.egress.will_reply(error("mfa_required"))
    answer = await house.call(
        "POST", "/v1/connections", login_body(owner="owner-2"), key="login", headers=dict(headers)
    )
    return house, answer


async def test_a_challenge_is_202() -> None:
    """With what to ask, in the file's order, and where to answer it."""
    house, answer = await stopped()
    found = answer.json()["challenge"]
    state = (await house.call("GET", answer.headers["location"], key="login")).json()

    assert (202, f"/v1/challenges/{found['id']}") == (answer.status_code, answer.headers["location"])
    assert [
        {"key": "otp", "label": "Code", "type": "otp", "help": "From your app.", "required": True, "choices": []},
        {
            "key": "trust", "label": "Trust this device", "type": "choice", "help": "", "required": False,
            "choices": [{"value": "n", "label": "No"}, {"value": "y", "label": "Yes"}],
        },
    ] == found["ask"]  # fmt: skip
    assert {"id", "ask", "expires_at", "error", "tries_left", "polls", "resend"} == set(found)
    assert {**found, "state": "waiting", "connection_id": None, "next": None} == state


async def test_the_answer_is_the_connection() -> None:
    """As if there had been no challenge; afterwards the challenge names it."""
    house, answer = await stopped()
    place = answer.headers["location"]
    house.world.egress.will_reply(token(9, at=house.world.clock.now()), me("77"))
    done = await house.call("POST", place, {"answers": {"otp": CODE}}, key="login")
    state = (await house.call("GET", place, key="login")).json()

    assert (201, f"/v1/connections/{done.json()['id']}") == (done.status_code, done.headers["location"])
    assert ("done", done.json()["id"], None) == (state["state"], state["connection_id"], state["next"])


async def test_a_repeated_answer_is_replayed() -> None:
    """With an Idempotency-Key the same answer is given again, and nothing is sent twice; the code is not stored."""
    house, answer = await stopped()
    place, key = answer.headers["location"], {"idempotency-key": "once"}
    house.world.egress.will_reply(token(9, at=house.world.clock.now()), me("77"))
    first = await house.call("POST", place, {"answers": {"otp": CODE}}, key="login", headers=key)
    sent = len(bodies(house.world))
    again = await house.call("POST", place, {"answers": {"otp": CODE}}, key="login", headers=key)
    other = await house.call("POST", place, {"answers": {"otp": "0"}}, key="login", headers=key)

    assert (201, 201) == (first.status_code, again.status_code)
    assert (first.content, "true") == (again.content, again.headers["idempotency-replayed"])
    assert_problem(other, 422, "idempotency_key_reused")
    assert sent == len(bodies(house.world))
    assert CODE not in repr(vars(house.world.stores.idempotency))


async def test_a_repeated_login_is_asked_the_same() -> None:
    """A 202 is an answer of success: the password is not sent again."""
    house, first = await stopped(**{"idempotency-key": "once"})
    sent = len(bodies(house.world))
    again = await house.call(
        "POST", "/v1/connections", login_body(owner="owner-2"), key="login", headers={"idempotency-key": "once"}
    )

    assert (202, first.content) == (again.status_code, again.content)
    assert sent == len(bodies(house.world))


@pytest.mark.parametrize(
    ("method", "tail", "body"),
    [("GET", "", None), ("POST", "", {"answers": {"otp": CODE}}), ("POST", "/resend", None)],
    ids=["look", "answer", "resend"],
)
async def test_it_is_its_holders(method: str, tail: str, body: Any) -> None:
    """Another key, whatever its scopes, reads what it would read of a challenge that does not exist."""
    house, answer = await stopped()
    other = await new_key(house.world, "admin")
    foreign = await house.call(method, answer.headers["location"] + tail, body, key=other)
    absent = await house.call(method, "/v1/challenges/chl_none" + tail, body, key=other)

    assert_problem(foreign, 404, "not_found")
    assert {**absent.json(), "request_id": ""} == {**foreign.json(), "request_id": ""}


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        pytest.param({}, "/answers/otp", id="nothing"),
        pytest.param({"answers": {"otp": CODE, "trust": "maybe"}}, "/answers/trust", id="none of the choices"),
        pytest.param({"answers": [CODE]}, "/answers", id="no object"),
        pytest.param({"otp": CODE}, "", id="beside it"),
    ],
)
async def test_what_is_no_answer(body: Any, pointer: str) -> None:
    """It is refused with its place and without what was typed; the challenge still waits."""
    house, answer = await stopped()
    refused = await house.call("POST", answer.headers["location"], body, key="login")
    state = (await house.call("GET", answer.headers["location"], key="login")).json()

    assert [pointer] == [each["pointer"] for each in assert_problem(refused, 422, "validation_failed")["errors"]]
    assert CODE not in refused.text
    assert "maybe" not in json.dumps(refused.json())
    assert "waiting" == state["state"]
