"""API keys over REST."""

from __future__ import annotations

from typing import Any

import pytest

from tests.web.control.house import CANARY, assert_problem, begin, new_key

PATH = "/v1/api-keys"


async def test_a_key_is_made_shown_once_and_revoked() -> None:
    """The list never has it; a revoked key is refused from the next request on."""
    house = await begin()
    body = {"name": " billing ", "scopes": ["read"], "connectors": ["acme"], "expires_at": "2030-01-01T01:00:00+01:00"}
    made = await house.call("POST", PATH, body)
    key, key_id = made.json()["key"], made.json()["id"]
    listed = await house.call("GET", PATH)
    before = await house.call("GET", house.path, key=key)
    revoked = await house.call("DELETE", f"{PATH}/{key_id}")
    after = await house.call("GET", house.path, key=key)

    assert (201, "billing", ["read"], ["acme"], "2030-01-01T00:00:00.000Z") == (
        made.status_code, made.json()["name"], made.json()["scopes"], made.json()["connectors"],
        made.json()["expires_at"],
    )  # fmt: skip
    assert key_id in [each["id"] for each in listed.json()["data"]]
    assert key not in listed.text
    assert (200, 204, 401) == (before.status_code, revoked.status_code, after.status_code)
    assert 204 == (await house.call("DELETE", f"{PATH}/{key_id}")).status_code
    assert_problem(await house.call("DELETE", f"{PATH}/key_none"), 404, "not_found")


@pytest.mark.parametrize(
    ("changes", "pointers"),
    [
        pytest.param({"scopes": []}, ["/scopes"], id="no scope"),
        pytest.param({"scopes": ["read", CANARY]}, ["/scopes/1"], id="an unknown scope"),
        pytest.param({"scopes": "read"}, ["/scopes"], id="no list"),
        pytest.param({"name": " "}, ["/name"], id="no name"),
        pytest.param({"name": "x" * 101}, ["/name"], id="too long a name"),
        pytest.param({"name": CANARY + "\0"}, ["/name"], id="NUL"),
        pytest.param({"name": CANARY + "\u202e"}, ["/name"], id="text that turns round"),
        pytest.param({"expires_at": "2023-11-14T22:13:20Z"}, ["/expires_at"], id="ends now"),
        pytest.param({"expires_at": "2030-01-01T00:00:00"}, ["/expires_at"], id="no zone"),
        pytest.param({"expires_at": "2030-02-30T00:00:00Z"}, ["/expires_at"], id="no such day"),
        pytest.param({"expires_at": "0001-01-01T00:00:00+14:00"}, ["/expires_at"], id="before every calendar"),
        pytest.param({"expires_at": 1_900_000_000}, ["/expires_at"], id="a number"),
        pytest.param({"expires_at": "2030-01-01"}, ["/expires_at"], id="a day"),
        pytest.param({"connectors": ["Not An Id"]}, ["/connectors/0"], id="no connector's id"),
        pytest.param({"key": CANARY}, [""], id="a key of their own"),
    ],
)
async def test_keys_that_cannot_be(changes: dict[str, Any], pointers: list[str]) -> None:
    """What is wrong is pointed at, and no key is made."""
    house = await begin()
    answer = await house.call("POST", PATH, {"name": "x", "scopes": ["read"], **changes})

    assert pointers == [each["pointer"] for each in assert_problem(answer, 422, "validation_failed")["errors"]]
    assert CANARY not in answer.text
    assert 5 == len((await house.call("GET", PATH)).json()["data"])


async def test_a_limited_key_makes_no_key_that_reaches_further() -> None:
    """Nor does it see or revoke one; what it makes without a word is as limited as itself."""
    house = await begin()
    mine = await new_key(house.world, "admin", connectors=("acme", "other"))
    own = await house.call("POST", PATH, {"name": "a", "scopes": ["admin"]}, key=mine)
    less = await house.call("POST", PATH, {"name": "b", "scopes": ["read"], "connectors": ["acme"]}, key=mine)
    more = await house.call("POST", PATH, {"name": "c", "scopes": ["read"], "connectors": ["acme", "third"]}, key=mine)
    everybody = [each["id"] for each in (await house.call("GET", PATH)).json()["data"]]
    seen = [each["id"] for each in (await house.call("GET", PATH, key=mine)).json()["data"]]

    assert ["acme", "other"] == own.json()["connectors"]
    assert ["acme"] == less.json()["connectors"]
    assert ["/connectors/1"] == [each["pointer"] for each in assert_problem(more, 422, "validation_failed")["errors"]]
    assert {own.json()["id"], less.json()["id"]} < set(seen) < set(everybody)
    for other in set(everybody) - set(seen):
        assert_problem(await house.call("DELETE", f"{PATH}/{other}", key=mine), 404, "not_found")
    assert 204 == (await house.call("DELETE", f"{PATH}/{less.json()['id']}", key=mine)).status_code


async def test_a_key_that_is_revoked_while_it_is_read_is_not_remembered() -> None:
    """Nor is it good now: the revocation has committed, whatever was on its way."""
    house = await begin()
    made = (await house.call("POST", PATH, {"name": "x", "scopes": ["read"]})).json()
    find, keys = house.world.stores.api_keys.find, house.world.application.api_keys

    async def slow(digest: str) -> Any:
        found = await find(digest)
        house.world.stores.api_keys.find = find  # type: ignore[method-assign]
        await house.call("DELETE", f"{PATH}/{made['id']}")
        return found

    house.world.stores.api_keys.find = slow  # type: ignore[method-assign]
    during = await house.call("GET", house.path, key=made["key"])

    assert 401 == during.status_code
    assert keys.recall(made["key"]) is None
    assert 401 == (await house.call("GET", house.path, key=made["key"])).status_code


async def test_a_key_that_ends_makes_none_that_outlives_it() -> None:
    """Else a key that was lent for a day would last for ever; without a word the new one ends with it."""
    house = await begin()
    lent = {"name": "lent", "scopes": ["admin"], "expires_at": "2030-01-01T00:00:00Z"}
    key = (await house.call("POST", PATH, lent)).json()["key"]

    async def made(**more: str) -> Any:
        return await house.call("POST", PATH, {"name": "x", "scopes": ["read"], **more}, key=key)

    silent, same = await made(), await made(expires_at="2030-01-01T00:00:00Z")
    longer = await made(expires_at="2030-01-01T00:00:01Z")

    assert ["2030-01-01T00:00:00.000Z"] * 2 == [each.json()["expires_at"] for each in (silent, same)]
    assert ["/expires_at"] == [each["pointer"] for each in assert_problem(longer, 422, "validation_failed")["errors"]]
