"""What a login that was stopped by a challenge looks like to whoever has to answer it."""

from __future__ import annotations

from dataclasses import dataclass

from keyturn.core.challenges.steps import MOST_WRONG_CODES
from keyturn.core.connector import Field
from keyturn.core.errors import ChallengeExpired, ProviderTimeout
from keyturn.engine.challenges.asked_fields import question_of
from keyturn.ports.challenges import ChallengeRow, ChallengeState


@dataclass(frozen=True, slots=True)
class Challenged:
    """A challenge as its holder sees it.

    `ask`: the questions, choices resolved; empty where the person confirms elsewhere. `expires_at`: Unix seconds.
    `error`: the code of what was wrong with the last answer, or why it failed. `polls`: keyturn asks the provider by
    itself. `resends`: another code can be asked for. `tries_left`: how many answers may still be given, this one
    included. `connection`, `successor`: what came of it.
    """

    id: str
    ask: tuple[Field, ...]
    expires_at: float
    state: ChallengeState = ChallengeState.WAITING
    error: str | None = None
    polls: bool = False
    resends: bool = False
    tries_left: int | None = None
    connection: str | None = None
    successor: str | None = None


def view_of(row: ChallengeRow, now: float) -> Challenged:
    """Show a row as it stands at `now` (Unix seconds), also where its time is up and nobody has written that yet."""
    state, error = row.state, row.error
    if state is ChallengeState.WAITING and now >= row.expires_at:
        state, error = ChallengeState.FAILED, ChallengeExpired.code
    lost = state is ChallengeState.PENDING and not polls(row) and row.due_at is not None and now >= row.due_at
    if lost:
        state, error = ChallengeState.FAILED, ProviderTimeout.code
    waits = state is ChallengeState.WAITING
    return Challenged(
        id=row.id,
        ask=tuple(question_of(each) for each in row.ask),
        expires_at=row.expires_at,
        state=state,
        error=error,
        polls=polls(row),
        resends=waits and bool(row.facts.get("resendable")),
        tries_left=MOST_WRONG_CODES - row.wrong_codes if waits else None,
        connection=row.connection,
        successor=row.successor,
    )


def polls(row: ChallengeRow) -> bool:
    """Whether the provider is asked again by itself."""
    return "poll_until" in row.facts
