"""What most tests open is what everybody else's store is."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from keyturn.adapters.store import opening
from keyturn.adapters.store.database import migrating
from tests.adapters.store.conftest import opened


async def test_the_tables_are_those_of_the_migrations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every table, index and trigger to the letter, and the same version."""
    async with opened(tmp_path / "at once"):
        pass
    monkeypatch.setattr(opening, "migrate", migrating.migrate)
    async with opened(tmp_path / "by steps"):
        pass

    by_steps, at_once = _made(tmp_path / "by steps"), _made(tmp_path / "at once")

    assert len(by_steps) > 50
    assert by_steps == at_once


def _made(folder: Path) -> list[tuple[str, ...]]:
    with closing(sqlite3.connect(folder / "keyturn.db")) as database:
        version = database.execute("SELECT version_num FROM alembic_version").fetchall()
        return [*version, *database.execute("SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY 1, 2")]
