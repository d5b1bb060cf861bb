"""A row that can't be read is set aside alone: every column of `connections`, spoilt one at a time."""

# ruff: noqa: S608  (the statements are made of the schema's own words)

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from keyturn.adapters.store.database.schema import connections
from keyturn.adapters.store.opening import Stores
from keyturn.adapters.store.rows.set_aside import SetAside
from keyturn.core.connection import Connection, ConnectionSecrets, State
from keyturn.core.errors import KeyturnError, RowUnreadable, SealBroken
from keyturn.ports.store import ConnectionFilter, RevisionConflict
from tests.adapters.store.conftest import opened
from tests.contracts.samples import NOW, connection, record, secrets, token_set

ALL = ConnectionFilter()
BAD, GOOD, OTHER = "cxn_5", "cxn_4", "cxn_6"
TEXTS = {c.name for c in connections.c if isinstance(c.type, sa.types.TypeDecorator)}
SEALED = {c.name for c in connections.c if isinstance(c.type, sa.LargeBinary)}
# Where a bad value is: by these a row is found, or nothing of keyturn reads them from a row.
FOUND_BY = {"id", "project"}
NOT_READ = {"unique_hash", "look_at", "lease_holder", "lease_until"}
VALUES: dict[str, tuple[Any, ...]] = {
    "state": ("frozen", "unreadable", b"\x00", None, ""),
    "intent_kind": ("exchange", b"\x00"),
    "fields": ("{", "[]", "3", "", None, b"\x00", "[" * 100_000),
    "hosts": ("[1]", "{}", "null", '"a.example.com"', b"\x00", None),
    "sealed_field_names": ("{}", "[null]", b"\x00"),
    "revocation": ("[]", "x", '{"kept": 3}', '{"kept_until": "soon"}', '{"requests": [1]}', None),
    "generation": ("two", b"\x00", None, 1.5),
    "created_at": ("yesterday", b"\x00", 9e999, None),
}


def spoil(path: Path, column: str, value: Any, which: str = BAD) -> None:
    """Write past keyturn, and past what the table demands."""
    with closing(sqlite3.connect(path / "data" / "keyturn.db", isolation_level=None)) as database:
        database.execute("PRAGMA writable_schema=ON")
        database.execute("UPDATE sqlite_master SET sql = replace(sql, 'NOT NULL', '') WHERE name = 'connections'")
        database.execute("PRAGMA writable_schema=RESET")
        database.execute(f"UPDATE connections SET {column} = ? WHERE id = ?", (value, which))


def spoilt() -> list[tuple[str, Any]]:
    """Each column with what it may not be."""
    found = []
    for column in connections.c:
        if column.name in FOUND_BY | NOT_READ:
            continue
        default = ("text",) if column.name in SEALED else (b"\xff",) if column.name in TEXTS else ("text", b"\x00")
        found += [(column.name, each) for each in VALUES.get(column.name, default)]
    return found


async def filled(stores: Stores) -> None:
    """Three connections that are due, with all that a row may hold."""
    for n, name in enumerate((GOOD, BAD, OTHER)):
        made = connection(
            name, created_at=NOW + n, refreshable=True, renews_at=NOW - 10, expires_at=NOW + 100, owner="owner-1"
        )
        await stores.connections.insert(made, secrets(name))


@pytest.mark.parametrize(("column", "value"), spoilt(), ids=lambda each: str(each)[:12])
async def test_each_column(stores: Stores, tmp_path: Path, column: str, value: Any) -> None:
    """Neighbours are listed, loaded, opened, counted and due as before; the row itself is an error of a known code."""
    await filled(stores)
    spoil(tmp_path, column, value)
    page = await stores.connections.list(ALL, cursor=None, limit=10)
    mine = await stores.connections.list(ConnectionFilter(owner="owner-1", not_ended=True), cursor=None, limit=10)
    due = await stores.connections.looks(NOW, room={}, most=10, limit=10)
    counted = await stores.connections.counts()
    opened = [await stores.connections.open(each) for each in (GOOD, OTHER)]
    shown = await stores.connections.shown(BAD)
    with pytest.raises(KeyturnError) as refused:
        await stores.connections.open(BAD)

    found = {each.id: each for each in page.items}
    assert {GOOD, BAD, OTHER} == found.keys()
    assert {GOOD, OTHER} <= {each.id for each in mine.items}
    assert {GOOD, OTHER} <= {each.id for each in due}
    assert 3 == sum(counted.values())
    assert all(each is not None for each in opened)
    assert shown is not None
    if column in SEALED or (column.endswith("_generation") and column.startswith("sealed_")):
        assert (SealBroken, State.ACTIVE) == (refused.type, found[BAD].state)
    else:
        assert (RowUnreadable, State.UNREADABLE) == (refused.type, found[BAD].state)
        assert ("unreadable", "row_broken") == (shown.shown_state, shown.reason)
        with pytest.raises(RowUnreadable):
            await stores.connections.load(BAD)


