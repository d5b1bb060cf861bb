"""What the OpenID provider publishes of itself, fetched over the one way out and kept for a while.

Rule 1: a document is kept for an hour, a failure not at all; who comes meanwhile waits for the one who fetches.
Rule 2: keys are fetched anew where a token names one that isn't there, once for each token.
Rule 3: private networks and plain http are reached as far as the operator's own allowances go: nobody else names the
provider.

Sources: OpenID Connect Discovery 1.0 section 4; OpenID Connect Core 1.0 section 10.1.1.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any, Final

from keyturn.core.access.openid import ProviderMetadata, read_metadata
from keyturn.core.errors import KeyturnError, OpenIdUnavailable
from keyturn.core.messages import Answer, OutgoingRequest
from keyturn.ports.clock import Clock
from keyturn.ports.egress import Egress, EgressPolicy

KEPT_FOR_S: Final = 3600.0
TIMEOUT_S: Final = 10.0
MOST_BYTES: Final = 256 * 1024
WELL_KNOWN: Final = "/.well-known/openid-configuration"


class OpenIdProvider:
    """Reads and keeps the provider's documents."""

    def __init__(self, issuer: str, egress: Egress, clock: Clock) -> None:
        self._issuer = issuer
        self._egress = egress
        self._clock = clock
        self._lock = asyncio.Lock()
        self._metadata: tuple[ProviderMetadata, float] | None = None
        self._keys: tuple[Mapping[str, Any], float] | None = None

    async def metadata(self) -> ProviderMetadata:
        """Where it is asked for what. Raises OpenIdUnavailable, OpenIdAnswerInvalid."""
        async with self._lock:
            if self._metadata is None or self._is_old(self._metadata[1]):
                document = await self.ask("GET", self._issuer.rstrip("/") + WELL_KNOWN)
                self._metadata = read_metadata(document, self._issuer), self._clock.monotonic()
            return self._metadata[0]

    async def keys(self, *, other_than: Mapping[str, Any] | None = None) -> Mapping[str, Any]:
        """Its JWK set; fetched anew where the one at hand is old, or is `other_than`. Raises as `metadata`."""
        where = (await self.metadata()).jwks_uri
        async with self._lock:
            if self._keys is None or self._is_old(self._keys[1]) or self._keys[0] is other_than:
                self._keys = await self.ask("GET", where), self._clock.monotonic()
            return self._keys[0]

    async def ask(self, method: str, url: str, headers: tuple[tuple[str, str], ...] = ()) -> Mapping[str, Any]:
        """The JSON object at this address. Raises OpenIdUnavailable."""
        answer = await self.send(OutgoingRequest(method, url, (("Accept", "application/json"), *headers)))
        found = json_in(answer)
        if answer.status != 200 or found is None:
            raise OpenIdUnavailable("The provider answered with something else than was asked for.")
        return found

    async def send(self, request: OutgoingRequest) -> Answer:
        """Send a request to it. Raises OpenIdUnavailable; the detail has the code of what went wrong."""
        plain = request.url.startswith("http:")
        policy = EgressPolicy(private_network=True, insecure_http=plain, timeout_s=TIMEOUT_S)
        try:
            answer = await self._egress.send(request, policy)
        except KeyturnError as error:
            raise OpenIdUnavailable(f"The provider could not be asked: {error.code}.") from None
        if not answer.complete:
            raise OpenIdUnavailable("The provider's answer broke off, or is too large.")
        return answer

    def _is_old(self, at: float) -> bool:
        return self._clock.monotonic() - at >= KEPT_FOR_S


def json_in(answer: Answer) -> Mapping[str, Any] | None:
    """The JSON object that a body is; None where it is none."""
    if len(answer.body) > MOST_BYTES:
        return None
    try:
        found = json.loads(answer.body)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
