"""A wait is its connection's own, holds callers until its time at most, and is over once its reason has passed."""

from __future__ import annotations

import asyncio

import pytest

from keyturn.core.connection import Connection, State
from keyturn.core.errors import ProviderRateLimited, ScopeInsufficient
from keyturn.core.messages import Answer
from tests.engine.passing import renew
from tests.engine.story import bodies, error, log_in, publish, read, token
from tests.fakes.application import FakeWorld, make_world

LIMITED = Answer(429, (("Retry-After", "300"),))


@pytest.fixture
def world() -> FakeWorld:
    """A world in which time passes only as a test lets it."""
    return make_world()


async def fleet(world: FakeWorld, number: int) -> list[Connection]:
    """So many connections of one connector."""
    await publish(world)
    return [(await log_in(world, account=str(each))).connection for each in range(number)]


async def refused(world: FakeWorld, connection: Connection, *answers: Answer) -> Exception:
    """A caller's renewal that fails; what is answered, if anything may be sent."""
    world.egress.will_reply(*answers)
    with pytest.raises((ProviderRateLimited, ScopeInsufficient)) as told:
        await renew(world, connection)
    return told.value


def sent(world: FakeWorld, of: int) -> int:
    """How many renewals were sent, of a fleet of so many logins."""
    return len(bodies(world)) - of


async def test_a_caller_is_refused_for_as_long_as_was_asked_and_no_longer(world: FakeWorld) -> None:
    """A neighbour is not refused at all."""
    struck, other = await fleet(world, 2)
    await refused(world, struck, LIMITED)
    world.clock.advance(299.0)
    early = await refused(world, struck)
    world.egress.will_reply(token(2, at=world.clock.now()), token(3, at=world.clock.now()))
    beside = await renew(world, other)
    world.clock.advance(1.0)

    assert isinstance(early, ProviderRateLimited)
    assert 1.0 == early.retry_after_s
    assert (2, 2) == (beside.generation, (await renew(world, struck)).generation)


async def test_it_is_over_once_the_host_has_recovered(world: FakeWorld) -> None:
    """Three were told so, and the host was held; a token ended that, and with it the waits of before."""
    *struck, well, later = await fleet(world, 5)
    for each in struck:
        await refused(world, each, LIMITED)
    held = await refused(world, well)
    world.clock.advance(60.0)
    still = await refused(world, struck[0])
    world.egress.will_reply(token(2, at=world.clock.now()))
    await renew(world, well)
    world.clock.advance(1.0)
    await refused(world, later, LIMITED)
    world.egress.will_reply(*[token(n, at=world.clock.now()) for n in range(3, 6)])
    renewed = [(await renew(world, each)).generation for each in struck]

    assert isinstance(held, ProviderRateLimited)
    assert isinstance(still, ProviderRateLimited)
    assert [2, 2, 2] == renewed
    assert isinstance(await refused(world, later), ProviderRateLimited), "it was told so since"
    assert 3 + 1 + 1 + 3 == sent(world, 5)


async def test_a_scope_that_one_is_refused_is_its_own(world: FakeWorld) -> None:
    """However often; of four connections the others go on (R2)."""
    struck, *others = await fleet(world, 4)
    for _ in range(4):
        await refused(world, struck, error("invalid_scope"))
        world.clock.advance(901.0)
    world.egress.will_reply(*[token(n, at=world.clock.now()) for n in (2, 3, 4)])

    assert [2, 2, 2] == [(await renew(world, each)).generation for each in others]
    assert State.ACTIVE is (await read(world, struck.id)).state
    assert () == tuple(world.application.gate.alarms())


async def test_a_scope_that_the_only_one_is_refused_is_no_alarm(world: FakeWorld) -> None:
    """A fact of one grant, though it is all there are."""
    (struck,) = await fleet(world, 1)
    for _ in range(3):
        await refused(world, struck, error("invalid_scope"))
        await asyncio.sleep(0.01)
        world.clock.advance(901.0)

    assert () == tuple(world.application.gate.alarms())


async def test_a_scope_that_three_are_refused_is_an_alarm_until_a_token(world: FakeWorld) -> None:
    """Others hear so without a send; one asks after a minute, and its token ends what the three wait for."""
    *struck, well, another = await fleet(world, 5)
    for each in struck:
        await refused(world, each, error("invalid_scope"))
    alarmed = await refused(world, well)
    before = sent(world, 5)
    world.clock.advance(60.0)
    world.egress.will_reply(*[token(n, at=world.clock.now()) for n in range(2, 7)])
    generations = [(await renew(world, each)).generation for each in (well, *struck, another)]

    assert isinstance(alarmed, ScopeInsufficient)
    assert 3 == before
    assert [2] * 5 == generations


async def test_a_token_between_says_that_the_scope_is_right(world: FakeWorld) -> None:
    """Then three more are needed."""
    one, two, well, three, last = await fleet(world, 5)
    for each in (one, two):
        await refused(world, each, error("invalid_scope"))
    world.egress.will_reply(token(2, at=world.clock.now()))
    await renew(world, well)
    await refused(world, three, error("invalid_scope"))
    world.egress.will_reply(token(3, at=world.clock.now()))

    assert 2 == (await renew(world, last)).generation
