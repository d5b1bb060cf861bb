"""Challenges that wait.

Rule 1: a challenge has a data key of its own, and what its login needs is sealed as one value, bound to its row: one
that is moved to another challenge does not open.
Rule 2: wiping takes the sealed value and its key; the row stays, so that its holder can read what came of it.
Rule 3: how much a login holds doesn't show: it is filled up to a multiple of 512 bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import sqlalchemy as sa

from keyturn.adapters.sealing.data_keys import DataKeys, KeyOwner
from keyturn.adapters.sealing.sealed_value import Place
from keyturn.adapters.sealing.secret_json import decoded, encoded
from keyturn.adapters.store.audit import add_records
from keyturn.adapters.store.database.challenge_table import challenges
from keyturn.adapters.store.database.engine import Database
from keyturn.adapters.store.rows.plain_columns import json_of, mapping_in, mappings_in
from keyturn.core.audit_record import AuditRecord
from keyturn.ports.challenges import ChallengeRow, ChallengeState, PendingLogin
from keyturn.ports.store import RevisionConflict

_PADDING: Final = 512
_FORGOTTEN: Final = {"data_key": None, "sealed_login": None}
_c = challenges.c
_PLAIN: Final = tuple(column for column in _c if column.name not in _FORGOTTEN)
_AS_THEY_ARE: Final = tuple(column.name for column in _PLAIN if column.name not in ("state", "ask", "facts"))


class SqlChallengeStore:
    """Promises: the port's."""

    def __init__(self, database: Database, keys: DataKeys) -> None:
        self._database = database
        self._keys = keys

    async def add(self, row: ChallengeRow, login: PendingLogin, *, records: Sequence[AuditRecord] = ()) -> ChallengeRow:
        """Seal and add one."""
        key = await self._keys.make(_owner(row.project, row.id))
        plaintext = encoded(_parts_of(login))
        plaintext = plaintext.ljust(-(-len(plaintext) // _PADDING) * _PADDING)
        sealed = {"data_key": key.wrapped, "sealed_login": key.seal(_place(row), plaintext)}

        def body(tx: sa.Connection) -> None:
            tx.execute(sa.insert(challenges), _columns_of(row) | sealed)
            add_records(tx, records)

        await self._database.write(body)
        return row

    async def load(self, challenge_id: str, *, project: str = "default") -> ChallengeRow | None:
        """Read one without opening it."""
        query = sa.select(*_PLAIN).where(_c.id == challenge_id, _c.project == project)
        found = await self._database.read(lambda tx: tx.execute(query).one_or_none())
        return None if found is None else _row_in(found)

    async def open(
        self, challenge_id: str, *, project: str = "default"
    ) -> tuple[ChallengeRow, PendingLogin | None] | None:
        """Read one and unseal it."""
        query = sa.select(challenges).where(_c.id == challenge_id, _c.project == project)
        found = await self._database.read(lambda tx: tx.execute(query).one_or_none())
        if found is None:
            return None
        row = _row_in(found)
        if found.data_key is None or found.sealed_login is None:
            return row, None
        key = await self._keys.obtain(_owner(row.project, row.id), found.data_key)
        return row, _login_in(decoded(key.unseal(_place(row), found.sealed_login)))

    async def save(self, row: ChallengeRow, *, wipe: bool = False, records: Sequence[AuditRecord] = ()) -> ChallengeRow:
        """Write over the row that has this revision; what is sealed stays as it is, or goes."""
        written = replace(row, revision=row.revision + 1)
        change = (
            sa.update(challenges)
            .where(_c.id == row.id, _c.project == row.project, _c.revision == row.revision)
            .values(_columns_of(written) | (_FORGOTTEN if wipe else {}))
        )

        def body(tx: sa.Connection) -> None:
            if tx.execute(change).rowcount != 1:
                raise RevisionConflict("the challenge was written by another")
            add_records(tx, records)

        await self._database.write(body)
        if wipe:
            self._keys.forget(_owner(row.project, row.id))
        return written

    async def due(self, now: float, *, limit: int) -> Sequence[ChallengeRow]:
        """Those whose time has come, longest overdue first."""
        query = sa.select(*_PLAIN).where(_c.due_at <= now).order_by(_c.due_at, _c.id).limit(limit)
        rows = await self._database.read(lambda tx: tx.execute(query).all())
        return tuple(_row_in(each) for each in rows)

    async def purge(self, *, expired_before: float, wipe_before: float) -> int:
        """Take old rows away and say how many; destroy what is sealed in those that ended before."""
        old, ended = _c.expires_at < expired_before, _c.expires_at < wipe_before

        def body(tx: sa.Connection) -> tuple[int, Sequence[Any]]:
            ending = sa.select(_c.project, _c.id).where(sa.or_(old, ended), _c.data_key.is_not(None))
            forgotten = tx.execute(ending).all()
            tx.execute(sa.update(challenges).where(ended, _c.data_key.is_not(None)).values(_FORGOTTEN))
            return tx.execute(sa.delete(challenges).where(old)).rowcount, forgotten

        removed, forgotten = await self._database.write(body)
        for each in forgotten:
            self._keys.forget(_owner(each.project, each.id))
        return removed


def _owner(project: str, challenge_id: str) -> KeyOwner:
    return KeyOwner(project, f"challenge:{challenge_id}")


def _place(row: ChallengeRow) -> Place:
    return Place(row.project, f"challenge:{row.id}", "login")


def _columns_of(row: ChallengeRow) -> dict[str, Any]:
    return {name: getattr(row, name) for name in _AS_THEY_ARE} | {
        "state": row.state.value,
        "ask": json_of(row.ask),
        "facts": json_of(row.facts),
    }


def _row_in(row: sa.Row[Any]) -> ChallengeRow:
    return ChallengeRow(
        **{name: getattr(row, name) for name in _AS_THEY_ARE},
        state=ChallengeState(row.state),
        ask=mappings_in(row.ask),
        facts=mapping_in(row.facts),
    )


def _parts_of(login: PendingLogin) -> dict[str, Any]:
    return {
        "username": login.username,
        "password": login.password,
        "values": login.values,
        "fields": login.fields,
    }


def _login_in(parts: dict[str, Any]) -> PendingLogin:
    return PendingLogin(
        username=parts["username"], password=parts["password"], values=parts["values"], fields=parts["fields"]
    )
