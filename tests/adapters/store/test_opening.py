"""Opening a store makes what is missing, once, and refuses a key or database that is not its own."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.dialects import sqlite

from keyturn.adapters.keys.key_setting import key_ring_from
from keyturn.adapters.store.database.migrating import HEAD, MIGRATIONS
from keyturn.adapters.store.database.schema import connections, metadata
from keyturn.adapters.store.lease_holder import Host
from keyturn.adapters.store.looks import CONNECTORS, OF_ONE
from keyturn.adapters.store.migrations.versions import v0017_attention
from keyturn.adapters.store.opening import Stores, database_path, holds_sealed_rows
from keyturn.adapters.store.processes import lease_values
from keyturn.adapters.store.rows.connection_conditions import conditions_of
from keyturn.adapters.store.rows.connection_row import PLAIN
from keyturn.core.connection import ConnectionSecrets, State
from keyturn.core.errors import KeyUnavailable, SettingsInvalid, StoreUnavailable, WrongKey
from keyturn.ports.audit import AuditFilter
from keyturn.ports.store import ConnectionFilter
from tests.adapters.store.conftest import opened
from tests.contracts.attention_contract import BOUNDS
from tests.contracts.samples import NOW, connection, record, secrets
from tests.fakes.keys import FakeKeyProvider

ROOT = Path(__file__).resolve().parents[3]
START = """
import asyncio, sys, time
from pathlib import Path
sys.path[:0] = [sys.argv[1], sys.argv[1] + "/src"]
from keyturn.adapters.keys.key_setting import key_ring_from
from keyturn.adapters.store.opening import holds_sealed_rows
from tests.adapters.store.conftest import opened
from tests.contracts.samples import connection, secrets

async def main() -> None:
    data_dir, name, start = Path(sys.argv[2]), sys.argv[3], float(sys.argv[4])
    time.sleep(max(0.0, start - time.time()))
    data_dir.mkdir(mode=0o700, exist_ok=True)
    keys = key_ring_from(None, data_dir, holds_sealed_rows(data_dir), environ={})
    async with opened(data_dir, keys) as stores:
        await stores.connections.insert(connection(name), secrets(name))
    print(keys.fingerprint(), await_key(keys))

def await_key(keys):
    return keys.made_file is not None

