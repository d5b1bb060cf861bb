"""Reading and writing: one writer, no half transaction, no SQL in an error."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from keyturn.adapters.store.audit import add_records
from keyturn.adapters.store.database.engine import HURRIED_TIMEOUT_S, Database, flush
from keyturn.adapters.store.opening import Stores
from keyturn.core.connector import LoginLimits
from keyturn.core.errors import StoreUnavailable
from keyturn.ports.store import Use
from tests.contracts.samples import NOW, api_key, connection, record, secrets


async def test_a_write_that_fails_changes_nothing(stores: Stores) -> None:
    """Whatever is raised within a transaction rolls all of it back."""

    def half(tx: sa.Connection) -> None:
        tx.exec_driver_sql("INSERT INTO meta (name, value) VALUES ('half', x'00')")
        raise LookupError("half way")

    with pytest.raises(LookupError, match="half way"):
        await stores.database.write(half)
    names = await stores.database.read(lambda tx: tx.exec_driver_sql("SELECT name FROM meta").scalars().all())

    assert "half" not in names


async def test_writes_at_one_moment_are_one_commit(stores: Stores) -> None:
    """Each has its own end: of ten, those that fail take nothing of the others back, nor their records."""
    commits: list[int] = []

    def note(_: sa.Connection) -> None:
        commits.append(1)

    def put(n: int) -> Any:
        def body(tx: sa.Connection) -> int:
            tx.exec_driver_sql("INSERT INTO meta (name, value) VALUES (?, x'00')", (f"row-{n}",))
            add_records(tx, [record(f"row.{n}")])
            if n % 3 == 0:
                raise LookupError(str(n))
            return n

        return stores.database.write(body)

    sa.event.listen(sa.Engine, "commit", note)
    try:
        ended = await asyncio.gather(*(put(n) for n in range(10)), return_exceptions=True)
    finally:
        sa.event.remove(sa.Engine, "commit", note)
    names = await stores.database.read(lambda tx: tx.exec_driver_sql("SELECT name FROM meta").scalars().all())
    logged = [each.action for _, each in (await stores.audit.list())[0]]

    well = [n for n in range(10) if n % 3]
    assert 1 == len(commits)
    assert well == [each for each in ended if isinstance(each, int)]
    assert ["0", "3", "6", "9"] == [str(each) for each in ended if isinstance(each, LookupError)]
    assert {f"row-{n}" for n in well} == {name for name in names if name.startswith("row-")}
    assert [f"row.{n}" for n in reversed(well)] == logged
    assert await chain_is_whole(stores)


async def test_a_commit_that_fails_fails_for_all_of_it(stores: Stores) -> None:
    """Nobody is told that it was written; the next commit is as good as any."""

    def forbidden(tx: sa.Connection) -> None:
        add_records(tx, [record("never.written")])
        tx.exec_driver_sql("PRAGMA defer_foreign_keys=ON")
        tx.exec_driver_sql(
            "INSERT INTO connector_versions (project, connector, version, digest, document, source, published_at,"
            " published_by, note) VALUES ('default', 'nobody', 1, '', '', '', 0, '', '')"
        )

    ended = await asyncio.gather(
        stores.audit.append([record("a.fine")]), stores.database.write(forbidden), return_exceptions=True
    )
    await stores.audit.append([record("b.later")])

    assert [StoreUnavailable, StoreUnavailable] == [type(each) for each in ended]
    assert ended[0] is not ended[1]
    assert ["b.later"] == [each.action for _, each in (await stores.audit.list())[0]]
    assert await chain_is_whole(stores)


async def test_one_that_fails_after_the_records_of_others_were_written(stores: Stores) -> None:
    """What it had written before its own time comes again at the end: no change is left without its record."""

    def failing(tx: sa.Connection) -> None:
        add_records(tx, [record("b.failed")])
        flush(tx)
        add_records(tx, [record("b.failed_too")])
        raise LookupError("after the others' records")

    ended = await asyncio.gather(
        stores.audit.append([record("a.before")]),
        stores.database.write(failing),
        stores.audit.append([record("c.after")]),
        return_exceptions=True,
    )

    assert [type(None), LookupError, type(None)] == [type(each) for each in ended]
    assert ["c.after", "a.before"] == [each.action for _, each in (await stores.audit.list())[0]]
    assert await chain_is_whole(stores)


async def test_one_that_writes_the_records_of_others_and_goes_well(stores: Stores) -> None:
    """Each record is written once, in the order of the writes."""

    def flushing(tx: sa.Connection) -> None:
        add_records(tx, [record("b.before")])
        flush(tx)
        add_records(tx, [record("b.then")])

    await asyncio.gather(
        stores.audit.append([record("a.first")]),
        stores.database.write(flushing),
        stores.audit.append([record("c.last")]),
    )

    logged = [each.action for _, each in (await stores.audit.list())[0]]
    assert ["c.last", "b.then", "b.before", "a.first"] == logged
    assert await chain_is_whole(stores)


async def test_a_record_that_cant_be_written_is_its_own_writes_trouble(stores: Stores) -> None:
    """It is refused where it is handed over, not at the end of the commit, where it would take others with it."""
    ended = await asyncio.gather(
        stores.audit.append([record("a.fine")]),
        stores.audit.append([record("b.no_json", facts={"x": object()})]),
        stores.audit.append([record("c.fine")]),
        return_exceptions=True,
    )

    assert [type(None), TypeError, type(None)] == [type(each) for each in ended]
    assert ["c.fine", "a.fine"] == [each.action for _, each in (await stores.audit.list())[0]]


async def test_nobody_is_told_of_a_write_whose_transaction_ended_in_it(stores: Stores) -> None:
    """SQLite ends a transaction by itself at some failures; a function that goes on then has written nothing."""

    def going_on(tx: sa.Connection) -> None:
        tx.exec_driver_sql("INSERT INTO meta (name, value) VALUES ('taken', x'00')")
        with suppress(sa.exc.IntegrityError):
            tx.exec_driver_sql("INSERT OR ROLLBACK INTO meta (name, value) VALUES ('taken', x'00')")

    with pytest.raises(StoreUnavailable):
        await stores.database.write(going_on)
    ended = await asyncio.gather(
        stores.database.write(going_on), stores.audit.append([record("a.beside")]), return_exceptions=True
    )
    await stores.audit.append([record("b.later")])
    names = await stores.database.read(lambda tx: tx.exec_driver_sql("SELECT name FROM meta").scalars().all())

    assert [StoreUnavailable, StoreUnavailable] == [type(each) for each in ended]
    assert "taken" not in names
    assert ["b.later"] == [each.action for _, each in (await stores.audit.list())[0]]


async def test_whoever_comes_while_it_closes_is_answered(stores: Stores) -> None:
    """A write or a read at any moment of a close ends: nobody waits for threads that are gone."""

    async def writing() -> int:
        for n in range(60):
            await stores.audit.append([record(f"a.{n}")])
            await stores.audit.newest()
        return 60

    at_work = [asyncio.create_task(writing()) for _ in range(3)]
    for _ in range(10):
        await asyncio.sleep(0.003)
        await stores.database.close()
    async with asyncio.timeout(20):
        done = await asyncio.gather(*at_work)

    assert [60, 60, 60] == done
    assert 180 == len((await stores.audit.list(limit=500))[0])


async def chain_is_whole(stores: Stores) -> bool:
    """Whether the audit log verifies."""
    bounds = await stores.chain.bounds()
    right, fault = await stores.chain.check(bounds.start, until=bounds.head[0], limit=1000)
    return fault is None and len(right) == bounds.head[0] - bounds.start[0]


async def test_a_reader_cannot_write(stores: Stores) -> None:
    """A write by the wrong door is refused."""
    with pytest.raises(StoreUnavailable, match="SQLITE_READONLY"):
        await stores.database.read(lambda tx: tx.exec_driver_sql("DELETE FROM meta"))


async def test_readers_wait_for_no_writer(stores: Stores, tmp_path: Path) -> None:
    """While another holds the write lock everything can be read, as it was."""
    await stores.connections.insert(connection(), secrets())
    other = sqlite3.connect(tmp_path / "data" / "keyturn.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    other.execute("UPDATE connections SET name = 'unfinished'")
    found = await stores.connections.open("cxn_1")
    other.rollback()
    other.close()

    assert (connection(), secrets()) == found


async def test_a_lock_that_is_held_for_too_long(tmp_path: Path) -> None:
    """The write ends with StoreUnavailable, which names neither statement nor value; afterwards all is well."""
    database = Database(tmp_path / "k.db", busy_timeout_s=0.05)
    await database.write(lambda tx: tx.exec_driver_sql("CREATE TABLE t (a)"))
    other = sqlite3.connect(tmp_path / "k.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable, match="SQLITE_BUSY") as refused:
        await database.write(lambda tx: tx.exec_driver_sql("INSERT INTO t VALUES ('a-secret-value')"))
    other.rollback()
    other.close()
    await database.write(lambda tx: tx.exec_driver_sql("INSERT INTO t VALUES (1)"))
    rows = await database.read(lambda tx: tx.exec_driver_sql("SELECT a FROM t").scalars().all())
    await database.close()

    assert [1] == rows
    assert "INSERT" not in str(refused.value)
    assert "a-secret-value" not in str(refused.value)


async def test_at_a_stop_a_lock_is_not_waited_out(tmp_path: Path) -> None:
    """An open connection is told too; what is written meanwhile by another for a moment is still waited for."""
    database = Database(tmp_path / "k.db", busy_timeout_s=30.0)
    await database.write(lambda tx: tx.exec_driver_sql("CREATE TABLE t (a)"))
    other = sqlite3.connect(tmp_path / "k.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    database.hurry()
    began = time.monotonic()
    with pytest.raises(StoreUnavailable, match="SQLITE_BUSY"):
        await database.write(lambda tx: tx.exec_driver_sql("INSERT INTO t VALUES (1)"))
    took = time.monotonic() - began
    late = asyncio.ensure_future(database.write(lambda tx: tx.exec_driver_sql("INSERT INTO t VALUES (2)")))
    await asyncio.sleep(0.1)
    other.rollback()
    other.close()
    await late
    rows = await database.read(lambda tx: tx.exec_driver_sql("SELECT a FROM t").scalars().all())
    await database.close()

    assert HURRIED_TIMEOUT_S <= took < 10
    assert [2] == rows


async def test_a_full_disk(stores: Stores) -> None:
    """A write for which there is no room is refused whole; reading goes on."""
    await stores.connections.insert(connection(), secrets())

    def no_room(tx: sa.Connection) -> None:
        pages = tx.exec_driver_sql("PRAGMA page_count").scalar()
        tx.exec_driver_sql(f"PRAGMA max_page_count = {pages}")

    await stores.database.write(no_room)
    with pytest.raises(StoreUnavailable, match="SQLITE_FULL") as refused:
        await stores.audit.append([record(f"a.{n}", facts={"x": "v" * 900}) for n in range(50)])

    assert ((), None) == await stores.audit.list()
    assert (connection(), secrets()) == await stores.connections.open("cxn_1")
    assert "INSERT" not in str(refused.value)


async def test_old_hours_of_calls_go_a_part_at_a_time(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of them, and no other; each write takes no more than a part."""
    monkeypatch.setattr("keyturn.adapters.store.connections.PURGED_AT_ONCE", 2)
    hour = int(NOW) // 3600 * 3600
    for n in range(5):
        await stores.connections.note_uses({f"cxn_{n}": Use(hour - 3600 * n, calls=1)})
    gone: list[int] = []

    def note(_: object, cursor: Any, statement: str, *__: object) -> None:
        if statement.startswith("DELETE FROM connection_calls"):
            gone.append(cursor.rowcount)

    sa.event.listen(sa.Engine, "after_cursor_execute", note)
    try:
        await stores.connections.purge(disconnected_before=hour)
    finally:
        sa.event.remove(sa.Engine, "after_cursor_execute", note)
    left = await stores.overview.calls([f"cxn_{n}" for n in range(5)], 0.0)

    assert [2, 2] == gone
    assert ["cxn_0"] == list(left)


