"""What a connection brings to its logins: a device's id that was made once, and what earlier logins were given."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from keyturn.core.connection import Connection, ConnectionSecrets
from keyturn.core.secret import Secret
from keyturn.engine.login.connect import LoginRequest
from keyturn.engine.login.login_request import Connected
from tests.engine.challenges.scene import AGAIN, answer, begin, mfa
from tests.engine.story import ACTOR, bodies, log_in, me, publish, read, token
from tests.fakes.application import FakeWorld, make_world
from tests.fakes.clock import FakeClock
from tests.fakes.egress import json_answer

PLAIN = 'grant_type: password, username: "{{ username }}", password: "{{ password }}"'
DEVICE = f', params: {{{PLAIN}, device: "{{{{ device_id }}}}"}}'
TRUST = f', params: {{{PLAIN}, trust: "{{{{ device_token }}}}"}}'
GENERATE = "generate: {device_id: uuid}\n"
REMEMBER = "remember: {device_token: device.token}\n"


@pytest.fixture
def world() -> FakeWorld:
    """A world whose clock moves when somebody sleeps."""
    return make_world(clock=FakeClock(auto=True))


def trusted(world: FakeWorld, n: int, device: str | None) -> Any:
    """A token answer that gives a device's token, or none."""
    extra = "" if device is None else f', "device": {{"token": "{device}"}}'
    body = f'{{"access_token": "access-{n}", "refresh_token": "refresh-{n}", "expires_in": 3600{extra}}}'
    return json_answer(body, received_at=world.clock.now())


def sent(world: FakeWorld, name: str) -> list[str | None]:
    """The value of a parameter in each token request; None where it was left out."""
    pairs = [dict(pair.split("=") for pair in body.split("&")) for body in bodies(world)]
    return [each.get(name) for each in pairs]


def kept(world: FakeWorld, connection: Connection) -> dict[str, Secret]:
    """What is sealed with a connection besides its tokens."""
    return dict(world.stores.connections.rows[connection.id][1].fields)


async def renew(world: FakeWorld, connection: Connection, *answers: Any) -> Connection:
    """Renew it by force."""
    world.egress.will_reply(*answers)
    return await world.application.renewals.renew(connection.id, generation=connection.generation, forced=True)


async def test_an_id_is_made_once_and_kept(world: FakeWorld) -> None:
    """A random UUID, in the first login's first request; the same in renewals, calls and later logins."""
    more = GENERATE + 'request: {headers: {X-Device: "{{ device_id }}", A: "{{ access_token }}"}}'
    refresh = 'strategy: password_only, headers: {X-Device: "{{ device_id }}"}'
    await publish(world, token=DEVICE, refresh=refresh, keep="required", more=more)
    connection = (await log_in(world)).connection

    renewed = await renew(world, connection, token(2, at=world.clock.now()))
    again = (await log_in(world, token(3, at=world.clock.now()), reconnects=connection.id)).connection

    (device,) = set(sent(world, "device"))
    assert device is not None
    assert 4 == UUID(device).version
    assert (3, device) == (len(bodies(world)), kept(world, again)["device_id"].reveal())
    calls = [dict(each.headers)["X-Device"] for each in world.egress.requests if each.url.endswith("/me")]
    assert {device} == set(calls)
    assert (2, "device_id") == (renewed.generation, again.sealed_fields[0])


async def test_another_connection_has_another(world: FakeWorld) -> None:
    """It is no fingerprint of the installation."""
    await publish(world, token=DEVICE, more=GENERATE)

    await log_in(world)
    await log_in(world, account="43", owner="owner-2")

    assert 2 == len(set(sent(world, "device")))


async def test_it_survives_a_challenge(world: FakeWorld) -> None:
    """The request with the code is of the same device."""
    await publish(world, token=DEVICE, more=GENERATE + AGAIN)
    challenge = await begin(world, mfa())

    result = await answer(world, challenge, token(at=world.clock.now()), me())

    assert isinstance(result, Connected)
    devices = sent(world, "device")
    assert devices[0] == devices[1] == kept(world, result.connection)["device_id"].reveal()


async def test_what_was_given_is_shown_by_later_logins(world: FakeWorld) -> None:
    """Nothing at the first; then what the last answer gave, and that again where an answer gives none."""
    await publish(world, token=TRUST, refresh="strategy: password_only", keep="required", more=REMEMBER)
    connection = (await log_in(world, trusted(world, 1, "trust-1"))).connection
    second = await renew(world, connection, trusted(world, 2, "trust-2"))
    third = await renew(world, second, trusted(world, 3, None))
    await log_in(world, trusted(world, 4, None), reconnects=connection.id)

    assert [None, "trust-1", "trust-2", "trust-2"] == sent(world, "trust")
    assert {"device_token": Secret("trust-2")} == kept(world, third)
    assert ("device_token",) == (await read(world, connection.id)).sealed_fields


async def test_it_is_remembered_from_a_challenges_last_answer(world: FakeWorld) -> None:
    """The second factor is what makes the device trusted."""
    await publish(world, token=TRUST, more=REMEMBER + AGAIN)
    challenge = await begin(world, mfa())

    result = await answer(world, challenge, trusted(world, 1, "trust-1"), me())
    assert isinstance(result, Connected)
    await log_in(world, trusted(world, 2, None), reconnects=result.connection.id)

    assert [None, None, "trust-1"] == sent(world, "trust")


async def test_the_same_account_without_a_word_of_which_connection(world: FakeWorld) -> None:
    """Whose account it is is known after the login: nothing was shown, and what was given before is not lost."""
    await publish(world, token=TRUST, more=REMEMBER)
    connection = (await log_in(world, trusted(world, 1, "trust-1"))).connection

    again = (await log_in(world, trusted(world, 2, None))).connection

    assert ([None, None], connection.id) == (sent(world, "trust"), again.id)
    assert {"device_token": Secret("trust-1")} == kept(world, again)


async def test_nothing_of_another_owner_is_shown(world: FakeWorld) -> None:
    """A login that names a connection which isn't its owner's shows nothing of it."""
    await publish(world, token=TRUST, more=REMEMBER)
    connection = (await log_in(world, trusted(world, 1, "trust-1"))).connection
    world.egress.will_reply(trusted(world, 2, None), me())

    request = replace(LoginRequest("acme", "owner-2", "jo", Secret("x")), reconnects=connection.id)
    with pytest.raises(Exception, match="no such connection"):
        await world.application.connect(request, ACTOR)

    assert [None, None] == sent(world, "trust")


async def test_a_disconnect_destroys_both(world: FakeWorld) -> None:
    """Nothing is left that a later connection could use."""
    await publish(world, token=TRUST, more=REMEMBER + GENERATE, revoke="", refresh="")
    connection = (await log_in(world, trusted(world, 1, "trust-1"))).connection

    world.egress.will_reply(json_answer("{}"), json_answer("{}"))
    await world.application.disconnect(connection.id, ACTOR)

    assert ConnectionSecrets() == world.stores.connections.rows[connection.id][1]


@pytest.mark.parametrize(
    "value", [pytest.param("null", id="null"), pytest.param('""', id="empty"), pytest.param('{"a": 1}', id="an object")]
)
async def test_what_is_no_text_is_not_remembered(world: FakeWorld, value: str) -> None:
    """The login goes on as if nothing had been given."""
    await publish(world, token=TRUST, more=REMEMBER)
    body = f'{{"access_token": "a", "expires_in": 3600, "device": {{"token": {value}}}}}'

    connection = (await log_in(world, json_answer(body, received_at=world.clock.now()))).connection

    assert {} == kept(world, connection)
