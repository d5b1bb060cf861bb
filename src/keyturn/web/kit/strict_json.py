"""Strict JSON, as our own doors read it.

Rule 1: what two readers could understand differently is refused: duplicate members, NaN, lone surrogates.
Rule 2: nothing of a body is ever said back.

Sources: RFC 8259 sections 4 and 8.2; RFC 7493 (I-JSON).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final, NoReturn

from keyturn.core.errors import BadRequest

MAX_BODY_BYTES: Final = 256 * 1024
MAX_DEPTH: Final = 32
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


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
