"""What every queue of jobs promises."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from keyturn.core.errors import ValidationFailed
from keyturn.ports.jobs import Job, JobState
from keyturn.ports.store import RevisionConflict
from tests.contracts.all_stores import AllStores
from tests.contracts.samples import NOW, record

KINDS = frozenset({"thing.make"})
FULL = Job(
    id="job_full",
    kind="thing.make",
    created_at=NOW + 0.25,
    run_at=NOW + 1.5,
    arguments={"filter": {"state": "active"}, "ids": ["a", "b"]},
    cursor={"after": "c", "n": 3},
    state=JobState.FAILED,
    unique="one",
    tries=3,
    done=7,
    total=9,
    failures={"provider_timeout": 2},
    report={"failed": [{"id": "x", "code": "provider_timeout"}]},
    last_error="provider_timeout",
    created_by="key:1",
    cancelled_by="key:2",
    started_at=NOW + 2,
    seen_at=NOW + 3,
    ended_at=NOW + 4,
)


def job(job_id: str = "job_1", **changes: Any) -> Job:
    """One that is due."""
    return replace(Job(id=job_id, kind="thing.make", created_at=NOW, run_at=NOW), **changes)


async def claim(stores: AllStores, *, now: float = NOW, limit: int = 10) -> Sequence[Job]:
    """Take what is due; who was not seen for a minute has abandoned its jobs."""
    return await stores.jobs.claim(now=now, kinds=KINDS, limit=limit, abandoned_before=now - 60)


async def actions(stores: AllStores) -> list[str]:
    """What the audit log says, oldest first."""
    found, _ = await stores.audit.list()
    return [each.action for _, each in reversed(found)]


class JobsContract:
    """Subclass, give a `stores` fixture, write nothing else."""

    async def test_what_was_added_is_found(self, stores: AllStores) -> None:
        """With every attribute, within its project."""
        added = await stores.jobs.add(FULL, records=[record("job.created")])

        assert FULL == added == await stores.jobs.load("job_full")
        assert await stores.jobs.load("job_full", project="other") is None
        assert await stores.jobs.load("job_2") is None
        assert ["job.created"] == await actions(stores)

    async def test_one_open_job_of_a_unique_key(self, stores: AllStores) -> None:
        """Another is answered with the one that is open, until that has ended; other kinds and keys don't matter."""
        first = await stores.jobs.add(job("job_1", unique="k"))
        again = await stores.jobs.add(job("job_2", unique="k"), records=[record()])
        others = [
            await stores.jobs.add(each)
            for each in (
                job("job_3", unique="l"),
                job("job_4", unique="k", kind="thing.break"),
                job("job_5", unique="k", project="other"),
                job("job_6"),
                job("job_7"),
            )
        ]
        await stores.jobs.cancel("job_1", by="x", now=NOW)
        after = await stores.jobs.add(job("job_8", unique="k"))

        assert first == again
        assert ["job_3", "job_4", "job_5", "job_6", "job_7"] == [each.id for each in others]
        assert "job_8" == after.id
        assert [] == await actions(stores)

    async def test_an_id_is_added_once(self, stores: AllStores) -> None:
        """Even where the one that has it ended: nothing begins anew by that."""
        await stores.jobs.add(job(arguments={"n": 1}))
        await stores.jobs.cancel("job_1", by="x", now=NOW)
        again = await stores.jobs.add(job(arguments={"n": 2}))

        assert ({"n": 1}, JobState.CANCELLED) == (dict(again.arguments), again.state)

    async def test_what_is_due_is_claimed(self, stores: AllStores) -> None:
        """Queued ones of these kinds whose time has come, longest due first; they are running then."""
        for each in (
            job("job_1", run_at=NOW - 1),
            job("job_2", run_at=NOW - 2, tries=2, started_at=NOW - 9),
            job("job_3", run_at=NOW + 0.5),
            job("job_4", kind="thing.break"),
            job("job_5", state=JobState.DONE),
            job("job_6", run_at=NOW, project="other"),
        ):
            await stores.jobs.add(each)
        claimed = await claim(stores)
        expected = job(
            "job_2", run_at=NOW - 2, tries=3, started_at=NOW - 9, seen_at=NOW, state=JobState.RUNNING, revision=1
        )

        assert ["job_2", "job_1", "job_6"] == [each.id for each in claimed]
        assert expected == claimed[0] == await stores.jobs.load("job_2")
        assert (NOW, 1) == (claimed[1].started_at, claimed[1].tries)
        assert () == tuple(await claim(stores))

    @pytest.mark.parametrize(("limit", "expected"), [(0, 0), (2, 2), (9, 3)])
    async def test_no_more_is_claimed_than_is_asked_for(self, stores: AllStores, limit: int, expected: int) -> None:
        """The rest stays for others."""
        for n in range(3):
            await stores.jobs.add(job(f"job_{n}"))
        claimed = await claim(stores, limit=limit)
        rest = await claim(stores)

        assert (expected, 3 - expected) == (len(claimed), len(rest))

    async def test_two_at_once_share(self, stores: AllStores) -> None:
        """Each job is given to one of them."""
        for n in range(12):
            await stores.jobs.add(job(f"job_{n:02}"))
        shares = await asyncio.gather(*(claim(stores, limit=4) for _ in range(4)))
        given = [each.id for share in shares for each in share]

        assert [f"job_{n:02}" for n in range(12)] == sorted(given)

    async def test_an_abandoned_one_is_claimed_again(self, stores: AllStores) -> None:
        """Not before it was not seen for long enough; who had it can't write it any more."""
        await stores.jobs.add(job())
        first = (await claim(stores))[0]
        seen = await stores.jobs.save(replace(first, seen_at=NOW + 30, cursor={"at": 1}))
        early = await claim(stores, now=NOW + 90)
        late = (await claim(stores, now=NOW + 90.5))[0]

        assert () == tuple(early)
        assert replace(seen, tries=2, seen_at=NOW + 90.5, revision=3) == late
        with pytest.raises(RevisionConflict):
            await stores.jobs.save(replace(seen, done=5))
        assert late == await stores.jobs.load("job_1")

    async def test_a_save_writes_every_attribute(self, stores: AllStores) -> None:
        """A save returns what is stored then, with the next revision, and its records with it."""
        await stores.jobs.add(job("job_full"))
        saved = await stores.jobs.save(FULL, records=[record("job.finished")])

        assert replace(FULL, revision=1) == saved == await stores.jobs.load("job_full")
        assert ["job.finished"] == await actions(stores)

    @pytest.mark.parametrize(
        "outdated",
        [
            pytest.param(job(revision=1), id="an older revision"),
            pytest.param(job("job_2"), id="none such"),
            pytest.param(job(project="other"), id="another project"),
        ],
    )
    async def test_who_writes_second_loses(self, stores: AllStores, outdated: Job) -> None:
        """Nothing is changed, and no record written."""
        await stores.jobs.add(job())
        with pytest.raises(RevisionConflict):
            await stores.jobs.save(replace(outdated, done=1), records=[record()])

        assert job() == await stores.jobs.load("job_1")
        assert [] == await actions(stores)

    async def test_a_queued_one_is_cancelled_at_once(self, stores: AllStores) -> None:
        """And is claimed by nobody; asking again changes nothing."""
        await stores.jobs.add(job())
        first = await stores.jobs.cancel("job_1", by="key:1", now=NOW + 1, records=[record("job.cancelled")])
        again = await stores.jobs.cancel("job_1", by="key:2", now=NOW + 2, records=[record("job.cancelled")])

        assert job(state=JobState.CANCELLED, cancelled_by="key:1", ended_at=NOW + 1, revision=1) == first == again
        assert first == await stores.jobs.load("job_1")
        assert () == tuple(await claim(stores))
        assert ["job.cancelled"] == await actions(stores)

    async def test_a_running_one_is_asked_to_end(self, stores: AllStores) -> None:
        """Who runs it reads of that with its next write, and loses nothing by it."""
        await stores.jobs.add(job())
        running = (await claim(stores))[0]
        asked = await stores.jobs.cancel("job_1", by="key:1", now=NOW + 1, records=[record("job.cancelled")])
        await stores.jobs.cancel("job_1", by="key:2", now=NOW + 1, records=[record("job.cancelled")])
        saved = await stores.jobs.save(replace(running, done=4))

        assert replace(running, cancelled_by="key:1") == asked
        assert replace(running, cancelled_by="key:1", done=4, revision=2) == saved
        assert saved == await stores.jobs.load("job_1")
        assert ["job.cancelled"] == await actions(stores)

    async def test_only_what_is_there_is_cancelled(self, stores: AllStores) -> None:
        """Of another project or of none: nothing."""
        await stores.jobs.add(job())

        assert await stores.jobs.cancel("job_2", by="x", now=NOW) is None
        assert await stores.jobs.cancel("job_1", by="x", now=NOW, project="other") is None
        assert job() == await stores.jobs.load("job_1")

    async def test_old_ended_ones_are_purged(self, stores: AllStores) -> None:
        """No open one, however old, and none that ended later."""
        for each in (
            job("job_1", state=JobState.DONE, ended_at=NOW - 1),
            job("job_2", state=JobState.FAILED, ended_at=NOW),
            job("job_3", created_at=NOW - 10_000),
        ):
            await stores.jobs.add(each)
        purged = await stores.jobs.purge(ended_before=NOW)
        left, _ = await stores.jobs.list()

        assert 1 == purged
        assert ["job_2", "job_3"] == [each.id for each in left]

    async def test_they_are_listed_newest_first(self, stores: AllStores) -> None:
        """A page at a time, also where several are of one moment."""
        for n in range(5):
            await stores.jobs.add(job(f"job_{n}", created_at=NOW + n // 2))
        await stores.jobs.add(job("job_9", project="other"))
        found: list[str] = []
        cursor, pages = None, 0
        while pages == 0 or cursor:
            page, cursor = await stores.jobs.list(cursor=cursor, limit=2)
            found += [each.id for each in page]
            pages += 1

        assert (["job_4", "job_3", "job_2", "job_1", "job_0"], 3) == (found, pages)

    @pytest.mark.parametrize(
        ("asked", "expected"),
        [
            pytest.param({"kind": "thing.break"}, ["job_2"], id="kind"),
            pytest.param({"state": JobState.DONE}, ["job_3"], id="state"),
            pytest.param({"created_by": "key:1"}, ["job_4"], id="who made it"),
            pytest.param({"kind": "thing.break", "state": JobState.DONE}, [], id="all of them"),
        ],
    )
    async def test_some_are_listed(self, stores: AllStores, asked: dict[str, Any], expected: list[str]) -> None:
        """By kind, state and who made them."""
        for each in (
            job("job_1"),
            job("job_2", kind="thing.break"),
            job("job_3", state=JobState.DONE),
            job("job_4", created_by="key:1"),
        ):
            await stores.jobs.add(each)
        found, _ = await stores.jobs.list(**asked)

        assert expected == [each.id for each in found]

    async def test_a_cursor_of_no_list_is_refused(self, stores: AllStores) -> None:
        """It is never guessed what was meant."""
        with pytest.raises(ValidationFailed):
            await stores.jobs.list(cursor="job_of_nobody")
