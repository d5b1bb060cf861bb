"""A provider's last answer in words, and the condition that an author is offered for it."""

from __future__ import annotations

from typing import Any

import pytest

from keyturn.core.answers.answer_body import Body, BodyKind
from keyturn.core.answers.answer_values import matches
from keyturn.core.connector import When
from keyturn.core.messages import Answer
from keyturn.core.renewal.last_answer import answer_words, rejected_when, rejected_when_text

NO_HINT: list[dict[str, Any]] = [
    {},
    {"status": 200, "members": ["error"]},
    {"status": 399},
    {"status": 429},
    {"status": 500, "error": "invalid_grant"},
    {"status": 400, "failure": "locked"},
]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        pytest.param({}, "", id="nothing is known"),
        pytest.param({"status": 503}, "The provider answered with status 503.", id="a status"),
        pytest.param(
            {"status": 400, "error": "invalid_grant", "members": ["error"]},
            "The provider answered with status 400 and the error invalid_grant.",
            id="an error before the names",
        ),
        pytest.param(
            {"status": 401, "members": ["code", "message"]},
            "The provider answered with status 401 and an answer that has: code, message.",
            id="names",
        ),
        pytest.param(
            {"status": 400, "failure": "password_expired"},
            "The provider answered with status 400, which the connector takes for password expired.",
            id="a failure of the connector's",
        ),
        pytest.param(
            {"status": 400, "unreadable": True},
            "The provider answered with status 400 and an answer that can't be read.",
            id="unreadable",
        ),
        pytest.param(
            {"status": 200, "cut": True}, "The provider answered with status 200, and the answer broke off.", id="cut"
        ),
    ],
)
def test_words(answer: dict[str, Any], words: str) -> None:
    """One sentence, of facts alone."""
    assert words == answer_words(answer)


@pytest.mark.parametrize(
    ("answer", "when"),
    [
        pytest.param({"status": 400}, {"status": [400]}, id="the first status of a refusal"),
        pytest.param({"status": 499}, {"status": [499]}, id="the last"),
        pytest.param({"status": 401, "members": ["x"]}, {"status": [401]}, id="a name that says nothing"),
        pytest.param(
            {"status": 401, "members": ["code", "message"]}, {"status": [401], "body": "code"}, id="a name that says no"
        ),
        pytest.param(
            {"status": 400, "error": "token_gone", "members": ["error"]},
            {"status": [400], "body": "error == 'token_gone'"},
            id="a word of its own",
        ),
    ],
)
def test_the_condition_that_would_tell(answer: dict[str, Any], when: dict[str, Any]) -> None:
    """It holds of the answer that it was made from, and is written as a file has it."""
    assert when == rejected_when(answer)
    text = rejected_when_text(when)
    assert text.startswith(f"refresh.rejected_when: {{status: [{answer['status']}]")
    assert ("body" in when) == ("body:" in text)
    members = dict.fromkeys(answer.get("members", ()), "x") | ({"error": answer["error"]} if "error" in answer else {})
    body = Body(BodyKind.JSON, members)
    condition = When(frozenset(when["status"]), when.get("body"))
    assert matches(condition, Answer(answer["status"]), body)


@pytest.mark.parametrize("answer", NO_HINT, ids=str)
def test_no_condition_of_what_is_no_refusal(answer: dict[str, Any]) -> None:
    """A success, a wait, the provider's trouble, and what the connector describes already."""
    assert None is rejected_when(answer)
