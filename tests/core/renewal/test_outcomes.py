"""How long a connection waits after each outcome, how failures are counted, and what is not tried for ever."""

from __future__ import annotations

from dataclasses import replace

import pytest

from keyturn.core.answers.token_response import Outcome, Reading, read_answer
from keyturn.core.connection import Connection, IntentKind
from keyturn.core.connector import ResponseMapping
from keyturn.core.messages import Answer
from keyturn.core.problems import Cause
from keyturn.core.renewal.plan import (
    FOLLOWS,
    Failing,
    Follow,
    SendOutcome,
    classify,
    failing,
    unknown_cause,
    wait_s,
    what_follows,
)

NOW = 10_000.0
DAY = 24 * 3600.0
MINUTES = [60.0, 120.0, 240.0, 480.0, 900.0, 900.0, 900.0]
JITTER = [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]  # half of 2 s doubled, cap 60 s
# By outcome: seconds after 1, 2 … 7 failures in a row with the die at one half, and where the provider asks for 90 s.
WAITS: dict[SendOutcome, tuple[list[float], float]] = {
    SendOutcome.SETUP_WRONG: (MINUTES, 60.0),
    SendOutcome.SCOPE_REFUSED: (MINUTES, 60.0),
    SendOutcome.RATE_LIMITED: (JITTER, 90.0),
    SendOutcome.UNAVAILABLE: (JITTER, 90.0),
    SendOutcome.NOT_SENT: (JITTER, 1.0),
    SendOutcome.UNCLASSIFIED: (JITTER, 1.0),
    SendOutcome.NO_ANSWER: (JITTER, 1.0),
}
PASSING = {Follow.WAIT_FOR_SETUP, Follow.WAIT_FOR_SCOPE, Follow.WAIT_AS_ASKED, Follow.BACK_OFF, Follow.THREE_TRIES}


@pytest.mark.parametrize("outcome", WAITS, ids=str)
def test_the_wait_of_each_outcome(outcome: SendOutcome) -> None:
    """What only the operator or the provider's owner can mend waits by minutes; what passes, by seconds or as asked."""
    waits, asked = WAITS[outcome]

    assert waits == [wait_s(outcome, failures, None, 0.5) for failures in range(1, 8)]
    assert asked == wait_s(outcome, 1, 90.0, 0.5)


def test_every_outcome_that_is_waited_for_has_a_row_here() -> None:
    """None is added without its wait."""
    waited = {each for kind in IntentKind for each in SendOutcome if FOLLOWS[kind][each] in PASSING}

    assert waited == WAITS.keys() - {SendOutcome.NO_ANSWER}


@pytest.mark.parametrize(("fraction", "first"), [(0.0, 0.2), (0.5, 1.0), (0.999, 1.998)])
def test_the_first_back_off_is_two_seconds_at_most(fraction: float, first: float) -> None:
    """And never nothing, so that no loop spins by it."""
    assert first == wait_s(SendOutcome.NOT_SENT, 1, None, fraction)


@pytest.mark.parametrize(
    ("asked", "waits"), [(3600.0, 3600.0), (3601.0, 3600.0), (0.1, 0.1), (0.0, 1.0), (-5.0, 1.0), (None, 1.0)]
)
def test_a_provider_asks_for_an_hour_at_most(asked: float | None, waits: float) -> None:
    """A wait of nothing, or one that is over, says nothing: then the back-off counts, or each second would send one."""
    assert waits == wait_s(SendOutcome.RATE_LIMITED, 1, asked, 0.5)


FAILED = Connection(
    "c", "acme", 1, "o", "n", "u", 0.0, 0.0, last_error="scope_insufficient", failures_in_a_row=4, failing_since=500.0
)


@pytest.mark.parametrize(
    ("outcome", "code", "wanted"),
    [
        pytest.param(SendOutcome.SCOPE_REFUSED, "scope_insufficient", Failing(5, 500.0), id="the same again"),
        pytest.param(SendOutcome.SETUP_WRONG, "connector_client_rejected", Failing(1, NOW), id="another that waits"),
        pytest.param(SendOutcome.UNCLASSIFIED, "provider_bad_response", Failing(1, NOW), id="the first of three tries"),
        pytest.param(SendOutcome.NOT_SENT, "provider_unreachable", Failing(5, NOW), id="a back-off grows with any"),
        pytest.param(SendOutcome.UNAVAILABLE, "provider_unavailable", Failing(5, NOW), id="so does what may be asked"),
    ],
)
def test_failures_are_counted_by_what_they_are(outcome: SendOutcome, code: str, wanted: Failing) -> None:
    """Three tries are three of the same, and a day of a refused scope begins with the first refusal."""
    assert wanted == failing(FAILED, IntentKind.REFRESH, outcome, code, NOW)


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        pytest.param({"failures_in_a_row": 0, "last_error": None, "failing_since": None}, Failing(1, NOW), id="first"),
        pytest.param({"failures_in_a_row": 0}, Failing(1, NOW), id="a success lies between"),
        pytest.param({"failing_since": None}, Failing(5, NOW), id="of an older release: since when is not known"),
        pytest.param({"failing_since": NOW + 9}, Failing(5, NOW), id="a clock that was set back"),
    ],
)
def test_since_when(change: dict[str, object], wanted: Failing) -> None:
    """Never later than now, and never from before a success."""
    one = replace(FAILED, **change)  # type: ignore[arg-type]

    assert wanted == failing(one, IntentKind.REFRESH, SendOutcome.SCOPE_REFUSED, "scope_insufficient", NOW)


