"""Stopping a connection for a while: nothing is sent, nothing is lost."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from keyturn.core.connection import Intent, IntentKind, State
from keyturn.core.errors import ConnectionDisconnected, ConnectionPaused, NotFound, VersionConflict
from keyturn.core.messages import Answer, OutgoingRequest
from tests.engine.passing import renew, round_of
from tests.engine.story import ACTOR, actions, bodies, log_in, publish, read, token
from tests.fakes.application import FakeWorld, make_world
from tests.fakes.egress import json_answer


@pytest.fixture
def world() -> FakeWorld:
    """A world in which time passes only as a test lets it."""
    made = make_world()
    made.entropy.fixed_fraction = 0.5
    return made


async def test_a_paused_connection_is_neither_called_nor_renewed(world: FakeWorld) -> None:
    """From the moment that the pause commits; resumed, it is due as it was."""
    await publish(world)
    connection = (await log_in(world)).connection
    pause = world.application.pause

    paused = await pause(connection.id, ACTOR, paused=True)

    assert ("paused", None) == (paused.shown_state, paused.renews_at)
    with pytest.raises(ConnectionPaused):
        await renew(world, paused)
    with pytest.raises(ConnectionPaused):
        await world.application.calls.route(connection.id, ACTOR)
    world.clock.advance(7200)
    await round_of(world)
    assert 1 == len(bodies(world))
    resumed = await pause(connection.id, ACTOR, paused=False)
    assert ("active", connection.renews_at) == (resumed.shown_state, resumed.renews_at)
    assert [("connection.paused", "ok"), ("connection.resumed", "ok")] == actions(world)[-2:]


async def test_pausing_twice_is_one_pause(world: FakeWorld) -> None:
    """Nothing is written the second time; resuming what runs is fine too."""
    await publish(world)
    connection = (await log_in(world)).connection
    assert connection == await world.application.pause(connection.id, ACTOR, paused=False)

    first = await world.application.pause(connection.id, ACTOR, paused=True)

    assert first == await world.application.pause(connection.id, ACTOR, paused=True)


async def test_who_read_an_older_row_is_refused(world: FakeWorld) -> None:
    """And what is not there, or has ended, can't be paused."""
    await publish(world)
    connection = (await log_in(world)).connection
    pause = world.application.pause

    with pytest.raises(VersionConflict):
        await pause(connection.id, ACTOR, paused=True, expected_revision=connection.revision + 1)
    await pause(connection.id, ACTOR, paused=True, expected_revision=connection.revision)
    with pytest.raises(NotFound):
        await pause("cxn_nobody", ACTOR, paused=True)
    world.egress.will_reply(json_answer("{}"), json_answer("{}"))
    await world.application.disconnect(connection.id, ACTOR)
    with pytest.raises(ConnectionDisconnected):
        await pause(connection.id, ACTOR, paused=False)


@pytest.mark.parametrize(
    ("reply", "generation"),
    [pytest.param("token", 2, id="a token"), pytest.param("down", 1, id="a passing failure")],
)
async def test_a_renewal_that_was_under_way_is_kept_and_makes_nothing_due(
    world: FakeWorld, reply: str, generation: int
) -> None:
    """What the provider answered is not lost to a pause, and the scheduler is not called by it."""
    await publish(world)
    connection = (await log_in(world)).connection

    async def and_it_is_paused(_: OutgoingRequest) -> Answer:
        await world.application.pause(connection.id, ACTOR, paused=True)
        return token(2, at=world.clock.now()) if reply == "token" else json_answer("{}", 503)

    world.egress.will_reply(and_it_is_paused)
    await asyncio.wait([asyncio.ensure_future(renew(world, connection))])

    after = await read(world, connection.id)
    assert (generation, True, None, None) == (after.generation, after.paused, after.intent, after.renews_at)


async def test_an_unknown_outcome_is_seen_to_at_once_after_a_pause(world: FakeWorld) -> None:
    """An intent that a crash left behind is not forgotten by pausing and resuming."""
    await publish(world)
    connection = (await log_in(world)).connection
    intent = Intent(IntentKind.REFRESH, 1, "att_dead", world.clock.now())
    await world.stores.connections.save(replace(connection, intent=intent))
    await world.application.pause(connection.id, ACTOR, paused=True)

    resumed = await world.application.pause(connection.id, ACTOR, paused=False)

    assert world.clock.now() == resumed.renews_at
    await round_of(world)
    assert State.UNCERTAIN is (await read(world, connection.id)).state


async def test_what_needs_its_person_is_not_due_after_a_pause(world: FakeWorld) -> None:
    """Nothing by itself can help it."""
    await publish(world)
    connection = (await log_in(world)).connection
    await world.stores.connections.save(replace(connection, state=State.NEEDS_RECONNECT, renews_at=None))
    await world.application.pause(connection.id, ACTOR, paused=True)

    assert (await world.application.pause(connection.id, ACTOR, paused=False)).renews_at is None
