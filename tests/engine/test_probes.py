"""Hosts that hang are asked whether they answer again, at no connection's cost (R9, I11)."""

from __future__ import annotations

import asyncio
from urllib.parse import parse_qs

import pytest

from keyturn.core.connection import Connection, State
from keyturn.core.errors import ProviderTimeout, ProviderUnreachable
from keyturn.core.messages import Answer, OutgoingRequest
from tests.engine.passing import renew
from tests.engine.story import actions, bodies, error, log_in, publish, read
from tests.engine.told import asking
from tests.fakes.application import FakeWorld, make_world

HOST = "auth.acme.example"


@pytest.fixture
def world() -> FakeWorld:
    """A world in which time passes only as a test lets it."""
    return make_world()


async def hung(world: FakeWorld, fields: dict[str, object] | None = None, **parts: str) -> Connection:
    """A connection whose refresh was let wait for 30 s; its host hangs."""
    await publish(world, **parts)
    connection = (await log_in(world, fields=fields or {})).connection

    async def wait(_: OutgoingRequest) -> Answer:
        world.clock.advance(30.0)
        raise ProviderTimeout

    world.egress.will_reply(wait)
    with pytest.raises(Exception, match="renewal_not_possible"):
        await renew(world, connection)
    return connection


async def probe(world: FakeWorld) -> list[str]:
    """Let a second pass, and say what was sent meanwhile."""
    before = len(bodies(world))
    world.clock.advance(1.0)
    probes = world.application.scheduler.probes
    assert probes is not None
    await probes()
    for _ in range(20):
        await asyncio.sleep(0)
    return bodies(world)[before:]


async def test_a_probe_shows_a_token_that_nobody_issued(world: FakeWorld) -> None:
    """With the connector's client; each another, none of the connection's, and nothing is written down of it."""
    connection = await hung(world)
    told = actions(world)
    world.egress.will_reply(ProviderTimeout(), error("invalid_grant"))
    (first,) = await probe(world)
    for _ in range(8):
        assert [] == await probe(world)
    world.clock.advance(10.0)
    (second,) = await probe(world)

    shown = [parse_qs(each)["refresh_token"][0] for each in (first, second)]
    assert 2 == len(set(shown))
    assert {"refresh-1", "access-1"}.isdisjoint(shown)
    assert ["refresh_token"] * 2 == [parse_qs(each)["grant_type"][0] for each in (first, second)]
    assert told == actions(world)
    assert State.UNCERTAIN is (await read(world, connection.id)).state
    assert world.application.gate.refusal(asking(HOST, "another")) is None


@pytest.mark.parametrize("reply", [ProviderTimeout(), ProviderUnreachable()])
async def test_no_answer_lets_no_fresh_token_through(world: FakeWorld, reply: Exception) -> None:
    """Two minutes of it cost twelve probes and no connection."""
    await hung(world)
    world.egress.will_reply(*[reply] * 13)
    sent = [each for _ in range(120) for each in await probe(world)]

    assert 12 == len(sent)
    assert all("refresh-" not in each for each in sent)
    assert world.application.gate.refusal(asking(HOST, "another")) is not None


async def test_where_a_seal_would_have_to_be_opened_there_is_no_probe(world: FakeWorld) -> None:
    """Then one real refresh is tried, a minute later."""
    pin = "fields: [{key: pin, label: Pin, type: secret}]"
    await hung(world, {"pin": "1234"}, more=pin, refresh='params: {pin: "{{ pin }}"}')
    assert [] == await probe(world)
    at_once = world.application.gate.refusal(asking(HOST, "another"))
    world.clock.advance(60.0)

    assert at_once is not None
    assert world.application.gate.refusal(asking(HOST, "another")) is None


async def test_none_is_sent_once_the_process_stops(world: FakeWorld) -> None:
    """Nothing is sent after the signal."""
    await hung(world)
    world.application.stopping.begin()

    assert [] == await probe(world)
