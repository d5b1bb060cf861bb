"""A back-up that is put back beside the database that it replaces: what happened since, one thing at a time."""

# ruff: noqa: S608  (the statements are made of this file's own words)

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from keyturn.adapters.sealing.data_keys import DataKeys
from keyturn.adapters.store.backup.making import make_backup
from keyturn.adapters.store.backup.replaced import Compared
from keyturn.adapters.store.backup.restoring import Prospect, prepared
from keyturn.adapters.store.backup.taking_over import ATTEMPT
from keyturn.adapters.store.opening import Stores
from keyturn.core.audit_record import AuditRecord
from keyturn.core.connection import Connection, ConnectionSecrets, Intent, IntentKind, State
from keyturn.core.errors import KeyUnavailable, RestoreRefused
from keyturn.engine.audit.verify import VerifyAudit
from keyturn.ports.store import NOTHING_SEALED, SealedChange
from tests.adapters.store.backup.killed_restore import STEPS
from tests.adapters.store.backup.putting_back import back, looked_at
from tests.adapters.store.conftest import opened
from tests.contracts import samples
from tests.contracts.samples import NOW, connection, connector, revocation, secrets, token_set
from tests.fakes.keys import FakeKeyProvider

ROOT = Path(__file__).parents[4]
NAMES = ("cxn_1", "cxn_2", "cxn_3")
MINE = "cxn_2"


def record(action: str = "a.change", **changes: Any) -> AuditRecord:
    """An audit record that speaks of no connection, unless it is given one."""
    return samples.record(action, **({"connection": None, "facts": {}} | changes))


def born(created: Connection) -> AuditRecord:
    """The record of a login."""
    return record("connection.created", connection=created.id, facts={"generation": created.generation})


async def begun(tmp_path: Path, *more: Connection) -> Path:
    """Three connections that rotate, and a back-up of them; gives the back-up."""
    async with opened(tmp_path) as stores:
        await stores.connectors.publish(connector(), "one", "digest 1", at=NOW)
        for each in (*(connection(name, refreshable=True, expires_at=NOW + 99) for name in NAMES), *more):
            await stores.connections.insert(each, secrets(each.id), records=[born(each)])
    return copy_of(tmp_path, "copy.db")


def copy_of(tmp_path: Path, name: str) -> Path:
    """A back-up of the data as it is now."""
    make_backup(tmp_path / "keyturn.db", tmp_path / name, NOW + 10)
    return tmp_path / name


async def renew(stores: Stores, name: str = MINE) -> None:
    """A renewal that went well."""
    found = await stores.connections.load(name)
    assert found is not None
    after = replace(found, generation=found.generation + 1, updated_at=NOW + 20, expires_at=NOW + 7200)
    new = SealedChange(token_set=token_set(f"{name} {after.generation}"))
    said = record("connection.renewed", outcome="ok", connection=name, facts={"generation": after.generation})
    await stores.connections.save(after, sealed=new, records=[said])


async def changed(stores: Stores, name: str = MINE, *, sealed: SealedChange = NOTHING_SEALED, **changes: Any) -> None:
    """Another write of it."""
    found = await stores.connections.load(name)
    assert found is not None
    after = replace(found, updated_at=NOW + 20, **changes)
    said = record("connection.disconnected" if after.ended else "connection.changed", connection=name)
    await stores.connections.save(after, sealed=sealed, records=[said])


async def all_in(tmp_path: Path) -> dict[str, tuple[Connection, ConnectionSecrets]]:
    """What is there now, opened; and both chains of the log are right."""
    async with opened(tmp_path) as stores:
        verdict = await VerifyAudit(stores.chain, stores.connections, None)()
        assert verdict.ok
        with closing(sqlite3.connect(tmp_path / "keyturn.db")) as plain:
            names = [row[0] for row in plain.execute("SELECT id FROM connections")]
        found = {name: await stores.connections.open(name) for name in names}
    return {name: each for name, each in found.items() if each is not None}


def counts(done: Prospect) -> tuple[int, ...]:
    """Unused, taken over, doubtful, ended, created, left out."""
    return done.unused, done.taken_over, done.doubtful, done.ended, done.created, done.left_out


def marked(found: dict[str, tuple[Connection, ConnectionSecrets]]) -> list[str]:
    """The connections that carry the mark."""
    return [name for name, (each, _) in found.items() if each.intent is not None and each.intent.attempt == ATTEMPT]


