"""Connector files for tests: the smallest one, changed at a place, and what reading it finds."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

from keyturn.core.connector import Connector
from keyturn.core.errors import ConnectorInvalid, Finding
from keyturn.core.reading import Document, read_connector
from keyturn.core.urls.public_suffixes import PublicSuffixes

FILES = Path(__file__).parent / "connectors"
SUFFIXES = PublicSuffixes.from_text("com\nexample\nco.uk\nuk\ngithub.io\nio\n")

SMALLEST: dict[str, Any] = {
    "keyturn": 1,
    "connector": "smallest",
    "title": "Smallest",
    "trust": {"reason": "legacy"},
    "token": {"url": "https://login.example.com/oauth/token"},
    "test": {"url": "https://api.example.com/v1/me"},
    "allowed_urls": ["https://api.example.com/v1"],
    "unique_id": "{{ test.id }}",
}


def changed(*changes: tuple[str, Any], start: dict[str, Any] | None = None) -> dict[str, Any]:
    """Copy the smallest connector, with values put at dotted places; None takes a key away."""
    value = copy.deepcopy(SMALLEST if start is None else start)
    for place, new in copy.deepcopy(changes):
        *steps, last = place.split(".")
        into: Any = value
        for step in steps:
            into = into[int(step)] if isinstance(into, list) else into.setdefault(step, {})
        if new is None:
            del into[last]
        elif isinstance(into, list):
            into[int(last)] = new
        else:
            into[last] = new
    return value


def read(value: object) -> Connector:
    """Read a connector that has to be right."""
    return read_connector(Document(value), suffixes=SUFFIXES)


def findings(value: object) -> tuple[Finding, ...]:
    """Read a connector, and give what is wrong with it."""
    try:
        read(value)
    except ConnectorInvalid as error:
        return error.errors
    return ()


def faults(value: object) -> list[tuple[str, str]]:
    """Like `findings`, as pointers and codes only."""
    return sorted((each.pointer, each.code) for each in findings(value))
