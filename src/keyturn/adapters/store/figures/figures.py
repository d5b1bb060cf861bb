"""What the database holds, in numbers: one short reading of indexes, for metrics and for `keyturn doctor`.

Rule 1: nothing sealed is opened, and no row is named: ids of connectors and keys are all the text there is.
Rule 2: it costs the same however many ask; the one who asks decides how often.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import sqlalchemy as sa

from keyturn.adapters.store.database.audit_tables import VERIFIED, audit_marks, audit_routine
from keyturn.adapters.store.database.engine import Database
from keyturn.adapters.store.database.jobs_table import jobs
from keyturn.adapters.store.database.migrating import HEAD
from keyturn.adapters.store.database.schema import NOT_ENDED, audit, connections, revocations
from keyturn.adapters.store.database.wrapping_keys import wrapping_keys
from keyturn.adapters.store.rows.connection_conditions import SHOWN
from keyturn.adapters.store.rows.set_aside import NOTHING_ASIDE, SetAside, set_aside_in
from keyturn.core.renewal.attention import LATE_S
from keyturn.ports.overview import SOON_S

_c = connections.c


@dataclass(frozen=True, slots=True)
class Figures:
    """Times are Unix seconds, spans are seconds.

    `connections`: (connector, state as shown) → how many. `due_soon`: renewals within the next hour. `overdue`: those
    over a minute late. `jobs`: (kind, state) → how many. `set_aside`: rows that can't be read or opened. `read_s`: how
    long this reading took.
    """

    connections: Mapping[tuple[str, str], int] = field(default_factory=dict)
    due_soon: int = 0
    overdue: int = 0
    oldest_overdue_s: float = 0.0
    revocations_open: int = 0
    jobs: Mapping[tuple[str, str], int] = field(default_factory=dict)
    audit_head: int = 0
    audit_verified_at: float | None = None
    key_since: float | None = None
    read_s: float = 0.0
    set_aside: SetAside = NOTHING_ASIDE


async def read_figures(database: Database, now: float) -> Figures:
    """Read them all; `now`: Unix seconds. StoreUnavailable."""
    began = time.perf_counter()
    return await database.read(lambda tx: _figures(tx, now, began))


async def tables_fit(database: Database) -> bool:
    """Whether the tables are those of this release; StoreUnavailable."""
    query = sa.text("SELECT version_num FROM alembic_version")
    return await database.read(lambda tx: tx.execute(query).scalar() == HEAD)


def _figures(tx: sa.Connection, now: float, began: float) -> Figures:
    by_state = sa.select(_c.connector, SHOWN, sa.func.count()).group_by(_c.connector, SHOWN)
    due = sa.select(sa.func.count(), sa.func.min(_c.renews_at)).where(_c.renews_at.is_not(None), sa.text(NOT_ENDED))
    overdue, oldest = tx.execute(due.where(_c.renews_at < now - LATE_S)).one()
    by_kind = sa.select(jobs.c.kind, jobs.c.state, sa.func.count()).group_by(jobs.c.kind, jobs.c.state)
    verified = sa.select(audit_marks.c.at).where(audit_marks.c.name == VERIFIED)
    current = sa.select(wrapping_keys.c.current_at, wrapping_keys.c.added_at).where(wrapping_keys.c.state == "current")
    key = tx.execute(current).first()
    return Figures(
        connections={(connector, name): number for connector, name, number in tx.execute(by_state)},
        due_soon=tx.execute(due.where(_c.renews_at >= now, _c.renews_at < now + SOON_S)).one()[0],
        overdue=overdue,
        oldest_overdue_s=0.0 if oldest is None else now - oldest,
        revocations_open=tx.execute(sa.select(sa.func.count()).select_from(revocations)).scalar_one(),
        jobs={(kind, name): number for kind, name, number in tx.execute(by_kind)},
        audit_head=max(
            tx.execute(sa.select(sa.func.coalesce(sa.func.max(c.seq), 0))).scalar_one()
            for c in (audit.c, audit_routine.c)
        ),
        audit_verified_at=tx.execute(verified).scalar(),
        key_since=None if key is None else key[0] or key[1],
        set_aside=set_aside_in(tx),
        read_s=time.perf_counter() - began,
    )
