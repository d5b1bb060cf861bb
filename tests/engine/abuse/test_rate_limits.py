"""Rates: counted in memory, and once a second with all others."""

from __future__ import annotations

import pytest

from keyturn.core.access.rates import Rate
from keyturn.core.errors import StoreUnavailable
from keyturn.engine.abuse.rate_limits import ASKED_FOR_S, RateLimits
from tests.fakes.clock import FakeClock
from tests.fakes.stores import FakeStores

QUOTA = 30


@pytest.fixture
def clock() -> FakeClock:
    """At the beginning of a window."""
    return FakeClock(1_700_000_040.0)


@pytest.fixture
def stores(clock: FakeClock) -> FakeStores:
    """One database for all processes."""
    return FakeStores(clock)


def process(stores: FakeStores) -> RateLimits:
    """The limits of one process."""
    return RateLimits([Rate("proxy", QUOTA)], stores.rate_counts, stores.clock)


def taken(limits: RateLimits, tries: int, subject: str = "key_1") -> int:
    """How many of so many are let through."""
    found = [limits.take("proxy", subject) for _ in range(tries)]
    return sum(each is not None and each.wait_s == 0 for each in found)


async def test_what_is_not_limited_costs_nothing(stores: FakeStores) -> None:
    """No standing, and nothing to exchange."""
    limits = RateLimits([], stores.rate_counts, stores.clock)

    assert limits.take("proxy", "key_1") is None
    await limits.exchange()
    assert [] == stores.database.writes


async def test_the_quota_is_let_through_and_no_more(stores: FakeStores, clock: FakeClock) -> None:
    """Each caller has its own; who waits as long as it is told is let through."""
    limits = process(stores)
    first = limits.take("proxy", "key_1")
    more = taken(limits, 2 * QUOTA)
    refused = limits.take("proxy", "key_1")
    assert first is not None
    assert refused is not None
    clock.advance(refused.wait_s)

    assert (QUOTA - 1, 60.0, 0.0) == (first.left, first.resets_in_s, first.wait_s)
    assert QUOTA - 1 == more
    assert (0, True) == (refused.left, refused.wait_s > 0)
    assert QUOTA == taken(limits, QUOTA, "key_2")
    assert 1 == taken(limits, 5)


async def test_an_exchange_makes_one_count_of_two(stores: FakeStores, clock: FakeClock) -> None:
    """What one let through the other does not; nothing is counted twice."""
    one, two = process(stores), process(stores)
    before = taken(one, 20), taken(two, 5)
    for _ in range(3):
        for each in (one, two):
            await each.exchange()
        clock.advance(1)

    assert (20, 5) == before
    assert QUOTA - 25 == taken(two, QUOTA)
    await two.exchange()
    await one.exchange()
    assert 0 == taken(one, QUOTA)


async def test_the_bound_holds(stores: FakeStores, clock: FakeClock) -> None:
    """Three processes that are asked at full speed let through the quota, and what came before they had exchanged."""
    limits = [process(stores) for _ in range(3)]
    through = 0
    for _ in range(20):  # seconds
        for _ in range(4):
            through += sum(taken(each, 1) for each in limits)
        for each in limits:
            await each.exchange()
        clock.advance(1)

    assert QUOTA <= through <= QUOTA + 2 * 4


async def test_a_new_window_remembers_the_one_before(stores: FakeStores, clock: FakeClock) -> None:
    """Others' part of it too; nobody gets two quotas at a window's edge."""
    one, two = process(stores), process(stores)
    clock.advance(59)
    spent = taken(one, QUOTA)
    await one.exchange()
    clock.advance(1)
    two.take("proxy", "key_1")
    await two.exchange()

    assert QUOTA == spent
    assert 0 == taken(one, QUOTA)
    assert 0 == taken(two, QUOTA)


async def test_without_a_database_each_counts_for_itself(stores: FakeStores) -> None:
    """And tells of it afterwards."""
    one, two = process(stores), process(stores)
    spent = taken(one, 20)
    stores.database.gone = True
    with pytest.raises(StoreUnavailable):
        await one.exchange()
    stores.database.gone = False
    await one.exchange()
    two.take("proxy", "key_1")
    await two.exchange()

    assert 20 == spent
    assert QUOTA - 21 == taken(two, QUOTA)


async def test_callers_that_went_away_are_forgotten(stores: FakeStores, clock: FakeClock) -> None:
    """Here and in the database."""
    limits = process(stores)
    taken(limits, 1)
    await limits.exchange()
    clock.advance(600)
    taken(limits, 1, "key_2")
    await limits.exchange()

    assert 1 == len(limits._counts)
    assert 0 == await stores.rate_counts.purge(now=clock.now())


async def test_who_was_quiet_is_asked_after_again(stores: FakeStores, clock: FakeClock) -> None:
    """A caller of an hour ago costs no question; once it comes back, others' counts are known a second later."""
    one, two = process(stores), process(stores)
    taken(two, 1)
    await two.exchange()
    clock.advance(ASKED_FOR_S + 1)
    spent = taken(one, QUOTA - 1)
    await one.exchange()
    stores.database.gone = True
    await two.exchange()
    stores.database.gone = False
    first = taken(two, 1)
    await two.exchange()

    assert (QUOTA - 1, 1) == (spent, first)
    assert 0 == taken(two, QUOTA)
