"""One action on many connections: every one once, counted, within the asker's limits, and gone on with."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from keyturn.core.connection import Connection, ConnectionSecrets, State
from keyturn.core.errors import JobNotEnded, JobWithoutFailures, ProviderUnreachable, StoreUnavailable
from keyturn.core.messages import Answer, OutgoingRequest
from keyturn.core.secret import Secret
from keyturn.core.token_set import TokenSet
from keyturn.engine.jobs.bulk import bulk_job
from keyturn.engine.jobs.bulk.bulk_order import BulkAction, BulkOrder
from keyturn.ports.jobs import Job, JobState
from keyturn.ports.store import ConnectionFilter
from tests.engine.jobs.running import run_all
from tests.engine.story import ACTOR, actions, me, publish, read
from tests.engine.told import told_to_wait
from tests.fakes.application import FakeWorld, make_world
from tests.fakes.egress import json_answer


@pytest.fixture
async def world() -> FakeWorld:
    """A world with a published connector."""
    made = make_world()
    made.entropy.fixed_fraction = 0.0
    await publish(made)
    return made


def put(world: FakeWorld, number: int, **change: Any) -> Connection:
    """A connection with a good token, straight into the store."""
    now = world.clock.now()
    made = Connection(
        id=f"cxn_{number:03}",
        connector="acme",
        connector_version=1,
        owner="o",
        name="n",
        unique_id=str(number),
        created_at=now + number,
        updated_at=now,
        token_issued_at=now,
        expires_at=now + 36_000,
        renews_at=now + 30_000,
        refreshable=True,
        hosts=("auth.acme.example",),
    )
    made = replace(made, **change)
    tokens = TokenSet(Secret(f"access-{number}"), now, Secret(f"refresh-{number}"), expires_at=now + 36_000)
    world.stores.connections.rows[made.id] = (made, ConnectionSecrets(token_set=tokens))
    return made


async def ask(world: FakeWorld, action: str, **order: Any) -> str:
    """Queue a bulk job; returns its id."""
    made = await world.application.bulk_jobs.create(BulkOrder(BulkAction(action), **order), ACTOR)
    return made.id


async def job(world: FakeWorld, job_id: str) -> Job:
    """The job as it is stored."""
    found = await world.stores.jobs.load(job_id)
    assert found is not None
    return found


async def states(world: FakeWorld) -> dict[str, str]:
    """Each connection's state as it is shown."""
    page = await world.stores.connections.list(ConnectionFilter(), cursor=None, limit=1000)
    return {each.id: each.shown_state for each in page.items}


