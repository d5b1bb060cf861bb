"""Spill files: whole, private, and no trouble to each other."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from keyturn.adapters.store.opening import Stores
from keyturn.core.errors import KeyUnavailable, StoreUnavailable
from tests.adapters.store.conftest import opened
from tests.contracts.samples import connection, secrets, token_set
from tests.fakes.keys import FakeKeyProvider


async def _spilled(stores: Stores, *names: str) -> None:
    for name in names:
        row = await stores.connections.insert(connection(name), secrets())
        await stores.spill.write(row, token_set(name))


async def test_a_restart_finds_what_was_spilled(tmp_path: Path) -> None:
    """Also if the database has lost the connection by then."""
    async with opened(tmp_path) as stores:
        await _spilled(stores, "cxn_1")
        await stores.database.write(lambda tx: tx.exec_driver_sql("DELETE FROM connections"))
    async with opened(tmp_path) as stores:
        assert [("cxn_1", 1, token_set("cxn_1"))] == list(await stores.spill.pending())


async def test_a_spill_needs_no_database(tmp_path: Path) -> None:
    """Once the connection was opened here, the file is written though nothing can be read or written elsewhere."""
    async with opened(tmp_path) as stores:
        row = await stores.connections.insert(connection(), secrets())
        await stores.close()
        (tmp_path / "keyturn.db").rename(tmp_path / "away.db")
        (tmp_path / "keyturn.db").mkdir()
        with pytest.raises(StoreUnavailable):
            await stores.connections.load("cxn_1")
        await stores.spill.write(row, token_set("1"))

        assert [("cxn_1", 1, token_set("1"))] == list(await stores.spill.pending())


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda text: text[:-9], id="cut"),
        pytest.param(lambda text: b"", id="empty"),
        pytest.param(lambda text: b"[]", id="another form"),
        pytest.param(lambda text: text.replace(b'"generation": 1', b'"generation": 2'), id="another generation"),
        pytest.param(lambda text: text.replace(b'"cxn_1"', b'"cxn_2"'), id="another connection"),
        pytest.param(lambda text: text.replace(b'"format": 1', b'"format": 2'), id="another format"),
        pytest.param(lambda text: text.replace(b'"sealed": "', b'"sealed": "AAAA'), id="an altered seal"),
    ],
)
async def test_a_damaged_file_is_set_aside(stores: Stores, tmp_path: Path, damage: object) -> None:
    """The others are handed out; the damaged one is kept for people to look at."""
    folder = tmp_path / "data" / "spill"
    await _spilled(stores, "cxn_1", "cxn_2")
    path = folder / "cxn_1.1.spill"
    damaged = damage(path.read_bytes())  # type: ignore[operator]
    path.write_bytes(damaged)

    assert [("cxn_2", 1, token_set("cxn_2"))] == list(await stores.spill.pending())
    assert damaged == (folder / "cxn_1.1.spill.refused").read_bytes()
    assert ["cxn_1.1.spill.refused", "cxn_2.1.spill"] == sorted(os.listdir(folder))


async def test_a_key_provider_that_is_gone_sets_nothing_aside(tmp_path: Path) -> None:
    """What can't be opened now may be opened later."""
    provider = FakeKeyProvider()
    async with opened(tmp_path, provider) as stores:
        await _spilled(stores, "cxn_1")
    async with opened(tmp_path, provider) as stores:
        provider.gone = True
        with pytest.raises(KeyUnavailable):
            await stores.spill.pending()
    assert ["cxn_1.1.spill"] == os.listdir(tmp_path / "spill")


async def test_half_a_file_is_never_seen(stores: Stores, tmp_path: Path) -> None:
    """What a crash left beside its place is no spill file."""
    folder = tmp_path / "data" / "spill"
    await _spilled(stores, "cxn_1")
    (folder / ".cxn_9.1.spill.0123").write_bytes(b"half")

    assert ["cxn_1"] == [name for name, _, _ in await stores.spill.pending()]


async def test_a_folder_that_cannot_be_written(stores: Stores, tmp_path: Path) -> None:
    """StoreUnavailable, and nothing of the token in it."""
    row = await stores.connections.insert(connection(), secrets())
    (tmp_path / "data" / "spill").rmdir()
    with pytest.raises(StoreUnavailable, match="No such file") as refused:
        await stores.spill.write(row, token_set("1"))
    assert "access-1" not in str(refused.value)


@pytest.mark.parametrize("name", ["../cxn", "a/b", ".hidden", "ü", "a" * 200])
async def test_an_id_is_no_path(stores: Stores, tmp_path: Path, name: str) -> None:
    """Whatever an id looks like, its file lies in the folder and is found again."""
    folder = tmp_path / "data" / "spill"
    await _spilled(stores, name)
    files = os.listdir(folder)

    assert [name] == [found for found, _, _ in await stores.spill.pending()]
    assert 1 == len(files)
    assert {"connection", "data_key", "format", "generation", "project", "sealed"} == set(
        json.loads((folder / files[0]).read_text())
    )
