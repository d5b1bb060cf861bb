"""The console's pages, one file a subject, and the table of all of them."""

from __future__ import annotations

from typing import Final

from keyturn.web.console.page import OpenPage, Page
from keyturn.web.console.pages import (
    administration,
    connections,
    connectors,
    jobs,
    letter_keys,
    links,
    openid,
    overview,
    people,
    sessions,
    sign_in,
)

ALL: Final[tuple[Page | OpenPage, ...]] = (
    *openid.PAGES,
    *sign_in.PAGES,
    *sessions.PAGES,
    *overview.PAGES,
    *connections.PAGES,
    *connectors.PAGES,
    *links.PAGES,
    *jobs.PAGES,
    *people.PAGES,
    *letter_keys.PAGES,
    *administration.PAGES,
)
