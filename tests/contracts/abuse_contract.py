"""What LoginWatch, LoginStops and RateCounts promise."""

from __future__ import annotations

import asyncio

from keyturn.core.access.spraying import LIMITS, Watched
from keyturn.ports.access.abuse import Held, LoginEnd, Source
from tests.contracts.all_stores import AllStores
from tests.contracts.samples import NOW, record

REFUSED, PASSED, NEITHER = LoginEnd.REFUSED, LoginEnd.PASSED, LoginEnd.NEITHER
SOURCE = Source(Watched.API_KEY, "a source")
MOST = LIMITS[Watched.API_KEY].accounts


async def _ended(stores: AllStores, how: LoginEnd, number: int, *, at: float = NOW, source: Source = SOURCE) -> None:
    for n in range(number):
        await stores.login_watch.end([source], f"{how.value} {n}", how, now=at)


async def _admit(stores: AllStores, account: str = "one more", *, at: float = NOW) -> Held | bool:
    return await stores.login_watch.admit([SOURCE], account, now=at)


class LoginWatchContract:
    """Subclass, give a `stores` fixture, write nothing else."""

    async def test_refused_accounts_are_counted(self, stores: AllStores) -> None:
        """The limit is of distinct accounts; whoever is told first is told that it begins, once in a window."""
        await _ended(stores, REFUSED, MOST - 1)
        for _ in range(MOST):
            await stores.login_watch.end([SOURCE], "refused 0", REFUSED, now=NOW)
        before = await _admit(stores)
        await stores.login_watch.end([SOURCE], "one more", REFUSED, now=NOW + 1)
        held = [await _admit(stores, at=NOW + 10) for _ in range(2)]

        assert before is True
        assert [Held(Watched.API_KEY, 890, MOST, begins) for begins in (True, False)] == held

    async def test_a_held_source_is_free_when_one_has_left_the_window(self, stores: AllStores) -> None:
        """And told of again when it is held again."""
        await _ended(stores, REFUSED, MOST)
        first = await _admit(stores)
        free = await _admit(stores, at=NOW + 900)
        await _ended(stores, REFUSED, MOST, at=NOW + 901)
        again = await _admit(stores, "another", at=NOW + 902)

        assert [900, True] == [first.wait_s, first.begins] if isinstance(first, Held) else None
        assert free is True
        assert isinstance(again, Held)
        assert again.begins

    async def test_accounts_that_get_in_make_up_for_refused_ones(self, stores: AllStores) -> None:
        """A busy day is none: two refusals for each that got in are borne."""
        await _ended(stores, PASSED, MOST // 2)
        await _ended(stores, REFUSED, MOST)
        borne = await _admit(stores, "refused 0")
        await stores.login_watch.end([SOURCE], "refused too", REFUSED, now=NOW)

        assert borne is True
        assert isinstance(await _admit(stores), Held)

    async def test_logins_under_way_are_waited_for(self, stores: AllStores) -> None:
        """Of many at one moment no more are sent than may be refused; one that ended otherwise makes room."""
        await _ended(stores, REFUSED, MOST - 3)
        given = await asyncio.gather(*(_admit(stores, f"new {n}") for n in range(8)))
        await stores.login_watch.end([SOURCE], "new 0", NEITHER, now=NOW)
        room = [await _admit(stores, "later"), await _admit(stores, "latest")]

        assert [3, 5] == [given.count(True), given.count(False)]
        assert [True, False] == room

    async def test_one_whose_process_died_counts_no_more(self, stores: AllStores) -> None:
        """After a minute nobody waits for it."""
        await _ended(stores, REFUSED, MOST - 1)

        assert [True, False] == [await _admit(stores, "dies"), await _admit(stores, at=NOW + 60)]
        assert await _admit(stores, at=NOW + 60.5) is True

    async def test_what_was_not_sent_leaves_an_account_as_it_was(self, stores: AllStores) -> None:
        """An account that was refused stays so, whatever begins and comes to nothing afterwards."""
        await _ended(stores, REFUSED, MOST - 1)
        await _admit(stores, "refused 0")
        await stores.login_watch.end([SOURCE], "refused 0", NEITHER, now=NOW)
        await stores.login_watch.end([SOURCE], "the last", REFUSED, now=NOW)

        assert isinstance(await _admit(stores), Held)

    async def test_sources_are_counted_apart(self, stores: AllStores) -> None:
        """Each in its own; the first that is held refuses, and then nothing is booked."""
        other = Source(Watched.OWNER, "another source")
        await _ended(stores, REFUSED, MOST)

        assert await stores.login_watch.admit([other], "a", now=NOW) is True
        assert isinstance(await stores.login_watch.admit([other, SOURCE], "b", now=NOW), Held)

    async def test_what_counts_no_more_is_purged(self, stores: AllStores) -> None:
        """Not while a window holds it."""
        await _ended(stores, REFUSED, 3)
        await _ended(stores, PASSED, 2, at=NOW + 10)

        assert [0, 3, 2] == [await stores.login_watch.purge(now=NOW + s) for s in (899, 900, 910)]

    async def test_source_keys_tell_apart(self, stores: AllStores) -> None:
        """Connector, kind, value and project all count; no name stands in it."""
        key = await stores.login_watch.source_key("acme", Watched.OWNER, "ada-1815")
        others = [
            await stores.login_watch.source_key("other", Watched.OWNER, "ada-1815"),
            await stores.login_watch.source_key("acme", Watched.ADDRESS, "ada-1815"),
            await stores.login_watch.source_key("acme", Watched.OWNER, "ada-1816"),
            await stores.login_watch.source_key("acme", Watched.OWNER, "ada-1815", project="other"),
        ]

        assert key == await stores.login_watch.source_key("acme", Watched.OWNER, "ada-1815")
        assert 5 == len({key, *others})


class LoginStopsContract:
    """Subclass, give a `stores` fixture, write nothing else."""

    async def test_stopped_and_started(self, stores: AllStores) -> None:
        """The first stop stays; a project's and a connector's own; what changed nothing is not recorded."""
        stops = stores.login_stops
        since = [await stops.stop("acme", at=NOW + n, by="key:1", records=[record("stopped")]) for n in (0, 5)]
        seen = [await stops.stopped_since("acme"), await stops.stopped_since("other")]
        elsewhere = await stops.stopped_since("acme", project="other")
        every = [await stops.all(), await stops.all(project="other")]
        for _ in range(2):
            await stops.start("acme", records=[record("started")])
        logged, _ = await stores.audit.list()

        assert [NOW, NOW] == since
        assert [NOW, None] == seen
        assert elsewhere is None
        assert [{"acme": NOW}, {}] == every
        assert await stops.stopped_since("acme") is None
        assert ["started", "stopped"] == [each.action for _, each in logged]


class RateCountsContract:
    """Subclass, give a `stores` fixture, write nothing else."""

    async def test_numbers_are_added(self, stores: AllStores) -> None:
        """Each exchange adds what is new, and answers the sums of what was asked, nought where there is none."""
        counts = stores.rate_counts
        await counts.exchange({("a", 60): 3, ("b", 60): 1}, [], keep_until=240)
        found = await counts.exchange({("a", 60): 2}, [("a", 60), ("a", 0), ("c", 60)], keep_until=240)

        assert {("a", 60): 5, ("a", 0): 0, ("c", 60): 0} == found
        assert {("b", 60): 1} == await counts.exchange({}, [("b", 60)], keep_until=240)

    async def test_many_at_once_lose_nothing(self, stores: AllStores) -> None:
        """Two processes that exchange at one moment are both counted."""
        counts = stores.rate_counts
        await asyncio.gather(*(counts.exchange({("a", 60): 1}, [("a", 60)], keep_until=240) for _ in range(20)))

        assert {("a", 60): 20} == await counts.exchange({}, [("a", 60)], keep_until=240)

    async def test_old_windows_are_purged(self, stores: AllStores) -> None:
        """Once they count no more."""
        await stores.rate_counts.exchange({("a", 60): 1}, [], keep_until=240)

        assert [0, 1, 0] == [await stores.rate_counts.purge(now=now) for now in (240.0, 240.5, 240.5)]
