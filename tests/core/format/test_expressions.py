"""Tests of JMESPath expressions and places, judged before they run."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyturn.core.answers.json_query import query
from keyturn.core.format.expressions import ExpressionError, check_expression, check_place


def is_fine(check: Callable[[str], None], text: str) -> bool:
    """Say whether a check lets a text pass."""
    try:
        check(text)
    except ExpressionError:
        return False
    return True


@pytest.mark.parametrize(
    ("text", "fine"),
    [
        pytest.param("error == 'mfa_required'", True, id="a comparison"),
        pytest.param("data[?a > `1`].b | [0]", True, id="a filter"),
        pytest.param("length(items)", True, id="a function"),
        pytest.param("sort_by(items, &lenght(a))", False, id="a function misspelt, inside"),
        pytest.param("@", True, id="the whole"),
        pytest.param("a ==", False, id="half a comparison"),
        pytest.param("", False, id="nothing"),
        pytest.param("a b", False, id="two"),
        pytest.param("header:X-Token", False, id="a header is no expression"),
        pytest.param("`{`", False, id="a literal that is no JSON"),
        pytest.param("[" * 70 + "a" + "]" * 70, False, id="nested too deep"),
        pytest.param("a" * 1_001, False, id="too long"),
        pytest.param("a" * 1_000, True, id="as long as may be"),
    ],
)
def test_an_expression(text: str, fine: bool) -> None:
    """What compiles and calls functions that exist is fine."""
    assert fine == is_fine(check_expression, text)


@pytest.mark.parametrize(
    ("text", "fine"),
    [
        pytest.param("header:X-Token", True, id="a header"),
        pytest.param("cookie:sid", True, id="a cookie"),
        pytest.param("@", True, id="the whole body"),
        pytest.param("data.token", True, id="a path"),
        pytest.param("header:", False, id="no name"),
        pytest.param("header:a b", False, id="a blank in the name"),
        pytest.param("header: X", False, id="a blank before the name"),
        pytest.param("Header:X", False, id="in capitals it is no expression either"),
    ],
)
def test_a_place(text: str, fine: bool) -> None:
    """A path, a header or a cookie."""
    assert fine == is_fine(check_place, text)


def test_the_message_names_the_nearest_function() -> None:
    """The library would find out only when the expression runs."""
    with pytest.raises(ExpressionError, match=r"did you mean length\(\)\?"):
        check_expression("lenght(a)")


@given(st.text(alphabet="ab.[]{}()|&!@*?`'\"=<>0-,: \\", max_size=30))
def test_checking_never_raises_anything_else(text: str) -> None:
    """Any text is an expression that can be run, or refused."""
    if is_fine(check_expression, text):
        query(text, {"a": [{"b": 1}], "b": "x"})

    assert is_fine(check_place, text) >= is_fine(check_expression, text)
