"""Connections over REST: connect, read, explain, renew, test, pause, disconnect."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from keyturn.core.connection import State
from keyturn.core.errors import ProviderTimeout, ProviderUnreachable, VersionConflict
from keyturn.core.messages import Answer, OutgoingRequest
from tests.engine.story import ACTOR, actions, bodies, error, me, read, token
from tests.engine.told import set_up_refused
from tests.fakes.egress import json_answer
from tests.web.control.house import PASSWORD, House, assert_problem, begin, login_body

MEMBERS = {
    "id", "connector", "connector_version", "owner", "name", "unique_id", "state", "reason", "generation", "attention",
    "state_since", "created_at", "updated_at", "expires_at", "refresh_expires_at",
    "expires_soon", "renews_at", "last_test", "last_error", "last_error_at",
    "last_used_at", "hosts", "fields", "stored", "disconnected_at", "revocation",
}  # fmt: skip


async def change(house: House, **changes: Any) -> None:
    """Write over the stored connection."""
    current = await read(house.world, house.connection_id)
    await house.world.application.connections.save(replace(current, **changes))


async def test_a_new_account_is_201() -> None:
    """The answer is the connection, where it is, and its tag; nothing secret is in it."""
    house = await begin()
    house.world.egress.will_reply(token(9, at=house.world.clock.now()), me("77"))
    answer = await house.call("POST", "/v1/connections", login_body(owner="owner-2"), key="login")
    found = answer.json()

    assert 201 == answer.status_code
    assert f"/v1/connections/{found['id']}" == answer.headers["location"]
    assert MEMBERS == set(found)
    assert ("acme", 1, "owner-2", "77", "active", 1) == tuple(
        found[each] for each in ("connector", "connector_version", "owner", "unique_id", "state", "generation")
    )
    assert [] == [each for each in (PASSWORD, "access-9", "refresh-9", "client-secret") if each in answer.text]
    again = await house.call("GET", answer.headers["location"], key="read")
    assert found == again.json()
    assert answer.headers["etag"] == again.headers["etag"]


async def test_the_same_account_is_200() -> None:
    """An account that is connected already keeps its id and gets the next generation."""
    house = await begin()
    house.world.egress.will_reply(token(2, at=house.world.clock.now()), me())
    answer = await house.call("POST", "/v1/connections", login_body())

    assert (200, house.connection_id, 2) == (answer.status_code, answer.json()["id"], answer.json()["generation"])
    assert "location" not in answer.headers


async def test_a_wrong_password_says_how_many_tries_are_left() -> None:
    """422 with a number; nothing is stored and nothing repeated."""
    house = await begin()
    house.world.egress.will_reply(error("invalid_grant"), error("invalid_grant"))
    sent = len(house.world.egress.requests)
    first = await house.call("POST", "/v1/connections", login_body(owner="owner-2"))
    second = await house.call("POST", "/v1/connections", login_body(owner="owner-2"))

    left = [assert_problem(each, 422, "provider_credentials_rejected")["tries_left"] for each in (first, second)]
    assert [2, 1] == left
    assert sent + 2 == len(house.world.egress.requests)
    assert 1 == len((await house.call("GET", "/v1/connections")).json()["data"])


@pytest.mark.parametrize(
    ("reply", "status", "code"),
    [
        pytest.param(ProviderTimeout(), 504, "provider_timeout", id="no answer"),
        pytest.param(ProviderUnreachable(), 502, "provider_unreachable", id="unreachable"),
        pytest.param(json_answer("<html>"), 502, "provider_bad_response", id="nonsense"),
        pytest.param(error("invalid_client", 401), 424, "connector_client_rejected", id="the client is wrong"),
        pytest.param(Answer(429, (("Retry-After", "7"),)), 429, "provider_rate_limited", id="asks to wait"),
    ],
)
async def test_what_the_provider_answers_is_what_the_caller_hears(reply: Any, status: int, code: str) -> None:
    """Each way to fail keeps its code, and the connection that existed stays as it was."""
    house = await begin()
    before = (await house.call("GET", house.path)).json()
    house.world.egress.will_reply(reply)
    answer = await house.call("POST", "/v1/connections", login_body())

    assert_problem(answer, status, code)
    assert ("7" if status == 429 else None) == answer.headers.get("retry-after")
    assert before == (await house.call("GET", house.path)).json()


async def test_a_caller_that_hangs_up_does_not_end_the_login() -> None:
    """The password was sent; what comes of it is stored."""
    house = await begin()
    asked, go_on = asyncio.Event(), asyncio.Event()

    async def slow(_: OutgoingRequest) -> Answer:
        asked.set()
        await go_on.wait()
        return token(5, at=house.world.clock.now())

    house.world.egress.will_reply(slow, me("88"))
    calling = asyncio.create_task(house.call("POST", "/v1/connections", login_body(owner="owner-2")))
    await asked.wait()
    calling.cancel()
    await asyncio.gather(calling, return_exceptions=True)
    go_on.set()
    await house.world.application.connect.drain(5)

    listed = (await house.call("GET", "/v1/connections?owner=owner-2")).json()["data"]
    assert ["88"] == [each["unique_id"] for each in listed]


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        pytest.param({}, 200, None, id="the same account"),
        pytest.param({"owner": "somebody-else"}, 422, "validation_failed", id="another owner"),
        pytest.param({"connection": "cxn_none"}, 404, "not_found", id="no such connection"),
    ],
)
async def test_a_reconnect_goes_to_its_own_connection(changes: dict[str, Any], status: int, code: str | None) -> None:
    """A login of one owner never ends up in a connection of another, and is refused before anything is sent."""
    house = await begin()
    house.world.egress.will_reply(token(2, at=house.world.clock.now()), me())
    sent = len(house.world.egress.requests)
    answer = await house.call("POST", "/v1/connections", login_body(connection=house.connection_id) | changes)

    assert (status, code) == (answer.status_code, answer.json().get("code"))
    assert (len(house.world.egress.requests) == sent) == (status != 200)


async def test_a_reconnect_of_another_connector_is_refused() -> None:
    """Else the tokens of one provider would be sent to the hosts of another."""
    house = await begin()
    source = (await house.call("GET", "/v1/connectors/acme")).json()["version"]
    assert source is not None
    text = (
        "keyturn: 1\nconnector: other\ntitle: O\ntrust: {reason: legacy, note: None else.}\n"
        'token: {url: "https://auth.other.example/token"}\ntest: {url: "https://api.other.example/me"}\n'
        'allowed_urls: ["https://api.other.example"]\nunique_id: "{{ test.id }}"\n'
    )
    await house.call("PUT", "/v1/connectors/other", raw=text.encode(), kind="application/yaml")
    await house.call("PUT", "/v1/connectors/other/client", {"client_id": "x"})
    await house.call("POST", "/v1/connectors/other/publish")
    sent = len(house.world.egress.requests)
    answer = await house.call("POST", "/v1/connections", login_body(connector="other", connection=house.connection_id))

    assert ["/connector"] == [each["pointer"] for each in assert_problem(answer, 422, "validation_failed")["errors"]]
    assert sent == len(house.world.egress.requests)


@pytest.mark.parametrize(("allow", "status"), [(True, 200), (False, 409)])
async def test_another_account_needs_the_callers_word(allow: bool, status: int) -> None:
    """A reconnect that comes back as a different account is refused and its tokens revoked."""
    house = await begin()
    house.world.egress.will_reply(token(2, at=house.world.clock.now()), me("43"))
    body = login_body(connection=house.connection_id, allow_account_change=allow)
    answer = await house.call("POST", "/v1/connections", body)

    assert status == answer.status_code
    assert ("43" if allow else "42") == (await house.call("GET", house.path)).json()["unique_id"]


async def test_the_list_is_paged_and_filtered() -> None:
    """Each connection stands on one page; the link to the next one keeps the filters."""
    house = await begin()
    for n in range(4):
        house.world.clock.advance(1)
        house.world.egress.will_reply(token(n, at=house.world.clock.now()), me(str(n)))
        await house.call("POST", "/v1/connections", login_body(owner="many ü"))
    seen: list[str] = []
    path: str | None = "/v1/connections?owner=many%20%C3%BC&limit=3&connector=acme&state=active"
    while path is not None:
        answer = await house.call("GET", path, key="read")
        seen += [each["unique_id"] for each in answer.json()["data"]]
        path = answer.links["next"]["url"] if "link" in answer.headers else None
        assert (path is None) == (answer.json()["next_cursor"] is None)

    assert ["3", "2", "1", "0"] == seen
    assert [] == (await house.call("GET", "/v1/connections?state=paused")).json()["data"]
    assert 5 == len((await house.call("GET", "/v1/connections")).json()["data"])


@pytest.mark.parametrize(
    ("query", "found"),
    [
        pytest.param("attention=true", True, id="needs attention"),
        pytest.param("error=provider_timeout", True, id="a code"),
        pytest.param("error=provider_timeout&attention=true&state=active", True, id="several"),
        pytest.param("error=grant_lost", False, id="another code"),
        pytest.param("ends_before=2023-11-14T23:13:20.001Z", False, id="it renews itself"),
        pytest.param("renews_before=1700003001", True, id="due by then, in Unix seconds"),
        pytest.param("renews_before=2023-11-14T23:03:20Z", False, id="not due by then"),
    ],
)
async def test_the_list_is_asked_what_is_wrong(query: str, found: bool) -> None:
    """By attention, code and time, and each answer says so."""
    house = await begin()
    await change(house, last_error="provider_timeout", renews_at=1_700_003_000.0)
    rows = (await house.call("GET", f"/v1/connections?{query}", key="read")).json()["data"]

    assert ([house.connection_id] if found else []) == [each["id"] for each in rows]
    assert all(each["attention"] for each in rows)


async def test_a_timeline_of_one_kind() -> None:
    """Only that, and no kind that there is not."""
    house = await begin()
    house.world.egress.will_reply(Answer(500), me())
    for _ in range(2):
        await house.call("POST", f"{house.path}/test", key="call")
    failures = (await house.call("GET", f"{house.path}/events?kind=failures&limit=1", key="read")).json()

    assert [("connection.tested", "connection_test_failed")] == [
        (each["action"], each["outcome"]) for each in failures["data"]
    ]
    assert failures["next_cursor"] is None
    assert_problem(await house.call("GET", f"{house.path}/events?kind=x"), 422, "validation_failed")


@pytest.mark.parametrize("query", ["attention=yes", "attention=false", "ends_before=tomorrow", "renews_before=-1"])
async def test_a_question_that_says_nothing_is_refused(query: str) -> None:
    """422, and which part."""
    house = await begin()
    problem = assert_problem(await house.call("GET", f"/v1/connections?{query}"), 422, "validation_failed")

    assert [f"/{query.partition('=')[0]}"] == [each["pointer"] for each in problem["errors"]]


async def test_since_when_it_is_lost() -> None:
    """`state_since` moves with the state, and no test or pause moves it."""
    house = await begin()
    made = (await house.call("GET", house.path)).json()
    house.world.clock.advance(60)
    await change(house, state=State.NEEDS_RECONNECT, reason="grant_lost", updated_at=house.world.clock.now())
    house.world.clock.advance(60)
    await house.call("POST", f"{house.path}/pause")
    paused = (await house.call("GET", house.path)).json()

    assert ("2023-11-14T22:13:20.000Z", "2023-11-14T22:14:20.000Z") == (made["state_since"], paused["state_since"])
    assert "2023-11-14T22:15:20.000Z" == paused["updated_at"]


async def test_what_is_stored_is_said() -> None:
    """Each thing that is kept, since when and until when; never the thing."""
    house = await begin(keep="offer")
    house.world.egress.will_reply(token(2, at=house.world.clock.now()), me())
    before = (await house.call("GET", house.path)).json()["stored"]
    await house.call("POST", "/v1/connections", login_body(keep_password=True))
    after = (await house.call("GET", house.path)).json()["stored"]
    since, until = "2023-11-14T22:13:20.000Z", "2023-11-14T23:13:20.000Z"

    assert {"since": since, "until": until, "sealed": True} == before["access_token"]
    assert {"since": since, "until": None, "sealed": True} == before["refresh_token"]
    assert before["password"] is before["username"] is None
    assert {"since": since, "until": None, "sealed": True} == after["password"]
    assert {} == after["fields"]


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        pytest.param(1_700_000_000.1239, "2023-11-14T22:13:20.123Z", id="milliseconds, cut"),
        pytest.param(1e18, "9999-12-31T23:59:59.000Z", id="beyond every calendar"),
        pytest.param(-1.0, "1970-01-01T00:00:00.000Z", id="before the beginning"),
    ],
)
async def test_times(seconds: float, shown: str) -> None:
    """RFC 3339 in UTC, whatever a provider said."""
    house = await begin()
    await change(house, expires_at=seconds)
    answer = await house.call("GET", house.path)

    assert shown == answer.json()["expires_at"]
    assert datetime.fromisoformat(shown).tzinfo is not None


async def test_why() -> None:
    """State, cause, whose move, and what is next, in words and codes; the connector's alarm counts."""
    house = await begin()
    well = (await house.call("GET", f"{house.path}/why", key="read")).json()
    set_up_refused(house.world.application.gate, "acme")
    alarmed = (await house.call("GET", f"{house.path}/why", key="read")).json()

    assert ("active", None, "nobody") == (well["state"], well["code"], well["who"])
    assert well["next"]["at"] is not None
    assert ("connector_client_rejected", "operator") == (alarmed["code"], alarmed["who"])
    assert "2023-11-14T22:14:20.000Z" == alarmed["next"]["at"]


