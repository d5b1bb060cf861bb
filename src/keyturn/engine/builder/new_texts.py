"""Texts that a connector begins with, and edits of a text: plain functions over a catalogue, with nothing stored.

Rule 1: an edit changes only the characters of what it is about; what it leaves empty goes as well.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from keyturn.core.building.from_curl import CurlReading, read_curl
from keyturn.core.reading.document import pointer_steps
from keyturn.ports.catalogue import ABSENT, Catalogue

Edits = Mapping[str, Any]
_TITLE: Final = re.compile(r"^title:[ \t]*(.+)$", re.MULTILINE)


def edited_text(catalogue: Catalogue, text: str, edits: Edits) -> str:
    """The text with values changed (pointer → value, ABSENT takes out); ConnectorInvalid."""
    for pointer, value in edits.items():
        text = catalogue.splice(text, pointer, value)
        if value is ABSENT:
            text = _without_empty(catalogue, text, pointer.rpartition("/")[0])
    return text


def _without_empty(catalogue: Catalogue, text: str, pointer: str) -> str:
    """Take out what holds nothing any more; parameters without a name say that nothing is sent, and stay."""
    while pointer and not pointer.endswith("/params"):
        value: Any = catalogue.read(text).value
        for step in pointer_steps(pointer):
            value = value.get(step) if isinstance(value, Mapping) else None
        if value != {}:
            break
        text, pointer = catalogue.splice(text, pointer, ABSENT), pointer.rpartition("/")[0]
    return text


def renamed_text(catalogue: Catalogue, text: str, connector_id: str) -> str:
    """A text under another id."""
    return edited_text(catalogue, text, {"/connector": connector_id})


def text_from_curl(catalogue: Catalogue, connector_id: str, pasted: str) -> tuple[str, CurlReading]:
    """The text that a curl command makes, and what was understood; CurlUnreadable, ConnectorInvalid."""
    reading = read_curl(pasted)
    edits = {pointer: ABSENT if value is None else value for pointer, value in reading.edits.items()}
    return edited_text(catalogue, catalogue.starter(connector_id), edits), reading


def catalogue_titles(catalogue: Catalogue) -> Mapping[str, str]:
    """The connectors that come along: id → title."""
    found = {name: _TITLE.search(text) for name, text in catalogue.ready().items()}
    return {name: title.group(1).strip("\"' ") if title else name for name, title in found.items()}
