"""Steps 7 and 9 by method and path: which calls a rule or a value is about.

Source: the connector format, "allowed_urls[] as {url, methods, deny}" and "request.only".
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from keyturn.core.format.expressions import HEADER_NAME
from keyturn.core.reading.codes import Fault
from keyturn.core.reading.shapes import Absent, Cursor, Key, ListOf, ObjectOr, Schema, Shape, Table
from keyturn.core.reading.templated import ParamsTree, TemplateText
from keyturn.core.reading.values import Boolean, Choice, MapOf, Text


class CallMethod(StrEnum):
    """HTTP methods that a call through a connection may have."""

    GET = "GET"
    HEAD = "HEAD"
    POST = "POST"
    PUT = "PUT"
    PATCH = "PATCH"
    DELETE = "DELETE"
    OPTIONS = "OPTIONS"


class EncodedSlashes(StrEnum):
    """What is done with `%2F` in a path, where it isn't refused."""

    ALLOW = "allow"


_METHODS: Final = ListOf(Choice(CallMethod), "methods", 1, 7, unique=True)
# Segments as they stand in a URL that was normalised; a whole one may be `*`.
_PATH: Final = Text(
    "a path",
    500,
    pattern=r"/(?:(?:[A-Za-z0-9._~!$&'()+,;=:@-]+|\*)(?:/|$))*",
    form="from the host on, such as /api/items, in which a segment * stands for any one",
)
_ALLOWED: Final = TemplateText("a URL, with templates")
CALL_HEADERS: Final = MapOf(
    TemplateText("a header's value, with templates"), HEADER_NAME.pattern, "a header's name", fold_case=True
)
CALL_QUERY: Final = MapOf(TemplateText(empty=True), r"[^\x00-\x1f\x7f]{1,200}", "a name")

ALLOWED_URL: Final[Shape] = ObjectOr(
    Table(
        "an allowed URL",
        (
            Key("url", _ALLOWED, "the host, and a path where it is only about what is below it", required=True),
            Key("methods", _METHODS, "the methods that it is about; all where absent, and GET stands for HEAD as well"),
            Key("deny", Boolean(), "true: never reached, whatever else is allowed", default=False),
        ),
    ),
    _ALLOWED,
)


class _OnSome:
    """One of `request.only`, which says on which calls."""

    table: Final = Table(
        "a value for some calls",
        (
            Key("methods", _METHODS, "put on calls with these methods; all where absent"),
            Key("paths", ListOf(_PATH, "paths", 1, 20, unique=True), "put on calls below these; all where absent"),
            Key("headers", CALL_HEADERS, "headers put on these calls"),
            Key("query", CALL_QUERY, "query parameters put on these calls"),
            Key("body", ParamsTree(), "values merged into JSON objects and forms of these calls"),
        ),
    )

    def read(self, at: Cursor) -> object:
        """Read its keys; what would be put on every call belongs one level up."""
        read = self.table.read(at)
        said = at.value if isinstance(at.value, Mapping) else {}
        if not isinstance(read, Absent) and said.get("methods") is None and said.get("paths") is None:
            return at.fault(Fault.REQUIRED_KEY, "expected methods or paths; a value for every call stands in request")
        return read

    def schema(self) -> Schema:
        """Describe the keys."""
        return self.table.schema() | {"anyOf": [{"required": ["methods"]}, {"required": ["paths"]}]}


ONLY: Final = ListOf(_OnSome(), "values for some calls", 0, 20)
ENCODED_SLASHES: Final = Choice(EncodedSlashes)
