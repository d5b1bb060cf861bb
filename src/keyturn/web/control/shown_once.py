"""The only secrets that the control plane says, to whoever made them: a new connect link, sign-in link, API key or
webhook secret.

Rule 1: this file is the zone's only caller of `reveal()`; what it returns goes into an answer and nowhere else.
Rule 2: an answer that holds one is not stored for replay (`idempotency`).
"""

from __future__ import annotations

from keyturn.core.secret import Secret
from keyturn.engine.login.connect_sessions import OpenLink
from keyturn.engine.person.person_links import OpenPersonLink


def link_text(link: OpenLink | OpenPersonLink) -> str:
    """The link for the person."""
    return link.url.reveal()


def key_text(key: Secret) -> str:
    """The API key, for its one and only showing."""
    return key.reveal()


def sign_in_text(url: Secret) -> str:
    """The sign-in link, for its one and only showing."""
    return url.reveal()


def webhook_text(secret: Secret) -> str:
    """A webhook's secret, for its one and only showing."""
    return secret.reveal()
