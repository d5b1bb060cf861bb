"""The end user's address: in every request of a login and in no other, and nowhere at rest."""

from __future__ import annotations

from dataclasses import replace

import pytest

from keyturn.core.secret import Secret
from keyturn.engine.builder.previews import step_requests
from keyturn.engine.login.challenged import Challenged
from keyturn.engine.login.connect import LoginRequest
from keyturn.engine.login.login_request import Connected
from tests.engine.challenges.scene import CODE, answer, mfa, row_of
from tests.engine.story import ACTOR, log_in, me, publish, token
from tests.engine.test_before import TENANT, tenant
from tests.fakes.application import FakeWorld, make_world
from tests.fakes.clock import FakeClock

ADDRESS = "203.0.113.77"
HEADER = "X-Forwarded-For"
ASKS = f"client_address_header: {HEADER}\n"
SAID = replace(ACTOR, client_address=ADDRESS)


@pytest.fixture
def world() -> FakeWorld:
    """A world whose clock moves when somebody sleeps."""
    return make_world(clock=FakeClock(auto=True))


def told(world: FakeWorld) -> list[tuple[str, str | None]]:
    """The last part of each URL, and the address that went along."""
    return [
        (each.url.partition("?")[0].rpartition("/")[2], dict(each.headers).get(HEADER))
        for each in world.egress.requests
    ]


def request(**more: object) -> LoginRequest:
    """A login of jo."""
    return LoginRequest("acme", "owner-1", "jo", Secret("password-canary"), **more)  # type: ignore[arg-type]


async def test_every_request_of_a_login_and_no_other(world: FakeWorld) -> None:
    """The request before, the token request and a challenge's carry it; test, refresh and revoke don't."""
    params = ', params: {grant_type: password, password: "{{ password }}", tenant: "{{ tenant }}"}'
    await publish(world, more=ASKS + CODE, token=f", before: [{TENANT}]{params}")
    world.egress.will_reply(tenant(), mfa(), token(at=world.clock.now()), me())

    stopped = await world.application.connect(request(), SAID)
    assert isinstance(stopped, Challenged)
    done = await world.application.challenges.answer(stopped.id, {"otp": "123456"}, SAID)
    assert isinstance(done, Connected)
    world.egress.will_reply(token(2, at=world.clock.now()))
    await world.application.renewals.renew(done.connection.id, generation=1)

    expected = [("tenant", ADDRESS), ("token", ADDRESS), ("token", ADDRESS), ("me", None), ("token", None)]
    assert expected == told(world)


async def test_the_answer_of_a_challenge_tells_its_own_address(world: FakeWorld) -> None:
    """What waits for a code holds no address: who answers without one passes none on."""
    await publish(world, more=ASKS + CODE)
    world.egress.will_reply(mfa(), token(at=world.clock.now()), me())

    stopped = await world.application.connect(request(), SAID)
    assert isinstance(stopped, Challenged)
    await answer(world, stopped, otp="123456")

    assert [("token", ADDRESS), ("token", None), ("me", None)] == told(world)


async def test_a_renewal_by_the_kept_password_tells_none(world: FakeWorld) -> None:
    """Nobody is there whose address it could be."""
    await publish(world, more=ASKS, keep="required", refresh="strategy: password_only")
    connected = await log_in(world, token(refresh=None, at=world.clock.now()))
    world.egress.will_reply(token(2, refresh=None, at=world.clock.now()))

    await world.application.renewals.renew(connected.connection.id, generation=1)

    assert [None, None, None] == [address for _, address in told(world)]


async def test_a_connector_that_does_not_ask_is_told_nothing(world: FakeWorld) -> None:
    """An address that was given is not used."""
    await publish(world)
    world.egress.will_reply(token(at=world.clock.now()), me())

    await world.application.connect(request(), SAID)

    assert all(ADDRESS not in str(each.headers) for each in world.egress.requests)


async def test_it_rests_nowhere(world: FakeWorld) -> None:
    """No row and no record has it, also while a challenge waits; the actor's repr hides it."""
    await publish(world, more=ASKS + CODE)
    world.egress.will_reply(mfa())

    stopped = await world.application.connect(request(), SAID)
    assert isinstance(stopped, Challenged)
    row, opened = await row_of(world, stopped), await world.stores.challenges.open(stopped.id)

    assert opened is not None
    assert opened[1] is not None
    held = [repr(world.stores.database.records), repr(row), repr([getattr(opened[1], n) for n in opened[1].__slots__])]
    assert "login.challenged" in held[0]
    assert [] == [each for each in [*held, repr(SAID)] if ADDRESS in each]


async def test_the_preview_shows_the_header(world: FakeWorld) -> None:
    """In step 2, by its name; not in the others."""
    connector = await publish(world, more=ASKS)

    shown = [preview for step in range(1, 10) for _, preview in step_requests(connector, step)]

    with_header = [each for each in shown if not isinstance(each, str) and HEADER in dict(each.headers)]
    assert [("https://auth.acme.example/token", "‹client_address›")] == [
        (each.url, dict(each.headers)[HEADER]) for each in with_header
    ]
