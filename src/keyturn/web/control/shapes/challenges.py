"""A challenge as callers get it: what to ask the person, until when, and what came of it.

Rule 1: nothing that was answered, captured or typed has a member here.
Rule 2: choices are a list, so that they keep the order in which the provider listed them.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel

from keyturn.core.connector import Field
from keyturn.engine.login.challenged import Challenged
from keyturn.web.control.shapes.answers import Time
from keyturn.web.control.shapes.showing import time_of


class ChoiceAnswer(BaseModel):
    """One value that may be chosen, and what a person reads."""

    value: str
    label: str


class QuestionAnswer(BaseModel):
    """One thing to ask: `key` names it in `answers`; `choices` are empty where anything may be typed."""

    key: str
    label: str
    type: str
    help: str
    required: bool
    choices: list[ChoiceAnswer]


class ChallengeBody(BaseModel):
    """What to ask. With `polls` keyturn asks the provider by itself; with `resend` another code can be asked for."""

    id: str
    ask: list[QuestionAnswer]
    expires_at: Time
    error: str | None
    tries_left: int | None
    polls: bool
    resend: bool


class ChallengeAnswer(BaseModel):
    """The provider asks for something more before there is a connection."""

    challenge: ChallengeBody


class ChallengeStateAnswer(BaseModel):
    """Where a challenge stands; `done` has a `connection_id`, or the challenge that followed as `next`."""

    id: str
    state: Literal["waiting", "pending", "done", "failed"]
    ask: list[QuestionAnswer]
    expires_at: Time
    error: str | None
    tries_left: int | None
    polls: bool
    resend: bool
    connection_id: str | None
    next: str | None


def challenge_answer(challenged: Challenged) -> ChallengeAnswer:
    """A challenge that was just met."""
    return ChallengeAnswer(challenge=ChallengeBody(**_members(challenged)))


def challenge_state(challenged: Challenged) -> ChallengeStateAnswer:
    """A challenge that is asked about."""
    return ChallengeStateAnswer(
        **_members(challenged),
        state=challenged.state.value,
        connection_id=challenged.connection,
        next=challenged.successor,
    )


def _members(challenged: Challenged) -> dict[str, Any]:
    return {
        "id": challenged.id,
        "ask": [question_answer(each) for each in challenged.ask],
        "expires_at": time_of(challenged.expires_at),
        "error": challenged.error,
        "tries_left": challenged.tries_left,
        "polls": challenged.polls,
        "resend": challenged.resends,
    }


def question_answer(asked: Field) -> QuestionAnswer:
    """One thing to ask, as callers get it."""
    return QuestionAnswer(
        key=asked.key,
        label=asked.label,
        type=asked.type.value,
        help=asked.help,
        required=asked.required,
        choices=[ChoiceAnswer(value=value, label=label) for value, label in asked.choices.items()],
    )
