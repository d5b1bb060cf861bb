"""What happens by itself: every row that is due is renewed, being renewed, or due later."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest

from keyturn.core.connection import Connection, ConnectionSecrets, Intent, IntentKind, State
from keyturn.core.errors import KeyUnavailable, ProviderUnreachable, StoreUnavailable
from keyturn.core.messages import Answer, OutgoingRequest
from keyturn.core.secret import Secret
from keyturn.core.token_set import TokenSet
from keyturn.engine.scheduler import AT_ONCE, AT_ONCE_PER_CONNECTOR
from tests.engine.passing import round_of, settle
from tests.engine.story import ACTOR, actions, bodies, connector_from, log_in, publish, read, token
from tests.fakes.application import FakeWorld, make_world
from tests.fakes.clock import FakeClock
from tests.fakes.egress import json_answer

DAYS = 86_400.0


@pytest.fixture
def world() -> FakeWorld:
    """A world in which time passes only as a test lets it."""
    made = make_world()
    made.entropy.fixed_fraction = 0.5
    return made


def put(world: FakeWorld, number: int, **change: object) -> Connection:
    """A connection that is due now, straight into the store."""
    now = world.clock.now()
    connection = Connection(
        id=f"cxn_{number:05}",
        connector="acme",
        connector_version=1,
        owner="o",
        name="n",
        unique_id=str(number),
        created_at=now - 3600,
        updated_at=now,
        token_issued_at=now - 3600,
        expires_at=now,
        renews_at=now,
        refreshable=True,
        hosts=("auth.acme.example",),
    )
    connection = replace(connection, **change)  # type: ignore[arg-type]
    tokens = TokenSet(Secret(f"access-{number}"), now - 3600, Secret(f"refresh-{number}"), expires_at=now)
    world.stores.connections.rows[connection.id] = (connection, ConnectionSecrets(token_set=tokens))
    return connection


def put_many(world: FakeWorld, numbers: range, **change: object) -> list[Connection]:
    """So many of them."""
    return [put(world, number, **change) for number in numbers]


def answering(world: FakeWorld, times: int) -> None:
    """Let the provider answer so many renewals."""

    async def fresh(request: OutgoingRequest) -> Answer:
        await asyncio.sleep(0)
        number = int(request.body.decode().rsplit("-", 1)[-1])
        return token(number + 100_000, at=world.clock.now())

    world.egress.will_reply(*[fresh] * times)


async def renewed(world: FakeWorld, connections: Sequence[Connection]) -> int:
    """How many have a next generation."""
    return sum([(await read(world, each.id)).generation == 2 for each in connections])


async def still_due(world: FakeWorld) -> int:
    """How many rows the next round would look at."""
    return len(await world.stores.connections.looks(world.clock.now(), room={}, most=100_000, limit=100_000))


async def test_what_is_due_is_renewed_and_due_again_before_its_end(world: FakeWorld) -> None:
    """At a tenth of its life before the end, less the jitter."""
    await publish(world)
    connection = put(world, 1)
    answering(world, 1)

    await round_of(world)

    after = await read(world, connection.id)
    assert (2, State.ACTIVE) == (after.generation, after.state)
    assert after.renews_at is not None
    assert 3240 <= after.renews_at - world.clock.now() <= 3312


LEFT_ALONE = [
    pytest.param({"paused": True}, id="paused"),
    pytest.param({"unconfirmed": True}, id="unconfirmed"),
    pytest.param({"created_at": 0.0}, id="idle"),
    pytest.param({"connector_version": 9}, id="its version is gone"),
    pytest.param({"hosts": ("elsewhere.example",)}, id="pinned elsewhere"),
    pytest.param({"refreshable": False}, id="nothing to renew with"),
]


@pytest.mark.parametrize("change", LEFT_ALONE)
async def test_rows_that_cannot_be_renewed_keep_none_of_the_others_back(
    world: FakeWorld, change: dict[str, object]
) -> None:
    """More of them than a round looks at, all due for longer; none comes up again in the next second."""
    await publish(world)
    stuck = range(AT_ONCE + 100)
    put_many(world, stuck, renews_at=world.clock.now() - 100, **change)
    well = put_many(world, range(5000, 5010))
    answering(world, len(well))

    await round_of(world, rounds=60)

    assert len(well) == await renewed(world, well)
    assert 0 == await still_due(world)
    assert len(well) == len(world.egress.requests)


async def test_an_idle_connection_waits_for_its_next_call(world: FakeWorld) -> None:
    """Thirty days without a call; a day less is in use, and so is one that was called lately."""
    await publish(world)
    now = world.clock.now()
    idle = put(world, 1, created_at=now - 30 * DAYS - 1)
    young = put(world, 2, created_at=now - 30 * DAYS)
    called = put(world, 3, created_at=now - 90 * DAYS, last_used_at=now - 29 * DAYS)
    lost = put(world, 4, created_at=now - 90 * DAYS, intent=Intent(IntentKind.REFRESH, 1, "a", now - 9))
    ended = put(world, 5, created_at=now - 90 * DAYS, refreshable=False)
    answering(world, 3)

    await round_of(world)

    states = [(await read(world, each.id)).generation for each in (idle, young, called)]
    assert [1, 2, 2] == states
    assert (State.ACTIVE, None) == _gist(await read(world, idle.id))
    assert (State.NEEDS_RECONNECT, None) == _gist(await read(world, lost.id))
    assert (State.NEEDS_RECONNECT, None) == _gist(await read(world, ended.id))
    again = await world.application.renewals.renew(idle.id, generation=1, actor=ACTOR)
    assert (2, True) == (again.generation, again.renews_at is not None)


def _gist(connection: Connection) -> tuple[State, float | None]:
    return connection.state, connection.renews_at


async def test_an_unconfirmed_connection_is_looked_at_again(world: FakeWorld) -> None:
    """Soon at first, then less and less; once it is confirmed it is renewed."""
    await publish(world)
    connection = put(world, 1, unconfirmed=True, token_issued_at=world.clock.now() - 60)
    await round_of(world)
    waiting = await read(world, connection.id)
    assert waiting.renews_at == world.clock.now() + 300
    world.clock.advance(3600)
    await round_of(world)
    waiting = await read(world, connection.id)
    assert waiting.renews_at == world.clock.now() + 3660

    await world.stores.connections.save(replace(waiting, unconfirmed=False))
    world.clock.advance(3660)
    answering(world, 1)
    await round_of(world)

    assert 2 == (await read(world, connection.id)).generation


async def test_a_bug_is_met_once_in_a_quarter_of_an_hour(world: FakeWorld) -> None:
    """Not every second for ever, and the connection says that something is wrong."""
    await publish(world)
    connection = put(world, 1)
    opened = world.stores.connections.open
    tries = []

    async def crash(*_: object, **__: object) -> None:
        tries.append(True)
        raise ZeroDivisionError("a bug")

    world.stores.connections.open = crash  # type: ignore[method-assign]
    await round_of(world, rounds=20)

    after = await read(world, connection.id)
    assert 1 == len(tries)
    assert (State.ACTIVE, "internal_error") == (after.state, after.last_error)
    assert (connection.renews_at, None) == (after.renews_at, after.retry_at)  # nobody else waits for it
    world.clock.advance(890)
    assert 0 == await still_due(world)
    world.stores.connections.open = opened  # type: ignore[method-assign]
    world.clock.advance(10)
    answering(world, 1)
    await round_of(world)
    assert 2 == (await read(world, connection.id)).generation


async def test_a_key_provider_that_is_gone_changes_no_state(world: FakeWorld) -> None:
    """It is tried again after minutes, with the reason said."""
    await publish(world)
    connection = put(world, 1)

    async def gone(*_: object, **__: object) -> None:
        raise KeyUnavailable

    world.stores.connections.open = gone  # type: ignore[method-assign]
    await round_of(world, rounds=5)

    after = await read(world, connection.id)
    assert (State.ACTIVE, None, "key_unavailable") == (after.state, after.intent, after.last_error)
    assert (connection.renews_at, None) == (after.renews_at, after.retry_at)
    world.clock.advance(149)
    assert 0 == await still_due(world)
    world.clock.advance(151)
    assert 1 == await still_due(world)


async def test_a_database_that_is_gone_changes_nothing(world: FakeWorld) -> None:
    """The next round finds what this one could not take."""
    await publish(world)
    connection = put(world, 1)
    world.stores.database.failing_writes = 1
    await round_of(world)
    assert connection == await read(world, connection.id)
    answering(world, 1)

    await round_of(world)

    assert 2 == (await read(world, connection.id)).generation


async def test_a_mass_expiry_renews_all_within_the_limits(world: FakeWorld) -> None:
    """Two thousand at once: eight at a time at the provider, few tasks, each once."""
    await publish(world)
    connections = put_many(world, range(2_000), unique=False)  # else the fake looks through all of them
    inside, most = 0, 0
    tasks = 0

    async def fresh(request: OutgoingRequest) -> Answer:
        nonlocal inside, most, tasks
        inside, tasks = inside + 1, max(tasks, world.application.scheduler.busy)
        most = max(most, inside)
        await asyncio.sleep(0)
        inside -= 1
        return token(int(request.body.decode().rsplit("-", 1)[-1]) + 100_000, at=world.clock.now())

    world.egress.will_reply(*[fresh] * 2_000)

    began = world.clock.monotonic()
    world.application.scheduler.start()
    while len(world.egress.requests) < 2_000 and world.clock.monotonic() < began + 60:
        for _ in range(50):
            await asyncio.sleep(0)
        world.clock.advance(0.05)
    await settle(world)
    await world.application.scheduler.stop()

    assert 2_000 == await renewed(world, connections)
    assert world.clock.monotonic() - began < 30  # a round begins as soon as there is room again
    assert 2_000 == len(world.egress.requests)
    assert (8, AT_ONCE_PER_CONNECTOR) == (most, tasks)


async def test_a_provider_that_is_down_is_not_hammered(world: FakeWorld) -> None:
    """Two thousand are due, and a minute costs it a few trials; all others are renewed meanwhile."""
    await publish(world)
    await publish_other(world)
    put_many(world, range(2000), renews_at=world.clock.now() - 100)
    well = put_many(world, range(5000, 5020), connector="other", hosts=("other.example",))

    async def reply(request: OutgoingRequest) -> Answer:
        if "other.example" in request.url:
            return token(int(request.body.decode().rsplit("-", 1)[-1]) + 100_000, at=world.clock.now())
        raise ProviderUnreachable

    world.egress.will_reply(*[reply] * 3000)
    for _ in range(60):
        await round_of(world)
        world.clock.advance(1)

    down = [each for each in world.egress.requests if "acme" in each.url]
    assert len(well) == await renewed(world, well)
    assert len(down) <= 30
    assert 0 == sum("acme" not in each.url for each in world.egress.requests) - len(well)
    said = [row[0] for row in world.stores.connections.rows.values() if row[0].connector == "acme"]
    assert {State.ACTIVE} == {each.state for each in said}
    asked = {each.id for each in said if each.last_error == "provider_unreachable"}
    assert 0 < len(asked) <= len(down)
    assert {None} == {each.last_error for each in said if each.id not in asked}
    assert {0} == {each.revision for each in said if each.id not in asked}  # who is not asked is not written


async def publish_other(world: FakeWorld) -> None:
    """A second connector at another host."""
    connector = replace(connector_from(url="https://other.example"), id="other")
    await world.stores.connectors.put_draft(connector, "", at=0)
    await world.stores.connectors.publish(connector, "", "other", at=0)
    client = await world.stores.connectors.client("acme")
    assert client is not None
    await world.stores.connectors.set_client("other", client, at=0)


async def test_a_provider_that_hangs_leaves_room_for_others(world: FakeWorld) -> None:
    """I11: its own connections wait, up to a share of the room."""
    await publish(world)
    await publish_other(world)
    put_many(world, range(200), renews_at=world.clock.now() - 100)
    well = put_many(world, range(5000, 5020), connector="other", hosts=("other.example",))
    hangs = asyncio.Event()

    async def reply(request: OutgoingRequest) -> Answer:
        if "acme" in request.url:
            await hangs.wait()
        return token(int(request.body.decode().rsplit("-", 1)[-1]) + 100_000, at=world.clock.now())

    world.egress.will_reply(*[reply] * 300)
    for _ in range(5):
        await world.application.scheduler.renew_due()
        for _ in range(200):
            await asyncio.sleep(0)

    assert len(well) == await renewed(world, well)
    assert AT_ONCE_PER_CONNECTOR == world.application.scheduler.busy < AT_ONCE
    hangs.set()
    await settle(world)


@pytest.mark.parametrize("jump", [3600.0, -3600.0])
async def test_a_clock_that_jumps_causes_no_storm(world: FakeWorld, jump: float) -> None:
    """I12: each connection is renewed once at most for it, whatever a provider's own clock says."""
    await publish(world, token=", response: {expires: {from: exp, unit: absolute_s}}")
    real = world.clock.now()
    ends = int(real + 1800)
    date = ("Date", "Tue, 14 Nov 2023 22:13:20 GMT")  # the fake clock's first second
    made = json_answer(f'{{"access_token": "a-0", "refresh_token": "r-0", "exp": {ends}}}', received_at=real)
    connection = (await log_in(world, made)).connection
    world.clock.jump_wall(jump)

    def fresh(_: OutgoingRequest) -> Answer:
        number = len(world.egress.requests)
        body = f'{{"access_token": "a-{number}", "refresh_token": "r-{number}", "exp": {ends}}}'
        return replace(json_answer(body, received_at=world.clock.now()), headers=(date,))

    world.egress.will_reply(*[fresh] * 50)
    for _ in range(20):
        await round_of(world)
        await world.application.calls.route(connection.id, ACTOR)

    after = await read(world, connection.id)
    assert (2 if jump > 0 else 1) == after.generation
    assert after.expires_at is not None
    assert max(jump, 0) + 1800 == pytest.approx(after.expires_at - real, abs=5)


