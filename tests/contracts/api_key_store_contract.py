"""What every ApiKeyStore promises."""

from __future__ import annotations

from dataclasses import replace

from tests.contracts.all_stores import AllStores
from tests.contracts.samples import NOW, api_key, record


class ApiKeyStoreContract:
    """Subclass, give a `stores` fixture, write nothing else."""

    async def test_a_key_is_found_by_its_digest(self, stores: AllStores) -> None:
        """Every attribute comes back; another digest finds nothing."""
        full = api_key(connectors=frozenset({"acme", "b"}), expires_at=NOW - 1)
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
