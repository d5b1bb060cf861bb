"""How hard one provider is asked: places, breaker, holds and alarms."""

from __future__ import annotations

import asyncio

import pytest

from keyturn.core.errors import ProviderRateLimited, ProviderUnavailable
from keyturn.engine import provider_gate
from keyturn.engine.provider_gate import AT_ONCE, OPENS_AFTER, ProviderGate
from tests.fakes.clock import FakeClock

HOST = "auth.acme.example"


@pytest.fixture
def clock() -> FakeClock:
    """A clock that a test moves."""
    return FakeClock()


@pytest.fixture
def gate(clock: FakeClock) -> ProviderGate:
    """A gate that knows no host yet."""
    return ProviderGate(clock)


def fail(gate: ProviderGate, times: int = OPENS_AFTER, host: str = HOST) -> None:
    """Let a host fail so many times in a row."""
    for _ in range(times):
        gate.failed(host)


async def test_a_host_is_asked_by_so_many_at_once(gate: ProviderGate) -> None:
    """The next one waits; another host's does not."""
    inside, most = 0, 0

    async def ask(host: str) -> None:
        nonlocal inside, most
        async with gate.slot(host):
            inside += host == HOST
            most = max(most, inside)
            await asyncio.sleep(0)
            inside -= host == HOST

    await asyncio.gather(*(ask(HOST) for _ in range(50)), ask("other.example"))

    assert most == AT_ONCE == 8


async def test_the_breaker_opens_at_the_fifth_failure_in_a_row(gate: ProviderGate) -> None:
    """An answer in between starts the count anew; other hosts take no notice."""
    fail(gate, 4)
    gate.answered(HOST)
    fail(gate, 4)
    gate.check(HOST)
    gate.failed(HOST)

    with pytest.raises(ProviderUnavailable) as closed:
        gate.check(HOST)

    assert 0 < (closed.value.retry_after_s or 0) <= 10
    gate.check("other.example")


async def test_one_request_tries_whether_it_may_close(gate: ProviderGate, clock: FakeClock) -> None:
    """Half open within 10 s, for one at a time; its success closes the breaker for all."""
    fail(gate)
    clock.advance(10)

    async with gate.slot(HOST):
        with pytest.raises(ProviderUnavailable):
            gate.check(HOST)
        gate.answered(HOST)

    gate.check(HOST)
    async with gate.slot(HOST), gate.slot(HOST):
        pass


async def test_a_trial_that_fails_opens_it_again(gate: ProviderGate, clock: FakeClock) -> None:
    """And the next trial is due as soon as the first was."""
    fail(gate)
    clock.advance(5)
    async with gate.slot(HOST):
        gate.failed(HOST)

    with pytest.raises(ProviderUnavailable):
        gate.check(HOST)
    clock.advance(5)
    gate.check(HOST)


@pytest.mark.parametrize("how", ["cancelled", "crashed"])
async def test_a_trial_that_ends_without_a_word_blocks_nobody(gate: ProviderGate, clock: FakeClock, how: str) -> None:
    """A task that is cancelled in the middle must not leave the breaker half open for good."""
    fail(gate)
    clock.advance(5)

    async def trial() -> None:
        async with gate.slot(HOST):
            if how == "crashed":
                raise ZeroDivisionError
            await asyncio.Event().wait()

    task = asyncio.ensure_future(trial())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])

    gate.check(HOST)


async def test_those_who_waited_for_a_place_hear_that_the_host_went_down(gate: ProviderGate) -> None:
    """A thousand that queue do not hammer a provider that has stopped answering."""
    asked, release = 0, asyncio.Event()

    async def ask() -> None:
        nonlocal asked
        async with gate.slot(HOST):
            asked += 1
            await release.wait()
            gate.failed(HOST)

    tasks = [asyncio.ensure_future(ask()) for _ in range(100)]
    await asyncio.sleep(0)
    release.set()
    results = await asyncio.gather(*tasks, return_exceptions=True)

    assert asked <= 2 * AT_ONCE
    assert 100 - asked == sum(isinstance(each, ProviderUnavailable) for each in results)


