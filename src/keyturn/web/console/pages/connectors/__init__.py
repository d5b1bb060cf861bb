"""Connectors: the list, one in nine steps, and what changes them."""

from __future__ import annotations

from typing import Final

from keyturn.web.console.page import Page
from keyturn.web.console.pages.connectors import edit_step, edit_yaml, listing, moving, overview, reviewing, trying

# The text's page stands before the steps': both are below `edit/`.
PAGES: Final[tuple[Page, ...]] = (
    *listing.PAGES,
    *edit_yaml.PAGES,
    *edit_step.PAGES,
    *trying.PAGES,
    *reviewing.PAGES,
    *moving.PAGES,
    *overview.PAGES,
)
