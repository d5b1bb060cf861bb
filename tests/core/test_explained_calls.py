"""What `why` says of calls and of the provider's answer: what a call would get now, and what was answered."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from keyturn.core.connection import State
from keyturn.core.explain import explain
from keyturn.core.problems import Cause, Who
from tests.core.connector_files import SMALLEST, changed, read
from tests.core.test_explain import ALARM, HOUR, NOW, PLAIN, SENT, SMALL, STABLE, because

LAST_RESORT = read(changed(("refresh", {"last_resort": True})))
REFUSED = "Calls get connection_needs_reconnect."
TO_ITS_END = "Calls are sent with the token in hand until it ends or the API refuses it"
LIVES: dict[str, Any] = {"expires_at": NOW + HOUR}
ENDED: dict[str, Any] = {"expires_at": NOW}
NO_END: dict[str, Any] = {"expires_at": None}
FAILING: dict[str, Any] = {"last_error": "provider_unavailable", "failures_in_a_row": 2}
LOST: dict[str, Any] = because(Cause.GRANT_LOST)
UNCERTAIN: dict[str, Any] = {"state": State.UNCERTAIN, "reason": "renewal_outcome_unknown", "intent": SENT}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        pytest.param(LOST | LIVES, f"{TO_ITS_END}, then they get connection_needs_reconnect.", id="lost, it lives"),
        pytest.param(LOST | ENDED, REFUSED, id="lost, it ended"),
        pytest.param(
            LOST | NO_END, "until the API refuses it, then they get connection_needs", id="lost, no known end"
        ),
        pytest.param(FAILING | LIVES | {"retry_at": NOW + 5}, f"{TO_ITS_END}.", id="failing, it lives"),
        pytest.param(FAILING | ENDED | {"retry_at": NOW + 5}, "Calls get provider_unavailable.", id="in its back-off"),
        pytest.param(FAILING | ENDED | {"retry_at": NOW}, "Calls wait for the renewal.", id="its back-off is over"),
        pytest.param({"intent": SENT} | ENDED, "Calls wait for the renewal.", id="being renewed"),
        pytest.param({"intent": SENT} | LIVES, f"{TO_ITS_END}.", id="being renewed, it lives"),
        pytest.param(UNCERTAIN | LIVES, f"{TO_ITS_END}, then they get connection_needs_reconnect.", id="uncertain"),
        pytest.param(UNCERTAIN | ENDED, REFUSED, id="uncertain, it ended"),
        pytest.param({"refreshable": False} | ENDED, REFUSED, id="nothing renews it"),
    ],
)
def test_what_a_call_would_get(change: dict[str, Any], said: str) -> None:
    """The code where it would be refused, and no promise that a refused token is taken."""
    assert said in explain(replace(PLAIN, **change), SMALL, NOW, None).text


@pytest.mark.parametrize(("ends", "said"), [(NOW, "Calls get connector_client_rejected."), (NOW + 1, TO_ITS_END)])
def test_what_a_call_gets_during_an_alarm(ends: float, said: str) -> None:
    """An alarm stops renewals, not tokens that live."""
    assert said in explain(replace(PLAIN, expires_at=ends), SMALL, NOW, ALARM).text


@pytest.mark.parametrize(
    ("retry_at", "renews_at", "at"),
    [
        pytest.param(NOW + 5, NOW - 60, NOW + 5, id="after the back-off"),
        pytest.param(NOW - 5, NOW - 60, NOW, id="it is over: now"),
        pytest.param(NOW + 5, None, NOW + 5, id="renewed by calls, after the back-off"),
        pytest.param(None, NOW + 60, NOW + 60, id="no back-off: when it is due"),
        pytest.param(None, None, None, id="by the call that needs it"),
    ],
)
def test_when_it_is_tried_again(retry_at: float | None, renews_at: float | None, at: float | None) -> None:
    """When it is due says when this generation should be renewed, the back-off when it may."""
    one = replace(PLAIN, **FAILING, retry_at=retry_at, renews_at=renews_at)

    assert at == explain(one, SMALL, NOW, None).next_step.at


def test_an_answer_that_is_no_token_is_not_told_as_a_lost_one() -> None:
    """A 200 with an error in it: what came is said, by its own code, uncertain and after the token's end."""
    read_wrong: dict[str, Any] = {"reason": "provider_answer_unknown", "last_answer": {"status": 200, "error": "odd"}}
    uncertain = explain(replace(PLAIN, **UNCERTAIN | read_wrong), SMALL, NOW, None)
    gone: dict[str, Any] = {**because(Cause.ANSWER_UNKNOWN), **read_wrong}
    lost = explain(replace(PLAIN, **gone), SMALL, NOW, None)
    silent = explain(replace(PLAIN, **UNCERTAIN), SMALL, NOW, None)

    assert "provider_answer_unknown" == uncertain.code == lost.code
    assert "renewal_outcome_unknown" == silent.code
    cut = replace(PLAIN, **UNCERTAIN, last_answer={"status": 200, "cut": True})
    assert "its answer could not be read" in explain(cut, SMALL, NOW, None).text
    for each in (uncertain, lost):
        assert "no token" in each.text
        assert "status 200 and the error odd" in each.text
        assert "lost" not in each.text
    assert "its answer was lost" in silent.text


@pytest.mark.parametrize("state", ["lost", "failing", "uncertain"])
def test_what_the_provider_answered(state: str) -> None:
    """Wherever a renewal brought no token."""
    change: dict[str, Any] = {"lost": LOST, "failing": FAILING, "uncertain": UNCERTAIN}[state]
    one = replace(PLAIN, **change, last_answer={"status": 400, "error": "invalid_grant"})

    assert "The provider answered with status 400 and the error invalid_grant." in explain(one, SMALL, NOW, None).text
    assert one.last_answer == explain(one, SMALL, NOW, None).provider
    assert "answered with" not in explain(replace(one, last_answer={}), SMALL, NOW, None).text


@pytest.mark.parametrize(
    ("change", "offered"),
    [
        pytest.param({}, True, id="after a refresh"),
        pytest.param({"refreshable": False}, False, id="it was a login"),
        pytest.param({"reason": "grant_lost"}, False, id="the refusal was known"),
        pytest.param({"last_answer": {"status": 200}}, False, id="no refusal"),
    ],
)
def test_the_author_is_offered_what_would_tell(change: dict[str, Any], offered: bool) -> None:
    """A dead refresh token that is refused in a way of the provider's own: step 3 can name that."""
    dead = because(Cause.ANSWER_UNKNOWN) | {"last_answer": {"status": 401, "members": ["code", "message"]}}
    found = explain(replace(PLAIN, **dead | change), SMALL, NOW, None)  # type: ignore[arg-type]

    assert offered == ('refresh.rejected_when: {status: [401], body: "code"}' in found.next_step.text)


def test_a_last_resort_that_is_left_is_said() -> None:
    """And one that is used up is not; what can be repeated without harm is nobody's move."""
    left = explain(replace(PLAIN, **UNCERTAIN), LAST_RESORT, NOW, None)
    spent = replace(PLAIN, **UNCERTAIN | {"intent": replace(SENT, last_resort=True)})
    harmless = explain(replace(PLAIN, **UNCERTAIN), STABLE, NOW, None)

    assert "sent once more when the token has ended, and never again" in left.next_step.text
    assert "once more" not in explain(spent, LAST_RESORT, NOW, None).next_step.text
    assert "once more" not in explain(replace(PLAIN, **UNCERTAIN), read(SMALLEST), NOW, None).next_step.text
    assert Who.NOBODY is harmless.who
