"""Who runs jobs: each to its end, whatever that is, and nothing that one of them does ends the loop."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
import structlog

from keyturn.core.errors import KeyturnError, NotFound, ProviderRateLimited, StoreUnavailable
from keyturn.engine.actor import SCHEDULER
from keyturn.engine.jobs.job_kind import JobCancelled, Progress
from keyturn.engine.jobs.run_jobs import ABANDONED_AFTER_S, RunJobs
from keyturn.engine.jobs.running_job import HEARTBEAT_S
from keyturn.engine.jobs.schedule import Recurring, Schedule
from keyturn.ports.jobs import Job, JobState
from keyturn.ports.store import RevisionConflict
from tests.fakes.clock import FakeClock
from tests.fakes.entropy import FakeEntropy
from tests.fakes.stores import FakeStores

Work = Callable[[Job, Progress], Awaitable[None]]


@dataclass
class Thing:
    """A kind whose work a test writes down."""

    work: Work
    name: str = "thing.make"
    delays_s: tuple[float, ...] = (10.0, 100.0)

    async def run(self, job: Job, progress: Progress) -> None:
        """Do what the test says."""
        await self.work(job, progress)


@dataclass
class Place:
    """A queue and one process that works on it."""

    work: Work
    clock: FakeClock = field(default_factory=FakeClock)
    at_once: int = 4

    def __post_init__(self) -> None:
        self.stores = FakeStores(self.clock)
        self.entropy = FakeEntropy()
        self.entropy.fixed_fraction = 0.5
        self.worker = self.another()

    def another(self, **changes: Any) -> RunJobs:
        """Another process on the same queue."""
        kind = replace(Thing(self.work), **changes)
        return RunJobs(self.stores.jobs, [kind], self.clock, self.entropy, at_once=self.at_once)

    async def add(self, job_id: str = "job_1", **changes: Any) -> None:
        """Put a job in."""
        now = self.clock.now()
        await self.stores.jobs.add(
            replace(Job(job_id, "thing.make", now, now, created_by="key:1"), **changes),
        )

    async def run(self) -> Job:
        """Run what is due, and read the first job."""
        await self.worker.look()
        await asyncio.wait_for(self.worker.idle(), 5)
        return await self.read()

    async def read(self, job_id: str = "job_1") -> Job:
        """A job as it is stored."""
        found = await self.stores.jobs.load(job_id)
        assert found is not None
        return found

    @property
    def records(self) -> list[tuple[str, str, str]]:
        """What the audit log says: action, outcome, who."""
        return [(each.action, each.outcome, each.actor) for each in self.stores.database.records]


async def nothing(_: Job, __: Progress) -> None:
    """Work that is done at once."""


async def turns(number: int = 20) -> None:
    """Let others run."""
    for _ in range(number):
        await asyncio.sleep(0)


async def test_a_job_is_done() -> None:
    """With what it counted, its end, and a record of that."""

    async def work(_: Job, progress: Progress) -> None:
        await progress.step(total=3, cursor={"at": 1}, done=1, failures={"not_found": 1})
        await progress.step(done=1, report={"x": 1})

    place = Place(work)
    await place.add()
    ended = await place.run()
    now = place.clock.now()

    assert (JobState.DONE, 2, 3, {"not_found": 1}) == (ended.state, ended.done, ended.total, ended.failures)
    assert ({"at": 1}, {"x": 1}, now) == (ended.cursor, ended.report, ended.ended_at)
    assert [("job.finished", "ok", "key:1")] == place.records


async def test_few_run_at_once() -> None:
    """The others stay in the queue, for other processes too."""
    going = asyncio.Event()

    async def work(_: Job, __: Progress) -> None:
        await going.wait()

    place = Place(work, at_once=2)
    for n in range(5):
        await place.add(f"job_{n}")
    await place.worker.look()
    await turns()
    busy = place.worker.busy
    running, _ = await place.stores.jobs.list(state=JobState.RUNNING)
    going.set()
    await place.worker.idle()

    assert (2, 2) == (busy, len(running))


@pytest.mark.parametrize(
    ("error", "code", "wait_s"),
    [
        pytest.param(NotFound(), "not_found", 11.0, id="an error of ours"),
        pytest.param(ProviderRateLimited(retry_after_s=77.0), "provider_rate_limited", 77.0, id="asked to wait longer"),
        pytest.param(ProviderRateLimited(retry_after_s=2.0), "provider_rate_limited", 11.0, id="asked to wait less"),
        pytest.param(ZeroDivisionError("s3cret"), "internal_error", 11.0, id="a mistake"),
    ],
)
async def test_a_failure_is_tried_again(error: Exception, code: str, wait_s: float) -> None:
    """After the first delay and its jitter; nothing that the error says is kept or logged."""

    async def work(_: Job, __: Progress) -> None:
        raise error

    place = Place(work)
    await place.add()
    with structlog.testing.capture_logs() as logged:
        failed = await place.run()

    assert (JobState.QUEUED, code, 1) == (failed.state, failed.last_error, failed.tries)
    assert pytest.approx(wait_s) == failed.run_at - place.clock.now()
    assert "s3cret" not in repr(failed) + repr(logged)
    assert [] == place.records


async def test_it_is_given_up_after_the_last_delay() -> None:
    """Each delay is waited for once."""
    begun: list[float] = []
    place = Place(nothing)
    start = place.clock.now()

    async def work(_: Job, __: Progress) -> None:
        begun.append(place.clock.now() - start)
        raise NotFound

    place.work = work
    place.worker = place.another()
    await place.add()
    for _ in range(300):
        last = await place.run()
        place.clock.advance(1)

    assert [0, 11, 121] == begun
    assert (JobState.FAILED, "not_found") == (last.state, last.last_error)
    assert [("job.finished", "not_found", "key:1")] == place.records


async def test_progress_earns_new_tries() -> None:
    """A job that comes on is not given up because it fails now and then."""
    place = Place(nothing)

    async def work(job: Job, progress: Progress) -> None:
        at = job.cursor.get("at", 0)
        if at < 6:
            await progress.step(cursor={"at": at + 1}, done=1)
            raise NotFound

    place.work = work
    place.worker = place.another()
    await place.add()
    for _ in range(10):
        last = await place.run()
        place.clock.advance(11)

    assert (JobState.DONE, 6, None) == (last.state, last.done, last.last_error)


async def test_a_cancelled_job_ends_at_its_next_step() -> None:
    """What it did until then stays counted."""
    place = Place(nothing)

    async def work(job: Job, progress: Progress) -> None:
        await place.stores.jobs.cancel(job.id, by="key:2", now=place.clock.now())
        with pytest.raises(JobCancelled):
            await progress.step(done=1)
        await progress.step(done=1)

    place.work = work
    place.worker = place.another()
    await place.add()
    ended = await place.run()

    assert (JobState.CANCELLED, 2, "key:2") == (ended.state, ended.done, ended.cancelled_by)
    assert [("job.finished", "ok", "key:1")] == place.records


async def test_what_was_cancelled_while_it_failed_is_not_tried_again() -> None:
    """Asked for between its last step and its end."""
    place = Place(nothing)

    async def work(job: Job, __: Progress) -> None:
        await place.stores.jobs.cancel(job.id, by="key:2", now=place.clock.now())
        raise NotFound

    place.work = work
    place.worker = place.another()
    await place.add()

    assert JobState.CANCELLED is (await place.run()).state


async def test_signs_of_life() -> None:
    """A job that takes no step for long is still seen, and nobody else takes it."""
    place = Place(nothing)
    going = asyncio.Event()

    async def work(_: Job, __: Progress) -> None:
        await going.wait()

    place.work = work
    place.worker, other = place.another(), place.another()
    await place.add()
    await place.worker.look()
    for _ in range(int(3 * ABANDONED_AFTER_S / HEARTBEAT_S)):
        await turns()
        place.clock.advance(HEARTBEAT_S)
    await turns()
    await other.look()
    seen = (await place.read()).seen_at
    going.set()
    await place.worker.idle()

    assert 0 == other.busy
    assert seen == place.clock.now()
    assert JobState.DONE is (await place.read()).state


async def test_a_job_that_another_took_over_ends_here() -> None:
    """Its next heartbeat finds that out, and stops the work; the other's row is left alone."""
    place = Place(nothing)
    stopped: list[str] = []

    async def work(_: Job, __: Progress) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            stopped.append("here")

    place.work = work
    place.worker = place.another()
    await place.add()
    await place.worker.look()
    await turns()
    stolen = await place.stores.jobs.claim(
        now=place.clock.now(), kinds=frozenset({"thing.make"}), limit=1, abandoned_before=place.clock.now() + 1
    )
    place.clock.advance(HEARTBEAT_S)
    await asyncio.wait_for(place.worker.idle(), 5)

    assert ["here"] == stopped
    assert stolen[0] == await place.read()