@pytest.mark.parametrize("kind", IntentKind)
@pytest.mark.parametrize("outcome", SendOutcome)
def test_what_ends_by_itself_and_what_does_not(kind: IntentKind, outcome: SendOutcome) -> None:
    """Three tries and a day of a refused scope come to an end; a wrong set-up is waited for as long as it lasts."""
    follow = FOLLOWS[kind][outcome]
    third, second = Failing(3, NOW), Failing(2, NOW)
    day, almost = Failing(9, NOW - DAY), Failing(9, NOW - DAY + 0.001)

    tried = follow is Follow.THREE_TRIES
    assert (Follow.GRANT_LOST if tried else follow) == what_follows(kind, outcome, third, NOW)
    assert follow == what_follows(kind, outcome, second, NOW)
    if follow is Follow.WAIT_FOR_SCOPE:
        assert (Follow.GRANT_LOST, follow) == tuple(what_follows(kind, outcome, each, NOW) for each in (day, almost))
    elif not tried:
        assert follow == what_follows(kind, outcome, day, NOW)


def answer(status: int, body: bytes, *, complete: bool = True) -> Answer:
    """An answer as it came."""
    return Answer(status, (("Content-Type", "application/json"),), body, NOW, complete=complete)


@pytest.mark.parametrize(
    ("status", "body", "place"),
    [
        pytest.param(500, b'{"error": "invalid_grant"}', SendOutcome.UNAVAILABLE, id="the status is what counts"),
        pytest.param(599, b'{"error": "invalid_client"}', SendOutcome.UNAVAILABLE, id="to the last of them"),
        pytest.param(499, b'{"error": "invalid_grant"}', SendOutcome.REJECTED, id="one below"),
        pytest.param(429, b'{"error": "invalid_grant"}', SendOutcome.RATE_LIMITED, id="asked to wait"),
        pytest.param(400, b'{"error": "unauthorized_client"}', SendOutcome.SETUP_WRONG, id="the client may not"),
        pytest.param(200, b'{"error": "unauthorized_client"}', SendOutcome.SETUP_WRONG, id="the same, with a 200"),
        pytest.param(400, b'{"error": "unauthorized_clients"}', SendOutcome.UNCLASSIFIED, id="another word"),
        pytest.param(400, b'{"error": "invalid_scope"}', SendOutcome.SCOPE_REFUSED, id="the scope"),
        pytest.param(401, b'{"message": "no"}', SendOutcome.UNCLASSIFIED, id="no OAuth error"),
        pytest.param(200, b'{"error": "odd"}', SendOutcome.UNCLASSIFIED_SUCCESS, id="no token"),
    ],
)
def test_an_answer_of_a_provider_has_its_place(status: int, body: bytes, place: SendOutcome) -> None:
    """From the bytes to the row of the table."""
    reading = read_answer(answer(status, body), mapping=ResponseMapping())

    assert place is classify(reading, status)


def test_a_spoilt_success_is_no_silence() -> None:
    """The two ways not to know what became of a refresh token have two causes."""
    read: dict[str, object] = {"status": 200, "error": "odd", "members": ["error"]}

    assert Cause.ANSWER_UNKNOWN is unknown_cause(read)
    assert Cause.ANSWER_UNKNOWN is unknown_cause({"status": 200})
    assert Cause.OUTCOME_UNKNOWN is unknown_cause({"status": 200, "cut": True})
    assert Cause.OUTCOME_UNKNOWN is unknown_cause({"status": 200, "unreadable": True})
    assert Cause.OUTCOME_UNKNOWN is unknown_cause({})
    assert SendOutcome.UNCLASSIFIED_SUCCESS is classify(Reading(Outcome.MALFORMED), 200)
