"""Sealed parts belong to their row, field and generation, and can be written without the key provider."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from keyturn.adapters.store.opening import Stores
from keyturn.core.connection import ConnectionSecrets, State
from keyturn.core.errors import KeyUnavailable, SealBroken
from keyturn.core.secret import Secret
from keyturn.ports.access.idempotency import StoredReply
from keyturn.ports.store import ClientCredentials, SealedChange
from tests.adapters.store.conftest import opened
from tests.contracts.samples import NOW, connection, connector, revocation, secrets, token_set
from tests.fakes.keys import FakeKeyProvider


def _sql(data_dir: Path, statement: str, values: Sequence[Any] = ()) -> list[Any]:
    """Do what somebody with the file could do."""
    found = sqlite3.connect(data_dir / "keyturn.db")
    try:
        with found:
            return found.execute(statement, values).fetchall()
    finally:
        found.close()


async def _refused(stores: Stores, connection_id: str = "cxn_1") -> bool:
    with pytest.raises(SealBroken):
        await stores.connections.open(connection_id)
    return await stores.connections.load(connection_id) is not None


@pytest.mark.parametrize(
    "columns",
    [
        pytest.param("sealed_token_set", id="a token set"),
        pytest.param("sealed_token_set, data_key", id="a token set with its key"),
        pytest.param("sealed_fields", id="fields"),
        pytest.param("sealed_password", id="a password"),
        pytest.param("sealed_username, sealed_password, password_key", id="a password with its key"),
    ],
)
async def test_another_s_value_does_not_open(stores: Stores, tmp_path: Path, columns: str) -> None:
    """What is copied from one connection to another is refused; the rest of the row can be read."""
    for name in ("cxn_1", "cxn_2"):
        await stores.connections.insert(connection(name), secrets(name))
    for each in columns.split(", "):
        other = f"(SELECT {each} FROM connections WHERE id = 'cxn_2')"  # noqa: S608
        _sql(tmp_path / "data", f"UPDATE connections SET {each} = {other} WHERE id = 'cxn_1'")  # noqa: S608

    assert await _refused(stores)


@pytest.mark.parametrize("part", ["sealed_token_set", "sealed_password", "sealed_fields"])
async def test_an_older_value_does_not_open(stores: Stores, tmp_path: Path, part: str) -> None:
    """A part of an earlier generation that is put back is refused."""
    row = await stores.connections.insert(connection(), secrets("old"))
    old = _sql(tmp_path / "data", f"SELECT {part}, password_key FROM connections")[0]  # noqa: S608
    new = secrets("new")
    change = SealedChange(new.token_set, new.username, new.password, dict(new.fields))
    await stores.connections.save(replace(row, generation=2), sealed=change)
    _sql(tmp_path / "data", f"UPDATE connections SET {part} = ?", old[:1])  # noqa: S608

    assert await _refused(stores)


async def test_fields_do_not_change_places(stores: Stores, tmp_path: Path) -> None:
    """The username's value is no password, though one key sealed both."""
    await stores.connections.insert(connection(), secrets())
    _sql(tmp_path / "data", "UPDATE connections SET sealed_password = sealed_username")

    assert await _refused(stores)


async def test_another_generation_does_not_open(stores: Stores, tmp_path: Path) -> None:
    """A row whose generation is turned back keeps its secrets to itself."""
    await stores.connections.insert(connection(generation=5), secrets())
    _sql(tmp_path / "data", "UPDATE connections SET generation = 4")

    assert await _refused(stores)


async def test_a_revocation_is_bound_to_its_row(stores: Stores, tmp_path: Path) -> None:
    """Tokens of one row don't open in another, though one key sealed both: it is set aside, its neighbour is not."""
    await stores.connections.insert(connection(), secrets())
    for name in ("rev_1", "rev_2"):
        await stores.revocations.add(revocation(name, connection="cxn_1"))
    _sql(
        tmp_path / "data",
        "UPDATE revocations SET sealed_tokens = (SELECT sealed_tokens FROM revocations WHERE id = 'rev_2')"
        " WHERE id = 'rev_1'",
    )

    found = await stores.revocations.due(NOW, limit=9)

    assert ["rev_2"] == [each.id for each in found]
    assert 1 == await stores.revocations.parked()