async def test_the_timeline() -> None:
    """What happened to this connection, newest first, page by page."""
    house = await begin()
    await house.call("POST", f"{house.path}/pause")
    first = (await house.call("GET", f"{house.path}/events?limit=1", key="read")).json()
    rest = (await house.call("GET", f"{house.path}/events?cursor={first['next_cursor']}", key="read")).json()

    assert ["connection.paused"] == [each["action"] for each in first["data"]]
    assert "connection.created" in [each["action"] for each in rest["data"]]
    assert {house.connection_id} == {each["connection"] for each in first["data"] + rest["data"]}
    assert "key:environment" == first["data"][0]["actor"]
    assert first["data"][0]["request_id"].startswith("req_")


async def test_pause_and_resume() -> None:
    """Both say how it is then, and both are fine twice."""
    house = await begin()
    states = [
        (await house.call("POST", f"{house.path}/{step}")).json()["state"]
        for step in ("pause", "pause", "resume", "resume")
    ]
    await house.call("POST", f"{house.path}/pause")

    assert ["paused", "paused", "active", "active"] == states
    problem = assert_problem(await house.call("POST", f"{house.path}/renew"), 409, "connection_paused")
    assert problem["next_action"]["url"].endswith(f"{house.path}/resume")


async def test_renew() -> None:
    """The next generation, by one refresh."""
    house = await begin()
    house.world.egress.will_reply(token(2, at=house.world.clock.now()))
    answer = await house.call("POST", f"{house.path}/renew")

    assert (200, 2) == (answer.status_code, answer.json()["generation"])
    assert ("connection.renewed", "ok") in actions(house.world)


