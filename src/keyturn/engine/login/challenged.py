"""What a login that was stopped by a challenge looks like to whoever has to answer it."""

from __future__ import annotations

from dataclasses import dataclass

from keyturn.core.connector import Field
from keyturn.ports.challenges import ChallengeState


@dataclass(frozen=True, slots=True)
class Challenged:
    """A challenge as its holder sees it.

    `ask`: the questions, choices resolved; empty where the person confirms elsewhere. `expires_at`: Unix seconds.
    `error`: the code of what was wrong with the last answer, or why it failed. `polls`: keyturn asks the provider by
    itself. `resends`: another code can be asked for. `connection`, `successor`: what came of it.
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
