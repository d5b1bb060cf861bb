"""How the connect page looks: the brand as it is set, a picture of the page's head, and whether people can read it.

Rule: a colour is tried here and set where the server is started; nothing of it is kept.
"""

from __future__ import annotations

import base64
from typing import Final

from starlette.responses import Response

from keyturn.core.access.roles import Permission
from keyturn.core.errors import Finding
from keyturn.web.console.page import Page
from keyturn.web.console.pages.administration.settings import SOURCES
from keyturn.web.console.rendering import Console
from keyturn.web.console.visit import Visit
from keyturn.web.kit.brand import LEAST_CONTRAST, BrandUnusable, check_color, contrasts

USUAL: Final = "#14508c"  # the pages' own, where none is set
NAMES: Final = ("KEYTURN_OPERATOR_NAME", "KEYTURN_BRAND_COLOR", "KEYTURN_BRAND_LOGO", "KEYTURN_BRAND_HELP_URL")
# Ground, sheet and text of both themes, as the connect page's style has them.
THEMES: Final = (("Light", "#f6f6f3", "#ffffff", "#1b1c1d"), ("Dark", "#141517", "#1d1f22", "#ececea"))
LONGEST: Final = 32


async def show_appearance(console: Console, visit: Visit) -> Response:
    """The brand that is set, or another colour that is tried."""
    brand = console.instance.brand
    tried = visit.query("color").strip()[:LONGEST].lower()
    color, errors = tried or brand.color or USUAL, []
    try:
        found = contrasts(color)
    except BrandUnusable as error:
        errors.append(Finding("/color", "invalid", f"{error}."))
        color, found = brand.color or USUAL, contrasts(brand.color or USUAL)
    verdict = ""
    try:
        check_color(color)
    except BrandUnusable as error:
        verdict = str(error)
    accents = ((found[0].color, found[1].color), (found[2].color, found[3].color))
    rows = [each for each in console.instance.settings if each.name in NAMES]
    logo = "" if brand.logo is None else base64.b64encode(brand.logo).decode("ascii")
    return console.page(
        visit, "administration/appearance.html", status=422 if errors else 200, errors=errors, color=color,
        tried=bool(tried) and not errors, contrasts=found, least=LEAST_CONTRAST, verdict=verdict, rows=rows,
        sources=SOURCES, is_set=brand.color is not None, logo=logo, help_url=brand.help_url, typed=tried or color,
        themes=[(*theme, *accent) for theme, accent in zip(THEMES, accents, strict=True)],
        name=console.application.operator_name,
    )  # fmt: skip


PAGES: Final = (Page("GET", "/settings/appearance", show_appearance, Permission.ADMINISTER),)
