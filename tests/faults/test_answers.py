"""What a provider, or the way to it, does to one answer, with the product's own time limits: 30 s are 30 s.

All of it at once, at one server: twelve providers with ten accounts each, one fault at the first account of each.
Nobody else notices anything, and what becomes of the one is judged by its provider's journal.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.running import Reply, Server
from tests.end_to_end.scripted.connectors import call, shown
from tests.faults.runs.losses import Verdict, verdict_of
from tests.faults.street import House, Street, street
from tests.faults.world import world

FAULTS = (
    "lost", "reset", "half", "drip", "endless", "garbage", "hang", "hang_after", "slow", "error500", "plain500",
    "unavailable",
)  # fmt: skip
LASTS_S = 45.0
# What may be lost of a grant, and how; whatever is not named here is kept.
LOST = {
    "lost": {Verdict.ROTATED},
    "reset": {Verdict.NEVER_ROTATED},
    "half": {Verdict.ROTATED},
    "drip": {Verdict.ROTATED},
    "endless": {Verdict.ROTATED},
    "garbage": {Verdict.NEVER_ROTATED},
    "hang": {Verdict.NEVER_ROTATED},
    "hang_after": {Verdict.ROTATED},
}
REFRESH = {"grant_type": "refresh_token", "refresh_token": "{{ refresh_token }}"}


@dataclass(slots=True)
class Played:
    """What became of it all."""

    there: Street
    houses: dict[str, House]
    others: Counter[tuple[int, str | None]] = field(default_factory=Counter)
    struck: dict[str, Reply] = field(default_factory=dict)
    took: dict[str, float] = field(default_factory=dict)


@pytest.fixture(scope="module", params=[False, True], ids=["as by default", "last_resort"])
def played(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Played, bool]]:
    """Strike all at once, and call everybody else as long as it lasts."""
    where, resort = tmp_path_factory.mktemp("answers"), bool(request.param)
    server = Server(where / "data", where / "log", env={"KEYTURN_LIMIT_SIGNIN": "1000000"})
    changes: dict[str, Any] = {"refresh": {"last_resort": True, "params": REFRESH}} if resort else {}
    try:
        server.start()
        with street(server, where / "street", providers=len(FAULTS), ttl=20 if resort else 3600, **changes) as there:
            yield play(server, there), resort
    finally:
        server.stop()


def play(server: Server, there: Street) -> Played:
    """Strike, and look."""
    played = Played(there, dict(zip(FAULTS, there.houses, strict=True)))
    for fault, house in played.houses.items():
        house.provider.ttl = 3600
        house.provider.faults.append(("id-0", fault))
    there.end_access()
    threads = [threading.Thread(target=_strike, args=(server, played, fault), daemon=True) for fault in FAULTS]
    for each in threads:
        each.start()
    until = time.monotonic() + LASTS_S
    others = there.neighbours(*(house.connections[0] for house in there.houses))
    while time.monotonic() < until:
        played.others.update((each.status, each.code) for each in there.call_each(others))
        time.sleep(1)
    for each in threads:
        each.join(60)
    for house in there.houses:
        house.provider.honest_again()
    return played


def _strike(server: Server, played: Played, fault: str) -> None:
    began = time.monotonic()
    struck = played.houses[fault].connections[0]
    played.struck[fault] = server.ask("POST", f"/v1/connections/{struck['id']}/renew", timeout_s=90)
    played.took[fault] = time.monotonic() - began


def test_nobody_else_notices(played: tuple[Played, bool]) -> None:
    """108 connections at the same twelve hosts are served each second, for as long as answers hang (I11)."""
    assert {(200, None)} == set(played[0].others), played[0].others


@pytest.mark.parametrize("fault", FAULTS)
def test_what_becomes_of_the_one(played: tuple[Played, bool], fault: str) -> None:
    """Kept where that can be; else lost as its journal says, and said so: never refused, never doubled."""
    play, resort = played
    house = play.houses[fault]
    late = play.there.served_within(house.connections[:1], 15)
    seen = shown(play.there.server, house.connections[0])
    verdict = verdict_of(house.read(), "id-0", seen["generation"], dead=house.provider.dead_families)
    allowed = LOST.get(fault, set()) - ({Verdict.NEVER_ROTATED} if resort else set())

    if late:
        assert seen["state"] in ("uncertain", "needs_reconnect"), (late, seen)
        assert verdict in allowed
    if not allowed:
        assert {} == late
    assert 0 == house.read().doubled() or (resort and fault in LOST)
    assert play.took[fault] < 42, "30 s for an answer, and ten for a place"


def test_a_name_that_does_not_resolve(tmp_path: Path) -> None:
    """DNS is gone for one provider's name for ten seconds: nothing is sent, nothing lost, others notice nothing."""
    with world() as here:
        hosts = tmp_path / "hosts"
        hosts.write_text("127.0.0.1 localhost api.keyturn-faults.test\n")
        here.run("mount", "--bind", str(hosts), "/etc/hosts")
        server = here.server(tmp_path / "data", tmp_path / "log")
        server.start()
        try:
            with street(server, tmp_path / "street", named="api.keyturn-faults.test") as there:
                first = there.houses[0]
                hosts.write_text("127.0.0.1 localhost\n")
                there.end_access()
                replies = [call(server, each, "echo") for each in first.connections[:3]]
                sent = first.refreshes()
                time.sleep(8)
                hosts.write_text("127.0.0.1 localhost api.keyturn-faults.test\n")
                late = there.served_within(there.connections)

                assert {502} == {each.status for each in replies}
                assert [] == sent
                assert {} == late
                assert (0, []) == (there.doubled(), there.losses())
        finally:
            server.stop()
