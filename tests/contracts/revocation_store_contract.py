"""What every RevocationStore promises."""

from __future__ import annotations

from dataclasses import replace

import pytest

from keyturn.core.connection import ConnectionSecrets
from tests.contracts.all_stores import AllStores
from tests.contracts.samples import NOW, connection, record, revocation, secrets, token_set


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

    async def test_what_is_claimed_is_not_due(self, stores: AllStores) -> None:
        """It comes back as it is, and is nobody's to try until the claim has lapsed; of the connection it stays."""
        await stores.connections.insert(connection("cxn_1"), secrets())
        await stores.revocations.add(revocation(connection="cxn_1"))
        claimed = await stores.revocations.claim("rev_1", now=NOW, for_s=30, records=[record("revocation.sent")])
        due = [await stores.revocations.due(at, limit=9) for at in (NOW, NOW + 29.9, NOW + 30)]
        logged, _ = await stores.audit.list()

        assert revocation(connection="cxn_1") == claimed
        assert [(), (), (claimed,)] == due
        assert (claimed,) == await stores.revocations.of_connection("cxn_1")
        assert ["revocation.sent"] == [each.action for _, each in logged]

    async def test_a_process_that_has_it_can_claim_it_anew(self, stores: AllStores) -> None:
        """For longer; what is gone can't be claimed, and no record says that it was."""
        await stores.revocations.add(revocation())
        first = await stores.revocations.claim("rev_1", now=NOW, for_s=30)
        second = await stores.revocations.claim("rev_1", now=NOW + 20, for_s=30)
        gone = await stores.revocations.claim("rev_2", now=NOW, for_s=30, records=[record("revocation.sent")])

        assert (first, None) == (second, gone)
        assert () == await stores.revocations.due(NOW + 49, limit=9)
        assert not (await stores.audit.list())[0]

    async def test_one_is_written_as_claimed(self, stores: AllStores) -> None:
        """Whoever writes it may send it at once."""
        await stores.revocations.add(revocation(claimed_until=NOW + 10))
        due = [await stores.revocations.due(at, limit=9) for at in (NOW, NOW + 10)]

        assert [(), (revocation(),)] == due
        assert revocation() == await stores.revocations.claim("rev_1", now=NOW, for_s=30)

    @pytest.mark.parametrize("how", ["withdraw", "save"])
    async def test_a_claim_is_given_up(self, stores: AllStores, how: str) -> None:
        """Withdrawn where nothing was sent, or with the outcome."""
        await stores.revocations.add(revocation())
        await stores.revocations.claim("rev_1", now=NOW, for_s=30)
        if how == "withdraw":
            await stores.revocations.withdraw("rev_1", records=[record("revocation.tried")])
        else:
            await stores.revocations.save(revocation(), records=[record("revocation.tried")])

        assert (revocation(),) == await stores.revocations.due(NOW, limit=9)
        assert 1 == len((await stores.audit.list())[0])

    async def test_what_a_renewal_brought_is_noted_under_the_claim(self, stores: AllStores) -> None:
        """First that the refresh token goes out, then the new set; nothing without a claim."""
        await stores.revocations.add(revocation())
        new = replace(revocation(), token_set=token_set("2"), renewal_sent_at=None)
        without = await stores.revocations.note(new, records=[record("revocation.refresh_sent")])
        await stores.revocations.claim("rev_1", now=NOW, for_s=30)
        sending = replace(revocation(), renewal_sent_at=NOW)
        with_it = await stores.revocations.note(sending, records=[record("revocation.refresh_sent")])
        while_sent = await stores.revocations.claim("rev_1", now=NOW, for_s=30)
        kept = await stores.revocations.note(new)

        assert (False, True, True) == (without, with_it, kept)
        assert sending == while_sent
        assert new == await stores.revocations.claim("rev_1", now=NOW, for_s=30)
        assert () == await stores.revocations.due(NOW, limit=9)
        assert 1 == len((await stores.audit.list())[0])

    async def test_nothing_is_set_aside_that_can_be_read(self, stores: AllStores) -> None:
        """What is spoilt is each store's own affair to test."""
        await stores.revocations.add(revocation())

        assert (0, 0) == (await stores.revocations.parked(), await stores.revocations.parked("cxn_1"))
        assert 0 == await stores.revocations.unpark()
        assert () == await stores.revocations.drop_parked(NOW + 1e9)
