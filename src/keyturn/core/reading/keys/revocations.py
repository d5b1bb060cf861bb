"""Step 4 as one request or several: a list is sent in its order, and each of it counts by itself.

Source: the connector format, "revoke as a list".
"""

from __future__ import annotations

from typing import Any, Final

from keyturn.core.reading.shapes import Absent, Cursor, ListOf, Schema, Shape

MOST_REQUESTS: Final = 5  # a disconnect waits for one try of each


class SeveralInOrder:
    """A request or a list of them; reads to a tuple of what could be read."""

    def __init__(self, one: Shape) -> None:
        self._one = one
        self._several = ListOf(one, "requests", 1, MOST_REQUESTS)

    def read(self, at: Cursor) -> tuple[Any, ...] | Absent:
        """Read the list, or the one."""
        if isinstance(at.value, list | tuple):
            return self._several.read(at)
        read = self._one.read(at)
        return read if isinstance(read, Absent) else (read,)

    def schema(self) -> Schema:
        """Describe both."""
        return {"anyOf": [self._one.schema(), self._several.schema()]}
