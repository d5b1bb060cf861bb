"""Each single write, sync, rename and truncation of an operation is struck, one at a time, from outside the process.

The number of points is printed at the end of `make test-faults`. What a point left behind is measured by the
provider's journal; REST says only what a connection claims, and what a caller gets.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.end_to_end.running import Reply
from tests.end_to_end.scripted.connectors import call, shown
from tests.faults.runs.losses import LOST_STATES, Verdict, verdict_of
from tests.faults.runs.points import Lane, Operation, Point, Points
from tests.faults.runs.system_calls import BLOWS, Blow

LANES = 5
SERVED_WITHIN_S = 10.0


def within(check: Callable[[], bool], seconds: float = SERVED_WITHIN_S) -> bool:
    """Wait until a check is true; False if it never is."""
    deadline = time.monotonic() + seconds
    while not check():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def sound(lane: Lane) -> list[str]:
    """Return what is wrong with the database and the audit log as a whole."""
    wrong = []
    if [("ok",)] != (found := lane.rows("PRAGMA integrity_check")):
        wrong.append(f"integrity_check: {found[:3]}")
    if (reply := lane.server.ask("GET", "/v1/audit/verify")).status != 200 or not reply.json()["ok"]:
        wrong.append(f"audit verify: {reply.body[:300]!r}")
    return wrong


def grant_kept(lane: Lane, point: Point, connection: dict[str, Any]) -> list[str]:
    """Return what is wrong with a connection that no end user has ended: it is kept, or says truthfully why not."""
    account, wrong = connection["unique_id"], []
    if not within(lambda: call(lane.server, connection, "echo").status == 200):
        wrong.append(f"not served within ten seconds: {call(lane.server, connection, 'echo').code}")
    within(lambda: _settled(lane, connection))
    seen = shown(lane.server, connection)
    if seen["state"] == "active":
        wrong += _newest(lane, connection)
    elif not point.killed or seen["state"] not in LOST_STATES:
        wrong.append(f"it is {seen['state']}, {seen['reason']}")
    else:
        wrong += _truthfully_lost(lane, account, seen)
    journal = lane.read()
    wrong += ["an answered refresh token came again"] * bool(journal.doubled())
    if any(each.outcome == "reuse" for each in journal.asked):
        wrong.append("the provider ended a family by reuse")
    return wrong


def _settled(lane: Lane, connection: dict[str, Any]) -> bool:
    """True if no request of the account is under way, and no renewal is open."""
    under_way = [each for each in lane.read().asked if each.account == connection["unique_id"]]
    open_ones = lane.rows(
        "SELECT 1 FROM connections WHERE id = ? AND intent_attempt IS NOT NULL"
        " AND state NOT IN ('uncertain', 'needs_reconnect')",
        connection["id"],
    )
    return not open_ones and all(each.until < float("inf") for each in under_way)


def _newest(lane: Lane, connection: dict[str, Any]) -> list[str]:
    """Return what is wrong with the set that it has: a call shows the access token, a renewal the refresh token."""
    account, wrong = connection["unique_id"], []
    call(lane.server, connection, "echo")
    journal = lane.read()
    used = next(each for each in journal.issued if each.access == journal.carried(account))
    newest = max(each.serial for each in journal.issued if each.account == account)
    if used.serial != newest:
        wrong.append(f"a call carried token set {used.serial}, and {newest} is the newest")
    if used.family in lane.provider.dead_families:
        wrong.append("its grant is ended")
    renewed = lane.server.ask("POST", f"/v1/connections/{connection['id']}/renew")
    if renewed.status != 200:
        wrong.append(f"a renewal afterwards was answered {renewed.status} {renewed.code}")
    return wrong


def _truthfully_lost(lane: Lane, account: str, seen: dict[str, Any]) -> list[str]:
    verdict = verdict_of(
        lane.read(), account, seen["generation"], dead=lane.provider.dead_families, killed_at=lane.killed_at
    )
    if verdict in (Verdict.DELIVERED, Verdict.REFUSED):
        return [f"it was lost, {verdict}: {seen['state']}, {seen['reason']}"]
    return [] if seen["reason"] == "renewal_outcome_unknown" else [f"it says {seen['reason']}"]


def renew(lane: Lane, connection: dict[str, Any]) -> Reply:
    """Renew a connection."""
    return lane.server.ask("POST", f"/v1/connections/{connection['id']}/renew", timeout_s=30)


def renewal_wrong(lane: Lane, point: Point) -> list[str]:
    """Return what a struck renewal left wrong."""
    connection, wrong = point.subject, []
    if point.reply is not None and point.reply.status not in (200, 503):
        wrong.append("neither done nor refused as store_unavailable")
    answered = point.reply is not None and point.reply.status == 200
    if answered and not within(lambda: shown(lane.server, connection)["generation"] > 1):
        wrong.append("answered as renewed, and ten seconds later it is not")
    return wrong + grant_kept(lane, point, connection) + sound(lane)


RENEWAL = Operation("renewal", Lane.connected, renew, renewal_wrong)
OPERATIONS = (RENEWAL,)


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[Any, list[Lane]]]:
    """The lanes that are open, by the program of their servers."""
    found: dict[Any, list[Lane]] = {}
    try:
        yield found
    finally:
        for each in itertools.chain(*found.values()):
            each.close()


@pytest.fixture
def lanes(
    operation: Operation,
    opened: dict[Any, list[Lane]],
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
) -> Iterator[list[Lane]]:
    """Lanes for the operation of the test; opened again after a test that failed."""
    failed = request.session.testsfailed
    if operation.command not in opened:
        where = tmp_path_factory.mktemp("lanes")
        with ThreadPoolExecutor(LANES) as pool:
            found = pool.map(lambda n: Lane.opened(where / f"lane-{n}", operation.command), range(LANES))
            opened[operation.command] = list(found)
    yield opened[operation.command]
    if request.session.testsfailed > failed:
        for each in opened.pop(operation.command):
            each.close()


@pytest.mark.timeout(600)
@pytest.mark.parametrize("blow", BLOWS, ids=[each.name for each in BLOWS])
@pytest.mark.parametrize("operation", OPERATIONS, ids=[each.name for each in OPERATIONS])
def test_each_call(
    operation: Operation, blow: Blow, lanes: list[Lane], record_property: Callable[[str, object], None]
) -> None:
    """Whichever call is struck, the grant is kept or its state is truthful, and ten seconds later all is served."""
    points = Points(operation, blow)
    points.strike_all(lanes)
    record_property("crash_points", {"operation": operation.name, "blow": blow.name, "points": points.struck()})

    assert not points.wrong, "\n".join(map(str, points.wrong))
    assert points.struck(), "no call was struck"
