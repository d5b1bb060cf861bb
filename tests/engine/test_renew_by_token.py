"""Renewal by the live token: before it ends, once, and with the outcomes of a refresh that rotates."""

from __future__ import annotations

from typing import Any

import pytest

from keyturn.core.connection import Connection, State
from keyturn.core.errors import KeyturnError, NeedsReconnect
from keyturn.core.explain import expires_soon, explain
from keyturn.core.messages import Answer
from keyturn.core.renewal.plan import Step, plan
from keyturn.core.secret import Secret
from tests.engine.passing import in_time, round_of
from tests.engine.story import ACTOR, connector_from, error, log_in, publish, read, token
from tests.fakes.application import FakeWorld, make_world
from tests.fakes.egress import json_answer

DAY = 86_400.0
BY_TOKEN = 'with: token, url: "https://auth.acme.example/renew", headers: {X-Token: "{{ access_token }}"}'
LIVES_ON = BY_TOKEN + ", success_when: {status: [200, 204]}"


@pytest.fixture
def world() -> FakeWorld:
    """A world in which time passes only as a test lets it."""
    made = make_world()
    made.entropy.fixed_fraction = 0.5
    return made


async def connected(world: FakeWorld, refresh: str = BY_TOKEN, *, life: int = 3600, **more: Any) -> Connection:
    """A connection whose provider hands out no refresh token."""
    await publish(world, refresh=refresh, **more)
    return (await log_in(world, token(refresh=None, expires_in=life, at=world.clock.now()))).connection


async def renew(world: FakeWorld, connection: Connection, *answers: Any, **more: Any) -> Connection:
    """Renew it past its generation."""
    world.egress.will_reply(*answers)
    renewals = world.application.renewals
    return await in_time(world, renewals.renew(connection.id, generation=connection.generation, actor=ACTOR, **more))


def shown(world: FakeWorld) -> list[str]:
    """The tokens that renewals have shown."""
    return [
        value
        for each in world.egress.requests
        if each.url.endswith("/renew")
        for name, value in each.headers
        if name == "X-Token"
    ]


async def live(world: FakeWorld, connection: Connection) -> Secret:
    """The access token that is kept."""
    tokens = world.stores.connections.rows[connection.id][1].token_set
    assert tokens is not None
    return tokens.access_token


async def test_the_live_token_gets_the_next(world: FakeWorld) -> None:
    """No refresh token is needed; what was renewed by is not sent again."""
    connection = await connected(world)

    first = await renew(world, connection, token(2, refresh=None, at=world.clock.now()))
    second = await renew(world, first, token(3, refresh=None, at=world.clock.now()))

    assert (3, ["access-1", "access-2"]) == (second.generation, shown(world))
    assert Secret("access-3") == await live(world, second)


@pytest.mark.parametrize("life", [pytest.param(3600, id="an hour"), pytest.param(40, id="less than a minute")])
async def test_it_is_renewed_before_it_ends(world: FakeWorld, life: int) -> None:
    """Also a short one: no call could renew it afterwards."""
    connection = await connected(world, life=life)
    assert connection.renews_at is not None
    assert connection.expires_at is not None

    world.clock.advance(connection.renews_at - world.clock.now())
    world.egress.will_reply(token(2, refresh=None, at=world.clock.now()))
    await round_of(world)

    assert connection.renews_at < connection.expires_at
    assert 2 == (await read(world, connection.id)).generation


async def test_what_has_ended_renews_nothing(world: FakeWorld) -> None:
    """The person is needed, and no dead token is sent."""
    connector = connector_from(refresh=BY_TOKEN)
    connection = await connected(world)
    world.clock.advance(3601)

    explained = explain(connection, connector, world.clock.now(), None)
    with pytest.raises(NeedsReconnect):
        await renew(world, connection)

    assert [] == shown(world)
    assert "token_ended" == explained.code == (await read(world, connection.id)).reason


