"""What a connector says, step by step, in the words of the builder's inputs, for people who write no YAML.

Rule 1: a value has the name that its input has; only what no input names is called by its key.
Rule 2: a template's names stand in marks, ‹so›, as in every preview.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from keyturn.core.connector import Connector
from keyturn.core.format.writing import dump_connector
from keyturn.web.console.pages.connectors.forms.inputs import Input, Kind
from keyturn.web.console.pages.connectors.forms.step_inputs import INPUTS

_NAME: Final = re.compile(r"\{\{\s*(.*?)\s*\}\}")
_DEFAULT: Final = re.compile(r" \(the default\)$")
_BY_POINTER: Final[Mapping[str, Input]] = {each.pointer: each for inputs in INPUTS.values() for each in inputs}
_SECTIONS: Final[Mapping[str, str]] = {
    "token": "Token",
    "refresh": "Refresh",
    "revoke": "Revoke",
    "test": "Test",
    "request": "Calls",
}
_NOTHING: Final[tuple[Any, ...]] = ({}, [], "", None)


def marked_names(text: str) -> str:
    """A template as people read it."""
    return _NAME.sub(r"‹\1›", text)


def lines_of(connector: Connector, keys: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """What a step says, defaults resolved: a name and a value for each line."""
    written = dump_connector(connector)
    for key in keys:
        if key in written and written[key] not in _NOTHING:
            yield from _leaves(written[key], (key,))


def _leaves(value: Any, path: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict) and value:
        for key, each in value.items():
            if each not in _NOTHING:
                yield from _leaves(each, (*path, str(key)))
    elif isinstance(value, list) and any(isinstance(each, dict) for each in value):
        for n, each in enumerate(value, 1):
            yield from _leaves(each, (*path, str(n)))
    elif isinstance(value, list):
        yield _label(path), marked_names(", ".join(map(str, value)))
    else:
        yield _label(path), _value(path, value)


def _label(path: tuple[str, ...]) -> str:
    """The input's label; of a part of what an input holds, with what is left of the path."""
    for length in range(len(path), 0, -1):
        found = _BY_POINTER.get("/" + "/".join(path[:length]))
        if found is not None:
            left = path[length:]
            rest = ".".join(left) if found.kind is Kind.PAIRS else " ".join(_words(each) for each in left)
            return f"{found.label}: {rest}" if rest else found.label
    section = _SECTIONS.get(path[0], _words(path[0]).capitalize())
    rest = " ".join(_words(each) for each in path[1:])
    return f"{section}: {rest}" if rest else section


def _value(path: tuple[str, ...], value: Any) -> str:
    plain = ("true" if value else "false") if isinstance(value, bool) else str(value)
    found = _BY_POINTER.get("/" + "/".join(path))
    if found is not None and found.choices and found.choices.get(plain):
        return _DEFAULT.sub("", found.choices[plain])
    return ("yes" if value else "no") if isinstance(value, bool) else marked_names(plain)


def _words(key: str) -> str:
    return key.replace("_", " ")
