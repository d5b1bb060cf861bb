"""Challenges: what the provider asks in the middle of a login, and the answers to it.

Rule 1: a challenge belongs to the API key that began the login; for any other there is none.
"""

from __future__ import annotations

from typing import Any, Final

from starlette.responses import Response

from keyturn.web.control.caller import App, Calling
from keyturn.web.control.operations import Operation, Takes
from keyturn.web.control.routes.connections import (
    CHALLENGE_EXAMPLE,
    EXAMPLE,
    LOGIN_PROBLEMS,
    QUESTION_EXAMPLE,
    logged_in,
)
from keyturn.web.control.shapes.answers import ConnectionAnswer
from keyturn.web.control.shapes.challenges import ChallengeAnswer, ChallengeStateAnswer, challenge_state
from keyturn.web.control.shapes.requests import Answers
from keyturn.web.control.shapes.showing import answer

TAG: Final = "challenges"
STATE_EXAMPLE: Final[dict[str, Any]] = {
    "id": "chl_9b2d1c",
    "state": "waiting",
    "ask": [QUESTION_EXAMPLE],
    "expires_at": "2030-01-31T12:10:00.000Z",
    "error": None,
    "tries_left": 3,
    "polls": False,
    "resend": False,
    "connection_id": None,
    "next": None,
}


async def get_challenge(challenge_id: str, app: App, caller: Calling) -> Response:
    """Say where a challenge stands.

    `waiting` for answers; `pending` while the provider is asked; `done` with the connection, or with the challenge that
    followed as `next`; `failed` with the code of what went wrong. Where the person confirms elsewhere keyturn asks the
    provider by itself: look here again every second or two.
    """
    return answer(challenge_state(await app.challenges.look(challenge_id, caller.actor.name)))


async def answer_challenge(challenge_id: str, body: Answers, app: App, caller: Calling) -> Response:
    """Answer a challenge.

    Each is answered once. After a wrong code the next challenge comes with `error: provider_otp_invalid`, three codes
    at most. Codes are sent once and never kept. A caller that hangs up does not end the login.
    """
    actor = caller.for_person(body.client_address)
    return await logged_in(app, await app.challenges.answer(challenge_id, body.answers, actor))


async def resend_challenge(challenge_id: str, app: App, caller: Calling) -> Response:
    """Ask the provider for another code, where it has a way to."""
    return await logged_in(app, await app.challenges.resend(challenge_id, caller.actor))


_ONE: Final = "/v1/challenges/{challenge_id}"
OPERATIONS: Final = (
    Operation("GET", _ONE, get_challenge, "login", {200: ChallengeStateAnswer}, TAG, answer_example=STATE_EXAMPLE),
    Operation(
        "POST",
        _ONE,
        answer_challenge,
        "login",
        {200: ConnectionAnswer, 201: ConnectionAnswer, 202: ChallengeAnswer},
        TAG,
        takes=Takes.JSON,
        problems=("challenge_used", "challenge_expired", *LOGIN_PROBLEMS),
        example={"answers": {"otp": "…"}},
        answer_example=EXAMPLE,
        status_examples={202: CHALLENGE_EXAMPLE},
    ),
    Operation(
        "POST",
        f"{_ONE}/resend",
        resend_challenge,
        "login",
        {202: ChallengeAnswer},
        TAG,
        problems=("challenge_used", "challenge_expired", *LOGIN_PROBLEMS),
        answer_example=CHALLENGE_EXAMPLE,
    ),
)
