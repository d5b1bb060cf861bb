"""What a word on the command line names: a connector's file, its draft, or one of its versions as `ID@N`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click

_VERSION: Final = re.compile(r"([a-z][a-z0-9-]{1,62})@([1-9][0-9]{0,8})")


@dataclass(frozen=True, slots=True)
class Named:
    """A connector on the server. `version`: None for its draft."""

    connector: str
    version: int | None = None


def named(word: str) -> Named | Path:
    """A file where there is one of this name, or where it looks like one; else what is on the server."""
    path = Path(word)
    if path.suffix in (".yaml", ".yml", ".json") or path.is_file():
        return path
    return on_server(word)


def on_server(word: str) -> Named:
    """`ID` or `ID@N`; UsageError for a version that is no number."""
    found = _VERSION.fullmatch(word)
    if found is not None:
        return Named(found.group(1), int(found.group(2)))
    if "@" in word:
        raise click.UsageError("A version is named by its number, such as acme@3.")
    return Named(word)
