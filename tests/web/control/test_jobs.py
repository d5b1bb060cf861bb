"""Jobs over REST: asked for, watched, cancelled, done again; within the limits of the key that asks."""

from __future__ import annotations

from typing import Any

import pytest

from keyturn.core.connection import State
from tests.engine.jobs.running import run_all
from tests.engine.jobs.test_bulk import put
from tests.engine.story import me
from tests.web.control.house import CANARY, House, assert_problem, begin, new_key

PATH = "/v1/jobs"


def bulk(action: str = "pause", **which: Any) -> dict[str, Any]:
    """The body that asks for a bulk job."""
    return {"kind": "connection.bulk", "action": action, "filter": which}


async def made(house: House, action: str = "pause", *, key: str = "admin", **which: Any) -> str:
    """Ask for one; returns its path."""
    answer = await house.call("POST", PATH, bulk(action, **which), key=key)
    assert 202 == answer.status_code
    return str(answer.headers["location"])


async def test_a_job_is_asked_for_and_watched() -> None:
    """It says what it will do at once, and what came of it at its address."""
    house = await begin()
    answer = await house.call("POST", PATH, bulk(connector="acme", state="active"))
    queued = answer.json()
    await run_all(house.world)
    ended = (await house.call("GET", answer.headers["location"])).json()

    assert (202, "queued", "pause") == (answer.status_code, queued["state"], queued["action"])
    asked_for = {
        "connector": "acme", "owner": None, "state": "active", "search": None, "reason": None, "error": None,
        "attention": False, "ends_before": None, "renews_before": None,
    }  # fmt: skip
    assert asked_for == queued["filter"]
    assert ("done", 1, 0, 1, {"failed": [], "left_off": 0}) == (
        ended["state"], ended["done"], ended["failed"], ended["total"], ended["report"],
    )  # fmt: skip
    assert "paused" == (await house.call("GET", house.path)).json()["state"]


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        pytest.param({"action": CANARY}, ["/action"], id="no such action"),
        pytest.param({"kind": "job.purge"}, ["/kind"], id="a kind that nobody may ask for"),
        pytest.param({"filter": {"state": CANARY}}, ["/filter/state"], id="no such state"),
        pytest.param({"filter": {"connector": "Not An Id"}}, ["/filter/connector"], id="no connector's id"),
        pytest.param({"connections": ["cxn_1"], "filter": {"owner": "jo"}}, ["/connections"], id="named and chosen"),
        pytest.param({"connections": []}, ["/connections"], id="named none"),
        pytest.param({"connections": [f"{CANARY} x"]}, ["/connections/0"], id="no id"),
        pytest.param({"filter": {"ids": ["cxn_1"]}}, ["/filter"], id="an unknown member"),
        pytest.param({"kind": "x", "action": "y", "filter": {"state": "z"}}, ["/kind", "/action", "/filter/state"],
                     id="all at once"),
    ],
)  # fmt: skip
async def test_jobs_that_cannot_be(body: dict[str, Any], pointers: list[str]) -> None:
    """What is wrong is pointed at, nothing of it is repeated, and no job is made."""
    house = await begin()
    answer = await house.call("POST", PATH, {**bulk(), **body})

    assert pointers == [each["pointer"] for each in assert_problem(answer, 422, "validation_failed")["errors"]]
    assert CANARY not in answer.text
    assert [] == (await house.call("GET", PATH)).json()["data"]


async def test_a_limited_key_acts_within_its_limits() -> None:
    """Whatever it asks for; of other keys' jobs it knows nothing."""
    house = await begin()
    put(house.world, 1, connector="other")
    limited = await new_key(house.world, "admin", connectors=("other",))
    foreign = await made(house, "resume")
    own = await made(house, "pause", key=limited)
    await run_all(house.world)
    states = {each["id"]: each["state"] for each in (await house.call("GET", "/v1/connections")).json()["data"]}
    listed = (await house.call("GET", PATH, key=limited)).json()["data"]

    assert {house.connection_id: "active", "cxn_001": "paused"} == states
    assert [own] == [f"{PATH}/{each['id']}" for each in listed]
    assert 1 == (await house.call("GET", own, key=limited)).json()["total"]
    assert_problem(await house.call("POST", PATH, bulk(connector="acme"), key=limited), 404, "not_found")
    for method, path in (("GET", foreign), *(("POST", f"{foreign}/{verb}") for verb in ("cancel", "retry", "links"))):
        assert_problem(await house.call(method, path, key=limited), 404, "not_found")


