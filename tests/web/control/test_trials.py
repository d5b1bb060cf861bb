"""Trials over REST: begun, looked at and answered by the key that began them."""

from __future__ import annotations

import asyncio

from tests.engine.builder.test_trials import MFA, done
from tests.engine.builder.texts import text
from tests.engine.story import error, me, token
from tests.fakes.egress import json_answer
from tests.web.control.house import PASSWORD, House, assert_problem, begin, new_key

TYPED = {"username": "jo-canary", "password": PASSWORD}


async def begun(house: House, **more: object) -> str:
    """Start a trial of a text and let it run as far as it gets; returns its path."""
    answer = await house.call("POST", "/v1/connectors/acme/trials", TYPED | more)
    assert 201 == answer.status_code, answer.text
    for _ in range(200):
        await asyncio.sleep(0)
    return str(answer.headers["location"])


async def test_a_trial_is_looked_at() -> None:
    """Rows in the order in which they were made, and nothing that was typed or came in them."""
    house = await begin()
    house.world.egress.will_reply(token(1), me(), json_answer("{}", 404), token(2), *[done() for _ in range(4)])
    answer = await house.call("GET", await begun(house, source=text()))
    trial = answer.json()

    assert ("ended", True) == (trial["state"], trial["passed"])
    assert [2, 5, 6, 8, 9, 3, 4, 4, 4, 4] == [each["step"] for each in trial["rows"]]
    assert [] == [each for each in ("jo-canary", PASSWORD, "access-1", "refresh-2") if each in answer.text]
    travelled = trial["rows"][0]["transport"]
    assert ("IPv4", False, "TLSv1.3") == (travelled["family"], travelled["private"], travelled["tls"]["version"])
    assert "2033-05-18T03:33:20.000Z" == travelled["tls"]["ends_at"]
    assert (None, None) == (trial["rows"][0]["redirects_to"], trial["rows"][2]["transport"])


async def test_a_code_is_asked_for_and_given() -> None:
    """What is asked has key, label and type; an answer is used once."""
    house = await begin()
    challenge = json_answer('{"error": "mfa_required", "mfa_token": "m"}', 403)
    house.world.egress.will_reply(challenge, error("unsupported_grant_type"))
    path = await begun(house, source=text(more=MFA))
    asked = (await house.call("GET", path)).json()
    given = await house.call("POST", path, {"answers": {"code": "123456"}})
    again = await house.call("POST", path, {"answers": {"code": "123456"}})

    assert ("asking", ["code"]) == (asked["state"], [each["key"] for each in asked["ask"]])
    assert 200 == given.status_code
    assert_problem(again, 409, "challenge_used")


async def test_who_waits_hears_of_the_next_row() -> None:
    """With `after` the answer comes once there is more; an ended trial answers at once."""
    house = await begin()
    house.world.egress.will_reply(error("invalid_grant"))
    path = await begun(house, source=text())
    answer = await house.call("GET", f"{path}?after=5")

    assert ("ended", False) == (answer.json()["state"], answer.json()["passed"])


async def test_a_trial_is_its_keys_own() -> None:
    """To another key there is none; a text of another id, or one with errors, is not tried."""
    house = await begin()
    house.world.egress.will_reply(error("invalid_grant"))
    path = await begun(house, source=text())
    house.keys["another"] = await new_key(house.world, "admin")

    assert_problem(await house.call("GET", path, key="another"), 404, "not_found")
    for source in (text().replace("connector: acme", "connector: other"), "keyturn: 1"):
        answer = await house.call("POST", "/v1/connectors/acme/trials", TYPED | {"source": source})
        assert_problem(answer, 422, "connector_invalid")


async def test_a_held_trial_goes_on_with_a_mended_text() -> None:
    """Only where it was asked for; a text that signs in otherwise is refused, and one that ended is not held."""
    house = await begin()
    now = house.world.clock.now()
    house.world.egress.will_reply(token(1, at=now), me(), json_answer("{}"), token(2, at=now), *[done()] * 4)
    path = await begun(house, source=text("{{ test.uid }}"), hold=True)
    stopped = (await house.call("GET", path)).json()
    other = {"source": text(url="https://login.acme.example")}
    refused = await house.call("POST", f"{path}/continue", other)
    mended = await house.call("POST", f"{path}/continue", {"source": text()})
    for _ in range(200):
        await asyncio.sleep(0)
    over = (await house.call("GET", path)).json()

    assert ("held", 8, [9, 3, 4]) == (stopped["state"], stopped["failed_step"], stopped["not_reached"])
    assert stopped["ends_at"] is not None
    assert_problem(refused, 422, "validation_failed")
    assert (200, [2, 5]) == (mended.status_code, [each["step"] for each in mended.json()["rows"]])
    assert ("ended", True, None) == (over["state"], over["passed"], over["ends_at"])
    assert_problem(await house.call("POST", f"{path}/end"), 409, "trial_not_held")


async def test_what_would_mend_it_is_an_edit() -> None:
    """As pointer and value, with the place that is left to the author."""
    house = await begin()
    house.world.egress.will_reply(json_answer('{"error": "mfa_required", "mfa_token": "m"}', 403))
    (row,) = (await house.call("GET", await begun(house, source=text()))).json()["rows"]

    assert "/challenges" == row["edit"]["pointer"]
    assert [0, "then", "params", "grant_type"] == row["edit"]["fill_in"]
