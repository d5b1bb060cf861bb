"""Wrapping keys on a real database: the contract, every table, admission, and what a lost key takes along."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from keyturn.adapters.keys.key_ring import KeyRing
from keyturn.adapters.keys.key_setting import key_ring_from
from keyturn.adapters.sealing.wrapped_key import key_id_in
from keyturn.adapters.store.database.schema import metadata
from keyturn.adapters.store.keys.wrapped_columns import SEALED_BY_THE_STORE, WRAPPED, count_by_key
from keyturn.adapters.store.opening import Stores, holds_sealed_rows
from keyturn.core.audit_record import AuditRecord
from keyturn.core.connection import State
from keyturn.core.errors import KeyStateConflict, KeyUnavailable, NotFound, WrongKey
from keyturn.core.secret import Secret
from keyturn.engine.actor import Actor
from keyturn.engine.keys.declare_lost import DeclareLost
from keyturn.ports.challenges import PendingLogin
from keyturn.ports.key_custody import KeyState
from keyturn.ports.store import ClientCredentials, SealedChange
from tests.adapters.store.conftest import opened
from tests.contracts.key_custody_contract import KeyCustodyContract, rewrap_all
from tests.contracts.samples import NOW, challenge, connection, connector, revocation, secrets, token_set
from tests.fakes.clock import FakeClock
from tests.fakes.keys import FakeKeyProvider

ACTOR = Actor("operator")


def _record(key_id: str) -> AuditRecord:
    return AuditRecord(NOW, "key.added", "key:k", facts={"key": key_id})


def _ring(folder: Path) -> KeyRing:
    folder.mkdir(exist_ok=True)
    return key_ring_from(None, folder, holds_sealed_rows(folder), environ={})


@pytest.fixture(name="files")
async def _files(tmp_path: Path) -> AsyncIterator[Stores]:
    async with opened(tmp_path / "d", _ring(tmp_path / "d")) as stores:
        yield stores


async def _fill(stores: Stores) -> None:
    """A row in each table that holds wrapped data keys."""
    await stores.connectors.put_draft(connector(), "", at=NOW)
    await stores.connectors.set_client("acme", ClientCredentials("id", Secret("client-secret")), at=NOW)
    for n in range(5):
        await stores.connections.insert(connection(f"cxn_{n}", password_kept_at=NOW), secrets(str(n)))
    await stores.revocations.add(revocation("rev_own"))
    await stores.revocations.add(revocation("rev_of", connection="cxn_1"))
    await stores.challenges.add(challenge("chl_1"), PendingLogin("ada", Secret("password")))


async def _all_opens(stores: Stores) -> None:
    for n in range(5):
        found = await stores.connections.open(f"cxn_{n}")
        assert found is not None
        assert secrets(str(n)) == found[1]
    assert {"rev_own", "rev_of"} == {each.id for each in await stores.revocations.due(NOW + 1, limit=9)}
    client = await stores.connectors.client("acme")
    assert client is not None
    assert Secret("client-secret") == client.client_secret
    waiting = await stores.challenges.open("chl_1")
    assert waiting is not None
    assert waiting[1] is not None


async def _rotated(stores: Stores) -> tuple[str, str]:
    (first,) = await stores.keys.keys()
    second = await stores.keys.add(at=NOW, record=_record)
    await stores.keys.make_current(second.id, at=NOW)
    return first.id, second.id


class TestSqlKeyCustody(KeyCustodyContract):
    """KeyCustody, over key files."""

    @pytest.fixture(name="stores")
    def _stores(self, files: Stores) -> Stores:
        return files


def test_no_table_with_sealed_values_is_forgotten() -> None:
    """Whoever adds a sealed column says how its data key is moved, or that one of the store's own seals it."""
    sealed = {
        table.name
        for table in metadata.tables.values()
        if any(c.name.startswith("sealed_") and isinstance(c.type, sa.LargeBinary) for c in table.c)
    }
    keys = {
        f"{table.name}.{c.name}"
        for table in metadata.tables.values()
        for c in table.c
        if c.name.endswith("_key") and isinstance(c.type, sa.LargeBinary)
    }
    places = {each.place for each in WRAPPED}

    assert sealed - SEALED_BY_THE_STORE == {each.table.name for each in WRAPPED} - {"meta"}
    assert keys | {"meta.value"} == places
    assert "sealed" not in " ".join(places)


