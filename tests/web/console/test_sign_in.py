"""Signing in to the console: one link, one browser, one role."""

from __future__ import annotations

import pytest
from starlette.requests import Request

from keyturn.core.access.roles import PERMISSIONS, Permission, Role
from keyturn.core.errors import RateLimited
from keyturn.engine.actor import Actor
from keyturn.engine.people.people import IDLE_S, LINK_LIVES_S
from keyturn.web.console.page import Page
from keyturn.web.console.pages import ALL
from keyturn.web.console.pages.sign_in import own_path
from keyturn.web.console.rendering import Console
from tests.fakes.application import make_world
from tests.fakes.clock import FakeClock
from tests.web.console.visiting import ORIGIN, Visitor, make_visitor


@pytest.fixture(name="visitor")
def _visitor() -> Visitor:
    return make_visitor()


async def link_for(visitor: Visitor, role: Role = Role.ADMIN) -> str:
    """The path of a new sign-in link."""
    people = visitor.world.application.people
    person = await people.create("Ada", role, Actor("operator"))
    link, _ = await people.make_link(person.id, Actor("operator"))
    return link.reveal().removeprefix(ORIGIN)


async def test_nobody_sees_a_page_without_signing_in(visitor: Visitor) -> None:
    """Every page leads to the sign-in and back to where one wanted to go; a form does nothing."""
    wanted = await visitor.get("/people?x=1")
    sent = await visitor.post("/people", {"name": "Eve", "role": "admin"})

    assert (303, "/login?next=%2Fpeople%3Fx%3D1") == (wanted.status_code, wanted.headers["location"])
    assert (303, "/login") == (sent.status_code, sent.headers["location"])
    assert () == tuple(await visitor.world.application.people.list())


async def test_a_link_lets_in_once(visitor: Visitor) -> None:
    """Opening it changes nothing, its button lets in, a second use is refused; the cookie is the session."""
    link = await link_for(visitor)
    await visitor.get(link)
    opened = await visitor.get(link)
    signed_in = await visitor.post(link)
    home = await visitor.get("/")
    again = await visitor.post(link)

    assert 200 == opened.status_code
    assert "Ada" in opened.text
    assert (303, "/") == (signed_in.status_code, signed_in.headers["location"])
    cookie = signed_in.headers["set-cookie"]
    assert all(each in cookie for each in ("keyturn-console=", "HttpOnly", "SameSite=lax", "Path=/"))
    assert (200, 409) == (home.status_code, again.status_code)
    records, _ = await visitor.world.stores.audit.list()
    assert ["person.signed_in", "person.link_made", "person.created"] == [each.action for _, each in records]


async def test_a_link_and_a_session_end() -> None:
    """A link after 10 minutes, a session after an hour without a request."""
    clock = FakeClock()
    visitor = make_visitor(make_world(clock=clock))
    link = await link_for(visitor)
    clock.advance(LINK_LIVES_S)
    late = await visitor.post(link)
    await visitor.sign_in(Role.VIEWER)
    clock.advance(IDLE_S - 1)
    used = await visitor.get("/")
    clock.advance(IDLE_S)
    idle = await visitor.get("/")

    assert (410, 200, 303) == (late.status_code, used.status_code, idle.status_code)


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"sec-fetch-site": "cross-site"}, id="from another site"),
        pytest.param({"origin": "https://evil.example"}, id="with another origin"),
        pytest.param({"host": "evil.example"}, id="for another host"),
    ],
)
async def test_a_form_from_elsewhere_does_nothing(visitor: Visitor, headers: dict[str, str]) -> None:
    """Whoever sends it holds the cookie and even the token."""
    await visitor.sign_in(Role.ADMIN)
    before = len(await visitor.world.application.people.list())
    answer = await visitor.post("/people", {"name": "Eve", "role": "admin"}, **headers)

    assert 403 == answer.status_code
    assert before == len(await visitor.world.application.people.list())


async def test_a_form_without_its_token_does_nothing(visitor: Visitor) -> None:
    """The cookie alone is not enough."""
    await visitor.sign_in(Role.ADMIN)
    visitor.token = "0" * 64
    answer = await visitor.post("/people", {"name": "Eve", "role": "admin"})

    assert 403 == answer.status_code


