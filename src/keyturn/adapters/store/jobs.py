"""The queue of jobs on SQLite.

Rule 1: a job is taken within one write transaction, of which the database has one at a time: nobody else gets it. That
nothing is due is found out by reading alone.
Rule 2: who asks for a job's end writes beside its revision: the process that runs it loses nothing by that, and reads
of it with its next write.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import sqlalchemy as sa

from keyturn.adapters.store.audit import add_records
from keyturn.adapters.store.database.engine import Database
from keyturn.adapters.store.database.jobs_table import OPEN, QUEUED, RUNNING, jobs
from keyturn.adapters.store.rows.cursors import cursor_of, position_in
from keyturn.adapters.store.rows.plain_columns import json_of, mapping_in
from keyturn.core.audit_record import AuditRecord
from keyturn.ports.jobs import Job, JobState, cancelled, taken
from keyturn.ports.store import RevisionConflict

_c = jobs.c
_RENAMED: Final = {"unique": "unique_key"}
_AS_JSON: Final = ("arguments", "cursor", "failures", "report")
_AS_THEY_ARE: Final = (
    "id", "project", "kind", "unique", "created_at", "created_by", "run_at", "tries", "done", "total", "last_error",
    "cancelled_by", "started_at", "seen_at", "ended_at", "revision",
)  # fmt: skip


class SqlJobs:
    """Promises: the port's."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, job: Job, *, records: Sequence[AuditRecord] = ()) -> Job:
        """Put one in, unless it is there already."""
        row, same = _columns_of(job), _same(job)

        def body(tx: sa.Connection) -> Job:
            there = tx.execute(sa.select(jobs).where(same).limit(1)).one_or_none()
            if there is not None:
                return _job_in(there)
            tx.execute(sa.insert(jobs), row)
            add_records(tx, records)
            return job

        return await self._database.write(body)

    async def load(self, job_id: str, *, project: str = "default") -> Job | None:
        """Read one."""
        query = sa.select(jobs).where(_c.id == job_id, _c.project == project)
        row = await self._database.read(lambda tx: tx.execute(query).one_or_none())
        return None if row is None else _job_in(row)

    async def list(
        self, *, kind: str | None = None, state: JobState | None = None, created_by: str | None = None,
        cursor: str | None = None, limit: int = 50, project: str = "default",
    ) -> tuple[Sequence[Job], str | None]:  # fmt: skip
        """Newest first, and the next cursor."""
        query = sa.select(jobs).where(_c.project == project)
        for column, wanted in ((_c.kind, kind), (_c.state, state), (_c.created_by, created_by)):
            if wanted is not None:
                query = query.where(column == str(wanted))
        if cursor is not None:
            position = position_in(cursor, "jobs", float, str)
            query = query.where(sa.tuple_(_c.created_at, _c.id) < sa.tuple_(*position))
        query = query.order_by(_c.created_at.desc(), _c.id.desc()).limit(limit + 1)
        rows = await self._database.read(lambda tx: tx.execute(query).all())
        found = tuple(_job_in(row) for row in rows[:limit])
        more = len(rows) > limit
        return found, cursor_of("jobs", float(found[-1].created_at), found[-1].id) if more else None

    async def claim(self, *, now: float, kinds: frozenset[str], limit: int, abandoned_before: float) -> Sequence[Job]:
        """Take due jobs for this process."""
        waiting = sa.and_(sa.text(QUEUED), _c.run_at <= now)
        abandoned = sa.and_(sa.text(RUNNING), _c.seen_at < abandoned_before)
        due = sa.select(jobs).where(_c.kind.in_(sorted(kinds)), sa.or_(waiting, abandoned))
        due = due.order_by(_c.run_at, _c.id).limit(limit)
        if limit <= 0 or not await self._database.read(lambda tx: tx.execute(due.limit(1)).all()):
            return ()

        def body(tx: sa.Connection) -> Sequence[Job]:
            ours = tuple(taken(_job_in(row), now) for row in tx.execute(due).all())
            for job in ours:
                tx.execute(sa.update(jobs).where(_c.id == job.id).values(_columns_of(job)))
            return ours

        return await self._database.write(body)

    async def save(self, job: Job, *, records: Sequence[AuditRecord] = ()) -> Job:
        """Write over the row that has this revision; what somebody asked for in between stays."""
        written = replace(job, revision=job.revision + 1)
        columns = _columns_of(written) | {"cancelled_by": sa.func.coalesce(_c.cancelled_by, job.cancelled_by)}
        change = (
            sa.update(jobs)
            .where(_c.id == job.id, _c.project == job.project, _c.revision == job.revision)
            .values(columns)
            .returning(_c.cancelled_by)
        )

        def body(tx: sa.Connection) -> Job:
            found = tx.execute(change).one_or_none()
            if found is None:
                raise RevisionConflict("the job was written by another")
            add_records(tx, records)
            return replace(written, cancelled_by=found.cancelled_by)

        return await self._database.write(body)

    async def cancel(
        self, job_id: str, *, by: str, now: float, records: Sequence[AuditRecord] = (), project: str = "default"
    ) -> Job | None:
        """End a queued one; ask a running one to end."""
        this = sa.select(jobs).where(_c.id == job_id, _c.project == project)

        def body(tx: sa.Connection) -> Job | None:
            row = tx.execute(this).one_or_none()
            if row is None:
                return None
            job = _job_in(row)
            asked = cancelled(job, by=by, now=now)
            if asked != job:
                tx.execute(sa.update(jobs).where(_c.id == job_id).values(_columns_of(asked)))
                add_records(tx, records)
            return asked

        return await self._database.write(body)

    async def purge(self, *, ended_before: float) -> int:
        """Take older ended ones away."""
        old = sa.delete(jobs).where(_c.ended_at < ended_before)
        return await self._database.write(lambda tx: tx.execute(old).rowcount)


def add_jobs(tx: sa.Connection, new: Sequence[Job]) -> None:
    """Put jobs in, within somebody else's transaction; one whose id is there already stays as it is."""
    for job in new:
        if tx.execute(sa.select(_c.id).where(_same(job)).limit(1)).scalar() is None:
            tx.execute(sa.insert(jobs), _columns_of(job))


def _same(job: Job) -> sa.ColumnElement[bool]:
    """Of a job that is to be added: the row that stands for it already."""
    if job.unique is None:
        return _c.id == job.id
    alike = sa.and_(_c.project == job.project, _c.kind == job.kind, _c.unique_key == job.unique, sa.text(OPEN))
    return sa.or_(_c.id == job.id, alike)


def _columns_of(job: Job) -> dict[str, Any]:
    columns = {_RENAMED.get(name, name): getattr(job, name) for name in _AS_THEY_ARE}
    return columns | {name: json_of(getattr(job, name)) for name in _AS_JSON} | {"state": job.state.value}


def _job_in(row: sa.Row[Any]) -> Job:
    columns: dict[str, Any] = {name: getattr(row, _RENAMED.get(name, name)) for name in _AS_THEY_ARE}
    columns |= {name: mapping_in(getattr(row, name)) for name in _AS_JSON}
    return Job(**columns, state=JobState(row.state))
