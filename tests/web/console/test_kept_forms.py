"""A form that comes after its session has ended: nothing is done, nothing is lost, and nobody else gets it."""

from __future__ import annotations

from urllib.parse import urlencode

import httpx
import pytest

from keyturn.core.access.roles import Role
from keyturn.core.secret import Secret
from keyturn.engine.actor import Actor
from keyturn.engine.people.people import IDLE_S, SESSION_LIVES_S
from keyturn.ports.store import ClientCredentials
from tests.fakes.application import make_world
from tests.fakes.clock import FakeClock
from tests.web.console.connectors.authoring import author, inputs_of
from tests.web.console.visiting import ORIGIN, Visitor, make_visitor

TYPED = {"name": 'Grace "H" <b>', "role": "operator"}
NAVIGATION = {"origin": ORIGIN, "sec-fetch-site": "same-origin", "sec-fetch-dest": "document"}


@pytest.fixture(name="clock")
def _clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(name="visitor")
async def _visitor(clock: FakeClock) -> Visitor:
    visitor = make_visitor(make_world(clock=clock))
    await visitor.sign_in(Role.ADMIN)
    await visitor.get("/people")
    return visitor


async def names(visitor: Visitor) -> list[str]:
    """Everybody's."""
    return [each.name for each in await visitor.world.application.people.list()]


async def sign_in_as(visitor: Visitor, person: str) -> None:
    """By a new link, as in another tab: the token of the page at hand stays."""
    link, _ = await visitor.world.application.people.make_link(person, Actor("operator"))
    answer = await visitor.post(link.reveal().removeprefix(ORIGIN))
    assert 303 == answer.status_code


async def first_person(visitor: Visitor) -> str:
    """Who was signed in first."""
    return (await visitor.world.application.people.list())[0].id


async def press(visitor: Visitor, page: httpx.Response, path: str, **more: str) -> httpx.Response:
    """Send the form of a page as it stands."""
    return await visitor.client.post(path, data=inputs_of(page.text, path) | more, headers=NAVIGATION)


@pytest.mark.parametrize("after_s", [IDLE_S, SESSION_LIVES_S], ids=["unused", "at its end"])
async def test_what_was_typed_is_sent_after_a_sign_in(visitor: Visitor, clock: FakeClock, after_s: float) -> None:
    """First the page that keeps it, then the one that offers it; the press on that one does it, and none before."""
    person = await first_person(visitor)
    clock.advance(after_s)
    kept = await visitor.post("/people", TYPED)
    too_early = await press(visitor, kept, "/people")
    await sign_in_as(visitor, person)
    offered = await press(visitor, too_early, "/people")
    before = await names(visitor)
    done = await press(visitor, offered, "/people")

    assert [403, 403, 403, 200] == [each.status_code for each in (kept, too_early, offered, done)]
    assert ["You are signed out"] * 2 == [
        each.text.partition("<h1>")[2].partition("<")[0] for each in (kept, too_early)
    ]
    assert TYPED.items() <= inputs_of(offered.text, "/people").items()
    assert "Grace &#34;H&#34; &lt;b&gt;</span>" in offered.text
    assert all("<code>signed_out</code>" in each.text for each in (kept, offered))
    assert ["A admin"] == before
    assert ["A admin", 'Grace "H" <b>'] == await names(visitor)


async def test_it_is_sent_where_it_was_sent(visitor: Visitor, clock: FakeClock) -> None:
    """With the query that its address had."""
    path, person = "/people?cursor=a%22b&x=1", await first_person(visitor)
    action = path.replace("&", "&amp;")
    clock.advance(IDLE_S)
    kept = await visitor.post(path, TYPED)
    await sign_in_as(visitor, person)
    offered = await visitor.client.post(path, data=inputs_of(kept.text, action), headers=NAVIGATION)

    assert TYPED.items() <= inputs_of(offered.text, action).items()


async def test_the_server_keeps_nothing_of_it(visitor: Visitor, clock: FakeClock) -> None:
    """No write, no cookie, no address."""
    clock.advance(IDLE_S)
    writes = len(visitor.world.stores.database.writes)
    kept = await visitor.post("/people", TYPED)

    assert writes == len(visitor.world.stores.database.writes)
    assert not {"set-cookie", "location"} & set(kept.headers)
    assert "no-store" == kept.headers["cache-control"]


async def test_a_form_of_an_earlier_session(visitor: Visitor) -> None:
    """Signed out and in again in another tab: it is offered, as the page's own token is none any more."""
    person, token = await first_person(visitor), visitor.token
    await visitor.post("/logout")
    await sign_in_as(visitor, person)
    visitor.token = token
    offered = await visitor.post("/people", TYPED)
    before = await names(visitor)
    done = await press(visitor, offered, "/people")

    assert (403, 200) == (offered.status_code, done.status_code)
    assert "Send it once more?" in offered.text
    assert (["A admin"], 2) == (before, len(await names(visitor)))


@pytest.mark.parametrize("kept", [False, True], ids=["sent as it was", "from the page that kept it"])
async def test_nobody_else_gets_it(visitor: Visitor, clock: FakeClock, kept: bool) -> None:
    """Another person in the same browser is shown nothing of it, and sends nothing."""
    other = await visitor.world.application.people.create("Eve", Role.ADMIN, Actor("operator"))
    clock.advance(IDLE_S)
    page = await visitor.post("/people", TYPED)
    await sign_in_as(visitor, other.id)
    answer = await (press(visitor, page, "/people") if kept else visitor.post("/people", TYPED))

    assert 403 == answer.status_code
    assert "Nothing was done" in answer.text
    assert "Grace" not in answer.text
    assert ["A admin", "Eve"] == await names(visitor)


