"""Hosts that fail: five failures in a row of two connections, and one tries again after five seconds."""

from __future__ import annotations

import asyncio

import pytest

from keyturn.core.errors import KeyturnError, ProviderUnavailable, StoreUnavailable
from keyturn.core.renewal.plan import SendOutcome
from keyturn.engine.provider_gate import Asking, ProviderGate, RequestKind
from keyturn.engine.provider_gate import gate as gate_module
from tests.engine.told import asking, went_down
from tests.fakes.clock import FakeClock

HOST = "auth.acme.example"
ANOTHER = asking(HOST, "another")
DOWN = [SendOutcome.NOT_SENT, SendOutcome.UNAVAILABLE]


def fail(gate: ProviderGate, who: str, times: int = 1, outcome: SendOutcome = SendOutcome.NOT_SENT) -> None:
    """Let one fail so many times."""
    for _ in range(times):
        gate.heard(asking(HOST, who), outcome, asked_s=None)


@pytest.mark.parametrize("outcome", DOWN)
def test_the_breaker_opens_at_the_fifth_failure_in_a_row(gate: ProviderGate, outcome: SendOutcome) -> None:
    """Of two connections; an answer in between starts the count anew; other hosts and classes take no notice."""
    fail(gate, "one", 4, outcome)
    gate.heard(asking(HOST, "two"), SendOutcome.REJECTED, asked_s=None)
    fail(gate, "one", 3, outcome)
    fail(gate, "two", 1, outcome)
    four = gate.refusal(ANOTHER)
    fail(gate, "one", 1, outcome)

    five = gate.refusal(ANOTHER)
    assert four is None
    assert isinstance(five, ProviderUnavailable)
    assert 5.0 == five.retry_after_s
    others = [asking(HOST, "another", kind) for kind in RequestKind if kind is not RequestKind.REFRESH]
    assert [None] * 5 == [gate.refusal(each) for each in (*others, asking("other.example"))]


def test_one_connection_of_many_closes_nothing(gate: ProviderGate) -> None:
    """However often it fails: that is its own trouble."""
    fail(gate, "one", 50)

    assert gate.refusal(ANOTHER) is None


@pytest.mark.parametrize(("number", "closed"), [(1, True), (2, False)])
async def test_the_only_connection_is_evidence_enough(clock: FakeClock, number: int, closed: bool) -> None:
    """Where the connector has no other; how many there are is asked once a minute at most."""
    counted: list[str] = []

    async def count(connector: str) -> int:
        counted.append(connector)
        return number

    gate = ProviderGate(clock, number=count)
    fail(gate, "one", 4)
    await asyncio.sleep(0)
    assert [] == counted
    for _ in range(3):
        fail(gate, "one")
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    assert (["acme"], closed) == (counted, gate.refusal(ANOTHER) is not None)


async def test_connections_that_cannot_be_counted_are_many(clock: FakeClock) -> None:
    """A database that is gone closes no host."""

    async def count(_: str) -> int:
        raise StoreUnavailable

    gate = ProviderGate(clock, number=count)
    fail(gate, "one", 9)
    await asyncio.sleep(0)

    assert gate.refusal(ANOTHER) is None


def test_a_person_s_login_is_no_evidence(gate: ProviderGate) -> None:
    """Who has a connect link can make logins fail at will; logins with the kept password are another matter."""
    login = Asking(HOST, RequestKind.LOGIN, "acme", account="a")
    kept = [asking(HOST, each, RequestKind.LOGIN) for each in ("one", "two")]
    for _ in range(9):
        gate.heard(login, SendOutcome.NOT_SENT, asked_s=None)
    by_persons = gate.refusal(kept[0])
    for each in (*kept, *kept, *kept):
        gate.heard(each, SendOutcome.NOT_SENT, asked_s=None)

    assert by_persons is None
    assert isinstance(gate.refusal(kept[0]), ProviderUnavailable)
    assert [None, None] == [gate.refusal(login), gate.refusal(ANOTHER)]


async def test_one_request_tries_whether_it_may_open(gate: ProviderGate, clock: FakeClock) -> None:
    """After five seconds, one at a time; its answer opens it for all."""
    went_down(gate, HOST)
    clock.advance(5.0)

    async with gate.place(ANOTHER, on_demand=False):
        assert isinstance(gate.refusal(asking(HOST)), ProviderUnavailable)
        gate.heard(ANOTHER, SendOutcome.REJECTED, asked_s=None)

    assert gate.refusal(asking(HOST)) is None
    assert gate.recovered(ANOTHER, clock.now() - 5.0)


