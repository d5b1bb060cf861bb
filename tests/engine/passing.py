"""Letting time pass while something runs, and losing a database at a chosen moment."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from keyturn.core.connection import Connection
from keyturn.core.errors import StoreUnavailable
from tests.engine.story import ACTOR
from tests.fakes.application import FakeWorld

Result = TypeVar("Result")


async def in_time(world: FakeWorld, work: Coroutine[Any, Any, Result], *, step_s: float = 0.25) -> Result:
    """Await something while time passes by itself."""
    task = asyncio.ensure_future(work)
    for _ in range(4000):
        if task.done():
            break
        await asyncio.sleep(0)
        if world.clock.sleepers and not task.done():
            await asyncio.sleep(0)
            world.clock.advance(step_s)
    return await task


async def renew(world: FakeWorld, connection: Connection, **more: Any) -> Connection:
    """Renew past the connection's generation while time passes by itself."""
    renewals = world.application.renewals
    return await in_time(world, renewals.renew(connection.id, generation=connection.generation, actor=ACTOR, **more))


async def round_of(world: FakeWorld, rounds: int = 1) -> None:
    """Let the scheduler look for due renewals, and let what it began end."""
    for _ in range(rounds):
        await in_time(world, world.application.scheduler.renew_due())
        await settle(world)


async def settle(world: FakeWorld) -> None:
    """Let what the scheduler began end; time passes only where nothing else goes on."""
    for _ in range(4000):
        for _ in range(200):
            if not world.application.scheduler.busy:
                return
            await asyncio.sleep(0)
        if world.clock.sleepers:
            world.clock.advance(0.25)


def fail_write(world: FakeWorld, index: int) -> None:
    """Let this one of the coming writes, counted from 0, fail before anything is changed."""
    left = [index]

    def before(_: str) -> None:
        left[0] -= 1
        if left[0] == -1:
            raise StoreUnavailable("the database is gone")

    world.stores.database.before_write = before


def lose_word_of_save(world: FakeWorld, index: int) -> None:
    """Let this one of the coming writes of a connection commit, and its word be lost."""
    store, left = world.stores.connections, [index]
    really_save = store.save

    async def save(connection: Connection, **more: Any) -> Connection:
        saved = await really_save(connection, **more)
        left[0] -= 1
        if left[0] == -1:
            raise StoreUnavailable("the connection broke while it committed")
        return saved

    store.save = save  # type: ignore[method-assign]


def lose_word(world: FakeWorld, index: int) -> None:
    """Let this one of a renewal's commits be made, and its word be lost: 0 the claim, 1 the settling."""
    store, name = world.stores.renewals, ("claim", "settle")[index]
    really, left = getattr(store, name), [1]

    async def lossy(*args: Any, **more: Any) -> Any:
        done = await really(*args, **more)
        left[0] -= 1
        if left[0] == 0:
            raise StoreUnavailable("the connection broke while it committed")
        return done

    setattr(store, name, lossy)