async def test_every_place_is_moved_and_opens_afterwards(tmp_path: Path) -> None:
    """In this process, and in one that has nothing but the new key."""
    async with opened(tmp_path / "d", _ring(tmp_path / "d")) as stores:
        await _fill(stores)
        first, second = await _rotated(stores)
        before = await stores.database.read(count_by_key)
        moved = await rewrap_all(stores.keys, limit=2)
        after = await stores.database.read(count_by_key)
        await _all_opens(stores)
        await stores.keys.retire(first, at=NOW)
    (tmp_path / "d" / "keyturn.key").unlink()
    async with opened(tmp_path / "d", _ring(tmp_path / "d")) as stores:
        await _all_opens(stores)
        states = {each.id: each.state for each in await stores.keys.keys()}

    assert {first: moved} == before
    assert {second: moved} == after
    assert moved >= 3 + 1 + 5 + 5 + 2 + 1
    assert {first: KeyState.RETIRED, second: KeyState.CURRENT} == states


async def test_a_key_that_is_needed_refuses_the_start(tmp_path: Path) -> None:
    """Before its last data key is moved; nothing is changed by the refusal, and with the file back it starts."""
    folder = tmp_path / "d"
    async with opened(folder, _ring(folder)) as stores:
        await _fill(stores)
        first, _ = await _rotated(stores)
        await stores.keys.rewrap("connections.data_key", after=(), limit=2)
    (folder / "keyturn.key").rename(tmp_path / "away")
    before = _dumped(folder)
    with pytest.raises(WrongKey, match=first):
        async with opened(folder, _ring(folder)):
            raise AssertionError("opened")
    after = _dumped(folder)
    (tmp_path / "away").rename(folder / "keyturn.key")
    async with opened(folder, _ring(folder)) as stores:
        await _all_opens(stores)

    assert before == after
    assert not (tmp_path / "away").exists()


async def test_a_database_of_the_first_release(tmp_path: Path) -> None:
    """It knows one fingerprint and no table of keys; whichever key fits is current, and a wrong one is refused."""
    old, new = FakeKeyProvider("old"), FakeKeyProvider("new")
    async with opened(tmp_path, old) as stores:
        await _fill(stores)
    with sqlite3.connect(tmp_path / "keyturn.db") as raw:
        raw.execute("DELETE FROM wrapping_keys")
    raw.close()
    with pytest.raises(WrongKey, match="right key"):
        async with opened(tmp_path, new):
            raise AssertionError("opened")
    async with opened(tmp_path, KeyRing([new, old])) as stores:
        await _all_opens(stores)
        states = {each.id: each.state for each in await stores.keys.keys()}
        made = await stores.connections.insert(connection("cxn_9"), secrets("9"))
        counts = await stores.database.read(count_by_key)

    assert {old.key_id: KeyState.CURRENT, new.key_id: KeyState.STANDBY} == states
    assert made.id == "cxn_9"
    assert new.key_id not in counts


async def test_the_database_says_which_key_is_current(tmp_path: Path) -> None:
    """Not the order in which they are named."""
    one, two = FakeKeyProvider("1"), FakeKeyProvider("2")
    async with opened(tmp_path, KeyRing([one, two])) as stores:
        await stores.keys.make_current(two.key_id, at=NOW)
    async with opened(tmp_path, ring := KeyRing([one, two])):
        assert two.key_id == ring.key_id


async def test_another_process_follows(tmp_path: Path) -> None:
    """It reads what the other moved, with a key file that it had not seen, and wraps with it once it is told."""
    folder = tmp_path / "d"
    async with opened(folder, _ring(folder)) as ours, opened(folder, theirs := _ring(folder), seed=1) as other:
        await _fill(ours)
        first, second = await _rotated(ours)
        await other.connections.insert(connection("cxn_late", unique_id="late"), secrets("late"))
        await rewrap_all(ours.keys)
        await _all_opens(other)
        await other.keys.follow()

        assert (second, 0) == (theirs.key_id, await ours.keys.outdated())
        assert first != second


