"""Connect links and reconnect links over REST."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from keyturn.core.connection import State
from keyturn.core.errors import SessionExpired
from keyturn.core.secret import Secret
from keyturn.engine.login.connect_sessions import Finished, digest_of
from tests.engine.story import me, read, token
from tests.web.control.house import House, assert_problem, begin

PATH = "/v1/connect-sessions"


async def lose(house: House) -> None:
    """Let the connection need its person, its token ended."""
    current = await read(house.world, house.connection_id)
    lost = replace(current, state=State.NEEDS_RECONNECT, reason="grant_lost", expires_at=1.0, renews_at=None)
    await house.world.application.connections.save(lost)


async def sessions(house: House) -> int:
    """How many sessions were made."""
    return sum(each.action == "session.created" for each in house.world.stores.database.records)


async def test_a_link_is_made_and_its_session_followed() -> None:
    """The link is said once; the session tells how far the person is."""
    house = await begin()
    made = await house.call("POST", PATH, {"connector": "acme", "owner": "owner-2"}, key="connect")
    link = made.json()
    path = made.headers["location"]
    states = [(await house.call("GET", path, key="connect")).json()["state"]]
    claimed, _ = await house.world.application.connect_sessions.claim(link["url"].rpartition("/")[2])
    states.append((await house.call("GET", path, key="connect")).json()["state"])
    house.world.clock.advance(15 * 60)
    states.append((await house.call("GET", path, key="connect")).json()["state"])

    assert (201, f"{PATH}/{link['id']}") == (made.status_code, path)
    assert "2023-11-14T22:43:20.000Z" == link["expires_at"]
    assert claimed.id == link["id"]
    assert ["open", "claimed", "expired"] == states
    assert link["url"].rpartition("/")[2] not in (await house.call("GET", path)).text


async def test_the_origin_of_a_popup_is_kept() -> None:
    """Of a new link and of one that repairs a connection; a link without one says so."""
    house = await begin()
    asked = {"origin": "https://app.example"}
    made = [
        await house.call("POST", PATH, {"connector": "acme", "owner": "owner-2", **asked}, key="connect"),
        await house.call("POST", f"/v1/connections/{house.connection_id}/reconnect", asked, key="connect"),
        await house.call("POST", PATH, {"connector": "acme", "owner": "owner-2"}, key="connect"),
    ]
    found = [await house.call("GET", f"{PATH}/{each.json()['id']}", key="connect") for each in made]

    assert ["https://app.example", "https://app.example", None] == [each.json()["origin"] for each in found]


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        pytest.param({"return_url": "http://app.example/"}, 422, "return_url_not_allowed", id="plain http"),
        pytest.param({"return_url": "https://app.example/#x"}, 422, "return_url_not_allowed", id="a fragment"),
        pytest.param({"return_url": "http://localhost:3000/done"}, 201, None, id="loopback"),
        pytest.param({"origin": "http://localhost:3000"}, 201, None, id="an origin"),
        pytest.param({"origin": "https://app.example/"}, 422, "validation_failed", id="an origin with a path"),
        pytest.param({"app_name": "x" * 101}, 422, "validation_failed", id="too long a name"),
        pytest.param({"owner_label": "a\u202eb"}, 422, "validation_failed", id="text that turns round"),
        pytest.param({"connector": "none"}, 404, "not_found", id="no such connector"),
        pytest.param({"owner": " "}, 422, "validation_failed", id="an empty owner"),
    ],
)
async def test_what_a_session_takes(changes: dict[str, str], status: int, code: str | None) -> None:
    """What the person will see or be sent to is checked when the link is made."""
    house = await begin()
    answer = await house.call("POST", PATH, {"connector": "acme", "owner": "owner-2", **changes})

    assert (status, code) == (answer.status_code, answer.json().get("code"))


async def test_a_code_confirms_once() -> None:
    """Until then the connection takes no calls; a wrong code changes nothing."""
    house = await begin()
    body = {"connector": "acme", "owner": "owner-2", "return_url": "https://app.example/done"}
    link = (await house.call("POST", PATH, body)).json()
    pages = house.world.application.connect_sessions
    session, _ = await pages.claim(link["url"].rpartition("/")[2])
    house.world.egress.will_reply(token(3, at=house.world.clock.now()), me("55"))
    done = await pages.log_in(session, username="jo", password=Secret("x"), fields={}, keep_password=False)
    assert isinstance(done, Finished)
    assert done.code is not None
    confirm = f"{PATH}/{link['id']}/confirm"
    connection = f"/v1/connections/{done.connected.connection.id}"
    before = (await house.call("GET", connection)).json()["state"]
    wrong = await house.call("POST", confirm, {"code": "wrong"}, key="connect")
    right = await house.call("POST", confirm, {"code": done.code.reveal()}, key="connect")
    twice = await house.call("POST", confirm, {"code": done.code.reveal()}, key="connect")

    assert "unconfirmed" == before
    assert_problem(wrong, 404, "not_found")
    assert (200, "active") == (right.status_code, right.json()["state"])
    assert_problem(twice, 409, "session_used")


async def test_a_process_that_dies_while_it_confirms_leaves_a_good_code() -> None:
    """The connection is written before the session, so the same code can be sent again."""
    house = await begin()
    body = {"connector": "acme", "owner": "owner-2", "return_url": "https://app.example/done"}
    link = (await house.call("POST", PATH, body)).json()
    pages = house.world.application.connect_sessions
    session, _ = await pages.claim(link["url"].rpartition("/")[2])
    house.world.egress.will_reply(token(3, at=house.world.clock.now()), me("55"))
    done = await pages.log_in(session, username="jo", password=Secret("x"), fields={}, keep_password=False)
    assert isinstance(done, Finished)
    assert done.code is not None

    def dies(write: str) -> None:
        if write == "sessions.save":
            raise RuntimeError("killed")

    house.world.stores.database.before_write = dies
    confirm, code = f"{PATH}/{link['id']}/confirm", {"code": done.code.reveal()}
    crashed = await house.call("POST", confirm, code)
    house.world.stores.database.before_write = None

    assert_problem(crashed, 500, "internal_error")
    assert 200 == (await house.call("POST", confirm, code)).status_code


async def test_an_unopened_reconnect_link_is_shown_again() -> None:
    """Hundreds of calls on an ended connection make one session; each gets the same link, and it works."""
    house = await begin()
    await lose(house)
    answers = await asyncio.gather(*(house.call("POST", f"{house.path}/renew") for _ in range(30)))
    urls = {assert_problem(each, 409, "connection_needs_reconnect")["next_action"]["url"] for each in answers}
    link = (await house.call("POST", f"{house.path}/reconnect", key="connect")).json()

    assert {link["url"]} == urls
    assert 1 == await sessions(house)
    session = await house.world.application.connect_sessions.look(link["url"].rpartition("/")[2])
    assert (link["id"], house.connection_id) == (session.id, session.reconnects)


async def test_a_key_without_connect_learns_where_to_ask() -> None:
    """A link is for keys that may make one; no session is made for others."""
    house = await begin()
    await lose(house)
    problem = assert_problem(
        await house.call("POST", f"{house.path}/test", key="call"), 409, "connection_needs_reconnect"
    )

    assert f"http://127.0.0.1:8800{house.path}/reconnect" == problem["next_action"]["url"]
    assert "grant_lost" == problem["reason"]
    assert 0 == await sessions(house)


@pytest.mark.parametrize(
    ("minutes", "same"),
    [
        pytest.param(20, True, id="ten minutes are left"),
        pytest.param(21, False, id="less than ten are left"),
        pytest.param(31, False, id="it has ended"),
    ],
)
async def test_a_link_that_soon_ends_is_not_shown_again(minutes: int, same: bool) -> None:
    """Somebody who gets it now must have the time to use it."""
    house = await begin()
    first = (await house.call("POST", f"{house.path}/reconnect")).json()
    house.world.clock.advance(minutes * 60)
    second = (await house.call("POST", f"{house.path}/reconnect")).json()

    assert same == (first == second)


async def test_an_opened_link_is_not_shown_again() -> None:
    """It works once, so the next one who asks gets another."""
    house = await begin()
    first = (await house.call("POST", f"{house.path}/reconnect")).json()
    await house.world.application.connect_sessions.claim(first["url"].rpartition("/")[2])
    second = (await house.call("POST", f"{house.path}/reconnect")).json()

    assert first["id"] != second["id"]


async def test_a_link_that_another_process_replaced_is_not_shown_again() -> None:
    """What this process remembers is held against the stored digest."""
    house = await begin()
    first = (await house.call("POST", f"{house.path}/reconnect")).json()
    stored = await house.world.stores.sessions.load(first["id"])
    assert stored is not None
    await house.world.stores.sessions.save(replace(stored, link_digest=digest_of("another")))
    second = (await house.call("POST", f"{house.path}/reconnect")).json()

    assert first["id"] != second["id"]


async def test_a_reconnect_link_with_a_return_url_is_its_own() -> None:
    """The person goes back to where this caller wants."""
    house = await begin()
    plain = (await house.call("POST", f"{house.path}/reconnect")).json()
    own = (await house.call("POST", f"{house.path}/reconnect", {"return_url": "https://app.example/"})).json()
    again = (await house.call("POST", f"{house.path}/reconnect")).json()

    assert plain["id"] != own["id"]
    assert plain == again
    assert "https://app.example/" == (await house.call("GET", f"{PATH}/{own['id']}")).json()["return_url"]


async def test_links_that_wait_are_listed_and_taken_back() -> None:
    """Newest first and without the link; one that was taken back leads nowhere, again and again."""
    house = await begin()
    made = [await house.call("POST", PATH, {"connector": "acme", "owner": each}, key="connect") for each in "ab"]
    listed = await house.call("GET", PATH, key="connect")
    gone = [await house.call("DELETE", f"{PATH}/{made[0].json()['id']}", key="connect") for _ in range(2)]
    left = (await house.call("GET", PATH, key="connect")).json()["data"]
    state = (await house.call("GET", f"{PATH}/{made[0].json()['id']}", key="connect")).json()["state"]

    assert {"a", "b"} == {each["owner"] for each in listed.json()["data"]}
    assert made[0].json()["url"].rpartition("/")[2] not in listed.text
    assert [204, 204] == [each.status_code for each in gone]
    assert (["b"], "revoked") == ([each["owner"] for each in left], state)
    with pytest.raises(SessionExpired):
        await house.world.application.connect_sessions.look(made[0].json()["url"].rpartition("/")[2])


async def test_a_link_that_led_to_something_is_not_taken_back() -> None:
    """Disconnect what it led to instead."""
    house = await begin()
    made = (await house.call("POST", PATH, {"connector": "acme", "owner": "a"}, key="connect")).json()
    session = await house.world.stores.sessions.load(made["id"])
    assert session is not None
    await house.world.stores.sessions.save(replace(session, state="done"))

    assert_problem(await house.call("DELETE", f"{PATH}/{made['id']}", key="connect"), 409, "session_used")
    assert_problem(await house.call("DELETE", f"{PATH}/none", key="connect"), 404, "not_found")
