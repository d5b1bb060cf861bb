"""A connect link, an API key or a webhook's secret, for the one page that shows it to the person who asked for it."""

from __future__ import annotations

from keyturn.core.secret import Secret
from keyturn.engine.login.connect_sessions import OpenLink
from keyturn.engine.person.person_links import OpenPersonLink


def link_text(link: OpenLink | OpenPersonLink) -> str:
    """The link; nothing stores it."""
    return link.url.reveal()


def new_secret_text(secret: Secret) -> str:
    """What was just made and is stored as a hash, or sealed; no other page has it."""
    return secret.reveal()
