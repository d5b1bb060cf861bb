"""An answer's bytes as data: charset, then form by looking at it, then JSON or a form body, strictly.

Rule 1: nothing is repaired; bytes that do not fit their charset, or JSON with anything behind it, are unreadable.
Rule 2: the Content-Type decides the charset only; what the body is, its first character says.
Rule 3: a body costs time and memory in proportion to its size, however it is nested.

Sources: the token-response contract, "Body", "Format" and "Secrets given twice"; RFC 8259; RFC 6749 appendix B.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import accumulate
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from keyturn.core.messages import Answer

MAX_BODY_BYTES: Final = 1_048_576
MAX_DEPTH: Final = 64
_MAX_DIGITS: Final = 300  # more are beyond a float, and Python refuses to read very long ones

_UTF8: Final = "utf-8"
_MARKS: Final = (  # longest first: UTF-32's little-endian mark begins like UTF-16's
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, _UTF8),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_CHARSET: Final = re.compile(r"""(?:^|;)\s*charset\s*=\s*"?([A-Za-z0-9._:+-]{1,40})"?\s*(?:;|$)""", re.IGNORECASE)
# Codecs of Python's own that are no charsets though they make text of bytes.
_NO_CHARSETS: Final = frozenset({"charmap", "idna", "punycode", "raw-unicode-escape", "undefined", "unicode-escape"})
_WIDE: Final = {"utf-16": ("utf-16-le", "utf-16-be"), "utf-32": ("utf-32-le", "utf-32-be")}

_BLANKS: Final = " \t\r\n"
_FORM_START: Final = re.compile(r"[^\s=&]+=")
_STRINGS: Final = re.compile(r'"(?:[^"\\]++|\\.)*+"?+', re.DOTALL)
_BRACKETS: Final = re.compile(r"[\[\]{}]")
_STEP: Final = {"[": 1, "{": 1, "]": -1, "}": -1}
_JSON_WORDS: Final = frozenset({"null", "true", "false"})


class BodyKind(StrEnum):
    """What a body turned out to be."""

    EMPTY = "empty"
    JSON = "json"
    FORM = "form"
    TEXT = "text"  # none of the others
    MARKUP = "markup"
    UNREADABLE = "unreadable"  # too large, cut short, not in its charset, broken JSON, a secret that disagrees


@dataclass(frozen=True, slots=True)
class Body:
    """A decoded body. `value`: JSON, a dictionary of texts for a form, the text itself; None where there is none."""

    kind: BodyKind
    value: Any = field(default=None, repr=False)

    @property
    def readable(self) -> bool:
        """Whether a condition on the body can be judged at all."""
        return self.kind not in (BodyKind.MARKUP, BodyKind.UNREADABLE)


UNREADABLE: Final = Body(BodyKind.UNREADABLE)
_MARKUP: Final = Body(BodyKind.MARKUP)
_EMPTY: Final = Body(BodyKind.EMPTY, "")


class _Unreadable(ValueError):
    """The body can't be taken for what it looks like."""


def decode_body(answer: Answer, *, bare: bool = False, secrets: frozenset[str] = frozenset()) -> Body:
    """Read the body of an answer, whatever it is; never raises.

    Args:
        answer: with chunking and compression undone.
        bare: the whole body is a value: what is neither JSON nor markup is text, also if it looks like a form.
        secrets: names of members that may not appear twice in an object or a form with different values.
    """
    if not answer.complete or len(answer.body) > MAX_BODY_BYTES:
        return UNREADABLE
    try:
        text, charset = _decode(answer.body, answer.value("content-type") or "")
        return _read(text.strip(_BLANKS), charset, bare, secrets)
    except (_Unreadable, UnicodeError):
        return UNREADABLE


def parse_json(text: str, secrets: frozenset[str] = frozenset()) -> Any:
    """Read JSON strictly: nothing behind it, no NaN, at most 64 levels.

    Numbers beyond a float's range become infinite, so that one absurd member does not spoil the rest.

    Raises:
        ValueError: it is no JSON, is nested too deep, or one of `secrets` is given twice with different values.
    """
    if is_too_deep(text):
        raise _Unreadable
    try:
        return json.loads(
            text, object_pairs_hook=_object_hook(secrets), parse_int=_integer, parse_constant=_refuse_constant
        )
    except RecursionError:  # cannot be within 64 levels; kept so that no input is able to crash
        raise _Unreadable from None


def is_too_deep(text: str) -> bool:
    """True if brackets outside strings nest deeper than MAX_DEPTH levels.

    The parser's own limit is another one on each Python: 3.11 refuses a thousand levels, 3.13 reads nine thousand.
    """
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return False
    brackets = _BRACKETS.findall(_STRINGS.sub("", text))
    return max(accumulate(map(_STEP.__getitem__, brackets)), default=0) > MAX_DEPTH


def _decode(raw: bytes, content_type: str) -> tuple[str, str]:
    for mark, charset in _MARKS:
        if raw.startswith(mark):
            return raw[len(mark) :].decode(charset), charset
    charset = _declared_charset(content_type)
    if charset in _WIDE:
        # Without a mark RFC 2781 says big-endian and practice little-endian; the first character is an ASCII one.
        little, big = _WIDE[charset]
        charset = big if raw.startswith(b"\0") else little
    return raw.decode(charset), charset


def _declared_charset(content_type: str) -> str:
    found = _CHARSET.search(content_type)
    if found is None:
        return _UTF8
    try:
        codec = codecs.lookup(found.group(1))
    except (LookupError, ValueError):
        return _UTF8
    is_text = getattr(codec, "_is_text_encoding", False) and codec.name not in _NO_CHARSETS
    return codec.name if is_text else _UTF8


def _read(text: str, charset: str, bare: bool, secrets: frozenset[str]) -> Body:
    if not text:
        return _EMPTY
    if text[0] == "<":
        return _MARKUP
    if text[0] in '{["':
        try:
            return Body(BodyKind.JSON, parse_json(text, secrets))
        except ValueError:
            return UNREADABLE
    if text in _JSON_WORDS:
        return Body(BodyKind.JSON, json.loads(text))
    if not bare and _FORM_START.match(text):
        return Body(BodyKind.FORM, _form(text, charset, secrets))
    return Body(BodyKind.TEXT, text)


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) <= _MAX_DIGITS else float(digits)


def _refuse_constant(_name: str) -> None:
    raise _Unreadable


def _object_hook(secrets: frozenset[str]) -> Callable[[list[tuple[str, Any]]], dict[str, Any]]:
    def build(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            _refuse_disagreement(pairs, secrets)
        return found

    return build


def _refuse_disagreement(pairs: Sequence[tuple[str, Any]], secrets: frozenset[str]) -> None:
    first: dict[str, Any] = {}
    for name, value in pairs:
        if name in secrets and first.setdefault(name, value) != value:
            raise _Unreadable


def _form(text: str, charset: str, secrets: frozenset[str]) -> dict[str, str]:
    # Escapes are of the page's charset; where that is a wide one they can only be meant as UTF-8.
    octets = _UTF8 if charset.startswith(("utf-16", "utf-32")) else charset
    pairs = []
    for piece in text.split("&"):
        name, _, value = piece.partition("=")
        if piece:
            pairs.append((_unescape(name, octets), _unescape(value, octets)))
    found = dict(pairs)
    if len(found) != len(pairs):
        _refuse_disagreement(pairs, secrets)
    return found


def _unescape(text: str, charset: str) -> str:
    spaced = text.replace("+", " ")
    if "%" not in spaced:
        return spaced
    return unquote_to_bytes(spaced.encode(charset)).decode(charset)