def access_of(found: ConnectionSecrets) -> str:
    """Its access token."""
    assert found.token_set is not None
    return found.token_set.access_token.reveal()


def write(tmp_path: Path, *statements: str) -> None:
    """Write past keyturn."""
    with closing(sqlite3.connect(tmp_path / "keyturn.db", isolation_level=None)) as plain:
        for each in statements:
            plain.execute(each)


async def test_nothing_happened_since(tmp_path: Path) -> None:
    """Nothing is doubted, without a word from the operator."""
    done = await back(await begun(tmp_path), tmp_path / "keyturn.db")
    found = await all_in(tmp_path)

    assert (Compared.NEWER, (3, 0, 0, 0, 0, 0)) == (done.done.compared, counts(done.done))
    assert (set(NAMES), []) == (set(found), marked(found))


async def test_one_was_renewed_since(tmp_path: Path) -> None:
    """Its newer set is taken over with generation and expiry; the others are untouched."""
    copy = await begun(tmp_path)
    async with opened(tmp_path) as stores:
        await renew(stores)
        await renew(stores)
    done = await back(copy, tmp_path / "keyturn.db", over_newer=True)
    found = await all_in(tmp_path)

    assert (2, 1, 0, 0, 0, 0) == counts(done.done)
    assert {"cxn_1": 1, "cxn_2": 3, "cxn_3": 1} == {name: each.generation for name, (each, _) in found.items()}
    assert ("access-cxn_2 3", "access-cxn_1") == (access_of(found[MINE][1]), access_of(found["cxn_1"][1]))
    assert (NOW + 7200, []) == (found[MINE][0].expires_at, marked(found))


async def test_a_renewal_is_under_way_in_the_replaced_one(tmp_path: Path) -> None:
    """It alone has no outcome, with its own time, tries and last resort; its lease is nobody's."""
    copy = await begun(tmp_path)
    intent = Intent(IntentKind.REFRESH, 1, "att_9", NOW + 15, tries=2, last_resort=True)
    async with opened(tmp_path) as stores:
        await changed(stores, intent=intent)
    write(tmp_path, f"UPDATE connections SET lease_holder = 'x', lease_until = 9e9 WHERE id = '{MINE}'")
    done = await back(copy, tmp_path / "keyturn.db", over_newer=True)
    found = await all_in(tmp_path)
    with closing(sqlite3.connect(tmp_path / "keyturn.db")) as plain:
        leases = plain.execute("SELECT count(*) FROM connections WHERE lease_holder IS NOT NULL").fetchone()

    assert (2, 0, 1, 0, 0, 0) == counts(done.done)
    assert (intent, []) == (found[MINE][0].intent, marked(found))
    assert (0,) == leases


@pytest.mark.parametrize(
    "changes",
    [
        {"paused": True},
        {"state": State.NEEDS_RECONNECT, "reason": "provider_grant_lost"},
        {"password_rejected": True},
        {"state": State.UNCERTAIN, "reason": "renewal_outcome_unknown"},
    ],
    ids=["paused", "refused", "its password refused", "uncertain"],
)
async def test_its_state_moved_since(tmp_path: Path, changes: dict[str, Any]) -> None:
    """It is as it was there: what was refused once is not sent again, and a pause goes on."""
    copy = await begun(tmp_path)
    async with opened(tmp_path) as stores:
        await changed(stores, **changes)
    done = await back(copy, tmp_path / "keyturn.db", over_newer=True)
    found = await all_in(tmp_path)

    assert (2, 1, 0, 0, 0, 0) == counts(done.done)
    assert changes == {name: getattr(found[MINE][0], name) for name in changes}
    assert [] == marked(found)


async def test_its_person_logged_in_again(tmp_path: Path) -> None:
    """The new data key goes along with all that it seals; so does the new password."""
    copy = await begun(tmp_path)
    new = secrets("again")
    anew = SealedChange(new.token_set, new.username, new.password, dict(new.fields), anew=True)
    async with opened(tmp_path) as stores:
        await changed(stores, generation=2, sealed=anew)
    await back(copy, tmp_path / "keyturn.db", over_newer=True)
    found = await all_in(tmp_path)

    assert new == found[MINE][1]
    assert secrets("cxn_1") == found["cxn_1"][1]


