"""Errors as answers."""

from __future__ import annotations

import json
from typing import Any

import pytest

from keyturn.core.errors import (
    ApiKeyExpired,
    Finding,
    ForbiddenScope,
    KeyturnError,
    LoginBudgetSpent,
    MethodNotAllowed,
    NeedsReconnect,
    ProviderBadResponse,
    Unauthenticated,
    ValidationFailed,
    leaves,
)
from keyturn.core.problems import PROBLEMS
from keyturn.web.kit.problems import problem_answer, problem_document


def test_a_problem_has_every_member_that_is_promised() -> None:
    """Code, words, status, whose move it is: everything comes from the register."""
    shown = problem_document(NeedsReconnect(), request_id="req_1", next_url="https://k.test/connect/1")

    assert {
        "type": "/problems/connection_needs_reconnect",
        "title": "Only the person can get another token.",
        "status": 409,
        "detail": "Only the person can get another token.",
        "code": "connection_needs_reconnect",
        "request_id": "req_1",
        "retryable": False,
        "retry_after": None,
        "next_action": {
            "who": "end_user",
            "text": "Send the person the reconnect link.",
            "url": "https://k.test/connect/1",
        },
    } == shown


@pytest.mark.parametrize("code", sorted(PROBLEMS))
def test_each_code_can_be_shown(code: str) -> None:
    """No code of the register is without status and next step."""
    kind = next((kind for kind in leaves() if kind.code == code and kind.__init__ is KeyturnError.__init__), None)
    error = kind("detail") if kind else KeyturnError("detail")
    answer = problem_answer(error, request_id="req_1")
    shown = json.loads(answer.body)

    assert PROBLEMS[error.code].status == answer.status == shown["status"]
    assert error.code == shown["code"]
    assert "detail" == shown["detail"]


def test_errors_of_an_input_are_all_listed() -> None:
    """Everything that is wrong is said at once, with its place."""
    error = ValidationFailed(errors=[Finding("/a", "required", "Give a."), Finding("/b", "odd", "No.", 3, 7)])

    assert [
        {"pointer": "/a", "code": "required", "message": "Give a."},
        {"pointer": "/b", "code": "odd", "message": "No.", "line": 3, "column": 7},
    ] == problem_document(error, request_id="r")["errors"]


def test_extensions_add_and_never_replace() -> None:
    """What an error knows besides stands beside the promised members."""
    provider = {"host": "id.example.com", "status": 500}
    shown = problem_document(
        ProviderBadResponse(extensions={"provider": provider, "status": 200, "code": "fine"}), request_id="r"
    )

    assert provider == shown["provider"]
    assert (502, "provider_bad_response") == (shown["status"], shown["code"])


def test_a_foreign_error_shows_nothing_of_itself() -> None:
    """A bug of ours is told by its code and the request's id; its text may hold anything."""
    answer = problem_answer(ValueError("hunter2"), request_id="req_9")

    assert (500, "internal_error") == (answer.status, json.loads(answer.body)["code"])
    assert b"hunter2" not in answer.body


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        pytest.param(None, None, id="not said"),
        pytest.param(0.0, 1, id="none is one, not a storm"),
        pytest.param(1.0, 1, id="whole"),
        pytest.param(1.01, 2, id="a little more is rounded up"),
    ],
)
def test_retry_after(seconds: float | None, expected: int | None) -> None:
    """Header and member agree, in whole seconds, never less than the error asks for."""
    answer = problem_answer(LoginBudgetSpent(retry_after_s=seconds), request_id="r")
    header = dict(answer.headers).get(b"retry-after")

    assert expected == json.loads(answer.body)["retry_after"]
    assert (None if expected is None else str(expected).encode()) == header


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        pytest.param(Unauthenticated(), b'Bearer realm="keyturn"', id="none was sent"),
        pytest.param(ApiKeyExpired(), b'Bearer realm="keyturn", error="invalid_token"', id="one was sent"),
        pytest.param(ForbiddenScope(), None, id="one step on: 403"),
    ],
)
def test_the_challenge(error: KeyturnError, expected: bytes | None) -> None:
    """A 401 says how to authenticate (RFC 9110 section 15.5.2), a 403 does not."""
    assert expected == dict(problem_answer(error, request_id="r").headers).get(b"www-authenticate")


def test_the_headers_tell_whose_answer_it_is() -> None:
    """A caller behind a proxy sees by headers alone that this is the broker's word, and of which kind."""
    answer = problem_answer(MethodNotAllowed(extensions={"allow": ["GET", "HEAD"]}), request_id="req_7")
    headers = dict(answer.headers)

    assert b"application/problem+json" == headers[b"content-type"]
    assert str(len(answer.body)).encode() == headers[b"content-length"]
    assert (b"broker", b"method_not_allowed", b"req_7") == tuple(
        headers[name] for name in (b"keyturn-source", b"keyturn-code", b"keyturn-request-id")
    )
    assert b"GET, HEAD" == headers[b"allow"]
    assert b"no-store" == headers[b"cache-control"]


async def test_it_is_sent_as_an_asgi_answer() -> None:
    """Head and body, once each."""
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    await problem_answer(Unauthenticated(), request_id="r").send(send)

    assert ["http.response.start", "http.response.body"] == [message["type"] for message in sent]
    assert 401 == sent[0]["status"]
    assert "unauthenticated" == json.loads(sent[1]["body"])["code"]


@pytest.mark.parametrize("code", sorted(code for code, each in PROBLEMS.items() if "Retry-After" in each.action))
def test_advice_to_wait_fits_the_answer(code: str) -> None:
    """`Retry-After` is named where the answer has it, and nowhere else; what follows the colon stays."""
    kind = next(kind for kind in leaves() if kind.code == code)
    told = problem_document(kind(retry_after_s=7.0), request_id="r")
    untold = problem_document(kind(), request_id="r")

    assert (7, None) == (told["retry_after"], untold["retry_after"])
    assert PROBLEMS[code].action == told["next_action"]["text"]
    assert "Retry-After" not in untold["next_action"]["text"]
    assert untold["next_action"]["text"].startswith("Wait a minute, and longer each time")
    assert PROBLEMS[code].action.partition("says")[2] == untold["next_action"]["text"].partition("each time")[2]


def test_other_advice_is_as_the_register_has_it() -> None:
    """Only what names the header changes without it."""
    others = {code: each for code, each in PROBLEMS.items() if "Retry-After" not in each.action}

    assert {code: each.action for code, each in others.items()} == {
        code: each.action_here() for code, each in others.items()
    }
