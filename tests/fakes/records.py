"""Audit log, API keys, connect sessions and stored replies in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from keyturn.core.audit.kinds import READ, RecordKind, is_of
from keyturn.core.audit_record import AuditRecord
from keyturn.ports.access.api_keys import ApiKey
from keyturn.ports.access.idempotency import StoredReply
from keyturn.ports.store import ConnectSession, RevisionConflict
from tests.fakes.cursors import page_of
from tests.fakes.database import FakeDatabase, plain_copy

_REPLY_LIFE_S = 86_400.0
_CLAIM_LIFE_S = 120.0


class FakeAuditLog:
    """Promises: `tests/contracts/audit_log_contract.py`."""

    def __init__(self, database: FakeDatabase) -> None:
        self._database = database

    async def append(self, records: Sequence[AuditRecord]) -> None:
        """Add records."""
        await self._database.write("audit.append")
        self._database.log(records)

    async def append_read(self, record: AuditRecord, *, since: float) -> bool:
        """Add a record of a read, unless its actor has one."""
        await self._database.write("audit.append_read")
        of_actor = (record.project, record.actor, READ)
        if any(
            (each.project, each.actor, each.action) == of_actor and each.at >= since for each in self._database.records
        ):
            return False
        self._database.log([record])
        return True

    async def list(
        self,
        *,
        connection: str | None = None,
        kind: RecordKind | None = None,
        cursor: str | None = None,
        limit: int = 50,
        project: str = "default",
    ) -> tuple[Sequence[tuple[int, AuditRecord]], str | None]:
        """List, newest first."""
        await self._database.read()
        numbered = [
            (str(seq), (seq, each))
            for seq, each in enumerate(self._database.records, start=1)
            if each.project == project and connection in (None, each.connection) and is_of(kind, each)
        ]
        return page_of(numbered[::-1], cursor, limit)

    async def newest(self) -> int:
        """The newest record's number."""
        await self._database.read()
        return len(self._database.records)

    async def since(self, seq: int, *, limit: int) -> Sequence[tuple[int, AuditRecord]]:
        """The records after a number."""
        await self._database.read()
        return tuple(enumerate(self._database.records, start=1))[seq:][:limit]


class FakeApiKeyStore:
    """Promises: `tests/contracts/api_key_store_contract.py`."""

    def __init__(self, database: FakeDatabase) -> None:
        self._database = database
        self._keys: dict[str, ApiKey] = {}

    async def add(self, key: ApiKey, *, records: Sequence[AuditRecord] = ()) -> None:
        """Add one."""
        await self._database.write("api_keys.add")
        self._keys[key.id] = key
        self._database.log(records)

    async def find(self, digest: str) -> ApiKey | None:
        """Find it by its digest."""
        await self._database.read()
        return next((each for each in self._keys.values() if each.digest == digest), None)

    async def list(self, *, project: str = "default") -> Sequence[ApiKey]:
        """List those that are not revoked, newest first."""
        await self._database.read()
        kept = [each for each in self._keys.values() if each.project == project and each.revoked_at is None]
        return tuple(sorted(kept, key=lambda each: (each.created_at, each.id), reverse=True))

    def rename(self, owner: str, project: str, subject: str) -> int:
        """Put a subject where keys are limited to an owner, within a write of another."""
        named = [each for each in self._keys.values() if each.project == project and owner in each.owners]
        for each in named:
            self._keys[each.id] = replace(each, owners=each.owners - {owner} | {subject})
        return len(named)

    async def load(self, key_id: str, *, project: str = "default") -> ApiKey | None:
        """Read one."""
        await self._database.read()
        key = self._keys.get(key_id)
        return key if key is not None and key.project == project else None

    async def roll(self, key_id: str, key: ApiKey, *, ends_at: float, records: Sequence[AuditRecord] = ()) -> bool:
        """Add a key in the place of one that ends."""
        await self._database.write("api_keys.roll")
        old = self._keys.get(key_id)
        if old is None or old.revoked_at is not None or old.project != key.project:
            return False
        ends = old.expires_at if old.expires_at is not None else float("inf")
        if ends <= key.created_at:
            return False
        self._keys[key_id] = replace(old, expires_at=min(ends, ends_at))
        self._keys[key.id] = key
        self._database.log(records)
        return True

    async def note_uses(self, uses: Mapping[str, float]) -> None:
        """Note when keys were last used."""
        await self._database.write("api_keys.note_uses")
        for key_id, at in uses.items():
            key = self._keys.get(key_id)
            if key is not None and (key.last_used_at or 0.0) < at:
                self._keys[key_id] = replace(key, last_used_at=at)

    async def revoke(self, key_id: str, *, at: float, records: Sequence[AuditRecord] = ()) -> bool:
        """Revoke one."""
        await self._database.write("api_keys.revoke")
        key = self._keys.get(key_id)
        if key is None:
            return False
        if key.revoked_at is None:
            self._keys[key_id] = replace(key, revoked_at=at)
            self._database.log(records)
        return True


