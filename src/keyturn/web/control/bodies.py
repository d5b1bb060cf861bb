"""Reading a request's body: bounded, and of a kind that is read here.

Rule 1: a body that is too large is refused by its Content-Length before it is read, or while it comes.
Rule 2: nothing of a body is ever said back.
"""

from __future__ import annotations

import re
from typing import Final

from starlette.requests import ClientDisconnect, Request

from keyturn.core.errors import BadRequest, PayloadTooLarge, UnsupportedMediaType
from keyturn.web.kit.strict_json import MAX_BODY_BYTES

JSON_TYPES: Final = frozenset({"application/json"})
CONNECTOR_TYPES: Final = JSON_TYPES | {"application/yaml", "application/x-yaml", "text/yaml", "text/x-yaml"}
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