async def test_a_clock_that_was_set_back_stretches_no_wait(world: FakeWorld) -> None:
    """A back-off of seconds does not become an hour of refused calls."""
    await publish(world)
    connection = (await log_in(world)).connection
    world.egress.will_reply(json_answer("{}", 503))
    with pytest.raises(Exception, match="provider_unavailable"):
        await world.application.renewals.renew(connection.id, generation=1, actor=ACTOR)
    world.clock.jump_wall(-3600)
    world.egress.will_reply(token(2, at=world.clock.now()))

    assert 2 == (await world.application.renewals.renew(connection.id, generation=1, actor=ACTOR)).generation


async def test_a_spill_file_is_applied_at_the_start(world: FakeWorld) -> None:
    """The process before this one could not store it; also where no intent is left to tell of it."""
    await publish(world)
    connection = (await log_in(world)).connection
    await world.stores.spill.write(connection, spilled(2))
    world.application.scheduler.start()
    for _ in range(50):
        await asyncio.sleep(0)
    await world.application.scheduler.stop()

    after = await read(world, connection.id)
    assert (2, {}) == (after.generation, world.stores.spill.kept)
    assert ("connection.spill_applied", "ok") in actions(world)


async def test_spill_files_of_those_that_went_on_without_them_are_revoked(world: FakeWorld) -> None:
    """A login was faster, or the connection has ended: their tokens are handed to revocation."""
    await publish(world)
    connection = (await log_in(world)).connection
    await log_in(world, token(2, at=world.clock.now()))
    world.stores.revocations.rows.clear()
    await world.stores.spill.write(connection, spilled(3))
    await world.application.scheduler.apply_spilled()
    (late,) = world.stores.revocations.rows.values()
    assert ("late", Secret("access-3")) == (late.cause.value, late.token_set.access_token)
    world.stores.revocations.rows.clear()
    world.egress.will_reply(json_answer("{}"), json_answer("{}"))
    ended = await world.application.disconnect(connection.id, ACTOR)
    await world.stores.spill.write(replace(ended, generation=2), spilled(4))

    await world.application.scheduler.apply_spilled()

    (late,) = world.stores.revocations.rows.values()
    assert Secret("access-4") == late.token_set.access_token
    assert State.DISCONNECTED is (await read(world, connection.id)).state
    assert {} == world.stores.spill.kept


