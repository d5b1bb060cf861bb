"""Rotating, resuming, retiring; and the end of what is kept of passwords."""

from __future__ import annotations

from contextlib import suppress

import pytest

from keyturn.core.errors import KeyInUse, KeyNotMadeHere, KeyUnavailable, StoreUnavailable
from keyturn.core.secret import Secret
from keyturn.engine.jobs.run_jobs import ABANDONED_AFTER_S
from keyturn.engine.keys.rewrap import AT_ONCE, KIND
from keyturn.ports.jobs import JobState
from keyturn.ports.key_custody import KeyState, Rewrapped
from tests.engine.challenges.scene import mfa
from tests.engine.challenges.test_seed import seeded, with_seed
from tests.engine.jobs.running import run_all
from tests.engine.story import ACTOR, actions, log_in, me, publish, read, token
from tests.fakes.application import FakeWorld, make_world
from tests.fakes.key_custody import FIRST

ROWS = 2 * AT_ONCE + 7


def _filled(world: FakeWorld) -> None:
    for place in ("connections.data_key", "revocations.data_key"):
        world.stores.keys.wrapped[place] = {f"{n:05}": FIRST for n in range(ROWS)}


async def test_a_rotation() -> None:
    """The key is current at once, all is moved by a job with its progress, and the old one can be retired."""
    world = make_world()
    _filled(world)
    keys = world.application.keys
    added = await keys.add(ACTOR)
    standing, job = await keys.rotate(added.id, ACTOR)
    with pytest.raises(KeyInUse):
        await keys.retire(FIRST, ACTOR)
    await run_all(world)
    done = await keys.rotation()
    retired = await keys.retire(FIRST, ACTOR)

    assert (KeyState.CURRENT, KIND, KIND) == (standing.state, job.kind, job.unique)
    assert done is not None
    assert (JobState.DONE, 2 * ROWS + 2, 2 * ROWS + 2) == (done.state, done.done, done.total)
    assert {"data_keys_left": 0} == dict(done.report)
    assert KeyState.RETIRED is retired.state
    told = [action for action, _ in actions(world) if action.startswith("key.")]
    assert ["key.added", "key.rotated", "key.retired"] == told


async def test_two_who_rotate() -> None:
    """There is one job, however often it is asked for."""
    world = make_world()
    added = await world.application.keys.add(ACTOR)
    _, one = await world.application.keys.rotate(added.id, ACTOR)
    _, two = await world.application.keys.rotate(added.id, ACTOR)

    assert one.id == two.id


async def test_a_rotation_goes_on_where_its_process_died() -> None:
    """Another process takes it up at its cursor; what was done is not done again, and all is moved."""
    world = make_world()
    _filled(world)
    keys, custody = world.application.keys, world.stores.keys
    added = await keys.add(ACTOR)
    await keys.rotate(added.id, ACTOR)
    asked: list[tuple[str, tuple[str, ...]]] = []
    original = custody.rewrap

    async def dying(place: str, *, after: tuple[str, ...], limit: int) -> Rewrapped:
        asked.append((place, after))
        if len(asked) == 4:
            world.stores.database.gone = True  # as far as this process can tell, which writes nothing more
        return await original(place, after=after, limit=limit)

    custody.rewrap = dying  # type: ignore[method-assign]
    with suppress(StoreUnavailable):
        await run_all(world)
    world.stores.database.gone = False
    left = await custody.outdated()
    world.clock.advance(ABANDONED_AFTER_S + 1)
    await run_all(world)
    done = await keys.rotation()

    assert 0 < left < 2 * ROWS
    assert asked[3] == asked[4]
    assert done is not None
    assert (JobState.DONE, 0) == (done.state, await custody.outdated())


async def test_a_provider_that_is_gone_for_a_while() -> None:
    """The job is tried again, and goes on."""
    world = make_world()
    _filled(world)
    added = await world.application.keys.add(ACTOR)
    await world.application.keys.rotate(added.id, ACTOR)
    world.stores.keys.gone.add(added.id)
    await run_all(world)
    waiting = await world.application.keys.rotation()
    world.stores.keys.gone.clear()
    world.clock.advance(3600)
    await run_all(world)
    done = await world.application.keys.rotation()

    assert waiting is not None
    assert (JobState.QUEUED, KeyUnavailable.code) == (waiting.state, waiting.last_error)
    assert done is not None
    assert (JobState.DONE, 0) == (done.state, await world.stores.keys.outdated())


async def test_what_does_not_open_holds_nothing_up() -> None:
    """It is counted; the old key stays."""
    world = make_world()
    _filled(world)
    world.stores.keys.broken = {"00003"}
    added = await world.application.keys.add(ACTOR)
    await world.application.keys.rotate(added.id, ACTOR)
    await run_all(world)
    done = await world.application.keys.rotation()

    assert done is not None
    assert (JobState.DONE, {"not_rewrapped": 2}) == (done.state, dict(done.failures))
    assert {"data_keys_left": 2} == dict(done.report)


async def test_what_a_late_process_wrapped_is_moved_too() -> None:
    """Another round finds it."""
    world = make_world()
    _filled(world)
    custody = world.stores.keys
    added = await world.application.keys.add(ACTOR)
    await world.application.keys.rotate(added.id, ACTOR)
    original, late = custody.rewrap, ["connections.data_key"]

    async def meanwhile(place: str, *, after: tuple[str, ...], limit: int) -> Rewrapped:
        if place.startswith("revocations") and late:
            custody.wrapped[late.pop()]["00000-late"] = FIRST
        return await original(place, after=after, limit=limit)

    custody.rewrap = meanwhile  # type: ignore[method-assign]
    await run_all(world)

    assert 0 == await custody.outdated()


async def test_keys_that_an_operator_names() -> None:
    """None is made, and nothing recorded."""
    world = make_world()
    world.stores.keys.makes_keys = False
    with pytest.raises(KeyNotMadeHere):
        await world.application.keys.add(ACTOR)

    assert [] == actions(world)


async def test_passwords_are_destroyed() -> None:
    """Tokens stay; each connection says what went, once."""
    world = make_world()
    await publish(world, keep="offer")
    made = await log_in(world, keep_password=True)
    first = await world.application.keys.destroy_passwords(ACTOR)
    again = await world.application.keys.destroy_passwords(ACTOR)
    found = await world.stores.connections.open(made.connection.id)

    assert ((1, 0), (0, 0)) == (first, again)
    assert found is not None
    assert (None, None) == (found[1].password, found[1].username)
    assert found[1].token_set is not None
    assert 1 == [action for action, _ in actions(world)].count("connection.password_destroyed")
    assert (await read(world, made.connection.id)).password_kept_at is None
    assert Secret("password-canary") not in found[1].fields.values()


async def test_a_kept_seed_goes_too() -> None:
    """With the step that was used last; what else is sealed stays, and it is recorded once."""
    world = await with_seed()
    connection = await seeded(world, mfa(), token(at=world.clock.now()), me())
    first = await world.application.keys.destroy_passwords(ACTOR)
    again = await world.application.keys.destroy_passwords(ACTOR)
    found = await world.stores.connections.open(connection.id)

    assert ((1, 1), (0, 0)) == (first, again)
    assert found is not None
    assert ("seed" in connection.sealed_fields, found[0].sealed_fields, found[0].totp_step) == (True, (), None)
    assert {} == dict(found[1].fields)
    assert found[1].token_set is not None
    assert 1 == [action for action, _ in actions(world)].count("connection.totp_seed_destroyed")
