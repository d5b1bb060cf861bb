"""Keys of a single letter: listed on every page, switched off by each browser for itself."""

from __future__ import annotations

import pytest

from keyturn.core.access.roles import Role
from tests.web.console.visiting import make_visitor


async def test_they_can_be_switched_off_and_on() -> None:
    """By a button in their list; it leads back to the page, and holds for every page of this browser."""
    visitor = make_visitor()
    await visitor.sign_in(Role.VIEWER)
    before = (await visitor.get("/connections")).text
    off = await visitor.post("/letter-keys", {"switch": "off", "back": "/connections"})
    switched = (await visitor.get("/links")).text
    await visitor.post("/letter-keys", {"switch": "on", "back": "/links"})
    after = (await visitor.get("/links")).text

    assert [True, False, True] == [
        'aria-labelledby="keys-title" data-on>' in each for each in (before, switched, after)
    ]
    assert (303, "/connections") == (off.status_code, off.headers["location"])
    assert "They are switched off in this browser." in switched
    assert "HttpOnly" in off.headers["set-cookie"]


@pytest.mark.parametrize("back", ["https://evil.example/", "//evil.example", ""])
async def test_the_way_back_is_a_page_of_ours(back: str) -> None:
    """Whatever a form says, nobody is led elsewhere."""
    visitor = make_visitor()
    await visitor.sign_in(Role.VIEWER)

    assert "/" == (await visitor.post("/letter-keys", {"switch": "off", "back": back})).headers["location"]


async def test_a_page_that_answers_a_form_is_no_way_back() -> None:
    """It could not be opened by its address."""
    visitor = make_visitor()
    await visitor.sign_in(Role.OPERATOR)
    answer = await visitor.post("/links", {"connector": "", "owner": "x"})

    assert '<input type="hidden" name="back" value="/">' in answer.text
