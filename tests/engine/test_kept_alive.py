"""Refresh tokens that end: used in time where nobody calls, by refresh only, also while a connection is held."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from keyturn.core.connection import Connection, State
from keyturn.core.errors import ConnectionPaused, KeyturnError, ProviderUnavailable
from keyturn.core.explain import EXPIRES_SOON, expires_soon, explain
from keyturn.core.messages import Answer
from tests.engine.passing import round_of
from tests.engine.story import ACTOR, actions, bodies, connector_from, error, log_in, publish, read, token
from tests.fakes.application import FakeWorld, make_world
from tests.fakes.egress import json_answer

DAY = 86_400.0
HELD = [pytest.param("paused", id="paused"), pytest.param("unconfirmed", id="unconfirmed")]
ALIVE = "keep_alive: true, lifetime: 40d"


@pytest.fixture
def world() -> FakeWorld:
    """A world in which time passes only as a test lets it."""
    made = make_world()
    made.entropy.fixed_fraction = 0.5
    return made


async def connected(world: FakeWorld, refresh: str = ALIVE, **more: Any) -> Connection:
    """A connection of a connector with this refresh."""
    await publish(world, refresh=refresh)
    return (await log_in(world, **more)).connection


def with_end(n: int, at: float, seconds: float) -> Answer:
    """A token answer that says when its refresh token ends."""
    body = f'{{"access_token": "access-{n}", "refresh_token": "refresh-{n}", "expires_in": 3600, "rx": {seconds}}}'
    return json_answer(body, received_at=at)


async def looked(world: FakeWorld, connection: Connection, seconds: float, *answers: Any) -> Connection:
    """Let time pass, have the scheduler look, and read the connection."""
    world.clock.advance(seconds)
    world.egress.will_reply(*answers)
    await round_of(world)
    return await read(world, connection.id)


async def test_the_end_is_stored_from_the_answer(world: FakeWorld) -> None:
    """With a unit, over what the connector assumes; each renewal says it anew."""
    more = "lifetime: 1d, response: {refresh_expires: {from: rx}}"
    await publish(world, refresh=more, token=", response: {refresh_expires: {from: rx}}")
    now = world.clock.now()
    connection = (await log_in(world, with_end(1, now, 7200))).connection
    first = connection.refresh_expires_at
    world.clock.advance(1000)
    world.egress.will_reply(with_end(2, world.clock.now(), 5000))

    renewed = await world.application.renewals.renew(connection.id, generation=1)

    assert (now + 7200, now + 6000) == (first, renewed.refresh_expires_at)


async def test_what_an_answer_does_not_repeat_is_still_known(world: FakeWorld) -> None:
    """The refresh token is kept, and so is its end; of a new one nothing is known."""
    await publish(world, token=", response: {refresh_expires: {from: rx}}")
    now = world.clock.now()
    connection = (await log_in(world, with_end(1, now, 7200))).connection
    world.egress.will_reply(token(2, refresh=None, at=now), token(3, at=now))

    again = await world.application.renewals.renew(connection.id, generation=1)
    other = await world.application.renewals.renew(connection.id, generation=2)

    assert (now + 7200, None) == (again.refresh_expires_at, other.refresh_expires_at)


async def test_a_refresh_token_that_ends_first_is_used_first(world: FakeWorld) -> None:
    """An hour's access token with a refresh token of ten minutes is renewed after nine."""
    connection = await connected(world, "lifetime: 10m")
    assert connection.renews_at is not None

    assert 540 < connection.renews_at - world.clock.now() < 570


async def test_an_idle_connection_is_kept_alive_as_rarely_as_can_be(world: FakeWorld) -> None:
    """After 30 days without a call it is renewed for the sake of its refresh token only."""
    connection = await connected(world)
    fresh = replace(connection, created_at=world.clock.now() - 31 * DAY)
    world.stores.connections.rows[connection.id] = (fresh, world.stores.connections.rows[connection.id][1])

    moved = await looked(world, connection, 3600)
    renewed = await looked(world, connection, 39.5 * DAY, token(2, at=world.clock.now() + 39.5 * DAY))

    assert moved.renews_at is not None
    assert 39 * DAY <= moved.renews_at - fresh.created_at - 31 * DAY <= 39.2 * DAY
    assert (1, 2) == (moved.generation, renewed.generation)


