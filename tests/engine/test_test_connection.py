"""Step 5 once more: a verdict with its time, and no renewal that is not due."""

from __future__ import annotations

from dataclasses import replace

import pytest

from keyturn.core.connection import Connection, State
from keyturn.core.errors import (
    ConnectionDisconnected,
    ConnectionPaused,
    ConnectionUnconfirmed,
    NeedsReconnect,
    NotFound,
    ProviderUnreachable,
)
from keyturn.core.messages import Answer
from keyturn.core.requests.provider_request import Preview
from tests.engine.passing import in_time
from tests.engine.story import ACTOR, actions, bodies, log_in, me, publish, read, token
from tests.fakes.application import FakeWorld, make_world
from tests.fakes.egress import json_answer


@pytest.fixture
def world() -> FakeWorld:
    """A world in which time passes only as a test lets it."""
    return make_world()


async def run(world: FakeWorld, connection: Connection) -> Connection:
    """Test the connection."""
    tested = await in_time(world, world.application.test_connection(connection.id, ACTOR))
    assert isinstance(tested, Connection)
    return tested


VERDICTS = [
    pytest.param(me(), True, 200, None, id="passed"),
    pytest.param(json_answer("{}", 401), False, 401, "connection_test_failed", id="refused"),
    pytest.param(json_answer('{"id": ""}'), False, 200, "connection_test_failed", id="not what is expected"),
    pytest.param(ProviderUnreachable(), False, None, "connection_test_failed", id="not reached"),
]


@pytest.mark.parametrize(("reply", "passed", "status", "code"), VERDICTS)
async def test_the_verdict_is_recorded(
    world: FakeWorld, reply: Answer | Exception, passed: bool, status: int | None, code: str | None
) -> None:
    """With its time; nothing else about the connection changes, and nothing is renewed."""
    await publish(world)
    connection = (await log_in(world)).connection
    world.clock.advance(60)
    world.egress.will_reply(reply)

    tested = await run(world, connection)

    assert tested.last_test is not None
    assert (world.clock.now(), passed, status, code) == (
        tested.last_test.at,
        tested.last_test.passed,
        tested.last_test.status,
        tested.last_test.code,
    )
    assert (State.ACTIVE, 1) == (tested.state, tested.generation)
    assert 1 == len(bodies(world))
    assert ("connection.tested", code or "ok") == actions(world)[-1]


async def test_a_token_that_has_ended_is_renewed_first(world: FakeWorld) -> None:
    """Else the verdict would be about the token's age."""
    await publish(world)
    connection = (await log_in(world)).connection
    world.clock.advance(3599)
    world.egress.will_reply(me())
    assert 1 == (await run(world, connection)).generation
    world.clock.advance(1)
    world.egress.will_reply(token(2, at=world.clock.now()), me())

    tested = await run(world, connection)

    assert (2, 2) == (tested.generation, tested.worked_generation)
    assert ("Authorization", "Bearer access-2") in world.egress.requests[-1].headers


async def test_a_token_that_has_ended_for_good_is_not_tested(world: FakeWorld) -> None:
    """The answer says that the person is needed."""
    await publish(world)
    connection = (await log_in(world, token(refresh=None, at=world.clock.now()))).connection
    world.clock.advance(3600)

    with pytest.raises(NeedsReconnect):
        await run(world, connection)

    assert 2 == len(world.egress.requests)


async def test_a_dry_run_shows_the_request_and_sends_nothing(world: FakeWorld) -> None:
    """With its secrets masked; also of a token that has ended."""
    await publish(world)
    connection = (await log_in(world)).connection
    world.clock.advance(3601)

    shown = await world.application.test_connection(connection.id, ACTOR, dry_run=True)

    assert isinstance(shown, Preview)
    assert ("GET", "https://api.acme.example/me") == (shown.method, shown.url)
    assert "access-1" not in str(shown)
    assert 2 == len(world.egress.requests)


@pytest.mark.parametrize(
    ("change", "raised"),
    [
        pytest.param({"paused": True}, ConnectionPaused, id="paused"),
        pytest.param({"unconfirmed": True}, ConnectionUnconfirmed, id="unconfirmed"),
        pytest.param({"state": State.DISCONNECTED}, ConnectionDisconnected, id="disconnected"),
    ],
)
async def test_what_may_not_be_called_is_not_tested(
    world: FakeWorld, change: dict[str, object], raised: type[Exception]
) -> None:
    """A test is a call."""
    await publish(world)
    connection = (await log_in(world)).connection
    await world.stores.connections.save(replace(connection, **change))  # type: ignore[arg-type]

    with pytest.raises(raised):
        await run(world, connection)
    with pytest.raises(NotFound):
        await world.application.test_connection("cxn_nobody", ACTOR)


async def test_a_verdict_that_meets_a_disconnect_is_dropped(world: FakeWorld) -> None:
    """A tombstone has no test."""
    await publish(world)
    connection = (await log_in(world)).connection

    async def and_it_ends(_: object) -> Answer:
        await world.application.disconnect(connection.id, ACTOR)
        return me()

    world.egress.will_reply(and_it_ends, json_answer("{}"), json_answer("{}"))

    with pytest.raises(ConnectionDisconnected):
        await run(world, connection)

    assert connection.last_test == (await read(world, connection.id)).last_test
