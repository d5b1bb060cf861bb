"""JMESPath on data that somebody else made: compiled once, bounded in time and memory, never raising.

Rule 1: whatever goes wrong while an expression runs, it leads nowhere; `expressions` judges it beforehand.
Rule 2: work is counted. Expressions can double a list or a text at each step, and a body may be large.

Source: the JMESPath specification (truth values, functions); its reference library, whose interpreter this bounds.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

import jmespath
from jmespath.exceptions import JMESPathError
from jmespath.parser import ParsedResult
from jmespath.visitor import TreeInterpreter

MAX_EXPRESSION: Final = 1_000
# Steps of the interpreter plus members and characters of what it builds; well under a second.
MAX_WORK: Final = 500_000
_BUILDERS: Final = frozenset(
    {
        "filter_projection",
        "flatten",
        "function_expression",
        "multi_select_dict",
        "multi_select_list",
        "projection",
        "slice",
        "value_projection",
    }
)
# What the library lets through besides its own errors: comparisons of unlike types, a slice by zero, ceil of infinity.
_SLIPS: Final = (JMESPathError, ValueError, TypeError, ArithmeticError, LookupError, AttributeError, RecursionError)


class _TooMuchWork(ValueError):
    """The expression would take too long on this data."""


class _BoundedInterpreter(TreeInterpreter):
    """The library's interpreter with a budget."""

    def __init__(self) -> None:
        super().__init__()
        self._left = MAX_WORK

    def visit(self, node: Any, *args: Any, **kwargs: Any) -> Any:
        self._left -= 1
        result = super().visit(node, *args, **kwargs)
        if node["type"] in _BUILDERS and isinstance(result, str | list | dict):
            self._left -= len(result)
        if self._left < 0:
            raise _TooMuchWork
        return result


def query(expression: str, data: Any) -> Any:
    """Return what `expression` finds in `data`, None where it leads nowhere, fails or would take too long."""
    compiled = _compiled(expression)
    if compiled is None:
        return None
    try:
        found = _BoundedInterpreter().visit(compiled.parsed, data)
    except _SLIPS:
        return None
    return found if isinstance(found, _JSON_TYPES) else None


_JSON_TYPES: Final = (str, int, float, bool, list, dict)


def is_true(value: object) -> bool:
    """Say whether JMESPath calls a value true: all but null, false and an empty text, list or object. 0 is true."""
    return not (value is None or value is False or (isinstance(value, str | list | dict) and not value))


def fields_of(expression: str) -> frozenset[str]:
    """The names of all members that an expression reads."""
    compiled = _compiled(expression)
    names = set()
    waiting: list[Any] = [] if compiled is None else [compiled.parsed]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            if node.get("type") == "field":
                names.add(str(node["value"]))
            waiting.extend(node.get("children", ()))
    return frozenset(names)


@lru_cache(maxsize=2048)
def _compiled(expression: str) -> ParsedResult | None:
    if len(expression) > MAX_EXPRESSION:
        return None
    try:
        return jmespath.compile(expression)
    except _SLIPS:
        return None
