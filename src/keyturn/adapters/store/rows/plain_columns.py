"""Columns that hold JSON: parts of a row that nothing is looked up by, and that are no secrets."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any


def json_of(value: Mapping[str, Any] | Iterable[str] | Iterable[Mapping[str, Any]]) -> str:
    """Write a mapping, or a series of texts or mappings; mappings that can't be changed, too."""
    return json.dumps(_open(value), separators=(",", ":"))


def mapping_in(text: str) -> Mapping[str, Any]:
    """Read a mapping; nobody can change it. ValueError where it is none."""
    found = json.loads(text)
    if not isinstance(found, dict):
        raise ValueError("no mapping")
    return MappingProxyType(found)


def texts_in(text: str) -> tuple[str, ...]:
    """Read a series of texts. ValueError where it is none."""
    found = json.loads(text)
    if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
        raise ValueError("no series of texts")
    return tuple(found)


def mappings_in(text: str) -> tuple[Mapping[str, Any], ...]:
    """Read a series of mappings; nobody can change one."""
    return tuple(MappingProxyType(each) for each in json.loads(text))


def _open(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _open(each) for key, each in value.items()}
    if isinstance(value, str) or not isinstance(value, Iterable):
        return value
    return [_open(each) for each in value]
