"""What every LoginLedger promises."""

from __future__ import annotations

import asyncio

import pytest

from keyturn.core.connector import LoginLimits
from keyturn.ports.store import Attempt, AttemptResult
from tests.contracts.all_stores import AllStores
from tests.contracts.samples import NOW, record

LIMITS = LoginLimits(3, 900.0)
SUCCESSES = LoginLimits(4, 600.0)
CHALLENGES = LoginLimits(5, 300.0)
FAILED, SUCCEEDED, NOT_SENT = AttemptResult.FAILED, AttemptResult.SUCCEEDED, AttemptResult.NOT_SENT
CHALLENGED = AttemptResult.CHALLENGED


async def _reserve(stores: AllStores, now: float = NOW, account: str = "a") -> Attempt | float | None:
    return await stores.logins.reserve(account, now=now, limits=LIMITS, successes=SUCCESSES, challenges=CHALLENGES)


async def _login(stores: AllStores, result: AttemptResult, now: float = NOW, account: str = "a") -> int:
    attempt = await _reserve(stores, now, account)
    assert isinstance(attempt, Attempt)
    return await stores.logins.settle(attempt, result)


class LoginLedgerContract:
    """Subclass, give a `stores` fixture, write nothing else."""

    async def test_records_are_written_with_it(self, stores: AllStores) -> None:
        """With the booking where there is one, and with the end; a refusal leaves none."""
        one = LoginLimits(1, 900.0)
        booked = await stores.logins.reserve(
            "a", now=NOW, limits=one, successes=SUCCESSES, challenges=CHALLENGES, records=[record("login.sent")]
        )
        assert isinstance(booked, Attempt)
        await stores.logins.settle(booked, FAILED, records=[record("login.answered")])
        refused = await stores.logins.reserve(
            "a", now=NOW, limits=one, successes=SUCCESSES, challenges=CHALLENGES, records=[record("login.never")]
        )
        found, _ = await stores.audit.list()

        assert not isinstance(refused, Attempt)
        assert ["login.answered", "login.sent"] == [each.action for _, each in found]

    async def test_failures_spend_the_budget(self, stores: AllStores) -> None:
        """Each failure takes one; the spent budget says how long until the oldest has left the window."""
        left = [await _login(stores, FAILED, NOW + n) for n in range(3)]

        assert [2, 1, 0] == left
        assert 900 - 10 == await _reserve(stores, NOW + 10)
        assert pytest.approx(0.5) == await _reserve(stores, NOW + 899.5)
        assert isinstance(await _reserve(stores, NOW + 900), Attempt)

    async def test_after_the_window_moved_on_one_is_free(self, stores: AllStores) -> None:
        """A failure that left the window frees one try, not three."""
        for n in range(3):
            await _login(stores, FAILED, NOW + 100 * n)
        left = await _login(stores, FAILED, NOW + 900)

        assert 0 == left
        assert 99 == await _reserve(stores, NOW + 901)

    async def test_an_attempt_says_what_is_left(self, stores: AllStores) -> None:
        """How many more may fail after this one."""
        first = await _reserve(stores)
        assert isinstance(first, Attempt)
        await stores.logins.settle(first, FAILED)
        second = await _reserve(stores)

        assert isinstance(second, Attempt)
        assert [2, 1] == [first.tries_left, second.tries_left]
        assert first.id != second.id

    async def test_accounts_are_counted_apart(self, stores: AllStores) -> None:
        """One account's failures are not another's."""
        for _ in range(3):
            await _login(stores, FAILED)

        assert 2 == await _login(stores, FAILED, account="b")
        assert 900 == await _reserve(stores)

    async def test_a_success_resets(self, stores: AllStores) -> None:
        """After a success the budget is whole."""
        await _login(stores, FAILED)
        await _login(stores, FAILED)

        assert 3 == await _login(stores, SUCCEEDED)
        assert [2, 1, 0] == [await _login(stores, FAILED) for _ in range(3)]

    async def test_what_was_not_sent_does_not_count(self, stores: AllStores) -> None:
        """A login that never left is as if it had not been; it resets nothing either."""
        await _login(stores, FAILED)
        unsent = [await _login(stores, NOT_SENT) for _ in range(5)]

        assert [2] * 5 == unsent
        assert 1 == await _login(stores, FAILED)

    async def test_logins_under_way_count_as_if_they_failed(self, stores: AllStores) -> None:
        """Failures and logins under way together never exceed the budget: ask again in a moment."""
        await _login(stores, FAILED)
        under_way = [await _reserve(stores) for _ in range(3)]
        assert isinstance(under_way[0], Attempt)
        await stores.logins.settle(under_way[0], NOT_SENT)

        assert [True, True, False] == [isinstance(each, Attempt) for each in under_way]
        assert under_way[2] is None
        assert isinstance(await _reserve(stores), Attempt)

    async def test_many_at_once(self, stores: AllStores) -> None:
        """Of many reservations at one moment no more are given than may fail."""
        given = await asyncio.gather(*(_reserve(stores) for _ in range(12)))

        assert 3 == sum(isinstance(each, Attempt) for each in given)
        assert 9 == given.count(None)

    async def test_a_login_whose_process_died_has_failed(self, stores: AllStores) -> None:
        """Under way for over a minute counts as failed, from the moment it was sent."""
        for _ in range(3):
            await _reserve(stores)

        assert await _reserve(stores, NOW + 60) is None
        assert 900 - 60.5 == await _reserve(stores, NOW + 60.5)
        assert isinstance(await _reserve(stores, NOW + 900), Attempt)

    async def test_a_late_success_resets_too(self, stores: AllStores) -> None:
        """An answer after the minute is still an answer."""
        first = await _reserve(stores)
        await _login(stores, FAILED)
        await _login(stores, FAILED)
        blocked = await _reserve(stores, NOW + 61)
        assert isinstance(first, Attempt)
        await stores.logins.settle(first, SUCCEEDED)

        assert 900 - 61 == blocked
        assert isinstance(await _reserve(stores, NOW + 61), Attempt)

    async def test_successes_have_a_cap(self, stores: AllStores) -> None:
        """Logins that succeed are limited too, by a window of their own."""
        for n in range(4):
            await _login(stores, SUCCEEDED, NOW + n)

        assert 590 == await _reserve(stores, NOW + 10)
        assert isinstance(await _reserve(stores, NOW + 600), Attempt)

    async def test_challenges_have_a_cap_of_their_own(self, stores: AllStores) -> None:
        """What may have sent a message is limited apart: a success takes none of it back, and it spends no failure."""
        await _login(stores, FAILED)
        left = [await _login(stores, CHALLENGED, NOW + n) for n in range(4)]
        await _login(stores, SUCCEEDED, NOW + 5)
        fifth = await _login(stores, CHALLENGED, NOW + 6)

        assert [2, 2, 2, 2, 3] == [*left, fifth]
        assert 290 == await _reserve(stores, NOW + 10)
        assert isinstance(await _reserve(stores, NOW + 300), Attempt)

    async def test_settling_twice_counts_once(self, stores: AllStores) -> None:
        """Repeating the end of a login changes nothing."""
        attempt = await _reserve(stores)
        assert isinstance(attempt, Attempt)

        assert [2, 2] == [await stores.logins.settle(attempt, FAILED) for _ in range(2)]

    async def test_a_clock_that_was_set_back_does_not_lock_out_for_longer(self, stores: AllStores) -> None:
        """The wait is never longer than the window."""
        for _ in range(3):
            await _login(stores, FAILED, NOW + 3600)

        assert 900 == await _reserve(stores, NOW)

    async def test_what_counts_no_more_is_purged(self, stores: AllStores) -> None:
        """Not while a window holds it, or a minute more for one whose end nobody reported."""
        await _login(stores, FAILED)
        await _login(stores, SUCCEEDED, NOW + 10, account="b")
        early = await stores.logins.purge(now=NOW + 960)
        later = [await stores.logins.purge(now=NOW + seconds) for seconds in (960.5, 960.5, 971)]

        assert (0, [1, 0, 1]) == (early, later)

    async def test_account_keys_tell_accounts_apart(self, stores: AllStores) -> None:
        """The same account has the same key; any part that differs, or moves over, gives another; no name in it."""
        key = await stores.logins.account_key("acme", "a.example.com", "ada")
        others = [
            await stores.logins.account_key("acm", "ea.example.com", "ada"),
            await stores.logins.account_key("acme", "a.example.co", "mada"),
            await stores.logins.account_key("acme", "a.example.com", "adb"),
            await stores.logins.account_key("acme", "a.example.com", "ada", project="other"),
        ]

        assert key == await stores.logins.account_key("acme", "a.example.com", "ada")
        assert 5 == len({key, *others})
        assert "ada" not in key
