"""Challenges at rest: bound to their rows, wiped for good, and a place for them in a database of the first release."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from keyturn.adapters.store.database.migrating import MIGRATIONS
from keyturn.adapters.store.opening import Stores
from keyturn.core.errors import SealBroken
from keyturn.core.secret import Secret
from keyturn.ports.challenges import PendingLogin
from tests.adapters.store.conftest import opened
from tests.contracts.samples import challenge, connection, secrets
from tests.fakes.keys import FakeKeyProvider

LOGIN = PendingLogin("ada", Secret("a password"), {"mfa_token": Secret("mfa")}, {"pin": Secret("1234")})


def _sql(path: Path, statement: str, values: Sequence[Any] = ()) -> list[Any]:
    """Do what somebody with the file could do."""
    found = sqlite3.connect(path)
    try:
        with found:
            return found.execute(statement, values).fetchall()
    finally:
        found.close()


@pytest.mark.parametrize("columns", ["sealed_login", "sealed_login, data_key"], ids=["the value", "with its key"])
async def test_another_s_login_does_not_open(stores: Stores, tmp_path: Path, columns: str) -> None:
    """What is copied from one challenge to another is refused; the row can still be read."""
    for name in ("chl_1", "chl_2"):
        await stores.challenges.add(challenge(name), LOGIN)
    for each in columns.split(", "):
        other = f"(SELECT {each} FROM challenges WHERE id = 'chl_2')"  # noqa: S608
        _sql(tmp_path / "data" / "keyturn.db", f"UPDATE challenges SET {each} = {other} WHERE id = 'chl_1'")  # noqa: S608

    with pytest.raises(SealBroken):
        await stores.challenges.open("chl_1")
    assert challenge() == await stores.challenges.load("chl_1")


async def test_how_much_is_sealed_does_not_show(stores: Stores, tmp_path: Path) -> None:
    """A short password and a long one look alike; each row has a key of its own."""
    for name, length in (("chl_1", 1), ("chl_2", 120)):
        await stores.challenges.add(challenge(name), replace(LOGIN, password=Secret("p" * length)))
    rows = _sql(tmp_path / "data" / "keyturn.db", "SELECT length(sealed_login), data_key FROM challenges")

    assert 1 == len({length for length, _ in rows})
    assert 2 == len({key for _, key in rows})


async def test_what_is_wiped_is_gone_with_its_key(stores: Stores, tmp_path: Path) -> None:
    """By a save and by purging; not even the wrapped key stays."""
    await stores.challenges.add(challenge("chl_1"), LOGIN)
    await stores.challenges.add(challenge("chl_2", expires_at=1.0), LOGIN)
    await stores.challenges.save(challenge("chl_1"), wipe=True)
    await stores.challenges.purge(expired_before=0.0, wipe_before=2.0)
    rows = _sql(tmp_path / "data" / "keyturn.db", "SELECT data_key, sealed_login FROM challenges")

    assert [(None, None)] * 2 == rows


async def test_a_database_of_the_first_release(tmp_path: Path) -> None:
    """Its connections come along, without a time step; challenges can be added at once."""
    keys, old = FakeKeyProvider(), tmp_path / "old"
    async with opened(tmp_path / "new", keys) as stores:
        await stores.connections.insert(connection(), secrets())
    old.mkdir()
    _make_first_release(old / "keyturn.db", tmp_path / "new" / "keyturn.db")

    async with opened(old, keys) as stores:
        found = await stores.connections.open("cxn_1")
        added = await stores.challenges.add(challenge(), LOGIN)
        stepped = await stores.connections.save(replace(connection(), totp_step=56_666_666))

        assert (connection(), secrets()) == found
        assert (added, LOGIN) == await stores.challenges.open("chl_1")
        assert stepped == await stores.connections.load("cxn_1")


def _make_first_release(path: Path, newer: Path) -> None:
    """A database as the first release made it, with the rows of a newer one."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    engine = sa.create_engine(f"sqlite:///{path}")
    with engine.begin() as made:
        config.attributes["connection"] = made
        command.upgrade(config, "0001")
    engine.dispose()
    database = sqlite3.connect(path)
    database.execute("ATTACH ? AS newer", (str(newer),))
    for table in ("meta", "connections"):
        names = ", ".join(row[1] for row in database.execute(f"PRAGMA main.table_info({table})"))
        database.execute(f"INSERT INTO main.{table} ({names}) SELECT {names} FROM newer.{table}")  # noqa: S608
    database.commit()
    database.close()
