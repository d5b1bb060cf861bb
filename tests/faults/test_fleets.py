"""Many at once: a backlog beside a few, all of a fleet due at the same moment, a crowd at one token and at many.

`--fault-scale 1` makes them as large as the design says; by default they are a fifth of that.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.running import Server, running_server, wait_for
from tests.end_to_end.scripted.connectors import shown
from tests.faults.runs.callers import Caller, Callers
from tests.faults.street import SERVED_WITHIN_S, Street, house, street

DUE_AT_HALF_S = 120  # such a token is due once it is a minute old
BACKLOG, DUE_AT_ONCE, CROWD, TOKENS = 5_000, 10_000, 500, 400
LATE_S = 12.0
SLOWEST_RENEWALS_PER_S = 60.0  # beside the tests, on two shared cores; bench/renewals.py measures it alone


@pytest.fixture
def scale(pytestconfig: pytest.Config) -> float:
    """How large, of what the design says."""
    found: float = pytestconfig.getoption("fault_scale")
    return found


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server of one test."""
    env = {"KEYTURN_LIMIT_SIGNIN": "1000000", "KEYTURN_LOG_LEVEL": "warning"}
    with running_server(tmp_path, env=env) as running:
        yield running


def end_of(server: Server, there: Street, number: int) -> None:
    """Wait until the connections of a provider, the last ones first, are due by the clock."""
    latest = max(each["renews_at"] for each in there.houses[number].connections)
    wait_for(lambda: time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime()) >= latest[:19], DUE_AT_HALF_S + 30, 0.2)


@pytest.mark.timeout(900)
def test_a_backlog_of_a_slow_provider_beside_ten_of_a_fast_one(server: Server, tmp_path: Path, scale: float) -> None:
    """Overdue by thousands at a provider that takes a second: the ten of another are renewed on time, and called."""
    with street(server, tmp_path / "street", providers=0) as there:
        for accounts, latency_s in ((int(BACKLOG * scale), 1.0), (10, 0.0), (10, 0.0)):
            made = house(server, tmp_path / "street", accounts=accounts, ttl=DUE_AT_HALF_S)
            made.provider.latency_s = latency_s
            there.houses.append(made)
        _, fast, third = there.houses
        end_of(server, there, 2)
        few = [*fast.connections, *third.connections]
        wait_for(lambda: all(shown(server, each)["generation"] > 1 for each in few), LATE_S, 0.5)
        left = int(BACKLOG * scale) - len(there.houses[0].refreshes())

        assert left > 0, "the backlog is gone, so that this shows nothing"
        assert {} == there.served_within(few)
        assert 0 == there.doubled()


@pytest.mark.timeout(900)
def test_thousands_due_at_once(server: Server, tmp_path: Path, scale: float) -> None:
    """A fleet over four providers falls due while the broker is down: each is renewed once, calls go on meanwhile."""
    each_of = int(DUE_AT_ONCE * scale / 4)
    with street(server, tmp_path / "street", providers=4, accounts=each_of, ttl=DUE_AT_HALF_S) as there:
        for each in there.houses:
            each.provider.ttl = 3600
        server.stop()
        end_of(server, there, 3)
        server.start()
        began = time.monotonic()
        served = Counter(each.status for house in there.houses for each in there.call_each(house.connections[:10]))
        within_s = 30 + 4 * each_of / SLOWEST_RENEWALS_PER_S
        wait_for(lambda: sum(len(house.refreshes()) for house in there.houses) >= 4 * each_of, within_s, 1)
        took = time.monotonic() - began
        time.sleep(2)
        sent = sum(len(house.refreshes()) for house in there.houses)

        assert {200: 40} == dict(served)
        assert 4 * each_of == sent, f"{sent} refreshes in {took:.0f} s"
        assert (0, []) == (there.doubled(), there.losses())


def test_500_callers_at_one_token(server: Server, tmp_path: Path) -> None:
    """One renewal, and every caller is served; so are ten accounts of each of two others meanwhile (I3)."""
    with street(server, tmp_path / "street") as there:
        struck = there.houses[0].connections[0]
        there.end_access()
        crowd = Callers([Caller(server.port, "GET", f"/v1/proxy/{struck['id']}/echo") for _ in range(CROWD)]).start()
        others = Counter(each.status for each in there.call_each(there.neighbours(struck)))
        assert crowd.join()

        assert {200: CROWD} == dict(Counter(crowd.answers[server.port]))
        assert 1 == len(there.houses[0].refreshes("id-0"))
        assert {200: 29} == dict(others)
        assert (0, []) == (there.doubled(), there.losses())


def test_500_callers_at_400_tokens(server: Server, tmp_path: Path) -> None:
    """One renewal each; who waits over ten seconds for a place is told so, and is served ten seconds later."""
    with street(server, tmp_path / "street", providers=2, accounts=TOKENS // 2) as there:
        there.end_access()
        paths = [f"/v1/proxy/{each['id']}/echo" for each in there.connections]
        paths += paths[: CROWD - len(paths)]
        crowd = Callers([Caller(server.port, "GET", path) for path in paths]).start()
        assert crowd.join()
        late_ones = there.served_within(there.connections, SERVED_WITHIN_S)
        refreshes = Counter(account for house in there.houses for account in house.refreshes())

        assert {200, 409} >= set(crowd.answers[server.port]), Counter(crowd.answers[server.port])
        assert {} == late_ones
        assert {1: TOKENS} == dict(Counter(refreshes.values()))
        assert (0, []) == (there.doubled(), there.losses())
