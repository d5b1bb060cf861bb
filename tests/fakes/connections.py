"""Connections, revocations and spilled token sets in memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any, TypeVar

from keyturn.core.audit_record import AuditRecord
from keyturn.core.connection import Connection, ConnectionSecrets, State, looked_at_next
from keyturn.core.errors import RowUnreadable, SealBroken, StoreUnavailable
from keyturn.core.prefixes import ascii_lower
from keyturn.core.renewal.attention import needs_attention
from keyturn.core.revocation import Revocation
from keyturn.core.token_set import TokenSet
from keyturn.ports.store import (
    NOTHING_SEALED,
    ConnectionFilter,
    Due,
    DuplicateAccount,
    Page,
    RevisionConflict,
    SealedChange,
    Unchanged,
    Use,
)
from tests.fakes.cursors import page_of
from tests.fakes.database import FakeDatabase, plain_copy
from tests.fakes.leases import FakeLease

Part = TypeVar("Part")


_READ_ANYWAY = (
    "id", "project", "connector", "connector_version", "owner", "name", "unique_id", "created_at", "updated_at",
    "revision", "generation", "unique",
)  # fmt: skip


def _settled(connection: Connection) -> Connection:
    """Take the connection as a row would hold it."""
    return replace(
        connection,
        fields=MappingProxyType(plain_copy(connection.fields)),
        revocation=MappingProxyType(plain_copy(connection.revocation)),
    )


def _part(change: Part | Unchanged | None, kept: Part | None) -> Part | None:
    return kept if isinstance(change, Unchanged) else change


def _applied(sealed: SealedChange, kept: ConnectionSecrets) -> ConnectionSecrets:
    fields: Mapping[str, object] | None = _part(sealed.fields, dict(kept.fields))
    return ConnectionSecrets(
        token_set=_part(sealed.token_set, kept.token_set),
        username=_part(sealed.username, kept.username),
        password=_part(sealed.password, kept.password),
        fields=MappingProxyType(dict(fields or {})),  # type: ignore[arg-type]
    )


def _latest_use(connections: Iterable[Connection]) -> dict[str, Any]:
    """A note of use is never undone by a write that did not know it."""
    both = list(connections)
    used = [each.last_used_at for each in both if each.last_used_at is not None]
    worked = [each.worked_generation for each in both if each.worked_generation is not None]
    return {"last_used_at": max(used, default=None), "worked_generation": max(worked, default=None)}


class FakeConnectionStore:
    """Promises: `tests/contracts/connection_store_contract.py`."""

    def __init__(self, database: FakeDatabase, revocations: FakeRevocationStore, leases: FakeLease) -> None:
        self._database = database
        self._revocations = revocations
        self._leases = leases
        self.rows: dict[str, tuple[Connection, ConnectionSecrets]] = {}
        self.looks_at: dict[str, tuple[int, float]] = {}  # moved: at which revision, and when
        self.calls: dict[tuple[str, int], tuple[int, int]] = {}
        self.unreadable: set[str] = set()  # ids of rows that somebody damaged
        self.broken_seals: set[str] = set()

    async def insert(
        self, connection: Connection, secrets: ConnectionSecrets, *, records: Sequence[AuditRecord] = ()
    ) -> Connection:
        """Add a connection."""
        await self._database.write("connections.insert")
        if connection.id in self.rows:
            raise RevisionConflict("this id is taken")
        self._refuse_duplicate(connection)
        self.rows[connection.id] = (_settled(connection), replace(secrets, fields=dict(secrets.fields)))
        self._database.log(records)
        return self.rows[connection.id][0]

    async def load(self, connection_id: str, *, project: str = "default") -> Connection | None:
        """Read what is no secret."""
        await self._database.read()
        return self._readable(self._row(connection_id, project)[0])

    async def shown(self, connection_id: str, *, project: str = "default") -> Connection | None:
        """Read as a list does."""
        await self._database.read()
        return self._shown(self._row(connection_id, project)[0])

    async def open(
        self, connection_id: str, *, project: str = "default"
    ) -> tuple[Connection, ConnectionSecrets] | None:
        """Read all of it."""
        await self._database.read()
        connection, secrets = self._row(connection_id, project)
        if connection is None or self._readable(connection) is None:
            return None
        if connection_id in self.broken_seals:
            raise SealBroken
        return connection, secrets

    async def save(
        self,
        connection: Connection,
        *,
        sealed: SealedChange = NOTHING_SEALED,
        records: Sequence[AuditRecord] = (),
        revocations: Sequence[Revocation] = (),
    ) -> Connection:
        """Write over the row with this revision."""
        await self._database.write("connections.save")
        stored, _ = self._row(connection.id, connection.project)
        if stored is None or stored.revision != connection.revision:
            raise RevisionConflict("the connection was written by another")
        self._readable(stored)
        written = self.put(connection, sealed, revocations)
        if connection.intent is None:
            self._leases.drop(f"row {connection.id}")
        self._database.log(records)
        return written

    def put(
        self, connection: Connection, sealed: SealedChange = NOTHING_SEALED, revocations: Sequence[Revocation] = ()
    ) -> Connection:
        """Write over the row, within another write."""
        stored, secrets = self.rows[connection.id]
        moved = stored.generation != connection.generation
        if moved and secrets.token_set is not None and isinstance(sealed.token_set, Unchanged):
            raise ValueError("a new generation needs its token set")
        self._refuse_duplicate(connection)
        kept = _applied(sealed, secrets)
        if connection.state is State.DISCONNECTED:
            kept = ConnectionSecrets()
        same = (stored.state, stored.reason) == (connection.state, connection.reason)
        since = stored.state_since if same else connection.updated_at
        used = _latest_use((connection, stored))
        written = _settled(replace(connection, revision=connection.revision + 1, state_since=since, **used))
        written = replace(written, parked_at=None, parked_why=None)
        self.rows[connection.id] = (written, kept)
        if sealed.anew or connection.state is State.DISCONNECTED:
            self.broken_seals.discard(connection.id)
        self._revocations.put(revocations)
        return written

    async def mend(
        self, connection: Connection, secrets: ConnectionSecrets, *, records: Sequence[AuditRecord] = ()
    ) -> Connection:
        """Write anew over a row that can't be read."""
        await self._database.write("connections.mend")
        if connection.id not in self.unreadable or self._row(connection.id, connection.project)[0] is None:
            raise RevisionConflict("the connection was written by another")
        self._refuse_duplicate(connection)
        self.unreadable.discard(connection.id)
        self.broken_seals.discard(connection.id)
        kept = ConnectionSecrets() if connection.state is State.DISCONNECTED else secrets
        written = replace(connection, revision=connection.revision + 1, parked_at=None, parked_why=None)
        self.rows[connection.id] = (_settled(replace(written, state_since=connection.updated_at)), kept)
        self._database.log(records)
        return self.rows[connection.id][0]

    async def park(
        self, connection_id: str, why: str, *, at: float, project: str = "default", revision: int | None = None
    ) -> bool:
        """Set a row aside."""
        await self._database.write("connections.park")
        stored, secrets = self._row(connection_id, project)
        reads = connection_id not in self.unreadable and why == RowUnreadable.code
        if stored is None or reads or revision not in (None, stored.revision):
            return False
        self.rows[connection_id] = (replace(stored, parked_at=at, parked_why=why), secrets)
        return True

    async def unpark(self, connection_id: str | None = None) -> int:
        """Put back what can be read."""
        await self._database.write("connections.unpark")
        aside = [
            each
            for each, (found, _) in self.rows.items()
            if found.parked_at is not None and connection_id in (None, each) and each not in self.unreadable
        ]
        for each in aside:
            stored, secrets = self.rows[each]
            self.rows[each] = (replace(stored, parked_at=None, parked_why=None), secrets)
        return len(aside)

    async def find_account(self, connector: str, owner: str, unique_id: str, *, project: str = "default") -> str | None:
        """Find the connection that has this account."""
        await self._database.read()
        return self._holder(connector, owner, unique_id, project)

    async def list(self, which: ConnectionFilter, *, cursor: str | None, limit: int, project: str = "default") -> Page:
        """List, newest first."""
        await self._database.read()
        shown = [found for each, _ in self.rows.values() if (found := self._shown(each)) is not None]
        chosen = [each for each in shown if each.project == project and matches(which, each)]
        chosen.sort(key=lambda each: (each.created_at, each.id), reverse=True)
        return Page(*page_of([(each.id, each) for each in chosen], cursor, limit))

    async def count(self, which: ConnectionFilter, *, project: str = "default") -> int:
        """Count what a list would show."""
        await self._database.read()
        return sum(each.project == project and matches(which, each) for each, _ in self.rows.values())

    async def looks(self, now: float, *, room: Mapping[str, int], most: int, limit: int) -> Sequence[Due]:
        """Find what is to be looked at."""
        await self._database.read()
        of: dict[str, list[tuple[float, Due]]] = {}
        for each, _ in self.rows.values():
            at = self._look_of(each)
            if at is not None and at <= now and not self._leases.is_held(f"row {each.id}"):
                due = Due(
                    each.id, each.project, each.connector, each.generation, each.paused or each.unconfirmed,
                    max(each.last_used_at or 0.0, each.created_at), each.intent is not None, each.refresh_expires_at,
                )  # fmt: skip
                of.setdefault(each.connector, []).append((at, due))
        dealt: list[tuple[bool, int, Due]] = []
        for connector, rows in sorted(of.items()):
            rows.sort(key=lambda pair: pair[0])
            for turn, (_, due) in enumerate(rows[: min(most, room.get(connector, most))]):
                ends = due.refresh_expires_at
                dealt.append((ends is None or ends > now + 3600, turn, due))
        return tuple(due for *_, due in sorted(dealt, key=lambda each: each[:2])[:limit])

    async def move_looks(self, moves: Mapping[str, tuple[int, float]], *, due_by: float) -> None:
        """Look at these later."""
        await self._database.write("connections.move_looks")
        for name, (generation, at) in moves.items():
            row = self.rows.get(name)
            if row is not None and row[0].generation == generation:
                before = self._look_of(row[0])
                if before is not None and before <= due_by:
                    self.looks_at[name] = (row[0].revision, at)

    def _look_of(self, each: Connection) -> float | None:
        """When it is looked at: as the last write of the row has it, or where that was moved since."""
        revision, at = self.looks_at.get(each.id, (-1, 0.0))
        return at if revision == each.revision else looked_at_next(each)

    async def counts(self, *, project: str = "default") -> dict[tuple[str, State], int]:
        """Count by connector and state."""
        await self._database.read()
        counted: dict[tuple[str, State], int] = {}
        for each, _ in self.rows.values():
            if each.project == project:
                counted[each.connector, each.state] = counted.get((each.connector, each.state), 0) + 1
        return counted

    async def active_versions(self, *, project: str = "default") -> Sequence[tuple[str, int]]:
        """The versions of those that are shown as active."""
        await self._database.read()
        shown = [each for each, _ in self.rows.values() if (each.project, each.shown_state) == (project, "active")]
        return tuple(sorted({(each.connector, each.connector_version) for each in shown}))

    async def versions(self, connector: str, *, project: str = "default") -> dict[int, int]:
        """Count those that are not ended by version."""
        await self._database.read()
        mine = [each for each, _ in self.rows.values() if (each.project, each.connector) == (project, connector)]
        return dict(Counter(each.connector_version for each in mine if not each.ended))

    async def note_uses(self, uses: Mapping[str, Use]) -> None:
        """Note when they were called."""
        await self._database.write("connections.note_uses")
        for connection_id, use in uses.items():
            if use.calls:
                hour = (connection_id, int(use.at) // 3600 * 3600)
                calls, failed = self.calls.get(hour, (0, 0))
                self.calls[hour] = (calls + use.calls, failed + use.failed)
            if connection_id in self.rows:
                noted, secrets = self.rows[connection_id]
                called = replace(noted, last_used_at=use.at, worked_generation=use.worked_generation)
                self.rows[connection_id] = (replace(noted, **_latest_use((noted, called))), secrets)

    async def purge(self, *, disconnected_before: float) -> int:
        """Take old tombstones away."""
        await self._database.write("connections.purge")
        old = [
            each.id
            for each, _ in self.rows.values()
            if each.state is State.DISCONNECTED and (each.disconnected_at or disconnected_before) < disconnected_before
        ]
        for connection_id in old:
            del self.rows[connection_id]
        for hour in [each for each in self.calls if each[1] < disconnected_before]:
            del self.calls[hour]
        return len(old)

    def _row(self, connection_id: str, project: str) -> tuple[Connection | None, ConnectionSecrets]:
        connection, secrets = self.rows.get(connection_id, (None, ConnectionSecrets()))
        return (connection, secrets) if connection and connection.project == project else (None, ConnectionSecrets())

    def _readable(self, connection: Connection | None) -> Connection | None:
        if connection is not None and connection.id in self.unreadable:
            raise RowUnreadable
        return connection

    def _shown(self, connection: Connection | None) -> Connection | None:
        """What can be read of a row, where only that can."""
        if connection is None or connection.id not in self.unreadable:
            return connection
        kept = {each: getattr(connection, each) for each in _READ_ANYWAY}
        return Connection(**kept, state=State.UNREADABLE, reason=RowUnreadable.code)

    def _holder(self, connector: str, owner: str, unique_id: str, project: str, besides: str = "") -> str | None:
        wanted = (project, connector, owner, unique_id)
        for each, _ in self.rows.values():
            has = (each.project, each.connector, each.owner, each.unique_id)
            if each.unique and not each.ended and has == wanted and each.id != besides:
                return each.id
        return None

    def _refuse_duplicate(self, connection: Connection) -> None:
        if not connection.unique or connection.ended:
            return
        account = (connection.connector, connection.owner, connection.unique_id, connection.project)
        other = self._holder(*account, besides=connection.id)
        if other is not None:
            raise DuplicateAccount(other)


def matches(which: ConnectionFilter, each: Connection) -> bool:
    """Whether a filter lets this one through."""
    return (
        which.connector in (None, each.connector)
        and which.owner in (None, each.owner)
        and which.state in (None, each.shown_state)
        and (which.connectors is None or each.connector in which.connectors)
        and (which.owners is None or each.owner in which.owners)
        and not (which.not_ended and each.ended)
        and which.reason in (None, each.reason)
        and which.unique_id in (None, each.unique_id)
        and which.account in (None, each.account)
        and (which.search is None or _begins(each, which.search))
        and _is_wrong(which, each)
    )


def _is_wrong(which: ConnectionFilter, each: Connection) -> bool:
    bounds, ends, renews = which.attention, each.expires_at, each.renews_at
    alone = not each.refreshable and (each.password_kept_at is None or each.password_rejected)
    ending = each.state is State.ACTIVE and alone and ends is not None
    return (
        which.error in (None, each.reason or each.last_error)
        and (bounds is None or needs_attention(each, bounds.of(each), bounds.now))
        and (which.ends_before is None or (ending and ends is not None and ends < which.ends_before))
        and (which.renews_before is None or (not each.ended and renews is not None and renews < which.renews_before))
    )


def _begins(each: Connection, text: str) -> bool:
    by_name = ascii_lower(each.name).startswith(ascii_lower(text))
    return each.id.startswith(text) or each.owner.startswith(text) or by_name


class FakeRevocationStore:
    """Promises: `tests/contracts/revocation_store_contract.py`. One process; `claims` may be given others'.

    `broken`: the ids of those whose seal does not open.
    """

    def __init__(self, database: FakeDatabase) -> None:
        self._database = database
        self.rows: dict[str, Revocation] = {}
        self.claims: dict[str, tuple[str, float]] = {}  # who sends it, and until when that counts
        self.broken: set[str] = set()
        self.set_aside: set[str] = set()

    def put(self, revocations: Sequence[Revocation]) -> None:
        """Add those that a write of a connection carries."""
        for each in revocations:
            self.rows[each.id] = replace(each, claimed_until=None)
            if each.claimed_until is not None:
                self.claims[each.id] = ("me", each.claimed_until)

    async def add(self, revocation: Revocation, *, records: Sequence[AuditRecord] = ()) -> None:
        """Add one."""
        await self._database.write("revocations.add")
        self.put([revocation])
        self._database.log(records)

    async def due(self, now: float, *, limit: int) -> Sequence[Revocation]:
        """Find those to try now."""
        await self._database.read()
        ready = [each for each in self._readable() if each.due_at <= now and not self._claimed(each.id, now)]
        return tuple(ready[:limit])

    async def of_connection(self, connection_id: str) -> Sequence[Revocation]:
        """Find those of one connection."""
        await self._database.read()
        return tuple(each for each in self._readable() if each.connection == connection_id)

    async def claim(
        self, revocation_id: str, *, now: float, for_s: float, records: Sequence[AuditRecord] = ()
    ) -> Revocation | None:
        """Say that this process sends it."""
        await self._database.write("revocations.claim")
        row = next((each for each in self._readable() if each.id == revocation_id), None)
        if row is None or (self._claimed(revocation_id, now) and self.claims[revocation_id][0] != "me"):
            return None
        self.claims[revocation_id] = ("me", now + for_s)
        self._database.log(records)
        return row

    async def withdraw(self, revocation_id: str, *, records: Sequence[AuditRecord] = ()) -> None:
        """It was not sent."""
        await self._database.write("revocations.withdraw")
        if self._is_ours(revocation_id):
            self.claims.pop(revocation_id, None)
        self._database.log(records)

    async def note(self, revocation: Revocation, *, records: Sequence[AuditRecord] = ()) -> bool:
        """Write its token set and when its refresh token was sent."""
        await self._database.write("revocations.note")
        kept = self.rows.get(revocation.id)
        if kept is None or self.claims.get(revocation.id, ("", 0.0))[0] != "me":
            return False
        self.rows[revocation.id] = replace(
            kept, token_set=revocation.token_set, renewal_sent_at=revocation.renewal_sent_at
        )
        self._database.log(records)
        return True

    async def save(self, revocation: Revocation, *, records: Sequence[AuditRecord] = ()) -> None:
        """Write what a try has changed."""
        await self._database.write("revocations.save")
        kept = self.rows.get(revocation.id)
        if kept is not None and self._is_ours(revocation.id):
            self.rows[revocation.id] = replace(
                kept,
                tries=revocation.tries,
                done=revocation.done,
                due_at=revocation.due_at,
                last_error=revocation.last_error,
                renewal_sent_at=revocation.renewal_sent_at,
            )
            self.claims.pop(revocation.id, None)
        self._database.log(records)

    async def parked(self, connection_id: str | None = None) -> int:
        """How many are set aside."""
        await self._database.read()
        aside = [self.rows[each] for each in self.set_aside if each in self.rows]
        return sum(1 for each in aside if connection_id is None or each.connection == connection_id)

    async def unpark(self, revocation_id: str | None = None) -> int:
        """Let one, or all, be tried again."""
        await self._database.write("revocations.unpark")
        back = {each for each in self.set_aside if revocation_id in (None, each)}
        self.set_aside -= back
        return len(back)

    async def drop_parked(self, now: float) -> Sequence[str]:
        """Take those away that are to be given up by now."""
        await self._database.write("revocations.drop_parked")
        old = tuple(sorted(each for each in self.set_aside if self.rows[each].give_up_at <= now))
        for each in old:
            self.set_aside.discard(each)
            del self.rows[each]
        return old

    async def remove(self, revocation_id: str, *, records: Sequence[AuditRecord] = ()) -> None:
        """Forget one."""
        await self._database.write("revocations.remove")
        self.rows.pop(revocation_id, None)
        self.claims.pop(revocation_id, None)
        self._database.log(records)

    def _readable(self) -> list[Revocation]:
        self.set_aside |= self.broken & set(self.rows)
        there = [each for each in self.rows.values() if each.id not in self.set_aside]
        return sorted(there, key=lambda each: (each.due_at, each.id))

    def _claimed(self, revocation_id: str, now: float) -> bool:
        return self.claims.get(revocation_id, ("", now))[1] > now

    def _is_ours(self, revocation_id: str) -> bool:
        return self.claims.get(revocation_id, ("me", 0.0))[0] == "me"


class FakeSpill:
    """Promises: `tests/contracts/spill_contract.py`. It outlives a database that is gone, as files do."""

    def __init__(self) -> None:
        self.full = False
        self.kept: dict[tuple[str, int], TokenSet] = {}

    async def write(self, connection: Connection, token_set: TokenSet) -> None:
        """Keep a set, unless the disk is `full`."""
        if self.full:
            raise StoreUnavailable("the spill file can't be written")
        self.kept[connection.id, connection.generation] = token_set

    async def pending(self) -> Sequence[tuple[str, int, TokenSet]]:
        """List what is kept."""
        return tuple((*key, token_set) for key, token_set in sorted(self.kept.items(), key=lambda item: item[0]))

    async def forget(self, connection_id: str, generation: int) -> None:
        """Drop a set."""
        self.kept.pop((connection_id, generation), None)