@pytest.mark.parametrize("state", [State.DISCONNECTED, State.DISCONNECTING])
async def test_disconnected_since(tmp_path: Path, state: State) -> None:
    """It stays so, and nothing of its secrets returns."""
    copy = await begun(tmp_path)
    async with opened(tmp_path) as stores:
        await changed(stores, state=state, disconnected_at=NOW + 20)
    done = await back(copy, tmp_path / "keyturn.db", over_newer=True)
    found = await all_in(tmp_path)
    kept = b"access-" if state is State.DISCONNECTING else None

    assert (2, 0, 0, 1, 0, 0) == counts(done.done)
    assert (state, kept is None) == (found[MINE][0].state, found[MINE][1] == ConnectionSecrets())


async def test_its_row_is_gone_since(tmp_path: Path) -> None:
    """An erased one, or a tombstone that was purged, does not return."""
    copy = await begun(tmp_path)
    async with opened(tmp_path) as stores:
        await changed(stores, state=State.DISCONNECTED, disconnected_at=NOW + 20)
        await stores.connections.purge(disconnected_before=NOW + 30)
    done = await back(copy, tmp_path / "keyturn.db", over_newer=True)

    assert (2, 0, 0, 1, 0, 0) == counts(done.done)
    assert {"cxn_1", "cxn_3"} == set(await all_in(tmp_path))


async def test_an_account_moved_to_another_connection_since(tmp_path: Path) -> None:
    """The one that ended gives its account free for the one that has it now."""
    copy = await begun(tmp_path)
    async with opened(tmp_path) as stores:
        await changed(stores, state=State.DISCONNECTED, disconnected_at=NOW + 20)
        again = connection("cxn_0", unique_id=f"account of {MINE}", refreshable=True, created_at=NOW + 21)
        await stores.connections.insert(again, secrets("cxn_0"), records=[record("connection.created")])
    done = await back(copy, tmp_path / "keyturn.db", over_newer=True)
    found = await all_in(tmp_path)

    assert (2, 0, 0, 1, 1, 0) == counts(done.done)
    assert ("access-cxn_0", State.DISCONNECTED) == (access_of(found["cxn_0"][1]), found[MINE][0].state)


async def test_created_since_with_a_connector_of_its_own(tmp_path: Path) -> None:
    """Connections that were created since are kept, with the connector versions that they and others are on."""
    copy = await begun(tmp_path)
    async with opened(tmp_path) as stores:
        await stores.connectors.publish(connector(), "two", "digest 2", at=NOW + 12)
        await stores.connectors.publish(connector("bolt"), "bolt", "digest b", at=NOW + 12)
        await stores.connections.insert(
            connection("cxn_new", connector="bolt", refreshable=True), secrets("new"), records=[record()]
        )
        await changed(stores, connector_version=2)
    done = await back(copy, tmp_path / "keyturn.db", over_newer=True)
    found = await all_in(tmp_path)
    async with opened(tmp_path) as stores:
        versions = [
            await stores.connectors.version("acme", 1),
            await stores.connectors.version("acme", 2),
            await stores.connectors.version("bolt", 1),
        ]
        next_one = await stores.connectors.publish(connector(), "three", "digest 3", at=NOW + 60)

    assert (2, 1, 0, 0, 1, 0) == counts(done.done)
    assert ("access-new", 2) == (access_of(found["cxn_new"][1]), found[MINE][0].connector_version)
    assert ["one", "two", "bolt"] == [each.source for each in versions if each is not None]
    assert 3 == next_one.version


async def test_a_version_that_nobody_is_on_does_not_come_along(tmp_path: Path) -> None:
    """Connectors are as they were in the back-up."""
    copy = await begun(tmp_path)
    async with opened(tmp_path) as stores:
        await stores.connectors.publish(connector(), "two", "digest 2", at=NOW + 12)
    await back(copy, tmp_path / "keyturn.db", over_newer=True)
    async with opened(tmp_path) as stores:
        assert await stores.connectors.version("acme", 2) is None


