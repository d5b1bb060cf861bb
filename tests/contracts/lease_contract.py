"""What every Lease promises."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from tests.contracts.all_stores import AllStores

Pass = Callable[[float], None]


class LeaseContract:
    """Subclass, give `stores` and `pass_time` (lets so many seconds pass on the lease's clock)."""

    async def test_one_holder_at_a_time(self, stores: AllStores) -> None:
        """Of many that ask at once one gets it; another connection's lease is another lease."""
        given = await asyncio.gather(*(stores.leases.acquire("a", for_s=15) for _ in range(8)))

        assert 1 == sum(each is not None for each in given)
        assert await stores.leases.acquire("a", for_s=15) is None
        assert await stores.leases.acquire("b", for_s=15) is not None

    async def test_a_released_lease_is_free(self, stores: AllStores) -> None:
        """It can be taken at once, and the new holder has a token of its own."""
        first = await stores.leases.acquire("a", for_s=15)
        assert first is not None
        await stores.leases.release("a", first)
        second = await stores.leases.acquire("a", for_s=15)

        assert second is not None
        assert first != second

    async def test_a_lease_ends_by_itself(self, stores: AllStores, pass_time: Pass) -> None:
        """After its time another may take it, not a moment before."""
        await stores.leases.acquire("a", for_s=15)
        pass_time(14.5)
        early = await stores.leases.acquire("a", for_s=15)
        pass_time(0.5)

        assert early is None
        assert await stores.leases.acquire("a", for_s=15) is not None

    async def test_a_heartbeat_extends_it(self, stores: AllStores, pass_time: Pass) -> None:
        """An extended lease ends so many seconds after the heartbeat."""
        token = await stores.leases.acquire("a", for_s=15)
        assert token is not None
        pass_time(10)
        extended = await stores.leases.extend("a", token, for_s=15)
        pass_time(14.5)
        held = await stores.leases.acquire("a", for_s=15)
        pass_time(0.5)

        assert extended
        assert held is None
        assert not await stores.leases.extend("a", token, for_s=15)
        assert await stores.leases.acquire("a", for_s=15) is not None

    async def test_a_lost_lease_is_left_alone(self, stores: AllStores, pass_time: Pass) -> None:
        """A holder that wakes up late neither extends nor releases the lease of another."""
        old = await stores.leases.acquire("a", for_s=15)
        pass_time(20)
        new = await stores.leases.acquire("a", for_s=15)
        assert old is not None
        assert new is not None
        extended = await stores.leases.extend("a", old, for_s=60)
        await stores.leases.release("a", old)

        assert not extended
        assert await stores.leases.acquire("a", for_s=15) is None
        assert await stores.leases.extend("a", new, for_s=15)

    async def test_nobody_holds_what_was_never_taken(self, stores: AllStores) -> None:
        """A made-up token extends nothing and releases nothing."""
        await stores.leases.release("a", "made-up")

        assert not await stores.leases.extend("a", "made-up", for_s=15)