async def test_what_kills_whoever_runs_it_is_given_up() -> None:
    """A job that was abandoned as often as it may be tried is not taken up for ever."""
    place = Place(nothing)
    await place.add(state=JobState.RUNNING, tries=3, seen_at=place.clock.now() - 1000)
    ended = await place.run()

    assert (JobState.FAILED, "internal_error") == (ended.state, ended.last_error)


@pytest.mark.parametrize("steps", [True, False], ids=["at its next step", "where it is"])
async def test_a_process_that_ends_gives_its_jobs_back(steps: bool) -> None:
    """Queued again where it stands, with no try lost; another process goes on at once."""
    place = Place(nothing)
    begun: list[Any] = []

    async def work(job: Job, progress: Progress) -> None:
        begun.append(job.cursor.get("at"))
        if job.cursor.get("at") is None:
            await progress.step(cursor={"at": 1}, done=1)
            while steps:
                await progress.step()
                await asyncio.sleep(0)
            await asyncio.Event().wait()

    place.work = work
    place.worker, other = place.another(), place.another()
    await place.add()
    await place.worker.look()
    await turns()
    await place.worker.drain(0.01)
    left = await place.read()
    await place.worker.look()
    await other.look()
    await other.idle()

    assert (JobState.QUEUED, 0, 1, {"at": 1}) == (left.state, left.tries, left.done, left.cursor)
    assert [None, 1] == begun
    assert JobState.DONE is (await place.read()).state