async def test_a_spill_file_of_nobody_is_dropped_and_one_that_fails_keeps_none_back(world: FakeWorld) -> None:
    """Of an erased connection nothing says how to revoke it; of a version that is gone it is kept."""
    await publish(world)
    nobody = put(world, 1)
    gone = put(world, 2, connector_version=9)
    fine = put(world, 3)
    del world.stores.connections.rows[nobody.id]
    for each in (nobody, gone, fine):
        await world.stores.spill.write(each, spilled(7))

    await world.application.scheduler.apply_spilled()

    assert {(gone.id, 1)} == set(world.stores.spill.kept)
    assert 2 == (await read(world, fine.id)).generation


def spilled(number: int) -> TokenSet:
    """A token set that an earlier process could not store."""
    return TokenSet(Secret(f"access-{number}"), 0.0, Secret(f"refresh-{number}"), expires_at=9e9)


async def test_a_round_that_fails_ends_no_loop(world: FakeWorld) -> None:
    """Neither a database that is gone nor a bug."""
    await publish(world)
    connection = put(world, 1)
    looks = world.stores.connections.looks
    rounds = []

    async def crash(*given: object, **more: object) -> object:
        rounds.append(True)
        if len(rounds) == 1:
            raise ZeroDivisionError("a bug")
        return await looks(*given, **more)  # type: ignore[arg-type]

    world.stores.connections.looks = crash  # type: ignore[method-assign, assignment]
    answering(world, 1)
    world.application.scheduler.start()
    for _ in range(200):
        await asyncio.sleep(0)
        world.clock.advance(0.05)
    await world.application.scheduler.stop()

    assert 2 == (await read(world, connection.id)).generation
    assert 1 == len(bodies(world))