async def test_what_cannot_be_renewed_stays_as_it_is() -> None:
    """409, with the address of the call that makes a link."""
    house = await begin(refresh=None)
    before = (await house.call("GET", house.path)).json()
    problem = assert_problem(await house.call("POST", f"{house.path}/renew"), 409, "renewal_not_possible")

    assert problem["next_action"]["url"] == f"http://127.0.0.1:8800{house.path}/reconnect"
    assert before == (await house.call("GET", house.path)).json()


async def test_a_test_records_its_verdict() -> None:
    """`last_test` tells when and how; a token that lives is not renewed."""
    house = await begin()
    house.world.clock.advance(60)
    house.world.egress.will_reply(me(), Answer(500))
    good = await house.call("POST", f"{house.path}/test", key="call")
    bad = await house.call("POST", f"{house.path}/test", key="call")

    well = {"at": "2023-11-14T22:14:20.000Z", "passed": True, "status": 200, "code": None, "cause": None}
    assert well == good.json()["last_test"]
    assert 200 == bad.status_code
    assert {**well, "passed": False, "status": 500, "code": "connection_test_failed", "cause": "status"} == (
        bad.json()["last_test"]
    )
    assert 1 == bad.json()["generation"]


async def test_a_test_renews_a_token_that_has_ended() -> None:
    """Else the verdict would be about the token's age."""
    house = await begin()
    house.world.clock.advance(3600)
    house.world.egress.will_reply(token(2, at=house.world.clock.now()), me())
    answer = await house.call("POST", f"{house.path}/test", key="call")

    assert (2, True) == (answer.json()["generation"], answer.json()["last_test"]["passed"])


