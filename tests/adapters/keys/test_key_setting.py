"""`KEYTURN_KEYS` names a key, or none and then one is made; never beside data that another key sealed."""

from __future__ import annotations

import base64
import os
from pathlib import Path

import pytest

from keyturn.adapters.keys.key_file import make_key_file
from keyturn.adapters.keys.key_setting import key_ring_from
from keyturn.core.errors import SettingsInvalid, WrongKey

KEY = bytes(range(200, 232))  # its base64 has both + and /
STANDARD = base64.b64encode(KEY).decode()


@pytest.mark.parametrize("unset", [None, ""])
def test_the_first_start_makes_a_key(tmp_path: Path, unset: str | None) -> None:
    """It is in the data directory, and the next start reads it."""
    first = key_ring_from(unset, tmp_path, False, environ={})
    second = key_ring_from(unset, tmp_path, True, environ={})

    assert (tmp_path / "keyturn.key", None) == (first.made_file, second.made_file)
    assert first.fingerprint() == second.fingerprint()
    assert "file" == second.provider


@pytest.mark.parametrize("spec", [None, "file:{}/elsewhere", "env:ABSENT"])
def test_no_key_is_made_beside_sealed_data(tmp_path: Path, spec: str | None) -> None:
    """A key that is absent while the database holds what it sealed refuses to start, and says so."""
    with pytest.raises(WrongKey, match=r"is absent.*put the key back"):
        key_ring_from(spec and spec.format(tmp_path), tmp_path, True, environ={})

    assert [] == os.listdir(tmp_path)


@pytest.mark.parametrize(
    "text", [STANDARD, STANDARD.rstrip("="), base64.urlsafe_b64encode(KEY).decode(), STANDARD + "\n"]
)
def test_a_key_in_the_environment(tmp_path: Path, text: str) -> None:
    """Base64 of either alphabet, padded or not; no file is made."""
    found = key_ring_from("env:KT", tmp_path, False, environ={"KT": text})
    other = key_ring_from("env:KT", tmp_path, False, environ={"KT": STANDARD})

    assert other.fingerprint() == found.fingerprint()
    assert ("env", None) == (found.provider, found.made_file)
    assert [] == os.listdir(tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param(base64.b64encode(KEY[:31]).decode(), id="a byte short"),
        pytest.param(base64.b64encode(KEY + b"\x00").decode(), id="a byte long"),
        pytest.param("not base64 at all, but 43 letters long, I think", id="prose"),
        pytest.param(STANDARD[:20] + " " + STANDARD[20:], id="a space inside"),
        pytest.param("ü" * 44, id="no ASCII"),
        pytest.param(KEY.hex(), id="hex"),
    ],
)
def test_what_is_no_key_is_refused_and_not_quoted(tmp_path: Path, text: str) -> None:
    """The message names the variable, not what stands in it."""
    with pytest.raises(SettingsInvalid, match="variable KT") as refused:
        key_ring_from("env:KT", tmp_path, False, environ={"KT": text})

    assert not text or text not in str(refused.value)


def test_a_named_file(tmp_path: Path) -> None:
    """It is read, not made: a wrong path would give a second key."""
    path = tmp_path / "k"
    with pytest.raises(SettingsInvalid, match="does not exist"):
        key_ring_from(f"file:{path}", tmp_path, False, environ={})
    absent = path.exists()
    made = make_key_file(path)

    assert not absent
    assert made.fingerprint() == key_ring_from(f"file:{path}", tmp_path, True, environ={}).fingerprint()


@pytest.mark.parametrize("spec", ["file", "file:", "env:", "env", ":x", "File:/x", "kms:x", "s3cret-value"])
def test_other_settings_are_refused(tmp_path: Path, spec: str) -> None:
    """The message says what there is and does not quote: somebody may have set the key itself."""
    with pytest.raises(SettingsInvalid, match=r"file:PATH nor env:NAME") as refused:
        key_ring_from(spec, tmp_path, False, environ={"": STANDARD})

    assert "s3cret" not in str(refused.value)
    assert [] == os.listdir(tmp_path)
