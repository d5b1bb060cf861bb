"""An uncertain token that the API refuses before its end: settled by the last resort where that is proved."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from keyturn.core.connection import Intent, IntentKind, State
from keyturn.core.messages import Answer
from tests.engine.story import bodies, error, me, read, token
from tests.web.dataplane.asgi_caller import call
from tests.web.dataplane.story import OK, REFUSED, Story, begin

LAST = "last_resort: true"
GONE = (409, "connection_needs_reconnect")


async def uncertain(refresh: str = LAST, **spent: Any) -> Story:
    """Half an hour of its token is left, and nobody knows whether its refresh token is."""
    story = await begin(refresh=refresh)
    row, secrets = story.world.stores.connections.rows[story.connection_id]
    intent = replace(Intent(IntentKind.REFRESH, 1, "att_lost", story.world.clock.now()), **spent)
    change = {"state": State.UNCERTAIN, "reason": "renewal_outcome_unknown", "renews_at": row.expires_at}
    story.world.stores.connections.rows[story.connection_id] = (
        replace(row, intent=intent, worked_generation=1, **change),  # type: ignore[arg-type]
        secrets,
    )
    story.world.clock.advance(1800)
    return story


async def test_a_refusal_that_the_test_call_shares_is_the_tokens_end() -> None:
    """The refresh token goes out once more, and the caller is served with what it brings."""
    story = await uncertain()
    story.world.upstream.will_reply(REFUSED, OK)
    story.world.egress.will_reply(error("invalid_token", 401), token(2, at=story.world.clock.now()))
    reply = await call(story.app, "GET", story.path)
    after = await read(story.world, story.connection_id)

    assert 200 == reply.status
    assert (2, State.ACTIVE, None) == (after.generation, after.state, after.intent)
    assert 2 == len(bodies(story.world))


@pytest.mark.parametrize(
    "proof", [pytest.param(me(), id="the test call passes"), pytest.param(Answer(503), id="the API is down")]
)
async def test_a_refusal_of_one_address_is_handed_on(proof: Answer) -> None:
    """It may be about rights: nothing is sent, and the token is used on."""
    story = await uncertain()
    story.world.upstream.will_reply(REFUSED, OK)
    story.world.egress.will_reply(proof)
    refused, other = await call(story.app, "GET", f"{story.path}/admin"), await call(story.app, "GET", story.path)

    assert (401, 200) == (refused.status, other.status)
    assert 1 == len(bodies(story.world))
    assert State.UNCERTAIN is (await read(story.world, story.connection_id)).state


@pytest.mark.parametrize(
    ("refresh", "spent"),
    [
        pytest.param("", {}, id="without a last resort"),
        pytest.param(LAST, {"last_resort": True}, id="which was used up"),
    ],
)
async def test_where_none_is_left_the_person_is_needed(refresh: str, spent: dict[str, Any]) -> None:
    """The caller is told so, and nothing is sent."""
    story = await uncertain(refresh, **spent)
    story.world.upstream.will_reply(REFUSED)
    reply = await call(story.app, "GET", story.path)

    assert GONE == (reply.status, reply.problem["code"])
    assert 1 == len(bodies(story.world))


async def test_one_that_the_provider_refuses_needs_its_person() -> None:
    """The provider had acted on the first send: that is told as it is, not as a 401 of the API's."""
    story = await uncertain()
    story.world.upstream.will_reply(REFUSED)
    story.world.egress.will_reply(error("invalid_token", 401), error("invalid_grant"))
    reply = await call(story.app, "GET", story.path)

    assert GONE == (reply.status, reply.problem["code"])
    assert "grant_lost" == (await read(story.world, story.connection_id)).reason
