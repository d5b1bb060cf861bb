"""A connector file as plain values, with the places where they stand in its text.

Rule 1: nothing here knows YAML; whoever reads the text hands in a tree and three maps of positions.
Rule 2: a place is an RFC 6901 pointer; lines and columns count from 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from keyturn.core.errors import ConnectorInvalid, Finding

Position: TypeAlias = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Document:
    """A parsed file.

    `value`: text, numbers, booleans, None, lists and dicts with text keys, nothing else.
    `positions`: pointer → where the value begins. `keys`: pointer of a value → where its key begins.
    `texts`: pointer → where the first character of a text stands, only where the source holds the text verbatim
    on one line, so that an offset into the text is one into the line.
    """

    value: object
    positions: Mapping[str, Position] = field(default_factory=dict)
    keys: Mapping[str, Position] = field(default_factory=dict)
    texts: Mapping[str, Position] = field(default_factory=dict)

    def position(
        self, pointer: str, *, of_key: bool = False, offset: int | None = None
    ) -> Position | tuple[None, None]:
        """Find where a finding points to: inside the text, at the key, at the value, or at the nearest parent."""
        if offset is not None and pointer in self.texts:
            line, column = self.texts[pointer]
            return line, column + offset
        if of_key and pointer in self.keys:
            return self.keys[pointer]
        while pointer not in self.positions:
            if not pointer:
                return None, None
            pointer = pointer.rpartition("/")[0]
        return self.positions[pointer]


def child_pointer(pointer: str, step: str | int) -> str:
    """Add one step to an RFC 6901 pointer."""
    return f"{pointer}/{str(step).replace('~', '~0').replace('/', '~1')}"


def pointer_steps(pointer: str) -> tuple[str, ...]:
    """Take an RFC 6901 pointer apart."""
    return tuple(step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:])


def invalid(findings: list[Finding]) -> ConnectorInvalid:
    """Make the one error of a file, its findings in the order of the text."""
    unique = list(dict.fromkeys(findings))
    unique.sort(key=lambda each: (each.line or 0, each.column or 0))
    count = "1 error" if len(unique) == 1 else f"{len(unique)} errors"
    return ConnectorInvalid(f"the connector file has {count}", errors=unique)


def given_objects(document: Document, key: str) -> list[Mapping[str, Any]]:
    """The objects of a list at the top of the file as it was given, right or wrong; what is no object is empty."""
    given = document.value.get(key) if isinstance(document.value, Mapping) else None
    return [one if isinstance(one, Mapping) else {} for one in given] if isinstance(given, list) else []
