"""Wrapping keys in memory, and data keys as no more than the names of what wraps them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from keyturn.core.audit_record import AuditRecord
from keyturn.core.connection import Connection
from keyturn.core.errors import KeyInUse, KeyNotMadeHere, KeyStateConflict, KeyUnavailable, NotFound, WrongKey
from keyturn.ports.key_custody import KeyStanding, KeyState, Rewrapped
from tests.fakes.connections import FakeConnectionStore
from tests.fakes.database import FakeDatabase

FIRST = f"key_{1:016x}"


class FakeKeyCustody:
    """Promises: `tests/contracts/key_custody_contract.py`.

    `wrapped`: place → row → the key that wraps it. `gone`: keys whose provider can't be asked. `broken`: rows that
    don't open. `makes_keys`: False where an operator names them. `following`: what this process wraps with.
    """

    def __init__(self, database: FakeDatabase, connections: FakeConnectionStore) -> None:
        self._database = database
        self._connections = connections
        self.rows = {FIRST: KeyStanding(FIRST, "fake", KeyState.CURRENT, True, 0, 0.0, 0.0)}
        self.wrapped: dict[str, dict[str, str]] = {"meta.value": {"lookup": FIRST, "replies": FIRST}}
        self.gone: set[str] = set()
        self.broken: set[str] = set()
        self.makes_keys = True
        self.following = FIRST
        self.forgotten = 0
        self.backed_up_at: float | None = None

    @property
    def places(self) -> Sequence[str]:
        """Every place."""
        return tuple(self.wrapped)

    async def keys(self) -> Sequence[KeyStanding]:
        """All, with their counts."""
        await self._database.read()
        return tuple(replace(each, data_keys=self._count(each.id)) for each in self.rows.values())

    async def backup_made_at(self) -> float | None:
        """Whatever the test says."""
        await self._database.read()
        return self.backed_up_at

    async def current_since(self) -> float:
        """Since when the current key is that."""
        await self._database.read()
        found = self.rows[self._current()]
        return found.added_at if found.current_at is None else found.current_at

    async def add(self, *, at: float, record: Callable[[str], AuditRecord]) -> KeyStanding:
        """Make one."""
        if not self.makes_keys:
            raise KeyNotMadeHere("an operator names them")
        await self._database.write("keys.add")
        key_id = f"key_{len(self.rows) + 1:016x}"
        self.rows[key_id] = KeyStanding(key_id, "fake", KeyState.STANDBY, True, 0, at)
        self._database.log([record(key_id)])
        return self.rows[key_id]

    async def make_current(self, key_id: str, *, at: float, records: Sequence[AuditRecord] = ()) -> KeyStanding:
        """Wrap with this one."""
        found = await self._one(key_id)
        if found.state not in (KeyState.STANDBY, KeyState.CURRENT):
            raise KeyStateConflict("not a standby")
        if not found.at_hand:
            raise WrongKey("not at hand")
        if key_id in self.gone:
            raise KeyUnavailable("gone")
        if found.state is KeyState.STANDBY:
            await self._database.write("keys.make_current")
            before = self._current()
            self.rows[before] = replace(self.rows[before], state=KeyState.STANDBY)
            self.rows[key_id] = replace(found, state=KeyState.CURRENT, current_at=at)
            self._database.log(records)
        await self.follow()
        return await self._one(key_id)

    async def retire(self, key_id: str, *, at: float, records: Sequence[AuditRecord] = ()) -> KeyStanding:
        """Say that it is needed no more."""
        found = await self._one(key_id)
        if found.state is KeyState.RETIRED:
            return found
        if found.state is not KeyState.STANDBY:
            raise KeyStateConflict("not a standby")
        if found.data_keys:
            raise KeyInUse("in use", extensions={"data_keys": found.data_keys})
        await self._database.write("keys.retire")
        self.rows[key_id] = replace(found, state=KeyState.RETIRED, retired_at=at)
        self._database.log(records)
        return self.rows[key_id]

    async def outdated(self) -> int:
        """How many others than the current key wrap."""
        await self._database.read()
        return sum(key != self._current() for rows in self.wrapped.values() for key in rows.values())

    async def rewrap(self, place: str, *, after: tuple[str, ...], limit: int) -> Rewrapped:
        """Some of a place's."""
        await self._database.read()
        rows = self.wrapped[place]
        start = after[0] if after else ""
        found = [row for row in sorted(rows) if row > start and rows[row] != self.following][:limit]
        done, failures = 0, 0
        for row in found:
            if self.following in self.gone or rows[row] in self.gone:
                raise KeyUnavailable("gone")
            if row in self.broken:
                failures += 1
                continue
            rows[row] = self.following
            done += 1
        return Rewrapped(
            done, {"seal_broken": failures} if failures else {}, (found[-1],) if len(found) == limit else None
        )

    async def follow(self) -> None:
        """Take over the current key."""
        await self._database.read()
        if not self.rows[self._current()].at_hand:
            raise WrongKey("not at hand")
        self.following = self._current()

    def forget_passwords(self) -> None:
        """Count it."""
        self.forgotten += 1

    async def ask(self) -> None:
        """See that the current key can be used."""
        await self.follow()
        if self.following in self.gone:
            raise KeyUnavailable("gone")

    async def destroy_passwords(self, *, at: float, record: Callable[[Connection], AuditRecord]) -> int:
        """Destroy all at once."""
        await self._database.write("keys.destroy_passwords")
        kept = {key: row for key, row in self._connections.rows.items() if row[1].password or row[1].username}
        for key, (connection, secrets) in kept.items():
            written = replace(connection, password_kept_at=None, revision=connection.revision + 1, updated_at=at)
            self._connections.rows[key] = (written, replace(secrets, password=None, username=None))
        self._database.log([record(connection) for connection, _ in kept.values()])
        return len(kept)

    def _current(self) -> str:
        return next(each.id for each in self.rows.values() if each.state is KeyState.CURRENT)

    def _count(self, key_id: str) -> int:
        return sum(key == key_id for rows in self.wrapped.values() for key in rows.values())

    async def _one(self, key_id: str) -> KeyStanding:
        for each in await self.keys():
            if each.id == key_id:
                return each
        raise NotFound("there is no such key")
