"""Challenges that wait, in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from keyturn.core.audit_record import AuditRecord
from keyturn.ports.challenges import ChallengeRow, PendingLogin
from keyturn.ports.store import RevisionConflict
from tests.fakes.database import FakeDatabase, plain_copy


class FakeChallengeStore:
    """Promises: `tests/contracts/challenge_store_contract.py`."""

    def __init__(self, database: FakeDatabase) -> None:
        self._database = database
        self._rows: dict[str, ChallengeRow] = {}
        self._logins: dict[str, PendingLogin] = {}

    async def add(self, row: ChallengeRow, login: PendingLogin, *, records: Sequence[AuditRecord] = ()) -> ChallengeRow:
        """Add one."""
        await self._database.write("challenges.add")
        self._rows[row.id] = _settled(row)
        self._logins[row.id] = replace(login, values=dict(login.values), fields=dict(login.fields))
        self._database.log(records)
        return row

    def forget(self, owner: str, project: str) -> int:
        """Drop an owner's rows, within a write of another."""
        gone = [each.id for each in self._rows.values() if (each.owner, each.project) == (owner, project)]
        for row_id in gone:
            del self._rows[row_id]
            self._logins.pop(row_id, None)
        return len(gone)

    async def load(self, challenge_id: str, *, project: str = "default") -> ChallengeRow | None:
        """Read one."""
        await self._database.read()
        row = self._rows.get(challenge_id)
        return row if row is not None and row.project == project else None

    async def open(
        self, challenge_id: str, *, project: str = "default"
    ) -> tuple[ChallengeRow, PendingLogin | None] | None:
        """Read one, and what its login needs."""
        row = await self.load(challenge_id, project=project)
        return None if row is None else (row, self._logins.get(challenge_id))

    async def save(self, row: ChallengeRow, *, wipe: bool = False, records: Sequence[AuditRecord] = ()) -> ChallengeRow:
        """Write over the row that has this revision."""
        await self._database.write("challenges.save")
        kept = self._rows.get(row.id)
        if kept is None or (kept.project, kept.revision) != (row.project, row.revision):
            raise RevisionConflict("the challenge was written by another")
        written = replace(row, revision=row.revision + 1)
        self._rows[row.id] = _settled(written)
        if wipe:
            self._logins.pop(row.id, None)
        self._database.log(records)
        return written

    async def due(self, now: float, *, limit: int) -> Sequence[ChallengeRow]:
        """Those whose time has come."""
        await self._database.read()
        found = [(each.due_at, each.id, each) for each in self._rows.values() if each.due_at is not None]
        return tuple(each for at, _, each in sorted(found, key=lambda one: one[:2]) if at <= now)[:limit]

    async def purge(self, *, expired_before: float, wipe_before: float) -> int:
        """Take old rows away, and what ended logins needed."""
        await self._database.write("challenges.purge")
        old = [each.id for each in self._rows.values() if each.expires_at < expired_before]
        ended = [each.id for each in self._rows.values() if each.expires_at < wipe_before]
        for each in (*ended, *old):
            self._logins.pop(each, None)
        for each in old:
            del self._rows[each]
        return len(old)


def _settled(row: ChallengeRow) -> ChallengeRow:
    """Take the row as a database would hold it."""
    asked: tuple[Mapping[str, Any], ...] = tuple(MappingProxyType(plain_copy(each)) for each in row.ask)
    return replace(row, ask=asked, facts=MappingProxyType(plain_copy(row.facts)))
