"""Stopped logins: nothing goes out with a password; all else goes on."""

from __future__ import annotations

from dataclasses import replace

import pytest

from keyturn.core.errors import LoginsStopped, NotFound
from keyturn.core.secret import Secret
from keyturn.engine.login.login_request import LoginRequest
from tests.engine.passing import renew
from tests.engine.story import ACTOR, actions, log_in, publish, read, token
from tests.fakes.application import FakeWorld, make_world

REQUEST = LoginRequest("acme", "owner-1", "jo", Secret("password-canary"))


@pytest.fixture
def world() -> FakeWorld:
    """A world in which time passes only as a test lets it."""
    made = make_world()
    made.entropy.fixed_fraction = 0.5
    return made


async def test_a_login_is_refused_before_it_is_sent(world: FakeWorld) -> None:
    """Whatever was typed; started again, it goes out."""
    await publish(world)
    stop = world.application.guards.stop_logins
    await stop.stop("acme", ACTOR)
    for wanted in (REQUEST, replace(REQUEST, username="")):
        with pytest.raises(LoginsStopped):
            await world.application.connect(wanted, ACTOR)
    refused = len(world.egress.requests)
    await stop.start("acme", ACTOR)
    await log_in(world)

    assert 0 == refused
    assert ["connector.logins_stopped", "connector.logins_started"] == [
        action for action, _ in actions(world) if action.startswith("connector.logins")
    ]


async def test_a_kept_password_is_not_sent(world: FakeWorld) -> None:
    """The connection stays as it is and is tried again later."""
    await publish(world, keep="required", refresh="strategy: password_only")
    connection = (await log_in(world)).connection
    sent = len(world.egress.requests)
    await world.application.guards.stop_logins.stop("acme", ACTOR)
    with pytest.raises(LoginsStopped):
        await renew(world, connection)
    waiting = await read(world, connection.id)
    await world.application.guards.stop_logins.start("acme", ACTOR)
    world.egress.will_reply(token(2, at=world.clock.now()))

    assert (connection.state, LoginsStopped.code) == (waiting.state, waiting.last_error)
    assert (waiting.renews_at or 0) > world.clock.now()
    assert sent == len(world.egress.requests)
    assert 2 == (await renew(world, waiting)).generation


async def test_refreshes_go_on(world: FakeWorld) -> None:
    """They need no password."""
    await publish(world, refresh='url: "https://auth.acme.example/token"')
    connection = (await log_in(world)).connection
    await world.application.guards.stop_logins.stop("acme", ACTOR)
    world.egress.will_reply(token(2, at=world.clock.now()))

    assert 2 == (await renew(world, connection)).generation


async def test_only_what_there_is_is_stopped(world: FakeWorld) -> None:
    """A name that is mistyped is said, in an incident above all."""
    for act in (world.application.guards.stop_logins.stop, world.application.guards.stop_logins.start):
        with pytest.raises(NotFound):
            await act("acmee", ACTOR)