async def test_a_client_and_a_reply_are_bound_to_theirs(stores: Stores, tmp_path: Path) -> None:
    """A client secret can't be given to another connector, nor a reply to another request."""
    for name in ("a", "b"):
        await stores.connectors.put_draft(connector(name), "", at=NOW)
        await stores.connectors.set_client(name, ClientCredentials(name, Secret(name)), at=NOW)
        await stores.idempotency.begin(name, name, now=NOW)
        await stores.idempotency.finish(name, StoredReply(name, 200, name.encode()))
    for column in ("data_key", "sealed_client"):
        other = f"(SELECT {column} FROM connectors WHERE id = 'b')"  # noqa: S608
        _sql(tmp_path / "data", f"UPDATE connectors SET {column} = {other} WHERE id = 'a'")  # noqa: S608
    other = "(SELECT sealed_reply FROM idempotency WHERE request_digest = 'b')"
    _sql(tmp_path / "data", f"UPDATE idempotency SET sealed_reply = {other} WHERE request_digest = 'a'")  # noqa: S608

    with pytest.raises(SealBroken):
        await stores.connectors.client("a")
    with pytest.raises(SealBroken):
        await stores.idempotency.begin("a", "a", now=NOW)


async def test_after_opening_nothing_needs_the_key_provider(tmp_path: Path) -> None:
    """A renewal that began goes on: save, spill and revoke under the key that this process knows."""
    data_dir, provider = tmp_path / "data", FakeKeyProvider()
    async with opened(data_dir, provider) as stores:
        await stores.connections.insert(connection(), secrets("1"))
    async with opened(data_dir, provider) as stores:
        found = await stores.connections.open("cxn_1")
        assert found is not None
        provider.gone = True
        await stores.spill.write(found[0], token_set("2"))
        late = revocation("rev_2", connection="cxn_1", due_at=NOW + 1)
        row = await stores.connections.save(
            replace(found[0], generation=2),
            sealed=SealedChange(token_set=token_set("2"), fields={"pin": Secret("2")}),
            revocations=[revocation(connection="cxn_1")],
        )
        await stores.revocations.add(late)
        opened_again = await stores.connections.open("cxn_1")

        expected = ConnectionSecrets(token_set("2"), secrets("1").username, secrets("1").password, {"pin": Secret("2")})
        assert (row, expected) == opened_again
        assert (revocation(connection="cxn_1"), late) == await stores.revocations.of_connection("cxn_1")
        assert [("cxn_1", 1, token_set("2"))] == list(await stores.spill.pending())


async def test_without_key_provider_what_was_not_opened_stays_shut(tmp_path: Path) -> None:
    """KeyUnavailable, nothing changed, and all that is no secret can still be read."""
    data_dir, provider = tmp_path / "data", FakeKeyProvider()
    async with opened(data_dir, provider) as stores:
        inserted = await stores.connections.insert(connection(), secrets())
    async with opened(data_dir, provider) as stores:
        provider.gone = True
        with pytest.raises(KeyUnavailable):
            await stores.connections.open("cxn_1")
        with pytest.raises(KeyUnavailable):
            await stores.connections.save(replace(inserted, generation=2), sealed=SealedChange(token_set=token_set()))
        with pytest.raises(KeyUnavailable):
            await stores.connections.insert(connection("cxn_2"), secrets())

        assert inserted == await stores.connections.load("cxn_1")
        assert await stores.connections.load("cxn_2") is None


async def test_keys_go_with_what_they_sealed(stores: Stores, tmp_path: Path) -> None:
    """A forgotten password takes its key with it, and a new one has a new key; a tombstone has no key at all."""
    keys = "SELECT password_key, data_key FROM connections"
    row = await stores.connections.insert(connection(), secrets())
    first = _sql(tmp_path / "data", keys)[0]
    row = await stores.connections.save(row, sealed=SealedChange(username=Secret("a"), password=Secret("b")))
    second = _sql(tmp_path / "data", keys)[0]
    row = await stores.connections.save(row, sealed=SealedChange(username=None, password=None))
    third = _sql(tmp_path / "data", keys)[0]
    await stores.connections.save(replace(row, state=State.DISCONNECTED))
    last = _sql(tmp_path / "data", keys)[0]

    assert None not in (*first, *second)
    assert first[0] != second[0]
    assert (None, first[1]) == third
    assert (None, None) == last


@pytest.mark.parametrize("lengths", [(1, 40)])
async def test_a_password_s_length_does_not_show(stores: Stores, tmp_path: Path, lengths: tuple[int, int]) -> None:
    """Short and long ones take the same room."""
    for length in lengths:
        kept = ConnectionSecrets(username=Secret("u" * length), password=Secret("p" * length))
        await stores.connections.insert(connection(f"cxn_{length}"), kept)
    sizes = _sql(tmp_path / "data", "SELECT length(sealed_username), length(sealed_password) FROM connections")

    assert 1 == len({size for row in sizes for size in row})


async def test_an_empty_password_is_one(stores: Stores) -> None:
    """Empty is not absent."""
    kept = ConnectionSecrets(username=Secret(""), password=Secret(""))
    await stores.connections.insert(connection(), kept)

    assert (connection(), kept) == await stores.connections.open("cxn_1")
