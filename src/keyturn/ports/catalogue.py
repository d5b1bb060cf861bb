"""Connector files as documents with positions. Promises: `tests/adapters/catalogue`."""

from __future__ import annotations

from typing import Protocol

from keyturn.core.reading import Document


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
