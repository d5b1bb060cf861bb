"""What every RenewalStore promises."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace

import pytest

from keyturn.core.connection import Connection, Intent, IntentKind
from keyturn.core.connector import LoginLimits
from keyturn.ports.renewals import LEASE_S, Booking, BudgetSpent
from keyturn.ports.store import AttemptResult, RevisionConflict, SealedChange, Use
from tests.contracts.all_stores import AllStores
from tests.contracts.lease_contract import Pass
from tests.contracts.samples import NOW, connection, record, revocation, secrets, token_set

LIMITS = LoginLimits(logins=2, per_s=900.0)
BOOKING = Booking("account", LIMITS, LIMITS, LIMITS)


def declared(read: Connection, attempt: str = "att_1") -> Connection:
    """The row as a renewal claims it."""
    return replace(read, intent=Intent(IntentKind.REFRESH, read.generation, attempt, NOW), updated_at=NOW + 1)


def renewed(claimed: Connection) -> Connection:
    """The row as its answer leaves it."""
    return replace(claimed, generation=claimed.generation + 1, intent=None, renews_at=NOW + 9, updated_at=NOW + 2)


async def stored(stores: AllStores) -> Connection:
    """A connection with secrets, as a renewal reads it."""
    await stores.connections.insert(connection(renews_at=NOW), secrets())
    found = await stores.renewals.read("cxn_1")
    assert found is not None
    return found.connection


AsProcess = Callable[[str], AbstractContextManager[None]]
WHO_IT_WAS = [
    pytest.param("another boot", False, id="another boot"),
    pytest.param("another start", False, id="its process id is another's now"),
    pytest.param("another container", True, id="in another container: it may live"),
]


class RenewalStoreContract:
    """Subclass, give `stores`, `pass_time` (lets so many seconds pass on the lease's clock), and `as_process`.

    `as_process`: what is done in it is done by another process, which is gone after it where that can be known.
    """

    async def test_reading_opens(self, stores: AllStores) -> None:
        """One read gives the row, its secrets, and that nobody renews it."""
        await stores.connections.insert(connection(), secrets())
        found = await stores.renewals.read("cxn_1")

        assert found is not None
        assert secrets() == found.secrets
        assert not found.held
        assert await stores.renewals.read("cxn_1", project="other") is None
        assert await stores.renewals.read("cxn_none") is None

    async def test_a_claim_is_written_and_held(self, stores: AllStores) -> None:
        """The intent is there for everybody to see, and so is that somebody holds the row."""
        read = await stored(stores)
        claimed = await stores.renewals.claim(read, declared(read), now=NOW, records=[record("x.claimed")])
        found = await stores.renewals.read("cxn_1")

        assert claimed is not None
        assert found is not None
        assert found.held
        assert claimed.connection == found.connection
        assert read.revision + 1 == found.connection.revision
        assert "att_1" == (found.connection.intent.attempt if found.connection.intent else None)
        assert ["x.claimed"] == [each.action for _, each in (await stores.audit.list())[0]]

    async def test_of_many_claims_one_is_made(self, stores: AllStores) -> None:
        """Who comes second gets nothing, at once and after reading anew."""
        read = await stored(stores)
        tries = [stores.renewals.claim(read, declared(read, f"att_{n}"), now=NOW) for n in range(8)]
        claims = await asyncio.gather(*tries)
        again = await stores.renewals.read("cxn_1")
        assert again is not None

        assert 1 == sum(each is not None for each in claims)
        assert await stores.renewals.claim(again.connection, declared(again.connection, "late"), now=NOW) is None

    async def test_a_row_that_was_written_is_not_claimed(self, stores: AllStores) -> None:
        """A pause, a login, anything: the plan was made for another row. A neighbour's claim is its own."""
        read = await stored(stores)
        await stores.connections.insert(connection("cxn_2"), secrets("2"))
        await stores.connections.save(replace(read, paused=True))
        other = await stores.renewals.read("cxn_2")
        assert other is not None

        assert await stores.renewals.claim(read, declared(read), now=NOW) is None
        assert await stores.renewals.claim(other.connection, declared(other.connection), now=NOW) is not None

    async def test_a_lease_ends_by_itself(self, stores: AllStores, pass_time: Pass) -> None:
        """After its time another may claim what nobody settled; its intent is still there to be judged."""
        read = await stored(stores)
        await stores.renewals.claim(read, declared(read), now=NOW)
        pass_time(LEASE_S + 0.5)
        found = await stores.renewals.read("cxn_1")
        assert found is not None
        again = await stores.renewals.claim(found.connection, declared(found.connection, "att_2"), now=NOW)

        assert not found.held
        assert found.connection.intent is not None
        assert again is not None

    @pytest.mark.parametrize(("who", "held"), WHO_IT_WAS)
    async def test_a_lease_ends_with_its_holder(
        self, stores: AllStores, as_process: AsProcess, who: str, held: bool
    ) -> None:
        """What a process of another boot claimed, or one whose id is used again, is there to be judged at once."""
        read = await stored(stores)
        with as_process(who):
            await stores.processes.beat()
            await stores.renewals.claim(read, declared(read), now=NOW)
        await stores.processes.beat()
        looks = await stores.connections.looks(NOW - 3600, room={}, most=9, limit=9)
        found = await stores.renewals.read("cxn_1")

        assert found is not None
        assert held is found.held
        assert ([] if held else ["cxn_1"]) == [each.id for each in looks]
        assert "att_1" == (found.connection.intent.attempt if found.connection.intent else None)

    async def test_settling_stores_and_frees(self, stores: AllStores) -> None:
        """The next generation with its token set, its records and revocations, in one write; the lease is over."""
        read = await stored(stores)
        claimed = await stores.renewals.claim(read, declared(read), now=NOW)
        assert claimed is not None
        kept = await stores.renewals.settle(
            claimed.connection, renewed(claimed.connection), sealed=SealedChange(token_set=token_set("2")),
            records=[record("x.settled")], revocations=[revocation()])  # fmt: skip
        found = await stores.renewals.read("cxn_1")

        assert found is not None
        assert kept == found.connection
        assert (2, None, NOW + 9, False) == (kept.generation, kept.intent, kept.renews_at, found.held)
        assert token_set("2") == found.secrets.token_set
        assert secrets().fields == found.secrets.fields
        assert ["rev_1"] == [each.id for each in await stores.revocations.due(NOW, limit=9)]
        assert ["x.settled"] == [each.action for _, each in (await stores.audit.list())[0]]

    async def test_a_row_that_was_written_is_not_settled(self, stores: AllStores) -> None:
        """Who wrote meanwhile is not written over; nothing of the write is there."""
        read = await stored(stores)
        claimed = await stores.renewals.claim(read, declared(read), now=NOW)
        assert claimed is not None
        paused = await stores.connections.save(replace(claimed.connection, paused=True))
        with pytest.raises(RevisionConflict):
            await stores.renewals.settle(
                claimed.connection, renewed(claimed.connection), sealed=SealedChange(token_set=token_set("2")),
                records=[record("x.settled")], revocations=[revocation()])  # fmt: skip
        found = await stores.renewals.read("cxn_1")

        assert found is not None
        assert paused == found.connection
        assert found.held
        assert secrets() == found.secrets
        assert () == tuple(await stores.revocations.due(NOW, limit=9))
        assert [] == list((await stores.audit.list())[0])

    async def test_what_others_noted_stays(self, stores: AllStores) -> None:
        """A note of use moves no revision, and is not undone."""
        read = await stored(stores)
        claimed = await stores.renewals.claim(read, declared(read), now=NOW)
        assert claimed is not None
        await stores.connections.note_uses({"cxn_1": Use(NOW + 5, worked_generation=1)})
        kept = await stores.renewals.settle(
            claimed.connection, renewed(claimed.connection), sealed=SealedChange(token_set=token_set("2"))
        )

        assert (NOW + 5, 1) == (kept.last_used_at, kept.worked_generation)

    async def test_what_goes_on_keeps_the_lease(self, stores: AllStores, pass_time: Pass) -> None:
        """Between two requests of a login the row stays held, for as long again."""
        read = await stored(stores)
        claimed = await stores.renewals.claim(read, declared(read), now=NOW)
        assert claimed is not None
        pass_time(LEASE_S - 5)
        await stores.renewals.settle(claimed.connection, replace(claimed.connection, totp_step=7), goes_on=True)
        pass_time(LEASE_S - 5)
        await stores.processes.beat()
        found = await stores.renewals.read("cxn_1")

        assert found is not None
        assert found.held
        assert 7 == found.connection.totp_step

    async def test_a_new_generation_needs_its_token_set(self, stores: AllStores) -> None:
        """A token set opens only at the generation that it was sealed for."""
        read = await stored(stores)
        claimed = await stores.renewals.claim(read, declared(read), now=NOW)
        assert claimed is not None
        with pytest.raises(ValueError, match="token set"):
            await stores.renewals.settle(claimed.connection, renewed(claimed.connection))
        found = await stores.renewals.read("cxn_1")

        assert found is not None
        assert 1 == found.connection.generation

    async def test_a_person_who_logs_in_ends_the_lease(self, stores: AllStores) -> None:
        """A write without the intent is of somebody who needs no lease: what it was held for is over."""
        read = await stored(stores)
        claimed = await stores.renewals.claim(read, declared(read), now=NOW)
        assert claimed is not None
        await stores.connections.save(renewed(claimed.connection), sealed=SealedChange(token_set=token_set("new")))
        found = await stores.renewals.read("cxn_1")

        assert found is not None
        assert not found.held

    async def test_a_login_is_booked_with_the_claim(self, stores: AllStores) -> None:
        """What the budget refuses is not claimed; what was booked is settled with the row."""
        read = await stored(stores)
        for _ in range(2):
            claimed = await stores.renewals.claim(read, declared(read), now=NOW, booking=BOOKING)
            assert claimed is not None
            assert claimed.attempt is not None
            read = await stores.renewals.settle(
                claimed.connection, replace(claimed.connection, intent=None),
                booked=(claimed.attempt, AttemptResult.FAILED))  # fmt: skip
        with pytest.raises(BudgetSpent) as refused:
            await stores.renewals.claim(read, declared(read), now=NOW, booking=BOOKING)
        found = await stores.renewals.read("cxn_1")

        assert 900.0 == refused.value.wait_s
        assert found is not None
        assert (read, False) == (found.connection, found.held)

    async def test_a_beat_counts_this_process(self, stores: AllStores) -> None:
        """One process is one, however often it says so; one that left holds nothing up."""
        await stores.processes.beat()

        assert 1 == await stores.processes.beat()
        assert stores.processes.fresh()
