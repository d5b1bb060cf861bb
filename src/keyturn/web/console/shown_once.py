"""A connect link, for the one page that shows it to the person who asked for it."""

from __future__ import annotations

from keyturn.engine.login.connect_sessions import OpenLink


def link_text(link: OpenLink) -> str:
    """The link; nothing stores it."""
    return link.url.reveal()