async def test_a_lost_database_leaves_the_job_to_be_found() -> None:
    """Nothing can be written, so nothing is; the row is taken up as abandoned, and its steps say so."""
    place = Place(nothing)
    said: list[str] = []

    async def work(_: Job, progress: Progress) -> None:
        place.stores.database.gone = True
        try:
            await progress.step(done=1)
        except KeyturnError as error:
            said.append(error.code)
            raise

    place.work = work
    place.worker = place.another()
    await place.add()
    await place.worker.look()
    await place.worker.idle()
    place.stores.database.gone = False
    place.work, left = nothing, await place.read()
    place.clock.advance(ABANDONED_AFTER_S + 1)
    place.worker = place.another()

    assert ([StoreUnavailable.code], JobState.RUNNING) == (said, left.state)
    assert JobState.DONE is (await place.run()).state


async def test_a_kind_that_nobody_knows_waits() -> None:
    """For a process that does."""
    place = Place(nothing)
    await place.add(kind="thing.break")

    assert JobState.QUEUED is (await place.run()).state


async def test_a_step_after_another_took_over_fails() -> None:
    """Nothing is written over what the other wrote."""
    place = Place(nothing)
    caught: list[type[Exception]] = []

    async def work(job: Job, progress: Progress) -> None:
        await place.stores.jobs.save(job)
        try:
            await progress.step(done=1)
        except RevisionConflict as error:
            caught.append(type(error))
            raise

    place.work = work
    place.worker = place.another()
    await place.add()
    left = await place.run()

    assert ([RevisionConflict], JobState.RUNNING, 0) == (caught, left.state, left.done)


async def test_recurring_work_is_added_once_per_period() -> None:
    """By however many processes, also after it has ended; the next period has its own."""
    place = Place(nothing)
    recurring = [Recurring("thing.make", 3600.0)]
    schedules = [Schedule(place.stores.jobs, recurring, place.clock) for _ in range(3)]
    counts = []
    for _ in range(3):
        await asyncio.gather(*(each.look() for each in schedules))
        await place.worker.look()
        await place.worker.idle()
        await asyncio.gather(*(each.look() for each in schedules))
        await Schedule(place.stores.jobs, recurring, place.clock).look()
        found, _ = await place.stores.jobs.list()
        counts.append(len(found))
        place.clock.advance(3600)

    assert [1, 2, 3] == counts
    assert {SCHEDULER.name} == {each.created_by for each in found}
    assert [] == place.records


async def test_a_period_that_is_still_under_way_stands_for_the_next() -> None:
    """Two of them at once would do the same work twice."""
    place = Place(nothing)
    schedule = Schedule(place.stores.jobs, [Recurring("thing.make", 60.0)], place.clock)
    await schedule.look()
    place.clock.advance(60)
    await schedule.look()

    assert 1 == len((await place.stores.jobs.list())[0])
