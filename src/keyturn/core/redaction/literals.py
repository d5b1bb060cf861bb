"""JSON and Python literals inside a text, read as the structures that they are and changed in place.

Rule: the text keeps its blanks, its order and its quotes; only leaves that the walk changed are rewritten.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable
from typing import Final

from keyturn.core.redaction.structure import Walk
from keyturn.core.redaction.values import bracket_end

_MOST_TRIES: Final = 24
_LONGEST_LITERAL: Final = 20_000
_OPEN: Final = re.compile(r"[{\[](?=\s*[{\[(\"'\d\]}bBtfnTFN-])")
_TOKEN: Final = re.compile(
    r"\"(?:[^\"\\]|\\.)*+\"(?P<key>\s*:)?|[bBuUrR]?'(?:[^'\\]|\\.)*+'(?P<pykey>\s*:)?|(?<![\w.])-?\d[\d.eE+-]*+(?![\w])"
)


def mask_literals(text: str, new_walk: Callable[[], Walk]) -> str:
    """Hide the secrets of each JSON value or Python literal in `text`. Never raises."""
    pieces: list[str] = []
    done = place = tries = 0
    while tries < _MOST_TRIES and (match := _OPEN.search(text, place)) is not None:
        tries += 1
        at = match.start()
        read = _read_json(text, at) or _read_python(text, at)
        if read is None:
            place = at + 1
            continue
        value, place = read
        walk = new_walk()
        walk.value(value)
        if walk.changes:
            pieces += [text[done:at], _rewritten(text[at:place], walk.changes)]
            done = place
    return "".join([*pieces, text[done:]])


def _read_json(text: str, at: int) -> tuple[object, int] | None:
    try:
        value, end = _DECODER.raw_decode(text, at)
    except (ValueError, RecursionError):
        return None
    return value, end


_DECODER: Final = json.JSONDecoder()


def _read_python(text: str, at: int) -> tuple[object, int] | None:
    end = bracket_end(text, at, _LONGEST_LITERAL)
    if end - at >= _LONGEST_LITERAL or max(text.count("(", at, end), text.count("[", at, end)) > 400:
        return None
    try:
        return ast.literal_eval(text[at:end]), end
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None


def _rewritten(literal: str, changes: dict[str, str]) -> str:
    def shown(match: re.Match[str]) -> str:
        token = match.group()
        if match.group("key") is not None or match.group("pykey") is not None:
            return token
        if token[0] not in "\"'bBuUrR":
            return f'"{changes[token]}"' if token in changes else token
        try:
            value = json.loads(token, strict=False) if token[0] == '"' else ast.literal_eval(token)
        except (ValueError, SyntaxError):
            try:
                value = ast.literal_eval(token)
            except (ValueError, SyntaxError):
                return token
        plain = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
        if plain not in changes:
            return token
        if token[0] == '"':
            return json.dumps(changes[plain], ensure_ascii=token.isascii())
        return repr(changes[plain]) if token.isascii() is False else ascii(changes[plain])

    return _TOKEN.sub(shown, literal)
