"""Places: what a hang can cost, who is served first, and how a wait ends."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from keyturn.core.errors import ServerStopping
from keyturn.engine.provider_gate import Asking, ProviderGate, RequestKind
from keyturn.engine.stopping import Stopping
from tests.engine.told import asking
from tests.fakes.clock import FakeClock

HOST = "auth.acme.example"


class Crowd:
    """Requests that hold their places until they are let go, in the order in which they had them."""

    def __init__(self, gate: ProviderGate) -> None:
        self.gate = gate
        self.served: list[str] = []
        self.leaving: dict[str, asyncio.Event] = {}
        self.tasks: dict[str, asyncio.Task[None]] = {}

    async def come(self, *those: Asking, on_demand: bool = False) -> None:
        """Let these ask for a place."""
        for each in those:
            self.tasks[each.connection] = asyncio.ensure_future(self._ask(each, on_demand))
        await breathe()

    async def leave(self, who: str) -> None:
        """Let this one give its place back."""
        self.leaving[who].set()
        await breathe()

    async def _ask(self, who: Asking, on_demand: bool) -> None:
        async with self.gate.place(who, on_demand=on_demand):
            self.served.append(who.connection)
            leaving = self.leaving[who.connection] = asyncio.Event()
            await leaving.wait()
            del self.leaving[who.connection]

    async def end(self) -> None:
        """Let everybody go."""
        while any(not each.done() for each in self.tasks.values()):
            for leaving in list(self.leaving.values()):
                leaving.set()
            await breathe()


async def breathe() -> None:
    """Let every task go on as far as it can."""
    for _ in range(5):
        await asyncio.sleep(0)


def those(prefix: str, number: int, connector: str = "acme", **more: object) -> list[Asking]:
    """So many connections of a connector."""
    kind = RequestKind.REFRESH
    return [Asking(HOST, kind, connector, f"{prefix}{n}", **more) for n in range(number)]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kind", "places"), [(RequestKind.REFRESH, 8), (RequestKind.LOGIN, 8), (RequestKind.REVOKE, 4)]
)
async def test_a_host_is_asked_by_so_many_at_once(gate: ProviderGate, kind: RequestKind, places: int) -> None:
    """Each class has places of its own, and so has each host."""
    crowd = Crowd(gate)
    await crowd.come(*(asking(HOST, f"r{n}", kind) for n in range(50)))
    first = len(crowd.served)
    others = [asking(HOST, f"o{each}", each) for each in RequestKind if each is not kind]
    await crowd.come(*others, asking("other.example", "elsewhere", kind))

    assert (places, places + 5) == (first, len(crowd.served))
    await crowd.end()


async def test_one_that_a_call_waits_for_goes_first(gate: ProviderGate) -> None:
    """Whenever it came."""
    crowd = Crowd(gate)
    await crowd.come(*those("first", 8), *those("scheduled", 3))
    await crowd.come(*those("call", 2), on_demand=True)
    for number in range(5):
        await crowd.leave(f"first{number}")

    assert ["call0", "call1", "scheduled0", "scheduled1", "scheduled2"] == crowd.served[8:]
    await crowd.end()


async def test_then_connector_by_connector(gate: ProviderGate) -> None:
    """A thousand of one do not keep the other's two back."""
    crowd = Crowd(gate)
    await crowd.come(*those("first", 8), *those("many", 100), *those("few", 2, "other"))
    for number in range(5):
        await crowd.leave(f"first{number}")

    assert ["many0", "few0", "many1", "few1", "many2"] == crowd.served[8:]
    await crowd.end()


async def test_a_connector_takes_no_more_than_it_allows_itself(gate: ProviderGate) -> None:
    """And leaves the rest to others; one that allows more has more, though not beside a fleet of its neighbours."""
    crowd = Crowd(gate)
    await crowd.come(*those("one", 5, "shy", limit=1), *those("many", 20))
    beside = Counter(name.rstrip("0123456789") for name in crowd.served)
    await crowd.end()
    bold = Crowd(gate)
    await bold.come(*those("bold", 30, "bold", limit=20))

    assert {"one": 1, "many": 7} == beside
    assert 20 == len(bold.served)
    await bold.end()


@pytest.mark.parametrize(("living", "places"), [(1, 8), (2, 4), (3, 3), (9, 1)])
async def test_processes_share_the_places(clock: FakeClock, living: int, places: int) -> None:
    """⌈8/n⌉ each, and one at least."""
    crowd = Crowd(ProviderGate(clock, living=lambda: living))
    await crowd.come(*those("one", 20))

    assert places == len(crowd.served)
    await crowd.end()


async def test_one_that_goes_away_takes_no_place(gate: ProviderGate) -> None:
    """Neither while it waits nor at the moment in which it is given one."""
    crowd = Crowd(gate)
    await crowd.come(*those("first", 8), *those("gone", 3), *those("last", 1, "other"))
    crowd.tasks["gone0"].cancel()
    await breathe()
    crowd.leaving["first0"].set()
    await asyncio.sleep(0)
    for name in ("gone1", "gone2"):
        crowd.tasks[name].cancel()
    await breathe()

    assert ["last0"] == crowd.served[8:]
    await crowd.come(*those("more", 3))
    for name in ("first1", "first2", "first3"):
        await crowd.leave(name)
    assert ["last0", "more0", "more1", "more2"] == crowd.served[8:]
    await crowd.end()
    assert 0 == gate.hosts_known


async def test_a_queue_ends_when_the_process_stops(clock: FakeClock) -> None:
    """Those that wait are told at once, and no other gets a place; those that have one keep it."""
    stopping = Stopping()
    gate = ProviderGate(clock, stopping)
    crowd = Crowd(gate)
    await crowd.come(*those("first", 8), *those("waits", 150))
    stopping.begin()
    await breathe()
    await crowd.come(*those("late", 1))

    ended = [each for each in crowd.tasks.values() if each.done()]
    assert {ServerStopping} == {type(each.exception()) for each in ended}
    assert 151 == len(ended)
    assert 8 == len(crowd.served)
    for each in crowd.leaving.values():
        each.set()
    await breathe()
    assert all(each.done() for each in crowd.tasks.values())