async def test_without_it_an_idle_connection_is_left_to_end(world: FakeWorld) -> None:
    """And says so within three days of its end."""
    connector = connector_from(refresh="lifetime: 40d")
    connection = await connected(world, "lifetime: 40d")
    fresh = replace(connection, created_at=world.clock.now() - 31 * DAY)
    world.stores.connections.rows[connection.id] = (fresh, world.stores.connections.rows[connection.id][1])

    moved = await looked(world, connection, 3600)
    now = world.clock.now()

    assert (None, 1) == (moved.renews_at, moved.generation)
    assert not expires_soon(moved, connector, now)
    assert expires_soon(moved, connector, now + 38 * DAY)
    explained = explain(moved, connector, now + 38 * DAY, None)
    assert (EXPIRES_SOON, moved.refresh_expires_at) == (explained.code, explained.next_step.at)


async def hold(world: FakeWorld, connection: Connection, flag: str) -> Connection:
    """Pause it, or have it wait for its confirmation."""
    if flag == "paused":
        return await world.application.pause(connection.id, ACTOR, paused=True)
    return await world.stores.connections.save(replace(connection, unconfirmed=True))


@pytest.mark.parametrize("flag", HELD)
async def test_what_is_held_is_kept_alive(world: FakeWorld, flag: str) -> None:
    """Its refresh token is used before it ends; calls are refused all the same."""
    connector = connector_from(refresh=ALIVE)
    held = await hold(world, await connected(world), flag)
    early = await looked(world, held, 5 * DAY)
    late = await looked(world, held, 35 * DAY, token(2, at=world.clock.now() + 35 * DAY))

    assert (1, 2) == (early.generation, late.generation)
    assert "only what keeps it alive is renewed" in explain(late, connector, world.clock.now(), None).text
    with pytest.raises(KeyturnError) as refused:
        await world.application.renewals.renew(held.id, generation=2)
    assert f"connection_{flag}" == refused.value.code
    assert late.renews_at is not None


@pytest.mark.parametrize("flag", HELD)
async def test_without_it_what_is_held_is_not_renewed(world: FakeWorld, flag: str) -> None:
    """Whatever becomes of its refresh token."""
    held = await hold(world, await connected(world, "lifetime: 40d"), flag)

    after = await looked(world, held, 39.9 * DAY)

    assert (1, []) == (after.generation, bodies(world)[1:])


async def test_trouble_is_tried_again_while_it_is_paused(world: FakeWorld) -> None:
    """The pause doesn't make a passing failure the end of it."""
    held = await hold(world, await connected(world), "paused")

    failed = await looked(world, held, 39.5 * DAY, json_answer("{}", 503))
    renewed = await looked(world, held, 120, token(2, at=world.clock.now()))

    assert ("provider_unavailable", True) == (failed.last_error, failed.renews_at is not None)
    assert (2, True) == (renewed.generation, renewed.paused)


async def test_the_password_is_never_used_to_keep_alive(world: FakeWorld) -> None:
    """A refresh token that was refused leaves it to whoever resumes the connection."""
    await publish(world, refresh="strategy: refresh_then_password, " + ALIVE, keep="required")
    connection = (await log_in(world)).connection
    held = await hold(world, connection, "paused")

    after = await looked(world, held, 39.5 * DAY, error("invalid_grant"))
    again = await looked(world, held, 3600)

    assert (State.ACTIVE, False, 2) == (after.state, after.refreshable, len(bodies(world)))
    assert again.renews_at is None
    assert [] == [each for each in actions(world) if each[0] == "login.sent"][1:]
    world.egress.will_reply(token(2, at=world.clock.now()))
    resumed = await world.application.pause(connection.id, ACTOR, paused=False)
    assert 2 == (await world.application.renewals.renew(resumed.id, generation=1)).generation


async def test_a_pause_during_a_keep_alive_leaves_what_the_pause_set(world: FakeWorld) -> None:
    """A renewal that began before the pause, and failed after it, moves nothing away."""
    connection = await connected(world)
    paused: list[Connection] = []

    async def pause_then_fail(_: object) -> Answer:
        paused.append(await world.application.pause(connection.id, ACTOR, paused=True))
        return json_answer("{}", 503)

    world.egress.will_reply(pause_then_fail)
    with pytest.raises((ProviderUnavailable, ConnectionPaused)):
        await world.application.renewals.renew(connection.id, generation=1, forced=True)

    after = await read(world, connection.id)
    assert paused[0].renews_at == after.renews_at
    assert after.renews_at is not None
