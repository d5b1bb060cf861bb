"""The catalogue port over YAML texts."""

from __future__ import annotations

from keyturn.adapters.catalogue.starter import starter
from keyturn.adapters.catalogue.yaml_reader import read_document
from keyturn.core.reading import Document


class YamlCatalogue:
    """Reads YAML and JSON, and knows the text of a first file."""

    def read(self, text: str | bytes) -> Document:
        """See the port."""
        return read_document(text)

    def starter(self, connector_id: str) -> str:
        """See the port."""
        return starter(connector_id)
