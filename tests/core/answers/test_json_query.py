"""JMESPath with a budget."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyturn.core.answers.json_query import fields_of, is_true, query

MANY = [{"a": {"b": n}} for n in range(60_000)]


@pytest.mark.parametrize(
    ("expression", "data", "expected"),
    [
        pytest.param("a.b", {"a": {"b": 1}}, 1, id="path"),
        pytest.param('"a-b"', {"a-b": "x"}, "x", id="quoted name"),
        pytest.param("@", "text", "text", id="the whole"),
        pytest.param("a", "text", None, id="a member of a text"),
        pytest.param("a ==", {}, None, id="no expression"),
        pytest.param("nope(@)", {}, None, id="no such function"),
        pytest.param("length(a)", {"a": 1}, None, id="wrong type"),
        pytest.param("a < b", {"a": 1, "b": "x"}, None, id="unlike types"),
        pytest.param("[::0]", [1], None, id="slice by zero"),
        pytest.param("ceil(a)", {"a": float("inf")}, None, id="infinite"),
        pytest.param("&a", {}, None, id="an expression as the result"),
        pytest.param("(" * 499 + "a" + ")" * 500, {"a": 1}, None, id="unbalanced and deep"),
        pytest.param("a" + " " * 1_000, {"a": 1}, None, id="too long"),
    ],
)
def test_query(expression: str, data: object, expected: object) -> None:
    """A value, or None where the expression leads nowhere or fails."""
    assert expected == query(expression, data)


@pytest.mark.parametrize(
    "expression",
    [
        pytest.param("[@,@][]|" * 60 + "@", id="a list that doubles"),
        pytest.param("join('',[to_string(@),to_string(@)])|" * 25 + "@", id="a text that doubles"),
        pytest.param("[*].[a.b,a.b,a.b,a.b,a.b,a.b,a.b]", id="many steps"),
    ],
)
def test_work_is_bounded(expression: str) -> None:
    """An expression that would take too long on a large body leads nowhere."""
    assert query(expression, MANY) is None


def test_ordinary_work_is_done() -> None:
    """Tens of thousands of members are no trouble."""
    assert 60_000 == query("length([*].a.b)", MANY)


@pytest.mark.parametrize("value", [None, False, "", [], {}])
def test_false_values(value: object) -> None:
    """Null, false and what is empty."""
    assert not is_true(value)


@pytest.mark.parametrize("value", [True, 0, 0.0, "0", "false", [0], {"": None}])
def test_true_values(value: object) -> None:
    """All else, zero too."""
    assert is_true(value)


def test_fields_of() -> None:
    """Every member that is read, wherever it stands in the expression; nothing for what is none."""
    assert {"data", "token", "x-y", "z"} == fields_of('data.token || "x-y"[0].z')
    assert frozenset() == fields_of("data.")


@pytest.mark.filterwarnings("ignore:deprecated string literal:PendingDeprecationWarning")  # the library's, on `a`
@given(st.text(alphabet="ab.[]*?|&(){}@!<=>'`\"\\,: 01-", max_size=30))
def test_no_expression_raises(expression: str) -> None:
    """Whatever an expression looks like, something or None comes out."""
    found = query(expression, {"a": [{"b": 1}, "x"], "b": {"a": None}})

    assert found is None or isinstance(found, str | int | float | bool | list | dict)
    assert all(isinstance(name, str) for name in fields_of(expression))
