"""The audit log over REST: narrowed down, verified, exported; and an owner erased."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from keyturn.core.audit.checkpoint import checkpoint_in
from keyturn.core.messages import Answer
from tests.web.control.house import assert_problem, begin, login_body, new_key


async def test_it_is_narrowed_down() -> None:
    """By each part of a record, and by time."""
    house = await begin()
    await house.call("POST", "/v1/connect-sessions", {"connector": "acme", "owner": "o-2"})
    by_owner = (await house.call("GET", "/v1/audit?owner=o-2")).json()["data"]
    none = (await house.call("GET", "/v1/audit?owner=o-2&action=connection.created")).json()["data"]
    later = (await house.call("GET", "/v1/audit?since=2099-01-01T00:00:00Z")).json()["data"]

    assert ["session.created"] == [each["action"] for each in by_owner]
    assert ([], []) == (none, later)


async def test_that_a_key_reads_is_recorded() -> None:
    """Once for a key in an hour, by its own name; what can't be recorded is not read, and what is no record no read."""
    house = await begin()
    await house.call("GET", "/v1/audit/0")
    house.world.stores.database.failing_writes = 1
    refused = await house.call("GET", "/v1/audit")
    listed = [(await house.call("GET", path)).json() for path in ("/v1/audit/1", "/v1/audit?action=audit.read")][1]

    assert_problem(refused, 503, "store_unavailable")
    assert [("ok", True)] == [(each["outcome"], each["actor"].startswith("key:")) for each in listed["data"]]


async def test_one_record_has_its_place() -> None:
    """Each is tied to the one before; what is no number is no record."""
    house = await begin()
    first, second = [(await house.call("GET", f"/v1/audit/{seq}")).json() for seq in (1, 2)]

    assert first["mac"] == second["previous"]
    for seq in ("0", "99999", "1e3", "x", "9" * 30):
        assert_problem(await house.call("GET", f"/v1/audit/{seq}"), 404, "not_found")


async def test_a_log_that_was_changed_is_an_answer() -> None:
    """200, with the first record that is wrong; a head that was kept is held against the log."""
    house = await begin()
    right = (await house.call("GET", "/v1/audit/verify")).json()
    head = (await house.call("GET", "/v1/audit/anchor")).json()
    kept = (await house.call("GET", f"/v1/audit/verify?seq={head['seq']}&mac={'0' * 64}")).json()
    house.world.stores.chain.tampered = lambda each: [each[0], replace(each[1], facts="{}"), *each[2:]]
    wrong = (await house.call("GET", "/v1/audit/verify")).json()

    assert (True, head["seq"], head["mac"]) == (right["ok"], right["head"]["seq"], right["head"]["mac"])
    assert (False, "rewritten") == (kept["ok"], kept["anchor"]["fault"]["what"])
    assert (False, 2, "changed") == (wrong["ok"], wrong["first_bad"]["seq"], wrong["first_bad"]["what"])


async def test_half_a_head_is_refused() -> None:
    """A number without a MAC says nothing."""
    house = await begin()

    assert_problem(await house.call("GET", "/v1/audit/verify?seq=1"), 422, "validation_failed")


async def test_an_export_streams_lines() -> None:
    """Records oldest first, then the signed end."""
    house = await begin()
    answer = await house.call("GET", "/v1/audit/export")
    *lines, end = [json.loads(each) for each in answer.text.splitlines()]

    assert "application/x-ndjson" == answer.headers["content-type"]
    assert list(range(1, len(lines) + 1)) == [each["seq"] for each in lines]
    assert house.world.stores.chain.is_signed(checkpoint_in(end))
    assert "owner-1" not in answer.text


@pytest.mark.parametrize("owner", ["owner-1", "tenant/42", "ada@example.com", "nobody"])
async def test_an_owner_is_erased(owner: str) -> None:
    """Whatever text the owner is; a connection of it is ended, and one without any is fine."""
    house = await begin()
    house.world.egress.will_reply(Answer(200), Answer(200))
    answer = await house.call("DELETE", f"/v1/owners/{owner}")
    ended = (await house.call("GET", house.path)).json()
    mine = owner == "owner-1"

    assert (200, int(mine)) == (answer.status_code, answer.json()["connections"])
    assert mine == (ended["owner"] != "owner-1")
    assert mine == (ended["state"] != "active")


async def test_a_limited_key_may_not() -> None:
    """What is about all connectors is not for a key that is limited to some."""
    house = await begin()
    key = await new_key(house.world, "admin", connectors=("acme",))
    for method, path in (
        ("GET", "/v1/audit/verify"), ("GET", "/v1/audit/anchor"), ("GET", "/v1/audit/export"),
        ("DELETE", "/v1/owners/owner-1"),
    ):  # fmt: skip
        assert_problem(await house.call(method, path, key=key), 403, "forbidden_scope")

    assert 200 == (await house.call("GET", "/v1/audit", key=key)).status_code
    assert login_body()["owner"] == (await house.call("GET", house.path)).json()["owner"]
