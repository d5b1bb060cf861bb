"""The catalogue port over YAML texts."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files

from keyturn.adapters.catalogue.splicing.splice import splice
from keyturn.adapters.catalogue.starter import starter
from keyturn.adapters.catalogue.yaml_reader import read_document
from keyturn.core.reading import Document


class YamlCatalogue:
    """Reads YAML and JSON, changes single values of them, and knows the texts that a new file may begin with."""

    def read(self, text: str | bytes) -> Document:
        """See the port."""
        return read_document(text)

    def starter(self, connector_id: str) -> str:
        """See the port."""
        return starter(connector_id)

    def splice(self, text: str, pointer: str, value: object) -> str:
        """See the port."""
        return splice(text, pointer, value)

    def ready(self) -> Mapping[str, str]:
        """See the port."""
        return _ready()


@cache
def _ready() -> Mapping[str, str]:
    found = [each for each in files("keyturn").joinpath("catalogue").iterdir() if each.name.endswith(".yaml")]
    return {
        each.name.removesuffix(".yaml"): each.read_text("utf-8") for each in sorted(found, key=lambda one: one.name)
    }
