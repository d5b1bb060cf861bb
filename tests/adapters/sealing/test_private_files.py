"""Files that hold keys or sealed values are whole or not there, and a killed process leaves nothing behind for long."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from keyturn.adapters.sealing.private_files import LEFT_AFTER_S, remove_left, replace_file, write_beside


def _aged(path: Path, seconds: float) -> Path:
    written_at = time.time() - seconds
    os.utime(path, (written_at, written_at))
    return path


@pytest.mark.parametrize(
    ("age_s", "stays"),
    [
        pytest.param(LEFT_AFTER_S + 5, False, id="left by a killed process"),
        pytest.param(LEFT_AFTER_S - 5, True, id="young enough to be written right now"),
    ],
)
def test_a_file_that_was_left_beside_its_place_is_removed(tmp_path: Path, age_s: float, stays: bool) -> None:
    """It goes once no process can still be writing it."""
    left = _aged(write_beside(tmp_path / "a.spill", b"sealed"), age_s)

    remove_left(tmp_path, "*.spill")

    assert stays == left.exists()


def test_no_other_file_is_removed(tmp_path: Path) -> None:
    """What is in its place stays, and so does what keyturn did not write."""
    replace_file(tmp_path / "a.spill", b"sealed")
    foreign = [tmp_path / ".a.spill", tmp_path / ".a.spill.bak", tmp_path / ".a.key.0123456789abcdef"]
    for each in foreign:
        each.touch()
    kept = [_aged(each, 10 * LEFT_AFTER_S) for each in (*foreign, tmp_path / "a.spill")]

    remove_left(tmp_path, "*.spill")

    assert [] == [each.name for each in kept if not each.exists()]
