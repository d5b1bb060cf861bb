"""What every Spill promises."""

from __future__ import annotations

from dataclasses import replace

from tests.contracts.all_stores import AllStores
from tests.contracts.samples import connection, secrets, token_set


class SpillContract:
    """Subclass, give a `stores` fixture, write nothing else."""

    async def test_what_was_spilled_is_pending(self, stores: AllStores) -> None:
        """A set comes back with the connection and the generation that it follows."""
        for name in ("cxn_1", "cxn_2"):
            await stores.connections.insert(connection(name, generation=4), secrets())
            await stores.connections.open(name)
            await stores.spill.write(connection(name, generation=4), token_set(name))

        assert [("cxn_1", 4, token_set("cxn_1")), ("cxn_2", 4, token_set("cxn_2"))] == sorted(
            await stores.spill.pending(), key=lambda each: each[0]
        )

    async def test_a_set_is_written_over_its_like(self, stores: AllStores) -> None:
        """One generation has one set, the last that was written; another generation has its own."""
        row = await stores.connections.insert(connection(), secrets())
        await stores.spill.write(row, token_set("a"))
        await stores.spill.write(row, token_set("b"))
        await stores.spill.write(replace(row, generation=2), token_set("c"))

        assert [("cxn_1", 1, token_set("b")), ("cxn_1", 2, token_set("c"))] == sorted(
            await stores.spill.pending(), key=lambda each: each[1]
        )

    async def test_what_is_forgotten_is_gone(self, stores: AllStores) -> None:
        """Only the named set is dropped, and twice is harmless."""
        row = await stores.connections.insert(connection(), secrets())
        await stores.spill.write(row, token_set("a"))
        await stores.spill.write(replace(row, generation=2), token_set("b"))
        await stores.spill.forget("cxn_1", 1)
        await stores.spill.forget("cxn_1", 1)

        assert [("cxn_1", 2, token_set("b"))] == list(await stores.spill.pending())
