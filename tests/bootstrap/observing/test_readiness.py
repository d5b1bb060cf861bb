"""Readiness names the part that is missing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from keyturn.bootstrap.observing import readiness
from keyturn.bootstrap.observing.readiness import make_readiness
from keyturn.core.errors import KeyUnavailable, StoreUnavailable

WELL = {"database": "ok", "migrations": "ok", "keys": "ok", "scheduler": "ok", "disk": "ok", "rows": "ok"}


async def fine() -> None:
    """Nothing is wrong."""


async def fit() -> bool:
    """The tables are this release's."""
    return True


async def unfit() -> bool:
    """They are another's."""
    return False


async def none_aside() -> int:
    """Every row can be read."""
    return 0


async def one_aside() -> int:
    """One can't be."""
    return 1


async def no_database() -> None:
    """It is gone."""
    raise StoreUnavailable("gone")


async def no_key() -> None:
    """It can't be asked."""
    raise KeyUnavailable


def parts_of(data: Path, **changes: Any) -> Any:
    """The check, with something wrong."""
    sound = {"ping": fine, "ask_keys": fine, "tables_fit": fit, "scheduler_idle_s": lambda: 1.0, "data": data}
    sound |= {"set_aside": none_aside, "unstored": lambda: 0, "stopping": lambda: False}
    return make_readiness(**{**sound, **changes})()


@pytest.mark.parametrize(
    ("wrong", "part"),
    [
        pytest.param({}, {}, id="nothing"),
        pytest.param({"ask_keys": no_key}, {"keys": "key_unavailable"}, id="the key service"),
        pytest.param({"tables_fit": unfit}, {"migrations": "other_release"}, id="the tables"),
        pytest.param({"scheduler_idle_s": lambda: None}, {"scheduler": "stopped"}, id="no scheduler"),
        pytest.param({"scheduler_idle_s": lambda: 61.0}, {"scheduler": "stalled"}, id="a scheduler that hangs"),
        pytest.param({"set_aside": one_aside}, {"rows": "set_aside"}, id="a row that can't be read"),
        pytest.param({"unstored": lambda: 1}, {"store": "spilling"}, id="an answer that is not stored"),
        pytest.param({"data": Path("/nonexistent/keyturn")}, {"disk": "gone"}, id="no data directory"),
    ],
)
async def test_the_part_that_is_missing(tmp_path: Path, wrong: dict[str, Any], part: dict[str, str]) -> None:
    """It has a word, the others are `ok`."""
    assert {**WELL, **part} == await parts_of(**{"data": tmp_path, **wrong})


async def test_a_database_that_is_gone(tmp_path: Path) -> None:
    """Nothing is said of its tables then."""
    expected = {"database": "store_unavailable", "keys": "ok", "scheduler": "ok", "disk": "ok"}
    assert expected == await parts_of(tmp_path, ping=no_database)


async def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Too little room for a journal."""
    monkeypatch.setattr(readiness, "LEAST_FREE_BYTES", 2**62)

    assert {**WELL, "disk": "full"} == await parts_of(tmp_path)


async def test_a_server_that_stops(tmp_path: Path) -> None:
    """Nothing else is looked at: nobody is to send it anything."""
    assert {"server": "stopping"} == await parts_of(tmp_path, stopping=lambda: True, ping=no_database)