async def test_a_dry_run_shows_the_request_and_sends_nothing() -> None:
    """Secrets are shown by their names."""
    house = await begin()
    sent = len(house.world.egress.requests)
    answer = await house.call("POST", f"{house.path}/test?dry_run=true", key="call")
    found = answer.json()

    assert ("GET", "https://api.acme.example/me") == (found["method"], found["url"])
    assert "access_token" in str(found["headers"])
    assert "access-1" not in answer.text
    assert sent == len(house.world.egress.requests)
    assert 422 == (await house.call("POST", f"{house.path}/test?dry_run=perhaps", key="call")).status_code


async def test_disconnect() -> None:
    """The provider is told at once; the tombstone says 410 to everything but reading."""
    house = await begin()
    house.world.egress.will_reply(Answer(200), Answer(200))
    answer = await house.call("DELETE", house.path)

    assert (200, "disconnected") == (answer.status_code, answer.json()["state"])
    assert {"result": "done", "tries": 1, "revoked": ["refresh_token", "access_token"]} == answer.json()["revocation"]
    assert_problem(await house.call("DELETE", house.path), 410, "connection_disconnected")
    for step in ("test", "renew", "reconnect", "pause", "resume"):
        assert_problem(await house.call("POST", f"{house.path}/{step}"), 410, "connection_disconnected")
    shown = (await house.call("GET", house.path)).json()
    assert ("disconnected", None, {}) == (shown["state"], shown["stored"]["access_token"], shown["fields"])


