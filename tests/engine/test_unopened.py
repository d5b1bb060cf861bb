"""A connection that can't be opened or read ends calls and renewals, and nothing else: it can be got rid of (I19)."""

from __future__ import annotations

import pytest

from keyturn.core.connection import State
from keyturn.core.errors import ConnectionDisconnected, KeyturnError
from keyturn.core.explain import explain
from keyturn.engine.revocation.erase_owner import EraseOwner
from keyturn.ports.store import ConnectionFilter
from tests.engine.story import ACTOR, actions, log_in, publish, read, token
from tests.fakes.application import FakeWorld, make_world
from tests.fakes.egress import json_answer

DAMAGES = ("unreadable", "broken_seals")


@pytest.fixture
def world() -> FakeWorld:
    """A world in which time passes only as a test lets it."""
    made = make_world()
    made.entropy.fixed_fraction = 0.5
    return made


async def damaged(world: FakeWorld, how: str) -> str:
    """A connection whose row or seal is spoilt; returns its id."""
    await publish(world)
    connection = (await log_in(world)).connection
    getattr(world.stores.connections, how).add(connection.id)
    return connection.id


@pytest.mark.parametrize("how", DAMAGES)
@pytest.mark.parametrize("now", [False, True])
async def test_it_is_disconnected_unopened(world: FakeWorld, how: str, now: bool) -> None:
    """Nothing is sent; answer, state, record and `why` say that the provider could not be told."""
    connection_id = await damaged(world, how)
    sent = len(world.egress.requests)
    ended = await world.application.disconnect(connection_id, ACTOR, forget_now=now)
    after = await read(world, connection_id)

    assert (State.DISCONNECTED, "not_possible") == (ended.state, ended.revocation["result"])
    assert (ended, sent) == (after, len(world.egress.requests))
    assert "not_possible" == world.stores.database.records[-1].facts["revocation"]
    assert "could not be told" in explain(after, None, world.clock.now(), None).text
    with pytest.raises(ConnectionDisconnected):
        await world.application.disconnect(connection_id, ACTOR)


@pytest.mark.parametrize("how", DAMAGES)
@pytest.mark.parametrize("reconnects", [False, True])
async def test_a_new_login_takes_its_place(world: FakeWorld, how: str, reconnects: bool) -> None:
    """The same account, by itself or as a reconnect: the id stays, a higher generation, and it works again."""
    connection_id = await damaged(world, how)
    world.clock.advance(10)
    answer = token(2, at=world.clock.now())
    again = await log_in(world, answer, reconnects=connection_id if reconnects else None)
    opened = await world.stores.connections.open(connection_id)

    assert (connection_id, False, State.ACTIVE) == (again.connection.id, again.created, again.connection.state)
    assert 2 == again.connection.generation
    assert opened is not None
    assert opened[1].token_set is not None
    assert "access-2" == opened[1].token_set.access_token.reveal()
    assert ("connection.reconnected", "ok") == actions(world)[-1]
    assert "not_possible" == world.stores.database.records[-1].facts["revocation"]
    assert {} == world.stores.revocations.rows


@pytest.mark.parametrize("how", DAMAGES)
async def test_it_serves_no_call_and_is_shown(world: FakeWorld, how: str) -> None:
    """A call is told which of both it is; a list goes on, and a neighbour is served."""
    connection_id = await damaged(world, how)
    code = {"unreadable": "row_broken", "broken_seals": "seal_broken"}[how]
    neighbour = (await log_in(world, token(3, at=world.clock.now()), account="43")).connection.id
    with pytest.raises(KeyturnError) as refused:
        await world.application.calls.route(connection_id)
    page = await world.stores.connections.list(ConnectionFilter(), cursor=None, limit=9)

    assert code == refused.value.code
    assert {connection_id, neighbour} == {each.id for each in page.items}
    assert neighbour == (await world.application.calls.route(neighbour)).connection.id


@pytest.mark.parametrize("how", DAMAGES)
async def test_erasing_its_owner_takes_it_along(world: FakeWorld, how: str) -> None:
    """With the neighbours of the same owner, whose tokens are revoked."""
    connection_id = await damaged(world, how)
    neighbour = (await log_in(world, token(3, at=world.clock.now()), account="43")).connection.id
    world.egress.will_reply(*[json_answer("{}")] * 2)
    erase: EraseOwner = world.application.erase_owner
    erased = await erase("owner-1", ACTOR)

    assert 2 == erased.connections
    assert {"not_possible": 1, "done": 1} == dict(erased.revocation)
    assert [State.DISCONNECTED] * 2 == [(await read(world, each)).state for each in (connection_id, neighbour)]
