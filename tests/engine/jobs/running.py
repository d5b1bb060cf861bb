"""Running the jobs of a fake world as its scheduler does."""

from __future__ import annotations

from tests.engine.passing import in_time
from tests.fakes.application import FakeWorld


async def run_all(world: FakeWorld) -> None:
    """Add what recurs, and run what is due until nothing is."""
    background = world.application.scheduler.background
    assert background is not None
    await in_time(world, background.jobs_due())
    workers = (world.application.run_jobs, world.application.run_deliveries)
    while any(each.busy for each in workers):
        for each in workers:
            await in_time(world, each.idle())
        await in_time(world, background.jobs_due())