asyncio.run(main())
"""


@pytest.fixture(scope="module", autouse=True)
def _fresh_tables() -> None:
    """Here every migration runs."""


async def test_a_wrong_key_is_refused(tmp_path: Path) -> None:
    """Another key does not open the store; the right one still does."""
    async with opened(tmp_path, FakeKeyProvider("a")) as stores:
        await stores.connections.insert(connection(), secrets())
    with pytest.raises(WrongKey, match="right key"):
        async with opened(tmp_path, FakeKeyProvider("b")):
            raise AssertionError("opened")
    async with opened(tmp_path, FakeKeyProvider("a")) as stores:
        assert (connection(), secrets()) == await stores.connections.open("cxn_1")


async def test_a_key_provider_that_is_gone(tmp_path: Path) -> None:
    """The start says so, and changes nothing."""
    provider = FakeKeyProvider()
    provider.gone = True
    with pytest.raises(KeyUnavailable):
        async with opened(tmp_path, provider):
            raise AssertionError("opened")

    assert not holds_sealed_rows(tmp_path)


async def test_a_store_says_whether_it_holds_anything_sealed(tmp_path: Path) -> None:
    """From the first start on, since keys of the store itself are wrapped; asking makes nothing."""
    before, made = holds_sealed_rows(tmp_path / "data"), (tmp_path / "data").exists()
    async with opened(tmp_path / "data") as stores:
        await stores.ping()
        while_open = holds_sealed_rows(tmp_path / "data")

    assert (False, False, True) == (before, made, while_open)
    assert holds_sealed_rows(tmp_path / "data")


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    """It is refused, and left as it is."""
    (tmp_path / "keyturn.db").write_bytes(b"something else entirely" * 99)
    with pytest.raises(StoreUnavailable, match="SQLITE_NOTADB"):
        holds_sealed_rows(tmp_path)
    assert (tmp_path / "keyturn.db").read_bytes().startswith(b"something else")


async def test_a_lost_key_file_is_not_replaced(tmp_path: Path) -> None:
    """With anything sealed in the database a new key would make all of it unreadable for good."""
    keys = key_ring_from(None, tmp_path, holds_sealed_rows(tmp_path), environ={})
    async with opened(tmp_path, keys):
        (tmp_path / "keyturn.key").unlink()

    with pytest.raises(WrongKey, match="absent"):
        key_ring_from(None, tmp_path, holds_sealed_rows(tmp_path), environ={})
    assert not (tmp_path / "keyturn.key").exists()


def test_first_starts_at_once(tmp_path: Path) -> None:
    """Several processes that start on an empty directory share one key and one database, and one made the key."""
    start = str(time.time() + 2.5)
    running = [
        subprocess.Popen(
            [sys.executable, "-c", START, str(ROOT), str(tmp_path / "data"), f"cxn_{n}", start],
            stdout=subprocess.PIPE,
            text=True,
        )
        for n in range(4)
    ]
    said = [each.communicate(timeout=60)[0].split() for each in running]
    keys = key_ring_from(None, tmp_path / "data", True, environ={})

    async def check() -> list[Any]:
        async with opened(tmp_path / "data", keys) as stores:
            return [await stores.connections.open(f"cxn_{n}") for n in range(4)]

    assert [0, 0, 0, 0] == [each.returncode for each in running]
    assert {keys.fingerprint()} == {fingerprint for fingerprint, _ in said}
    assert 1 == [made for _, made in said].count("True")
    assert [(connection(f"cxn_{n}"), secrets(f"cxn_{n}")) for n in range(4)] == asyncio.run(check())


@pytest.mark.filterwarnings("ignore:.*expression-based index")  # compared as text, below
async def test_the_migrations_make_the_schema(tmp_path: Path) -> None:
    """What the code expects and what the migrations make is the same, partial indexes too."""
    async with opened(tmp_path):
        engine = sa.create_engine(f"sqlite:///{tmp_path / 'keyturn.db'}")
        with engine.connect() as found:
            differences = compare_metadata(MigrationContext.configure(found), metadata)
            migrated = {
                name: " ".join(sql.split())
                for name, sql in found.exec_driver_sql("SELECT name, sql FROM sqlite_master WHERE sql NOT NULL")
            }
        engine.dispose()
    fresh = sa.create_engine("sqlite://")
    with fresh.begin() as made:
        metadata.create_all(made)
        indexes = {
            name: " ".join(sql.split())
            for name, sql in made.exec_driver_sql(
                "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql NOT NULL"
            )
        }
    fresh.dispose()

    assert [] == differences
    assert indexes == {name: migrated.get(name) for name in indexes}
    assert "AUTOINCREMENT" in migrated["audit"]


def test_the_head_is_named() -> None:
    """The short way past Alembic knows the newest step."""
    assert [HEAD] == ScriptDirectory(str(MIGRATIONS)).get_heads()


async def test_a_newer_database_is_left_alone(tmp_path: Path) -> None:
    """A release that does not know the tables does not touch them."""
    async with opened(tmp_path):
        pass
    newer = sqlite3.connect(tmp_path / "keyturn.db")
    newer.execute("UPDATE alembic_version SET version_num = '9999'")
    newer.commit()
    newer.close()

    with pytest.raises(StoreUnavailable, match="newer release"):
        async with opened(tmp_path):
            raise AssertionError("opened")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        pytest.param(None, "data/keyturn.db", id="unset"),
        pytest.param("", "data/keyturn.db", id="empty"),
        pytest.param("sqlite:////srv/x/k.db", "/srv/x/k.db", id="absolute"),
        pytest.param("sqlite:///k.db", "k.db", id="relative"),
    ],
)
def test_where_the_database_is(url: str | None, expected: str) -> None:
    """In the data directory, or where the URL says."""
    assert Path(expected) == database_path(Path("data"), url)


@pytest.mark.parametrize(
    "url",
    [
        "sqlite://",
        "sqlite:///:memory:",
        "postgresql://u:s3cret@h/d",
        "s3cret",
        "sqlite:///x?mode=ro",
        "sqlite:///x?a=s3cret",
    ],
)
def test_urls_of_no_sqlite_file(url: str) -> None:
    """They are refused, and not quoted: a URL may hold a password."""
    with pytest.raises(SettingsInvalid) as refused:
        database_path(Path("data"), url)
    assert "s3cret" not in str(refused.value)


async def test_a_database_of_its_own(tmp_path: Path) -> None:
    """With a URL the database is elsewhere, and its folder is made."""
    url = f"sqlite:///{tmp_path / 'elsewhere' / 'k.db'}"
    async with opened(tmp_path / "data", database_url=url) as stores:
        await stores.connections.insert(connection(), secrets())

    assert (tmp_path / "elsewhere" / "k.db").exists()
    assert not (tmp_path / "data" / "keyturn.db").exists()


async def test_what_sqlite_is_told(stores: Stores) -> None:
    """Durable, forgetful, with foreign keys, on every connection; the log in a file of its own."""

    def settings(tx: sa.Connection) -> dict[str, Any]:
        names = ("journal_mode", "synchronous", "secure_delete", "foreign_keys", "busy_timeout", "temp_store")
        return {name: tx.exec_driver_sql(f"PRAGMA {name}").scalar() for name in names}

    expected = {
        "journal_mode": "wal",
        "synchronous": 2,
        "secure_delete": 1,
        "foreign_keys": 1,
        "busy_timeout": 5000,
        "temp_store": 2,
    }
    assert expected == await stores.database.write(settings)
    assert expected == await stores.database.read(settings)


async def test_what_is_due_is_found_by_jumping_along_an_index(stores: Stores) -> None:
    """From connector to connector, and within each from the longest overdue on; no row is read that is not due."""
    names = sa.text(f"EXPLAIN QUERY PLAN {CONNECTORS.text}")
    values = lease_values(Host()) | {"of_connector": b"acme", "look_now": 1.0, "most": 16}
    plan = await stores.database.read(lambda tx: [row[-1] for row in tx.execute(names)])
    query = OF_ONE.selecting.params(**values)
    literal = query.compile(dialect=sqlite.dialect(), compile_kwargs={"literal_binds": True})
    explained = f"EXPLAIN QUERY PLAN {literal}"
    each = await stores.database.read(lambda tx: [row[-1] for row in tx.exec_driver_sql(explained)])

    steps = [step for step in plan if "connections" in step]
    assert steps
    assert all("COVERING INDEX connections_look" in step for step in steps), plan
    assert [] == [step for step in plan if step.startswith("SCAN k")]
    assert "SEARCH connections USING INDEX connections_look (connector=? AND look_at>? AND look_at<?)" in each
    assert [] == [step for step in each if "TEMP B-TREE" in step or step.startswith("SCAN connections")]


@pytest.mark.parametrize(
    ("which", "index"),
    [
        pytest.param(ConnectionFilter(attention=BOUNDS), "COVERING INDEX connections_attention", id="attention"),
        pytest.param(ConnectionFilter(error="grant_lost"), "INDEX connections_by_error", id="a code"),
        pytest.param(ConnectionFilter(ends_before=1.0), "INDEX connections_ending", id="what ends"),
        pytest.param(ConnectionFilter(renews_before=1.0), "INDEX connections_due", id="what is due"),
    ],
)
async def test_what_is_wrong_is_found_by_index(stores: Stores, which: ConnectionFilter, index: str) -> None:
    """No row is read but those that are found."""
    query = sa.select(connections.c.id).where(*conditions_of(which))
    text = str(query.compile(dialect=sqlite.dialect(), compile_kwargs={"literal_binds": True}))
    plan = await stores.database.read(lambda tx: tx.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}").all())
    steps = [row[-1] for row in plan]

    assert any(index in step for step in steps)
    assert [] == [step for step in steps if step.startswith("SCAN connections") and "INDEX" not in step]


@pytest.mark.parametrize(
    ("read", "index"),
    [
        pytest.param(lambda s: s.audit.list(connection="cxn_1"), "connection", id="a connection's records"),
        pytest.param(lambda s: s.overview.timeline("cxn_1", cursor=None, limit=5), "connection", id="its timeline"),
        pytest.param(
            lambda s: s.chain.page(AuditFilter(connection="cxn_1"), cursor=None, limit=5), "connection", id="its audit"
        ),
        pytest.param(
            lambda s: s.chain.page(AuditFilter(owner="user-42"), cursor=None, limit=5), "subject", id="a person's audit"
        ),
    ],
)
async def test_records_of_one_are_not_looked_for_among_all(
    stores: Stores, read: Callable[[Stores], Awaitable[object]], index: str
) -> None:
    """By an index of their own, though another fits as well as far as SQLite knows."""
    asked: list[tuple[str, Any]] = []

    def note(_: object, __: object, statement: str, parameters: Any, *___: object) -> None:
        asked.append((statement, parameters))

    sa.event.listen(sa.Engine, "before_cursor_execute", note)
    try:
        await read(stores)
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", note)
    statement, parameters = next(each for each in asked if "FROM audit" in each[0])
    plan = await stores.database.read(
        lambda tx: tx.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
    )

    steps = [row[-1] for row in plan if row[-1].startswith(("SEARCH audit ", "SCAN audit "))]
    assert any(f"INDEX audit_by_{index} " in each for each in steps)
    assert [] == [each for each in steps if "audit_by_project" in each or each.startswith("SCAN")]


async def test_since_when_is_taken_from_the_log(tmp_path: Path) -> None:
    """Of connections that an older release left: when the person was needed last, or when it was ended."""
    async with opened(tmp_path) as stores:
        for each in (
            connection("a", state=State.NEEDS_RECONNECT, updated_at=NOW + 9),
            connection("b", state=State.NEEDS_RECONNECT, updated_at=NOW + 9),
            connection("c", state=State.DISCONNECTED, disconnected_at=NOW + 3),
            connection("d"),
        ):
            await stores.connections.insert(each, ConnectionSecrets())
        lost = [record("connection.needs_reconnect", at=NOW + n, connection="a") for n in (1, 5)]
        await stores.audit.append([*lost, record("connection.tested", at=NOW + 7, connection="a")])

        def filled(tx: sa.Connection) -> dict[str, float | None]:
            tx.exec_driver_sql(v0017_attention.SINCE)
            return {row.id: row.state_since for row in tx.execute(sa.select(connections))}

        assert {"a": NOW + 5, "b": NOW + 9, "c": NOW + 3, "d": None} == await stores.database.write(filled)


def test_what_opens_nothing_reads_nothing_sealed() -> None:
    """A list, a count or what is due fetches neither sealed values nor keys."""
    read = {column.name for column in PLAIN}
    left = {column.name for column in connections.c} - read

    apart = {"unique_hash", "look_at", "lease_holder", "lease_until"}  # read by statements of their own

    assert {name for name in left if "sealed" in name or "key" in name} == left - apart
    assert {name for name in read if "sealed" in name or "key" in name} == {"sealed_field_names"}
