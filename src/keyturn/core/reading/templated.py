"""The shapes of values with templates in them, and of plain URLs.

Rule 1: every template that is read is noted with its place; which names it may use is judged afterwards, once all
names are known.
Rule 2: parameters keep the types that the author gave; only texts are templates.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from keyturn.core.reading.codes import Fault
from keyturn.core.reading.shapes import ABSENT, Absent, Cursor, Key, ListOf, Placed, Schema, Table
from keyturn.core.reading.values import as_plain_text, finite
from keyturn.core.templates import Made, Reference, Template, TemplateError, parse_filter
from keyturn.core.urls.hostnames import HostError, normalise_host

MAX_TEMPLATE: Final = 4_000
MAX_PARAMS: Final = 200  # values in one parameter tree
_URL_UNSAFE: Final = re.compile(r"[\s\\\"<>^`{|}]|[^\x21-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class TemplateText:
    """Text with `{{ name }}` in it; reads to a parsed Template."""

    what: str = "text, with templates"
    lines: bool = False
    empty: bool = False

    def read(self, at: Cursor) -> object:
        """Parse the text and note where it stands."""
        if self.empty and at.value == "":
            return Template.parse("")
        text = as_plain_text(at, self.what, max_length=MAX_TEMPLATE, lines=self.lines)
        if isinstance(text, Absent):
            return ABSENT
        try:
            template = Template.parse(text)
        except TemplateError as error:
            return at.fault(Fault.TEMPLATE_INVALID, str(error), offset=error.offset)
        at.reading.templates.append(Placed(at.pointer, template))
        return template

    def schema(self) -> Schema:
        """Describe the text."""
        return {"type": "string", "minLength": 0 if self.empty else 1, "maxLength": MAX_TEMPLATE}


_PARAM_TEXT: Final = TemplateText("text, with templates", lines=True, empty=True)


@dataclass(frozen=True, slots=True)
class ParamsTree:
    """Parameters: name → text with templates, number, boolean, null, or lists and objects of them."""

    max_depth: int = 16

    def read(self, at: Cursor) -> object:
        """Read the whole tree."""
        if not isinstance(at.value, Mapping):
            return at.fault(Fault.WRONG_TYPE, "expected an object: name → value")
        if _count(at.value, MAX_PARAMS) > MAX_PARAMS:
            return at.fault(Fault.WRONG_LENGTH, f"expected at most {MAX_PARAMS} values")
        return self._object(at, at.value, 0)

    def _object(self, at: Cursor, value: Mapping[str, Any], depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, each in value.items():
            below = at.child(name, each)
            if not name or re.search(r"[\x00-\x1f\x7f]", name):
                below.fault(Fault.WRONG_VALUE, "expected a name without control characters", at_key=True)
            read = self._value(below, depth + 1)
            if read is not ABSENT:
                found[name] = read
        return found

    def _value(self, at: Cursor, depth: int) -> object:
        if depth > self.max_depth:
            return at.fault(Fault.DOCUMENT_TOO_DEEP, f"parameters are nested at most {self.max_depth} levels deep")
        match at.value:
            case str():
                return _PARAM_TEXT.read(at)
            case None | bool():
                return at.value
            case int() | float():
                return finite(at)
            case list() | tuple():
                read = [self._value(at.child(n, each), depth + 1) for n, each in enumerate(at.value)]
                return tuple(each for each in read if each is not ABSENT)
            case Mapping():
                return self._object(at, at.value, depth)
            case _:
                return at.fault(Fault.WRONG_TYPE, "expected text, a number, true, false, null, a list or an object")

    def schema(self) -> Schema:
        """Describe the outermost object; inside anything that JSON can say is fine."""
        return {"type": "object", "maxProperties": MAX_PARAMS}


def _count(value: object, enough: int) -> int:
    """Count the leaves of a tree, and stop soon after `enough`."""
    waiting, found = [value], 0
    while waiting and found <= enough:
        one = waiting.pop()
        if isinstance(one, Mapping):
            waiting.extend(one.values())
        elif isinstance(one, list | tuple):
            waiting.extend(one)
        found += 1
    return found


class DerivedValue:
    """A value made of others: text with templates, or parts to join and filters for the whole; reads to `Made`."""

    def __init__(self) -> None:
        self._text = TemplateText()
        self._table = Table(
            "a derived value",
            (
                Key("join", ListOf(self._text, "parts", 1, 10), "its parts, put together as they are", required=True),
                Key("filters", ListOf(_FilterText(), "filters", 0, 10), "what is done with the whole, in order"),
            ),
        )

    def read(self, at: Cursor) -> object:
        """Parse the parts and the filters."""
        if isinstance(at.value, Mapping):
            table = self._table.read(at)
            return ABSENT if isinstance(table, Absent) else Made(table.get("join", ()), table.get("filters", ()))
        part = self._text.read(at)
        return Made((part,)) if isinstance(part, Template) else ABSENT

    def schema(self) -> Schema:
        """Describe both forms."""
        return {"anyOf": [self._text.schema(), self._table.schema()]}


class _FilterText:
    """One filter; the name in its parentheses is noted like that of a template."""

    def read(self, at: Cursor) -> object:
        text = as_plain_text(at, "a filter", max_length=200)
        if isinstance(text, Absent):
            return ABSENT
        try:
            found = parse_filter(text)
        except TemplateError as error:
            return at.fault(Fault.TEMPLATE_INVALID, str(error))
        if found.argument is not None:
            at.reading.templates.append(Placed(at.pointer, Template(text, (Reference(found.argument),))))
        return found

    def schema(self) -> Schema:
        return {"type": "string", "minLength": 1, "maxLength": 200}


@dataclass(frozen=True, slots=True)
class PlainUrl:
    """An absolute http or https URL without templates, for people to open. `or_id`: a connector's id is fine too."""

    https_only: bool = False
    or_id: str | None = None

    def read(self, at: Cursor) -> object:
        """Take a URL that a browser reads as it is written."""
        what = "an absolute URL" if self.or_id is None else "a connector's id or an absolute URL"
        text = as_plain_text(at, what, max_length=2_000)
        if isinstance(text, Absent):
            return ABSENT
        if self.or_id is not None and re.fullmatch(self.or_id, text):
            return text
        schemes = ("https",) if self.https_only else ("https", "http")
        try:
            parts = urlsplit(text)
            fine = parts.scheme in schemes and "@" not in parts.netloc and not _URL_UNSAFE.search(text)
            normalise_host(parts.netloc.rpartition(":")[0] if parts.port else parts.netloc)
        except (ValueError, HostError):
            fine = False
        if not fine:
            return at.fault(Fault.URL_INVALID, f"expected {what} that begins with {' or '.join(schemes)}")
        return text

    def schema(self) -> Schema:
        """Describe the text."""
        return {"type": "string", "minLength": 1, "maxLength": 2_000}
