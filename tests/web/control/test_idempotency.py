"""`Idempotency-Key` on every POST."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from keyturn.core.errors import ProviderUnreachable
from keyturn.core.messages import Answer, OutgoingRequest
from keyturn.web.control.application import make_control
from tests.engine.story import error, me, token
from tests.web.control.house import PASSWORD, House, assert_problem, begin, login_body, new_key

KEY = {"idempotency-key": "k-1"}


async def no_metrics() -> bytes:
    """No other zone has any."""
    return b""


async def restart(house: House) -> None:
    """Another process over the same stores."""

    async def ready() -> dict[str, str]:
        return {}

    house.app = make_control(house.world.application, readiness=ready, metrics=no_metrics)


async def connect(house: House, headers: dict[str, str] = KEY, key: str = "login", **changes: Any) -> Any:
    """Connect an account of another owner."""
    return await house.call("POST", "/v1/connections", login_body(owner="o2", **changes), headers=headers, key=key)


@pytest.mark.parametrize("restarted", [False, True])
async def test_a_request_that_comes_again_is_answered_as_before(restarted: bool) -> None:
    """Nothing is sent twice, also after a restart; the replay says that it is one."""
    house = await begin()
    house.world.egress.will_reply(token(2, at=house.world.clock.now()), me("9"))
    first = await connect(house)
    if restarted:
        await restart(house)
    second = await connect(house)

    assert (201, 201) == (first.status_code, second.status_code)
    assert first.json() == second.json()
    for name in ("etag", "location", "content-type"):
        assert first.headers[name] == second.headers[name]
    assert ("true", None) == (second.headers["idempotency-replayed"], first.headers.get("idempotency-replayed"))
    assert first.headers["keyturn-request-id"] != second.headers["keyturn-request-id"]


@pytest.mark.parametrize(
    ("changes", "restarted", "status"),
    [
        pytest.param({"keep_password": False}, False, 422, id="one more member"),
        pytest.param({"password": "another"}, False, 422, id="another password"),
        pytest.param({"username": "another"}, False, 422, id="another username"),
        pytest.param({"keep_password": False}, True, 422, id="one more member, after a restart"),
        pytest.param({"password": "another"}, True, 201, id="another password, after a restart: nobody can tell"),
    ],
)
async def test_the_same_key_for_another_request(changes: dict[str, Any], restarted: bool, status: int) -> None:
    """It is refused, as far as it can be told without storing anything of a secret; never is anything sent."""
    house = await begin()
    house.world.egress.will_reply(token(2, at=house.world.clock.now()), me("9"))
    await connect(house)
    if restarted:
        await restart(house)
    second = await connect(house, **changes)

    assert status == second.status_code
    assert (status == 422) == ("idempotency_key_reused" == second.json().get("code"))
    assert 0 == house.world.egress.left


async def test_members_in_another_order_are_the_same_request() -> None:
    """What counts is what the body says."""
    house = await begin()
    house.world.egress.will_reply(token(2, at=house.world.clock.now()), me("9"))
    await connect(house)
    turned = dict(reversed(login_body(owner="o2").items()))
    again = await house.call("POST", "/v1/connections", turned, headers=KEY, key="login")

    assert "true" == again.headers["idempotency-replayed"]


async def test_keys_of_others_and_of_other_calls_are_others() -> None:
    """One caller's key says nothing to another, and one call's key nothing to another call."""
    house = await begin()
    for n in (2, 3):
        house.world.egress.will_reply(token(n, at=house.world.clock.now()), me("9"))
    await connect(house)
    other = await connect(house, key=await new_key(house.world, "login"))
    paused = await house.call("POST", f"{house.path}/pause", headers=KEY)
    resumed = await house.call("POST", f"{house.path}/resume", headers=KEY)

    for each in (other, paused, resumed):
        assert 200 == each.status_code
        assert "idempotency-replayed" not in each.headers


async def test_a_request_that_still_runs_is_409() -> None:
    """Two at one moment send one login."""
    house = await begin()
    asked, go_on = asyncio.Event(), asyncio.Event()

    async def slow(_: OutgoingRequest) -> Answer:
        asked.set()
        await go_on.wait()
        return token(5, at=house.world.clock.now())

    house.world.egress.will_reply(slow, me("9"))
    first = asyncio.create_task(connect(house))
    await asked.wait()
    second = await connect(house)
    go_on.set()

    assert_problem(second, 409, "idempotency_in_progress")
    assert "1" == second.headers["retry-after"]
    assert 201 == (await first).status_code
    assert 201 == (await connect(house)).status_code


async def test_a_refused_password_is_not_sent_again_by_a_retry() -> None:
    """A client that repeats a request whose answer it lost must not lock the account."""
    house = await begin()
    house.world.egress.will_reply(error("invalid_grant"))
    first, second = await connect(house), await connect(house)

    assert first.json() == second.json()
    assert 2 == assert_problem_body(second.json())["tries_left"]
    assert "application/problem+json" == second.headers["content-type"]
    assert 0 == house.world.egress.left


def assert_problem_body(document: dict[str, Any]) -> dict[str, Any]:
    """It is the refusal."""
    assert "provider_credentials_rejected" == document["code"]
    return document


async def test_what_did_nothing_may_be_sent_again() -> None:
    """A key is given back where nothing reached the provider."""
    house = await begin()
    invalid = await connect(house, password=...)
    house.world.egress.will_reply(ProviderUnreachable())
    unreachable = await connect(house)
    house.world.egress.will_reply(token(2, at=house.world.clock.now()), me("9"))
    done = await connect(house)

    assert (422, 502, 201) == (invalid.status_code, unreachable.status_code, done.status_code)


async def test_a_new_api_key_is_shown_once() -> None:
    """The replay makes no second key and has none to show; what is stored holds none."""
    house = await begin()
    body = {"name": "x", "scopes": ["read"]}
    first = (await house.call("POST", "/v1/api-keys", body, headers=KEY)).json()
    second = (await house.call("POST", "/v1/api-keys", body, headers=KEY)).json()

    assert first["key"].startswith("kt_")
    assert {**first, "key": None} == second
    assert first["key"] not in repr(vars(house.world.stores.idempotency))
    assert 200 == (await house.call("GET", "/v1/connections", key=first["key"])).status_code


@pytest.mark.parametrize("path", ["/v1/connect-sessions", "CONNECTION/reconnect"])
async def test_a_link_comes_again_while_nobody_has_opened_it(path: str) -> None:
    """A caller that lost the answer gets the link; the store never has it."""
    house = await begin()
    path = path.replace("CONNECTION", house.path)
    body = {"connector": "acme", "owner": "o2"} if path.startswith("/v1/connect-s") else None
    original = await house.call("POST", path, body, headers=KEY)
    replay = await house.call("POST", path, body, headers=KEY)
    first = original.json()
    await house.world.application.connect_sessions.claim(first["url"].rpartition("/")[2])
    third = (await house.call("POST", path, body, headers=KEY)).json()

    assert original.content == replay.content
    assert {**first, "url": None} == third
    assert first["url"].rpartition("/")[2] not in repr(vars(house.world.stores.idempotency))


async def test_a_link_of_another_process_is_made_anew() -> None:
    """Only its digest is stored, so the session gets another link and the old one opens nothing."""
    house = await begin()
    body = {"connector": "acme", "owner": "o2"}
    first = (await house.call("POST", "/v1/connect-sessions", body, headers=KEY)).json()
    house.world.application.connect_sessions._links.forget(first["id"])
    second = (await house.call("POST", "/v1/connect-sessions", body, headers=KEY)).json()
    pages = house.world.application.connect_sessions

    assert (first["id"], False) == (second["id"], first["url"] == second["url"])
    assert first["id"] == (await pages.look(second["url"].rpartition("/")[2])).id
    assert 409 != (await house.call("GET", f"/v1/connect-sessions/{first['id']}")).status_code


async def test_nothing_secret_is_stored() -> None:
    """Neither a password nor anything that only depends on one and on what a thief has."""
    house = await begin()
    stores: list[set[str]] = []
    for _ in range(2):
        house.world.egress.will_reply(token(2, at=house.world.clock.now()), me("9"))
        await restart(house)
        await connect(house, {"idempotency-key": f"k-{len(stores)}"})
        claims = house.world.stores.idempotency._claims.values()
        stores.append({each.reply.request_digest for each in claims})
    digests = stores[1]

    assert PASSWORD not in repr(vars(house.world.stores.idempotency))
    assert 2 == len(digests)
    assert {64} == {len(each) for each in digests}
    assert 1 == len({each[:32] for each in digests})
    assert 2 == len({each[32:] for each in digests})


@pytest.mark.parametrize("key", ["", " ", "a b", "x" * 256, "ü"])
async def test_a_key_that_is_none(key: str) -> None:
    """It is refused before anything happens."""
    house = await begin()

    assert_problem(await connect(house, {"idempotency-key": key}), 400, "bad_request")


async def test_other_methods_take_no_notice() -> None:
    """PUT and DELETE are the same twice by themselves."""
    house = await begin()
    house.world.egress.will_reply(Answer(200), Answer(200))
    first = await house.call("DELETE", house.path, headers=KEY)
    second = await house.call("DELETE", house.path, headers=KEY)

    assert (200, 410) == (first.status_code, second.status_code)


async def test_a_database_that_is_gone_when_the_reply_is_stored() -> None:
    """The answer is given all the same."""
    house = await begin()

    def gone(write: str) -> None:
        if write == "idempotency.finish":
            house.world.stores.database.gone = True
            house.world.stores.database.failing_writes = 1

    house.world.stores.database.before_write = gone
    answer = await house.call("POST", f"{house.path}/pause", headers=KEY)

    assert (200, "paused") == (answer.status_code, json.loads(answer.text)["state"])
