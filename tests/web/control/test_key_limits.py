"""Keys that are limited to owners, rolled keys, and when a key was last used."""

from __future__ import annotations

import pytest

from tests.web.control.house import assert_problem, begin, login_body, new_key

MEMBERS = {"id", "name", "scopes", "connectors", "owners", "created_at", "created_by", "expires_at", "last_used_at"}


async def test_a_key_of_an_owner_sees_and_makes_what_is_the_owners() -> None:
    """Links and lists of the one; for another owner there is nothing, and nothing is made."""
    house = await begin()
    mine = await new_key(house.world, "admin", owners=("owner-1", "owner-3"))
    other = await new_key(house.world, "admin", owners=("owner-2",))
    wanted = {"connector": "acme", "owner": "owner-1"}

    assert 1 == len((await house.call("GET", "/v1/connections", key=mine)).json()["data"])
    assert [] == (await house.call("GET", "/v1/connections", key=other)).json()["data"]
    assert 201 == (await house.call("POST", "/v1/connect-sessions", wanted, key=mine)).status_code
    assert_problem(await house.call("POST", "/v1/connect-sessions", wanted, key=other), 404, "not_found")
    assert_problem(await house.call("POST", "/v1/connections", login_body(), key=other), 404, "not_found")
    assert 2 == len(house.world.egress.requests)


async def test_a_limited_key_makes_none_that_reaches_further() -> None:
    """Without owners a new key is limited as its maker; others can't be named."""
    house = await begin()
    limited = await new_key(house.world, "admin", owners=("owner-1",))
    made = await house.call("POST", "/v1/api-keys", {"name": "x", "scopes": ["read"]}, key=limited)
    refused = await house.call(
        "POST", "/v1/api-keys", {"name": "x", "scopes": ["read"], "owners": ["owner-1", "owner-2"]}, key=limited
    )

    assert ["owner-1"] == made.json()["owners"]
    assert ["/owners/1"] == [each["pointer"] for each in assert_problem(refused, 422, "validation_failed")["errors"]]
    assert_problem(await house.call("PUT", "/v1/connectors/acme", {}, key=limited), 403, "forbidden_scope")


async def test_rolling_leaves_time_to_change_over() -> None:
    """Both work; then the old one is over, and the new one reaches as far as it did."""
    house = await begin()
    old = (await house.call("POST", "/v1/api-keys", {"name": "x", "scopes": ["read"], "owners": ["o"]})).json()
    new = (await house.call("POST", f"/v1/api-keys/{old['id']}/roll", {"overlap_s": 60})).json()
    both = [(await house.call("GET", "/v1/connections", key=each["key"])).status_code for each in (old, new)]
    house.world.clock.advance(60)

    assert [200, 200] == both
    assert [new[name] for name in ("name", "scopes", "owners")] == [old[name] for name in ("name", "scopes", "owners")]
    assert_problem(await house.call("GET", "/v1/connections", key=old["key"]), 401, "api_key_expired")
    assert 200 == (await house.call("GET", "/v1/connections", key=new["key"])).status_code
    assert_problem(await house.call("POST", f"/v1/api-keys/{old['id']}/roll"), 404, "not_found")


async def test_last_used_is_written_down_once_a_minute() -> None:
    """Never while a request waits for it."""
    house = await begin()
    made = (await house.call("POST", "/v1/api-keys", {"name": "x", "scopes": ["read"]})).json()
    keys, clock, writes = house.world.application.api_keys, house.world.clock, house.world.stores.database.writes
    seen = []
    for _ in range(4):
        writes.clear()
        await house.call("GET", "/v1/connections", key=made["key"])
        during = list(writes)
        await keys.flush_uses()
        row = (await house.call("GET", f"/v1/api-keys/{made['id']}")).json()
        seen.append((during, writes.count("api_keys.note_uses"), row["last_used_at"]))
        clock.advance(30)

    assert MEMBERS == set(row)
    assert [[]] * 4 == [each[0] for each in seen]
    assert [1, 0, 1, 0] == [each[1] for each in seen]
    assert 2 == len({each[2] for each in seen})


@pytest.mark.parametrize("act", ["stop", "start"])
async def test_stopping_over_rest(act: str) -> None:
    """The answer says how it stands now, and so does the connector."""
    house = await begin()
    await house.call("POST", "/v1/connectors/acme/stop-logins")
    answer = await house.call("POST", f"/v1/connectors/acme/{act}-logins")
    login = await house.call("POST", "/v1/connections", login_body(password="", username=""))
    shown = (await house.call("GET", "/v1/connectors/acme")).json()["logins_stopped_since"]

    assert answer.json()["logins_stopped_since"] == shown
    assert (act == "stop") == (shown is not None)
    assert ("logins_stopped" if act == "stop" else "validation_failed") == login.json()["code"]
