"""Tests of regular expressions that can't run for long."""

from __future__ import annotations

import contextlib
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyturn.core.format.patterns import MAX_TEXT, PatternError, check_pattern, found_in, matches_whole

FINE = [
    "[a-z]{2,10}",
    "^\\d{6}$",
    "[^@\\s]+@[^@\\s]+",
    "[a-z0-9-]+(\\.[a-z0-9-]+)*",
    "([a-z]+\\.)+[a-z]+",
    "(?:eu|us)-[0-9]",
    "(?P<a>x)y?",
    "a{3}b{2,}",
    "a{,3}",
    "[]a]+",
    "[^]]x",
    "\\x41\\u0041",
    "x{}y{a}",
    "(eu|us)?",
    "a*?b+?",
]
UNSAFE = [
    "(a+)+",
    "(a*)*b",
    "(a|a)*b",
    "(a|aa)+$",
    "([a-z]+)*x",
    "(a?){30}",
    "(?:a{1,50}){1,50}",
    "(\\.[a-z.]+)*",
    "([a-z.]+\\.)+",
    "(.\\.)*(x+)+",
    "((ab)*)*",
    "(x+x+)+y",
    "a+b+c+d+",
    "(?=a)b",
    "(?!a)b",
    "(?<=a)b",
    "(a)\\1",
    "(?P<n>a)(?P=n)",
    "(?i)a",
    "(a)(?(1)b|c)",
]
BROKEN = ["(", "[", "a**", "*a", "a{2,1}", "\\", "(?P<1>a)", "x" * 501]


@pytest.mark.parametrize("pattern", FINE)
def test_usual_patterns_are_fine(pattern: str) -> None:
    """What authors write for inputs and headers is taken."""
    check_pattern(pattern)

    assert not found_in(pattern, "") or matches_whole(pattern, "")


@pytest.mark.parametrize("pattern", UNSAFE)
def test_patterns_that_could_run_for_long_are_refused(pattern: str) -> None:
    """Nested repeats, repeated alternatives, and what can't be judged."""
    with pytest.raises(PatternError) as caught:
        check_pattern(pattern)

    assert caught.value.unsafe


@pytest.mark.parametrize("pattern", BROKEN)
def test_what_is_no_pattern_is_refused(pattern: str) -> None:
    """With words of ours, not those of the library, which quote the pattern."""
    with pytest.raises(PatternError) as caught:
        check_pattern(pattern)

    assert not caught.value.unsafe
    assert "regular expression" in str(caught.value)


@pytest.mark.parametrize("pattern", ["[a-z]+[a-z]+[a-z]+!", ".*.*.*x", "([a-z]+\\.)+[a-z]+!", "\\w+\\w+@\\w+"])
@pytest.mark.parametrize("text", ["a" * 70_000, "a." * 35_000, "aaaa@" * 14_000])
def test_the_worst_that_is_allowed_ends_soon(pattern: str, text: str) -> None:
    """Three open-ended repeats on hostile text: the length that is looked at bounds the time."""
    begin = time.perf_counter()
    found_in(pattern, text)
    for length in MAX_TEXT:
        matches_whole(pattern, text[:length])

    assert time.perf_counter() - begin < 5


def test_the_whole_value_has_to_match() -> None:
    """A pattern of a field is about all of the value; one of a header about any part."""
    assert matches_whole("[a-z]+", "abc")
    assert not matches_whole("[a-z]+", "abc\n")
    assert found_in("[a-z]+", "12 abc 34")
    assert not found_in("[a-z]{4}", "12 abc 34")


def test_a_text_that_is_too_long_does_not_match() -> None:
    """One open-ended repeat looks at 8,192 characters."""
    assert matches_whole("a+", "a" * MAX_TEXT[1])
    assert not matches_whole("a+", "a" * (MAX_TEXT[1] + 1))
    assert found_in("x", "a" * (MAX_TEXT[0] - 1) + "x")
    assert not found_in("x", "a" * MAX_TEXT[0] + "x")


@given(st.text(alphabet="ab()[]{}|*+?.\\^$-,1:P<>=!", max_size=20))
def test_checking_never_raises_anything_else(pattern: str) -> None:
    """Any text is either a pattern that is safe, or refused in words of ours."""
    begin = time.perf_counter()
    with contextlib.suppress(PatternError):
        check_pattern(pattern)
        found_in(pattern, "ab" * 1_000)

    assert time.perf_counter() - begin < 5
