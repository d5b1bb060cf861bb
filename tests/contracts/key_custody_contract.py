"""What every KeyCustody promises. Subclass; `stores` has one key, made by itself, and makes others."""

from __future__ import annotations

from dataclasses import replace

import pytest

from keyturn.core.audit_record import AuditRecord
from keyturn.core.connection import Connection
from keyturn.core.errors import KeyInUse, KeyStateConflict, NotFound
from keyturn.ports.key_custody import KeyCustody, KeyState
from tests.contracts.all_stores import AllStores
from tests.contracts.samples import NOW, connection, secrets

UNKNOWN = "key_ffffffffffffffff"


def _record(key_id: str) -> AuditRecord:
    return AuditRecord(NOW, "key.added", "key:k", facts={"key": key_id})


async def _added(keys: KeyCustody, at: float = NOW) -> str:
    return (await keys.add(at=at, record=_record)).id


async def _states(keys: KeyCustody) -> dict[str, KeyState]:
    return {each.id: each.state for each in await keys.keys()}


async def rewrap_all(keys: KeyCustody, *, limit: int = 1) -> int:
    """Walk through every place once; returns how many were moved."""
    moved = 0
    for place in keys.places:
        after: tuple[str, ...] | None = ()
        while after is not None:
            step = await keys.rewrap(place, after=after, limit=limit)
            moved += step.done
            after = step.following
    return moved


class KeyCustodyContract:
    """The states of keys, and what moves between them."""

    async def test_of_a_new_database_no_backup_is_known(self, stores: AllStores) -> None:
        """Whoever asks before retiring a key is told so."""
        assert await stores.keys.backup_made_at() is None

    async def test_the_first_key_is_current(self, stores: AllStores) -> None:
        """It is at hand, and wraps what there is."""
        (only,) = await stores.keys.keys()

        assert (KeyState.CURRENT, True) == (only.state, only.at_hand)
        assert only.data_keys > 0
        assert (only.current_at or only.added_at) == await stores.keys.current_since()
        assert 0 == await stores.keys.outdated()
        await stores.keys.ask()

    async def test_an_added_key_is_a_standby(self, stores: AllStores) -> None:
        """It wraps nothing, and an audit record names it."""
        (first,) = await stores.keys.keys()
        added = await stores.keys.add(at=NOW, record=_record)
        (_, told), *_ = (await stores.audit.list(limit=1))[0]

        assert (KeyState.STANDBY, True, 0) == (added.state, added.at_hand, added.data_keys)
        assert {first.id: KeyState.CURRENT, added.id: KeyState.STANDBY} == await _states(stores.keys)
        assert ("key.added", {"key": added.id}) == (told.action, dict(told.facts))

    async def test_a_rotation_from_end_to_end(self, stores: AllStores) -> None:
        """One is current at a time; what the old one wraps is counted, moved one by one, and then it may be retired."""
        keys = stores.keys
        (first,) = await keys.keys()
        second = await _added(keys)
        made = await keys.make_current(second, at=NOW + 1, records=[_record(second)])
        left = await keys.outdated()
        since = await keys.current_since()
        with pytest.raises(KeyInUse):
            await keys.retire(first.id, at=NOW + 2)
        moved = await rewrap_all(keys)
        retired = await keys.retire(first.id, at=NOW + 3)

        assert (KeyState.CURRENT, NOW + 1, NOW + 1) == (made.state, made.current_at, since)
        assert (first.data_keys, first.data_keys) == (left, moved)
        assert (0, 0) == (await keys.outdated(), await rewrap_all(keys))
        assert (KeyState.RETIRED, NOW + 3, 0) == (retired.state, retired.retired_at, retired.data_keys)
        assert {first.id: KeyState.RETIRED, second: KeyState.CURRENT} == await _states(keys)

    async def test_rotating_to_the_current_key(self, stores: AllStores) -> None:
        """It changes and records nothing: so that a rotation can be asked to go on."""
        (first,) = await stores.keys.keys()
        before = await stores.audit.newest()
        again = await stores.keys.make_current(first.id, at=NOW + 9, records=[_record(first.id)])

        assert first == again
        assert before == await stores.audit.newest()

    async def test_rotating_back(self, stores: AllStores) -> None:
        """Before the old key is retired a rotation can be turned round."""
        (first,) = await stores.keys.keys()
        second = await _added(stores.keys)
        await stores.keys.make_current(second, at=NOW + 1)
        await stores.keys.make_current(first.id, at=NOW + 2)

        assert {first.id: KeyState.CURRENT, second: KeyState.STANDBY} == await _states(stores.keys)
        assert 0 == await stores.keys.outdated()

    async def test_what_a_state_does_not_allow(self, stores: AllStores) -> None:
        """The current key is not retired, a retired one not made current; retiring twice is fine."""
        (first,) = await stores.keys.keys()
        second = await _added(stores.keys)
        retired = await stores.keys.retire(second, at=NOW + 1)

        with pytest.raises(KeyStateConflict):
            await stores.keys.retire(first.id, at=NOW + 2)
        with pytest.raises(KeyStateConflict):
            await stores.keys.make_current(second, at=NOW + 2)
        assert retired == await stores.keys.retire(second, at=NOW + 3)

    async def test_an_unknown_key(self, stores: AllStores) -> None:
        """There is none."""
        with pytest.raises(NotFound):
            await stores.keys.make_current(UNKNOWN, at=NOW)
        with pytest.raises(NotFound):
            await stores.keys.retire(UNKNOWN, at=NOW)

    async def test_all_passwords_are_destroyed_at_once(self, stores: AllStores) -> None:
        """Names and passwords go, tokens stay; each connection that had one is recorded, with a new revision."""
        kept, bare = connection("cxn_1", password_kept_at=NOW), connection("cxn_2", unique_id="another")
        await stores.connections.insert(kept, secrets("cxn_1"))
        await stores.connections.insert(bare, replace(secrets("cxn_2"), password=None, username=None))
        told: list[str] = []

        def record(of: Connection) -> AuditRecord:
            told.append(of.id)
            return AuditRecord(NOW, "connection.password_destroyed", "key:k", connection=told[-1])

        count = await stores.keys.destroy_passwords(at=NOW + 5, record=record)
        again = await stores.keys.destroy_passwords(at=NOW + 6, record=record)
        first = await stores.connections.open("cxn_1")
        second = await stores.connections.open("cxn_2")

        assert (1, 0, ["cxn_1"]) == (count, again, told)
        assert first is not None
        assert second is not None
        assert (None, None, None) == (first[1].username, first[1].password, first[0].password_kept_at)
        assert secrets("cxn_1").token_set == first[1].token_set
        assert (kept.revision + 1, bare.revision) == (first[0].revision, second[0].revision)
