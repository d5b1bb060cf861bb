"""A send that a dead process left without an outcome is found at once, whatever else its row says."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from keyturn.core.connection import Connection, Intent, IntentKind, State
from keyturn.core.errors import ProviderTimeout, RenewalNotPossible
from keyturn.core.renewal.quiet_hours import QuietHours, Window
from tests.engine.jobs.running import run_all
from tests.engine.passing import renew, round_of
from tests.engine.story import ACTOR, actions, bodies, log_in, publish, read, token
from tests.fakes.application import FakeWorld, make_world

ALWAYS = QuietHours("UTC", (Window(0, 12 * 60), Window(12 * 60, 24 * 60)))


@pytest.fixture
def world() -> FakeWorld:
    """A world in which time passes only as a test lets it."""
    return make_world()


async def left(world: FakeWorld, *, sent_at: float | None = None, **change: Any) -> Connection:
    """A connection whose renewer died after its claim."""
    connection = (await log_in(world)).connection
    intent = Intent(IntentKind.REFRESH, 1, "att_dead", world.clock.now() if sent_at is None else sent_at)
    return await world.stores.connections.save(replace(connection, intent=intent, **change))


async def state_after_a_round(world: FakeWorld, connection: Connection) -> tuple[State, bool]:
    """Where it stands after one look, and whether its intent is still there."""
    await round_of(world)
    after = await read(world, connection.id)
    return after.state, after.intent is not None


FOUND = (State.UNCERTAIN, True)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({}, id="as it was"),
        pytest.param({"paused": True, "renews_at": None}, id="paused meanwhile"),
        pytest.param({"unconfirmed": True}, id="unconfirmed"),
        pytest.param({"paused": True, "renews_at": None, "refreshable": False}, id="paused, nothing to refresh with"),
    ],
)
@pytest.mark.parametrize("refresh", ["", "rotation: stable"])
async def test_it_is_found_whoever_may_use_the_connection(
    world: FakeWorld, change: dict[str, Any], refresh: str
) -> None:
    """One that may not be called is not renewed by this: nothing is sent for it."""
    await publish(world, refresh=refresh)
    connection = await left(world, **change)
    renewed = not change and bool(refresh)
    world.egress.will_reply(*[token(2, at=world.clock.now())] * renewed)

    state = await state_after_a_round(world, connection)

    assert ((State.ACTIVE, False) if renewed else FOUND) == state
    assert renewed == len(bodies(world)) - 1
    assert [] == list(await world.stores.connections.looks(world.clock.now(), room={}, most=9, limit=9))


async def test_it_is_found_within_a_back_off_that_is_older(world: FakeWorld) -> None:
    """A person had it renewed in spite of an hour's wait, and the process died; a newer failure's wait counts."""
    await publish(world)
    now = world.clock.now()
    waits: dict[str, Any] = {"retry_at": now + 3600, "retry_asked": True, "last_error": "provider_rate_limited"}
    before = await left(world, last_error_at=now - 60, **waits)
    after = replace(before, id="cxn_told", unique_id="told", last_error_at=now)
    world.stores.connections.rows[after.id] = (after, world.stores.connections.rows[before.id][1])

    assert FOUND == await state_after_a_round(world, before)
    assert (State.ACTIVE, True) == await state_after_a_round(world, after)


async def test_a_stable_token_waits_for_no_back_off_that_is_older(world: FakeWorld) -> None:
    """What may be sent again is, at once."""
    await publish(world, refresh="leeway: 20s")
    now = world.clock.now()
    connection = await left(
        world, retry_at=now + 3600, retry_asked=True, last_error="provider_rate_limited", last_error_at=now - 60
    )
    world.egress.will_reply(token(2, at=now))

    assert (State.ACTIVE, False) == await state_after_a_round(world, connection)
    assert 2 == (await read(world, connection.id)).generation


async def test_it_is_found_though_the_clock_was_set_back(world: FakeWorld) -> None:
    """A machine that comes up again may think that it is an hour ago."""
    await publish(world)
    connection = await left(world, sent_at=world.clock.now() + 3600)

    assert FOUND == await state_after_a_round(world, connection)


async def test_it_is_found_in_quiet_hours(world: FakeWorld) -> None:
    """They hold up what is sent, and nothing is; one that is uncertain already waits for their end."""
    await publish(world)
    await world.application.quiet_hours("acme", ALWAYS, ACTOR)
    connection = await left(world)

    assert FOUND == await state_after_a_round(world, connection)
    assert 1 == len(bodies(world))


async def test_one_that_lives_is_left_alone(world: FakeWorld) -> None:
    """While its holder lives, what its intent means is not known yet."""
    await publish(world)
    connection = await left(world)
    world.stores.leases.hold(f"row {connection.id}", 45.0)

    assert (State.ACTIVE, True) == await state_after_a_round(world, connection)


async def test_owner_and_operator_are_told(world: FakeWorld) -> None:
    """Once, with the cause; a lost answer is told once as well, by its own error."""
    await publish(world)
    await run_all(world)
    crashed = await left(world)
    await round_of(world, 3)
    found = actions(world)[-2:]
    lost = (await log_in(world, account="43")).connection
    world.egress.will_reply(ProviderTimeout())
    with pytest.raises(RenewalNotPossible):
        await renew(world, lost)
    await run_all(world)
    told = [each for each in world.stores.events.rows if each.type == "connection.renewal_failed"]

    assert [("refresh.answered", "unknown"), ("connection.uncertain", "renewal_outcome_unknown")] == found
    assert [(crashed.id, "renewal_outcome_unknown"), (lost.id, "provider_timeout")] == [
        (each.object, each.code) for each in told
    ]
