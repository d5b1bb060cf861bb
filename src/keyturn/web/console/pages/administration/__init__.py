"""What concerns the whole instance: the audit log, keys, webhooks, settings, and what codes mean."""

from __future__ import annotations

from typing import Final

from keyturn.web.console.page import OpenPage, Page
from keyturn.web.console.pages.administration import api_keys, appearance, audit, keys, problems, settings, webhooks

PAGES: Final[tuple[Page | OpenPage, ...]] = (
    *audit.PAGES,
    *webhooks.PAGES,
    *keys.PAGES,
    *api_keys.PAGES,
    *settings.PAGES,
    *appearance.PAGES,
    *problems.PAGES,
)
