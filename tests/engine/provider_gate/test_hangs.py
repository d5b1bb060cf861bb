"""A host that hangs gets no fresh refresh token: probes that cost nothing, and then one at a time (R9)."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from keyturn.core.errors import KeyturnError, ProviderUnavailable
from keyturn.core.renewal.plan import SendOutcome
from keyturn.engine.provider_gate import ProviderGate, RequestKind
from tests.engine.told import asking
from tests.fakes.clock import FakeClock

HOST = "auth.acme.example"
ONE, ANOTHER, THIRD = asking(HOST, "one"), asking(HOST, "another"), asking(HOST, "third")


class Flight:
    """One request in flight, for as long as a test lets it."""

    def __init__(self, gate: ProviderGate, who: str) -> None:
        self.gate, self.who, self.landed = gate, asking(HOST, who), asyncio.Event()
        self.outcome: SendOutcome | None = None
        self.task = asyncio.ensure_future(self._fly())

    async def _fly(self) -> None:
        async with self.gate.place(self.who, on_demand=False) as place:
            place.sending()
            await self.landed.wait()
            if self.outcome is not None:
                self.gate.heard(self.who, self.outcome, asked_s=None)

    async def end(self, outcome: SendOutcome | None) -> None:
        """Let it be answered, or not."""
        self.outcome = outcome
        self.landed.set()
        await self.task


async def sent(gate: ProviderGate, who: str) -> Flight:
    """Send one."""
    flight = Flight(gate, who)
    await asyncio.sleep(0)
    return flight


async def hung(gate: ProviderGate, clock: FakeClock) -> None:
    """One was not answered for 30 s."""
    flight = await sent(gate, "one")
    clock.advance(30.0)
    await flight.end(SendOutcome.NO_ANSWER)


def probed(gate: ProviderGate, *, answered: bool | None) -> bool:
    """Probe the host, if it is to be; says whether it was."""
    due = gate.probes_due()
    for host, _ in due:
        gate.probed(host, answered=answered)
    return bool(due)


async def test_one_that_was_let_wait_for_30_s_is_enough(gate: ProviderGate, clock: FakeClock) -> None:
    """No other refresh is sent, not even half a minute later; other classes and hosts go on."""
    await hung(gate, clock)

    assert [HOST] == [host for host, _ in gate.probes_due()]
    for _ in range(3):
        refused = gate.refusal(ANOTHER)
        assert isinstance(refused, ProviderUnavailable)
        assert 0 < (refused.retry_after_s or 0) <= 10
        clock.advance(10.0)
    others = [replace(ANOTHER, kind=kind) for kind in RequestKind if kind is not RequestKind.REFRESH]
    assert [None] * 5 == [gate.refusal(each) for each in (*others, asking("other.example"))]


@pytest.mark.parametrize(("waited", "hangs"), [(9.9, False), (10.0, True)])
async def test_the_oldest_in_flight_has_waited_for_10_s(
    gate: ProviderGate, clock: FakeClock, waited: float, hangs: bool
) -> None:
    """And the host answered none since."""
    flight = await sent(gate, "one")
    clock.advance(waited)

    assert hangs is (gate.refusal(ANOTHER) is not None)
    await flight.end(SendOutcome.TOKEN)
    assert gate.refusal(ANOTHER) is None


async def test_one_account_that_hangs_is_no_host_that_does(gate: ProviderGate, clock: FakeClock) -> None:
    """Others are answered while it waits."""
    flight = await sent(gate, "one")
    clock.advance(9.0)
    gate.heard(ANOTHER, SendOutcome.TOKEN, asked_s=None)
    clock.advance(21.0)
    during = gate.refusal(THIRD)
    await flight.end(SendOutcome.NO_ANSWER)

    assert [None, None] == [during, gate.refusal(THIRD)]


async def test_a_reset_is_no_hang(gate: ProviderGate, clock: FakeClock) -> None:
    """It is a failure like another; but where five in a row lost their answers, no sixth token is tried on the host."""
    for number in range(4):
        flight = await sent(gate, f"cxn_{number}")
        clock.advance(1.0)
        await flight.end(SendOutcome.NO_ANSWER)
    four = gate.refusal(ANOTHER)
    flight = await sent(gate, "cxn_5")
    await flight.end(SendOutcome.NO_ANSWER)
    clock.advance(30.0)

    assert four is None
    assert gate.refusal(ANOTHER) is not None
    assert probed(gate, answered=True)


async def test_a_probe_every_10_s_until_one_is_answered(gate: ProviderGate, clock: FakeClock) -> None:
    """The first at once; while one is under way there is no other."""
    await hung(gate, clock)
    times, began = [], clock.monotonic()
    for _ in range(120):
        due = gate.probes_due()
        times += [clock.monotonic() - began for _ in due]
        assert () == tuple(gate.probes_due())
        clock.advance(0.5)
        for host, _ in due:
            gate.probed(host, answered=False)

    assert [0.0, 10.0, 20.0, 30.0, 40.0, 50.0] == times
    assert gate.refusal(ANOTHER) is not None


async def test_then_one_real_refresh_whose_token_ends_it(gate: ProviderGate, clock: FakeClock) -> None:
    """The others wait for what comes of it; then the host begins with one place."""
    await hung(gate, clock)
    probed(gate, answered=True)

    flight = await sent(gate, "another")
    assert gate.refusal(THIRD) is not None
    await flight.end(SendOutcome.TOKEN)

    assert gate.refusal(THIRD) is None
    assert not probed(gate, answered=True)
    assert [1] == [each.room for each in gate.troubles()]
    assert gate.recovered(ONE, clock.now() - 1.0)


async def test_an_answer_that_is_no_token_lets_the_next_try(gate: ProviderGate, clock: FakeClock) -> None:
    """A dead grant is refused before anything hangs: that says nothing yet."""
    await hung(gate, clock)
    probed(gate, answered=True)
    flight = await sent(gate, "another")
    await flight.end(SendOutcome.REJECTED)

    second = await sent(gate, "third")
    assert gate.refusal(ONE) is not None
    await second.end(SendOutcome.TOKEN)
    assert gate.refusal(ONE) is None


async def test_if_it_hangs_too_the_next_comes_after_1_2_4_minutes(gate: ProviderGate, clock: FakeClock) -> None:
    """Up to 15: a host that answers probes and lets real ones wait costs four in fifteen minutes, not one in ten s."""
    await hung(gate, clock)
    began, times = clock.monotonic(), []
    for _ in range(3600):
        probed(gate, answered=True)
        if gate.refusal(ANOTHER) is None:
            times.append(clock.monotonic() - began)
            flight = await sent(gate, "another")
            await flight.end(SendOutcome.NO_ANSWER)
        clock.advance(1.0)

    assert [0.0, 60.0, 180.0, 420.0, 900.0, 1800.0, 2700.0] == times


async def test_where_no_probe_can_be_made_one_real_refresh_a_minute_is_tried(
    gate: ProviderGate, clock: FakeClock
) -> None:
    """Then 1, 2, 4 … as above."""
    await hung(gate, clock)
    began, times = clock.monotonic(), []
    for _ in range(1000):
        probed(gate, answered=None)
        if gate.refusal(ANOTHER) is None:
            times.append(clock.monotonic() - began)
            flight = await sent(gate, "another")
            await flight.end(SendOutcome.NO_ANSWER)
        clock.advance(1.0)

    assert [60.0, 120.0, 240.0, 480.0, 960.0] == times


async def test_one_whose_repetition_is_harmless_is_a_probe(gate: ProviderGate, clock: FakeClock) -> None:
    """One every 10 s; its token ends the state."""
    await hung(gate, clock)
    stable, other = replace(ANOTHER, harmless=True), replace(THIRD, harmless=True)
    times, began = [], clock.monotonic()
    for _ in range(25):
        if gate.refusal(stable) is None:
            times.append(clock.monotonic() - began)
            async with gate.place(stable, on_demand=False):
                assert gate.refusal(other) is not None
                assert gate.refusal(ONE) is not None
                gate.heard(stable, SendOutcome.NO_ANSWER, asked_s=None)
        clock.advance(1.0)
    clock.advance(10.0)
    async with gate.place(other, on_demand=False):
        gate.heard(other, SendOutcome.TOKEN, asked_s=None)

    assert [0.0, 10.0, 20.0] == times
    assert gate.refusal(ONE) is None


async def test_those_that_wait_for_a_place_are_told_so(gate: ProviderGate, clock: FakeClock) -> None:
    """Within a second after the 10: eight are what a hang costs, and no call waits for it (I11)."""
    flights = [await sent(gate, f"cxn_{number}") for number in range(8)]
    waiting = [asyncio.ensure_future(_wait(gate, number)) for number in range(20)]
    await asyncio.sleep(0)
    clock.advance(10.0)
    gate.look()
    told = await asyncio.gather(*waiting)

    assert {"provider_unavailable"} == set(told)
    for flight in flights:
        await flight.end(SendOutcome.NO_ANSWER)
    assert not await _sent_after(gate, clock, 300.0)


async def _wait(gate: ProviderGate, number: int) -> str:
    try:
        async with gate.place(asking(HOST, f"waits_{number}"), on_demand=True):
            return "sent"
    except KeyturnError as error:
        return error.code


async def _sent_after(gate: ProviderGate, clock: FakeClock, seconds: float) -> bool:
    """Whether any fresh token would be sent within so many seconds while no probe is answered."""
    for _ in range(int(seconds)):
        clock.advance(1.0)
        gate.look()
        probed(gate, answered=False)
        if gate.refusal(ANOTHER) is None:
            return True
    return False
