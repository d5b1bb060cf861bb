"""The pages about connections, and the table of them."""

from __future__ import annotations

from typing import Final

from keyturn.web.console.page import Page
from keyturn.web.console.pages.connections import bulk, call, ending, listing, one, timeline

PAGES: Final[tuple[Page, ...]] = (
    *listing.PAGES, *bulk.PAGES, *one.PAGES, *ending.PAGES, *timeline.PAGES, *call.PAGES,
)  # fmt: skip
