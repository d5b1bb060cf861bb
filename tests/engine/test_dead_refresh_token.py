"""A dead refresh token that a provider refuses in its own way: three tries, then the person is needed, as why says."""

from __future__ import annotations

from contextlib import suppress

import pytest

from keyturn.core.connection import Connection, State
from keyturn.core.errors import KeyturnError, NeedsReconnect, ProviderBadResponse
from keyturn.core.explain import explain
from keyturn.core.messages import Answer
from tests.engine.story import actions, connector_from, error, log_in, publish, read, token
from tests.fakes.application import FakeWorld, make_world
from tests.fakes.egress import json_answer

REFUSALS = [
    pytest.param(json_answer('{"message": "token canary is gone"}', 401), "has: message", id="401 with a message"),
    pytest.param(json_answer('{"code": 17}', 400), "has: code", id="400 with a code"),
    pytest.param(Answer(401, body=b"<p>canary</p>"), "can't be read", id="401 with a page"),
    pytest.param(error("token_revoked"), "the error token_revoked", id="an error of its own"),
]


async def lost_after(world: FakeWorld, connection: Connection, reply: Answer, tries: int, *, forced: bool) -> bool:
    """Try so often, each once its back-off is over; whether the person is needed then."""
    for _ in range(tries):
        world.egress.will_reply(reply)
        with suppress(ProviderBadResponse):
            try:
                await world.application.renewals.renew(connection.id, generation=1, forced=forced)
            except NeedsReconnect:
                return True
        world.clock.advance(60)
    return False


@pytest.mark.parametrize("forced", [True, False], ids=["by hand", "by calls"])
@pytest.mark.parametrize(("reply", "said"), REFUSALS)
async def test_three_tries(reply: Answer, said: str, forced: bool) -> None:
    """Two leave it as it is, the third ends it; the log and `why` say what was answered, and no text of it."""
    world = make_world()
    await publish(world)
    connection = (await log_in(world)).connection
    early = await lost_after(world, connection, reply, 2, forced=forced)
    between = await read(world, connection.id)
    late = await lost_after(world, connection, reply, 1, forced=forced)
    left = await read(world, connection.id)
    why = explain(left, connector_from(), world.clock.now(), None)

    assert (False, State.ACTIVE, True) == (early, between.state, late)
    assert (State.NEEDS_RECONNECT, "provider_answer_unknown") == (left.state, left.reason)
    assert 3 == actions(world).count(("refresh.answered", "provider_bad_response"))
    assert said in why.text
    assert "refresh.rejected_when: {status: [" in why.next_step.text
    assert "canary" not in f"{why} {[each.facts for each in world.stores.database.records]}"


async def test_another_failure_between_begins_anew() -> None:
    """Three tries are three of the same: a provider that was down in between has refused nothing."""
    world = make_world()
    await publish(world)
    connection = (await log_in(world)).connection
    refusal = json_answer('{"message": "gone"}', 401)
    await lost_after(world, connection, refusal, 2, forced=True)
    world.egress.will_reply(json_answer("{}", 503))
    with suppress(KeyturnError):
        await world.application.renewals.renew(connection.id, generation=1, forced=True)
    world.clock.advance(60)

    assert not await lost_after(world, connection, refusal, 2, forced=True)
    assert await lost_after(world, connection, refusal, 1, forced=True)


async def test_a_token_between_begins_anew() -> None:
    """And takes back what was said of the answer."""
    world = make_world()
    await publish(world)
    connection = (await log_in(world)).connection
    refusal = json_answer('{"message": "gone"}', 401)
    await lost_after(world, connection, refusal, 2, forced=True)
    world.egress.will_reply(token(2, at=world.clock.now()))
    renewed = await world.application.renewals.renew(connection.id, generation=1, forced=True)

    assert ({}, 0) == (dict(renewed.last_answer), renewed.failures_in_a_row)


async def test_a_success_that_is_no_token_is_told_as_one() -> None:
    """A 200 with an error in it: uncertain by its own reason, in the log and in why; never "its answer was lost"."""
    world = make_world()
    await publish(world)
    connection = (await log_in(world)).connection
    world.egress.will_reply(json_answer('{"error": "odd", "hint": "canary"}'))
    with suppress(KeyturnError):
        await world.application.renewals.renew(connection.id, generation=1, forced=True)
    left = await read(world, connection.id)
    why = explain(left, connector_from(), world.clock.now(), None)

    assert (State.UNCERTAIN, "provider_answer_unknown") == (left.state, left.reason)
    assert ("connection.uncertain", "provider_answer_unknown") in actions(world)
    assert "provider_answer_unknown" == why.code
    assert "status 200 and the error odd" in why.text
    assert "lost" not in why.text
    assert "canary" not in repr(why)
