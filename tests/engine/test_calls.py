"""Stale answers: when one renews, and when it is handed on."""

from __future__ import annotations

import asyncio

import pytest

from tests.engine.story import ACTOR, log_in, publish, token
from tests.fakes.application import make_world
from tests.fakes.clock import FakeClock


@pytest.mark.parametrize(
    ("moved", "renews"),
    [
        pytest.param(0.0, False, id="young, and never worked: it is about rights"),
        pytest.param(59.0, False, id="a second before a minute"),
        pytest.param(61.0, True, id="older than a minute"),
        pytest.param(-3600.0, True, id="a clock that was set back tells no age"),
    ],
)
async def test_a_generation_that_never_worked_renews_only_when_it_is_old(moved: float, renews: bool) -> None:
    """Else a call that is refused for its rights would renew token after token."""
    world = make_world(clock=FakeClock())
    await publish(world)
    connection = (await log_in(world)).connection
    world.egress.will_reply(token(2, at=world.clock.now()))
    await world.application.renewals.renew(connection.id, generation=1, actor=ACTOR)
    route = await world.application.calls.route(connection.id)
    world.clock.jump_wall(moved)
    world.egress.will_reply(token(3, at=world.clock.now()))

    found = await asyncio.wait_for(world.application.calls.after_stale(route, "GET", ACTOR), 5)

    assert (3 if renews else None) == (found.generation if found else None)


async def test_calls_are_counted_until_they_are_written() -> None:
    """Those that an API answered, with an error or not, also while the database is gone; a token handed out is none."""
    world = make_world(clock=FakeClock())
    await publish(world)
    connection = (await log_in(world)).connection
    calls = world.application.calls
    route = await calls.route(connection.id)
    for worked in (True, True, False):
        calls.used(route, worked=worked)
    calls.used(route, worked=False, called=False)
    world.stores.database.gone = True
    await calls.flush_uses()
    world.stores.database.gone = False
    calls.used(route, worked=True)
    await calls.flush_uses()
    await calls.flush_uses()

    found = await world.application.overview.calls([connection.id], 0.0)
    assert [(4, 1)] == [(each.calls, each.failed) for each in found[connection.id]]
