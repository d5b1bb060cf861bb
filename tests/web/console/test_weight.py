"""What a page costs to load: its text and all files that it names."""

from __future__ import annotations

import re

from keyturn.core.access.roles import Role
from keyturn.web.console.page import Page
from keyturn.web.console.pages import ALL
from tests.web.console.seen import fill
from tests.web.console.visiting import make_visitor

HEAVIEST = 150_000


async def test_pages_are_light_and_need_nothing_from_elsewhere() -> None:
    """150 kB with everything (the interfaces, G), and every file from this instance."""
    visitor = make_visitor()
    await fill(visitor.world)
    await visitor.sign_in(Role.ADMIN)
    paths = [each.path for each in ALL if isinstance(each, Page) and each.method == "GET" and "{" not in each.path]
    paths.remove("/overview/live")  # events for a script, no page
    weights, foreign = {}, []
    for path in [*paths, "/connections/cxn_well", "/connections/cxn_well/timeline", "/connections/cxn_well/console"]:
        page = await visitor.get(path)
        files = re.findall(r'<(?:script|link|img)[^>]* (?:src|href)="([^"]*)"', page.text)
        foreign += [each for each in files if not each.startswith(("/assets/", "data:"))]
        own = [await visitor.client.get(each) for each in files if each.startswith("/assets/")]
        weights[path] = len(page.content) + sum(len(each.content) for each in own)

    assert [] == foreign
    assert {} == {path: weight for path, weight in weights.items() if weight > HEAVIEST}
    assert min(weights.values()) > 10_000
