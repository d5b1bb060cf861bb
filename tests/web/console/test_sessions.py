"""A browser's session: one at a time, listed and ended by its person, and fresh for what asks for it."""

from __future__ import annotations

import pytest

from keyturn.core.access.roles import Permission, Role
from keyturn.engine.actor import Actor
from keyturn.engine.people.people import FRESH_S, IDLE_S
from keyturn.web.console.instance import Instance
from keyturn.web.console.page import OpenPage, Page
from keyturn.web.console.pages import ALL
from tests.fakes.application import make_world
from tests.fakes.clock import FakeClock
from tests.web.console.connectors.authoring import author, inputs_of
from tests.web.console.visiting import ORIGIN, Visitor, make_visitor

COOKIE = "keyturn-console"
# What a stolen or a borrowed browser must not do: a way in for somebody, a version, a key of any kind.
FRESH = {
    "/audit/export",
    "/people",
    "/people/{person}/link",
    "/people/{person}/role",
    "/people/{person}/invite",
    "/api-keys",
    "/api-keys/{key}/roll",
    "/keys/add",
    "/keys/destroy-passwords",
    "/keys/{key}/rotate",
    "/keys/{key}/retire",
    "/connectors/{connector}/review",
    "/sessions/{session}/end",
    "/sessions/end-others",
}


@pytest.fixture(name="clock")
def _clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(name="visitor")
async def _visitor(clock: FakeClock) -> Visitor:
    visitor = make_visitor(make_world(clock=clock))
    await visitor.sign_in(Role.ADMIN)
    return visitor


async def sign_in_again(visitor: Visitor, person: str) -> None:
    """By a new link, as in another tab: the token of the page at hand stays."""
    link, _ = await visitor.world.application.people.make_link(person, Actor("operator"))
    answer = await visitor.post(link.reveal().removeprefix(ORIGIN))
    assert 303 == answer.status_code


async def person_of(visitor: Visitor) -> str:
    """Who is signed in."""
    return (await visitor.world.application.people.list())[0].id


async def test_a_new_sign_in_ends_the_session_that_the_browser_held(visitor: Visitor) -> None:
    """The cookie before it lets nobody in any more, and the end is recorded."""
    before = visitor.client.cookies[COOKIE]
    await sign_in_again(visitor, await person_of(visitor))
    after = visitor.client.cookies[COOKIE]
    now = (await visitor.get("/")).status_code
    visitor.client.cookies.set(COOKIE, before, domain="127.0.0.1", path="/")
    then = await visitor.get("/")
    records, _ = await visitor.world.stores.audit.list(limit=2)

    assert before != after
    assert (200, 303) == (now, then.status_code)
    assert ["person.signed_in", "person.signed_out"] == [each.action for _, each in records]


async def test_ones_own_sessions_are_listed_and_ended(visitor: Visitor, clock: FakeClock) -> None:
    """With the browser's name and times; one ends alone, then all others do; those of other people stay."""
    person = await person_of(visitor)
    others = [make_visitor(visitor.world) for _ in range(3)]
    for n, each in enumerate(others):
        each.client.headers["user-agent"] = f"Browser {n}"
        await sign_in_again(each, person)
    stranger = make_visitor(visitor.world)
    await stranger.sign_in(Role.VIEWER)
    listed = await visitor.get("/sessions")
    sessions = {each.agent: each.id for each in await visitor.world.application.people.sessions_of(person)}
    foreign = await stranger.post(f"/sessions/{sessions['Browser 0']}/end")
    one = await visitor.post(f"/sessions/{sessions['Browser 0']}/end")
    first = [(await each.get("/")).status_code for each in others]
    rest = await visitor.post("/sessions/end-others")
    second = [(await each.get("/")).status_code for each in (*others, stranger, visitor)]

    assert all(f"Browser {n}" in listed.text for n in range(3))
    assert 1 == listed.text.count("this browser")
    assert ("/sessions?said=ended", [303, 200, 200]) == (one.headers["location"], first)
    assert ("/sessions?said=others_ended", [303, 303, 303, 200, 200]) == (rest.headers["location"], second)
    assert 303 == foreign.status_code
    clock.advance(IDLE_S)
    assert [] == await visitor.world.application.people.live_sessions_of(person)


async def test_signing_out_clears_what_the_browser_keeps(visitor: Visitor) -> None:
    """Cookies, storage and cache, beside the end of the session itself."""
    answer = await visitor.post("/logout")

    assert '"cache", "storage"' == answer.headers["clear-site-data"]


def test_what_asks_for_a_fresh_sign_in() -> None:
    """The list as it was agreed; whatever an administrator alone may do is either on it or harmless by itself."""
    pages = [each for each in ALL if not isinstance(each, OpenPage)]

    assert {each.path for each in pages if each.fresh} == FRESH


