"""A host that the login's answer names: where it is used, that it is pinned, and what becomes of a foreign one."""

from __future__ import annotations

from typing import Any

import pytest

from keyturn.core.connection import Connection
from keyturn.core.errors import ProviderBadResponse
from keyturn.core.messages import Answer
from tests.engine.story import log_in, publish, read
from tests.fakes.application import FakeWorld, make_world
from tests.fakes.clock import FakeClock
from tests.fakes.egress import json_answer

CONNECTOR: dict[str, str] = {
    "token": ', response: {keep: {site: {from: instance_url, hosts: ["*.my.acme.example"]}}}',
    "refresh": 'url: "https://{{ token.site }}/refresh"',
    "more": 'request: {base_url: "https://{{ token.site }}/api"}',
}


@pytest.fixture
def world() -> FakeWorld:
    """A world whose clock moves when somebody sleeps."""
    return make_world(clock=FakeClock(auto=True))


def answer(world: FakeWorld, n: int, host: str) -> Answer:
    """A token answer that names a host."""
    body = f'{{"access_token": "a-{n}", "refresh_token": "r-{n}", "expires_in": 3600, "instance_url": "{host}"}}'
    return json_answer(body, received_at=world.clock.now())


async def connected(world: FakeWorld, host: str = "https://na1.my.acme.example", **parts: str) -> Connection:
    """A connection whose login named this host."""
    await publish(world, **{**CONNECTOR, **parts})
    return (await log_in(world, answer(world, 1, host))).connection


def hosts(world: FakeWorld) -> list[str]:
    """Where requests went, in order."""
    return [each.url.split("/")[2] for each in world.egress.requests]


async def renew(world: FakeWorld, connection: Connection, *answers: Any) -> Connection:
    """Renew it by force."""
    world.egress.will_reply(*answers)
    return await world.application.renewals.renew(connection.id, generation=connection.generation, forced=True)


async def test_it_is_pinned_at_the_login(world: FakeWorld) -> None:
    """Refresh tokens may go there, and calls are joined to it."""
    connection = await connected(world)

    renewed = await renew(world, connection, answer(world, 2, "na1.my.acme.example"))
    route = await world.application.calls.route(renewed.id)

    assert ("auth.acme.example", "na1.my.acme.example") == connection.hosts
    assert "na1.my.acme.example" == hosts(world)[-1]
    assert "https://na1.my.acme.example/api" == route.base_url


@pytest.mark.parametrize(
    "later",
    [
        pytest.param("na2.my.acme.example", id="another listed host"),
        pytest.param("evil.example", id="a foreign host"),
        pytest.param("", id="none"),
    ],
)
async def test_a_renewal_moves_it_nowhere(world: FakeWorld, later: str) -> None:
    """Only the person's login takes another host."""
    connection = await connected(world)

    second = await renew(world, connection, answer(world, 2, later))
    await renew(world, second, answer(world, 3, later))

    assert ["na1.my.acme.example"] * 2 == hosts(world)[-2:]


async def test_a_login_takes_another(world: FakeWorld) -> None:
    """The account has moved: the person signs in, and that is where it goes from then on."""
    connection = await connected(world)

    await log_in(world, answer(world, 2, "na2.my.acme.example"), reconnects=connection.id)

    after = await read(world, connection.id)
    assert ("auth.acme.example", "na2.my.acme.example") == after.hosts


@pytest.mark.parametrize(
    "host", [pytest.param("https://evil.example", id="a foreign host"), pytest.param("", id="none")]
)
async def test_a_foreign_host_ends_the_login(world: FakeWorld, host: str) -> None:
    """Nothing is sent there, and the token is revoked where the author wrote."""
    with pytest.raises(ProviderBadResponse) as refused:
        await connected(world, host)

    (row,) = await world.stores.revocations.due(world.clock.now(), limit=9)
    assert ("host_not_listed", ["auth.acme.example"]) == (refused.value.extensions["reason"], hosts(world))
    assert ("auth.acme.example",) == row.hosts
