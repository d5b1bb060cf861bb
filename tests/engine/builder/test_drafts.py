"""Drafts of two authors at one moment: one of them is stored, and the other hears of it."""

from __future__ import annotations

import asyncio

from keyturn.core.errors import ValidationFailed, VersionConflict
from tests.engine.builder.test_trials import AUTHOR
from tests.engine.builder.texts import text
from tests.fakes.application import make_world


async def test_two_who_begin_one_id_do_not_overwrite_each_other() -> None:
    """Both find the id free, one gets it."""
    drafts = make_world().application.builder.drafts
    texts = (text(), text().replace("title: Acme", "title: Other"))
    made = await asyncio.gather(*(drafts.begin("acme", each, AUTHOR) for each in texts), return_exceptions=True)

    refused = [each for each in made if isinstance(each, ValidationFailed)]
    assert ["/id"] == [fault.pointer for each in refused for fault in each.errors]
    assert 1 == (await drafts.draft("acme")).revision


async def test_two_who_save_one_draft_do_not_overwrite_each_other() -> None:
    """Both began from the same one."""
    drafts = make_world().application.builder.drafts
    await drafts.begin("acme", text(), AUTHOR)
    both = (drafts.save("acme", text().replace("title: Acme", f"title: {n}x"), 1, AUTHOR) for n in range(2))
    made = await asyncio.gather(*both, return_exceptions=True)

    assert 1 == sum(isinstance(each, VersionConflict) for each in made)
    assert 2 == (await drafts.draft("acme")).revision
