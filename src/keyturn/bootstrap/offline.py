"""Files without a server: connectors, and exports and heads of the audit log."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from keyturn.adapters.anchor_file import read_anchors
from keyturn.adapters.catalogue.yaml_catalogue import YamlCatalogue
from keyturn.adapters.store.chained.audit_keys import is_signed_by
from keyturn.adapters.suffix_list import load_public_suffixes
from keyturn.core.audit.checkpoint import Checkpoint, checkpoint_in
from keyturn.core.audit.exported import check_export
from keyturn.core.building.from_curl import CurlReading
from keyturn.core.connector import Connector
from keyturn.core.errors import SettingsInvalid
from keyturn.core.reading import Document, read_connector
from keyturn.engine.builder.new_texts import catalogue_titles, renamed_text, text_from_curl

_KEY: Final = re.compile(r"[0-9a-f]{64}")
_MOST_KEY_BYTES: Final = 65_536
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


def renamed_catalogue_text(entry: str, connector_id: str) -> str | None:
    """The text of a connector that comes along, under this id; None where there is none of this name."""
    catalogue = YamlCatalogue()
    text = catalogue.ready().get(entry)
    return renamed_text(catalogue, text, connector_id) if text is not None else None


def catalogue_rows() -> Mapping[str, str]:
    """The connectors that come along: id → title."""
    return catalogue_titles(YamlCatalogue())


def curl_text(connector_id: str, pasted: str) -> tuple[str, CurlReading]:
    """The text that a pasted curl command makes, and what was understood; CurlUnreadable, ConnectorInvalid."""
    return text_from_curl(YamlCatalogue(), connector_id, pasted)


def heads_in(path: Path) -> Sequence[Checkpoint]:
    """The signed heads in a file; AuditUnavailable."""
    return read_anchors(path)


def public_key_in(path: Path) -> bytes:
    """The public key in a file: 64 hexadecimal digits, or a line that `keyturn audit anchor` wrote.

    Raises:
        SettingsInvalid: there is none in it, or the file can't be read.
    """
    try:
        with path.open("rb") as file:
            text = file.read(_MOST_KEY_BYTES).decode("ascii").strip()
        if _KEY.fullmatch(text):
            return bytes.fromhex(text)
        return checkpoint_in(json.loads(text.splitlines()[0])).public_key
    except OSError as error:
        raise SettingsInvalid(f"the key file can't be read: {error.strerror}") from None
    except (ValueError, TypeError, IndexError, RecursionError):
        raise SettingsInvalid("the key file holds no public key of an audit log") from None


def check_exported(path: Path, key_file: Path) -> dict[str, Any]:
    """Hold an export against its checkpoint; plain JSON of what was found. SettingsInvalid: a file can't be read."""
    key = public_key_in(key_file)
    try:
        with path.open("rb") as lines:
            checkpoint, entries, fault = check_export(lines, lambda each: is_signed_by(key, each))
    except OSError as error:
        raise SettingsInvalid(f"the export can't be read: {error.strerror}") from None
    return {
        "ok": fault is None,
        "entries": entries,
        "checkpoint": checkpoint.as_json() if checkpoint else None,
        "first_bad": {"seq": fault.seq, "what": fault.what} if fault else None,
    }
