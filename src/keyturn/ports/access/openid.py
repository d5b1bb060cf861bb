"""Whether an ID token is what it should be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from keyturn.core.secret import Secret


class IdTokenKeyUnknown(Exception):
    """The token names a key that is not among those that were given: they may have changed."""


@dataclass(frozen=True, slots=True)
class ExpectedToken:
    """Whose token for whom it has to be. `now`: Unix seconds."""

    issuer: str
    client_id: str
    nonce: str = field(repr=False)
    now: float


class IdTokens(Protocol):
    """Checks signature and claims of ID tokens."""

    def verify(self, token: Secret, keys: Mapping[str, Any], expected: ExpectedToken) -> Mapping[str, Any]:
        """Its claims, `sub` a text among them.

        Args:
            token: a compact JWS.
            keys: the provider's JWK set, as it was read.
            expected: what the claims have to say.

        Raises:
            IdTokenKeyUnknown: none of the keys is the one that the token names.
            OpenIdAnswerInvalid: it fails any other check; the detail says which.
        """
        ...
