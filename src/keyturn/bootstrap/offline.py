"""Connector files without a server: reading, and the text that a new one begins with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from keyturn.adapters.catalogue.yaml_catalogue import YamlCatalogue
from keyturn.adapters.suffix_list import load_public_suffixes
from keyturn.core.connector import Connector
from keyturn.core.reading import Document, read_connector

MAX_FILE_BYTES: Final = 1_048_576  # the reader's own limit is lower, and says so with a place


@dataclass(frozen=True, slots=True)
class ConnectorFile:
    """A connector file that reads without errors: the model, and the places of its parts."""

    connector: Connector
    document: Document
    text: bytes


def read_connector_file(path: Path) -> ConnectorFile:
    """Read a connector file.

    Raises:
        ConnectorInvalid: `errors` has everything that is wrong, with line and column.
        OSError: the file can't be read.
    """
    with path.open("rb") as source:
        text = source.read(MAX_FILE_BYTES)
    document = YamlCatalogue().read(text)
    return ConnectorFile(read_connector(document, suffixes=load_public_suffixes()), document, text)


def read_connector_text(text: str) -> Connector:
    """Read a connector's text; ConnectorInvalid has everything that is wrong."""
    return read_connector(YamlCatalogue().read(text), suffixes=load_public_suffixes())


def starter_text(connector_id: str) -> str:
    """The text of a new connector file, with comments; the id is one as the format has it."""
    return YamlCatalogue().starter(connector_id)
