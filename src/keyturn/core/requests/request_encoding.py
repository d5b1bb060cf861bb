"""Parameters as they travel: form, JSON, multipart, query. Values are escaped for where they stand, never joined.

Rule 1: a password arrives byte for byte, whatever is in it.
Rule 2: the same values make the same bytes; no random boundary, so that a preview is the request.

Sources: the connector format, "Requests"; the URL standard's form encoding; RFC 7578 (multipart), RFC 8259 (JSON).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote, quote_plus

from keyturn.core.connector import Encoding, Params, ProviderRequest
from keyturn.core.errors import ConnectorInvalid
from keyturn.core.requests.request_text import Written, plain, scalar_text, written_or_absent
from keyturn.core.templates import Template

_BOUNDARY: Final = "keyturn-part"
_NAME_ESCAPES: Final = {'"': "%22", "\r": "%0D", "\n": "%0A"}
_IN_NAMES: Final = re.compile(r'["\r\n]')


@dataclass(frozen=True, slots=True)
class EncodedBody:
    """A body as text, and what it is called; both empty where there is none."""

    content_type: str | None = None
    text: str = field(default="", repr=False)


def resolve(params: Mapping[str, Params], values: Mapping[str, object], optional: frozenset[str]) -> dict[str, Any]:
    """Put values into a parameter tree: `Written` texts, numbers, booleans and null in dictionaries and lists.

    A parameter whose whole value is one template is left out where its value is empty, or absent and `optional`.

    Raises:
        ValueAbsent: a value is absent that is not optional.
    """
    found = {plain(name, None): _resolve(each, values, optional) for name, each in params.items()}
    return {name: each for name, each in found.items() if each is not _LEFT_OUT}


def templates_of(params: Params) -> Iterator[Template]:
    """Walk over the templates of a parameter tree."""
    if isinstance(params, Template):
        yield params
    elif isinstance(params, Mapping):
        for each in params.values():
            yield from templates_of(each)
    elif isinstance(params, tuple):
        for each in params:
            yield from templates_of(each)


def request_templates(request: ProviderRequest) -> Iterator[Template]:
    """Walk over every template of a request."""
    yield request.url
    yield from request.headers.values()
    yield from templates_of(request.params)
    if request.body is not None:
        yield request.body


def encode_query(params: Mapping[str, Any]) -> str:
    """Encode resolved parameters for a URL, a blank as `%20`."""
    return _pairs(params, lambda text: quote(text, safe=""))


def encode_body(encoding: Encoding, params: Mapping[str, Any]) -> EncodedBody:
    """Encode resolved parameters as a body.

    Raises:
        ConnectorInvalid: nested parameters in anything but JSON.
        ValidationFailed: a value that no charset can carry.
    """
    match encoding:
        case Encoding.JSON:
            text = json.dumps(_as_json(params), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
            return EncodedBody("application/json", text)
        case Encoding.MULTIPART:
            return _multipart(params)
        case _:
            return EncodedBody("application/x-www-form-urlencoded", _pairs(params, quote_plus))


class _LeftOut:
    """A parameter that is not sent."""


_LEFT_OUT: Final = _LeftOut()


def _resolve(params: Params, values: Mapping[str, object], optional: frozenset[str]) -> Any:
    if isinstance(params, Template):
        found = written_or_absent(params, values, optional)
        return _LEFT_OUT if found is None else found
    if isinstance(params, Mapping):
        return resolve(params, values, optional)
    if isinstance(params, tuple):
        items = (_resolve(each, values, optional) for each in params)
        return [each for each in items if each is not _LEFT_OUT]
    return params


def _as_json(value: Any) -> Any:
    if isinstance(value, Written):
        return value.text()
    if isinstance(value, Mapping):
        return {name: _as_json(each) for name, each in value.items()}
    return [_as_json(each) for each in value] if isinstance(value, list) else value


def _flat(params: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Name and value of each pair; a list repeats its name, null is nothing."""
    for name, value in params.items():
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, Mapping | list):
                raise ConnectorInvalid("only JSON parameters can be nested")
            if each is not None:
                yield name, each


def _pairs(params: Mapping[str, Any], escape: Callable[[str], str]) -> str:
    return "&".join(f"{escape(name)}={scalar_text(value, escape)}" for name, value in _flat(params))


def _multipart(params: Mapping[str, Any]) -> EncodedBody:
    pairs = [
        (_IN_NAMES.sub(lambda found: _NAME_ESCAPES[found.group()], name), scalar_text(value))
        for name, value in _flat(params)
    ]
    number = 0
    while any(f"{_BOUNDARY}-{number}" in text for pair in pairs for text in pair):
        number += 1
    boundary = f"{_BOUNDARY}-{number}"
    parts = [f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{text}\r\n' for name, text in pairs]
    return EncodedBody(f"multipart/form-data; boundary={boundary}", "".join(parts) + f"--{boundary}--\r\n")