async def test_errors_hold_no_values(stores: Stores) -> None:
    """Also where our own bug breaks a rule of the tables, and in none of the errors behind the error."""
    await stores.api_keys.add(api_key("key_1", digest="the-digest"))
    with pytest.raises(StoreUnavailable) as refused:
        await stores.api_keys.add(api_key("key_2", digest="the-digest", name="the-name"))
    chain: list[BaseException] = [refused.value]
    while (before := chain[-1].__cause__ or chain[-1].__context__) is not None:
        chain.append(before)

    assert 1 == len(chain)  # it was raised elsewhere, and comes alone
    assert "the database can't be used: SQLITE_CONSTRAINT_UNIQUE" == str(refused.value)
    assert [] == [each for each in chain if "the-digest" in f"{each} {each!r}" or "the-name" in f"{each} {each!r}"]


async def test_a_cancelled_caller_leaves_no_half_write(stores: Stores) -> None:
    """The write that began is ended, whole, and the connection to the database is as good as before."""
    for n in range(20):
        writing = asyncio.ensure_future(stores.audit.append([record(f"a.{n}"), record(f"b.{n}")]))
        await asyncio.sleep(n * 0.0002)
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)
    await stores.audit.append([record("c.last")])
    logged, _ = await stores.audit.list(limit=99)
    actions = [each.action for _, each in logged]

    assert "c.last" == actions[0]
    assert [each[2:] for each in actions if each[0] == "a"] == [each[2:] for each in actions if each[0] == "b"]


