"""Proof of which application asks, by a private key (RFC 7523)."""

from __future__ import annotations

from typing import Protocol

from keyturn.core.secret import Secret


class ClientAssertions(Protocol):
    """Signs with the operator's key, which never leaves the process."""

    def check(self, key: Secret) -> None:
        """Say whether this is a key to sign with; ConnectorClientMissing where it is none."""
        ...

    def sign(self, key: Secret, *, client_id: str, audience: str) -> Secret:
        """An assertion that is good once and for two minutes.

        Args:
            key: the private key, PEM or JWK (RFC 7517): RSA of 2048 bits or more, or P-256.
            client_id: who asks; issuer and subject.
            audience: the token endpoint's URL.

        Raises:
            ConnectorClientMissing: the key can't be read, or is of another kind.
        """
        ...
