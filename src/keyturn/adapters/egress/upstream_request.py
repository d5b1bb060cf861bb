"""The head of a proxied call as it goes onto the wire.

Rule 1: one framing, made here: a length or chunks, never both, never one that a caller wrote.
Rule 2: a header cannot end early: nothing but a line's own end is a control character (RFC 9112 section 11.1).
Rule 3: names are lower case, so that a name has one spelling to be refused by.
"""

from __future__ import annotations

import re
from typing import Final

from keyturn.core.errors import BadRequest
from keyturn.ports.egress import UpstreamRequest

IDEMPOTENT: Final = frozenset({b"GET", b"HEAD", b"OPTIONS", b"TRACE", b"PUT", b"DELETE"})  # RFC 9110 section 9.2.2

_OURS: Final = frozenset(
    {
        b"connection",
        b"content-length",
        b"host",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
_METHOD = re.compile(rb"[A-Z][A-Z-]{0,19}")
_TARGET = re.compile(rb"/[!-\xff]*")
_NAME = re.compile(rb"[!#$%&'*+\-.^_`|~0-9a-z]+")
_CONTROLS: Final = bytes(set(range(32)) - {9}) + b"\x7f"
_SAYS_ITS_LENGTH: Final = frozenset({b"POST", b"PUT", b"PATCH"})  # RFC 9110 section 8.6: also where it is 0

# Names that passed, so that each is judged once. Full is full: a caller that invents names costs time, not memory.
_seen: set[bytes] = set()
_MAX_SEEN: Final = 1024


def request_head(request: UpstreamRequest, host_line: bytes, held: bytes | None, streamed: bool) -> bytes:
    """Write the request line and the headers, with the empty line and, where it is held, the body.

    Args:
        request: the call.
        host_line: `host: …` and the line's end.
        held: a body that is wholly there, or None.
        streamed: a body comes afterwards, by `request.content_length` or in chunks.

    Raises:
        BadRequest: a method, target or header that no request can have, or a body of another length than stated.
    """
    method, target = request.method, request.target
    if not _METHOD.fullmatch(method) or method == b"CONNECT" or not _TARGET.fullmatch(target) or b"\x7f" in target:
        raise BadRequest("a method or target that no call can have")
    lines = [b"%b %b HTTP/1.1\r\n" % (method, target), host_line]
    for name, value in request.headers:
        if name not in _seen:
            _judge_name(name)
        lines.append(b"%b: %b\r\n" % (name, value))
    lines.append(_framing(request, held, streamed))
    head = b"".join(lines)
    line_ends = 2 * (len(request.headers) + 2 + (lines[-1] != b""))
    if len(head) - len(head.translate(None, _CONTROLS)) != line_ends:
        raise BadRequest("a header with a control character")
    return b"%b\r\n%b" % (head, held) if held else head + b"\r\n"


def _judge_name(name: bytes) -> None:
    if not _NAME.fullmatch(name) or name in _OURS:
        raise BadRequest("a header that no call can have")
    if len(_seen) < _MAX_SEEN:
        _seen.add(name)


def _framing(request: UpstreamRequest, held: bytes | None, streamed: bool) -> bytes:
    stated = request.content_length
    if streamed:
        return b"transfer-encoding: chunked\r\n" if stated is None else b"content-length: %d\r\n" % stated
    length = len(held or b"")
    if stated is not None and stated != length:
        raise BadRequest("a body of another length than stated")
    if length or stated is not None or request.method in _SAYS_ITS_LENGTH:
        return b"content-length: %d\r\n" % length
    return b""