async def test_revocations_that_moved_since(tmp_path: Path) -> None:
    """One that was done is not sent again, one that is owed since is not lost; one that was tried keeps its tries."""
    async with opened(tmp_path) as stores:
        await stores.revocations.add(revocation("rev_done", connector_version=1))
        await stores.revocations.add(revocation("rev_tried", connector_version=1))
        await stores.revocations.add(revocation("rev_untouched", connector_version=1))
    copy = await begun(tmp_path)
    async with opened(tmp_path) as stores:
        await stores.revocations.remove("rev_done", records=[record("revocation.done")])
        await stores.revocations.save(revocation("rev_tried", tries=4, connector_version=1), records=[record()])
        await stores.revocations.claim("rev_untouched", now=NOW, for_s=9e6)
        await stores.revocations.add(revocation("rev_owed", connection=MINE, connector_version=1))
    await back(copy, tmp_path / "keyturn.db", over_newer=True)
    async with opened(tmp_path) as stores:
        due = await stores.revocations.due(NOW + 60, limit=9)

    assert {"rev_tried": 4, "rev_untouched": 0, "rev_owed": 0} == {each.id: each.tries for each in due}
    assert {"access-rev_owed"} <= {each.token_set.access_token.reveal() for each in due}


async def test_the_replaced_one_is_an_older_copy(tmp_path: Path) -> None:
    """The back-up has seen all that happened in it: nothing is doubted, and nothing of it returns."""
    older = await begun(tmp_path)
    async with opened(tmp_path) as stores:
        await renew(stores)
        await changed(stores, "cxn_3", state=State.DISCONNECTED, disconnected_at=NOW + 20)
        await stores.connections.purge(disconnected_before=NOW + 30)
        await stores.connections.insert(connection("cxn_4", refreshable=True), secrets("cxn_4"), records=[record()])
    newer = copy_of(tmp_path, "newer.db")
    shutil.copyfile(older, tmp_path / "keyturn.db")
    done = await back(newer, tmp_path / "keyturn.db")
    found = await all_in(tmp_path)

    assert (Compared.OLDER, (3, 0, 0, 0, 0, 0)) == (done.done.compared, counts(done.done))
    assert ({"cxn_1", "cxn_2", "cxn_4"}, 2, []) == (set(found), found[MINE][0].generation, marked(found))


async def test_the_wrong_back_up_first_and_then_the_right_one(tmp_path: Path) -> None:
    """What the first restore took over is there for the second, and what ended in between stays so."""
    monday = await begun(tmp_path)
    async with opened(tmp_path) as stores:
        await renew(stores)
        await stores.connections.insert(connection("cxn_4", refreshable=True), secrets("cxn_4"), records=[record()])
    tuesday = copy_of(tmp_path, "tuesday.db")
    async with opened(tmp_path) as stores:
        await renew(stores)
    await back(monday, tmp_path / "keyturn.db", over_newer=True)
    async with opened(tmp_path) as stores:
        await changed(stores, "cxn_1", state=State.DISCONNECTED, disconnected_at=NOW + 70)
    done = await back(tuesday, tmp_path / "keyturn.db", over_newer=True, at=NOW + 90)
    found = await all_in(tmp_path)

    assert (Compared.FORKED, (2, 1, 0, 1, 0, 0)) == (done.done.compared, counts(done.done))
    assert (3, "access-cxn_2 3") == (found[MINE][0].generation, access_of(found[MINE][1]))
    assert ({"cxn_1", "cxn_2", "cxn_3", "cxn_4"}, []) == (set(found), marked(found))
    assert State.DISCONNECTED is found["cxn_1"][0].state


async def test_a_fork_that_published_the_same_number(tmp_path: Path) -> None:
    """A connection that is on the other document of this number is not taken over: it can't be renewed by this one."""
    monday = await begun(tmp_path)
    async with opened(tmp_path) as stores:
        await stores.connectors.publish(connector(), "two", "digest 2", at=NOW + 12, records=[record()])
    tuesday = copy_of(tmp_path, "tuesday.db")
    (tmp_path / "keyturn.db").unlink()
    await back(monday, tmp_path / "keyturn.db", nothing_since=True)
    async with opened(tmp_path) as stores:
        await stores.connectors.publish(connector(), "other", "digest other", at=NOW + 70, records=[record()])
        await renew(stores)
        await changed(stores, connector_version=2)
    done = await back(tuesday, tmp_path / "keyturn.db", over_newer=True)

    assert (Compared.FORKED, (2, 0, 1, 0, 0, 0)) == (done.done.compared, counts(done.done))


def spoil_row(tmp_path: Path) -> None:
    """A state that no release has."""
    write(tmp_path, f"UPDATE connections SET state = 'frozen' WHERE id = '{MINE}'")