@pytest.mark.parametrize("token", ["0" * 128, "0" * 64, ""], ids=["of nobody", "half of one", "none"])
async def test_a_form_of_nobodys_is_not_offered(visitor: Visitor, token: str) -> None:
    """Who knows no mark of the person has nothing shown to the person; a mark alone lets nothing be done."""
    own, visitor.token = visitor.token, token
    foreign = await visitor.post("/people", TYPED)
    visitor.token = "0" * 64 + own[64:]
    marked = await visitor.post("/people", TYPED)

    assert (403, True) == (foreign.status_code, "Grace" not in foreign.text)
    assert (403, True) == (marked.status_code, "Send it once more?" in marked.text)
    assert ["A admin"] == await names(visitor)


async def test_what_is_secret_is_left_out() -> None:
    """It is named, stands on no page, and is typed once more; then all of it is done."""
    visitor = await author(role=Role.OPERATOR)
    await visitor.get("/connectors/acme")
    visitor.world.clock.advance(IDLE_S)
    path = "/connectors/acme/client"
    kept = await visitor.post(path, {"client_id": "new", "client_secret": "canary-typed"})
    await sign_in_as(visitor, await first_person(visitor))
    offered = await press(visitor, kept, path)
    done = await press(visitor, offered, path, client_secret="canary-again")
    client = await visitor.world.stores.connectors.client("acme")

    assert (403, 403, 303) == (kept.status_code, offered.status_code, done.status_code)
    assert not any("canary-typed" in each.text for each in (kept, offered))
    assert "<code>client_secret</code>" in kept.text
    assert 'type="password" id="secret1" name="client_secret"' in offered.text
    assert ClientCredentials("new", Secret("canary-again")) == client


async def test_a_form_of_secrets_alone() -> None:
    """Nothing is kept; the page leads to the sign-in, and to the form afterwards."""
    visitor = await author()
    await visitor.get("/connectors/acme/try")
    visitor.world.clock.advance(IDLE_S)
    kept = await visitor.post("/connectors/acme/try", {"username": "canary-jo", "password": "canary-word"})

    assert 403 == kept.status_code
    assert "canary" not in kept.text
    assert "<code>username</code>, <code>password</code>" in kept.text
    assert 'href="/login?next=%2Fconnectors%2Facme%2Ftry"' in kept.text


async def test_a_button_alone_leads_to_the_sign_in(visitor: Visitor, clock: FakeClock) -> None:
    """Where nothing was typed, there is nothing to keep."""
    clock.advance(IDLE_S)
    answer = await visitor.post("/keys/add")

    assert (303, "/login") == (answer.status_code, answer.headers["location"])


async def test_a_script_gets_no_page(visitor: Visitor, clock: FakeClock) -> None:
    """What a page's script sends is refused without reading it, so that the script leaves the form alone."""
    token = visitor.token
    clock.advance(IDLE_S)
    out = await visitor.post("/people", TYPED, **{"sec-fetch-dest": "empty"})
    await sign_in_as(visitor, await first_person(visitor))
    visitor.token = "0" * 64 + token[64:]
    stale = await visitor.post("/people", TYPED, **{"sec-fetch-dest": "empty"})

    assert [(403, False)] * 2 == [(each.status_code, "Grace" in each.text) for each in (out, stale)]
    assert "<code>signed_out</code>" in out.text


async def test_another_sites_form_is_not_kept(visitor: Visitor, clock: FakeClock) -> None:
    """What it says is not shown on a page of ours, to nobody."""
    clock.advance(IDLE_S)
    answer = await visitor.post("/people", TYPED, **{"sec-fetch-site": "cross-site"})

    assert (403, True) == (answer.status_code, "Grace" not in answer.text)


async def test_a_form_that_is_too_large_is_not_kept(visitor: Visitor, clock: FakeClock) -> None:
    """The bound of each form is the same for who is signed out."""
    clock.advance(IDLE_S)
    body = urlencode({"form": visitor.token, "name": "x" * 64 * 1024})
    headers = {**NAVIGATION, "content-type": "application/x-www-form-urlencoded"}
    answer = await visitor.client.post("/people", content=body, headers=headers)

    assert 413 == answer.status_code


async def test_who_may_not_any_more_is_told(visitor: Visitor, clock: FakeClock) -> None:
    """The role of the new session counts, before anything is shown."""
    person = await first_person(visitor)
    await visitor.world.application.people.set_role(person, Role.VIEWER, Actor("operator"))
    await sign_in_as(visitor, person)
    answer = await visitor.post("/people", TYPED)

    assert 403 == answer.status_code
    assert "forbidden_role" in answer.text


async def test_a_page_that_asks_by_itself_is_no_use(visitor: Visitor, clock: FakeClock) -> None:
    """Neither the script's question nor figures that come by themselves keep a session from ending."""
    for _ in range(4):
        clock.advance(IDLE_S / 4 - 1)
        asked = await visitor.client.get("/signed-in")
        live = await visitor.client.get("/overview/live", headers={"accept": "text/event-stream"})
        assert (200, visitor.token) == (live.status_code, asked.json()["token"])
    clock.advance(4)
    asked = await visitor.client.get("/signed-in")
    page = await visitor.client.get("/people")

    assert ({"token": ""}, 303) == (asked.json(), page.status_code)


async def test_nobody_is_signed_in_without_a_cookie() -> None:
    """Whoever asks is told so, and no more."""
    answer = await make_visitor().client.get("/signed-in")

    assert ({"token": ""}, "no-store") == (answer.json(), answer.headers["cache-control"])
