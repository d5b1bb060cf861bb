"""One password on a thousand accounts: how many of them the provider hears of."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from keyturn.core.access.spraying import LIMITS, Watched
from keyturn.core.errors import CredentialsRejected, KeyturnError, LoginSpraying
from keyturn.core.messages import Answer
from keyturn.core.secret import Secret
from keyturn.engine.actor import Actor
from keyturn.engine.login.login_request import LoginRequest
from tests.engine.passing import in_time
from tests.engine.story import ACTOR, actions, error, me, publish, token
from tests.fakes.application import FakeWorld, make_world

ACCOUNTS = 1000
ONE_SOURCE, CONNECTOR = LIMITS[Watched.API_KEY].accounts, LIMITS[Watched.CONNECTOR].accounts


@pytest.fixture
async def world() -> FakeWorld:
    """A world in which the connector is published."""
    made = make_world()
    await publish(made)
    return made


def request(n: int, **more: Any) -> LoginRequest:
    """A login of the n-th account, each of another owner."""
    return replace(LoginRequest("acme", f"owner-{n}", f"user-{n}", Secret("Summer2024!")), **more)


async def spray(
    world: FakeWorld, who: Callable[[int], tuple[LoginRequest, Actor]], number: int = ACCOUNTS, at_once: int = 20
) -> list[str]:
    """Try one password on so many accounts, some at once; the code that each login ended with."""
    world.egress.will_reply(*[error("invalid_grant")] * number)

    async def one(n: int) -> str:
        try:
            await world.application.connect(*who(n))
        except KeyturnError as refused:
            return refused.code
        return "ok"

    codes: list[str] = []
    for first in range(0, number, at_once):
        group = asyncio.gather(*(one(n) for n in range(first, min(number, first + at_once))))

        async def wait(group: asyncio.Future[list[str]] = group) -> list[str]:
            return await group

        codes += await in_time(world, wait(), step_s=0.01)
    return codes


@pytest.mark.parametrize(
    ("who", "reached"),
    [
        pytest.param(lambda n: (request(n), ACTOR), ONE_SOURCE, id="by one API key"),
        pytest.param(lambda n: (request(n, owner="o"), Actor(f"session:{n}")), ONE_SOURCE, id="for one owner"),
        pytest.param(lambda n: (request(n), Actor(f"session:{n}", None, "192.0.2.1")), ONE_SOURCE, id="one address"),
        pytest.param(lambda n: (request(n), Actor(f"session:{n}", None, f"192.0.{n}")), CONNECTOR, id="by a botnet"),
    ],
)
async def test_a_sprayed_password_reaches_few(
    world: FakeWorld, who: Callable[[int], tuple[LoginRequest, Actor]], reached: int
) -> None:
    """The rest are refused with the time to wait; the log tells once."""
    codes = await spray(world, who)
    told = [outcome for action, outcome in actions(world) if action == "login.spraying"]

    assert reached == len(world.egress.requests)
    assert [CredentialsRejected.code] * reached + [LoginSpraying.code] * (ACCOUNTS - reached) == sorted(
        codes, reverse=True
    )
    assert [LoginSpraying.code] == told


async def test_the_wait_is_told_and_kept(world: FakeWorld) -> None:
    """After it the next is sent."""
    await spray(world, lambda n: (request(n), ACTOR), ONE_SOURCE)
    with pytest.raises(LoginSpraying) as held:
        await world.application.connect(request(5000), ACTOR)
    world.clock.advance(held.value.retry_after_s or 0)
    world.egress.will_reply(error("invalid_grant"))

    assert 0 < (held.value.retry_after_s or 0) <= 900
    with pytest.raises(CredentialsRejected):
        await world.application.connect(request(5000), ACTOR)


async def test_one_source_holds_up_no_other(world: FakeWorld) -> None:
    """A key that sprays is held; the connector's other logins go on."""
    await spray(world, lambda n: (request(n), ACTOR), ONE_SOURCE + 50)
    before = len(world.egress.requests)
    world.egress._replies.clear()
    world.egress.will_reply(token(at=world.clock.now()), me())

    await world.application.connect(request(9000), Actor("key:other"))

    assert before + 2 == len(world.egress.requests)


async def test_sixty_honest_logins_a_minute_are_never_held(world: FakeWorld) -> None:
    """For longer than the quarter of an hour that is looked at, every third mistyped at first and nobody the wiser."""
    n = 0
    for _ in range(18):
        for place in range(60):
            n += 1
            if place % 3 == 0:
                world.egress.will_reply(error("invalid_grant"))
                with pytest.raises(CredentialsRejected):
                    await world.application.connect(request(n), ACTOR)
            else:
                world.egress.will_reply(token(n, at=world.clock.now()), me(str(n)))
                await world.application.connect(request(n), ACTOR)
            world.clock.advance(1)

    assert not [each for each in actions(world) if each[0] == "login.spraying"]


async def test_an_outage_is_no_spraying(world: FakeWorld) -> None:
    """What the provider did not judge counts for nothing."""
    for n in range(ONE_SOURCE + 10):
        world.egress.will_reply(Answer(503, (), b"", 0.0))
        with pytest.raises(KeyturnError):
            await world.application.connect(request(n), ACTOR)

    world.egress.will_reply(token(at=world.clock.now()), me())
    await world.application.connect(request(5000), ACTOR)


async def test_unknown_account_and_wrong_password_take_the_same_way(world: FakeWorld) -> None:
    """Where the provider says the same, so does keyturn: the same words, after the same reads and writes."""
    seen = []
    for name in ("jo", "nobody"):
        world.egress.will_reply(error("invalid_grant"))
        world.stores.database.writes.clear()
        before = len(world.stores.database.records)
        with pytest.raises(CredentialsRejected) as refused:
            await world.application.connect(request(0, username=name), ACTOR)
        said = (refused.value.code, refused.value.detail, refused.value.extensions, refused.value.retry_after_s)
        seen.append((said, list(world.stores.database.writes), actions(world)[before:], world.clock.slept[:]))

    assert seen[0] == seen[1]