async def test_a_trial_that_fails_closes_it_again(gate: ProviderGate, clock: FakeClock) -> None:
    """And the next trial is due as soon as the first was."""
    went_down(gate, HOST)
    clock.advance(5.0)
    async with gate.place(ANOTHER, on_demand=False):
        fail(gate, "another")

    refused = gate.refusal(ANOTHER)
    assert refused is not None
    assert 5.0 == refused.retry_after_s
    clock.advance(5.0)
    assert gate.refusal(ANOTHER) is None


@pytest.mark.parametrize("how", ["cancelled", "crashed"])
async def test_a_trial_that_ends_without_a_word_blocks_none(gate: ProviderGate, clock: FakeClock, how: str) -> None:
    """A task that is cancelled in the middle must not leave the breaker half open for good."""
    went_down(gate, HOST)
    clock.advance(5.0)

    async def trial() -> None:
        async with gate.place(ANOTHER, on_demand=False):
            if how == "crashed":
                raise ZeroDivisionError
            await asyncio.Event().wait()

    task = asyncio.ensure_future(trial())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])

    assert gate.refusal(ANOTHER) is None


async def test_those_who_wait_for_a_place_are_told_that_the_host_went_down(gate: ProviderGate) -> None:
    """At once, not when a place falls free; a thousand that queue do not hammer it."""
    release, results = asyncio.Event(), list[object]()

    async def ask(number: int) -> None:
        try:
            async with gate.place(asking(HOST, f"cxn_{number}"), on_demand=False):
                await release.wait()
        except KeyturnError as error:
            results.append(error)

    tasks = [asyncio.ensure_future(ask(number)) for number in range(100)]
    await asyncio.sleep(0)
    went_down(gate, HOST)
    await asyncio.sleep(0)
    await asyncio.sleep(0)

    assert 92 == len(results)
    assert {ProviderUnavailable} == {type(each) for each in results}
    release.set()
    await asyncio.gather(*tasks)
    assert 1 == gate.hosts_known


async def test_a_host_that_recovers_begins_with_one_place(gate: ProviderGate, clock: FakeClock) -> None:
    """Then two, four, eight: what waited for it does not fall upon it."""
    went_down(gate, HOST)
    clock.advance(5.0)
    inside: list[int] = []
    most: list[int] = []
    wave = asyncio.Event()

    async def ask(number: int) -> None:
        async with gate.place(asking(HOST, f"cxn_{number}"), on_demand=False):
            inside.append(number)
            await wave.wait()
            gate.heard(asking(HOST, f"cxn_{number}"), SendOutcome.TOKEN, asked_s=None)
            inside.remove(number)

    async with gate.place(ANOTHER, on_demand=False):
        gate.heard(ANOTHER, SendOutcome.TOKEN, asked_s=None)
    tasks = [asyncio.ensure_future(ask(number)) for number in range(40)]
    for _ in range(4):
        for _ in range(5):
            await asyncio.sleep(0)
        most.append(len(inside))
        now, wave = wave, asyncio.Event()
        now.set()
    for _ in range(20):
        wave.set()
        await asyncio.sleep(0)
    await asyncio.gather(*tasks)

    assert [1, 2, 4, 8] == most


async def test_hosts_that_are_well_are_forgotten(gate: ProviderGate) -> None:
    """Tenants come and go by the thousand; memory does not grow with them."""
    for number in range(1000):
        one = asking(f"t{number}.example")
        async with gate.place(one, on_demand=False):
            gate.heard(one, SendOutcome.TOKEN, asked_s=None)

    assert 0 == gate.hosts_known


async def test_hosts_that_are_down_are_remembered_up_to_a_bound(
    gate: ProviderGate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The oldest go first, but none that a request waits for."""
    monkeypatch.setattr(gate_module, "HOSTS_KEPT", 10)
    async with gate.place(asking("busy.example"), on_demand=False):
        for number in range(100):
            went_down(gate, f"t{number}.example")
        assert 10 == gate.hosts_known
        went_down(gate, "busy.example")

    assert [False, False, True] == [
        gate.refusal(asking(host, "another")) is None for host in ("busy.example", "t99.example", "t1.example")
    ]
