"""Quiet hours: nothing that can wait is sent; what a call or a person needs is; and nobody is lost by it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from keyturn.core.connection import Connection, Intent, IntentKind, State
from keyturn.core.errors import InQuietHours, NotFound, ValidationFailed
from keyturn.core.explain import QUIET, explain
from keyturn.core.renewal.quiet_hours import QuietHours, Window
from keyturn.engine.jobs.bulk.bulk_order import BulkAction, BulkOrder
from keyturn.engine.quiet_hours.quiet_times import QuietTimes
from tests.engine.jobs.running import run_all
from tests.engine.passing import in_time, renew, round_of
from tests.engine.story import ACTOR, actions, bodies, error, log_in, publish, read, token
from tests.engine.test_revoke import add, only, revoke_due
from tests.fakes.application import FakeWorld, make_world
from tests.fakes.clock import FakeClock

BEGINS = datetime(2030, 1, 31, 1, 0, tzinfo=UTC).timestamp()
ENDS = BEGINS + 7200.0
NIGHT = QuietHours("Europe/Berlin", (Window(120, 240),))  # 02:00 to 04:00 by the clock of January
HOUR = 3600.0


def world_before(seconds: float) -> FakeWorld:
    """A world so long before the quiet hours begin."""
    made = make_world(clock=FakeClock(BEGINS - seconds))
    made.entropy.fixed_fraction = 0.5
    return made


async def quiet(world: FakeWorld, hours: QuietHours | None = NIGHT) -> None:
    """Set the quiet hours."""
    await world.application.quiet_hours("acme", hours, ACTOR)


async def connected(
    world: FakeWorld, *, hours: QuietHours | None = NIGHT, keep: str = "never", refresh: str = "", **more: Any
) -> Connection:
    """A connection of a connector with quiet hours."""
    await publish(world, keep=keep, refresh=refresh)
    await quiet(world, hours)
    answer = token(at=world.clock.now(), **more)
    return (await log_in(world, answer)).connection


def due(connection: Connection) -> float:
    """When it is due, in seconds from the begin of the quiet hours."""
    assert connection.renews_at is not None
    return connection.renews_at - BEGINS


async def at(world: FakeWorld, seconds: float, *answers: Any) -> None:
    """Go to this time, counted from the begin of the quiet hours, and have the scheduler look."""
    world.clock.advance(BEGINS + seconds - world.clock.now())
    world.egress.will_reply(*answers)
    await round_of(world)


async def test_a_token_that_would_end_in_them_is_renewed_before() -> None:
    """And the page says so; the new one is due after them."""
    world = world_before(2 * HOUR)
    connection = await connected(world, expires_in=int(2.5 * HOUR))
    await at(world, due(connection), token(2, expires_in=int(2.5 * HOUR), at=BEGINS + due(connection)))
    renewed = await read(world, connection.id)

    assert -1860.0 <= due(connection) <= -60.0
    assert 2 == renewed.generation
    assert 7200.0 <= due(renewed)


async def test_what_is_due_in_them_waits() -> None:
    """Nothing is sent until they are over, and then it is; meanwhile that is what is told."""
    world = world_before(60.0)
    connection = await connected(world)
    sent = len(bodies(world))
    await world.stores.connections.save(replace(connection, renews_at=BEGINS + 10.0))
    await at(world, 20.0)
    waiting = await read(world, connection.id)
    version = await world.application.published.version("acme", 1)
    until = world.application.quiet_hours.times.until("acme")
    told = explain(waiting, version, world.clock.now(), None, until)
    await at(world, 7199.0)
    before = len(bodies(world))
    await at(world, due(waiting), token(2, at=world.clock.now()))

    assert (sent, sent) == (before, len(bodies(world)) - 1)
    assert 7200.0 <= due(waiting) <= 9000.0
    assert (ENDS, None) == (until, waiting.last_error)
    assert told.text.endswith(QUIET)
    assert waiting.renews_at == told.next_step.at
    assert 2 == (await read(world, connection.id)).generation


async def test_a_call_gets_its_renewal() -> None:
    """A call must not fail for them; with `strict` it is told until when."""
    world = world_before(60.0)
    connection = await connected(world)
    await at(world, HOUR)
    world.egress.will_reply(token(2, at=world.clock.now()))
    route = await in_time(world, world.application.calls.route(connection.id, ACTOR))
    await quiet(world, replace(NIGHT, strict=True))
    world.clock.advance(3500.0)
    with pytest.raises(InQuietHours) as refused:
        await renew(world, await read(world, connection.id))
    world.clock.advance(200.0)
    world.egress.will_reply(token(3, at=world.clock.now()))

    assert 2 == route.generation
    assert 90.0 < (refused.value.retry_after_s or 0.0) <= 100.0
    assert 3 == (await renew(world, await read(world, connection.id))).generation


async def test_a_back_off_that_was_over_holds_no_call_up() -> None:
    """Though the renewal by itself waits for hours."""
    world = world_before(600.0)
    connection = await connected(world, hours=None)
    await at(world, -30.0)
    row = await read(world, connection.id)
    failed = replace(row, failures_in_a_row=2, last_error="provider_unavailable", last_error_at=BEGINS - 30.0)
    await world.stores.connections.save(replace(failed, renews_at=BEGINS + 5.0))
    await quiet(world)
    await at(world, 10.0)
    waiting = await read(world, connection.id)
    world.egress.will_reply(token(2, at=world.clock.now()))

    assert due(waiting) >= 7200.0
    assert 2 == (await renew(world, waiting)).generation


@pytest.mark.parametrize(
    ("change", "answers", "expected"),
    [
        pytest.param({"refresh_expires_at": BEGINS + 4000.0}, [token(2, at=BEGINS)], 2, id="its refresh token ends"),
        pytest.param(
            {"intent": Intent(IntentKind.REFRESH, 1, "att_1", BEGINS - 5.0, 1)}, [token(2, at=BEGINS)], 2,
            id="a send whose outcome nobody knows, within the provider's leeway",
        ),
    ],
)  # fmt: skip
async def test_what_can_not_wait(change: dict[str, Any], answers: list[Any], expected: int) -> None:
    """The person would be needed otherwise."""
    world = world_before(60.0)
    connection = await connected(world, refresh="leeway: 60s")
    await world.stores.connections.save(replace(connection, renews_at=BEGINS + 1.0, **change))
    await at(world, 5.0, *answers)

    assert expected == (await read(world, connection.id)).generation


async def test_a_kept_password_can_wait() -> None:
    """A refresh token that ends costs nothing where the password is there."""
    world = world_before(60.0)
    connection = await connected(world, keep="required")
    change: dict[str, Any] = {"renews_at": BEGINS + 1.0, "refresh_expires_at": BEGINS + 4000.0}
    await world.stores.connections.save(replace(connection, **change))
    await at(world, 5.0)

    assert 1 == (await read(world, connection.id)).generation


async def test_an_end_is_told_in_them() -> None:
    """Where nothing renews it, nothing is sent, and nothing is put off."""
    world = world_before(60.0)
    connection = await connected(world, refresh="strategy: password_only", expires_in=600)
    await at(world, 700.0)

    assert State.NEEDS_RECONNECT == (await read(world, connection.id)).state


async def test_planned_renewals_are_moved_when_they_are_set_and_taken_back() -> None:
    """By a job; what is planned otherwise is left as it is."""
    world = world_before(2 * HOUR)
    await publish(world)
    connections = []
    for n, life in enumerate((2.5, 6.0)):
        answer = token(expires_in=int(life * HOUR), at=world.clock.now())
        connections.append((await log_in(world, answer, account=str(n))).connection)
    planned = [due(each) for each in connections]
    await quiet(world)
    world.clock.advance(3.0)
    await run_all(world)
    moved = [due(await read(world, each.id)) for each in connections]
    late = await read(world, connections[0].id)
    await world.stores.connections.save(replace(late, renews_at=ENDS + 600.0))
    await quiet(world, None)
    world.clock.advance(3.0)
    await run_all(world)
    back = [due(await read(world, each.id)) for each in connections]

    assert 0 < planned[0] < 7200.0 < planned[1]
    assert (True, planned[1]) == (-1860.0 <= moved[0] <= -60.0, moved[1])
    assert planned == back
    assert [("connector.quiet_hours_set", "ok"), ("connector.quiet_hours_cleared", "ok")] == [
        each for each in actions(world) if "quiet" in each[0]
    ]


async def test_another_process_sees_them_at_its_next_look() -> None:
    """Both then say the same."""
    world = world_before(-60.0)
    await publish(world)
    other = QuietTimes(world.stores.quiet_hours, world.clock, world.entropy)
    await other.look()
    before = other.until("acme")
    await quiet(world)
    await other.look()

    assert before is None
    assert ENDS == other.until("acme") == world.application.quiet_hours.times.until("acme")


async def test_a_zone_that_this_machine_lost_makes_nothing_quiet() -> None:
    """Renewals are worth more; to set such a one is refused."""
    world = world_before(-60.0)
    await publish(world)
    lost = replace(NIGHT, zone="Europe/Atlantis")
    with pytest.raises(ValidationFailed) as refused:
        await quiet(world, lost)
    await world.stores.quiet_hours.put("acme", lost, at=0.0, by="key:1")
    times = world.application.quiet_hours.times
    await times.look()

    assert ["/zone"] == [each.pointer for each in refused.value.errors]
    assert times.until("acme") is None
    assert lost == times.of("acme")


async def test_revocations_are_tried_again_after_them() -> None:
    """At the end of their day they are tried whatever the hour."""
    world = world_before(-60.0)
    await publish(world)
    await quiet(world)
    await add(world)
    await add(world, 2, give_up_at=world.clock.now())
    world.egress.will_reply(error("server_error", 500), error("server_error", 500))
    await revoke_due(world)

    assert ["token=refresh-2", "token=access-2"] == bodies(world, "/revoke")
    assert ENDS <= only(world).due_at <= ENDS + 1800.0


async def test_bulk_jobs_leave_the_provider_alone() -> None:
    """Tests and renewals fail with the code, to be done again; a pause sends nothing."""
    world = world_before(30.0)
    connection = await connected(world)
    world.clock.advance(60.0)
    sent = len(world.egress.requests)
    reports = []
    for action in (BulkAction.TEST, BulkAction.RENEW, BulkAction.PAUSE):
        job = await world.application.bulk_jobs.create(BulkOrder(action, connector="acme"), ACTOR)
        await run_all(world)
        done = await world.stores.jobs.load(job.id)
        assert done is not None
        reports.append((done.done, dict(done.failures)))

    assert [(0, {"quiet_hours": 1}), (0, {"quiet_hours": 1}), (1, {})] == reports
    assert sent == len(world.egress.requests)
    assert (await read(world, connection.id)).paused


async def test_of_a_connector_that_is_not_there() -> None:
    """It is not found, and nothing is written."""
    world = world_before(60.0)
    with pytest.raises(NotFound):
        await quiet(world)
    with pytest.raises(NotFound):
        await world.application.quiet_hours.of("acme")

    assert {} == await world.stores.quiet_hours.all()
