"""What the audit log keeps of an answer without a token: status, code and names; no value, no name that may be one."""

from __future__ import annotations

import json
from typing import Any

import pytest

from keyturn.core.answers.token_response import read_answer
from keyturn.core.connector import Failure, FailureClass, ResponseMapping, When
from keyturn.core.errors import OtpInvalid, ProviderTimeout
from keyturn.core.messages import Answer
from keyturn.core.renewal.plan import SendOutcome, classify
from keyturn.engine.audit.answer_facts import answer_facts, answered_as
from keyturn.engine.send import Sent, error_of

LOCKED = Failure(When(body="message == 'locked'"), FailureClass.LOCKED)


def sent(status: int, body: Any, *, complete: bool = True) -> Sent:
    """A send that was answered so."""
    text = body if isinstance(body, str) else json.dumps(body)
    answer = Answer(status, body=text.encode() if complete else b"", complete=complete)
    reading = read_answer(answer, mapping=ResponseMapping(), failures=(LOCKED,))
    error = error_of(reading, answer)
    return Sent(classify(reading, status), error, failure=reading.failure, answer=answer, body=reading.body)


@pytest.mark.parametrize(
    ("answered", "facts"),
    [
        pytest.param(sent(400, {"error": "invalid_grant"}), {"status": 400, "error": "invalid_grant"}, id="an error"),
        pytest.param(
            sent(400, {"error": "rt-8fK2mQ9xLw3ZpT7v"}),
            {"status": 400, "members": ["error"]},
            id="an error that is none",
        ),
        pytest.param(sent(503, "<p>"), {"status": 503}, id="a status says all"),
        pytest.param(sent(400, {"message": "locked"}), {"status": 400, "failure": "locked"}, id="described"),
        pytest.param(
            sent(401, {"message": "no such token", "code": 7}),
            {"status": 401, "members": ["code", "message"]},
            id="names",
        ),
        pytest.param(sent(401, "reason=gone&x=1"), {"status": 401, "members": ["reason", "x"]}, id="names of a form"),
        pytest.param(sent(401, ["a"]), {"status": 401}, id="a list has none"),
        pytest.param(sent(401, {}), {"status": 401}, id="an object without any"),
        pytest.param(
            sent(200, {"error": "weird_word", "hint": "x"}),
            {"status": 200, "error": "weird_word", "members": ["error", "hint"]},
            id="a success that is none",
        ),
        pytest.param(sent(200, "", complete=False), {"status": 200, "cut": True}, id="cut"),
        pytest.param(
            sent(400, {"a b": 1, "rt-8fK2mQ9xLw3ZpT7v": 1, "n" * 33: 1, "ada@example.com": 1, "ok": True}),
            {"status": 400, "members": ["ok"]},
            id="names that may be values",
        ),
        pytest.param(
            sent(400, {f"m{n}": n for n in range(20)}),
            {"status": 400, "members": ["m0", "m1", "m10", "m11", "m12", "m13", "m14", "m15"]},
            id="eight at most",
        ),
        pytest.param(sent(200, "{"), {"status": 200, "unreadable": True}, id="half of an object"),
        pytest.param(sent(401, "<p>"), {"status": 401, "unreadable": True}, id="a page"),
        pytest.param(sent(200, "fine"), {"status": 200}, id="a text that is no token"),
        pytest.param(Sent(SendOutcome.NO_ANSWER, ProviderTimeout()), {}, id="no answer"),
    ],
)
def test_facts(answered: Sent, facts: dict[str, Any]) -> None:
    """What helps an author, and nothing that a provider wrote."""
    assert facts == answer_facts(answered)


def test_a_token_leaves_none() -> None:
    """A renewal that succeeded costs no bytes for it."""
    answer = Answer(200, body=b'{"access_token": "a"}')

    assert {} == answer_facts(Sent(SendOutcome.TOKEN, answer=answer))


@pytest.mark.parametrize(
    ("answered", "refresh", "word"),
    [
        pytest.param(sent(400, {"error": "invalid_grant"}), True, "grant_lost", id="a dead refresh token"),
        pytest.param(sent(400, {"error": "invalid_grant"}), False, "provider_credentials_rejected", id="a password"),
        pytest.param(sent(403, {"error": "mfa_required"}), False, "challenge_required", id="a further step"),
        pytest.param(sent(403, {"error": "mfa_required"}), True, "challenge_required", id="the same at a refresh"),
        pytest.param(Sent(SendOutcome.CHALLENGE, OtpInvalid()), False, "provider_otp_invalid", id="a wrong code"),
        pytest.param(sent(400, {"message": "locked"}), True, "provider_account_locked", id="by its own class"),
        pytest.param(sent(401, {}), True, "provider_bad_response", id="nothing describes it"),
        pytest.param(Sent(SendOutcome.TOKEN), True, "ok", id="a token"),
    ],
)
def test_the_word_for_an_answer(answered: Sent, refresh: bool, word: str) -> None:
    """It blames nothing that was not sent."""
    assert word == answered_as(answered, refresh=refresh)
