"""An endpoint's secrets: made here, alive for a time after they were rolled."""

from __future__ import annotations

import base64
from typing import Final

from keyturn.core.errors import WebhookSecretMissing
from keyturn.core.events.signing import secret_text
from keyturn.core.secret import Secret
from keyturn.ports.clock import Entropy
from keyturn.ports.webhooks.endpoints import Endpoint, WebhookStore

SECRET_BYTES: Final = 32
BOTH_LIVE_S: Final = 86_400.0


def new_secret(entropy: Entropy) -> Secret:
    """A secret that nobody had before."""
    drawn = base64.urlsafe_b64decode(entropy.token(SECRET_BYTES) + "=")
    return Secret(secret_text(drawn))


def secret_made_at(endpoint: Endpoint) -> float | None:
    """When the current secret was made, Unix seconds; None where that is not known any more."""
    if endpoint.old_secret_until is not None:
        return endpoint.old_secret_until - BOTH_LIVE_S
    return endpoint.created_at if endpoint.generation == 1 else None


async def live_keys(webhooks: WebhookStore, endpoint: Endpoint, now: float) -> list[Secret]:
    """The secrets to sign with, the current one first; `now`: Unix seconds.

    Raises:
        WebhookSecretMissing: the key that sealed them was given up as lost.
    """
    found = await webhooks.secrets(endpoint)
    if found is None:
        raise WebhookSecretMissing
    until = endpoint.old_secret_until
    old = [found.old] if found.old is not None and until is not None and now < until else []
    return [found.current, *old]