class FakeSessionStore:
    """Promises: `tests/contracts/session_store_contract.py`."""

    def __init__(self, database: FakeDatabase) -> None:
        self._database = database
        self.rows: dict[str, ConnectSession] = {}

    async def add(self, session: ConnectSession, *, records: Sequence[AuditRecord] = ()) -> None:
        """Add one."""
        await self._database.write("sessions.add")
        self.rows[session.id] = replace(session, facts=plain_copy(session.facts))
        self._database.log(records)

    async def load(self, session_id: str, *, project: str = "default") -> ConnectSession | None:
        """Read one."""
        await self._database.read()
        session = self.rows.get(session_id)
        return _lent(session) if session is not None and session.project == project else None

    async def find_link(self, link_digest: str) -> ConnectSession | None:
        """Read one by its link."""
        await self._database.read()
        return _lent(next((each for each in self.rows.values() if each.link_digest == link_digest), None))

    async def find_open_reconnect(self, connection_id: str, *, now: float) -> ConnectSession | None:
        """Find the newest reconnect link that still works."""
        await self._database.read()
        usable = [
            each
            for each in self.rows.values()
            if each.reconnects == connection_id and each.state == "open" and each.expires_at > now
        ]
        return _lent(max(usable, key=lambda each: (each.created_at, each.id), default=None))

    async def save(self, session: ConnectSession, *, records: Sequence[AuditRecord] = ()) -> ConnectSession:
        """Write over the row with this revision."""
        await self._database.write("sessions.save")
        stored = self.rows.get(session.id)
        if stored is None or stored.revision != session.revision or stored.project != session.project:
            raise RevisionConflict("the session was written by another")
        written = replace(session, revision=session.revision + 1, facts=plain_copy(session.facts))
        self.rows[session.id] = written
        self._database.log(records)
        return replace(written, facts=plain_copy(session.facts))

    async def lapsed(self, *, after: float, until: float) -> Sequence[ConnectSession]:
        """Those that ended by time in between."""
        await self._database.read()
        found = [each for each in self.rows.values() if after < each.expires_at <= until]
        ended = [each for each in found if each.state in ("open", "claimed")]
        return tuple(replace(each, facts=plain_copy(each.facts)) for each in ended)

    async def purge(self, *, expired_before: float) -> int:
        """Take away those that ended earlier."""
        await self._database.write("sessions.purge")
        old = [each.id for each in self.rows.values() if each.expires_at < expired_before]
        for session_id in old:
            del self.rows[session_id]
        return len(old)

    def forget(self, owner: str, project: str) -> int:
        """Drop an owner's sessions, within a write of another."""
        gone = [each.id for each in self.rows.values() if (each.owner, each.project) == (owner, project)]
        for session_id in gone:
            del self.rows[session_id]
        return len(gone)


def _lent(session: ConnectSession | None) -> ConnectSession | None:
    """Give out a copy: nothing that a caller does to it changes the row."""
    return None if session is None else replace(session, facts=plain_copy(session.facts))


@dataclass(frozen=True)
class _Claim:
    at: float
    reply: StoredReply


class FakeIdempotencyStore:
    """Promises: `tests/contracts/idempotency_store_contract.py`."""

    def __init__(self, database: FakeDatabase) -> None:
        self._database = database
        self._claims: dict[str, _Claim] = {}

    async def begin(self, key: str, request_digest: str, *, now: float) -> StoredReply | None:
        """Claim the key, or read what stands under it."""
        await self._database.write("idempotency.begin")
        claim = self._claims.get(key)
        if claim is not None:
            life = _CLAIM_LIFE_S if claim.reply.status is None else _REPLY_LIFE_S
            if now < claim.at + life:
                return claim.reply
        self._claims[key] = _Claim(now, StoredReply(request_digest, None, None))
        return None

    async def finish(self, key: str, reply: StoredReply) -> None:
        """Store the reply."""
        await self._database.write("idempotency.finish")
        claim = self._claims.get(key)
        if claim and claim.reply.status is None and claim.reply.request_digest == reply.request_digest:
            self._claims[key] = _Claim(claim.at, reply)

    async def abandon(self, key: str) -> None:
        """Give the claim back."""
        await self._database.write("idempotency.abandon")
        if key in self._claims and self._claims[key].reply.status is None:
            del self._claims[key]

    async def purge(self, *, claimed_before: float) -> int:
        """Take away what is older."""
        await self._database.write("idempotency.purge")
        old = [key for key, claim in self._claims.items() if claim.at < claimed_before]
        for key in old:
            del self._claims[key]
        return len(old)
