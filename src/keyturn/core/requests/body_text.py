"""Bodies that the author writes as text: XML, and plain text. A value is escaped for where it stands, or refused.

Rule 1: the author's own text goes out as it is; only values are escaped, each by itself.
Rule 2: in XML a value may stand in an element's text or in a quoted attribute value, where entities are undone again.
Rule 3: plain text has no escapes: a value that would end its line is refused.

Sources: the connector format, "Requests"; XML 1.0 (fifth edition) sections 2.2, 2.4 and 2.11.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final
from xml.parsers import expat

from keyturn.core.connector import Encoding
from keyturn.core.requests.request_text import Piece, invalid_value, plain, written
from keyturn.core.templates import Masked, Reference, Template

CONTENT_TYPES: Final[Mapping[Encoding, str]] = {
    Encoding.XML: "application/xml; charset=utf-8",
    Encoding.TEXT: "text/plain; charset=utf-8",
}
# A line end or tab would be normalised to another one, or to a blank in an attribute (sections 2.11 and 3.3.3).
_ENTITIES: Final = {
    "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&apos;", "\r": "&#13;", "\n": "&#10;", "\t": "&#9;",
}  # fmt: skip
_SPECIAL: Final = re.compile("[&<>\"'\r\n\t]")
_NO_XML: Final = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_STAND_IN: Final = "keyturnvalue{}x"
_OTHER_CHARSET: Final = re.compile(r"<\?xml[^>]*encoding\s*=\s*[\"'](?!utf-8[\"'])", re.IGNORECASE)


class NotWellFormed(ValueError):
    """A template that makes no XML, or has a value where none can be escaped; the message says which, in our words."""


def body_text(encoding: Encoding, template: Template, values: Mapping[str, object]) -> str:
    """Put values into a body.

    Raises:
        ValueAbsent: a value is not there.
        ValidationFailed: a value can't stand where it does.
    """
    escape = _in_xml if encoding is Encoding.XML else _in_text
    return "".join(escape(piece, reference) for piece, reference in written(template, values).pieces)


def _in_xml(piece: Piece, reference: Reference | None) -> str:
    text = str(piece) if isinstance(piece, Masked) else plain(piece, reference)
    if reference is None:
        return text
    if _NO_XML.search(text):
        raise invalid_value(reference, "A value in XML has no control characters.")
    return _SPECIAL.sub(lambda found: _ENTITIES[found.group()], text)


def _in_text(piece: Piece, reference: Reference | None) -> str:
    text = str(piece) if isinstance(piece, Masked) else plain(piece, reference)
    if reference is not None and _CONTROL.search(text):
        raise invalid_value(reference, "A value in a plain text has no line ends or control characters.")
    return text


def check_xml(template: Template) -> None:
    """Hold an author's XML against Rule 2. Raises NotWellFormed."""
    stand_ins = [_STAND_IN.format(index) for index in range(len(template.parts))]
    pairs = list(zip(template.parts, stand_ins, strict=True))
    text = "".join(part if isinstance(part, str) else mark for part, mark in pairs)
    if _OTHER_CHARSET.search(text):
        raise NotWellFormed("expected UTF-8, which every request is sent in")
    seen: list[str] = []
    in_cdata = [False]

    def start(_name: str, attributes: dict[str, str]) -> None:
        seen.extend(attributes.values())

    def refuse(*_: object) -> None:
        raise NotWellFormed("expected XML without a document type")

    parser = expat.ParserCreate("utf-8")
    parser.buffer_text = False
    parser.StartElementHandler = start
    parser.StartDoctypeDeclHandler = refuse
    parser.StartCdataSectionHandler = lambda: in_cdata.__setitem__(0, True)
    parser.EndCdataSectionHandler = lambda: in_cdata.__setitem__(0, False)
    parser.CharacterDataHandler = lambda data: None if in_cdata[0] else seen.append(data)
    try:
        parser.Parse(text.encode("utf-8", "replace"), True)
    except expat.ExpatError:
        raise NotWellFormed("expected a well-formed XML document, with values in texts and quoted attributes") from None
    found = "".join(seen)
    marks = [mark for part, mark in pairs if isinstance(part, Reference)]
    if not all(mark in found for mark in marks):
        raise NotWellFormed("a value stands only in an element's text or a quoted attribute value")
