"""Signing in through the operator's OpenID provider: the authorization code flow with PKCE.

Rule 1: an answer counts only in the browser that asked, for the try that it fits, and from the issuer that was asked.
Rule 2: who was refused after the provider has spoken stands in the audit log, with the code and no name.
Rule 3: to prove anew who they are, the provider has to say that the person did so just now.

Sources: OpenID Connect Core 1.0 sections 3.1 and 15.5; RFC 9207 section 2.4; RFC 9700 sections 2.1 and 4.4.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from keyturn.core.access.openid import has_second_factor
from keyturn.core.audit_record import AuditRecord
from keyturn.core.errors import (
    KeyturnError,
    OpenIdAnswerInvalid,
    OpenIdDenied,
    OpenIdSecondFactorMissing,
    OpenIdStateMismatch,
    ReauthRequired,
)
from keyturn.core.secret import Secret
from keyturn.engine.actor import Actor
from keyturn.engine.people.openid.attempt import LONGEST_AFTER, Attempt
from keyturn.engine.people.openid.exchange import ExchangeCode
from keyturn.engine.people.openid.recognise import RecognisePerson
from keyturn.engine.people.openid.relying import RelyingSettings
from keyturn.engine.people.people import FRESH_S, AskingBrowser, People, SignedIn
from keyturn.ports.clock import Clock, Entropy
from keyturn.ports.store import AuditLog

ACTOR: Final = "openid"
LEEWAY_S: Final = 60.0
LONGEST_CODE: Final = 4_096


@dataclass(frozen=True, slots=True)
class OpenIdSignIn:
    """Begins a try, and ends it when the browser comes back."""

    settings: RelyingSettings
    exchange: ExchangeCode
    recognise: RecognisePerson
    people: People
    audit: AuditLog
    clock: Clock
    entropy: Entropy

    async def begin(self, *, after: str = "/", again: bool = False) -> tuple[str, Attempt]:
        """Where to send the browser, and what it has to keep.

        Args:
            after: the path of this instance to go to afterwards.
            again: the person is signed in, and has to prove anew who they are.

        Raises:
            OpenIdUnavailable, OpenIdAnswerInvalid: the provider's document can't be had, or used.
        """
        settings, metadata = self.settings, await self.exchange.provider.metadata()
        attempt = Attempt(
            Secret(self.entropy.token(32)), self.clock.now(), after if len(after) <= LONGEST_AFTER else "/", again
        )
        asked = {
            "response_type": "code",
            "client_id": settings.client_id,
            "redirect_uri": self.exchange.redirect_uri,
            "scope": " ".join(settings.scopes),
            "state": attempt.state,
            "nonce": attempt.nonce,
            "code_challenge": attempt.challenge,
            "code_challenge_method": "S256",
        }
        if settings.acr:
            asked["acr_values"] = " ".join(settings.acr)
        if again:
            asked |= {"prompt": "login", "max_age": str(int(FRESH_S))}
        joint = "&" if "?" in metadata.authorization_endpoint else "?"
        return f"{metadata.authorization_endpoint}{joint}{urlencode(asked)}", attempt

    async def finish(
        self, answered: Mapping[str, str], attempt: Attempt | None, browser: AskingBrowser
    ) -> tuple[SignedIn, Secret]:
        """Let the browser in that comes back with this answer; returns its cookie's value.

        Args:
            answered: the query with which the provider has sent it back.
            attempt: what the browser kept; None where it kept nothing.
            browser: whose session that it held ends.

        Raises:
            OpenIdStateMismatch: another try's answer, or one that is over.
            OpenIdDenied: the provider says so.
            ReauthRequired: the provider did not ask the person anew.
            As `ExchangeCode` and `RecognisePerson`, and OpenIdSecondFactorMissing.
        """
        if attempt is None or not _same(attempt.state, answered.get("state", "")) or attempt.is_over(self.clock.now()):
            raise OpenIdStateMismatch
        issuer = answered.get("iss")
        if issuer != self.settings.issuer and (
            issuer is not None or (await self.exchange.provider.metadata()).says_issuer
        ):
            raise OpenIdAnswerInvalid("The answer comes from another issuer than was asked.")
        code = answered.get("code", "")
        if "error" in answered or not 0 < len(code) <= LONGEST_CODE:
            raise OpenIdDenied
        actor = Actor(ACTOR, browser.request_id)
        try:
            told = await self.exchange(Secret(code), attempt)
            authenticated_at = self._authenticated_at(told.token, attempt)
            if not has_second_factor(told.token, frozenset(self.settings.acr), frozenset(self.settings.amr)):
                raise OpenIdSecondFactorMissing
            person = await self.recognise(told, actor)
        except KeyturnError as error:
            await self._note(error, actor)
            raise
        return await self.people.sign_in_as(person, browser, authenticated_at=authenticated_at)

    def _authenticated_at(self, token: Mapping[str, Any], attempt: Attempt) -> float | None:
        """When the person proved who they are, as the provider says; None where it doesn't and needn't."""
        said, now = token.get("auth_time"), self.clock.now()
        at = min(float(said), now) if isinstance(said, int | float) and not isinstance(said, bool) else None
        if attempt.again and (at is None or at < attempt.begun_at - LEEWAY_S):
            raise ReauthRequired("The OpenID provider did not ask you anew who you are.")
        return at

    async def _note(self, error: KeyturnError, actor: Actor) -> None:
        record = AuditRecord(
            self.clock.now(), "person.sign_in_refused", actor.name, outcome=error.code, request_id=actor.request_id
        )
        await self.audit.append([record])


def _same(expected: str, given: str) -> bool:
    return given.isascii() and hmac.compare_digest(expected, given)