async def test_text_that_is_no_text(stores: Stores, tmp_path: Path) -> None:
    """Bytes that are no UTF-8 in a text: the driver refuses all rows of a query; the others are read one by one."""
    await filled(stores)
    with closing(sqlite3.connect(tmp_path / "data" / "keyturn.db")) as database, database:
        database.execute("UPDATE connections SET name = CAST(x'41ff' AS TEXT) WHERE id = ?", (BAD,))
    first = await stores.connections.list(ALL, cursor=None, limit=2)
    second = await stores.connections.list(ALL, cursor=first.next_cursor, limit=2)

    states = [(each.id, each.state) for each in (*first.items, *second.items)]
    assert [(OTHER, State.ACTIVE), (BAD, State.UNREADABLE), (GOOD, State.ACTIVE)] == states
    assert "A\ufffd" == first.items[1].name
    assert {GOOD, OTHER} <= {each.id for each in await stores.connections.looks(NOW, room={}, most=10, limit=10)}


async def test_what_can_be_read_is_shown(stores: Stores, tmp_path: Path) -> None:
    """Connector, owner, name and id, so that somebody can do something about it; and nothing that may be wrong."""
    await filled(stores)
    spoil(tmp_path, "hosts", "[1]")
    shown = await stores.connections.shown(BAD)

    whole = connection(BAD, created_at=NOW + 1, state=State.UNREADABLE, reason="row_broken")
    assert whole == shown
    assert None is await stores.connections.shown("cxn_nobody")


async def test_it_is_parked_and_put_back(stores: Stores, tmp_path: Path) -> None:
    """A parked one is not due; one that reads again is due as before, one that does not stays where it is."""
    await filled(stores)
    spoil(tmp_path, "hosts", "[1]")
    spoil(tmp_path, "hosts", "[1]", GOOD)
    parked = [await stores.connections.park(each, "row_broken", at=NOW) for each in (BAD, GOOD)]
    not_this = await stores.connections.park(OTHER, "row_broken", at=NOW)  # it can be read: somebody mended it
    aside = await stores.connections.list(ConnectionFilter(state="unreadable"), cursor=None, limit=10)
    active = await stores.connections.count(ConnectionFilter(state="active"))
    looks = look_at(tmp_path)
    spoil(tmp_path, "hosts", "[]", GOOD)
    back = await stores.connections.unpark()

    assert [True, True, False] == [*parked, not_this]
    assert ({GOOD, BAD}, 1) == ({each.id for each in aside.items}, active)
    assert {GOOD: None, BAD: None, OTHER: NOW - 10} == looks
    assert 1 == back
    assert {GOOD: NOW - 10, BAD: None, OTHER: NOW - 10} == look_at(tmp_path)
    assert {GOOD, OTHER} == {each.id for each in await stores.connections.looks(NOW, room={}, most=10, limit=10)}


async def test_a_spoilt_mark_is_mended(stores: Stores, tmp_path: Path) -> None:
    """By being set aside for it: where nothing else is wrong with the row, it is in use again."""
    await filled(stores)
    spoil(tmp_path, "parked_why", b"\xff")
    aside = await stores.connections.park(BAD, "row_broken", at=NOW)

    assert not aside
    assert await stores.connections.open(BAD) is not None
    assert SetAside() == await stores.set_aside()
    assert {GOOD: NOW - 10, BAD: NOW - 10, OTHER: NOW - 10} == look_at(tmp_path)


@pytest.mark.parametrize(("release", "left"), [("1.0", 2), ("1.1", 1)])
async def test_a_new_release_tries_all_again(tmp_path: Path, release: str, left: int) -> None:
    """What it reads is back; the same release leaves all where it is."""
    async with opened(tmp_path / "data", release="1.0") as stores:
        await filled(stores)
        spoil(tmp_path, "hosts", "[1]")
        await stores.connections.park(BAD, "row_broken", at=NOW)
        await stores.connections.park(GOOD, "seal_broken", at=NOW)
    async with opened(tmp_path / "data", release=release) as stores:
        assert SetAside(left, 0) == await stores.set_aside()