async def test_the_command_for_a_link_can_be_pasted(clock: FakeClock) -> None:
    """It means this instance's data wherever it is run; where they lie is told to administrators alone."""
    for role, options in ((Role.ADMIN, " --data /srv/acme --url https://k.example"), (Role.OPERATOR, "")):
        visitor = make_visitor(make_world(clock=clock), Instance(link_options=options.strip()))
        person = await visitor.sign_in(role)
        await visitor.get("/")
        clock.advance(FRESH_S + 1)
        asked = await visitor.post("/sessions/end-others")

        assert (role, 403) == (role, asked.status_code)
        assert f"<code>keyturn person link {person}{options}</code>" in asked.text


async def test_an_old_sign_in_is_asked_for_anew_and_nothing_is_lost(visitor: Visitor, clock: FakeClock) -> None:
    """403 with the code; the page keeps the form, and after a sign-in in another tab it goes through as it was."""
    person = await person_of(visitor)
    await visitor.get("/people")
    clock.advance(FRESH_S + 1)
    refused = await visitor.post("/people", {"name": 'Grace "H" <b>', "role": "operator"})
    before = len(await visitor.world.application.people.list())
    kept = inputs_of(refused.text, "/people")
    again = await visitor.client.post("/people", data=kept, headers={"origin": ORIGIN})
    await sign_in_again(visitor, person)
    done = await visitor.client.post("/people", data=kept, headers={"origin": ORIGIN})
    names = [each.name for each in await visitor.world.application.people.list()]

    assert (403, 1) == (refused.status_code, before)
    assert "reauth_required" in refused.text
    assert "Nothing was done yet" in refused.text
    assert ('Grace "H" <b>', "operator") == (kept["name"], kept["role"])
    assert (403, 200) == (again.status_code, done.status_code)
    assert ['Grace "H" <b>', "A admin"] == sorted(names, reverse=True)


async def test_the_boundary_is_five_minutes(visitor: Visitor, clock: FakeClock) -> None:
    """At five minutes it still counts, a moment later it doesn't."""
    await visitor.get("/keys")
    clock.advance(FRESH_S)
    at = await visitor.post("/keys/add")
    clock.advance(0.5)
    after = await visitor.post("/keys/add")

    assert (303, 403) == (at.status_code, after.status_code)


async def test_somebody_elses_form_is_not_sent(visitor: Visitor, clock: FakeClock) -> None:
    """Who signs in as another person sends nothing of what the one before had typed."""
    await visitor.get("/people")
    clock.advance(FRESH_S + 1)
    await visitor.post("/people", {"name": "Grace", "role": "viewer"})
    other = await visitor.world.application.people.create("Eve", Role.ADMIN, Actor("operator"))
    await sign_in_again(visitor, other.id)
    answer = await visitor.post("/people", {"name": "Grace", "role": "viewer"})

    assert 403 == answer.status_code
    assert "Nothing was done" in answer.text
    assert ["A admin", "Eve"] == [each.name for each in await visitor.world.application.people.list()]


async def test_publishing_asks_for_a_fresh_sign_in() -> None:
    """An author's version too; a draft is saved without."""
    visitor = await author()
    page = await visitor.get("/connectors/acme/review")
    clock = visitor.world.clock
    clock.advance(FRESH_S + 1)
    answer = await visitor.post("/connectors/acme/review", inputs_of(page.text, "/connectors/acme/review"))

    assert 403 == answer.status_code
    assert "reauth_required" in answer.text
    assert await visitor.world.application.connectors.version("acme") is None


async def test_who_may_not_is_told_that_first(clock: FakeClock) -> None:
    """No sign-in however fresh gives a viewer what the role doesn't."""
    visitor = make_visitor(make_world(clock=clock))
    await visitor.sign_in(Role.VIEWER)
    await visitor.get("/sessions")
    clock.advance(FRESH_S + 1)
    answer = await visitor.post("/keys/add")

    assert "forbidden_role" in answer.text


@pytest.mark.parametrize(
    ("method", "secret"),
    [pytest.param("GET", (), id="a page"), pytest.param("POST", ("password",), id="a form with a secret")],
)
def test_what_can_not_be_shown_once_more_can_not_ask(method: str, secret: tuple[str, ...]) -> None:
    """The page that asks shows the whole form; a secret may not stand on it."""
    endpoint = next(each for each in ALL if isinstance(each, Page)).endpoint

    with pytest.raises(ValueError, match="shown once more"):
        Page(method, "/x", endpoint, Permission.VIEW, secret=secret, fresh=True)
