"""Spans and instants, in all the ways in which providers say them."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyturn.core.answers.lifetimes import LONGEST_S, expiry, parse_http_date, read_number, usual_expiry, wait_s
from keyturn.core.connector import ExpiryUnit

NOW = 1_790_000_000.25
HOUR = 1_790_003_600.0  # 2026-09-21T15:13:20Z


def _jwt(claims: object) -> str:
    payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    return f"eyJhbGciOiJub25lIn0.{payload}."


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param(3600, 3600.0, id="whole"),
        pytest.param(0.5, 0.5, id="fraction"),
        pytest.param(0, 0.0, id="zero"),
        pytest.param(" 3600.25\n", 3600.25, id="text, blanks around it"),
        pytest.param("3600." + "0" * 100, 3600.0, id="a long fraction"),
        pytest.param("3600.", None, id="a point without a fraction"),
        pytest.param(".5", None, id="a fraction alone"),
        pytest.param("+1", None, id="a plus"),
        pytest.param("-1", None, id="a minus"),
        pytest.param("1e3", None, id="an exponent"),
        pytest.param("1_000", None, id="Python's underscore"),
        pytest.param("٣٦٠٠", None, id="digits of another script"),
        pytest.param("3600\xa0", None, id="another blank"),
        pytest.param("", None, id="empty"),
        pytest.param(-1, None, id="negative"),
        pytest.param(True, None, id="a boolean is no number"),
        pytest.param(float("nan"), None, id="NaN"),
        pytest.param(float("inf"), None, id="infinite"),
        pytest.param(10**400, None, id="beyond a float"),
        pytest.param([3600], None, id="list"),
        pytest.param(None, None, id="null"),
    ],
)
def test_read_number(value: object, expected: float | None) -> None:
    """A number or ASCII digits; anything else is as if absent."""
    assert expected == read_number(value)


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [
        pytest.param("60", ExpiryUnit.SECONDS, NOW + 60, id="seconds"),
        pytest.param(0, ExpiryUnit.SECONDS, NOW, id="no seconds at all"),
        pytest.param(3_600_000, ExpiryUnit.MILLISECONDS, NOW + 3600, id="milliseconds"),
        pytest.param(30, ExpiryUnit.MINUTES, NOW + 1800, id="minutes"),
        pytest.param(HOUR, ExpiryUnit.ABSOLUTE_SECONDS, HOUR, id="absolute"),
        pytest.param(1, ExpiryUnit.ABSOLUTE_SECONDS, 1.0, id="one second after the epoch"),
        pytest.param(0, ExpiryUnit.ABSOLUTE_SECONDS, None, id="the epoch"),
        pytest.param(HOUR * 1000, ExpiryUnit.ABSOLUTE_MILLISECONDS, HOUR, id="absolute milliseconds"),
        pytest.param(LONGEST_S, ExpiryUnit.SECONDS, NOW + LONGEST_S, id="a hundred years"),
        pytest.param(LONGEST_S + 1, ExpiryUnit.SECONDS, None, id="a second more"),
        pytest.param(HOUR * 1000, ExpiryUnit.ABSOLUTE_SECONDS, None, id="milliseconds taken for seconds"),
        pytest.param("2026-09-21T15:13:20Z", ExpiryUnit.ISO8601, HOUR, id="ISO"),
        pytest.param("2026-09-21t15:13:20z", ExpiryUnit.ISO8601, HOUR, id="ISO in lower case"),
        pytest.param("2026-09-21T15:13:20", ExpiryUnit.ISO8601, HOUR, id="ISO without a zone is UTC"),
        pytest.param("2026-09-21T17:13:20.0000000+02:00", ExpiryUnit.ISO8601, HOUR, id="ISO, seven digits, a zone"),
        pytest.param("0001-01-01T00:00:00+23:59", ExpiryUnit.ISO8601, None, id="ISO before the first year"),
        pytest.param("9999-12-31T23:59:59Z", ExpiryUnit.ISO8601, None, id="ISO, the last year"),
        pytest.param("2026-13-01", ExpiryUnit.ISO8601, None, id="ISO, no such month"),
        pytest.param("2026-09-21 15:13:20", ExpiryUnit.ISO8601, HOUR, id="ISO, a blank for the T"),
        pytest.param("20260921T151320Z", ExpiryUnit.ISO8601, HOUR, id="ISO, the basic form"),
        pytest.param("2026-09-21x15:13:20", ExpiryUnit.ISO8601, None, id="another letter for the T"),
        pytest.param(HOUR, ExpiryUnit.ISO8601, None, id="a number is no ISO date"),
        pytest.param("Mon, 21 Sep 2026 15:13:20 GMT", ExpiryUnit.HTTP_DATE, HOUR, id="HTTP date"),
        pytest.param(_jwt({"exp": HOUR}), ExpiryUnit.JWT_EXP, HOUR, id="JWT"),
        pytest.param(_jwt({"exp": HOUR + 0.75}), ExpiryUnit.JWT_EXP, HOUR + 0.75, id="JWT, a fraction"),
        pytest.param(_jwt({"exp": HOUR, "groups": "g" * 100_000}), ExpiryUnit.JWT_EXP, HOUR, id="a long JWT"),
        pytest.param(_jwt({"iat": HOUR}), ExpiryUnit.JWT_EXP, None, id="JWT without exp"),
        pytest.param(_jwt({"exp": True}), ExpiryUnit.JWT_EXP, None, id="JWT, exp a boolean"),
        pytest.param(_jwt([HOUR]), ExpiryUnit.JWT_EXP, None, id="JWT, no object"),
        pytest.param(f"a.{'A' * 5}.b", ExpiryUnit.JWT_EXP, None, id="JWT, no Base64"),
        pytest.param("a.////.b", ExpiryUnit.JWT_EXP, None, id="JWT, the other Base64"),
        pytest.param(_jwt({"exp": HOUR}) + ".x", ExpiryUnit.JWT_EXP, None, id="four parts"),
        pytest.param("opaque", ExpiryUnit.JWT_EXP, None, id="no JWT"),
    ],
)
def test_expiry(value: object, unit: ExpiryUnit, expected: float | None) -> None:
    """Each unit is read as the connector says, and what is unbelievable is as if absent."""
    assert expected == expiry(value, unit, now=NOW)


@given(st.floats(min_value=1e9, max_value=4e9))
def test_a_hundred_years_are_believed_whenever_they_begin(now: float) -> None:
    """The bound is the bound also where the clock has a fraction that a sum of floats can't keep."""
    assert expiry(LONGEST_S, ExpiryUnit.SECONDS, now=now) is not None
    assert expiry(LONGEST_S + 1, ExpiryUnit.SECONDS, now=now) is None


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        pytest.param({"expires_in": 60, "expires_at": HOUR, "expires": 5}, NOW + 60, id="expires_in first"),
        pytest.param({"expires_in": None, "expires_at": HOUR, "expires": 5}, HOUR, id="then expires_at"),
        pytest.param({"expires_in": "soon", "expires_at": "", "expires": 5}, NOW + 5, id="then expires, small"),
        pytest.param({"expires": HOUR}, HOUR, id="expires, large"),
        pytest.param({"expires": 999_999_999}, NOW + 999_999_999, id="the largest small one"),
        pytest.param({"expires": 1_000_000_000}, 1_000_000_000.0, id="the smallest large one"),
        pytest.param({"expires_at": 3600}, 3600.0, id="expires_at is always an instant"),
        pytest.param({"issued_at": HOUR}, None, id="issued_at is none"),
        pytest.param({"expires_at": "2026-09-21T15:13:20Z"}, None, id="words"),
    ],
)
def test_usual_expiry(members: dict[str, object], expected: float | None) -> None:
    """The first of the three names that can be read counts."""
    assert expected == usual_expiry(members, now=NOW)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("Monday, 21-Sep-26 15:13:20 GMT", HOUR, id="RFC 850"),
        pytest.param("Mon Sep 21 15:13:20 2026", HOUR, id="asctime"),
        pytest.param("Mon, 21-Sep-2026 15:13:20 GMT", HOUR, id="as cookies have it"),
        pytest.param("21 Sep 2026 15:13:20", HOUR, id="no day, no zone"),
        pytest.param("Mon, 21 Sep 2026 17:13:20 +0200", HOUR, id="a zone"),
        pytest.param("Mon, 21 Sep 2026 09:43:20 -0530", HOUR, id="a zone behind"),
        pytest.param("Thu, 01-Jan-70 00:00:01 GMT", 1.0, id="two digits, 1970"),
        pytest.param("Mon, 21 Sep 2026 15:13:20 EST", None, id="a named zone"),
        pytest.param("Mon, 21 Okt 2026 15:13:20 GMT", None, id="another language"),
        pytest.param("Mon, 31 Jun 2026 15:13:20 GMT", None, id="no such day"),
        pytest.param("Mon, 21 Sep 2026 25:13:20 GMT", None, id="no such hour"),
        pytest.param("Mon, 21 Sep 2026 15:13:20 +9999", None, id="no such zone"),
        pytest.param("0", None, id="a number"),
        pytest.param("x" * 1_000_000, None, id="a long text"),
        pytest.param(None, None, id="nothing"),
    ],
)
def test_parse_http_date(text: object, expected: float | None) -> None:
    """The three forms of HTTP and the one of cookies; anything else is none."""
    assert expected == parse_http_date(text)


