"""Reading a request's body: bounded, of a kind that is read here, and strict JSON.

Rule 1: a body that is too large is refused by its Content-Length before it is read, or while it comes.
Rule 2: JSON that two readers could understand differently is refused: duplicate members, NaN, lone surrogates.
Rule 3: nothing of a body is ever said back.

Sources: RFC 8259 sections 4 and 8.2; RFC 7493 (I-JSON).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final, NoReturn

from starlette.requests import ClientDisconnect, Request

from keyturn.core.errors import BadRequest, PayloadTooLarge, UnsupportedMediaType

MAX_BODY_BYTES: Final = 256 * 1024
MAX_DEPTH: Final = 32
JSON_TYPES: Final = frozenset({"application/json"})
CONNECTOR_TYPES: Final = JSON_TYPES | {"application/yaml", "application/x-yaml", "text/yaml", "text/x-yaml"}
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_CHARSET: Final = re.compile(r";\s*charset\s*=\s*\"?([^\s;\"]*)", re.IGNORECASE)


async def read_body(request: Request, types: frozenset[str]) -> bytes:
    """Read the body of an operation that takes these media types; empty where none was sent.

    Raises:
        PayloadTooLarge: over 256 KiB.
        UnsupportedMediaType: there is a body, and it is of another kind or compressed.
        BadRequest: two lengths, or the caller went away in the middle.
    """
    announced = _announced(request.headers.getlist("content-length"))
    if announced is not None and announced > MAX_BODY_BYTES:
        raise PayloadTooLarge
    chunked = "transfer-encoding" in request.headers
    if announced or chunked:
        # The kind is known before a byte is read.
        _check_kind(request, types)
    pieces, size = [], 0
    try:
        async for piece in request.stream():
            size += len(piece)
            if size > MAX_BODY_BYTES:
                raise PayloadTooLarge
            pieces.append(piece)
    except ClientDisconnect:
        raise BadRequest("The body broke off.") from None
    if size and not (announced or chunked):
        _check_kind(request, types)
    return b"".join(pieces)


def _announced(values: list[str]) -> int | None:
    if not values:
        return None
    if len(values) > 1 or not values[0].isascii() or not values[0].isdigit():
        raise BadRequest("The request's length is not clear.")
    return int(values[0]) if len(values[0]) < 16 else MAX_BODY_BYTES + 1


def _check_kind(request: Request, types: frozenset[str]) -> None:
    given = request.headers.getlist("content-type")
    kind = given[0].split(";", 1)[0].strip().lower() if len(given) == 1 else ""
    charset = _CHARSET.search(given[0]) if given else None
    utf8 = charset is None or charset.group(1).lower() in ("utf-8", "utf8")
    plain = request.headers.get("content-encoding", "identity").strip().lower() == "identity"
    if kind not in types or not utf8 or not plain:
        raise UnsupportedMediaType(f"This is read here: {', '.join(sorted(types))}, in UTF-8, uncompressed.")


def parse_json(raw: bytes) -> Any:
    """Read strict JSON; BadRequest says what kind of thing is wrong, never where it came from."""
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise BadRequest("The body is no UTF-8.") from None
    try:
        value = json.loads(text, object_pairs_hook=_members, parse_constant=_no_constant)
    except RecursionError:
        raise BadRequest(f"JSON is nested at most {MAX_DEPTH} deep.") from None
    except ValueError:  # no JSON, or a number with thousands of digits
        raise BadRequest("The body is no well-formed JSON.") from None
    _check_values(value)
    return value


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise BadRequest("A member stands twice in one object.")
    return found


def _no_constant(_: str) -> NoReturn:
    raise BadRequest("JSON has no NaN and no Infinity.")


def _check_values(value: Any) -> None:
    level, depth = [value], 0
    while level:
        if depth > MAX_DEPTH:
            raise BadRequest(f"JSON is nested at most {MAX_DEPTH} deep.")
        texts = [each for each in level if isinstance(each, str)]
        texts += [key for each in level if isinstance(each, Mapping) for key in each]
        if any(_SURROGATE.search(text) for text in texts):
            raise BadRequest("A text holds half a character.")
        if any(isinstance(each, float) and each in (float("inf"), float("-inf")) for each in level):
            raise BadRequest("A number is too large.")
        level = [
            inner
            for each in level
            if isinstance(each, Mapping | list)
            for inner in (each.values() if isinstance(each, Mapping) else each)
        ]
        depth += 1
