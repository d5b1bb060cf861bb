"""The kind of job that does one action on many connections.

Rule 1: its cursor is the page that it works on and which of that page's connections are done; so a job that was
interrupted repeats only what was under way at that moment.
Rule 2: what is under way when the job has to end is waited for and counted; nothing new is begun.
Rule 3: a connection that fails is counted by its code and does not end the job; a database or a key provider that is
gone does, and the job goes on later.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from keyturn.core.connection import Connection
from keyturn.engine.actor import Actor
from keyturn.engine.jobs.bulk.bulk_actions import BulkActions, Outcome
from keyturn.engine.jobs.bulk.bulk_order import KIND, BulkOrder
from keyturn.engine.jobs.bulk.bulk_report import BulkReport
from keyturn.engine.jobs.job_kind import JobEnds, Progress
from keyturn.engine.overview.attention_bounds import ReadAttentionBounds
from keyturn.ports.clock import Clock
from keyturn.ports.jobs import Job
from keyturn.ports.store import ConnectionFilter, ConnectionStore

AT_ONCE: Final = 8
PAGE: Final = 100
WRITE_EVERY_S: Final = 1.0
GONE: Final = "not_found"


@dataclass(frozen=True, slots=True)
class BulkJob:
    """The kind `connection.bulk`."""

    connections: ConnectionStore
    actions: BulkActions
    bounds: ReadAttentionBounds
    clock: Clock
    name: str = KIND
    delays_s: tuple[float, ...] = (10.0, 60.0, 300.0, 900.0)

    async def run(self, job: Job, progress: Progress) -> None:
        """Do it from where it stands."""
        order = BulkOrder.of(job)
        if job.total is None:
            await progress.step(total=await self._total(order, job.project))
        report = BulkReport(job.report)
        async for page in self._pages(order, job):
            await _Page(self, order, Actor(job.created_by, order.request_id), page, progress, report).work()

    async def _total(self, order: BulkOrder, project: str) -> int:
        if order.ids is not None:
            return len(order.ids)
        return await self.connections.count(await self._filter(order, project), project=project)

    async def _pages(self, order: BulkOrder, job: Job) -> AsyncIterator[_Page.Part]:
        cursor: str | None = job.cursor.get("page")
        already = frozenset(job.cursor.get("acted", ()))
        if order.ids is not None:
            yield _Page.Part(cursor, None, already, await self._named(order, job.project))
            return
        which = await self._filter(order, job.project)
        while True:
            found = await self.connections.list(which, cursor=cursor, limit=PAGE, project=job.project)
            yield _Page.Part(cursor, found.next_cursor, already, found.items)
            if found.next_cursor is None:
                return
            cursor, already = found.next_cursor, frozenset()

    async def _filter(self, order: BulkOrder, project: str) -> ConnectionFilter:
        return order.filter(await self.bounds(project=project) if order.attention else None)

    async def _named(self, order: BulkOrder, project: str) -> Sequence[Connection | str]:
        """The connections with these ids; the id alone of one that is gone, or that the key may not know of."""
        found: list[Connection | str] = []
        for connection_id in order.ids or ():
            connection = await self.connections.shown(connection_id, project=project)
            found.append(connection if connection is not None and order.covers(connection) else connection_id)
        return found


class _Page:
    """The work on one page."""

    @dataclass(frozen=True, slots=True)
    class Part:
        """What is worked on: `page` and `following` are cursors of the list, `acted` the ids that are done."""

        page: str | None
        following: str | None
        acted: frozenset[str]
        items: Sequence[Connection | str]

    def __init__(
        self, kind: BulkJob, order: BulkOrder, actor: Actor, part: Part, progress: Progress, report: BulkReport
    ) -> None:
        self._kind = kind
        self._order = order
        self._actor = actor
        self._part = part
        self._progress = progress
        self._report = report
        self._acted = set(part.acted)
        self._waiting = deque(each for each in part.items if _id_of(each) not in part.acted)
        self._under_way: dict[asyncio.Task[Outcome], str] = {}
        self._ends: Exception | None = None

    async def work(self) -> None:
        """Do all of it; raises what the job has to end with, once what was under way is counted."""
        written_at = self._kind.clock.monotonic()
        try:
            while self._waiting or self._under_way:
                self._begin()
                done, _ = await asyncio.wait(self._under_way, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    self._note(task)
                if self._ends is None and self._kind.clock.monotonic() - written_at >= WRITE_EVERY_S:
                    await self._write()
                    written_at = self._kind.clock.monotonic()
            await self._write(at_end=True)
        finally:
            for task in self._under_way:
                task.cancel()
            await asyncio.gather(*self._under_way, return_exceptions=True)
        if self._ends is not None:
            raise self._ends

    def _begin(self) -> None:
        while self._waiting and len(self._under_way) < AT_ONCE:
            item = self._waiting.popleft()
            task = asyncio.create_task(self._act(item), name=f"bulk {_id_of(item)}")
            self._under_way[task] = _id_of(item)

    async def _act(self, item: Connection | str) -> Outcome:
        if isinstance(item, str):
            return Outcome(GONE)
        return await self._kind.actions(self._order.action, item, self._actor)

    def _note(self, task: asyncio.Task[Outcome]) -> None:
        connection_id = self._under_way.pop(task)
        error = task.exception()
        if error is None:
            self._acted.add(connection_id)
            self._report.note(connection_id, task.result())
        elif isinstance(error, Exception):
            self._end_with(error)
        else:
            raise error

    def _end_with(self, error: Exception) -> None:
        """Begin nothing more; the first reason counts."""
        self._ends = self._ends or error
        self._waiting.clear()

    async def _write(self, *, at_end: bool = False) -> None:
        """Write down how far it has come. A page that is done makes room for the next."""
        cursor: dict[str, Any] = {"page": self._part.page, "acted": sorted(self._acted)}
        if at_end and self._ends is None and self._part.following is not None:
            cursor = {"page": self._part.following, "acted": []}
        try:
            await self._progress.step(cursor=cursor, **self._report.counted())
        except JobEnds as ends:
            self._end_with(ends)


def _id_of(item: Connection | str) -> str:
    return item if isinstance(item, str) else item.id
