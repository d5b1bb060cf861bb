"""The request parameters of step 9 with a connection's values put in, and how they meet what a caller sends.

Rule 1: the caller's value wins over a default parameter and never over a locked one, however its name is spelled.
Rule 2: what the caller sent and no parameter touches stays byte for byte.
Rule 3: values are encoded for where they stand, once, when the parameters are made.

Source: the product's rules for calls; RFC 8259 for JSON, the URL standard's form encoding for queries and forms.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote, unquote_plus

from keyturn.core.connector import RequestParameters
from keyturn.core.errors import ProviderBadResponse
from keyturn.core.secret import Secret
from keyturn.core.templates import Template
from keyturn.core.urls.url_paths import utf8_length

Header = tuple[bytes, bytes]
_DECODER: Final = json.JSONDecoder()
AUTHORIZATION: Final = b"authorization"
_BLANKS: Final = " \t\n\r"
_ONE_NAME: Final = str.maketrans({" ": "_", ".": "_", "+": "_"})  # characters that some servers take for an underscore


@dataclass(frozen=True, slots=True)
class Pair:
    """One parameter of a query or form, encoded. `name` is as written, `text` the pair as it is sent."""

    name: str
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class RenderedParameters:
    """What is put on each call. Locked names of queries and bodies are compared by `plain_name`.

    Header names are lower case; those that a caller may not send stand in `locked_header_names` with dashes for
    underscores, since some servers take one for the other. `authorization` is not among them: a caller's own never
    gets as far as this.
    """

    locked_headers: tuple[Header, ...] = field(repr=False, default=())
    default_headers: tuple[Header, ...] = field(repr=False, default=())
    locked_header_names: frozenset[bytes] = frozenset()
    query: tuple[Pair, ...] = ()
    locked_query: frozenset[str] = frozenset()
    body: Mapping[str, Any] = field(repr=False, default_factory=dict)
    form: tuple[Pair, ...] = ()
    locked_body: frozenset[str] = frozenset()

    def with_headers(self, sent: list[Header]) -> list[Header]:
        """The caller's headers, without its `Authorization`, with the parameters put on."""
        locked = self.locked_header_names
        headers = [each for each in sent if each[0].replace(b"_", b"-") not in locked] if locked else sent
        if self.default_headers:
            there = {name for name, _ in headers}
            headers = [*headers, *(each for each in self.default_headers if each[0] not in there)]
        return [*headers, *self.locked_headers]

    def with_query(self, query: str) -> str:
        """The caller's query, without its question mark, with the parameters put on."""
        return _merged(query, self.query, self.locked_query) if self.query else query

    def with_form(self, body: bytes) -> bytes:
        """A form with the body parameters put on."""
        return _merged(body.decode("latin-1"), self.form, self.locked_body).encode("latin-1")

    def with_json(self, body: bytes) -> bytes | None:
        """A JSON object with the body parameters put on; None where the body is no JSON object in UTF-8."""
        try:
            members = _members(body.decode("utf-8"))
        except (ValueError, RecursionError):
            return None
        there = {name for name, _ in members}
        kept = [text for name, text in members if plain_name(name) not in self.locked_body]
        kept += [
            f"{json.dumps(name)}:{json.dumps(value)}"
            for name, value in self.body.items()
            if name not in there or plain_name(name) in self.locked_body
        ]
        return ("{" + ",".join(kept) + "}").encode("utf-8")


def rendered(parameters: RequestParameters, values: Mapping[str, Any]) -> RenderedParameters:
    """Put a connection's values into the parameters of step 9.

    Raises:
        ValueAbsent: a template names a value that isn't there.
        ProviderBadResponse: a value can't stand where it should: a control character in a header, no Unicode text.
    """
    headers = [
        (name.lower().encode("ascii"), _header(_text(value.render(values))))
        for name, value in parameters.headers.items()
    ]
    locked_headers = frozenset(name for name, _ in headers if name.decode("ascii") in parameters.locked)
    aliases = frozenset(name.replace(b"_", b"-") for name in locked_headers)
    locked = frozenset(plain_name(name) for name in parameters.locked)
    body = {name: _rendered(value, values) for name, value in parameters.body.items()}
    query = tuple(_pair(name, _text(value.render(values))) for name, value in parameters.query.items())
    return RenderedParameters(
        locked_headers=tuple(each for each in headers if each[0] in locked_headers),
        default_headers=tuple(each for each in headers if each[0] not in locked_headers),
        locked_header_names=aliases - {AUTHORIZATION},
        query=query,
        locked_query=locked & {plain_name(pair.name) for pair in query},
        body=body,
        form=tuple(_pair(name, value if isinstance(value, str) else json.dumps(value)) for name, value in body.items()),
        locked_body=locked & {plain_name(name) for name in body},
    )


def plain_name(name: str) -> str:
    """A parameter's name as lenient servers take it: case, blanks and dots don't count, nor an index behind it."""
    return name.strip().partition("[")[0].translate(_ONE_NAME).lower()


def _merged(text: str, parameters: Iterable[Pair], locked: frozenset[str]) -> str:
    pieces = text.split("&") if text else []
    if locked:
        pieces = [kept for piece in pieces if (kept := _unlocked(piece, locked)) is not None]
    there = {unquote_plus(piece.partition("=")[0]) for piece in pieces}
    added = [each.text for each in parameters if plain_name(each.name) in locked or each.name not in there]
    return "&".join([*pieces, *added])


def _unlocked(piece: str, locked: frozenset[str]) -> str | None:
    """What is left of `name=value` without locked names; some servers take `;` for a separator as well."""
    parts = piece.split(";")
    kept = [part for part in parts if plain_name(unquote_plus(part.partition("=")[0])) not in locked]
    if len(kept) == len(parts):
        return piece
    return ";".join(kept) if kept else None


def _members(text: str) -> list[tuple[str, str]]:
    """The members of a JSON object, each with its own text; ValueError where it is none."""
    at = _skip(text, 0)
    if text[at : at + 1] != "{":
        raise ValueError
    members: list[tuple[str, str]] = []
    at = _skip(text, at + 1)
    while text[at : at + 1] != "}":
        if members:
            if text[at : at + 1] != ",":
                raise ValueError
            at = _skip(text, at + 1)
        if text[at : at + 1] != '"':
            raise ValueError
        name, end = _DECODER.raw_decode(text, at)
        colon = _skip(text, end)
        if text[colon : colon + 1] != ":":
            raise ValueError
        _, end = _DECODER.raw_decode(text, _skip(text, colon + 1))
        members.append((name, text[at:end]))
        at = _skip(text, end)
    if _skip(text, at + 1) != len(text):
        raise ValueError
    return members


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in _BLANKS:
        at += 1
    return at


def _text(value: object) -> str:
    text = value.reveal() if isinstance(value, Secret) else str(value)
    if utf8_length(text) is None:
        raise ProviderBadResponse("A request parameter would hold what is no Unicode text.")
    return text


def _header(value: str) -> bytes:
    if any((c < " " and c != "\t") or c == "\x7f" for c in value):
        raise ProviderBadResponse("A header's value would hold a control character.")
    return value.encode("utf-8")


def _pair(name: str, value: str) -> Pair:
    return Pair(name, f"{quote(name, safe='')}={quote(value, safe='')}")


def _rendered(params: Any, values: Mapping[str, Any]) -> Any:
    if isinstance(params, Template):
        return _text(params.render(values))
    if isinstance(params, Mapping):
        return {name: _rendered(each, values) for name, each in params.items()}
    if isinstance(params, list | tuple):
        return [_rendered(each, values) for each in params]
    return params