def zero_the_seal(tmp_path: Path) -> None:
    """A newer set that opens no more."""
    write(tmp_path, f"UPDATE connections SET sealed_token_set = zeroblob(99) WHERE id = '{MINE}'")


def damage_a_page(tmp_path: Path) -> None:
    """The page that has the connections, and none of the index by their ids."""
    with closing(sqlite3.connect(tmp_path / "keyturn.db")) as plain:
        plain.execute("PRAGMA journal_mode=DELETE")
        size = plain.execute("PRAGMA page_size").fetchone()[0]
        root = plain.execute("SELECT rootpage FROM sqlite_master WHERE name = 'connections'").fetchone()[0]
    with (tmp_path / "keyturn.db").open("rb+") as file:
        file.seek((root - 1) * size)
        file.write(os.urandom(size))


@pytest.mark.parametrize(
    ("damage", "doubtful"),
    [(spoil_row, {MINE}), (zero_the_seal, {MINE}), (damage_a_page, set(NAMES))],
    ids=["a row", "a seal", "a page"],
)
async def test_damage_there(tmp_path: Path, damage: Callable[[Path], None], doubtful: set[str]) -> None:
    """What can't be read there is doubted, and heals; its neighbours are compared as ever."""
    copy = await begun(tmp_path)
    async with opened(tmp_path) as stores:
        await renew(stores)
    damage(tmp_path)
    done = await back(copy, tmp_path / "keyturn.db", over_newer=True)
    found = await all_in(tmp_path)

    assert (3 - len(doubtful), 0, len(doubtful), 0, 0, 0) == counts(done.done)
    assert (set(NAMES), sorted(doubtful)) == (set(found), sorted(marked(found)))
    assert all(f"access-{name}" == access_of(each) for name, (_, each) in found.items())


async def test_a_seal_that_was_spoilt_of_an_unused_token(tmp_path: Path) -> None:
    """The generation says that it was not used: the back-up heals the connection, and nothing is doubted."""
    copy = await begun(tmp_path)
    zero_the_seal(tmp_path)
    done = await back(copy, tmp_path / "keyturn.db")
    found = await all_in(tmp_path)

    assert (3, 0, 0, 0, 0, 0) == counts(done.done)
    assert ("access-cxn_2", []) == (access_of(found[MINE][1]), marked(found))


async def test_what_the_journal_holds_counts(tmp_path: Path) -> None:
    """After a kill -9 the newest commits are in the journal alone."""
    copy = await begun(tmp_path / "data")
    (tmp_path / "killed").mkdir()
    async with opened(tmp_path / "data") as stores:
        await renew(stores)
        for ending in ("", "-wal"):
            shutil.copyfile(tmp_path / "data" / f"keyturn.db{ending}", tmp_path / "killed" / f"keyturn.db{ending}")
    assert (tmp_path / "killed" / "keyturn.db-wal").stat().st_size > 0
    done = await back(copy, tmp_path / "killed" / "keyturn.db", over_newer=True)
    found = await all_in(tmp_path / "killed")

    assert (2, 1, 0, 0, 0, 0) == counts(done.done)
    assert (2, ["keyturn.db"]) == (found[MINE][0].generation, databases(tmp_path / "killed"))
    assert done.kept is not None
    with closing(sqlite3.connect(done.kept)) as plain:
        kept = plain.execute("SELECT generation FROM connections WHERE id = ?", (MINE,)).fetchone()
    assert (2,) == kept


def databases(folder: Path) -> list[str]:
    """What is there, but for what was put aside and spill files."""
    return sorted(
        each for each in os.listdir(folder) if "before-restore" not in each and each not in ("spill", "copy.db")
    )


def other_installation(tmp_path: Path) -> FakeKeyProvider:
    """A database that another installation made under the same key, with connections of the same names."""
    return FakeKeyProvider()


def other_key(tmp_path: Path) -> FakeKeyProvider:
    """A database under another key."""
    return FakeKeyProvider("fake-key-2")


