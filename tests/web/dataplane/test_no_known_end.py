"""A token without a known lifetime counts as alive until the API refuses it, at every door and on every page."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from keyturn.core.connection import State
from keyturn.core.explain import explain
from keyturn.core.messages import Answer
from keyturn.web.console.pages.connections.call import takes_calls
from tests.engine.story import ACTOR, error, me, read
from tests.fakes.egress import UpstreamReply
from tests.web.dataplane.asgi_caller import Exchange, Header, call
from tests.web.dataplane.story import OK, REFUSED, Story, begin

JSON: Header = (b"content-type", b"application/json")
PLACE: Header = (b"x-original-uri", b"/me")
GONE = (409, "connection_needs_reconnect")


async def begun(**changes: object) -> Story:
    """The person is needed, as a renewal asked for a second step; the token at hand has no known end."""
    story = await begin(expires_in=None)
    row, secrets = story.world.stores.connections.rows[story.connection_id]
    lost = {"state": State.NEEDS_RECONNECT, "reason": "challenge_required", "renews_at": None, **changes}
    story.world.stores.connections.rows[story.connection_id] = (replace(row, **lost), secrets)  # type: ignore[arg-type]
    return story


async def token(story: Story, **refused: int) -> Exchange:
    """Ask for it at the token endpoint."""
    headers, body = ([JSON], json.dumps(refused).encode()) if refused else ([], b"")
    return await call(story.app, "POST", f"/v1/connections/{story.connection_id}/token", headers, body)


async def forward_auth(story: Story) -> Exchange:
    """Ask for the headers to put on."""
    path = f"/v1/forward-auth?connection={story.connection_id}"
    return await call(story.app, "GET", path, [(b"x-original-method", b"GET"), PLACE])


async def why(story: Story) -> str:
    """What `why` says."""
    connection = await read(story.world, story.connection_id)
    return explain(connection, None, story.world.clock.now(), None).text


async def test_every_door_uses_it() -> None:
    """Proxy, token endpoint and forward-auth; `why` and the console say that calls go on."""
    story = await begun()
    story.world.upstream.will_reply(OK)
    proxied, vended, forwarded = await call(story.app, "GET", story.path), await token(story), await forward_auth(story)
    connection = await read(story.world, story.connection_id)

    assert (200, 200, 204) == (proxied.status, vended.status, forwarded.status)
    assert ("access-1", None) == (json.loads(vended.body)["access_token"], json.loads(vended.body)["expires_at"])
    assert "Calls are sent with the token in hand until the API refuses it" in await why(story)
    assert takes_calls(connection, story.world.clock.now())
    assert await story.world.application.test_connection(story.connection_id, ACTOR, dry_run=True)


@pytest.mark.parametrize("age_s", [0.0, 120.0])
async def test_once_the_api_refuses_it_the_person_is_needed(age_s: float) -> None:
    """The caller is told so; where the test call is refused as well it is over, and nobody is sent with it again."""
    story = await begun(worked_generation=1)
    story.world.clock.advance(age_s)
    story.world.upstream.will_reply(REFUSED)
    story.world.egress.will_reply(error("invalid_token", 401))
    first = await call(story.app, "GET", story.path)
    then = [await call(story.app, "GET", story.path), await token(story), await call(story.app, "POST", story.path)]
    connection = await read(story.world, story.connection_id)

    assert GONE == (first.status, first.problem["code"])
    assert [GONE] * 3 == [(each.status, each.problem["code"]) for each in then]
    assert 403 == (await forward_auth(story)).status
    assert 1 == len(story.sent)
    assert story.world.clock.now() == connection.expires_at
    assert "Calls get connection_needs_reconnect." in await why(story)
    assert not takes_calls(connection, story.world.clock.now())


async def test_a_caller_of_the_token_endpoint_tells_it_too() -> None:
    """Who says that the API refused it is told that the person is needed, and so is who asks next."""
    story = await begun(worked_generation=1)
    story.world.egress.will_reply(error("invalid_token", 401))
    told, next_one = await token(story, refused_generation=1), await token(story)

    assert [GONE, GONE] == [(each.status, each.problem["code"]) for each in (told, next_one)]


@pytest.mark.parametrize(
    "proof", [pytest.param(me(), id="the test call passes"), pytest.param(Answer(503), id="the API is down")]
)
async def test_what_is_not_proved_stays_in_use(proof: Answer) -> None:
    """A refusal of one address may be about rights: that caller is told, and the others go on."""
    story = await begun(worked_generation=1)
    story.world.egress.will_reply(proof)
    story.world.upstream.will_reply(REFUSED, OK)
    refused, other = await call(story.app, "GET", f"{story.path}/admin"), await call(story.app, "GET", story.path)

    assert GONE == (refused.status, refused.problem["code"])
    assert 200 == other.status
    assert (await read(story.world, story.connection_id)).expires_at is None


async def test_a_token_whose_renewal_is_refused_is_proved_before_it_is_over() -> None:
    """An active one without an end: the API refused it, the renewal is refused, and the test call is refused too."""
    story = await begin(expires_in=None, refresh="strategy: refresh_only")
    story.world.clock.advance(120)
    story.world.upstream.will_reply(REFUSED)
    story.world.egress.will_reply(error("invalid_grant"), error("invalid_token", 401))
    first, second = [await call(story.app, "GET", story.path) for _ in range(2)]
    connection = await read(story.world, story.connection_id)

    assert [GONE, GONE] == [(each.status, each.problem["code"]) for each in (first, second)]
    assert (State.NEEDS_RECONNECT, "grant_lost") == (connection.state, connection.reason)
    assert story.world.clock.now() == connection.expires_at
    assert 1 == len(story.sent)


async def test_a_known_end_is_nobodys_to_move() -> None:
    """The neighbour: a token that the provider gave an end is used to it, however often a call is refused."""
    story = await begun()
    row, secrets = story.world.stores.connections.rows[story.connection_id]
    ends = story.world.clock.now() + 600
    story.world.stores.connections.rows[story.connection_id] = (
        replace(row, expires_at=ends, worked_generation=1),
        secrets,
    )
    story.world.upstream.will_reply(REFUSED, UpstreamReply(200, (), (b"{}",)))
    refused, other = [await call(story.app, "GET", story.path) for _ in range(2)]

    assert (GONE, 200) == ((refused.status, refused.problem["code"]), other.status)
    assert ends == (await read(story.world, story.connection_id)).expires_at
