"""What every ApiKeyStore promises."""

from __future__ import annotations

from dataclasses import replace

from tests.contracts.all_stores import AllStores
from tests.contracts.samples import NOW, api_key, record


class ApiKeyStoreContract:
    """Subclass, give a `stores` fixture, write nothing else."""

    async def test_a_key_is_found_by_its_digest(self, stores: AllStores) -> None:
        """Every attribute comes back; another digest finds nothing."""
        full = api_key(
            connectors=frozenset({"acme", "b"}),
            owners=frozenset({"ann", "bob/ö"}),
            expires_at=NOW - 1,
            created_by="key:1",
            last_used_at=NOW,
        )
        await stores.api_keys.add(full, records=[record("api_key.created")])
        logged, _ = await stores.audit.list()

        assert full == await stores.api_keys.find("digest of key_1")
        assert await stores.api_keys.find("digest of key_") is None
        assert ["api_key.created"] == [each.action for _, each in logged]

    async def test_a_revoked_key_is_still_found(self, stores: AllStores) -> None:
        """Revoking is final: the first time stays, and again counts as done."""
        await stores.api_keys.add(api_key())
        revoked = [
            await stores.api_keys.revoke("key_1", at=NOW + n, records=[record("api_key.revoked")]) for n in (1, 2)
        ]
        logged, _ = await stores.audit.list()

        assert [True, True] == revoked
        assert replace(api_key(), revoked_at=NOW + 1) == await stores.api_keys.find("digest of key_1")
        assert ["api_key.revoked"] == [each.action for _, each in logged]

    async def test_what_does_not_exist_is_not_revoked(self, stores: AllStores) -> None:
        """False, and no record."""
        assert not await stores.api_keys.revoke("key_1", at=NOW, records=[record()])
        assert ((), None) == await stores.audit.list()

    async def test_the_list(self, stores: AllStores) -> None:
        """Newest first, without revoked ones and those of other projects; expired ones are shown."""
        old, expired, new = (
            api_key("key_a", created_at=NOW),
            api_key("key_b", created_at=NOW + 1, expires_at=NOW),
            api_key("key_c", created_at=NOW + 2),
        )
        for each in (expired, new, old, api_key("key_d", revoked_at=NOW), api_key("key_e", project="other")):
            await stores.api_keys.add(each)

        assert (new, expired, old) == await stores.api_keys.list()

    async def test_loaded_by_id(self, stores: AllStores) -> None:
        """Revoked ones too; not of another project."""
        await stores.api_keys.add(api_key(revoked_at=NOW))

        assert api_key(revoked_at=NOW) == await stores.api_keys.load("key_1")
        assert [None, None] == [
            await stores.api_keys.load("key_2"),
            await stores.api_keys.load("key_1", project="other"),
        ]

    async def test_uses_are_noted(self, stores: AllStores) -> None:
        """By id; never back in time, and no key comes from it."""
        await stores.api_keys.add(api_key())
        await stores.api_keys.note_uses({"key_1": NOW + 5, "no_key": NOW})
        await stores.api_keys.note_uses({"key_1": NOW + 1})
        await stores.api_keys.note_uses({})

        assert (replace(api_key(), last_used_at=NOW + 5),) == await stores.api_keys.list()

    async def test_a_key_is_rolled(self, stores: AllStores) -> None:
        """The new one is added and the old one ends, in one write; one that ends before that keeps its end."""
        old, soon = api_key("key_a", created_at=NOW), api_key("key_b", created_at=NOW, expires_at=NOW + 5)
        new, other = api_key("key_c", created_at=NOW + 1), api_key("key_d", created_at=NOW + 1)
        for each in (old, soon):
            await stores.api_keys.add(each)
        rolled = [
            await stores.api_keys.roll("key_a", new, ends_at=NOW + 60, records=[record("api_key.rolled")]),
            await stores.api_keys.roll("key_b", other, ends_at=NOW + 60),
        ]
        logged, _ = await stores.audit.list()

        assert [True, True] == rolled
        assert [NOW + 60, NOW + 5] == [
            key.expires_at for each in ("key_a", "key_b") if (key := await stores.api_keys.load(each))
        ]
        assert new == await stores.api_keys.load("key_c")
        assert ["api_key.rolled"] == [each.action for _, each in logged]

    async def test_what_has_ended_is_not_rolled(self, stores: AllStores) -> None:
        """Neither a revoked key, nor one that is over, nor another project's: nothing is added."""
        for each in (api_key("key_a", revoked_at=NOW), api_key("key_b", expires_at=NOW), api_key("key_c")):
            await stores.api_keys.add(each)
        new = api_key("key_n", created_at=NOW)
        rolled = [
            await stores.api_keys.roll(each, new, ends_at=NOW + 60, records=[record()])
            for each in ("key_a", "key_b", "no_key")
        ]
        rolled.append(await stores.api_keys.roll("key_c", replace(new, project="other"), ends_at=NOW + 60))

        assert [False] * 4 == rolled
        assert await stores.api_keys.load("key_n") is None
        assert ((), None) == await stores.audit.list()
