"""Call times: added up in memory, stored by the hour, read as quantiles."""

from __future__ import annotations

import pytest

from keyturn.core.errors import StoreUnavailable
from keyturn.engine.observing.call_times import CallTime, CallTimes
from keyturn.web.dataplane.call_counts import CallCounts
from tests.fakes.application import make_world
from tests.fakes.clock import FakeClock
from tests.fakes.stores import FakeStores

HOUR = 3600.0
START = 1_700_002_800.0  # an hour begins


@pytest.fixture
def clock() -> FakeClock:
    """At the beginning of an hour."""
    return FakeClock(START)


@pytest.fixture
def stores(clock: FakeClock) -> FakeStores:
    """One database for all processes."""
    return FakeStores(clock)


def process(stores: FakeStores) -> tuple[CallTimes, CallCounts]:
    """The call times of one process, and the proxy's counts that add to them."""
    times = CallTimes(stores.call_times, stores.clock)
    return times, CallCounts(times_of=times.of)


def shown(found: CallTime) -> tuple[str, float, int, float, float, float, float]:
    """Connector, hour, count, p50 of each part, and p95 of the whole; milliseconds."""
    ms = [round(each * 1000, 1) for each in (found.provider.p50_s, found.keyturn.p50_s, found.whole.p50_s)]
    return (found.connector, found.start, found.count, ms[0], ms[1], ms[2], round(found.whole.p95_s * 1000, 1))


async def test_two_processes_and_two_hours(stores: FakeStores, clock: FakeClock) -> None:
    """What both did stands in one line of each hour; a minute of the old hour is not told of the new one."""
    (times, counts), (others, other_counts) = process(stores), process(stores)
    for _ in range(3):
        counts.answered("acme", 200, provider_s=0.1, all_s=0.12)
    other_counts.answered("acme", 500, provider_s=2.0, all_s=2.0005)
    clock.advance(HOUR - 1)
    await others.look()
    await times.look()
    counts.answered("acme", 200, provider_s=0.1, all_s=0.12)
    clock.advance(1)
    await times.look()
    counts.answered("beta", 200, provider_s=0.001, all_s=0.002)
    found = await times.read(START, START + 2 * HOUR, HOUR)
    whole = await others.read(START, START + 2 * HOUR, 2 * HOUR)

    assert [
        ("acme", START, 5, 92.5, 16.9, 112.5, 2375.0),
        ("beta", START + HOUR, 1, 0.9, 0.9, 1.8, 2.0),
    ] == [shown(each) for each in found]
    assert [("acme", START, 5), ("beta", START, 1)] == [(each.connector, each.start, each.count) for each in whole]


async def test_it_is_stored_once_a_minute(stores: FakeStores, clock: FakeClock) -> None:
    """Not for each call, not where nothing came, and at the turn of an hour."""
    times, counts = process(stores)
    clock.advance(1)
    for second in range(180):
        if second < 100:
            counts.answered("acme", 200, 0.1, 0.1)
        clock.advance(1)
        await times.look()

    assert ["call_times.add"] * 2 == stores.database.writes
    assert [100] == [each.count for each in await times.read(START, START + HOUR, HOUR)]


async def test_what_cannot_be_stored_is_stored_later(stores: FakeStores, clock: FakeClock) -> None:
    """In the hour that it belongs to, and once."""
    times, counts = process(stores)
    counts.answered("acme", 200, 0.1, 0.1)
    stores.database.gone = True
    for _ in range(3):
        clock.advance(HOUR)
        with pytest.raises(StoreUnavailable):
            await times.look()
    counts.answered("acme", 200, 0.1, 0.1)
    stores.database.gone = False
    clock.advance(60)
    await times.look()
    found = await times.read(START, START + 4 * HOUR, HOUR)

    assert [(START, 1), (START + 3 * HOUR, 1)] == [(each.start, each.count) for each in found]


async def test_168_hours_are_kept(stores: FakeStores, clock: FakeClock) -> None:
    """What is older goes with the daily purge: here one row of the parts that took 0.1 s, and one of keyturn's own."""
    times, counts = process(stores)
    counts.answered("acme", 200, 0.1, 0.1)
    await times.write()
    clock.advance(168 * HOUR)

    assert 0 == await times.purge()
    clock.advance(HOUR)
    assert 2 == await times.purge()
    assert () == await times.read(START, START + HOUR, HOUR)


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        pytest.param("1h", [(START - HOUR, 1), (START, 1)], id="the hours that it touches"),
        pytest.param("24h", [(START - HOUR, 1), (START, 1)], id="hour by hour"),
        pytest.param("7d", [(START - 5 * HOUR, 2)], id="six hours a step"),
    ],
)
async def test_the_board_has_them(key: str, expected: list[tuple[float, int]]) -> None:
    """By the steps of its range, hours at least."""
    world = make_world(clock=FakeClock(START - 60))
    counts = CallCounts(times_of=world.application.call_times.of)
    counts.answered("acme", 200, 0.1, 0.1)
    await world.application.call_times.write()
    world.clock.advance(120)
    await world.application.call_times.look()
    counts.answered("acme", 200, 0.1, 0.1)
    board = await world.application.board(key)

    assert expected == [(each.start, each.count) for each in board.call_times]


async def test_answers_of_4xx_and_5xx_are_counted(stores: FakeStores) -> None:
    """Each apart; what is neither is none of them."""
    times, counts = process(stores)
    for status in (200, 304, 399, 400, 404, 499, 500, 503):
        counts.answered("acme", status, provider_s=0.1, all_s=0.12)
    (found,) = await times.read(START, START + HOUR, HOUR)
    again = await times.read(START, START + HOUR, HOUR)

    assert (8, 3, 2) == (found.count, found.client_errors, found.server_errors)
    assert (found,) == again
