"""Connect links at the console: made, listed, taken back."""

from __future__ import annotations

import pytest

from keyturn.core.access.roles import Role
from keyturn.web.kit.drawing.qr_code import qr_code
from tests.engine.story import publish
from tests.fakes.application import make_world
from tests.web.console.visiting import ORIGIN, Visitor, make_visitor

VALUES = {"connector": "acme", "owner": "ada-1", "owner_label": "Ada", "app_name": "Ledgerly", "return_url": ""}


@pytest.fixture(name="visitor")
async def _visitor() -> Visitor:
    visitor = make_visitor()
    await publish(visitor.world)
    await visitor.sign_in(Role.OPERATOR)
    await visitor.get("/links")
    return visitor


async def test_a_link_is_made_and_shown_once(visitor: Visitor) -> None:
    """It leads somewhere, stands in the list without itself, and on no later page."""
    made = await visitor.post("/links", VALUES)
    link = made.text.partition(f'value="{ORIGIN}/c/')[2].partition('"')[0]
    listed = await visitor.get("/links")
    session = await visitor.world.application.connect_sessions.look(link)

    assert ("ada-1", "Ada", "open") == (session.owner, session.owner_label, session.state)
    assert session.created_by.startswith("person:")
    assert ("Ada" in listed.text, "not yet" in listed.text, link in listed.text) == (True, True, False)


@pytest.mark.parametrize(
    ("values", "text"),
    [
        pytest.param({"owner": ""}, 'aria-describedby="owner-hint owner-error"', id="no owner"),
        pytest.param({"connector": ""}, "Choose a connector.", id="no connector"),
        pytest.param({"connector": "none"}, "connector-error", id="no such connector"),
        pytest.param({"return_url": "ftp://x"}, "return_url-error", id="a return address that is none"),
    ],
)
async def test_what_is_wrong_is_told_at_its_input(visitor: Visitor, values: dict[str, str], text: str) -> None:
    """And nothing is made."""
    answer = await visitor.post("/links", {**VALUES, **values})

    assert 400 <= answer.status_code < 500
    assert "<title>Error: Links" in answer.text
    assert text in answer.text
    assert {} == visitor.world.stores.sessions.rows


async def test_a_link_is_taken_back(visitor: Visitor) -> None:
    """Its page says that it is too old; the log names the person."""
    made = await visitor.post("/links", VALUES)
    session = next(iter(visitor.world.stores.sessions.rows.values()))
    back = await visitor.post(f"/links/{session.id}/revoke")
    listed = await visitor.get(back.headers["location"])

    assert 200 == made.status_code
    assert "Taken back" in listed.text
    assert "No link waits for anybody." in listed.text
    assert "revoked" == visitor.world.stores.sessions.rows[session.id].state
    records = visitor.world.stores.database.records
    assert ("session.revoked", True) == (records[-1].action, records[-1].actor.startswith("person:"))


async def test_a_viewer_only_looks(visitor: Visitor) -> None:
    """No form, no button."""
    await visitor.post("/links", VALUES)
    other = make_visitor(visitor.world)
    await other.sign_in(Role.VIEWER)
    answer = await other.get("/links")

    assert "Ada" in answer.text
    assert ("Make the link" in answer.text, "Take back" in answer.text) == (False, False)


async def test_links_are_found_by_what_they_are(visitor: Visitor) -> None:
    """By owner, connector and whether somebody opened them; where none fits, the page says how to go on."""
    await visitor.post("/links", VALUES)
    await visitor.post("/links", {**VALUES, "owner": "grace-1", "owner_label": "Grace"})
    by_owner = (await visitor.get("/links?only_owner=grace-1")).text
    opened = (await visitor.get("/links?only_state=claimed")).text
    other = (await visitor.get("/links?only_connector=other")).text

    assert ("Grace" in by_owner, "Ada" in by_owner) == (True, False)
    assert "No link matches." in opened
    assert "No link matches." in other
    assert 422 == (await visitor.get("/links?only_state=lost")).status_code


async def test_one_that_nobody_opened_and_that_ends_soon(visitor: Visitor) -> None:
    """Is marked, by shape and word."""
    await visitor.post("/links", VALUES)
    before = (await visitor.get("/links")).text
    visitor.world.clock.advance(25 * 60.0)
    after = (await visitor.get("/links")).text

    assert ("ends soon" in before, "▲</span> not yet, ends soon" in after) == (False, True)


async def test_the_code_stands_beside_the_link(visitor: Visitor) -> None:
    """On the page that shows it, and on no other."""
    made = await visitor.post("/links", VALUES)
    link = made.text.partition('<input id="link" value="')[2].partition('"')[0]

    assert qr_code(link).path in made.text
    assert 'aria-label="The link as a QR code"' in made.text
    assert "<svg" not in (await visitor.get("/links")).text


async def test_an_address_that_the_operator_does_not_name() -> None:
    """Is told at its input, with the setting that names them."""
    visitor = make_visitor(make_world(return_origins=frozenset({"https://app.example"})))
    await publish(visitor.world)
    await visitor.sign_in(Role.OPERATOR)
    await visitor.get("/links")
    answer = await visitor.post("/links", {**VALUES, "return_url": "https://other.example/done"})

    assert 422 == answer.status_code
    assert 'id="return_url-error"' in answer.text
    assert "KEYTURN_RETURN_ORIGINS" in answer.text
