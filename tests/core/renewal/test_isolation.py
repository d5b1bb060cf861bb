"""The table of who may hold whom, row by row, each with the neighbours just outside it."""

from __future__ import annotations

import pytest

from keyturn.core.renewal.isolation import (
    RULES,
    Held,
    RequestKind,
    Told,
    Widened,
    hangs,
    host_wait_s,
    own_wait_s,
    rule_of,
    told_by,
)
from keyturn.core.renewal.plan import SendOutcome

K, T, H, W = RequestKind, Told, Held, Widened

ROWS = [
    pytest.param(K.REFRESH, T.WAIT, H.CONNECTION, W.HOST, id="a refresh that is told to wait"),
    pytest.param(K.LOGIN, T.WAIT, H.ACCOUNT, None, id="a login that is told to wait is never widened"),
    pytest.param(K.REVOKE, T.WAIT, H.ROW, W.HOST, id="a revocation that is told to wait"),
    pytest.param(K.REFRESH, T.SET_UP_WRONG, H.CONNECTION, W.ALARM, id="a refused set-up"),
    pytest.param(K.REFRESH, T.SCOPE_REFUSED, H.CONNECTION, W.ALARM, id="a refused scope"),
    pytest.param(K.REVOKE, T.SCOPE_REFUSED, H.NONE, None, id="a revocation's"),
    pytest.param(K.REFRESH, T.FAILED, H.CONNECTION, W.BREAKER, id="failures"),
    pytest.param(K.REFRESH, T.NO_ANSWER, H.CONNECTION, W.BREAKER, id="no answer"),
    pytest.param(K.LOGIN, T.FAILED, H.CONNECTION, W.BREAKER, id="failures of logins with the kept password"),
    pytest.param(K.REVOKE, T.SET_UP_WRONG, H.NONE, None, id="a revocation's client may be another's"),
    pytest.param(K.REVOKE, T.FAILED, H.NONE, None, id="a revocation that failed"),
    pytest.param(K.REFRESH, T.ANSWER, H.NONE, None, id="an answer about one grant"),
    pytest.param(K.REFRESH, T.TOKEN, H.NONE, None, id="a token"),
]


@pytest.mark.parametrize(("kind", "told", "held", "widened"), ROWS)
def test_what_holds_whom(kind: RequestKind, told: Told, held: Held, widened: Widened | None) -> None:
    """The design's table."""
    rule = rule_of(kind, told)

    assert (held, widened) == (rule.held, rule.widened)


@pytest.mark.parametrize("kind", [K.TEST, K.CALL])
@pytest.mark.parametrize("told", list(Told))
def test_a_test_and_a_call_hold_nobody(kind: RequestKind, told: Told) -> None:
    """Whatever they are told."""
    rule = rule_of(kind, told)

    assert (Held.NONE, None) == (rule.held, rule.widened)


EVIDENCE = [
    pytest.param(K.REFRESH, T.WAIT, 3, 3, None, True, id="three are told to wait"),
    pytest.param(K.REFRESH, T.WAIT, 2, 2, None, False, id="two are told to wait"),
    pytest.param(K.REFRESH, T.WAIT, 2, 2, 2, False, id="two of two: a wait is an account's, however few there are"),
    pytest.param(K.LOGIN, T.WAIT, 9, 9, 9, False, id="a login's never"),
    pytest.param(K.REFRESH, T.SET_UP_WRONG, 3, 3, 1000, True, id="three of many are refused"),
    pytest.param(K.REFRESH, T.SET_UP_WRONG, 2, 2, 1000, False, id="two of many"),
    pytest.param(K.REFRESH, T.SET_UP_WRONG, 2, 2, None, False, id="two of nobody knows how many"),
    pytest.param(K.REFRESH, T.SET_UP_WRONG, 2, 2, 2, True, id="two of two"),
    pytest.param(K.REFRESH, T.SET_UP_WRONG, 1, 1, 1, True, id="the only one"),
    pytest.param(K.REFRESH, T.SET_UP_WRONG, 1, 1, 0, True, id="the only one, which is not counted any more"),
    pytest.param(K.REFRESH, T.SCOPE_REFUSED, 3, 3, 1000, True, id="a scope is refused to three"),
    pytest.param(K.REFRESH, T.SCOPE_REFUSED, 2, 2, 1000, False, id="a scope, to two of many"),
    pytest.param(K.REFRESH, T.SCOPE_REFUSED, 2, 2, 2, True, id="a scope, to two of two"),
    pytest.param(K.REFRESH, T.SCOPE_REFUSED, 1, 9, 1, False, id="a scope, to the only one: a fact of its grant"),
    pytest.param(K.REFRESH, T.SCOPE_REFUSED, 1, 9, 0, False, id="a scope, to the only one, not counted any more"),
    pytest.param(K.REFRESH, T.FAILED, 2, 5, 1000, True, id="five failures of two"),
    pytest.param(K.REFRESH, T.FAILED, 1, 5, 1000, False, id="five failures of one of many"),
    pytest.param(K.REFRESH, T.FAILED, 1, 5, 1, True, id="five failures of the only one"),
    pytest.param(K.REFRESH, T.FAILED, 2, 4, 1000, False, id="four failures of two"),
]


