"""What stands behind the host: path and query, checked, normalised and joined as text.

Rule 1: nothing is repaired, collapsed or resolved; what another parser might read differently is refused.
Rule 2: a path is judged at every depth of escaping, because somebody behind may decode once more than we do.
Rule 3: of the query only what breaks a request line is judged; the rest is the API's own business.

Sources: RFC 3986 sections 2.3, 3.3, 6.2.2; RFC 3629 for UTF-8.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Final


class TextFault(StrEnum):
    """What is wrong with a URL, a path or a query as text."""

    TOO_LONG = "too_long"
    NOT_UTF8 = "not_utf8"  # a lone surrogate, or escapes in the path that are no UTF-8
    CHARACTER = "character"  # a raw control character, space, separator or backslash
    BAD_ESCAPE = "bad_escape"  # a percent sign without two hex digits
    HIDDEN_CHARACTER = "hidden_character"  # an escape, however deep, of a slash, backslash or control character
    DOT_SEGMENT = "dot_segment"  # `.` or `..`, however deep its escapes, with or without a parameter
    SCHEME_RELATIVE = "scheme_relative"  # a relative path that begins with two slashes
    ABSOLUTE = "absolute"  # a relative path that begins like a URL


MAX_URL_BYTES: Final = 8192

# Categories Cc, Zs, Zl and Zp, and the backslash; a test holds this against the Unicode tables.
_FORBIDDEN: Final = re.compile(r"[\x00-\x20\x7f-\xa0\\\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]")
_BAD_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_ESCAPE: Final = re.compile(r"%([0-9A-Fa-f]{2})")
_ESCAPED_OCTET: Final = re.compile(rb"%([0-9A-Fa-f]{2})")
_HIDDEN: Final = re.compile(rb"%(?:2[Ff]|5[Cc]|[01][0-9A-Fa-f]|7[Ff])")
_HIDDEN_OCTETS: Final = frozenset((*range(0x20), 0x2F, 0x5C, 0x7F))
_HEX_OCTETS: Final = frozenset(b"0123456789ABCDEFabcdef")
_PERCENT: Final = 0x25
_DOT_SEGMENT: Final = re.compile(rb"(?:\A|/)\.\.?(?=[;/]|\Z)")
_UNRESERVED: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_NON_ASCII: Final = re.compile(r"[^\x00-\x7f]+")
_LIKE_A_URL: Final = re.compile(r"[hH][tT][tT][pP][sS]?:|[A-Za-z][A-Za-z0-9+.-]*:/")

# A relative `path[?query]` in which nothing is special: printable ASCII; no escape in the path and none but of
# ordinary octets in the query; no dot at the beginning of a segment; no two slashes in front; not like a URL.
_SEGMENT: Final = r"""[!"$&-\-0->@-\[\]-~][!"$&-.0->@-\[\]-~]*+"""
_QUERY_TEXT: Final = r"""[!"$&-\[\]-~]*+"""
ORDINARY_PATH: Final = re.compile(
    rf"(?!/?(?:{_LIKE_A_URL.pattern}))"
    rf"/?((?:{_SEGMENT}(?:/++{_SEGMENT})*+/*+)?)"
    rf"(\?{_QUERY_TEXT}(?:%(?!00)[0-9A-Fa-f]{{2}}{_QUERY_TEXT})*+)?"
)


def text_fault(text: str) -> TextFault | None:
    """Name the first thing wrong with the characters of `text`, whatever part of a URL it is."""
    if _FORBIDDEN.search(text):
        return TextFault.CHARACTER
    return None if utf8_length(text) is not None else TextFault.NOT_UTF8


def utf8_length(text: str) -> int | None:
    """Return the number of bytes of `text` in UTF-8, or None where it cannot be encoded."""
    if text.isascii():
        return len(text)
    try:
        return len(text.encode("utf-8"))
    except UnicodeEncodeError:
        return None


def path_fault(path: str) -> TextFault | None:
    """Name the first thing wrong with the path of a URL.

    Args:
        path: as it stands in the URL, empty or beginning with `/`; it has passed `text_fault`.
    """
    octets = path.encode("utf-8")
    if _PERCENT in octets:
        if _BAD_ESCAPE.search(path):
            return TextFault.BAD_ESCAPE
        if _HIDDEN.search(octets):
            return TextFault.HIDDEN_CHARACTER
        octets = _ESCAPED_OCTET.sub(lambda escape: bytes.fromhex(escape[1].decode("ascii")), octets)
        try:
            octets.decode("utf-8")
        except UnicodeDecodeError:
            return TextFault.NOT_UTF8
        settled = _settle(octets) if _PERCENT in octets else octets
        if settled is None:
            return TextFault.HIDDEN_CHARACTER
        octets = settled
    # A dot segment stays one under further decoding, and no slash comes or goes: the last stage tells of all.
    return TextFault.DOT_SEGMENT if _DOT_SEGMENT.search(octets) else None


def query_fault(query: str) -> TextFault | None:
    """Name what is wrong with the query of a URL, given without its question mark."""
    if _BAD_ESCAPE.search(query):
        return TextFault.BAD_ESCAPE
    return TextFault.HIDDEN_CHARACTER if "%00" in query else None


def normalise_path(path: str) -> str:
    """Return the spelling of `path` that is compared and sent; a path without a fault, and an empty one as `/`.

    Escapes of unreserved characters are decoded, others get upper-case hex, raw non-ASCII characters are escaped.
    Case, reserved characters, empty segments and parameters stay as they are.
    Source: RFC 3986 sections 6.2.2.1 and 6.2.2.2.
    """
    if "%" in path:
        path = _ESCAPE.sub(_normalise_escape, path)
    return escape_non_ascii(path) or "/"


def escape_non_ascii(text: str) -> str:
    """Return `text` with each non-ASCII character as the escapes of its UTF-8."""
    if text.isascii():
        return text
    return _NON_ASCII.sub(lambda run: "".join(f"%{octet:02X}" for octet in run[0].encode("utf-8")), text)


def relative_path_fault(path: str) -> TextFault | None:
    """Name what keeps a relative `path[?query][#fragment]` from being joined to a base, whatever the base."""
    fault = text_fault(path)
    if fault is not None:
        return fault
    if path.startswith("//"):
        return TextFault.SCHEME_RELATIVE
    return TextFault.ABSOLUTE if _LIKE_A_URL.match(path, path.startswith("/")) else None


def join_paths(base_path: str, path: str) -> str:
    """Return the path and query of the target: `path` below `base_path`, always with a slash between.

    Args:
        base_path: the path of the base URL, empty or beginning with `/`.
        path: a relative `path[?query][#fragment]` without a `relative_path_fault`; the fragment is dropped.
    """
    path = path.partition("#")[0]
    path, mark, query = path.partition("?")
    joined = f"{base_path.rstrip('/')}/{path.removeprefix('/')}" if path else base_path
    return f"{joined}{mark}{query}"


def _normalise_escape(escape: re.Match[str]) -> str:
    character = chr(int(escape[1], 16))
    return character if character in _UNRESERVED else escape[0].upper()


def _settle(octets: bytes) -> bytes | None:
    """Decode until nothing changes; None when an escape of a hidden octet turns up on the way.

    Escapes never overlap and decoding one destroys no other, so that their order does not matter and one pass, which
    decodes each as soon as it is complete, meets exactly those that decoding stage by stage would.
    """
    settled = bytearray()
    for octet in octets:
        settled.append(octet)
        while settled[-3:-2] == b"%" and settled[-1] in _HEX_OCTETS and settled[-2] in _HEX_OCTETS:
            decoded = int(settled[-2:], 16)
            if decoded in _HIDDEN_OCTETS:
                return None
            settled[-3:] = bytes((decoded,))
    return bytes(settled)