@pytest.mark.parametrize("role", [pytest.param(role, id=role.value) for role in Role])
async def test_every_page_asks_for_its_permission(role: Role) -> None:
    """The walk over all pages and forms: refused exactly where the role's permissions say so."""
    visitor = make_visitor()
    await visitor.sign_in(role)
    wrong = []
    for each in ALL:
        if not isinstance(each, Page) or each.path == "/logout":
            continue
        path = each.path.replace("{", "").replace("}", "")
        answer = await (visitor.get(path) if each.method == "GET" else visitor.post(path))
        if (answer.status_code == 403) is (each.needs in PERMISSIONS[role]) or answer.status_code >= 500:
            wrong.append(f"{each.method} {each.path}: {answer.status_code}")

    assert [] == wrong


async def test_signing_out_ends_the_session(visitor: Visitor) -> None:
    """The cookie is worth nothing afterwards, wherever it was copied to."""
    await visitor.sign_in(Role.VIEWER)
    cookie = visitor.client.cookies["keyturn-console"]
    await visitor.post("/logout")
    visitor.client.cookies.set("keyturn-console", cookie, domain="127.0.0.1", path="/")
    answer = await visitor.get("/")

    assert 303 == answer.status_code


async def test_a_new_role_and_a_removal_end_what_was(visitor: Visitor) -> None:
    """Sessions end with the same write."""
    person = await visitor.sign_in(Role.ADMIN)
    await visitor.world.application.people.set_role(person, Role.VIEWER, Actor("operator"))

    assert 303 == (await visitor.get("/")).status_code


async def test_an_administrator_adds_somebody(visitor: Visitor) -> None:
    """The new person's link is shown once, and lets in."""
    await visitor.sign_in(Role.ADMIN)
    await visitor.get("/people")
    made = await visitor.post("/people", {"name": "Grace", "role": "operator"})
    link = made.text.partition(f'value="{ORIGIN}')[2].partition('"')[0]
    other = make_visitor(visitor.world)
    signed_in = await other.post(link)
    listed = await visitor.get("/people")

    assert link.startswith("/sign-in/")
    assert 303 == signed_in.status_code
    assert "Grace" in listed.text
    assert link not in listed.text


async def test_a_wrong_name_is_told(visitor: Visitor) -> None:
    """With what was typed still there, and nobody added."""
    await visitor.sign_in(Role.ADMIN)
    answer = await visitor.post("/people", {"name": "", "role": "viewer"})

    assert 422 == answer.status_code
    assert "<title>Error: People" in answer.text
    assert 1 == len(await visitor.world.application.people.list())


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param("/connections?state=active", "/connections?state=active", id="a page of ours"),
        pytest.param("//evil.example/x", "/", id="another host"),
        pytest.param("/\\evil.example", "/", id="another host as browsers read it"),
        pytest.param("https://evil.example", "/", id="a whole address"),
        pytest.param("", "/", id="nothing"),
    ],
)
def test_own_path(given: str, expected: str) -> None:
    """Nobody is led to another site after signing in."""
    assert expected == own_path(given)


def test_only_administrators_may_everything() -> None:
    """The table of roles as it was agreed."""
    assert frozenset(Permission) == PERMISSIONS[Role.ADMIN]
    assert frozenset({Permission.VIEW}) == PERMISSIONS[Role.VIEWER]
    assert Permission.OPERATE not in PERMISSIONS[Role.AUTHOR]


async def test_a_link_that_is_none_says_so(visitor: Visitor) -> None:
    """To whoever sits there: what may be wrong with it, and who makes another; no word of an application."""
    mistyped = await visitor.get("/sign-in/mistyped")

    assert 409 == mistyped.status_code
    assert "it is not the whole link" in mistyped.text
    assert "keyturn person link NAME" in mistyped.text
    assert "the application" not in mistyped.text
    assert "<code>sign_in_link_used</code>" in mistyped.text


async def test_the_lock_out_tells_how_long(visitor: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a span and a time; no header is named to somebody who sees none."""

    def limited(console: Console, request: Request) -> None:
        raise RateLimited(retry_after_s=125.0)

    monkeypatch.setattr(Console, "count_sign_in", limited)
    answer = await visitor.post("/sign-in/openid", {"next": "/"})

    assert 429 == answer.status_code
    assert ">in 2 minutes</time></b>, at 20" in answer.text
    assert "Retry-After" not in answer.text
