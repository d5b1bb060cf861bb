"""A copy of the database while it is written to, and what is put back of it."""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from keyturn.adapters.store.backup.making import backup_made_at, make_backup
from keyturn.adapters.store.backup.restoring import read_copy
from keyturn.adapters.store.backup.taking_over import ATTEMPT
from keyturn.core.connection import Intent, IntentKind, State
from keyturn.core.errors import BackupUnusable, RestoreRefused, StoreUnavailable
from keyturn.ports.challenges import PendingLogin
from tests.adapters.store.backup.putting_back import back
from tests.adapters.store.conftest import opened
from tests.contracts.samples import NOW, api_key, challenge, connection, record, secrets, session

OTHERS = stat.S_IRWXG | stat.S_IRWXO


async def filled(data: Path, *rows: Any) -> Path:
    """A database that holds these connections; closed again."""
    async with opened(data) as stores:
        for each in rows:
            await stores.connections.insert(each, secrets(), records=[record()])
    return data / "keyturn.db"


async def grown(data: Path) -> None:
    """Something happens in it."""
    async with opened(data) as stores:
        await stores.audit.append([record()])


async def test_a_copy_of_an_open_database(tmp_path: Path) -> None:
    """One file of one moment, the owner's alone, without a journal; both sides know when it was made."""
    copy = tmp_path / "copy.db"
    async with opened(tmp_path / "data") as stores:
        await stores.connections.insert(connection(), secrets())
        made = make_backup(tmp_path / "data" / "keyturn.db", copy, NOW)
        await stores.connections.insert(connection("cxn_2"), secrets())  # it goes on
        told = await stores.keys.backup_made_at()

    assert NOW == told
    assert (1, NOW, copy.stat().st_size) == (made.connections, made.made_at, made.size)
    assert 0 == copy.stat().st_mode & OTHERS
    assert [NOW, NOW] == [backup_made_at(copy), backup_made_at(tmp_path / "data" / "keyturn.db")]
    assert ["copy.db", "data"] == sorted(os.listdir(tmp_path))
    assert (NOW, 1) == (read_copy(copy).made_at, read_copy(copy).connections)


async def test_what_is_there_is_never_written_over(tmp_path: Path) -> None:
    """Not even a link that leads nowhere."""
    database = await filled(tmp_path / "data")
    for target in (tmp_path / "file", tmp_path / "link"):
        target.write_text("mine") if target.name == "file" else target.symlink_to(tmp_path / "nowhere")
        with pytest.raises(BackupUnusable):
            make_backup(database, target, NOW)

    assert "mine" == (tmp_path / "file").read_text()
    assert not (tmp_path / "nowhere").exists()


def test_without_a_database(tmp_path: Path) -> None:
    """There is nothing to copy, and nothing is made."""
    with pytest.raises(StoreUnavailable):
        make_backup(tmp_path / "keyturn.db", tmp_path / "copy", NOW)

    assert [] == list(tmp_path.iterdir())


async def test_doubtful_tokens_are_marked(tmp_path: Path) -> None:
    """Each refresh token that may have been used since counts as sent when the back-up was made."""
    intent = Intent(IntentKind.REFRESH, 1, "att_1", NOW - 5, 1)
    database = await filled(
        tmp_path / "data",
        connection("cxn_1", refreshable=True, generation=3),
        connection("cxn_2", refreshable=False),
        connection("cxn_3", refreshable=True, intent=intent),
        connection("cxn_4", refreshable=True, state=State.DISCONNECTED),
    )
    make_backup(database, tmp_path / "copy.db", NOW)
    os.mkdir(tmp_path / "other")
    done = await back(tmp_path / "copy.db", tmp_path / "other" / "keyturn.db")

    assert (2, 2) == (done.done.doubtful, done.done.unused)
    async with opened(tmp_path / "other") as stores:
        found = {each: await stores.connections.load(each) for each in ("cxn_1", "cxn_2", "cxn_3", "cxn_4")}
    intents = {name: each.intent if each else None for name, each in found.items()}
    expected = {"cxn_1": Intent(IntentKind.REFRESH, 3, ATTEMPT, NOW, 1), "cxn_2": None, "cxn_3": intent, "cxn_4": None}
    assert expected == intents


