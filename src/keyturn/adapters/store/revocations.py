"""Revocations that are due or will be.

Rule 1: a revocation of a connection is sealed under the connection's data key, whose wrapped form its row copies: so it
can be written while the key provider is gone, and outlives the connection's own secrets. Its place binds it to its row.
Rule 2: one that belongs to no connection has a data key of its own.
Rule 3: rows are read one by one: one that can't be read, or whose seal does not open, is set aside alone.
Rule 4: a claim is one statement. It lapses by the wall clock, and at once where its process is known to be dead.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, Final

import sqlalchemy as sa
import structlog
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.exc import OperationalError

from keyturn.adapters.sealing.data_keys import DataKeys, KeyOwner
from keyturn.adapters.sealing.sealed_value import Place
from keyturn.adapters.sealing.secret_json import decoded, encoded
from keyturn.adapters.store.audit import add_records
from keyturn.adapters.store.database.engine import Database
from keyturn.adapters.store.database.schema import revocations
from keyturn.adapters.store.lease_holder import Holder, Host
from keyturn.adapters.store.rows.connection_seals import ConnectionSeals, object_of
from keyturn.adapters.store.rows.plain_columns import json_of, texts_in
from keyturn.adapters.store.rows.set_aside import unpark_revocations
from keyturn.adapters.store.rows.token_sets import parts_of, token_set_from
from keyturn.core.audit_record import AuditRecord
from keyturn.core.errors import KeyUnavailable, RowUnreadable, SealBroken, StoreUnavailable, WrongKey
from keyturn.core.revocation import Revocation, RevocationCause
from keyturn.ports.clock import Clock, Entropy

_c = revocations.c
_ROWID: Final = sa.literal_column("revocations.rowid", sa.Integer)
_OLDEST_FIRST: Final = sa.select(_ROWID).select_from(revocations).order_by(_c.due_at, _c.id)
_PARKED: Final = _c.parked_at.is_not(None)
_NOT_PARKED: Final = _c.parked_at.is_(None)
_UNCLAIMED: Final = {"claim": None, "claim_until": None}
_NO_TEXT: Final = "Could not decode to UTF-8"  # what the driver says of a text that is none, and then gives no row

log = structlog.get_logger("keyturn.store")


def add_revocations(tx: sa.Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Add sealed revocations to a write's transaction; one that is there already stays as it is."""
    if rows:
        tx.execute(insert(revocations).on_conflict_do_nothing(), rows)


