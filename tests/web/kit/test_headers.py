"""Header names that mean something between neighbours."""

from __future__ import annotations

import pytest

from keyturn.web.kit.headers import named_by_connection


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        pytest.param([b"close"], {b"close"}, id="one"),
        pytest.param([b"Keep-Alive, X-Private"], {b"keep-alive", b"x-private"}, id="two, in any case"),
        pytest.param([b"a ,\tb", b"c"], {b"a", b"b", b"c"}, id="blanks, and a second line"),
    ],
)
def test_named_by_connection(values: list[bytes], expected: set[bytes]) -> None:
    """`Connection` names further headers that end here (RFC 9110 section 7.6.1)."""
    assert expected == named_by_connection(values)
