"""`tls`: whose certificates are trusted, and the one that keyturn shows.

Rule 1: an authority is public, and stands in the file or comes from a field; a private key never stands in the file.
Rule 2: what is named is one field, or the application's secret, as a whole: a PEM text is not put together.

Source: the connector format, "tls: {ca, client_certificate}"; RFC 7468 for PEM.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from keyturn.core.reading.codes import Fault
from keyturn.core.reading.names import Kind, Names
from keyturn.core.reading.shapes import ABSENT, Absent, Cursor, Key, Placed, Reading, Schema, Table
from keyturn.core.reading.templated import TemplateText
from keyturn.core.reading.values import as_plain_text
from keyturn.core.templates import Template

MAX_PEM: Final = 20_000
_CERTIFICATES: Final = re.compile(
    r"\s*(?:-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----\s*)+", re.ASCII
)
_ONE_NAME: Final = TemplateText("{{ and }} around the name of a field")


class _Authority:
    """Certificates in PEM, or the name of the field that has them; reads to a template."""

    def read(self, at: Cursor) -> object:
        if isinstance(at.value, str) and "{{" in at.value:
            return _ONE_NAME.read(at)
        text = as_plain_text(at, "certificates in PEM", max_length=MAX_PEM, lines=True)
        if isinstance(text, Absent):
            return ABSENT
        if not _CERTIFICATES.fullmatch(text):
            return at.fault(Fault.WRONG_VALUE, "expected certificates in PEM and nothing else, or {{ a field }}")
        return Template.parse(text)

    def schema(self) -> Schema:
        return {"type": "string", "minLength": 1, "maxLength": MAX_PEM}


TLS: Final = Table(
    "tls",
    (
        Key(
            "ca",
            _Authority(),
            "the only authorities that are trusted: certificates in PEM, or the field with them; what they sign need "
            "not keep RFC 5280 in full",
        ),
        Key(
            "client_certificate",
            _ONE_NAME,
            "shown to the provider: the sealed field, or client_secret, that holds certificate and key in PEM",
        ),
    ),
)

_MAY_HOLD: Final[Mapping[str, frozenset[Kind]]] = {
    "ca": frozenset({Kind.PLAIN_FIELD, Kind.SEALED_FIELD}),
    "client_certificate": frozenset({Kind.SEALED_FIELD, Kind.CLIENT_SECRET}),
}


def judge_tls(reading: Reading, names: Names, _tree: Mapping[str, Any]) -> None:
    """Note what names more or other than one value that is there for every request of a connection."""
    for key, kinds in _MAY_HOLD.items():
        for placed in reading.templates:
            if placed.pointer == f"/tls/{key}" and not _is_one_of(placed, names, kinds):
                wanted = "a field that is kept" if key == "ca" else "a sealed field, or client_secret,"
                reading.fault(placed.pointer, Fault.WRONG_VALUE, f"expected {wanted} as a whole, without filters")


def _is_one_of(placed: Placed, names: Names, kinds: frozenset[Kind]) -> bool:
    only = placed.template.only_reference
    kind = None if only is None or only.filters else names.kind_of(only.path)
    # an unknown name is said as such
    return kind in kinds or (only is not None and names.kind_of(only.path) is None)