@pytest.mark.parametrize(("kind", "told", "witnesses", "times", "of", "enough"), EVIDENCE)
def test_on_which_evidence(
    kind: RequestKind, told: Told, witnesses: int, times: int, of: int | None, enough: bool
) -> None:
    """What is held for others, and what is not yet."""
    assert enough is rule_of(kind, told).enough(witnesses, times, of)


def test_evidence_against_others_is_of_several() -> None:
    """No row of the table widens on what one of many was told."""
    assert [] == [key for key, rule in RULES.items() if rule.enough(1, 1000, 1000)]


OUTCOMES = [
    pytest.param(SendOutcome.TOKEN, None, T.TOKEN, id="token"),
    pytest.param(SendOutcome.RATE_LIMITED, 60.0, T.WAIT, id="429 with a time"),
    pytest.param(SendOutcome.RATE_LIMITED, None, T.WAIT, id="429 without"),
    pytest.param(SendOutcome.UNAVAILABLE, 60.0, T.WAIT, id="503 with a time"),
    pytest.param(SendOutcome.UNAVAILABLE, None, T.FAILED, id="503 without"),
    pytest.param(SendOutcome.NOT_SENT, None, T.FAILED, id="not reached"),
    pytest.param(SendOutcome.NO_ANSWER, None, T.NO_ANSWER, id="no answer"),
    pytest.param(SendOutcome.SETUP_WRONG, None, T.SET_UP_WRONG, id="set-up"),
    pytest.param(SendOutcome.SCOPE_REFUSED, None, T.SCOPE_REFUSED, id="scope"),
    pytest.param(SendOutcome.REJECTED, None, T.ANSWER, id="refused"),
    pytest.param(SendOutcome.BLOCKED, None, T.ANSWER, id="blocked"),
    pytest.param(SendOutcome.CHALLENGE, None, T.ANSWER, id="challenge"),
    pytest.param(SendOutcome.UNCLASSIFIED, None, T.ANSWER, id="nonsense"),
    pytest.param(SendOutcome.UNCLASSIFIED_SUCCESS, None, T.ANSWER, id="a cut answer"),
]


@pytest.mark.parametrize(("outcome", "asked_s", "told"), OUTCOMES)
def test_what_an_outcome_says(outcome: SendOutcome, asked_s: float | None, told: Told) -> None:
    """Each outcome has a place in the table."""
    assert told is told_by(outcome, asked_s)


def test_how_long_is_waited() -> None:
    """The one who was told as it was asked, an hour at most; the host the shortest of all, a minute at a time."""
    assert [300.0, 3600.0, 0.0, 0.0] == [own_wait_s(each) for each in (300.0, 86_400.0, None, -5.0)]
    assert 20.0 == host_wait_s([300.0, 20.0, 90.0])
    assert 60.0 == host_wait_s([300.0, 3600.0, 90.0])
    assert 5.0 == host_wait_s([300.0, 0.0])


HANGS = [
    pytest.param(None, None, 50.0, False, id="nothing in flight"),
    pytest.param(40.0, None, 50.0, True, id="ten seconds, and none was ever answered"),
    pytest.param(40.1, None, 50.0, False, id="not yet"),
    pytest.param(40.0, 39.9, 50.0, True, id="the last answer was before it"),
    pytest.param(40.0, 40.0, 50.0, False, id="another was answered since"),
    pytest.param(10.0, 49.0, 50.0, False, id="one waits for long while others are answered"),
]


@pytest.mark.parametrize(("sent_at", "answered_at", "now", "expected"), HANGS)
def test_when_a_host_hangs(sent_at: float | None, answered_at: float | None, now: float, expected: bool) -> None:
    """One account that waits for long is no host that does."""
    assert expected is hangs(sent_at, answered_at, now)