class SqlRevocationStore:
    """Promises: the port's."""

    def __init__(
        self, database: Database, keys: DataKeys, seals: ConnectionSeals, clock: Clock, host: Host, entropy: Entropy
    ) -> None:
        self._database = database
        self._keys = keys
        self._seals = seals
        self._clock = clock
        self._host = host
        # Of this store alone: where nobody can tell whether a process lives, only time ends its claims.
        self._claim = f"{host.holder} {entropy.token(16)}"

    async def sealed(self, revocation: Revocation) -> dict[str, Any]:
        """Seal one for `add_revocations`."""
        owner, key = f"revocation:{revocation.id}", None
        if revocation.connection is not None:
            key = await self._seals.data_key(revocation.connection, revocation.project)
        if revocation.connection is not None and key is not None:
            owner = object_of(revocation.connection)
        else:
            key = await self._keys.make(KeyOwner(revocation.project, owner))
        wrapped = await self._keys.wrapped_now(KeyOwner(revocation.project, owner), key)
        content = {"token_set": parts_of(revocation.token_set), "values": revocation.values}
        return (
            {
                "id": revocation.id,
                "project": revocation.project,
                "connector": revocation.connector,
                "connector_version": revocation.connector_version,
                "cause": revocation.cause.value,
                "give_up_at": revocation.give_up_at,
                "connection": revocation.connection,
                "hosts": json_of(revocation.hosts),
                "key_owner": owner,
                "data_key": wrapped,
                "sealed_tokens": key.seal(_place(revocation.id, revocation.project), encoded(content)),
            }
            | _progress(revocation)
            | self._claimed(revocation)
        )

    def _claimed(self, revocation: Revocation) -> dict[str, Any]:
        claimed = revocation.claimed_until is not None
        return {"claim": self._claim if claimed else None, "claim_until": revocation.claimed_until}

    async def add(self, revocation: Revocation, *, records: Sequence[AuditRecord] = ()) -> None:
        """Add one that belongs to no write of a connection."""
        row = await self.sealed(revocation)

        def body(tx: sa.Connection) -> None:
            add_revocations(tx, [row])
            add_records(tx, records)

        await self._database.write(body)

    async def due(self, now: float, *, limit: int) -> Sequence[Revocation]:
        """Those to try now that nobody sends, oldest first."""
        ready = sa.and_(_c.due_at <= now, _NOT_PARKED)
        under_way = sa.select(_c.claim).distinct().where(ready, _c.claim_until > now)
        claims = await self._database.read(lambda tx: tx.execute(under_way).scalars().all())
        free = sa.or_(_c.claim_until.is_(None), _c.claim_until <= now, _c.claim.in_(self._of_the_dead(claims)))
        found: list[Revocation] = []
        passed_over = 0  # whose key service is gone: they are asked for again, and keep back none of the others
        while True:
            query = _OLDEST_FIRST.where(ready, free).offset(passed_over).limit(limit - len(found))
            numbers = await self._database.read(lambda tx, query=query: tx.execute(query).scalars().all())  # type: ignore[misc]
            read, left = await self._opened_of(numbers)
            found += read
            passed_over += len(read) + left
            if not numbers or len(found) >= limit:
                return tuple(found)

    async def of_connection(self, connection_id: str) -> Sequence[Revocation]:
        """Those still open of one connection."""
        query = _OLDEST_FIRST.where(_c.connection == connection_id, _NOT_PARKED)
        numbers = await self._database.read(lambda tx: tx.execute(query).scalars().all())
        return tuple((await self._opened_of(numbers, all_of_them=True))[0])

    async def claim(
        self, revocation_id: str, *, now: float, for_s: float, records: Sequence[AuditRecord] = ()
    ) -> Revocation | None:
        """Say that this process sends it; of several that do, one gets it."""
        mine = {"claim": self._claim, "claim_until": now + for_s}

        def body(tx: sa.Connection) -> bool:
            known = sa.select(_c.claim).where(_c.id == revocation_id, _c.claim_until > now)
            dead = self._of_the_dead(tx.execute(known).scalars().all())
            free = sa.or_(_c.claim_until.is_(None), _c.claim_until <= now, _c.claim.in_([self._claim, *dead]))
            taking = sa.update(revocations).where(_c.id == revocation_id, _NOT_PARKED, free).values(**mine)
            if tx.execute(taking).rowcount == 0:
                return False
            add_records(tx, records)
            return True

        if await self._opened_by_id(revocation_id) is None:  # before it is said to be sent
            return None
        return await self._opened_by_id(revocation_id) if await self._database.write(body) else None

    async def withdraw(self, revocation_id: str, *, records: Sequence[AuditRecord] = ()) -> None:
        """It was claimed here and not sent."""
        mine = sa.update(revocations).where(_c.id == revocation_id, _c.claim == self._claim)
        await self._changed(mine.values(**_UNCLAIMED), records)

    async def note(self, revocation: Revocation, *, records: Sequence[AuditRecord] = ()) -> bool:
        """Write its token set and when its refresh token was sent; the claim stays."""
        sealed = await self.sealed(revocation)
        columns = {name: sealed[name] for name in ("key_owner", "data_key", "sealed_tokens", "renewal_sent_at")}
        change = sa.update(revocations).where(_c.id == revocation.id, _c.claim == self._claim).values(**columns)

        def body(tx: sa.Connection) -> bool:
            if tx.execute(change).rowcount == 0:
                return False
            add_records(tx, records)
            return True

        return await self._database.write(body)

    async def save(self, revocation: Revocation, *, records: Sequence[AuditRecord] = ()) -> None:
        """Write tries, done, due time and error of a later try; of one that is gone or another's, nothing."""
        ours = sa.or_(_c.claim.is_(None), _c.claim == self._claim)
        change = sa.update(revocations).where(_c.id == revocation.id, ours)
        await self._changed(change.values(**_progress(revocation), **_UNCLAIMED), records)

    async def parked(self, connection_id: str | None = None) -> int:
        """How many are set aside."""
        query = sa.select(sa.func.count()).select_from(revocations).where(_PARKED)
        if connection_id is not None:
            query = query.where(_c.connection == connection_id)
        return await self._database.read(lambda tx: tx.execute(query).scalar_one())

    async def unpark(self, revocation_id: str | None = None) -> int:
        """Let one, or all, be tried again."""
        return await self._database.write(lambda tx: unpark_revocations(tx, revocation_id))

    async def drop_parked(self, now: float) -> Sequence[str]:
        """Take those away that are to be given up by now."""
        old = sa.delete(revocations).where(_PARKED, _c.give_up_at <= now).returning(_c.id)
        return await self._database.write(lambda tx: tuple(str(each) for each in tx.execute(old).scalars().all()))

    async def remove(self, revocation_id: str, *, records: Sequence[AuditRecord] = ()) -> None:
        """Done or given up."""
        await self._changed(sa.delete(revocations).where(_c.id == revocation_id), records)

    async def _changed(self, change: sa.Update | sa.Delete, records: Sequence[AuditRecord]) -> None:
        def body(tx: sa.Connection) -> None:
            tx.execute(change)
            add_records(tx, records)

        await self._database.write(body)

    def _of_the_dead(self, claims: Sequence[str | None]) -> list[str]:
        """Those claims whose process is known to live no more."""
        return [each for each in claims if each and self._is_dead(each.partition(" ")[0])]

    def _is_dead(self, holder: str) -> bool:
        try:
            return self._host.is_dead(Holder.parse(holder))
        except ValueError:  # written by a release that names processes in another way
            return False

    async def _opened_by_id(self, revocation_id: str) -> Revocation | None:
        query = sa.select(_ROWID).select_from(revocations).where(_c.id == revocation_id)
        numbers = await self._database.read(lambda tx: tx.execute(query).scalars().all())
        read, _ = await self._opened_of(numbers, all_of_them=True)
        return read[0] if read else None

    async def _opened_of(self, numbers: Sequence[int], *, all_of_them: bool = False) -> tuple[list[Revocation], int]:
        """Read rows one by one; what can't be read is set aside, and keeps back none of the others.

        Also returns how many are passed over because the service that has their key is gone; with `all_of_them` that
        is KeyUnavailable instead.
        """
        found, passed_over = [], 0
        for number in numbers:
            try:
                row = await self._database.read(partial(_row_of, number=number))
                if row is not None:
                    found.append(await self._opened(row))
            except KeyUnavailable:
                if all_of_them:
                    raise
                passed_over += 1
            except (SealBroken, WrongKey) as error:
                await self._park(number, error.code)
            except StoreUnavailable:
                raise
            except Exception:  # noqa: BLE001  whatever stands in the row: it is that row's trouble alone
                await self._park(number, RowUnreadable.code)
        return found, passed_over

    async def _park(self, number: int, why: str) -> None:
        log.error("revocation_set_aside", why=why)
        change = sa.update(revocations).where(_ROWID.in_([number]))
        change = change.values(parked_at=self._clock.now(), parked_why=why, **_UNCLAIMED)
        await self._database.write(lambda tx: tx.execute(change))

    async def _opened(self, row: sa.Row[Any]) -> Revocation:
        key = await self._keys.obtain(KeyOwner(row.project, row.key_owner), row.data_key)
        content = decoded(key.unseal(_place(row.id, row.project), row.sealed_tokens))
        return Revocation(
            id=row.id,
            connector=row.connector,
            connector_version=row.connector_version,
            cause=RevocationCause(row.cause),
            due_at=row.due_at,
            give_up_at=row.give_up_at,
            token_set=token_set_from(content["token_set"]),
            connection=row.connection,
            hosts=texts_in(row.hosts),
            tries=row.tries,
            done=texts_in(row.done),
            last_error=row.last_error,
            values=content["values"],
            project=row.project,
            renewal_sent_at=row.renewal_sent_at,
        )


def _row_of(tx: sa.Connection, *, number: int) -> sa.Row[Any] | None:
    try:
        return tx.execute(sa.select(revocations).where(_ROWID.in_([number]))).one_or_none()
    except OperationalError as error:
        if _NO_TEXT not in str(error.orig):
            raise
    raise ValueError("a text in it is none")


def _place(revocation_id: str, project: str) -> Place:
    return Place(project, f"revocation:{revocation_id}", "tokens")


def _progress(revocation: Revocation) -> dict[str, Any]:
    return {
        "due_at": revocation.due_at,
        "tries": revocation.tries,
        "done": json_of(revocation.done),
        "last_error": revocation.last_error,
        "renewal_sent_at": revocation.renewal_sent_at,
    }
