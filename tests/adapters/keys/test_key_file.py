"""Key files appear whole, stay private, and are never quoted."""

from __future__ import annotations

import base64
import os
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from keyturn.adapters.keys.key_file import make_key_file, read_key_file
from keyturn.core.errors import SettingsInvalid

MAKE = """
import sys, time
from pathlib import Path
from keyturn.adapters.keys.key_file import make_key_file
path, start = Path(sys.argv[1]), float(sys.argv[2])
time.sleep(max(0.0, start - time.time()))
print(make_key_file(path).fingerprint())
"""


def _key_in(path: Path) -> str:
    return path.read_text().splitlines()[2].removeprefix("key: ")


def test_a_made_file_is_read_back(tmp_path: Path) -> None:
    """The same key, in a file of its owner's, and nothing beside it."""
    made = make_key_file(tmp_path / "k")
    found = read_key_file(tmp_path / "k")

    assert made.fingerprint() == found.fingerprint()
    assert (tmp_path / "k", None) == (made.made_file, found.made_file)
    assert 0o600 == stat.S_IMODE((tmp_path / "k").stat().st_mode)
    assert ["k"] == os.listdir(tmp_path)


def test_its_form(tmp_path: Path) -> None:
    """Version line, id, key."""
    key_id = make_key_file(tmp_path / "k").key_id
    lines = (tmp_path / "k").read_text().splitlines()

    assert ["keyturn-key 1", f"id: {key_id}"] == lines[:2]
    assert 32 == len(base64.b64decode(_key_in(tmp_path / "k")))


def test_a_file_that_is_there_is_kept(tmp_path: Path) -> None:
    """Who comes second reads what is there, and does not claim to have made it."""
    first = make_key_file(tmp_path / "k")
    second = make_key_file(tmp_path / "k")

    assert (first.fingerprint(), None) == (second.fingerprint(), second.made_file)
    assert ["k"] == os.listdir(tmp_path)


def test_starts_at_once_agree_on_one_key(tmp_path: Path) -> None:
    """Of several processes that make the file at one moment all have the same key afterwards."""
    command = [sys.executable, "-c", MAKE, str(tmp_path / "k"), str(time.time() + 1.5)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    said = {each.communicate(timeout=60)[0].strip() for each in running}

    assert {read_key_file(tmp_path / "k").fingerprint()} == said
    assert ["k"] == os.listdir(tmp_path)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o610, 0o601, 0o777], ids=oct)
def test_a_file_that_others_may_use_is_refused(tmp_path: Path, mode: int) -> None:
    """Any right of group or others, and the mode stays as it is."""
    make_key_file(tmp_path / "k")
    (tmp_path / "k").chmod(mode)

    with pytest.raises(SettingsInvalid, match="0600"):
        read_key_file(tmp_path / "k")
    assert mode == stat.S_IMODE((tmp_path / "k").stat().st_mode)


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o700], ids=oct)
def test_a_file_of_its_owner_s_alone_is_read(tmp_path: Path, mode: int) -> None:
    """What only the owner may use is good."""
    made = make_key_file(tmp_path / "k")
    (tmp_path / "k").chmod(mode)

    assert made.fingerprint() == read_key_file(tmp_path / "k").fingerprint()


@pytest.mark.parametrize("line", [0, 1, 2])
def test_a_damaged_file_is_refused_and_not_quoted(tmp_path: Path, line: int) -> None:
    """One letter that differs in any line; the message has nothing of the key."""
    make_key_file(tmp_path / "k")
    key = _key_in(tmp_path / "k")
    lines = (tmp_path / "k").read_text().splitlines()
    at = 10
    lines[line] = lines[line][:at] + ("A" if lines[line][at] != "A" else "B") + lines[line][at + 1 :]
    (tmp_path / "k").write_text("\n".join(lines) + "\n")

    with pytest.raises(SettingsInvalid) as refused:
        read_key_file(tmp_path / "k")
    assert key[16:] not in str(refused.value)


@pytest.mark.parametrize(
    "content", [b"", b"\n\n\n", b"\xff" * 99, b"keyturn-key 2\nid: x\nkey: y\n", b"x" * 100_000], ids=range(5)
)
def test_what_is_no_key_file_is_refused(tmp_path: Path, content: bytes) -> None:
    """Whatever stands in its place, it is not overwritten."""
    (tmp_path / "k").touch(mode=0o600)
    (tmp_path / "k").write_bytes(content)

    with pytest.raises(SettingsInvalid):
        read_key_file(tmp_path / "k")
    with pytest.raises(SettingsInvalid):
        make_key_file(tmp_path / "k")
    assert content == (tmp_path / "k").read_bytes()


@pytest.mark.timeout(10)
def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    """A directory or a pipe is not waited for."""
    os.mkfifo(tmp_path / "pipe", 0o600)
    (tmp_path / "folder").mkdir(mode=0o700)

    for name in ("pipe", "folder"):
        with pytest.raises(SettingsInvalid):
            read_key_file(tmp_path / name)


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    """A directory that isn't there is named, and nothing is made."""
    with pytest.raises(SettingsInvalid, match="No such file"):
        make_key_file(tmp_path / "absent" / "k")
    assert [] == os.listdir(tmp_path)


def test_a_key_does_not_show_itself(tmp_path: Path) -> None:
    """Neither repr nor id nor fingerprint has a part of the key."""
    made = make_key_file(tmp_path / "k")
    raw = base64.b64decode(_key_in(tmp_path / "k"))
    shown = f"{made!r} {made.key_id} {made.fingerprint()}"

    assert _key_in(tmp_path / "k")[:8] not in shown
    assert raw.hex()[:8] not in shown