@pytest.mark.parametrize(
    ("keys", "compared"),
    [(other_installation, Compared.OTHER_DATA), (other_key, Compared.OTHER_KEY)],
    ids=["other installation", "other key"],
)
async def test_another_installation_says_nothing(
    tmp_path: Path, keys: Callable[[Path], FakeKeyProvider], compared: Compared
) -> None:
    """All are doubted, nothing is taken over, and it takes a word of the operator."""
    copy = await begun(tmp_path / "data")
    async with opened(tmp_path / "other", keys(tmp_path), seed=7) as stores:
        await stores.connections.insert(
            connection(MINE, refreshable=True, generation=5), secrets("theirs"), records=[record("another.first")]
        )
    with pytest.raises(RestoreRefused, match="more has happened"):
        await back(copy, tmp_path / "other" / "keyturn.db")
    done = await back(copy, tmp_path / "other" / "keyturn.db", over_newer=True)
    found = await all_in(tmp_path / "other")

    assert (compared, (0, 0, 3, 0, 0, 0)) == (done.done.compared, counts(done.done))
    assert (1, sorted(NAMES)) == (found[MINE][0].generation, sorted(marked(found)))


async def test_over_an_empty_one(tmp_path: Path) -> None:
    """A server's first start left one: there is nothing in it to lose."""
    copy = await begun(tmp_path / "data")
    async with opened(tmp_path / "new"):
        pass
    done = await back(copy, tmp_path / "new" / "keyturn.db")

    assert (0, 0, 3, 0, 0, 0) == counts(done.done)


async def test_a_newer_release_wrote_it(tmp_path: Path) -> None:
    """It can't be compared with: a column may say what this release does not know."""
    copy = await begun(tmp_path)
    write(tmp_path, "UPDATE alembic_version SET version_num = '9999'")
    done = await back(copy, tmp_path / "keyturn.db")

    assert (Compared.NEWER_RELEASE, (0, 0, 3, 0, 0, 0)) == (done.done.compared, counts(done.done))


@pytest.mark.parametrize("there", ["absent", "no database"])
async def test_there_is_nothing_to_compare_with(tmp_path: Path, there: str) -> None:
    """All are doubted, unless the operator knows that nothing ran since."""
    copy = await begun(tmp_path)
    (tmp_path / "keyturn.db").unlink()
    if there == "no database":
        (tmp_path / "keyturn.db").write_bytes(b"something else" * 999)
        with pytest.raises(RestoreRefused, match="nobody knows"):
            await back(copy, tmp_path / "keyturn.db")
    done = await back(copy, tmp_path / "keyturn.db", over_newer=True)
    vouched = await back(copy, tmp_path / "elsewhere.db", nothing_since=True)

    expected = Compared.ABSENT if there == "absent" else Compared.UNREADABLE
    assert (expected, (0, 0, 3, 0, 0, 0)) == (done.done.compared, counts(done.done))
    assert (3, 0, 0, 0, 0, 0) == counts(vouched.done)


async def test_the_key_service_is_gone(tmp_path: Path) -> None:
    """Nobody can say whether the newer set opens: nothing is changed, and the same works later."""
    copy = await begun(tmp_path)
    async with opened(tmp_path) as stores:
        await renew(stores)
    keys = FakeKeyProvider()
    keys.gone = True
    with pytest.raises(KeyUnavailable):
        await back(copy, tmp_path / "keyturn.db", over_newer=True, keys=keys)
    before = databases(tmp_path)
    keys.gone = False
    done = await back(copy, tmp_path / "keyturn.db", over_newer=True, keys=keys)

    assert ["keyturn.db"] == before
    assert (2, 1, 0, 0, 0, 0) == counts(done.done)


async def test_it_is_only_looked_at(tmp_path: Path) -> None:
    """Who does not agree finds everything as it was; meanwhile no server can start."""
    copy = await begun(tmp_path)
    async with opened(tmp_path) as stores:
        await renew(stores)
    before = (tmp_path / "keyturn.db").read_bytes()
    prospect = await looked_at(copy, tmp_path / "keyturn.db")
    about = prepared(copy, tmp_path / "keyturn.db", DataKeys(FakeKeyProvider()), over_newer=True, nothing_since=False)
    async with about:
        with (
            closing(sqlite3.connect(tmp_path / "keyturn.db", timeout=0)) as other,
            pytest.raises(sqlite3.OperationalError, match="locked"),
        ):
            other.execute("SELECT count(*) FROM connections").fetchone()

    assert (2, 1, 0, 0, 0, 0) == counts(prospect)
    assert (before, ["keyturn.db"]) == ((tmp_path / "keyturn.db").read_bytes(), databases(tmp_path))


