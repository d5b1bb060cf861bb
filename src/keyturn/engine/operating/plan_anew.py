"""The kind of job that moves a connector's planned renewals once its quiet hours have changed.

Rule: only what the change touches is written: what is due within quiet hours, and what waits for some that are no
longer; so that it can be begun again anywhere.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from keyturn.core.connection import Connection
from keyturn.core.errors import NotFound
from keyturn.engine.jobs.job_kind import Progress
from keyturn.engine.published import PublishedConnectors
from keyturn.engine.quiet_hours.quiet_times import QuietTimes
from keyturn.engine.renewal.keep import KeepTokens
from keyturn.ports.jobs import Job
from keyturn.ports.store import ConnectionFilter, ConnectionStore, RevisionConflict

KIND: Final = "connection.plan_anew"
PAGE: Final = 200


@dataclass(frozen=True, slots=True)
class PlanAnew:
    """The kind, and what it needs."""

    connections: ConnectionStore
    published: PublishedConnectors
    keep_tokens: KeepTokens
    times: QuietTimes
    name: str = KIND
    delays_s: tuple[float, ...] = (10.0, 60.0, 600.0)

    async def run(self, job: Job, progress: Progress) -> None:
        """Look at all of the connector's, a page at a time."""
        await self.times.look()
        which = ConnectionFilter(connector=job.arguments["connector"], not_ended=True)
        cursor: str | None = job.cursor.get("page")
        while True:
            page = await self.connections.list(which, cursor=cursor, limit=PAGE, project=job.project)
            moved = [await self._moved(each) for each in page.items]
            cursor = page.next_cursor
            await progress.step(cursor={"page": cursor}, done=sum(moved))
            if cursor is None:
                return

    async def _moved(self, connection: Connection) -> bool:
        # One that waits after a failure, or whose renewal is under way, is placed when its time comes.
        if connection.renews_at is None or connection.intent is not None or connection.failures_in_a_row:
            return False
        try:
            connector = await self.published.version(
                connection.connector, connection.connector_version, project=connection.project
            )
        except NotFound:
            return False
        due = self.keep_tokens.due(connection, connector)
        here = self.times.placed(connection, connector, connection.renews_at)
        if due is None or (here == connection.renews_at and connection.renews_at <= max(due, self._ends(connection))):
            return False
        try:
            await self.connections.save(replace(connection, renews_at=due))
        except RevisionConflict:
            return False  # renewed, paused or ended meanwhile, and placed by that
        return True

    def _ends(self, connection: Connection) -> float:
        """Until when it may be due of itself: what waits for longer waits for quiet hours."""
        return connection.expires_at if connection.expires_at is not None else float("inf")
