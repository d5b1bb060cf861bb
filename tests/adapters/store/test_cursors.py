"""Cursors: what a list gave out comes back, and nothing that the database can't compare with."""

from __future__ import annotations

import base64

import pytest

from keyturn.adapters.store.rows.cursors import cursor_of, position_in
from keyturn.core.errors import ValidationFailed


def written(text: str) -> str:
    """A cursor that somebody made by hand."""
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


@pytest.mark.parametrize("position", [(1.5, "cxn_1"), (0.0, ""), (-1e18, "ü")])
def test_a_position_comes_back(position: tuple[float, str]) -> None:
    """As it was given out."""
    assert list(position) == position_in(cursor_of("connections", *position), "connections", float, str)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param('["audit", 9223372036854775808]', id="just over the largest"),
        pytest.param('["audit", -9223372036854775809]', id="just under the least"),
        pytest.param('["audit", 1.0]', id="another type"),
        pytest.param('["audit", true]', id="a truth value"),
        pytest.param('["other", 1]', id="another list"),
        pytest.param('["audit"]', id="no position"),
        pytest.param('{"audit": 1}', id="no list"),
        pytest.param("[" * 700, id="deep"),
    ],
)
def test_what_no_list_gave_out_is_refused(text: str) -> None:
    """As the caller's mistake, not as ours."""
    with pytest.raises(ValidationFailed):
        position_in(written(text), "audit", int)

    assert [2**63 - 1] == position_in(written(f'["audit", {2**63 - 1}]'), "audit", int)


@pytest.mark.parametrize("number", ["1e999", "-1e999", "NaN"])
def test_a_number_without_an_end_is_refused(number: str) -> None:
    """JSON has no such number, though its readers take it."""
    with pytest.raises(ValidationFailed):
        position_in(written(f'["connections", {number}, "x"]'), "connections", float, str)

    assert [1e9, "x"] == position_in(written('["connections", 1e9, "x"]'), "connections", float, str)
