"""Plain data → YAML text, for the one node that an edit writes anew.

Rule 1: a text stands without quotes only where no reader could take it for anything else.
Rule 2: what is written here is one line, unless it is asked for as a block.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

WIDEST: Final = 88  # characters of a line that an object may stand on
_PLAIN: Final = re.compile(r"[A-Za-z/_][A-Za-z0-9_./@+%=-]*(?: [A-Za-z0-9_./@+%=(][A-Za-z0-9_./@+%=()-]*)*")
_PLAIN_URL: Final = re.compile(r"https?://[A-Za-z0-9_./@+%=:-]*[A-Za-z0-9_./@+%=-]")
_WORDS: Final = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n"})
_HIDDEN: Final = re.compile("[^\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")

__all__ = ["as_block", "as_flow", "as_item", "as_scalar"]


def as_scalar(value: object, *, style: str = "", in_flow: bool = False) -> str:
    """Write one scalar.

    Args:
        value: text, number, boolean or None.
        style: the quotes that stood there, kept where they can be: `'`, `"` or none.
        in_flow: it stands between brackets.
    """
    if not isinstance(value, str):
        return json.dumps(value)
    if style == "'" and not _HIDDEN.search(value):
        return "'" + value.replace("'", "''") + "'"
    if style != '"' and _is_plain(value, in_flow=in_flow):
        return value
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + _HIDDEN.sub(_escape, escaped) + '"'


def as_flow(value: object) -> str:
    """Write any value on one line."""
    if isinstance(value, Mapping):
        inner = ", ".join(f"{as_scalar(str(key), in_flow=True)}: {as_flow(each)}" for key, each in value.items())
        return f"{{{inner}}}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f"[{', '.join(map(as_flow, value))}]"
    return as_scalar(value, in_flow=True)


def as_block(value: Any, indent: int, end: str = "\n") -> str:
    """Write a value that follows a key or a dash: on the same line where it fits, else as a block below.

    Args:
        value: any plain data.
        indent: columns that the block's lines begin with.
        end: how lines end.

    Returns:
        The text behind `key:` or `-`, its blank included.
    """
    if not isinstance(value, Mapping | list | tuple):
        return f" {as_scalar(value)}"
    flow = as_flow(value)
    deep = any(
        isinstance(each, Mapping | list | tuple) for each in (value.values() if isinstance(value, Mapping) else value)
    )
    if not value or (indent + len(flow) <= WIDEST and not deep):
        return f" {flow}"
    return end + end.join(_lines(value, indent, end))


def as_item(value: Any, indent: int, end: str = "\n") -> str:
    """Write the item of a list behind its dash; an object begins on the dash's line."""
    if isinstance(value, Mapping) and value:
        lines = _lines(value, indent, end)
        return f" {end.join(lines)[indent:]}"
    return as_block(value, indent, end)


def _lines(value: Any, indent: int, end: str) -> list[str]:
    blanks = " " * indent
    if isinstance(value, Mapping):
        return [f"{blanks}{as_scalar(str(key))}:{as_block(each, indent + 2, end)}" for key, each in value.items()]
    return [f"{blanks}-{as_item(each, indent + 2, end)}" for each in value]


def _is_plain(value: str, *, in_flow: bool) -> bool:
    if value.lower() in _WORDS or len(value) > WIDEST:
        return False
    return bool(_PLAIN.fullmatch(value)) or (not in_flow and bool(_PLAIN_URL.fullmatch(value)))


def _escape(found: re.Match[str]) -> str:
    named = {"\n": "\\n", "\t": "\\t", "\r": "\\r"}
    code = ord(found.group())
    return named.get(found.group()) or (f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}")
