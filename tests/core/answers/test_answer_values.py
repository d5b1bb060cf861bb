"""Places in an answer, and conditions on one."""

from __future__ import annotations

import pytest

from keyturn.core.answers.answer_body import decode_body
from keyturn.core.answers.answer_values import extract, matches
from keyturn.core.connector import When
from keyturn.core.messages import Answer

NOW = 1_790_000_000.0  # 2026-09-21


def _extract(where: str, *headers: tuple[str, str], body: bytes = b'{"a": {"b": 1}}') -> object:
    answer = Answer(200, headers, body, NOW)
    return extract(where, answer, decode_body(answer))


@pytest.mark.parametrize(
    ("where", "headers", "expected"),
    [
        pytest.param("a.b", [], 1, id="JMESPath"),
        pytest.param("a.c", [], None, id="nowhere"),
        pytest.param("header:X-Token", [("x-token", " t ")], "t", id="header, blanks cut"),
        pytest.param("header:X-Token", [("x-tokens", "t")], None, id="another header"),
        pytest.param("header:X-Token", [("x-token", "t"), ("X-Token", "t")], "t", id="header twice, agreeing"),
        pytest.param("header:X-Token", [("x-token", "t"), ("X-Token", "u")], None, id="header twice, disagreeing"),
    ],
)
def test_places(where: str, headers: list[tuple[str, str]], expected: object) -> None:
    """A value of the body or of a header."""
    assert expected == _extract(where, *headers)


@pytest.mark.parametrize(
    ("cookies", "expected"),
    [
        pytest.param(["s=t"], "t", id="bare"),
        pytest.param(["s = t ; Path=/"], "t", id="blanks around it"),
        pytest.param(['s="t"; HttpOnly'], "t", id="quoted"),
        pytest.param(['s="'], '"', id="one quote is a value"),
        pytest.param(["s=a=b=="], "a=b==", id="equals signs in it"),
        pytest.param(["S=t"], None, id="another case is another cookie"),
        pytest.param(["xs=t"], None, id="the name a suffix"),
        pytest.param(["a=1; s=t"], None, id="an attribute of another cookie"),
        pytest.param(["s"], None, id="no value"),
        pytest.param(["s="], None, id="empty: deleted"),
        pytest.param(["s=t; Max-Age=0"], None, id="no age: deleted"),
        pytest.param(["s=t; max-age=-1"], None, id="negative age: deleted"),
        pytest.param(["s=t; Max-Age=1"], "t", id="one second"),
        pytest.param(["s=t; Max-Age=no"], "t", id="an age that is none"),
        pytest.param(["s=t; Expires=Thu, 01 Jan 1970 00:00:00 GMT"], None, id="expired"),
        pytest.param(["s=t; expires=Thu, 01-Jan-70 00:00:00 GMT"], None, id="expired, the old form"),
        pytest.param(["s=t; Expires=Mon, 21 Sep 2026 15:13:20 GMT"], "t", id="not yet expired"),
        pytest.param(["s=t; Expires=0"], "t", id="no date: a session's cookie"),
        pytest.param(["s=t; Max-Age=9; Expires=Thu, 01 Jan 1970 00:00:00 GMT"], "t", id="the age wins"),
        pytest.param(["s=t; Expires=Mon, 21 Sep 2026 15:13:20 GMT; Max-Age=0"], None, id="the age wins, deleting"),
        pytest.param(["s=t", "s=u"], "u", id="the last one counts"),
        pytest.param(["s=; Max-Age=0", "s=t"], "t", id="deleted, then set"),
        pytest.param(["s=t", "s=; Max-Age=0"], None, id="set, then deleted"),
        pytest.param([f"s=t; Max-Age={'9' * 5000}"], "t", id="a very long life"),
        pytest.param([f"s=t; Max-Age=-{'9' * 5000}"], None, id="very long gone"),
        pytest.param(["s=t; Max-Age=00"], None, id="two zeros"),
        pytest.param(["s=t; Max-Age=01"], "t", id="a second, a zero before it"),
    ],
)
def test_cookies(cookies: list[str], expected: str | None) -> None:
    """What a browser would hold afterwards."""
    assert expected == _extract("cookie:s", *(("Set-Cookie", each) for each in cookies))


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        pytest.param(When(), True, id="nothing asked"),
        pytest.param(When(status=frozenset({400, 403})), True, id="status listed"),
        pytest.param(When(status=frozenset({401})), False, id="status not listed"),
        pytest.param(When(body="code == 'otp'"), True, id="body"),
        pytest.param(When(body="code == 'x'"), False, id="body false"),
        pytest.param(When(body="zero"), True, id="zero is true"),
        pytest.param(When(body="empty"), False, id="an empty list is not"),
        pytest.param(When(body="code =="), False, id="no expression"),
        pytest.param(When(header={"x-otp": "req"}), True, id="header, found inside"),
        pytest.param(When(header={"x-otp": "^req"}), False, id="header, not at its start"),
        pytest.param(When(header={"x-none": ".*"}), False, id="a header that is not there"),
        pytest.param(When(header={"x-otp": "("}), False, id="no pattern"),
        pytest.param(When(frozenset({403}), "code", {"x-otp": "req", "a": "b"}), False, id="all but one hold"),
        pytest.param(When(frozenset({403}), "code", {"x-otp": "req"}), True, id="all hold"),
    ],
)
def test_conditions(when: When, expected: bool) -> None:
    """All parts that are given must hold."""
    answer = Answer(403, (("X-OTP", "is required"),), b'{"code": "otp", "zero": 0, "empty": []}')

    assert expected is matches(when, answer, decode_body(answer))


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param(b"<html>", False, id="markup"),
        pytest.param(b'{"a"', False, id="broken JSON"),
        pytest.param(b"", True, id="empty"),
        pytest.param(b"null", True, id="null"),
        pytest.param(b"denied", True, id="text"),
    ],
)
def test_a_denial_holds_of_what_was_read_only(body: bytes, expected: bool) -> None:
    """ "There is no token in it" is not true of a page that could not be read."""
    answer = Answer(403, (), body)

    assert expected is matches(When(body="!access_token"), answer, decode_body(answer))


def test_text_is_the_whole_body() -> None:
    """A condition can look at bare text."""
    answer = Answer(400, (), b"Account locked\n")

    assert matches(When(body="contains(@, 'locked')"), answer, decode_body(answer))
