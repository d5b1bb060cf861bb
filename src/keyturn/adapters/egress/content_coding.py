"""Content codings undone within a limit, so that a small answer cannot grow into a large one.

Rule 1: output is asked for in pieces no longer than what the limit still allows; the rest stays compressed.
Rule 2: gzip and deflate only. We ask for `identity`; what comes in another coding cannot be read.

Source: RFC 9110 section 8.4.1, where `deflate` means the zlib format and some servers send the bare one.
"""

from __future__ import annotations

import zlib

_GZIP = 16 + zlib.MAX_WBITS
_ZLIB = zlib.MAX_WBITS
_BARE = -zlib.MAX_WBITS
MAX_CODINGS = 2
MAX_MEMBERS = 64


class Undecodable(Exception):
    """The content is too long, cut, damaged, or in a coding that is not read."""


def decoded(content: bytes, codings: str, limit: int) -> bytes:
    """Undo the codings of a Content-Encoding value; memory stays within a few times `limit` bytes.

    Args:
        content: as received.
        codings: the header's value, several ones joined by commas; empty for none.
        limit: the longest result, in bytes.

    Raises:
        Undecodable: as it says.
    """
    named = [coding.strip().lower() for coding in codings.split(",")]
    applied = [coding for coding in named if coding not in ("", "identity")]
    if len(applied) > MAX_CODINGS:
        raise Undecodable
    for coding in reversed(applied):
        content = _decoded_once(content, coding, limit)
    if len(content) > limit:
        raise Undecodable
    return content


def _decoded_once(content: bytes, coding: str, limit: int) -> bytes:
    if not content:  # a HEAD's or a 304's answer names a coding and has no content
        return content
    if coding in ("gzip", "x-gzip"):
        return _inflated(content, _GZIP, limit)
    if coding == "deflate":
        has_zlib_head = len(content) > 1 and content[0] & 15 == 8 and (content[0] << 8 | content[1]) % 31 == 0
        return _inflated(content, _ZLIB if has_zlib_head else _BARE, limit)
    raise Undecodable


def _inflated(content: bytes, window: int, limit: int) -> bytes:
    result = bytearray()
    for _ in range(MAX_MEMBERS):  # RFC 1952 section 2.2: a gzip file is a series of members
        inflater = zlib.decompressobj(window)
        try:
            result += inflater.decompress(content, limit + 1 - len(result))
        except zlib.error:
            raise Undecodable from None
        if len(result) > limit or not inflater.eof:
            raise Undecodable
        content = inflater.unused_data
        if not content or window != _GZIP:
            break
    if content:
        raise Undecodable
    return bytes(result)
