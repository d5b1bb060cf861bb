"""What every CallTimesStore promises."""

from __future__ import annotations

import asyncio

from tests.contracts.all_stores import AllStores

HOUR = 3600


class CallTimesContract:
    """Subclass, give a `stores` fixture, write nothing else."""

    async def test_two_processes_add_up(self, stores: AllStores) -> None:
        """At one moment too; connectors, hours, bounds and projects stay apart."""
        times = stores.call_times
        await asyncio.gather(
            *(times.add({("acme", HOUR): {1000: (1, 0, 2, 1, 0), 5000: (0, 1, 0, 0, 0)}}) for _ in range(5))
        )
        await times.add({("acme", 2 * HOUR): {1000: (1, 1, 1, 0, 1)}, ("other", HOUR): {2000: (7, 8, 9, 3, 2)}})
        await times.add({("acme", HOUR): {1000: (100, 100, 100, 0, 0)}}, project="other")
        await times.add({})

        expected = {
            ("acme", HOUR): {1000: (5, 0, 10, 5, 0), 5000: (0, 5, 0, 0, 0)},
            ("other", HOUR): {2000: (7, 8, 9, 3, 2)},
        }
        assert expected == await times.read(HOUR, 2 * HOUR)
        assert {("acme", 2 * HOUR): {1000: (1, 1, 1, 0, 1)}} == await times.read(HOUR + 1, 3 * HOUR)

    async def test_old_hours_are_purged(self, stores: AllStores) -> None:
        """Those that began before; it says how many counts that were."""
        times = stores.call_times
        one = (1, 1, 1, 0, 0)
        await times.add({("acme", HOUR): {1000: one, 2000: one}, ("acme", 2 * HOUR): {1000: one}})

        assert [0, 2, 0] == [await times.purge(before=before) for before in (HOUR, 2 * HOUR, 2 * HOUR)]
        assert {("acme", 2 * HOUR): {1000: one}} == await times.read(0, 9 * HOUR)
