"""JMESPath expressions of connectors, and the places in an answer where a value may stand.

Rule 1: an expression is checked when its connector is read, its functions too, which the library looks up only
when it runs.
Rule 2: a place is a JMESPath on the body, `header:NAME`, `cookie:NAME`, or `@` for the whole body.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any, Final

import jmespath
from jmespath.exceptions import JMESPathError
from jmespath.functions import Functions

MAX_EXPRESSION: Final = 1_000
HEADER_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")  # RFC 9110 section 5.6.2, token
_HEADER_PLACE: Final = re.compile(rf"(?:header|cookie):({HEADER_NAME.pattern})")
# texts of both kinds are passed over; group 1 is what stands between backticks
_LITERAL: Final = re.compile(r"""'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|`((?:\\.|[^`\\])*)`""", re.DOTALL)
_MAX_NESTING: Final = 60  # the library recurses once per level and more
_FUNCTIONS: Final = sorted(Functions.FUNCTION_TABLE)


class ExpressionError(ValueError):
    """The text is no expression; the message says why, in words of ours."""


def check_expression(text: str) -> None:
    """Refuse what is no JMESPath expression, or calls a function that doesn't exist.

    Raises:
        ExpressionError: with a message that holds nothing of the text.
    """
    if len(text) > MAX_EXPRESSION:
        raise ExpressionError(f"an expression has at most {MAX_EXPRESSION} characters")
    if sum(text.count(opening) for opening in "([{&!") > _MAX_NESTING:
        raise ExpressionError("the expression is nested too deep")
    _check_literals(text)
    try:
        parsed = jmespath.compile(text).parsed
    except JMESPathError as error:
        position = getattr(error, "lex_position", None)
        where = f", near its character {position + 1}" if isinstance(position, int) else ""
        raise ExpressionError(f"expected a JMESPath expression{where}") from None
    except (ValueError, RecursionError, TypeError, KeyError, IndexError):  # the library's own slips on odd input
        raise ExpressionError("expected a JMESPath expression") from None
    for name in _called(parsed):
        if name not in Functions.FUNCTION_TABLE:
            close = get_close_matches(name[:64], _FUNCTIONS, n=1)
            hint = f"did you mean {close[0]}()?" if close else f"there are {', '.join(_FUNCTIONS)}"
            raise ExpressionError(f"JMESPath has no such function; {hint}")


def check_place(text: str) -> None:
    """Refuse what names no place in an answer.

    Raises:
        ExpressionError: with a message that holds nothing of the text.
    """
    if text.startswith(("header:", "cookie:")):
        if not _HEADER_PLACE.fullmatch(text):
            raise ExpressionError("after header: or cookie: stands a name")
        return
    check_expression(text)


def _check_literals(text: str) -> None:
    """The library takes what is no JSON as text, with a warning; the specification dropped that."""
    for literal in _LITERAL.finditer(text):
        if literal.group(1) is not None:
            try:
                json.loads(literal.group(1).replace("\\`", "`"))
            except (ValueError, RecursionError):
                raise ExpressionError("between backticks stands JSON; a text stands in single quotes") from None


def _called(node: Any) -> Iterator[str]:
    """Walk over the names of the functions that an expression calls, without recursion."""
    waiting = [node]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            if one.get("type") == "function_expression":
                yield str(one.get("value"))
            waiting.extend(one.get("children", ()))
