"""The overview and the settings over REST: the figures of the page, and nothing of a secret."""

from __future__ import annotations

from dataclasses import replace

import pytest

from keyturn.bootstrap.observing.instance import instance_of, setting_answers
from keyturn.bootstrap.settings import read_settings
from keyturn.core.audit_record import AuditRecord
from keyturn.core.connection import State
from keyturn.core.problems import PROBLEMS
from keyturn.web.control.application import make_control
from tests.web.control.house import FakeLogLevel, assert_problem, begin, metrics, new_key


async def test_the_overview_says_how_everything_stands() -> None:
    """By state, by connector, and whom it needs; what was never recorded is null."""
    house = await begin()
    connections = house.world.stores.connections
    found = await connections.load(house.connection_id)
    assert found is not None
    rows = house.world.stores.connections.rows
    _, secrets = rows[found.id]
    lost = replace(found, id="cxn_lost", state=State.NEEDS_RECONNECT, reason="grant_lost")
    rows[lost.id] = (lost, secrets)
    answer = await house.call("GET", "/v1/overview?range=7d", key="read")
    said = answer.json()

    assert 200 == answer.status_code
    assert {"active": 1, "needs_reconnect": 1} == said["states"]
    assert [{"connector": "acme", "states": {"active": 1, "needs_reconnect": 1}}] == said["connectors"]
    assert [("acme", "grant_lost", 1)] == [(n["connector"], n["reason"], n["count"]) for n in said["needs"]]
    assert ("7d", 28, None) == (said["range"], len(said["renewals"]), said["audit_verified_at"])


async def test_who_may_read_the_overview() -> None:
    """A key that is limited may not: it is about all. An unknown range is refused."""
    house = await begin()
    limited = await new_key(house.world, "read", connectors=("acme",))

    assert_problem(await house.call("GET", "/v1/overview", key=limited), 403, "forbidden_scope")
    assert_problem(await house.call("GET", "/v1/overview?range=9d", key="read"), 422, "validation_failed")


async def test_settings_are_listed_with_their_source(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of one that may hold a secret only whether it is set."""
    monkeypatch.setenv("KEYTURN_ADMIN_API_KEY", "canary-" * 8)
    monkeypatch.setenv("KEYTURN_KEYS", "file:/run/canary-keys")
    monkeypatch.setenv("KEYTURN_LOG_LEVEL", "debug")
    settings = read_settings()
    house = await begin()

    async def readiness() -> dict[str, str]:
        return {}

    given = setting_answers(instance_of(settings, FakeLogLevel(), {}))
    house.app = make_control(house.world.application, readiness=readiness, metrics=metrics, settings=given)
    answer = await house.call("GET", "/v1/instance/settings")
    rows = {row["name"]: row for row in answer.json()["data"]}

    level = {"name": "KEYTURN_LOG_LEVEL", "value": "debug", "is_set": True, "source": "environment"}
    assert level == rows["KEYTURN_LOG_LEVEL"]
    assert (None, True) == (rows["KEYTURN_ADMIN_API_KEY"]["value"], rows["KEYTURN_ADMIN_API_KEY"]["is_set"])
    assert "default" == rows["KEYTURN_LOG_FORMAT"]["source"]
    assert "canary" not in answer.text.lower()


async def test_problem_codes_need_no_key() -> None:
    """They are the same for everybody."""
    house = await begin()
    answer = await house.call("GET", "/v1/problems", key=None)
    rows = {row["code"]: row for row in answer.json()["data"]}

    assert sorted(PROBLEMS) == list(rows)
    assert PROBLEMS["rate_limited"].action == rows["rate_limited"]["action"]
    assert rows["rate_limited"]["retryable"]


async def test_calls_of_a_connection_by_the_hour() -> None:
    """Of the last day; another key's connection is not found."""
    house = await begin()
    now = house.world.clock.now()
    hour = int(now // 3600 * 3600)
    house.world.stores.connections.calls[house.connection_id, hour] = (41, 2)
    house.world.stores.connections.calls[house.connection_id, hour - 30 * 3600] = (7, 0)
    answer = await house.call("GET", f"{house.path}/stats", key="read")
    limited = await new_key(house.world, "read", owners=("nobody",))

    assert [(41, 2)] == [(each["calls"], each["failed"]) for each in answer.json()["hours"]]
    assert_problem(await house.call("GET", f"{house.path}/stats", key=limited), 404, "not_found")


async def test_calls_beside_what_is_listed() -> None:
    """With a list's connections those of the last day, with a timeline those of all hours; only for who asks."""
    house = await begin()
    hour = int(house.world.clock.now() // 3600 * 3600)
    calls = house.world.stores.connections.calls
    calls[house.connection_id, hour] = (41, 2)
    calls[house.connection_id, hour - 30 * 3600] = (7, 0)
    plain = (await house.call("GET", "/v1/connections", key="read")).json()["data"]
    listed = (await house.call("GET", "/v1/connections?calls=true", key="read")).json()["data"]
    events = (await house.call("GET", f"{house.path}/events", key="read")).json()
    timeline = (await house.call("GET", f"{house.path}/events?calls=true", key="read")).json()
    failures = (await house.call("GET", f"{house.path}/events?calls=true&kind=failures", key="read")).json()

    assert ([None], [[(41, 2)]]) == ([each["calls"] for each in plain], [_counted(each["calls"]) for each in listed])
    assert (None, [(41, 2), (7, 0)]) == (events["hours"], _counted(timeline["hours"]))
    assert events["data"] == timeline["data"] != []
    assert [(41, 2)] == _counted(failures["hours"])


async def test_pages_of_a_timeline_with_calls() -> None:
    """Records and hours count together; a cursor of the timeline without calls is none of these."""
    house = await begin()
    hour = int(house.world.clock.now() // 3600 * 3600)
    for n in range(3):
        house.world.stores.connections.calls[house.connection_id, hour - n * 3600] = (n + 1, 0)
    more = AuditRecord(hour + 1.0, "connection.renewed", "scheduler", "ok", "acme", house.connection_id)
    await house.world.stores.audit.append([more])
    other = (await house.call("GET", f"{house.path}/events?limit=1", key="read")).json()["next_cursor"]
    sizes, hours, query = [], [], "calls=true&limit=2"
    while query:
        page = (await house.call("GET", f"{house.path}/events?{query}", key="read")).json()
        sizes.append(len(page["data"]) + len(page["hours"]))
        hours += _counted(page["hours"])
        query = f"calls=true&limit=2&cursor={page['next_cursor']}" if page["next_cursor"] else ""

    assert [(1, 0), (2, 0), (3, 0)] == hours
    assert {2} == set(sizes[:-1])
    assert other is not None
    assert_problem(
        await house.call("GET", f"{house.path}/events?calls=true&cursor={other}", key="read"), 422, "validation_failed"
    )
    limited = await new_key(house.world, "read", owners=("nobody",))
    assert_problem(await house.call("GET", f"{house.path}/events?calls=true", key=limited), 404, "not_found")


def _counted(hours: list[dict[str, int]]) -> list[tuple[int, int]]:
    return [(each["calls"], each["failed"]) for each in hours]