async def test_the_kept_password_takes_over_from_what_has_ended(world: FakeWorld) -> None:
    """Where the connector lets it."""
    connection = await connected(world, "strategy: refresh_then_password, " + BY_TOKEN, keep="required")
    world.clock.advance(3601)

    renewed = await renew(world, connection, token(2, refresh=None, at=world.clock.now()))

    assert (2, []) == (renewed.generation, shown(world))


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(json_answer("{}"), id="an empty object"),
        pytest.param(Answer(204), id="nothing at all"),
        pytest.param(json_answer('{"expires_in": 7200}'), id="a new end"),
    ],
)
async def test_a_token_that_only_lives_on(world: FakeWorld, body: Answer) -> None:
    """Where the connector says what success looks like, an answer without a token leaves the one that was shown."""
    connection = await connected(world, LIVES_ON, token=", default_ttl: 1h")
    now = world.clock.now()
    answer = Answer(body.status, body.headers, body.body, now)

    renewed = await renew(world, connection, answer)

    ends = now + (7200 if b"7200" in body.body else 3600)
    assert (2, ends, Secret("access-1")) == (renewed.generation, renewed.expires_at, await live(world, renewed))
    assert [] == list(await world.stores.revocations.due(now + DAY, limit=9))


@pytest.mark.parametrize(
    ("refresh", "answer", "state"),
    [
        pytest.param(BY_TOKEN, json_answer("{}"), State.UNCERTAIN, id="no success described"),
        pytest.param(LIVES_ON, error("invalid_grant"), State.NEEDS_RECONNECT, id="refused"),
        pytest.param(LIVES_ON, error("invalid_grant", 200), State.NEEDS_RECONNECT, id="refused with a 200"),
        pytest.param(LIVES_ON, json_answer('{"ok": false}'), State.UNCERTAIN, id="not ok"),
    ],
)
async def test_what_is_no_success_is_read_as_with_a_refresh_token(
    world: FakeWorld, refresh: str, answer: Answer, state: State
) -> None:
    """Unknown, or the end of the grant; never a token that lives on by mistake."""
    connection = await connected(world, refresh)

    with pytest.raises(KeyturnError):
        await renew(world, connection, answer)

    after = await read(world, connection.id)
    assert (state, 1, 1) == (after.state, after.generation, len(shown(world)))


async def test_an_idle_one_is_left_to_end_and_says_so(world: FakeWorld) -> None:
    """Unless it is kept alive: then it is renewed as long as it is there."""
    for number, (refresh, generation) in enumerate(((BY_TOKEN, 1), (BY_TOKEN + ", keep_alive: true", 2))):
        fresh = make_world() if number else world
        connector = connector_from(refresh=refresh)
        connection = await connected(fresh, refresh)
        stored, secrets = fresh.stores.connections.rows[connection.id]
        old = type(stored)(**{**_members(stored), "created_at": fresh.clock.now() - 31 * DAY})
        fresh.stores.connections.rows[connection.id] = (old, secrets)

        fresh.clock.advance(3590)
        if generation == 2:
            fresh.egress.will_reply(token(2, refresh=None, at=fresh.clock.now()))
        await round_of(fresh)

        after = await read(fresh, connection.id)
        assert generation == after.generation
        assert (generation == 1) == expires_soon(after, connector, fresh.clock.now())


def _members(connection: Connection) -> dict[str, Any]:
    return {name: getattr(connection, name) for name in connection.__slots__}


async def test_an_answer_that_was_lost_is_not_asked_for_again(world: FakeWorld) -> None:
    """The token may have been replaced: with the default it is held, as a refresh token would be."""
    connection = await connected(world)
    connector = connector_from(refresh=BY_TOKEN)

    with pytest.raises(KeyturnError):
        await renew(world, connection, json_answer("not JSON"))

    after = await read(world, connection.id)
    assert Step.HOLD is plan(after, connector, now=world.clock.now()).step
    assert State.UNCERTAIN is after.state
