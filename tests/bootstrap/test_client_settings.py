"""What the command line reads from the environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from keyturn.bootstrap.client_settings import DEFAULT_URL, colors_are_off, prompts_are_off, read_client_settings
from keyturn.core.errors import SettingsInvalid
from keyturn.core.secret import Secret

KEY = "kt_abc"


def test_nothing_set() -> None:
    """The server of this machine, and no key."""
    found = read_client_settings({})

    assert (DEFAULT_URL, None, False, False) == (found.url, found.api_key, found.no_prompt, found.no_color)


def test_all_set() -> None:
    """The address loses its slash; the key is in no repr."""
    found = read_client_settings(
        {"KEYTURN_URL": "https://k.example/x/", "KEYTURN_API_KEY": f" {KEY}\n", "NO_COLOR": "1"}
    )

    assert ("https://k.example/x", True) == (found.url, found.no_color)
    assert Secret(KEY) == found.api_key
    assert KEY not in repr(found)


def test_key_file(tmp_path: Path) -> None:
    """The key may stand in a file."""
    (tmp_path / "key").write_text(f"{KEY}\r\n")

    assert Secret(KEY) == read_client_settings({"KEYTURN_API_KEY_FILE": str(tmp_path / "key")}).api_key


@pytest.mark.parametrize(
    "environment",
    [
        pytest.param({"KEYTURN_API_KEY": "a", "KEYTURN_API_KEY_FILE": "b"}, id="both"),
        pytest.param({"KEYTURN_API_KEY_FILE": "/nowhere/key"}, id="no file"),
        pytest.param({"KEYTURN_API_KEY": "a b"}, id="a blank inside"),
        pytest.param({"KEYTURN_API_KEY": "a\nb: c"}, id="a line end inside"),
        pytest.param({"KEYTURN_API_KEY": "kt_ü"}, id="no ASCII"),
    ],
)
def test_unusable_key(environment: dict[str, str]) -> None:
    """A key that could not be sent as a header is refused before it is."""
    with pytest.raises(SettingsInvalid):
        read_client_settings(environment)


@pytest.mark.parametrize(
    ("value", "expected"), [("", False), ("0", False), ("False", False), ("1", True), ("yes", True)]
)
def test_no_prompt(value: str, expected: bool) -> None:
    """A word for no is no."""
    assert expected == prompts_are_off({"KEYTURN_NO_PROMPT": value})


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, False),
        ({"NO_COLOR": ""}, False),
        ({"NO_COLOR": "0"}, True),
        ({"TERM": "dumb"}, True),
        ({"TERM": "vt"}, False),
    ],
)
def test_colors(environment: dict[str, str], expected: bool) -> None:
    """NO_COLOR counts with any value but an empty one (https://no-color.org)."""
    assert expected == colors_are_off(environment)
