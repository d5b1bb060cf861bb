"""What every RevocationStore promises."""

from __future__ import annotations

from dataclasses import replace

import pytest

from keyturn.core.connection import ConnectionSecrets
from tests.contracts.all_stores import AllStores
from tests.contracts.samples import NOW, connection, record, revocation, secrets


class RevocationStoreContract:
    """Subclass, give a `stores` fixture, write nothing else."""

    @pytest.mark.parametrize("of", [None, "cxn_1", "cxn_gone"])
    async def test_what_was_added_is_due(self, stores: AllStores, of: str | None) -> None:
        """Every attribute and secret comes back, whether or not there is a connection."""
        await stores.connections.insert(connection("cxn_1"), secrets())
        added = revocation(
            connection=of, tries=3, done=("refresh_token",), last_error="provider_timeout", project="default"
        )
        await stores.revocations.add(added, records=[record("token.revoked")])
        logged, _ = await stores.audit.list()

        assert (added,) == await stores.revocations.due(NOW, limit=9)
        assert ["token.revoked"] == [each.action for _, each in logged]

    async def test_the_oldest_come_first(self, stores: AllStores) -> None:
        """Due is what `due_at` has reached, oldest first, up to the limit."""
        for name, due_at in (("c", NOW), ("a", NOW - 2), ("b", NOW - 1), ("later", NOW + 0.001)):
            await stores.revocations.add(revocation(name, due_at=due_at))

        assert ["a", "b", "c"] == [each.id for each in await stores.revocations.due(NOW, limit=9)]
        assert ["a", "b"] == [each.id for each in await stores.revocations.due(NOW, limit=2)]

    async def test_those_of_a_connection(self, stores: AllStores) -> None:
        """Those of one connection, due or not, and of no other."""
        await stores.connections.insert(connection("cxn_1"), ConnectionSecrets())
        mine = [revocation(f"rev_{n}", connection="cxn_1", due_at=NOW + n) for n in range(2)]
        for each in (*mine, revocation("other", connection="cxn_2"), revocation("nobody's")):
            await stores.revocations.add(each)

        assert tuple(mine) == await stores.revocations.of_connection("cxn_1")

    async def test_a_try_is_written(self, stores: AllStores) -> None:
        """A later try changes tries, done, due time and error; the secrets stay."""
        await stores.revocations.add(revocation())
        tried = replace(
            revocation(), tries=1, done=("refresh_token",), due_at=NOW + 60, last_error="provider_unreachable"
        )
        await stores.revocations.save(tried, records=[record("token.revoked")])
        logged, _ = await stores.audit.list()

        assert () == await stores.revocations.due(NOW, limit=9)
        assert (tried,) == await stores.revocations.due(NOW + 60, limit=9)
        assert ["token.revoked"] == [each.action for _, each in logged]

    async def test_what_is_removed_is_gone(self, stores: AllStores) -> None:
        """A revocation that is done has no row; a save of it makes none, a second removal is harmless."""
        await stores.revocations.add(revocation())
        await stores.revocations.remove("rev_1", records=[record("token.revoked")])
        await stores.revocations.save(revocation())
        await stores.revocations.remove("rev_1")
        logged, _ = await stores.audit.list()

        assert () == await stores.revocations.due(NOW, limit=9)
        assert ["token.revoked"] == [each.action for _, each in logged]
