"""The code for an ID token, and what it says.

Rule 1: a code is sent once, to the token endpoint of the issuer that was asked, with the verifier of this try.
Rule 2: nothing counts before the ID token is verified; the access token is used for UserInfo at most, and forgotten.

Sources: OpenID Connect Core 1.0 sections 3.1.3 and 5.3; RFC 6749 sections 2.3.1 and 4.1.3; RFC 7636.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote_plus, urlencode

from keyturn.core.access.openid import ProviderMetadata, claim_at
from keyturn.core.errors import OpenIdAnswerInvalid, OpenIdClientRefused, OpenIdStateMismatch, OpenIdUnavailable
from keyturn.core.messages import OutgoingRequest
from keyturn.core.secret import Secret
from keyturn.engine.in_flight import InFlight
from keyturn.engine.people.openid.attempt import Attempt
from keyturn.engine.people.openid.provider import OpenIdProvider, json_in
from keyturn.engine.people.openid.relying import RelyingSettings
from keyturn.ports.access.openid import ExpectedToken, IdTokenKeyUnknown, IdTokens
from keyturn.ports.clock import Clock


@dataclass(frozen=True, slots=True)
class Told:
    """What the provider says. `token`: the ID token's claims; `claims`: those, and UserInfo's beside them."""

    token: Mapping[str, Any]
    claims: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ExchangeCode:
    """Exchanges codes. `redirect_uri`: as it was sent to the provider."""

    settings: RelyingSettings
    provider: OpenIdProvider
    id_tokens: IdTokens
    clock: Clock
    known: InFlight
    redirect_uri: str

    async def __call__(self, code: Secret, attempt: Attempt) -> Told:
        """Ask for the tokens, and check what comes.

        Raises:
            OpenIdStateMismatch: the provider doesn't take the code (any more).
            OpenIdClientRefused, OpenIdUnavailable, OpenIdAnswerInvalid.
        """
        metadata = await self.provider.metadata()
        verifier, secret = attempt.verifier, self.settings.client_secret or Secret("")
        with self.known.in_flight(code, verifier, *([secret] if secret else [])):
            id_token, access_token = await self._tokens(metadata, code, verifier, secret)
            with self.known.in_flight(id_token, *([access_token] if access_token else [])):
                token = await self._verified(id_token, attempt)
                return Told(token, await self._with_userinfo(metadata, token, access_token))

    async def _tokens(
        self, metadata: ProviderMetadata, code: Secret, verifier: Secret, secret: Secret
    ) -> tuple[Secret, Secret | None]:
        form = {
            "grant_type": "authorization_code",
            "code": code.reveal(),
            "redirect_uri": self.redirect_uri,
            "code_verifier": verifier.reveal(),
        }
        headers = [("Content-Type", "application/x-www-form-urlencoded"), ("Accept", "application/json")]
        if secret and metadata.basic:
            pair = f"{quote_plus(self.settings.client_id)}:{quote_plus(secret.reveal())}"
            headers.append(("Authorization", f"Basic {base64.b64encode(pair.encode()).decode('ascii')}"))
        else:
            form["client_id"] = self.settings.client_id
            if secret:
                form["client_secret"] = secret.reveal()
        body = urlencode(form).encode("ascii")
        answer = await self.provider.send(OutgoingRequest("POST", metadata.token_endpoint, tuple(headers), body))
        found = json_in(answer)
        if answer.status >= 500 or found is None:
            raise OpenIdUnavailable("The provider's token endpoint answered with something else than was asked for.")
        if answer.status != 200:
            if found.get("error") == "invalid_grant":
                raise OpenIdStateMismatch("The provider does not take this code: it was used, or is too old.")
            raise OpenIdClientRefused
        id_token, access_token = found.get("id_token"), found.get("access_token")
        if not isinstance(id_token, str):
            raise OpenIdAnswerInvalid("The provider sent no ID token; is “openid” among KEYTURN_OIDC_SCOPES?")
        return Secret(id_token), Secret(access_token) if isinstance(access_token, str) else None

    async def _verified(self, id_token: Secret, attempt: Attempt) -> Mapping[str, Any]:
        settings = self.settings
        expected = ExpectedToken(settings.issuer, settings.client_id, attempt.nonce, self.clock.now())
        keys = await self.provider.keys()
        try:
            return self.id_tokens.verify(id_token, keys, expected)
        except IdTokenKeyUnknown:
            keys = await self.provider.keys(other_than=keys)
        try:
            return self.id_tokens.verify(id_token, keys, expected)
        except IdTokenKeyUnknown:
            raise OpenIdAnswerInvalid("The ID token's key is none that the provider publishes.") from None

    async def _with_userinfo(
        self, metadata: ProviderMetadata, token: Mapping[str, Any], access_token: Secret | None
    ) -> Mapping[str, Any]:
        """Many providers put no more than the subject into the ID token, and the rest behind UserInfo."""
        wanted = ["email", *([self.settings.role_claim] if self.settings.roles else [])]
        whole = all(claim_at(token, each) is not None for each in wanted)
        if whole or metadata.userinfo_endpoint is None or access_token is None:
            return token
        bearer = ("Authorization", f"Bearer {access_token.reveal()}")
        told = await self.provider.ask("GET", metadata.userinfo_endpoint, (bearer,))
        if told.get("sub") != token["sub"]:
            raise OpenIdAnswerInvalid("UserInfo speaks of somebody else than the ID token.")
        return {**told, **token}