async def test_a_limited_key_does_again_what_it_may() -> None:
    """The new job has the limits of who asks for it, not of who asked first."""
    house = await begin()
    put(house.world, 1, connector="other", state=State.NEEDS_RECONNECT)
    path = await made(house, "renew", state="needs_reconnect")
    await run_all(house.world)
    answer = await house.call("POST", f"{path}/retry")
    ended = (await house.call("GET", path)).json()

    assert ({"connection_needs_reconnect": 1}, 1) == (ended["failures"], ended["failed"])
    assert [{"connection": "cxn_001", "code": "connection_needs_reconnect"}] == ended["report"]["failed"]
    assert (202, "queued") == (answer.status_code, answer.json()["state"])
    assert_problem(await house.call("POST", answer.headers["location"] + "/retry"), 409, "job_not_ended")


async def test_nothing_failed_so_nothing_is_done_again() -> None:
    """That is a conflict, not an empty job."""
    house = await begin()
    path = await made(house, "resume")
    await run_all(house.world)

    assert_problem(await house.call("POST", f"{path}/retry"), 409, "job_without_failures")


async def test_a_job_is_cancelled() -> None:
    """One that waits ends at once; asking again is fine, and tells the same."""
    house = await begin()
    path = await made(house)
    first = await house.call("POST", f"{path}/cancel")
    again = await house.call("POST", f"{path}/cancel")
    await run_all(house.world)

    assert (202, "cancelled", "key:environment") == (
        first.status_code, first.json()["state"], first.json()["cancelled_by"],
    )  # fmt: skip
    assert first.json() == again.json()
    assert "active" == (await house.call("GET", house.path)).json()["state"]


async def test_a_job_about_those_that_are_named() -> None:
    """Each once, and no other; one that the key may not know of is as one that is not there."""
    house = await begin()
    for number in (1, 2, 3):
        put(house.world, number)
    named = ["cxn_001", "cxn_002", "cxn_001", "cxn_none"]
    answer = await house.call("POST", PATH, {**bulk(), "connections": named})
    await run_all(house.world)
    ended = (await house.call("GET", answer.headers["location"])).json()
    states = [(await house.call("GET", f"/v1/connections/{each}")).json()["state"] for each in named[:2]]

    assert (202, 3) == (answer.status_code, answer.json()["connections"])
    assert (2, 1) == (ended["done"], ended["failed"])
    assert ["paused", "paused"] == states
    assert "active" == (await house.call("GET", "/v1/connections/cxn_003")).json()["state"]
    limited = await new_key(house.world, "admin", owners=("nobody",))
    others = await house.call("POST", PATH, {**bulk("resume"), "connections": named[:1]}, key=limited)
    await run_all(house.world)
    refused = (await house.call("GET", others.headers["location"], key=limited)).json()

    assert (0, {"not_found": 1}) == (refused["done"], refused["failures"])


async def test_links_are_got_and_never_kept() -> None:
    """From their own call alone: neither the job nor a replayed answer has one."""
    house = await begin()
    put(house.world, 1, state=State.NEEDS_RECONNECT)
    path = await made(house, "reconnect_links")
    await run_all(house.world)
    headers = {"idempotency-key": "k"}
    first = await house.call("POST", f"{path}/links", headers=headers)
    again = await house.call("POST", f"{path}/links", headers=headers)
    (link,) = first.json()["data"]

    assert "cxn_001" == link["connection"]
    assert ("acme", "o", "n") == (link["connector"], link["owner"], link["name"])
    assert link["url"].startswith("http://127.0.0.1:8800/c/")
    assert {"data": None} == again.json()
    assert link["url"].rpartition("/")[2] not in (await house.call("GET", path)).text


async def test_jobs_are_listed() -> None:
    """Newest first, a page at a time, by kind and state; their reports are read one by one."""
    house = await begin()
    first = await made(house, "test")
    house.world.clock.advance(1)
    second = await made(house)
    page = (await house.call("GET", f"{PATH}?limit=1")).json()
    rest = (await house.call("GET", f"{PATH}?cursor={page['next_cursor']}")).json()
    await house.call("POST", f"{second}/cancel")
    house.world.egress.will_reply(me())
    await run_all(house.world)
    cancelled = (await house.call("GET", f"{PATH}?state=cancelled")).json()["data"]
    ours = (await house.call("GET", f"{PATH}?kind=connection.bulk")).json()["data"]

    assert [[second], [first]] == [[f"{PATH}/{each['id']}" for each in found["data"]] for found in (page, rest)]
    assert [second] == [f"{PATH}/{each['id']}" for each in cancelled]
    assert [second, first] == [f"{PATH}/{each['id']}" for each in ours]
    assert [{}, {}] == [each["report"] for each in ours]
    assert_problem(await house.call("GET", f"{PATH}?state=idle"), 422, "validation_failed")
