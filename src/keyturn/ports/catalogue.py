"""Connector files as documents with positions. Promises: `tests/adapters/catalogue`."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Final, Literal, Protocol

from keyturn.core.reading import Document


class Absent(Enum):
    """Says in an edit that a value is taken out."""

    ABSENT = "absent"


ABSENT: Final = Absent.ABSENT


class Catalogue(Protocol):
    """Reads connector files, whoever wrote them."""

    def read(self, text: str | bytes) -> Document:
        """A YAML (or JSON) text as a plain tree with the line and column of each key and value.

        Raises:
            ConnectorInvalid: no well-formed, harmless YAML; with every position.
        """
        ...

    def starter(self, connector_id: str) -> str:
        """The text of a first connector file, with comments."""
        ...

    def splice(self, text: str, pointer: str, value: object | Literal[Absent.ABSENT]) -> str:
        """Change one value of a text and nothing else: comments, order, quotes and blank lines elsewhere stay.

        Args:
            text: as `read` takes it, without an error.
            pointer: RFC 6901; objects on the way that are not there are made.
            value: plain data as JSON has it, or ABSENT to take the value out.

        Returns:
            A text that reads as `text` does but for this value; the same text where it is equal already.

        Raises:
            ConnectorInvalid: the text does not read, or the pointer leads through something that is no object or list.
        """
        ...

    def ready(self) -> Mapping[str, str]:
        """The connectors that come along: id → text, in the order of their ids."""
        ...
