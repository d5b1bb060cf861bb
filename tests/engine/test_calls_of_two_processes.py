"""A newer token set that another process has stored, where this one has not heard of it yet."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from keyturn.core.connection import Connection
from keyturn.engine.calls.routes import Route
from keyturn.ports.store import SealedChange
from tests.contracts.samples import token_set
from tests.engine.story import ACTOR, log_in, publish
from tests.fakes.application import FakeWorld, make_world


@pytest.fixture
async def world() -> FakeWorld:
    """A world with a connector."""
    world = make_world()
    await publish(world)
    return world


async def written_elsewhere(world: FakeWorld, connection: Connection, generation: int = 1) -> Connection:
    """Write a row past the caches of this process, as another would."""
    sealed = SealedChange(token_set=token_set(str(generation)))
    return await world.stores.connections.save(replace(connection, generation=generation), sealed=sealed)


async def test_a_young_token_that_another_process_replaced(world: FakeWorld) -> None:
    """A refusal of a token that never worked here leads to the newer one, if there is one, and to no renewal."""
    connection = (await log_in(world)).connection
    row = await written_elsewhere(world, replace(connection, worked_generation=None), 2)
    row = replace(row, token_issued_at=world.clock.now())
    calls = world.application.calls
    route = await calls.route(connection.id)
    young = replace(route, worked=False, connection=replace(row, token_issued_at=world.clock.now()))
    without = await calls.after_stale(young, "GET", ACTOR)
    await written_elsewhere(world, row, 3)
    calls.forget_all()
    found = await calls.after_stale(young, "GET", ACTOR)

    assert without is None
    assert found is not None
    assert 3 == found.generation


async def test_an_older_set_on_its_way_into_memory(world: FakeWorld) -> None:
    """I6: a route that is being made of generation 1 is not what a caller goes on with who knows of 2."""
    connection = (await log_in(world)).connection
    calls, opening, going_on = world.application.calls, asyncio.Event(), asyncio.Event()
    real_open = world.stores.connections.open

    async def slow_open(connection_id: str, *, project: str = "default") -> object:
        found = await real_open(connection_id, project=project)
        opening.set()
        await going_on.wait()
        return found

    world.stores.connections.open = slow_open  # type: ignore[method-assign,assignment]
    old = asyncio.create_task(calls.route(connection.id))
    await opening.wait()
    await written_elsewhere(world, connection, 2)
    stale = await route_of_before(connection)
    waiting = [asyncio.create_task(calls.after_stale(stale, "GET", ACTOR)) for _ in range(5)]
    for _ in range(20):
        await asyncio.sleep(0)
    going_on.set()
    found = await asyncio.gather(*waiting)
    await old

    assert [2] * 5 == [each.generation for each in found if each is not None]
    cached = calls.cached(connection.id)
    assert cached is not None
    assert 2 == cached.generation


async def route_of_before(connection: Connection) -> Route:
    """A route of generation 1, as a call holds it that was sent before."""
    other = make_world()
    await publish(other)
    made = (await log_in(other)).connection
    route = await other.application.calls.route(made.id)
    return replace(route, connection=connection)
