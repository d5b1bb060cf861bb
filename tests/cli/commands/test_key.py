"""Keys on the command line: a server's, and those that are looked after without one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from keyturn.adapters.keys.key_file import read_key_file
from keyturn.cli.commands import key
from tests.cli.fake_server import FakeServer
from tests.cli.running import run

KEY: dict[str, Any] = {
    "id": "key_0000000000000001",
    "provider": "file",
    "state": "current",
    "at_hand": True,
    "data_keys": 7,
    "added_at": "2026-11-02T08:00:00Z",
    "current_at": "2026-11-24T09:00:00Z",
    "retired_at": None,
}


def _rotation(state: str, done: int) -> dict[str, Any]:
    return {"job_id": "job_1", "state": state, "done": done, "total": 7}


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key, "LOOK_EVERY_S", 0.0)


def test_status(server: FakeServer) -> None:
    """Every key with its count, and the rotation beside it."""
    server.answer("GET /v1/keys", {"data": [KEY], "rotation": _rotation("running", 3)})
    ran = run("key", "status")

    assert 0 == ran.code
    assert "key_0000000000000001  current  file" in ran.out
    assert "running, 3 of 7 data keys moved" in ran.err


@pytest.mark.parametrize(("end", "code"), [("done", 0), ("failed", 1)])
def test_a_rotation_is_watched_to_its_end(server: FakeServer, end: str, code: int) -> None:
    """One that failed says how to go on."""
    begun = f"POST /v1/keys/{KEY['id']}/rotate"
    server.answer(begun, {"key": KEY, "rotation": _rotation("queued", 0)}, status=202)
    server.answer_first("GET /v1/keys", {"data": [KEY], "rotation": _rotation("running", 3)})
    server.answer("GET /v1/keys", {"data": [KEY], "rotation": _rotation(end, 7)})
    ran = run("key", "rotate", KEY["id"], "--watch")

    assert code == ran.code
    assert f"{end}, 7 of 7 data keys moved" in ran.out
    assert ("goes on" in ran.err) is (end == "failed")
    assert "running, 3 of 7 data keys moved" in ran.err


@pytest.mark.parametrize("words", [("destroy-passwords",), ("declare-lost", "key_0000000000000001")])
def test_what_destroys_asks_first(server: FakeServer, words: tuple[str, ...]) -> None:
    """Where nobody can answer, nothing is done, and the way without a question is named."""
    ran = run("key", *words)

    assert 0 != ran.code
    assert "--yes" in ran.err
    assert [] == server.asked


def test_a_key_file_is_made_without_a_server(tmp_path: Path) -> None:
    """It is told how to name it; a file that is there is kept."""
    path = tmp_path / "new.key"
    made = run("key", "add", "--file", str(path))
    content = path.read_bytes()
    again = run("key", "add", "--file", str(path))

    assert (0, f"{read_key_file(path).key_id}\n") == (made.code, made.out)
    assert f"file:{path}" in made.err
    assert 0 != again.code
    assert content == path.read_bytes()


def test_an_unknown_key_is_not_given_up(tmp_path: Path) -> None:
    """Nothing is made by it, no key and no database."""
    ran = run("key", "declare-lost", "key_0000000000000001", "--yes", "--data", str(tmp_path / "data"))

    assert 3 == ran.code
    assert not (tmp_path / "data").exists()