@pytest.mark.parametrize(
    ("grace", "away", "served"),
    [
        pytest.param(60.0, 59.0, True, id="within the grace"),
        pytest.param(60.0, 61.0, False, id="after it"),
        pytest.param(0.0, 0.0, False, id="fail closed"),
    ],
)
async def test_calls_go_on_from_memory_for_the_grace_and_no_longer(grace: float, away: float, served: bool) -> None:
    """I17: the database gone, a cached token is used for KEYTURN_OFFLINE_GRACE at most."""
    world = make_world(clock=FakeClock(), offline_grace_s=grace)
    await publish(world)
    connection = (await log_in(world)).connection
    await world.application.calls.route(connection.id)
    world.stores.database.gone = True
    for seconds in (0.0, away):
        world.clock.advance(seconds)
        with pytest.raises(StoreUnavailable):
            await world.application.scheduler.renew_due()

    assert served == (world.application.calls.cached(connection.id) is not None)


async def test_a_database_that_comes_back_begins_the_grace_anew() -> None:
    """Two short losses are not one long one."""
    world = make_world(clock=FakeClock(), offline_grace_s=60.0)
    await publish(world)
    connection = (await log_in(world)).connection
    await world.application.calls.route(connection.id)
    for _ in range(2):
        world.stores.database.gone = True
        with pytest.raises(StoreUnavailable):
            await world.application.scheduler.renew_due()
        world.clock.advance(40)
        world.stores.database.gone = False
        await world.application.scheduler.renew_due()

    assert world.application.calls.cached(connection.id) is not None
