"""What the command line reads from the environment: which server it talks to, and how it talks to people.

Rule 1: light to load, since every command loads it: neither pydantic nor any adapter.
Rule 2: the API key is a `Secret` from the moment it is read, and may stand in a file of its owner's.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from keyturn.core.errors import SettingsInvalid
from keyturn.core.secret import Secret

DEFAULT_URL: Final = "http://127.0.0.1:8800"


@dataclass(frozen=True, slots=True)
class ClientSettings:
    """`url`: of the server, without a slash at its end. `api_key`: None where none is set."""

    url: str
    api_key: Secret | None = field(repr=False)
    no_prompt: bool
    no_color: bool


def read_client_settings(environment: Mapping[str, str] | None = None) -> ClientSettings:
    """Read `KEYTURN_URL`, `KEYTURN_API_KEY` (or `_FILE`), `KEYTURN_NO_PROMPT` and `NO_COLOR`.

    Args:
        environment: the process's own where nothing is given.

    Raises:
        SettingsInvalid: the key's file can't be read, or both the key and its file are named.
    """
    given = os.environ if environment is None else environment
    return ClientSettings(
        url=(given.get("KEYTURN_URL") or DEFAULT_URL).rstrip("/"),
        api_key=_api_key(given),
        no_prompt=_is_set(given.get("KEYTURN_NO_PROMPT")),
        no_color=colors_are_off(given),
    )


def colors_are_off(environment: Mapping[str, str] | None = None) -> bool:
    """Say whether `NO_COLOR` is set to anything, or the terminal can show none (https://no-color.org)."""
    given = os.environ if environment is None else environment
    return bool(given.get("NO_COLOR")) or given.get("TERM") == "dumb"


def prompts_are_off(environment: Mapping[str, str] | None = None) -> bool:
    """Say whether `KEYTURN_NO_PROMPT` forbids to ask anything."""
    return _is_set((os.environ if environment is None else environment).get("KEYTURN_NO_PROMPT"))


def _is_set(value: str | None) -> bool:
    return (value or "").strip().lower() not in ("", "0", "false", "no")


def _api_key(given: Mapping[str, str]) -> Secret | None:
    text, path = given.get("KEYTURN_API_KEY", ""), given.get("KEYTURN_API_KEY_FILE", "")
    if text and path:
        raise SettingsInvalid("KEYTURN_API_KEY and KEYTURN_API_KEY_FILE are both set; set one.")
    if path:
        try:
            text = Path(path).read_text(encoding="utf-8")
        except (OSError, UnicodeError):
            raise SettingsInvalid("KEYTURN_API_KEY_FILE names a file that can't be read.") from None
    text = text.strip()
    if not text.isascii() or not text.isprintable() or " " in text:
        raise SettingsInvalid("The API key holds a character that no API key has.")
    return Secret(text) if text else None