async def test_a_write_meanwhile_wins(tmp_path: Path) -> None:
    """A row that changes between reading and writing keeps what was written, and the next round moves it."""
    gate = _Slow()
    async with opened(tmp_path, ring := KeyRing([gate.old, gate])) as stores:
        await stores.connections.insert(connection(), secrets("1"))
        await stores.keys.make_current(gate.key_id, at=NOW)

        async def meanwhile() -> None:
            gate.meanwhile = None
            found = await stores.connections.load("cxn_1")
            assert found is not None
            await ring.use(gate.old.key_id)
            await stores.connections.save(found, sealed=SealedChange(username=Secret("new"), password=Secret("new")))
            await ring.use(gate.key_id)

        gate.meanwhile = meanwhile
        lost = await stores.keys.rewrap("connections.password_key", after=(), limit=9)
        won = await stores.keys.rewrap("connections.password_key", after=(), limit=9)
        found = await stores.connections.open("cxn_1")

        assert (0, 1) == (lost.done, won.done)
        assert found is not None
        assert Secret("new") == found[1].password


async def test_what_does_not_open_is_passed_over(tmp_path: Path) -> None:
    """It is counted, and keeps its key from being retired."""
    one, two = FakeKeyProvider("1"), FakeKeyProvider("2")
    async with opened(tmp_path, KeyRing([one, two])) as stores:
        await _fill(stores)
        with sqlite3.connect(tmp_path / "keyturn.db") as raw:
            (wrapped,) = raw.execute("SELECT data_key FROM connections WHERE id = 'cxn_2'").fetchone()
            raw.execute("UPDATE connections SET data_key = ? WHERE id = 'cxn_2'", (wrapped + b"x",))
        raw.close()
        await stores.keys.make_current(two.key_id, at=NOW)
        step = await stores.keys.rewrap("connections.data_key", after=(), limit=9)
        await rewrap_all(stores.keys)

        assert (4, {"seal_broken": 1}) == (step.done, dict(step.failures))
        assert 1 == await stores.keys.outdated()


async def test_a_provider_that_is_gone_changes_nothing(tmp_path: Path) -> None:
    """Neither a rotation to it nor a step of one, and asking says so."""
    one, two = FakeKeyProvider("1"), FakeKeyProvider("2")
    async with opened(tmp_path, ring := KeyRing([one, two])) as stores:
        await _fill(stores)
        before = await stores.database.read(count_by_key)
        two.gone = True
        with pytest.raises(KeyUnavailable):
            await stores.keys.make_current(two.key_id, at=NOW)
        states = {each.id: each.state for each in await stores.keys.keys()}
        two.gone = False
        await stores.keys.make_current(two.key_id, at=NOW)
        two.gone = True
        with pytest.raises(KeyUnavailable):
            await stores.keys.rewrap("connections.data_key", after=(), limit=9)
        one.gone = True
        with pytest.raises(KeyUnavailable):
            await stores.keys.ask()

        assert {one.key_id: KeyState.CURRENT, two.key_id: KeyState.STANDBY} == states
        assert before == await stores.database.read(count_by_key)
        assert two.key_id == ring.key_id


async def test_a_spill_file_keeps_its_key(tmp_path: Path) -> None:
    """A token set that waits to be stored needs the key that wrapped its connection's data key."""
    async with opened(tmp_path / "d", _ring(tmp_path / "d")) as stores:
        await stores.connections.insert(connection(), secrets("1"))
        await stores.spill.write(connection(), token_set("2"))
        first, _ = await _rotated(stores)
        await rewrap_all(stores.keys)

        assert {first: 1} == {each.id: each.data_keys for each in await stores.keys.keys() if each.id == first}
        await stores.spill.forget("cxn_1", 1)
        assert KeyState.RETIRED is (await stores.keys.retire(first, at=NOW)).state


async def test_a_revocation_copies_no_outdated_form(tmp_path: Path) -> None:
    """Though this process remembers the connection's data key as the old key wrapped it."""
    async with opened(tmp_path / "d", _ring(tmp_path / "d")) as stores:
        await stores.connections.insert(connection(), secrets("1"))
        await stores.connections.open("cxn_1")
        _, second = await _rotated(stores)
        row = await stores.revocations.sealed(revocation(connection="cxn_1"))

        assert second == key_id_in(row["data_key"])