async def test_every_connection_is_acted_on_once(world: FakeWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over several pages, with its count and an end in the audit log."""
    monkeypatch.setattr(bulk_job, "PAGE", 3)
    for n in range(8):
        put(world, n)
    job_id = await ask(world, "pause")
    await run_all(world)
    ended = await job(world, job_id)

    assert {"paused"} == set((await states(world)).values())
    assert (JobState.DONE, 8, 8, {}) == (ended.state, ended.done, ended.total, ended.failures)
    assert 8 == actions(world).count(("connection.paused", "ok"))
    assert [("job.created", "ok"), ("job.finished", "ok")] == [each for each in actions(world) if "job" in each[0]]


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        pytest.param({}, {"cxn_000", "cxn_001", "cxn_002"}, id="all that live"),
        pytest.param({"connector": "other"}, {"cxn_001"}, id="connector"),
        pytest.param({"owner": "p"}, {"cxn_002"}, id="owner"),
        pytest.param({"state": "uncertain"}, {"cxn_002"}, id="state"),
        pytest.param({"connectors": ("other",)}, {"cxn_001"}, id="the key's limits"),
        pytest.param({"connector": "acme", "connectors": ("other",)}, set(), id="outside the key's limits"),
        pytest.param({"ids": ("cxn_000", "cxn_001"), "connectors": ("other",)}, {"cxn_001"}, id="ids within them"),
    ],
)
async def test_the_filter_is_kept(world: FakeWorld, order: dict[str, Any], expected: set[str]) -> None:
    """Nothing else is touched, whatever the key asks for."""
    put(world, 0)
    put(world, 1, connector="other")
    put(world, 2, owner="p", state=State.UNCERTAIN)
    put(world, 3, state=State.DISCONNECTED)
    await ask(world, "pause", **order)
    await run_all(world)

    assert expected == {name for name, state in (await states(world)).items() if state == "paused"}


async def test_a_test_is_counted_by_what_hindered_it(world: FakeWorld) -> None:
    """A host that is gone is no fault of the connector; an answer that is another than expected may be."""
    for n in range(2):
        put(world, n)
    world.egress.will_reply(ProviderUnreachable(), json_answer("{}", 500))
    job_id = await ask(world, "test")
    await run_all(world)

    assert {"provider_unreachable": 1, "connection_test_failed": 1} == (await job(world, job_id)).failures


async def test_an_order_is_about_what_it_says(world: FakeWorld) -> None:
    """Those that need attention when the job runs, of one code, that end by then; kept in the job's row and back."""
    now = world.clock.now()
    changes: tuple[dict[str, Any], ...] = (
        {},
        {"last_error": "provider_timeout"},
        {"last_error": "provider_unavailable"},
        {"refreshable": False, "expires_at": now + 60},
    )
    for n, change in enumerate(changes):
        put(world, n, **change)
    orders: tuple[dict[str, Any], ...] = (
        {"attention": True, "error": "provider_timeout"},
        {"ends_before": now + 61},
        {"renews_before": now + 1},
        {"attention": True},
    )
    totals = []
    for order in orders:
        job_id = await ask(world, "pause", **order)
        await run_all(world)
        totals.append((await job(world, job_id)).total)

    assert [1, 1, 0, 1] == totals
    assert {"cxn_000": "active"} == {name: each for name, each in (await states(world)).items() if each != "paused"}


async def test_failures_are_counted_and_done_again(world: FakeWorld) -> None:
    """By code; another job takes up those alone, once the first has ended."""
    for n in range(4):
        put(world, n)
    world.egress.will_reply(me(), json_answer("{}", 500), me(), json_answer("{}", 401))
    job_id = await ask(world, "test")
    waiting = await job(world, job_id)
    with pytest.raises(JobNotEnded):
        await world.application.bulk_jobs.retry(waiting, ACTOR)
    await run_all(world)
    first = await job(world, job_id)
    world.egress.will_reply(me(), me())
    again = await world.application.bulk_jobs.retry(first, ACTOR)
    await run_all(world)
    second = await job(world, again.id)

    assert (JobState.DONE, 2, {"connection_test_failed": 2}) == (first.state, first.done, first.failures)
    assert 2 == len(first.report["failed"])
    assert (2, 2, {}) == (second.total, second.done, second.failures)
    assert 6 == len([each for each in world.egress.requests if "/me" in each.url])
    with pytest.raises(JobWithoutFailures):
        await world.application.bulk_jobs.retry(second, ACTOR)


async def test_what_is_gone_by_then_is_a_failure(world: FakeWorld) -> None:
    """A second job says so of a connection that was purged between."""
    job_id = await ask(world, "test", ids=("cxn_000",))
    await run_all(world)

    assert ({"not_found": 1}, 1) == ((await job(world, job_id)).failures, (await job(world, job_id)).total)


async def test_all_are_renewed(world: FakeWorld) -> None:
    """Few at once, by the renewals everybody shares."""
    most, now_open = 0, 0

    async def fresh(request: OutgoingRequest) -> Answer:
        nonlocal most, now_open
        now_open += 1
        most = max(most, now_open)
        for _ in range(20):
            await asyncio.sleep(0)
        now_open -= 1
        number = request.body.decode().rsplit("-", 1)[-1]
        return json_answer(f'{{"access_token": "new-{number}", "refresh_token": "r-{number}", "expires_in": 3600}}')

    for n in range(20):
        put(world, n)
    world.egress.will_reply(*[fresh] * 20)
    await ask(world, "renew")
    await run_all(world)

    assert {2} == {(await read(world, f"cxn_{n:03}")).generation for n in range(20)}
    assert 1 < most <= 8


async def test_a_provider_that_asks_to_wait_is_waited_for(world: FakeWorld) -> None:
    """A moment; nothing is sent meanwhile, and nothing fails."""
    put(world, 0)
    told_to_wait(world.application.gate, "auth.acme.example", 5.0)
    world.egress.will_reply(json_answer('{"access_token": "new", "refresh_token": "r", "expires_in": 3600}'))
    began = world.clock.monotonic()
    job_id = await ask(world, "renew")
    await run_all(world)

    assert (1, {}) == ((await job(world, job_id)).done, (await job(world, job_id)).failures)
    assert 5.0 <= world.clock.monotonic() - began


async def test_a_provider_that_wants_long_is_a_failure(world: FakeWorld) -> None:
    """The job doesn't stand for an hour because of one provider."""
    put(world, 0)
    told_to_wait(world.application.gate, "auth.acme.example", 3600.0)
    job_id = await ask(world, "renew")
    await run_all(world)

    assert {"provider_rate_limited": 1} == (await job(world, job_id)).failures
    assert [] == world.egress.requests


async def test_links_are_made_for_those_that_need_them(world: FakeWorld) -> None:
    """The report names connect sessions; no link is written down."""
    put(world, 0, state=State.NEEDS_RECONNECT)
    put(world, 1)
    job_id = await ask(world, "reconnect_links")
    await run_all(world)
    ended = await job(world, job_id)
    (made,) = ended.report["sessions"]
    session = await world.stores.sessions.load(made["session"])

    assert session is not None
    assert ("cxn_000", "cxn_000") == (made["connection"], session.reconnects)
    assert "/c/" not in repr(ended)


async def test_an_interrupted_job_goes_on(world: FakeWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the database it waits and tries again; nothing is done twice or left out."""
    monkeypatch.setattr(bulk_job, "PAGE", 3)
    monkeypatch.setattr(bulk_job, "AT_ONCE", 1)
    for n in range(7):
        put(world, n)
    saves = 0

    def before(name: str) -> None:
        nonlocal saves
        saves += name == "connections.save"
        if saves == 5 and name == "connections.save":
            raise StoreUnavailable("the database is gone")

    world.stores.database.before_write = before
    job_id = await ask(world, "pause")
    await run_all(world)
    failed = await job(world, job_id)
    world.clock.advance(10)
    await run_all(world)
    ended = await job(world, job_id)

    assert (JobState.QUEUED, 4, "store_unavailable") == (failed.state, failed.done, failed.last_error)
    assert (JobState.DONE, 7, None) == (ended.state, ended.done, ended.last_error)
    assert 7 == actions(world).count(("connection.paused", "ok"))


async def test_a_cancelled_job_ends_between_two(world: FakeWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was under way is counted; the rest is left as it was."""
    monkeypatch.setattr(bulk_job, "WRITE_EVERY_S", 0.0)
    monkeypatch.setattr(bulk_job, "AT_ONCE", 1)
    for n in range(6):
        put(world, n)
    job_id = await ask(world, "test")

    async def last(_: OutgoingRequest) -> Answer:
        await world.application.bulk_jobs.cancel(await job(world, job_id), ACTOR)
        return me()

    world.egress.will_reply(me(), last)
    await run_all(world)
    ended = await job(world, job_id)

    assert (JobState.CANCELLED, 2, ACTOR.name) == (ended.state, ended.done, ended.cancelled_by)
    assert [("job.cancelled", "ok"), ("job.finished", "ok")] == [
        each for each in actions(world)[-3:] if "job" in each[0]
    ]


async def test_a_process_that_ends_gives_the_job_back(world: FakeWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is queued again where it stands, has lost no try, and another process goes on."""
    monkeypatch.setattr(bulk_job, "WRITE_EVERY_S", 0.0)
    monkeypatch.setattr(bulk_job, "AT_ONCE", 1)
    for n in range(3):
        put(world, n)
    job_id = await ask(world, "test")
    ending: list[asyncio.Task[None]] = []

    async def first(_: OutgoingRequest) -> Answer:
        ending.append(asyncio.ensure_future(world.application.run_jobs.drain(60.0)))
        await asyncio.sleep(0)
        return me()

    world.egress.will_reply(first)
    await run_all(world)
    await ending[0]
    left = await job(world, job_id)

    assert (JobState.QUEUED, 1, 0) == (left.state, left.done, left.tries)
    assert 1 == len(left.cursor["acted"])


async def test_a_row_that_crashes_stops_no_other(world: FakeWorld) -> None:
    """It is a failure of its own; only where it happened is logged."""
    put(world, 0)
    put(world, 1, connector="gone-since")
    put(world, 2, unique_id="0", unique=True, owner="x")
    put(world, 3, unique_id="0", unique=True, owner="x")
    job_id = await ask(world, "pause")
    await run_all(world)
    ended = await job(world, job_id)

    assert (JobState.DONE, 2, {"internal_error": 2}) == (ended.state, ended.done, ended.failures)
