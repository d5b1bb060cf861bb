"""Webhooks and events over REST."""

from __future__ import annotations

from typing import Any

import pytest

from keyturn.core.messages import Answer
from tests.engine.jobs.running import run_all
from tests.engine.story import log_in
from tests.web.control.house import CANARY, assert_problem, begin

PATH = "/v1/webhooks"
URL = "https://app.example/hook"


async def test_a_webhook_is_made_changed_rolled_and_taken_away() -> None:
    """The secret is shown by what makes it, and nowhere else."""
    house = await begin()
    made = await house.call("POST", PATH, {"url": URL, "events": ["connection.*"], "description": "the app"})
    place = f"{PATH}/{made.json()['id']}"
    changed = await house.call("PATCH", place, {"events": []})
    rolled = await house.call("POST", f"{place}/roll")
    shown, listed = await house.call("GET", place), await house.call("GET", PATH)
    secrets = [each.json()["secret"] for each in (made, rolled)]

    assert (201, 200, 200) == (made.status_code, changed.status_code, rolled.status_code)
    assert ([], "the app", URL) == tuple(changed.json()[name] for name in ("events", "description", "url"))
    assert all(each.startswith("whsec_") for each in secrets)
    assert secrets[0] != secrets[1]
    assert [] == [each for each in secrets if each in shown.text + listed.text]
    assert shown.json()["old_secret_until"] is not None
    assert 204 == (await house.call("DELETE", place)).status_code
    assert_problem(await house.call("GET", place), 404, "not_found")


@pytest.mark.parametrize(
    ("changes", "pointers"),
    [
        pytest.param({"url": f"ftp://{CANARY}.example/"}, ["/url"], id="no https"),
        pytest.param({"url": f"https://u:{CANARY}@app.example/"}, ["/url"], id="credentials"),
        pytest.param({"url": "https://app.example/#x"}, ["/url"], id="a fragment"),
        pytest.param({"url": "https:///x"}, ["/url"], id="no host"),
        pytest.param({"events": ["connection.*", CANARY]}, ["/events/1"], id="no such event"),
        pytest.param({"description": "x" * 201}, ["/description"], id="too long"),
        pytest.param({"secret": CANARY}, [""], id="a secret of their own"),
    ],
)
async def test_webhooks_that_cannot_be(changes: dict[str, Any], pointers: list[str]) -> None:
    """What is wrong is pointed at and not said back, and nothing is made."""
    house = await begin()
    answer = await house.call("POST", PATH, {"url": URL, **changes})

    problem = assert_problem(answer, 422, "validation_failed")
    assert pointers == [each["pointer"] for each in problem["errors"]]
    assert CANARY not in answer.text
    assert [] == (await house.call("GET", PATH)).json()["data"]


async def test_a_test_says_what_came_of_it() -> None:
    """Now, once, and in the list of deliveries afterwards."""
    house = await begin()
    made = (await house.call("POST", PATH, {"url": URL})).json()
    house.world.egress.will_reply(Answer(503))
    tried = await house.call("POST", f"{PATH}/{made['id']}/test")
    listed = await house.call("GET", f"{PATH}/{made['id']}/deliveries")

    assert (200, "failed", 503, "webhook_refused") == (
        tried.status_code, tried.json()["state"], tried.json()["status"], tried.json()["code"],
    )  # fmt: skip
    assert [tried.json()] == listed.json()["data"]
    replay = f"{PATH}/{made['id']}/deliveries/{tried.json()['id']}/replay"
    assert_problem(await house.call("POST", replay), 404, "not_found")


async def test_events_are_read_within_what_a_key_may_know() -> None:
    """`read` is enough for connections; a limited key reads its own, and the instance's events need `admin`."""
    house = await begin()
    await run_all(house.world)
    now = (await house.call("GET", "/v1/events?after=now", key="read")).json()
    await log_in(house.world, account="77", owner="owner-2")
    await house.call("POST", "/v1/jobs", {"kind": "connection.bulk", "action": "pause", "filter": {"owner": "nobody"}})
    await run_all(house.world)
    await run_all(house.world)
    limited = {"name": "x", "scopes": ["read"], "connectors": ["another"]}
    other = (await house.call("POST", "/v1/api-keys", limited)).json()["key"]
    owner = (await house.call("POST", "/v1/api-keys", {"name": "y", "scopes": ["read"], "owners": ["owner-2"]})).json()
    seen = {}
    for name, key in (("admin", "admin"), ("read", "read"), ("other", other), ("owner", owner["key"])):
        found = await house.call("GET", f"/v1/events?after={now['next_cursor']}", key=key)
        seen[name] = [each["type"] for each in found.json()["data"]]

    assert [] == now["data"]
    assert "job.finished" in seen["admin"]
    assert "connection.created" in seen["read"]
    assert "job.finished" not in seen["read"]
    assert [] == seen["other"]
    assert ["connection.created"] == seen["owner"]
    assert_problem(await house.call("GET", f"/v1/events?after={CANARY}"), 422, "validation_failed")