async def test_a_waiter_is_no_second_trial(gate: ProviderGate, clock: FakeClock) -> None:
    """Who queued before the breaker opened tries it like everybody: one at a time."""
    release = asyncio.Event()
    trials = 0

    async def hold() -> None:
        async with gate.slot(HOST):
            await release.wait()

    async def wait() -> None:
        nonlocal trials
        async with gate.slot(HOST):
            trials += 1
            await asyncio.sleep(0.01)

    holders = [asyncio.ensure_future(hold()) for _ in range(AT_ONCE)]
    await asyncio.sleep(0)
    waiters = [asyncio.ensure_future(wait()) for _ in range(AT_ONCE)]
    await asyncio.sleep(0)
    fail(gate)
    clock.advance(5)
    release.set()
    await asyncio.gather(*holders, *waiters, return_exceptions=True)

    assert 1 == trials


async def test_a_provider_that_asks_to_wait_is_left_alone(gate: ProviderGate, clock: FakeClock) -> None:
    """For as long as it asks, at most an hour; a shorter wait does not end a longer one."""
    gate.hold(HOST, 90)
    gate.hold(HOST, 1)

    with pytest.raises(ProviderRateLimited) as held:
        async with gate.slot(HOST):
            pass

    assert 90 == held.value.retry_after_s
    clock.advance(90)
    gate.check(HOST)
    gate.hold(HOST, 86_400)
    clock.advance(3600)
    gate.check(HOST)


async def test_hosts_that_are_well_are_forgotten(gate: ProviderGate) -> None:
    """Tenants come and go by the thousand; memory does not grow with them."""
    for number in range(1000):
        async with gate.slot(f"t{number}.example"):
            gate.answered(f"t{number}.example")

    assert 0 == gate.hosts_known


async def test_hosts_that_are_down_are_remembered_up_to_a_bound(
    gate: ProviderGate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The oldest go first, but none that somebody waits for."""
    monkeypatch.setattr(provider_gate, "HOSTS_KEPT", 10)
    async with gate.slot("busy.example"):
        for number in range(100):
            fail(gate, host=f"t{number}.example")
        assert 10 == gate.hosts_known
        fail(gate, host="busy.example")

    for down in ("busy.example", "t99.example"):
        with pytest.raises(ProviderUnavailable):
            gate.check(down)
    gate.check("t1.example")


async def test_an_alarm_is_tried_again_after_1_2_4_up_to_15_minutes(gate: ProviderGate, clock: FakeClock) -> None:
    """The connector's set-up is wrong until it works again or is changed; the first failure's time is kept."""
    began = clock.now()
    waits = []
    for _ in range(6):
        waits.append(gate.alarm("acme", "connector_client_rejected"))
        clock.advance(waits[-1])

    assert [60, 120, 240, 480, 900, 900] == waits
    assert ("connector_client_rejected", began, 0.0) == gate.alarmed("acme")
    gate.end_alarm("acme")
    assert gate.alarmed("acme") is None
    assert 60 == gate.alarm("acme", "grant_disabled")


async def test_a_change_that_is_heard_of_late_ends_no_later_alarm(gate: ProviderGate, clock: FakeClock) -> None:
    """What was refused after a change was refused with what it was changed to."""
    before = clock.now()
    clock.advance(1)
    gate.alarm("acme", "connector_client_rejected")
    gate.end_alarm("acme", changed_at=before)
    stayed = gate.alarmed("acme")
    gate.end_alarm("acme", changed_at=clock.now())

    assert stayed is not None
    assert gate.alarmed("acme") is None


async def test_sends_that_are_refused_side_by_side_are_one_alarm(gate: ProviderGate, clock: FakeClock) -> None:
    """Eight at once do not make the first wait a quarter of an hour."""
    gate.alarm("acme", "connector_client_rejected")
    clock.advance(20)

    assert 40 == gate.alarm("acme", "connector_client_rejected")
    assert gate.alarmed("other") is None