async def test_it_is_written_anew(stores: Stores, tmp_path: Path) -> None:
    """All of it, under a key of its own; nothing that was sealed before opens after that."""
    await filled(stores)
    key = data_key(tmp_path)
    spoil(tmp_path, "generation", "two")
    shown = await stores.connections.shown(BAD)
    assert shown is not None
    new = replace(shown, state=State.ACTIVE, reason=None, generation=9, hosts=("a.example",))
    kept = ConnectionSecrets(token_set=token_set("new"))
    written = await stores.connections.mend(new, kept, records=[record("connection.reconnected")])
    with pytest.raises(RevisionConflict):
        await stores.connections.mend(new, kept)

    assert (written, kept) == await stores.connections.open(BAD)
    assert (9, State.ACTIVE) == (written.generation, written.state)
    assert key != data_key(tmp_path)
    assert ["connection.reconnected"] == [each.action for _, each in (await stores.audit.list())[0]]


async def test_it_is_ended_without_being_opened(stores: Stores, tmp_path: Path) -> None:
    """A tombstone keeps nothing that was sealed."""
    await filled(stores)
    spoil(tmp_path, "intent_kind", "exchange")
    shown = await stores.connections.shown(BAD)
    assert shown is not None
    ended: Connection = replace(shown, state=State.DISCONNECTED, reason=None, disconnected_at=NOW)
    await stores.connections.mend(ended, ConnectionSecrets())

    found = await stores.connections.open(BAD)
    assert found is not None
    assert (State.DISCONNECTED, ConnectionSecrets()) == (found[0].state, found[1])
    assert None is data_key(tmp_path)


@pytest.mark.parametrize("value", [bytes(93), b"", b"\x01", "text", 5], ids=["zeroed", "none", "cut", "text", "number"])
async def test_a_spoilt_data_key_stops_nothing(tmp_path: Path, value: Any) -> None:
    """Neither a start, nor a rotation of the keys: a name that no key ever had is a damaged row's."""
    async with opened(tmp_path / "data") as stores:
        await filled(stores)
    spoil(tmp_path, "data_key", value)
    async with opened(tmp_path / "data") as stores:
        with pytest.raises(SealBroken):
            await stores.connections.open(BAD)
        neighbour = await stores.connections.open(GOOD)
        current = (await stores.keys.keys())[0]
        done = await stores.keys.rewrap("connections.data_key", after=(), limit=10)
        counted = current.data_keys

    assert neighbour is not None
    assert 0 == done.done
    assert {*done.failures} <= {"seal_broken", "wrong_key"}
    assert counted > 0


def look_at(path: Path) -> dict[str, Any]:
    """When the scheduler looks at each."""
    with closing(sqlite3.connect(path / "data" / "keyturn.db")) as database:
        return dict(database.execute("SELECT id, look_at FROM connections").fetchall())


def data_key(path: Path) -> Any:
    """The wrapped data key of the row."""
    with closing(sqlite3.connect(path / "data" / "keyturn.db")) as database:
        return database.execute("SELECT data_key FROM connections WHERE id = ?", (BAD,)).fetchone()[0]


async def test_a_lost_key_is_given_up_past_it(stores: Stores, tmp_path: Path) -> None:
    """What the key had sealed in it is taken out, the others are told of, and no look finds it again."""
    await filled(stores)
    spoil(tmp_path, "hosts", "[1]")
    key = (await stores.keys.keys())[0].id
    found = await stores.lost_keys.connections(key, limit=10)

    assert [GOOD, OTHER] == [each.connection.id for each in found]
    assert None is data_key(tmp_path)


async def test_texts_that_are_none_stop_no_look(stores: Stores, tmp_path: Path) -> None:
    """In each column that the look reads: the driver gave no row at all, and all stood still."""
    await filled(stores)
    for column in ("hosts", "connector", "intent_attempt", "owner", "generation", "refresh_expires_at", "paused"):
        with closing(sqlite3.connect(tmp_path / "data" / "keyturn.db")) as database, database:
            database.execute(f"UPDATE connections SET {column} = CAST(x'41ff' AS TEXT) WHERE id = ?", (BAD,))
        with pytest.raises(RowUnreadable):
            await stores.renewals.read(BAD)
        due = await stores.connections.looks(NOW, room={}, most=10, limit=10)

        assert {GOOD, BAD, OTHER} == {each.id for each in due}, column