async def test_a_cancelled_reader_harms_nobody(stores: Stores) -> None:
    """More cancelled reads than there are readers, and the next read is answered."""
    await stores.connections.insert(connection(), secrets())
    for n in range(20):
        reading = asyncio.ensure_future(stores.connections.load("cxn_1"))
        await asyncio.sleep(n * 0.0001)
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)

    assert connection() == await stores.connections.load("cxn_1")


async def test_a_closed_store_is_unavailable_or_opens_anew(stores: Stores) -> None:
    """Closing twice is harmless, and what was written is there."""
    await stores.connections.insert(connection(), secrets())
    await stores.close()
    await stores.close()

    assert connection() == await stores.connections.load("cxn_1")


async def test_a_database_that_is_gone(tmp_path: Path) -> None:
    """A file that can't be opened is StoreUnavailable, without a trace of the driver."""
    with pytest.raises(StoreUnavailable, match="No such file"):
        Database(tmp_path / "absent" / "k.db")


@pytest.mark.parametrize("name", ["a\ud800b", "\udfff", "x\x00y", "ü😀“"])
async def test_any_text_can_be_kept(stores: Stores, name: str) -> None:
    """What a provider calls an account never keeps it from being stored; what is no character reads as U+FFFD."""
    kept = connection(name=name, unique_id=name, fields={"x": name})
    await stores.connections.insert(kept, secrets())
    found = await stores.connections.load("cxn_1")

    assert found is not None
    assert name.encode("utf-16", "surrogatepass").decode("utf-16", "replace") == found.name
    assert {"x": name} == found.fields
    assert "cxn_1" == await stores.connections.find_account("acme", "owner-1", name)
    assert "cxn_1" == await stores.connections.find_account("acme", "owner-1", found.unique_id)


async def test_logins_are_not_kept_for_ever(stores: Stores) -> None:
    """What lies behind every window is taken away."""
    limits = LoginLimits(5, 60.0)
    for n in range(3):
        await stores.logins.reserve(
            f"account-{n}", now=NOW + 1000 * n, limits=limits, successes=limits, challenges=limits
        )
    kept = await stores.database.read(lambda tx: tx.exec_driver_sql("SELECT account FROM logins").scalars().all())

    assert ["account-2"] == kept