@given(st.integers(min_value=0, max_value=4_102_444_799))
def test_http_dates_come_back(instant: int) -> None:
    """What the standard library writes is read as the same instant."""
    assert instant == parse_http_date(format_datetime(datetime.fromtimestamp(instant, UTC), usegmt=True))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param("3", 3.0, id="seconds"),
        pytest.param("0", 0.0, id="at once"),
        pytest.param("Mon, 21 Sep 2026 14:15:20 GMT", 119.75, id="date"),
        pytest.param("Mon, 21 Sep 2020 14:15:20 GMT", 0.0, id="a date that has passed"),
        pytest.param("-5", None, id="negative"),
        pytest.param("soon", None, id="a word"),
        pytest.param("9" * 20, None, id="longer than anybody waits"),
        pytest.param(None, None, id="absent"),
    ],
)
def test_wait_s(value: object, expected: float | None) -> None:
    """`Retry-After` is seconds or a date."""
    assert expected == wait_s(value, now=NOW)


@given(st.text() | st.floats() | st.integers() | st.none() | st.booleans(), st.sampled_from(ExpiryUnit))
def test_no_lifetime_raises(value: object, unit: ExpiryUnit) -> None:
    """Whatever stands there, the result is believable or None."""
    found = expiry(value, unit, now=NOW)

    assert found is None or 0 < found <= NOW + LONGEST_S
