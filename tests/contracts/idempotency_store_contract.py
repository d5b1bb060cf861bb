"""What every IdempotencyStore promises."""

from __future__ import annotations

import asyncio

import pytest

from keyturn.ports.access.idempotency import StoredReply
from tests.contracts.all_stores import AllStores
from tests.contracts.samples import NOW

REPLY = StoredReply("digest", 201, b'{"id": "\xff"}', (("Location", "/v1/x"), ("X-Y", "ü")))
RUNNING = StoredReply("digest", None, None)


class IdempotencyStoreContract:
    """Subclass, give a `stores` fixture, write nothing else."""

    async def test_a_key_is_claimed_once(self, stores: AllStores) -> None:
        """The first gets the claim; while it runs, the others learn that it runs, and for which request."""
        given = await asyncio.gather(*(stores.idempotency.begin("k", "digest", now=NOW) for _ in range(5)))

        assert [None] + [RUNNING] * 4 == sorted(given, key=lambda each: each is not None)
        assert RUNNING == await stores.idempotency.begin("k", "another request", now=NOW)
        assert await stores.idempotency.begin("k2", "digest", now=NOW) is None

    @pytest.mark.parametrize("reply", [REPLY, StoredReply("digest", 204, None), StoredReply("digest", 200, b"")])
    async def test_a_reply_is_kept_for_a_day(self, stores: AllStores, reply: StoredReply) -> None:
        """It comes back as it was, until it is a day old."""
        await stores.idempotency.begin("k", "digest", now=NOW)
        await stores.idempotency.finish("k", reply)

        assert reply == await stores.idempotency.begin("k", "digest", now=NOW + 86_399)
        assert reply == await stores.idempotency.begin("k", "another request", now=NOW + 86_399)
        assert await stores.idempotency.begin("k", "digest", now=NOW + 86_400) is None

    async def test_a_claim_without_a_reply_lapses(self, stores: AllStores) -> None:
        """After two minutes another may try."""
        await stores.idempotency.begin("k", "digest", now=NOW)

        assert RUNNING == await stores.idempotency.begin("k", "digest", now=NOW + 119)
        assert await stores.idempotency.begin("k", "other", now=NOW + 120) is None
        assert StoredReply("other", None, None) == await stores.idempotency.begin("k", "digest", now=NOW + 121)

    async def test_who_lost_the_claim_stores_no_reply(self, stores: AllStores) -> None:
        """A reply is stored for the request that holds the key, and only once."""
        await stores.idempotency.begin("k", "digest", now=NOW)
        await stores.idempotency.begin("k", "other", now=NOW + 120)
        await stores.idempotency.finish("k", REPLY)
        between = await stores.idempotency.begin("k", "other", now=NOW + 121)
        await stores.idempotency.finish("k", StoredReply("other", 200, b"1"))
        await stores.idempotency.finish("k", StoredReply("other", 200, b"2"))
        await stores.idempotency.finish("unclaimed", REPLY)

        assert StoredReply("other", None, None) == between
        assert StoredReply("other", 200, b"1") == await stores.idempotency.begin("k", "other", now=NOW + 122)
        assert await stores.idempotency.begin("unclaimed", "digest", now=NOW) is None

    async def test_an_abandoned_key_is_free(self, stores: AllStores) -> None:
        """A request that did nothing gives its key back; a reply is not given up."""
        await stores.idempotency.begin("k", "digest", now=NOW)
        await stores.idempotency.abandon("k")
        again = await stores.idempotency.begin("k", "digest", now=NOW)
        await stores.idempotency.finish("k", REPLY)
        await stores.idempotency.abandon("k")

        assert again is None
        assert REPLY == await stores.idempotency.begin("k", "digest", now=NOW)

    async def test_old_ones_are_purged(self, stores: AllStores) -> None:
        """Whether they led to a reply or not; a later one stays."""
        await stores.idempotency.begin("k1", "digest", now=NOW - 2)
        await stores.idempotency.finish("k1", REPLY)
        await stores.idempotency.begin("k2", "digest", now=NOW - 1)
        await stores.idempotency.begin("k3", "digest", now=NOW)
        purged = await stores.idempotency.purge(claimed_before=NOW)

        assert 2 == purged
        assert RUNNING == await stores.idempotency.begin("k3", "other", now=NOW + 1)
