"""What codes mean, for anybody."""

from __future__ import annotations

from keyturn.core.access.roles import Role
from keyturn.core.problems import PROBLEMS
from tests.web.console.visiting import make_visitor


async def test_every_code_has_its_page() -> None:
    """With its sentence and what to do, without signing in."""
    visitor = make_visitor()
    listed = (await visitor.get("/problems")).text
    for code in PROBLEMS:
        answer = await visitor.get(f"/problems/{code}")
        assert 200 == answer.status_code
        assert f"<h1><code>{code}</code></h1>" in answer.text
        assert f'href="/problems/{code}"' in listed


async def test_a_code_that_is_none() -> None:
    """The nearest is named, and what was typed is not said again."""
    visitor = make_visitor()
    near = await visitor.get("/problems/not_fount")
    far = await visitor.get("/problems/qqqqqq")

    assert (404, 404) == (near.status_code, far.status_code)
    assert 'href="/problems/not_found"' in near.text
    assert "not_fount" not in near.text
    assert "list of all codes" in far.text


async def test_who_is_signed_in_keeps_the_menu() -> None:
    """A code's page is a page like any other for them; for anybody else it has no menu."""
    visitor = make_visitor()
    without = [(await visitor.get(path)).text for path in ("/problems", "/problems/not_found")]
    await visitor.sign_in(Role.VIEWER)
    signed_in = [(await visitor.get(path)).text for path in ("/problems", "/problems/not_found")]

    assert [False, False] == ['aria-label="Main"' in each for each in without]
    assert [True, True] == ['aria-label="Main"' in each and "Sign out" in each for each in signed_in]