def killed_at(step: str, copy: Path, database: Path) -> int:
    """Restore in a process that dies; gives its code."""
    words = [sys.executable, "-m", "tests.adapters.store.backup.killed_restore", step, str(copy), str(database)]
    return subprocess.run(words, cwd=ROOT, check=False, timeout=60).returncode


@pytest.mark.parametrize("step", STEPS)
async def test_killed_on_the_way(tmp_path: Path, step: str) -> None:
    """One of both databases is in place, whole; the second try does what the first would have done, and tidies up."""
    copy = await begun(tmp_path)
    async with opened(tmp_path) as stores:
        await renew(stores)
    database = tmp_path / "keyturn.db"
    code = killed_at(step, copy, database)
    with closing(sqlite3.connect(database)) as plain:
        whole = plain.execute("PRAGMA integrity_check").fetchone()
        newest = plain.execute("SELECT generation FROM connections WHERE id = ?", (MINE,)).fetchone()
        said = plain.execute("SELECT count(*) FROM audit WHERE action = 'backup.restored'").fetchone()
    done = await back(copy, database, over_newer=True, at=NOW + 90)
    found = await all_in(tmp_path)

    assert (-signal.SIGKILL, ("ok",), (2,)) == (code, whole, newest)
    assert (1 if step == "after replace" else 0,) == said
    assert (2, 1, 0, 0, 0, 0) == counts(done.done)
    assert ("access-cxn_2 2", ["keyturn.db"]) == (access_of(found[MINE][1]), databases(tmp_path))


async def test_one_damaged_page_of_many(tmp_path: Path) -> None:
    """Connections on other pages are compared as ever; those on it are doubted."""
    more = [connection(f"cxn_{n:04}", refreshable=True, name="x" * 900) for n in range(200)]
    copy = await begun(tmp_path, *more)
    async with opened(tmp_path) as stores:
        await renew(stores, "cxn_0007")
    damage_page_of(tmp_path, b"account of cxn_0150")
    done = await back(copy, tmp_path / "keyturn.db", over_newer=True)
    found = await all_in(tmp_path)
    doubted = marked(found)

    assert "cxn_0150" in doubted
    assert 0 < len(doubted) < 9
    assert (203 - len(doubted) - 1, 1, len(doubted), 0, 0, 0) == counts(done.done)
    assert 203 == len(found)


def damage_page_of(tmp_path: Path, text: bytes) -> None:
    """Fill the page with noise that has this text."""
    with closing(sqlite3.connect(tmp_path / "keyturn.db")) as plain:
        plain.execute("PRAGMA journal_mode=DELETE")
        size = plain.execute("PRAGMA page_size").fetchone()[0]
    with (tmp_path / "keyturn.db").open("rb+") as file:
        place = file.read().index(text)
        file.seek(place // size * size)
        file.write(os.urandom(size))


async def test_logins_since_count_against_the_budget(tmp_path: Path) -> None:
    """What an account may have is the provider's limit, whatever was restored."""
    copy = await begun(tmp_path)
    write(
        tmp_path,
        "INSERT INTO logins (id, account, at, limit_logins, limit_per_s, keep_until) VALUES ('l', 'a', 1, 1, 1, 9e9)",
    )
    await back(copy, tmp_path / "keyturn.db")
    with closing(sqlite3.connect(tmp_path / "keyturn.db")) as plain:
        assert (1,) == plain.execute("SELECT count(*) FROM logins").fetchone()


async def test_many(tmp_path: Path) -> None:
    """More than are read at once, of all kinds."""
    more = [connection(f"cxn_{n:04}", refreshable=True) for n in range(450)]
    copy = await begun(tmp_path, *more)
    async with opened(tmp_path) as stores:
        for each in _some(more, 0):
            await renew(stores, each.id)
        for each in _some(more, 1):
            await changed(stores, each.id, state=State.DISCONNECTED, disconnected_at=NOW + 20)
        for n in range(250):
            await stores.connections.insert(connection(f"new_{n}", refreshable=True), secrets(), records=[record()])
    done = await back(copy, tmp_path / "keyturn.db", over_newer=True)

    assert (453 - 9 - 9, 9, 0, 9, 250, 0) == counts(done.done)


def _some(all_of_them: list[Connection], start: int) -> Iterable[Connection]:
    return all_of_them[start::50]