class _Slow(FakeKeyProvider):
    """Lets something happen while it wraps."""

    def __init__(self) -> None:
        super().__init__("slow")
        self.old = FakeKeyProvider("old")
        self.meanwhile: object = None

    async def wrap(self, data_key: bytes, context: bytes) -> bytes:
        """Wrap, after what is to happen meanwhile."""
        if callable(self.meanwhile):
            await self.meanwhile()
        return await super().wrap(data_key, context)


async def _given_up(folder: Path, lost: str) -> dict[str, int]:
    ring = key_ring_from(None, folder, False, environ={})  # makes one where none is left
    async with opened(folder, ring, lost_key=lost) as stores:
        return dict(await DeclareLost(stores.lost_keys, stores.audit, FakeClock())(lost, ACTOR))


async def test_a_lost_key_takes_what_it_sealed(tmp_path: Path) -> None:
    """Connections need their persons, with a reason and a record each; the rest goes on, under the key that is left."""
    folder = tmp_path / "d"
    async with opened(folder, _ring(folder)) as stores:
        await _fill(stores)
        await stores.connections.insert(connection("cxn_end", state=State.DISCONNECTING), secrets("e"))
        first, second = await _rotated(stores)
        await stores.connections.insert(connection("cxn_new", unique_id="new"), secrets("new"))
    (folder / "keyturn.key").unlink()
    counts = await _given_up(folder, first)
    async with opened(folder, _ring(folder)) as stores:
        lost = await stores.connections.open("cxn_1")
        ended = await stores.connections.load("cxn_end")
        whole = await stores.connections.open("cxn_new")
        client, due = await stores.connectors.client("acme"), await stores.revocations.due(NOW + 1, limit=9)
        found = await stores.connections.find_account("acme", "owner-1", "account of cxn_1")
        states = {each.id: (each.state, each.data_keys > 0) for each in await stores.keys.keys()}
        records = [each for _, each in (await stores.audit.list(limit=99))[0] if each.outcome == "key_lost"]

    assert lost is not None
    assert (State.NEEDS_RECONNECT, "key_lost", None) == (lost[0].state, lost[0].reason, lost[1].token_set)
    assert lost[0].expires_at is not None  # there is no token left that could be alive
    assert ended is not None
    assert State.DISCONNECTED is ended.state
    assert whole is not None
    assert secrets("new") == whole[1]
    assert (None, (), "cxn_1") == (client, due, found)
    assert {first: (KeyState.LOST, False), second: (KeyState.CURRENT, True)} == states
    assert {f"cxn_{n}" for n in range(5)} <= {each.connection for each in records}
    assert (6, 2, 1) == (counts["connections"], counts["revocations.data_key"], counts["challenges.data_key"])


async def test_a_connection_without_its_key_takes_a_new_login(tmp_path: Path) -> None:
    """The person's next login gives it a data key and tokens again."""
    folder = tmp_path / "d"
    async with opened(folder, _ring(folder)) as stores:
        await stores.connections.insert(connection(), secrets("1"))
        (first,) = await stores.keys.keys()
    (folder / "keyturn.key").unlink()
    await _given_up(folder, first.id)
    async with opened(folder, _ring(folder)) as stores:
        found = await stores.connections.load("cxn_1")
        assert found is not None
        again = replace(found, state=State.ACTIVE, reason=None, generation=found.generation + 1)
        await stores.connections.save(again, sealed=SealedChange(token_set=token_set("2")))
    async with opened(folder, _ring(folder)) as stores:
        opened_again = await stores.connections.open("cxn_1")

    assert opened_again is not None
    assert token_set("2") == opened_again[1].token_set


async def test_a_key_that_is_at_hand_is_not_lost(tmp_path: Path) -> None:
    """Nor is one that nothing tells of; neither changes anything."""
    folder = tmp_path / "d"
    async with opened(folder, _ring(folder)) as stores:
        (first,) = await stores.keys.keys()
        before = _dumped(folder)
    with pytest.raises(KeyStateConflict):
        await _given_up(folder, first.id)
    with pytest.raises(NotFound):
        await _given_up(folder, "key_ffffffffffffffff")

    assert before == _dumped(folder)


def _dumped(folder: Path) -> list[str]:
    with sqlite3.connect(folder / "keyturn.db") as raw:
        lines = list(raw.iterdump())
    raw.close()
    return lines
