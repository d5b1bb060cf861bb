"""Challenges that wait: read, answered, sent once more, polled, and taken away in time.

Rule 1: an answer is used once: its row is taken, and that committed, before anything leaves.
Rule 2: only who began the login reads or answers its challenge; to everybody else there is none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from keyturn.engine.actor import Actor
from keyturn.engine.login.challenged import Challenged
from keyturn.engine.login.login_request import Connected
from keyturn.ports.challenges import ChallengeStore


@dataclass(frozen=True, slots=True)
class Challenges:
    """The use case and what it needs."""

    challenges: ChallengeStore

    async def look(self, challenge_id: str, holder: str, *, project: str = "default") -> Challenged:
        """Say how a challenge stands; `holder` is the actor's name. NotFound: there is none, or it is another's."""
        raise NotImplementedError

    async def answer(
        self, challenge_id: str, answers: Mapping[str, Any], actor: Actor, *, project: str = "default"
    ) -> Connected | Challenged:
        """Answer a challenge.

        Raises:
            NotFound, ChallengeUsed, ChallengeExpired. ValidationFailed: at `/answers/<key>`; nothing was used up.
            OtpInvalid: the third wrong code. CredentialsRejected: with `retry: sign_in` where password and code can't
            be told apart. What `Connect` raises after its send.
        """
        raise NotImplementedError

    async def resend(self, challenge_id: str, actor: Actor, *, project: str = "default") -> Challenged:
        """Ask the provider for another code.

        Raises:
            NotFound, ChallengeUsed, ChallengeExpired. ValidationFailed: the connector has no such request.
            RateLimited: five were asked for. ProviderError.
        """
        raise NotImplementedError

    async def poll_due(self) -> None:
        """Ask again for those whose time has come, here or in another process."""
        raise NotImplementedError

    async def purge(self) -> None:
        """Take old challenges away, and destroy what is sealed in those that ended."""
        raise NotImplementedError
