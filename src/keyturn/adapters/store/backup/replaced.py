"""The database that a restore replaces: held shut for others, copied, and read.

Rule 1: it is only read; what is worked on is a copy, with all that its journal holds.
Rule 2: as long as it is held no process can open it: what was found out about it stays true.
Rule 3: a damaged row or page is that row's trouble; a database that can't be read at all tells nothing.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.exc import DatabaseError

from keyturn.adapters.store.backup.making import opened
from keyturn.adapters.store.backup.merging import UNREADABLE, Ground, Lineage, Row, Unreadable
from keyturn.adapters.store.database.engine import Database
from keyturn.adapters.store.database.meta import FINGERPRINT
from keyturn.adapters.store.database.migrating import HEAD, migrate
from keyturn.adapters.store.database.schema import connections, connector_versions
from keyturn.adapters.store.rows.connection_row import WITH_SEALED, connection_in
from keyturn.adapters.store.rows.connection_seals import ConnectionSeals
from keyturn.adapters.store.rows.each_row import rows_of
from keyturn.core.connection import Connection, State
from keyturn.core.errors import RestoreRefused, RowUnreadable, SealBroken, WrongKey

_NUMBER: Final = sa.literal_column("connections.rowid", sa.Integer).label("number")
_CHAINS: Final = ("audit", "audit_routine")


class Compared(StrEnum):
    """What a back-up is compared with."""

    NEWER = "newer"  # the database that it was made of, or one that went on from it
    OLDER = "older"  # an earlier state of it
    FORKED = "forked"  # another continuation of an earlier state of it
    ABSENT = "absent"
    UNREADABLE = "unreadable"
    NEWER_RELEASE = "newer_release"
    OTHER_KEY = "other_key"
    OTHER_DATA = "other_data"  # another installation's


_COMPARED: Final = {
    Lineage.CONTINUES: Compared.NEWER,
    Lineage.OLDER: Compared.OLDER,
    Lineage.FORKED: Compared.FORKED,
}


@dataclass(frozen=True, slots=True)
class Standing:
    """How a replaced database and a back-up stand to each other.

    `ground`: None if they can't be compared. `more`: something happened there that the back-up does not know.
    """

    compared: Compared
    ground: Ground | None = None
    more: bool = False


@dataclass(frozen=True, slots=True)
class Head:
    """The newest record of a chain. `seq` is 0 before the first."""

    seq: int
    mac: bytes | None


@dataclass(frozen=True, slots=True)
class Stored:
    """A connection's row: where it is, and what it says. `connection`: None where that can't be read."""

    number: int
    row: sa.Row[Any]
    connection: Connection | None


class Held:
    """A database that no other process can open until `release`; each of the rest of its methods may fail."""

    def __init__(self, path: Path) -> None:
        """Take hold of it.

        Raises:
            RestoreRefused: a server has it open.
            sqlite3.Error: it can't be read.
        """
        self._connection = opened(path, timeout_s=0.5)
        try:
            # With this mode, a write of a WAL database fails where anybody else has it open.
            self._connection.execute("PRAGMA locking_mode=EXCLUSIVE")
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.execute("SELECT count(*) FROM meta").fetchone()
            self._connection.execute("ROLLBACK")
        except sqlite3.Error as error:
            self._connection.close()
            if getattr(error, "sqlite_errorname", "").startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
                raise RestoreRefused("a server has the database open; stop it first") from None
            raise

    def copy_to(self, path: Path) -> None:
        """Copy it page by page, damaged ones too; by this connection, as opening the file twice would let go of it."""
        with closing(opened(path)) as copy:
            self._connection.backup(copy)

    def release(self) -> None:
        """Empty the journal into the database, and let go."""
        try:
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            self._connection.close()

    def close(self) -> None:
        """Let go, whatever state it is in."""
        self._connection.close()


def standing_of(here: Path, there: Path, *, vouched: bool) -> Standing:
    """Say how the copy of a replaced database stands to the copy of a back-up.

    Args:
        here, there: the back-up's copy, and the replaced database's.
        vouched: as in `Ground`.
    """
    try:
        with closing(opened(here)) as ours, closing(opened(there)) as theirs:
            return _standing(ours, theirs, vouched=vouched)
    except sqlite3.Error:
        return Standing(Compared.UNREADABLE, more=True)


def schema_in(connection: sqlite3.Connection) -> str:
    """The number of its newest migration."""
    return str(connection.execute("SELECT version_num FROM alembic_version").fetchone()[0])


def fingerprint_in(connection: sqlite3.Connection) -> str:
    """The fingerprint of its current wrapping key; empty if nothing was sealed."""
    row = connection.execute("SELECT value FROM meta WHERE name = ?", (FINGERPRINT,)).fetchone()
    value: bytes | str = row[0] if row else ""
    return value if isinstance(value, str) else value.decode("ascii", "replace")


def heads_in(connection: sqlite3.Connection) -> Mapping[str, Head]:
    """The newest record of each chain; a database of before schema 0023 has one chain."""
    return {chain: _head(connection, chain) for chain in _CHAINS if _has(connection, chain)}


def lineage_of(here: sqlite3.Connection, there: sqlite3.Connection) -> tuple[Lineage, float] | None:
    """Say how a replaced database belongs to a back-up, and until when both logs are alike; None: not at all.

    A MAC is over all records before it, so that two records are alike only in logs that were alike until then.
    """
    shared = _shared(here, there)
    if shared is None:
        return None
    if is_contained(here, there) and not is_contained(there, here):
        return Lineage.OLDER, shared[1]
    return (Lineage.CONTINUES if shared[0] == _head(here, "audit").seq else Lineage.FORKED), shared[1]


def is_contained(here: sqlite3.Connection, there: sqlite3.Connection) -> bool:
    """True if all that is recorded there is recorded in the back-up too."""
    return all(_holds(here, chain, head) for chain, head in heads_in(there).items())


async def stored_in(database: Database, numbers: Iterable[int]) -> list[Stored | int]:
    """Read connections by their row numbers; of one whose page is damaged its number."""
    wanted = list(numbers)
    return await database.read(lambda tx: [_stored(tx, each) for each in wanted])


async def numbers_in(database: Database) -> Mapping[str, int]:
    """The row number of each connection, by its id; of a damaged table as many as can be found."""
    return await database.read(_numbers)


async def facts_of(
    found: Stored | int, seals: ConnectionSeals | None, same: sa.Row[Any] | None = None
) -> Row | Unreadable:
    """What decides of a row.

    Args:
        found: as `stored_in` gave it.
        seals: to see that what is sealed in it opens; None: that is taken for granted.
        same: a row whose seals are known to open, or None.

    Raises:
        KeyUnavailable: the service that has the key can't be reached, so that nobody can say.
    """
    if isinstance(found, int) or found.connection is None:
        return UNREADABLE
    of, intent = found.connection, found.connection.intent
    return Row(
        generation=of.generation,
        revision=of.revision,
        created_at=of.created_at,
        ended=of.ended,
        active=of.state is State.ACTIVE,
        open=intent is not None and intent.generation == of.generation,
        refreshable=of.refreshable,
        sound=of.ended or seals is None or _is_same(found.row, same) or await _opens(found, seals),
        seal=found.row.sealed_token_set,
    )


@contextlib.asynccontextmanager
async def up_to_date(path: Path) -> AsyncIterator[Database]:
    """Open a copy, with the tables of this release.

    Raises:
        StoreUnavailable: it can't be read.
    """
    database = Database(path)
    try:
        await database.write(migrate)
        yield database
    finally:
        await database.close()


async def versions_in(database: Database) -> Mapping[tuple[str, str, int], str]:
    """The digest of each connector version."""
    c = connector_versions.c
    query = sa.select(c.project, c.connector, c.version, c.digest)
    return {(row[0], row[1], row[2]): row[3] for row in await database.read(lambda tx: tx.execute(query).all())}


def _standing(ours: sqlite3.Connection, theirs: sqlite3.Connection, *, vouched: bool) -> Standing:
    related = lineage_of(ours, theirs)
    inhabited = theirs.execute("SELECT 1 FROM connections LIMIT 1").fetchone() is not None
    more = not is_contained(ours, theirs) and (related is not None or inhabited)
    if schema_in(theirs) > HEAD:
        return Standing(Compared.NEWER_RELEASE, more=more)
    if fingerprint_in(ours) != fingerprint_in(theirs):
        return Standing(Compared.OTHER_KEY, more=more)
    if related is None:
        return Standing(Compared.OTHER_DATA, more=more)
    whole = theirs.execute("PRAGMA quick_check(1)").fetchone() == ("ok",)
    return Standing(_COMPARED[related[0]], Ground(*related, whole=whole, vouched=vouched), more)


async def _opens(found: Stored, seals: ConnectionSeals) -> bool:
    if found.connection is None:
        return False
    try:
        await seals.opened(found.connection, found.row)
    except (SealBroken, WrongKey, RowUnreadable, ValueError):
        return False
    return True


def _is_same(row: sa.Row[Any], other: sa.Row[Any] | None) -> bool:
    return other is not None and _sealed(row) == _sealed(other) and row.generation == other.generation


def _sealed(row: sa.Row[Any]) -> list[Any]:
    return [value for name, value in row._asdict().items() if name.startswith("sealed_") or name.endswith("_key")]


def _numbers(tx: sa.Connection) -> dict[str, int]:
    """By index and by table: what is damaged in one may be whole in the other."""
    driver: Any = tx.connection.driver_connection
    found: dict[str, int] = {}
    for by in ("INDEXED BY sqlite_autoindex_connections_1", "NOT INDEXED"):
        with contextlib.suppress(sqlite3.DatabaseError):
            for named, number in driver.execute(f"SELECT CAST(id AS BLOB), rowid FROM connections {by}"):  # noqa: S608
                found[bytes(named or b"").decode("utf-8", "replace")] = number
    return found


def _stored(tx: sa.Connection, number: int) -> Stored | int:
    try:
        rows = rows_of(tx, sa.select(*WITH_SEALED).select_from(connections).where(_NUMBER.element == number))
    except DatabaseError:
        return number
    if not rows:
        return number
    try:
        return Stored(number, rows[0], connection_in(rows[0]))
    except RowUnreadable:
        return Stored(number, rows[0], None)


def _has(connection: sqlite3.Connection, table: str) -> bool:
    return connection.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (table,)).fetchone() is not None


def _head(connection: sqlite3.Connection, chain: str) -> Head:
    query = f"SELECT seq, mac FROM {chain} ORDER BY seq DESC LIMIT 1"  # noqa: S608 - one of the two names above
    return Head(*(connection.execute(query).fetchone() or (0, None)))


def _holds(connection: sqlite3.Connection, chain: str, head: Head) -> bool:
    if head.seq == 0:
        return True
    if not _has(connection, chain):
        return False
    query = f"SELECT mac FROM {chain} WHERE seq = ?"  # noqa: S608 - as above
    found = connection.execute(query, (head.seq,)).fetchone()
    if found is None and chain == "audit_routine":  # told by the day meanwhile, and cut
        cut = connection.execute("SELECT seq FROM audit_marks WHERE name = 'routine cut'").fetchone()
        return cut is not None and cut[0] >= head.seq
    return found is not None and found[0] == head.mac


def _shared(here: sqlite3.Connection, there: sqlite3.Connection) -> tuple[int, float] | None:
    """Number and time of the newest record of the main chain that both have, halved until it is found."""
    ends = [each.execute("SELECT min(seq), max(seq) FROM audit").fetchone() for each in (here, there)]
    if any(first is None for first, _ in ends):
        return None
    first, high = max(first for first, _ in ends), min(last for _, last in ends)
    low, found = first, None
    while low <= high:
        middle = (low + high) // 2
        # Numbers of the other chain's records are gaps, the same ones in both as long as the logs are alike.
        record, other = (_newest(each, first, middle) for each in (here, there))
        if record is None or record != other:
            high = middle - 1
        else:
            low, found = middle + 1, (record[0], record[2])
    return found


def _newest(connection: sqlite3.Connection, first: int, last: int) -> tuple[int, bytes, float] | None:
    query = "SELECT seq, mac, at FROM audit WHERE seq BETWEEN ? AND ? ORDER BY seq DESC LIMIT 1"
    row: tuple[int, bytes, float] | None = connection.execute(query, (first, last)).fetchone()
    return row