@pytest.mark.parametrize(("query", "state"), [("", "disconnecting"), ("?forget=now", "disconnected")])
async def test_a_provider_that_is_down_is_told_later_or_not_at_all(query: str, state: str) -> None:
    """`forget=now` makes no later tries; any other word is refused before anything happens."""
    house = await begin()
    house.world.egress.will_reply(Answer(503), Answer(503))
    wrong = await house.call("DELETE", f"{house.path}?forget=later")
    answer = await house.call("DELETE", f"{house.path}{query}")

    assert_problem(wrong, 422, "validation_failed")
    assert state == answer.json()["state"]
    assert (state == "disconnecting") == bool(house.world.stores.revocations.rows)


@pytest.mark.parametrize("step", ["POST pause", "POST resume", "POST test", "POST renew", "POST reconnect", "DELETE "])
async def test_a_writer_that_has_read_another_state_is_refused(step: str) -> None:
    """`If-Match` with an older tag is 412 and changes nothing."""
    house = await begin()
    tag = (await house.call("GET", house.path)).headers["etag"]
    await house.call("POST", f"{house.path}/pause")
    await house.call("POST", f"{house.path}/resume")
    before = await read(house.world, house.connection_id)
    method, _, rest = step.partition(" ")
    for stale in (tag, f"W/{tag}", '"x"', "", f'{tag}, "r0"'):
        answer = await house.call(method, f"{house.path}/{rest}".rstrip("/"), headers={"if-match": stale})
        assert_problem(answer, 412, "version_conflict")

    assert before == await read(house.world, house.connection_id)


async def test_a_writer_in_between_is_noticed() -> None:
    """Between the check of the tag and the write somebody may write as well; the use case looks once more."""
    house = await begin()
    before = await read(house.world, house.connection_id)
    await change(house, name="Another")

    with pytest.raises(VersionConflict):
        await house.world.application.pause(before.id, ACTOR, paused=True, expected_revision=before.revision)
    with pytest.raises(VersionConflict):
        await house.world.application.edit_connector.publish("acme", ACTOR, expected_revision=7)


@pytest.mark.parametrize("form", ["{}", '"other", {}', "*", 'W/"r1", {}'])
async def test_a_writer_that_has_read_this_state_goes_on(form: str) -> None:
    """`If-Match` with the current tag, alone, among others, or as a star."""
    house = await begin()
    tag = (await house.call("GET", house.path)).headers["etag"]
    answer = await house.call("POST", f"{house.path}/pause", headers={"if-match": form.format(tag)})

    assert 200 == answer.status_code
    assert tag != answer.headers["etag"]


async def test_a_database_that_is_gone_is_503() -> None:
    """Nothing is half done, and the next step is where to look."""
    house = await begin()
    await house.call("GET", "/v1/connections", key="login")
    sent = len(house.world.egress.requests)
    house.world.stores.database.gone = True
    for method, path in (("GET", house.path), ("POST", f"{house.path}/renew"), ("POST", "/v1/connections")):
        answer = await house.call(method, path, login_body() if path == "/v1/connections" else None)
        problem = assert_problem(answer, 503, "store_unavailable")
        assert problem["next_action"]["url"].endswith("/readyz")

    assert sent == len(house.world.egress.requests)
    assert [] == bodies(house.world, "/nowhere")


async def test_an_uncertain_connection_is_shown_as_it_is() -> None:
    """State and reason come from the row."""
    house = await begin()
    await change(house, state=State.UNCERTAIN, reason="renewal_outcome_unknown")
    found = (await house.call("GET", house.path)).json()

    assert ("uncertain", "renewal_outcome_unknown") == (found["state"], found["reason"])


@pytest.mark.parametrize("address", ["203.0.113.7:80", "no address", "fe80::1%eth0", ""])
async def test_a_client_address_is_an_ip_address(address: str) -> None:
    """Anything else is said at its place, unrepeated, and nothing is sent."""
    house = await begin()
    sent = len(house.world.egress.requests)

    answer = await house.call("POST", "/v1/connections", login_body(client_address=address))

    assert_problem(answer, 422, "validation_failed")
    assert ["/client_address"] == [each["pointer"] for each in answer.json()["errors"]]
    assert len(house.world.egress.requests) == sent