async def test_the_operator_may_vouch_for_them(tmp_path: Path) -> None:
    """Where nothing ran since, no token is doubtful."""
    database = await filled(tmp_path / "data", connection(refreshable=True))
    make_backup(database, tmp_path / "copy.db", NOW)

    done = await back(tmp_path / "copy.db", database, nothing_since=True)

    assert (0, 1) == (done.done.doubtful, done.done.unused)


async def test_what_works_once_does_not_come_back(tmp_path: Path) -> None:
    """Links that were open, challenges; API keys are counted, so that somebody looks at them."""
    async with opened(tmp_path / "data") as stores:
        await stores.sessions.add(session("ses_1"))
        await stores.challenges.add(challenge(), PendingLogin("ada"))
        await stores.api_keys.add(api_key())
    make_backup(tmp_path / "data" / "keyturn.db", tmp_path / "copy.db", NOW)
    done = await back(tmp_path / "copy.db", tmp_path / "data" / "keyturn.db")

    async with opened(tmp_path / "data") as stores:
        assert (None, 1) == (await stores.sessions.load("ses_1"), done.api_keys)
    with closing(sqlite3.connect(tmp_path / "data" / "keyturn.db")) as connected:
        assert (0,) == connected.execute("SELECT count(*) FROM challenges").fetchone()


async def test_not_over_a_newer_one(tmp_path: Path) -> None:
    """Unless that is asked for; then what was there is kept."""
    database = await filled(tmp_path / "data", connection())
    make_backup(database, tmp_path / "copy.db", NOW)
    await grown(tmp_path / "data")
    before = database.read_bytes()
    with pytest.raises(RestoreRefused, match="more has happened"):
        await back(tmp_path / "copy.db", database)
    unchanged = database.read_bytes() == before
    done = await back(tmp_path / "copy.db", database, over_newer=True)

    assert unchanged
    assert done.kept is not None
    assert done.kept.read_bytes() == before
    assert [] == [each.name for each in database.parent.glob("keyturn.db-*")]


async def test_not_under_a_server(tmp_path: Path) -> None:
    """A database that somebody has open is left alone, whatever was asked for."""
    database = await filled(tmp_path / "data", connection())
    make_backup(database, tmp_path / "copy.db", NOW)
    async with opened(tmp_path / "data") as stores:
        await stores.ping()
        with pytest.raises(RestoreRefused, match="open"):
            await back(tmp_path / "copy.db", database, over_newer=True)
        await stores.audit.append([record()])  # and it still can be used


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        pytest.param(lambda path: path.unlink(), "no such file", id="not there"),
        pytest.param(lambda path: path.write_bytes(b"something else"), "no back-up", id="no database"),
        pytest.param(lambda path: path.write_bytes(path.read_bytes()[:9000]), "damaged|no back-up", id="cut off"),
        pytest.param(
            lambda path: _change(path, "UPDATE alembic_version SET version_num = '9999'"), "newer", id="a newer one"
        ),
        pytest.param(lambda path: _change(path, "DROP TABLE audit"), "no back-up", id="another program's"),
    ],
)
async def test_what_can_not_be_put_back(tmp_path: Path, spoil: Callable[[Path], object], words: str) -> None:
    """It is found out before anything is changed."""
    database = await filled(tmp_path / "data", connection())
    make_backup(database, tmp_path / "copy.db", NOW)
    before = database.read_bytes()
    spoil(tmp_path / "copy.db")
    with pytest.raises(BackupUnusable, match=words):
        await back(tmp_path / "copy.db", database, over_newer=True)

    assert before == database.read_bytes()


def _change(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path)) as connected:
        connected.execute(statement)
        connected.commit()
