"""What no write stands for: written down once, by recurring jobs."""

from __future__ import annotations

import contextlib
from dataclasses import replace

from keyturn.core.errors import KeyturnError
from keyturn.core.explain import EXPIRES_SOON, explain
from keyturn.engine.actor import Actor
from tests.contracts.samples import session
from tests.engine.jobs.running import run_all
from tests.engine.passing import renew
from tests.engine.story import actions, error, log_in, publish, read, token
from tests.engine.test_kept_alive import with_end
from tests.fakes.application import FakeWorld, make_world
from tests.fakes.clock import FakeClock

HOUR, DAY = 3600.0, 86_400.0
ACTOR = Actor("key:test")


async def pass_time(world: FakeWorld, seconds: float) -> None:
    """Let time pass, and run what is due then."""
    world.clock.advance(seconds)
    await run_all(world)


async def test_an_ending_connection_is_said_once() -> None:
    """72 hours ahead, where it can't renew itself."""
    world = make_world()
    await publish(world)
    first = token(refresh=None, expires_in=int(5 * DAY), at=world.clock.now())
    connection = (await log_in(world, first)).connection
    await run_all(world)
    before = actions(world).count(("connection.expiring", "ok"))
    for _ in range(3):
        await pass_time(world, DAY)
    events = [each for each in world.stores.events.rows if each.type == "connection.expiring"]

    assert 0 == before
    assert [connection.id] == [each.object for each in events]


async def test_a_refresh_token_that_no_renewal_prolongs_is_told_ahead() -> None:
    """Once, in the 72 hours before its end, though the token is renewed every hour; `why` says the same."""
    world = make_world(clock=FakeClock())
    world.entropy.fixed_fraction = 0.5
    said = "response: {refresh_expires: {from: rx}}"
    await publish(world, refresh=said, token=f", {said}")
    ends, told = world.clock.now() + 5 * DAY, []
    connection = (await log_in(world, with_end(1, world.clock.now(), 5 * DAY))).connection
    for n in range(2, 6):
        world.clock.advance(DAY)
        now = world.clock.now()
        world.egress.will_reply(with_end(n, now, int(ends - now)))
        row = await renew(world, await read(world, connection.id))
        await run_all(world)
        told.append(actions(world).count(("connection.expiring", "ok")))
    version = await world.application.published.version("acme", 1)
    found = explain(row, version, world.clock.now(), None)

    assert [0, 1, 1, 1] == told
    assert (ends, True) == (row.refresh_expires_at, row.refresh_end_fixed)
    assert (EXPIRES_SOON, ends) == (found.code, found.next_step.at)


async def test_a_refresh_token_that_each_renewal_prolongs_is_no_news() -> None:
    """However short it lives."""
    world = make_world(clock=FakeClock())
    await publish(world, refresh="lifetime: 2h")
    connection = (await log_in(world)).connection
    for n in range(2, 5):
        world.clock.advance(HOUR)
        world.egress.will_reply(token(n, at=world.clock.now()))
        await renew(world, await read(world, connection.id))
        await run_all(world)

    assert 0 == actions(world).count(("connection.expiring", "ok"))


async def test_the_end_of_a_way_of_connecting_is_told_ahead() -> None:
    """As `retires` has it, once for each connection, in the 72 hours before that day."""
    world = make_world(clock=FakeClock())
    more = "retires: {on: 2023-11-20, source: 'https://acme.example/end'}"
    await publish(world, more=more)
    first = token(expires_in=int(30 * DAY), at=world.clock.now())
    connection = (await log_in(world, first)).connection
    told = []
    for _ in range(6):
        await pass_time(world, DAY)
        told.append([each.object for each in world.stores.events.rows if each.type == "connection.expiring"])

    assert [[], [], [connection.id]] == told[:3]
    assert [connection.id] == told[-1]


async def test_a_wrong_set_up_degrades_a_connector_until_it_works() -> None:
    """Said once each way, though it is looked at every five minutes."""
    world = make_world()
    await run_all(world)
    await publish(world)
    connection = (await log_in(world)).connection
    await pass_time(world, 30 * 60.0)
    for _ in range(2):
        world.egress.will_reply(error("invalid_client", 401))
        with contextlib.suppress(KeyturnError):
            await renew(world, await read(world, connection.id))
        await pass_time(world, 400.0)
    world.egress.will_reply(token(2, at=world.clock.now()))
    await pass_time(world, 20 * 60.0)
    await renew(world, await read(world, connection.id))
    await run_all(world)
    await pass_time(world, 400.0)
    told = [(each.type, each.code) for each in world.stores.events.rows if each.type.startswith("connector.")]

    assert [
        ("connector.degraded", "connector_client_rejected"), ("connector.recovered", None),
    ] == [each for each in told if each[0] != "connector.published"]  # fmt: skip


async def test_a_session_that_ended_by_time_is_said_once() -> None:
    """One that led to a connection is not."""
    world = make_world()
    now = world.clock.now()
    for n, state in enumerate(("open", "done")):
        row = session(f"ses_{n}", link_digest=f"l{n}", state=state, expires_at=now + 60, reconnects=None)
        await world.stores.sessions.add(replace(row, owner="owner-1"))
    await run_all(world)
    for _ in range(2):
        await pass_time(world, 400.0)

    assert ["ses_0"] == [each.object for each in world.stores.events.rows if each.type == "session.expired"]


async def test_a_log_that_is_not_as_written_is_said_once() -> None:
    """By the daily verification; a log that is right is not spoken of."""
    world = make_world()
    await publish(world)
    await log_in(world)
    await run_all(world)
    before = actions(world).count(("audit.verification_failed", "ok"))
    world.stores.chain.tampered = lambda entries: [replace(each, facts="{}") for each in entries]
    for _ in range(2):
        await pass_time(world, DAY)

    assert 0 == before
    assert 1 == [each.type for each in world.stores.events.rows].count("audit.verification_failed")
