"""Correcting a published version's advice: in place, logged, seen by every process at its next look."""

from __future__ import annotations

import asyncio

import pytest

from keyturn.core.errors import NotFound, VersionConflict, VersionImmutable
from keyturn.engine.edit_connector import EditConnector
from tests.engine.story import ACTOR, CONNECTOR, actions
from tests.engine.test_other_processes import second
from tests.fakes.application import FakeWorld, make_world

PARTS = {"refresh": "", "revoke": "", "keep": "never", "on_duplicate": "update", "token": ""}
FILE = CONNECTOR % {**PARTS, "url": "https://auth.acme.example", "more": "%s"}
NOTED = FILE % "notes: {setup: Switch on API access.}"
MOVED = FILE.replace("auth.acme", "login.acme") % ""


@pytest.fixture
async def world() -> FakeWorld:
    """A world with one published version."""
    made = make_world()
    await save(made, FILE % "")
    await made.application.edit_connector.publish("acme", ACTOR)
    return made


async def save(world: FakeWorld, text: str) -> EditConnector:
    """Write the draft."""
    await world.application.edit_connector.save("acme", text, ACTOR)
    return world.application.edit_connector


async def setup_note(world: FakeWorld, version: int = 1) -> str:
    """The note as this process knows it."""
    return (await world.application.published.version("acme", version)).notes.setup


async def test_a_correction_makes_no_version(world: FakeWorld) -> None:
    """The same number, the same day, another digest and text; in the log with the keys and both digests."""
    before = await world.stores.connectors.version("acme")
    assert "" == await setup_note(world)

    done = await (await save(world, NOTED)).publish("acme", ACTOR)
    after = await world.stores.connectors.version("acme")

    assert before is not None
    assert after is not None
    assert (1, "corrected", ("notes",)) == (done.version, done.result, done.corrected)
    assert (1, before.published_at, NOTED) == (after.version, after.published_at, after.source)
    assert before.digest != after.digest
    assert "Switch on API access." == await setup_note(world)
    record = world.stores.database.records[-1]
    assert ("connector.corrected", "ok", ["notes"]) == (record.action, record.outcome, record.facts["keys"])
    assert (before.digest, after.digest) == (record.facts["digest_before"], record.facts["digest"])


async def test_the_same_again_is_unchanged(world: FakeWorld) -> None:
    """Nothing is written, and nothing is logged."""
    edit = await save(world, NOTED)
    await edit.publish("acme", ACTOR)
    logged = len(actions(world))

    again = await edit.publish("acme", ACTOR)

    assert (1, "unchanged") == (again.version, again.result)
    assert logged == len(actions(world))


async def test_more_than_advice_makes_a_version(world: FakeWorld) -> None:
    """The old one stays as it was."""
    done = await (await save(world, MOVED)).publish("acme", ACTOR)
    first = await world.stores.connectors.version("acme", 1)

    assert first is not None
    assert (2, "published", ()) == (done.version, done.result, done.corrected)
    assert FILE % "" == first.source


async def test_an_older_version_is_corrected_by_its_number(world: FakeWorld) -> None:
    """Its connections see it; the newest stays."""
    await (await save(world, MOVED)).publish("acme", ACTOR)

    done = await (await save(world, NOTED)).publish("acme", ACTOR, corrects=1)
    newest = await world.stores.connectors.version("acme")

    assert (1, "corrected") == (done.version, done.result)
    assert newest is not None
    assert (2, MOVED) == (newest.version, newest.source)
    assert ("Switch on API access.", "") == (await setup_note(world), await setup_note(world, 2))


async def test_a_correction_of_more_than_advice_is_refused(world: FakeWorld) -> None:
    """With the keys that differ; nothing is published instead."""
    edit = await save(world, MOVED)

    with pytest.raises(VersionImmutable) as caught:
        await edit.publish("acme", ACTOR, corrects=1)
    with pytest.raises(NotFound):
        await edit.publish("acme", ACTOR, corrects=7)
    newest = await world.stores.connectors.version("acme")

    assert ["/token", "/refresh", "/revoke"] == [each.pointer for each in caught.value.errors]
    assert newest is not None
    assert 1 == newest.version


async def test_another_process_sees_it_at_its_next_look(world: FakeWorld) -> None:
    """It had the version at hand, and reads it anew."""
    other = await second(world)
    before = await other.published.version("acme", 1)

    await (await save(world, NOTED)).publish("acme", ACTOR)
    await other.look()

    after = await other.published.version("acme", 1)
    assert ("", "Switch on API access.") == (before.notes.setup, after.notes.setup)


async def test_what_was_read_before_is_not_kept_after(world: FakeWorld) -> None:
    """A read that began before a correction does not outlive it."""
    other = await second(world)
    reading = asyncio.create_task(other.published.version("acme", 1))
    await asyncio.sleep(0)  # it has asked, and the answer is not there yet

    other.published.forget("acme")
    await reading
    await (await save(world, NOTED)).publish("acme", ACTOR)

    assert "Switch on API access." == (await other.published.version("acme", 1)).notes.setup


async def test_two_corrections_at_one_moment(world: FakeWorld) -> None:
    """The later one is told: what it read is not what it would write over."""
    edit = await save(world, NOTED)
    read = await world.stores.connectors.version("acme")
    assert read is not None
    await edit.publish("acme", ACTOR)

    with pytest.raises(VersionConflict):
        await world.stores.connectors.correct(read, read.connector, read.source, "d")
