"""What is kept no longer than it serves somebody."""

from __future__ import annotations

from typing import Any

import pytest

from keyturn.core.access.roles import Role
from keyturn.core.connector import LoginLimits
from keyturn.engine.people.people import AskingBrowser, digest_of
from keyturn.ports.jobs import Job, JobState
from tests.contracts.samples import session
from tests.engine.jobs.running import run_all
from tests.engine.passing import in_time
from tests.engine.story import ACTOR, actions, log_in, publish
from tests.fakes.application import FakeWorld, make_world
from tests.fakes.egress import json_answer
from tests.house.sources import ROOT

DAY = 86_400.0
MOMENT = 60.0  # a test takes less


@pytest.fixture
def world() -> FakeWorld:
    """A world in which time passes only as a test lets it."""
    return make_world()


async def test_tombstones_are_kept_for_thirty_days(world: FakeWorld) -> None:
    """And taken away in the daily round after that."""
    await publish(world)
    connection = (await log_in(world)).connection
    world.egress.will_reply(json_answer("{}"), json_answer("{}"))
    await in_time(world, world.application.disconnect(connection.id, ACTOR))

    world.clock.advance(30 * DAY - MOMENT)
    await run_all(world)
    kept = await world.stores.connections.load(connection.id)
    world.clock.advance(DAY)
    await run_all(world)

    assert kept is not None
    assert await world.stores.connections.load(connection.id) is None


async def test_ended_sessions_are_kept_for_a_week(world: FakeWorld) -> None:
    """Counted from their end."""
    now = world.clock.now()
    await world.stores.sessions.add(session("ses_1", expires_at=now - 7 * DAY - 1))
    await world.stores.sessions.add(session("ses_2", expires_at=now - 7 * DAY + MOMENT))
    await run_all(world)

    assert await world.stores.sessions.load("ses_1") is None
    assert await world.stores.sessions.load("ses_2") is not None


async def test_sign_ins_are_kept_for_a_day(world: FakeWorld) -> None:
    """Sessions of the console, and links that nobody used, counted from their end."""
    people, store = world.application.people, world.stores.people
    person = await people.create("Ada", Role.VIEWER, ACTOR)
    link, _ = await people.make_link(person.id, ACTOR)
    unused, link_ends = await people.make_link(person.id, ACTOR)
    signed_in, _ = await people.sign_in(link.reveal().rpartition("/")[2], AskingBrowser())
    digest, session_ends = digest_of(unused.reveal().rpartition("/")[2]), signed_in.session.expires_at
    found = []
    for now in (link_ends + DAY - MOMENT, session_ends + DAY - MOMENT, session_ends + 2 * DAY):
        world.clock.advance(now - world.clock.now())
        await run_all(world)
        found.append((await store.find_link(digest) is not None, len(await store.sessions_of(person.id))))

    assert (True, 1) == found[0]
    assert [1, 0] == [sessions for _, sessions in found[1:]]
    assert not found[2][0]


def test_the_documents_list_each_kind(world: FakeWorld) -> None:
    """With what it takes away."""
    text = (ROOT / "docs" / "explanation" / "jobs.md").read_text(encoding="utf-8")
    kinds = {name for name in world.application.run_jobs.kinds if name.endswith((".purge", ".cut"))}

    assert len(kinds) > 10
    assert set() == {each for each in kinds if f"`{each}`" not in text}


async def test_stored_replies_are_kept_for_a_day(world: FakeWorld) -> None:
    """Then nothing of them is left to be purged."""
    await world.stores.idempotency.begin("k", "digest", now=world.clock.now() - DAY - 1)
    await world.stores.idempotency.begin("l", "digest", now=world.clock.now() - DAY + MOMENT)
    await run_all(world)

    assert 1 == await world.stores.idempotency.purge(claimed_before=world.clock.now() + 1)


async def test_logins_are_kept_as_long_as_they_count(world: FakeWorld) -> None:
    """The rows of an account that nobody logs in to any more go as well."""
    limits = LoginLimits(3, 900.0)
    for ago in (961.0, 0.0):
        await world.stores.logins.reserve(
            "a", now=world.clock.now() - ago, limits=limits, successes=LoginLimits(60, 900.0), challenges=limits
        )
    await run_all(world)

    assert 1 == await world.stores.logins.purge(now=world.clock.now() + 10_000)


async def test_ended_jobs_are_kept_for_thirty_days(world: FakeWorld) -> None:
    """Open ones stay, however old."""
    now = world.clock.now()
    old: dict[str, Any] = {"kind": "thing.make", "created_at": now - 90 * DAY, "run_at": now - 90 * DAY}
    await world.stores.jobs.add(Job("job_1", **old, state=JobState.DONE, ended_at=now - 30 * DAY - 1))
    await world.stores.jobs.add(Job("job_2", **old, state=JobState.FAILED, ended_at=now - 30 * DAY + MOMENT))
    await world.stores.jobs.add(Job("job_3", **old))
    await run_all(world)
    left, _ = await world.stores.jobs.list(kind="thing.make")

    assert {"job_2", "job_3"} == {each.id for each in left}


async def test_only_what_was_done_is_recorded(world: FakeWorld) -> None:
    """A round that finds nothing leaves no trace in the audit log; the jobs say how many they took away."""
    await world.stores.sessions.add(session("ses_1", expires_at=0.0))
    await run_all(world)
    (purge,), _ = await world.stores.jobs.list(kind="session.purge")

    assert [("job.finished", "ok")] == actions(world)
    assert (1, {"removed": 1}) == (purge.done, purge.report)
