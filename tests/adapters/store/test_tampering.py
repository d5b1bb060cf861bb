"""Somebody writes in the database file, past keyturn: `verify` says so, and where."""

# ruff: noqa: S608  (the statements are made of this file's own words)

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from keyturn.adapters.anchor_file import JsonAnchorFile
from keyturn.adapters.store.opening import Stores
from keyturn.core.audit.checkpoint import Checkpoint, Kind
from keyturn.core.connection import State
from keyturn.core.errors import AuditUnavailable
from keyturn.engine.audit.verify import Verdict, VerifyAudit
from keyturn.ports.store import SealedChange
from tests.adapters.store.conftest import opened
from tests.contracts.samples import NOW, connection, record, secrets, token_set
from tests.fakes.keys import FakeKeyProvider

RECORDS = 6
Tamper = Callable[[sqlite3.Connection], object]


def write_past(path: Path, *statements: str) -> None:
    """Run statements on the file itself."""
    with closing(sqlite3.connect(path / "keyturn.db")) as database, database:
        for each in statements:
            database.execute(each)


async def filled(path: Path, anchor: Path | None = None) -> None:
    """A log with six records about a connection of generation 2; `anchor`: its head is written down there."""
    async with opened(path) as stores:
        made = await stores.connections.insert(
            connection(generation=1), secrets(), records=[record("connection.created", facts={"generation": 1})]
        )
        await stores.connections.save(
            replace(made, generation=2),
            sealed=SealedChange(token_set("2")),
            records=[record("connection.renewed", facts={"generation": 2})],
        )
        await stores.audit.append([record(f"a.{n}", owner=f"owner-{n % 2}") for n in range(RECORDS - 2)])
        if anchor is not None:
            await write_down(stores, anchor)


async def write_down(stores: Stores, anchor: Path) -> None:
    """Write the head down in a file."""
    head = (await stores.chain.bounds()).head
    await JsonAnchorFile(anchor).append(await stores.chain.sign(Checkpoint(Kind.HEAD, *head, at=NOW)))


async def verdict_of(path: Path, anchor: Path | None = None) -> Verdict:
    """What a later start says of the log."""
    async with opened(path) as stores:
        file = JsonAnchorFile(anchor) if anchor is not None else None
        return await VerifyAudit(stores.chain, stores.connections, file)()


async def test_a_log_that_nobody_touched_is_right(tmp_path: Path) -> None:
    """All of it, across starts, with its anchor and its connections."""
    await filled(tmp_path, tmp_path / "anchor")
    verdict = await verdict_of(tmp_path, tmp_path / "anchor")

    assert verdict.ok
    assert (RECORDS, 1, RECORDS) == (verdict.entries, verdict.since, verdict.head[0])
    assert (1, RECORDS, 1) == (verdict.anchors.checked, verdict.anchors.newest, verdict.generations.checked)


async def test_the_newest_head_of_the_file(tmp_path: Path) -> None:
    """The last line; none where there is no file, and an error where that line is no head."""
    file = JsonAnchorFile(tmp_path / "anchor")
    nothing = await file.newest()
    await filled(tmp_path, tmp_path / "anchor")
    for _ in range(20):  # more than is read of a long file
        async with opened(tmp_path) as stores:
            await stores.audit.append([record("a.more")])
            await write_down(stores, tmp_path / "anchor")
    newest = await file.newest()
    (tmp_path / "anchor").write_text("no head\n")

    assert nothing is None
    assert newest is not None
    assert (RECORDS + 20, Kind.HEAD) == (newest.seq, newest.kind)
    with pytest.raises(AuditUnavailable):
        await file.newest()


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("project", "'other'"), ("at", "at + 0.001"), ("action", "'x'"), ("actor", "'key:2'"), ("outcome", "'ok'"),
        ("connector", "NULL"), ("connection", "'cxn_9'"), ("subject", "NULL"), ("request_id", "''"),
        ("facts", "'{}'"), ("facts", "facts || ' '"), ("facts", "'nonsense'"), ("previous", "mac"), ("mac", "previous"),
        ("mac", "NULL"), ("at", "'soon'"),
    ],
)  # fmt: skip
async def test_each_column_counts(tmp_path: Path, column: str, value: str) -> None:
    """Whatever of a record is changed, that record is named."""
    await filled(tmp_path)
    write_past(tmp_path, f"UPDATE audit SET {column} = {value} WHERE seq = 4")
    verdict = await verdict_of(tmp_path)

    assert verdict.first_bad is not None
    assert not verdict.ok
    assert (4, "changed", 3) == (verdict.first_bad.seq, verdict.first_bad.what, verdict.entries)


COLUMNS = "project, at, action, actor, outcome, connector, connection, subject, request_id, facts, previous, mac"


@pytest.mark.parametrize(
    ("statements", "seq", "what"),
    [
        pytest.param(["DELETE FROM audit WHERE seq = 3"], 3, "missing", id="one taken out"),
        pytest.param(["DELETE FROM audit WHERE seq = 1"], 1, "missing", id="the first taken out"),
        pytest.param(
            ["DELETE FROM audit WHERE seq = 3", "UPDATE audit SET seq = seq - 1 WHERE seq > 3"], 3, "changed",
            id="one taken out and the rest moved up",
        ),
        pytest.param(
            ["UPDATE audit SET seq = 99 WHERE seq = 3", "UPDATE audit SET seq = 3 WHERE seq = 4",
             "UPDATE audit SET seq = 4 WHERE seq = 99"], 3, "changed", id="two swapped",
        ),
        pytest.param(
            ["DELETE FROM audit WHERE seq = 5",
             f"INSERT INTO audit (seq, {COLUMNS}) SELECT 5, {COLUMNS} FROM audit WHERE seq = 2"], 5, "changed",
            id="an older row put in its place",
        ),
        pytest.param(
            [f"INSERT INTO audit (seq, {COLUMNS}) SELECT 7, {COLUMNS} FROM audit WHERE seq = 6",
             "UPDATE audit_marks SET seq = 7 WHERE name = 'head'"], 7, "changed", id="one put in at the end",
        ),
        pytest.param(["DELETE FROM audit WHERE seq > 4"], 5, "missing", id="the end cut off"),
        pytest.param(["DELETE FROM audit"], 1, "missing", id="all of it taken away"),
        pytest.param(["UPDATE audit_marks SET mac = zeroblob(32) WHERE name = 'head'"], 6, "head_changed", id="head"),
        pytest.param(
            ["DELETE FROM audit WHERE seq < 4", "INSERT INTO audit_marks (name, seq, mac, at, signature) "
             "SELECT 'cut', 3, previous, 1, zeroblob(64) FROM audit WHERE seq = 4"], 4, "cut_unsigned",
            id="the beginning cut off as if by retention",
        ),
    ],
)  # fmt: skip
async def test_rows_that_are_not_where_they_were(tmp_path: Path, statements: list[str], seq: int, what: str) -> None:
    """Taken out, moved, swapped, put in, put back: the first place that is wrong is named."""
    await filled(tmp_path)
    write_past(tmp_path, *statements)
    verdict = await verdict_of(tmp_path)

    assert verdict.first_bad is not None
    assert (seq, what) == (verdict.first_bad.seq, verdict.first_bad.what)


async def test_an_end_that_was_cut_off_with_care_shows_by_the_anchor(tmp_path: Path) -> None:
    """Who also moves the head back leaves a chain that is right; the head outside knows of more."""
    await filled(tmp_path, tmp_path / "anchor")
    write_past(
        tmp_path,
        "DELETE FROM audit WHERE seq > 4",
        "UPDATE audit_marks SET seq = 4, mac = (SELECT mac FROM audit WHERE seq = 4) WHERE name = 'head'",
    )
    without, verdict = await verdict_of(tmp_path), await verdict_of(tmp_path, tmp_path / "anchor")

    assert without.ok
    assert verdict.first_bad is None
    assert verdict.anchors.fault is not None
    assert (5, "cut_off") == (verdict.anchors.fault.seq, verdict.anchors.fault.what)


async def test_a_log_that_went_on_after_it_was_cut_shows_by_the_anchor(tmp_path: Path) -> None:
    """New records take the numbers of those that are gone: another record stands where the anchor points."""
    await filled(tmp_path, tmp_path / "anchor")
    write_past(
        tmp_path,
        "DELETE FROM audit WHERE seq > 4",
        "UPDATE audit_marks SET seq = 4, mac = (SELECT mac FROM audit WHERE seq = 4) WHERE name = 'head'",
    )
    async with opened(tmp_path) as stores:
        await stores.audit.append([record("later"), record("later"), record("later")])
    verdict = await verdict_of(tmp_path, tmp_path / "anchor")

    assert verdict.first_bad is None
    assert verdict.anchors.fault is not None
    assert (6, "rewritten") == (verdict.anchors.fault.seq, verdict.anchors.fault.what)


async def test_an_anchor_that_nobody_signed(tmp_path: Path) -> None:
    """A head that somebody wrote into the file is not believed."""
    await filled(tmp_path, tmp_path / "anchor")
    text = (tmp_path / "anchor").read_text()
    (tmp_path / "anchor").write_text(text.replace('"seq":6', '"seq":5'))
    verdict = await verdict_of(tmp_path, tmp_path / "anchor")

    assert verdict.anchors.fault is not None
    assert "anchor_unsigned" == verdict.anchors.fault.what


async def test_an_older_connection_that_is_put_back(tmp_path: Path) -> None:
    """Its seals are right; its generation is behind the one that was recorded."""
    async with opened(tmp_path) as stores:
        made = await stores.connections.insert(
            connection(generation=1), secrets(), records=[record("connection.created", facts={"generation": 1})]
        )
    write_past(tmp_path, "CREATE TABLE kept AS SELECT * FROM connections")
    async with opened(tmp_path) as stores:
        await stores.connections.save(
            replace(made, generation=2),
            sealed=SealedChange(token_set("2")),
            records=[record("connection.renewed", facts={"generation": 2})],
        )
    write_past(tmp_path, "DELETE FROM connections", "INSERT INTO connections SELECT * FROM kept", "DROP TABLE kept")
    async with opened(tmp_path) as stores:
        seals_hold = await stores.connections.open("cxn_1")
    verdict = await verdict_of(tmp_path)

    assert seals_hold is not None
    assert verdict.first_bad is None
    assert {"cxn_1": (1, 2)} == verdict.generations.older
    assert not verdict.ok


async def test_a_connection_that_is_taken_away(tmp_path: Path) -> None:
    """One that was never disconnected has to be there; a tombstone may have been taken away."""
    await filled(tmp_path)
    async with opened(tmp_path) as stores:
        gone = connection("cxn_2", generation=1, state=State.DISCONNECTED, disconnected_at=NOW)
        facts = {"generation": 1}
        await stores.connections.insert(
            gone, secrets(), records=[record("connection.disconnected", connection="cxn_2", facts=facts)]
        )
        await stores.connections.purge(disconnected_before=NOW + 1)
    before = await verdict_of(tmp_path)
    write_past(tmp_path, "DELETE FROM connections")
    after = await verdict_of(tmp_path)

    assert before.ok
    assert ["cxn_1"] == list(after.generations.missing)
    assert not after.ok


async def test_deeds_that_are_given_to_another(tmp_path: Path) -> None:
    """Who swaps the names of two subjects leaves the chain as it is; the ties are under a MAC of their own."""
    await filled(tmp_path)
    write_past(tmp_path, "UPDATE audit_subjects SET owner = 'x' || owner")
    verdict = await verdict_of(tmp_path)

    assert verdict.first_bad is None
    assert 2 == len(verdict.strangers)
    assert not verdict.ok


async def test_a_cut_holds_and_its_mark_can_not_be_moved(tmp_path: Path) -> None:
    """After retention the log is right from there on, and anchors of what was cut are let be."""
    await filled(tmp_path)
    async with opened(tmp_path) as stores:
        await stores.audit.append([record("late", at=NOW + 100)])
        await write_down(stores, tmp_path / "anchor")
        cut = await stores.chain.cut(before=NOW + 50, at=NOW + 200)
    right = await verdict_of(tmp_path, tmp_path / "anchor")
    write_past(tmp_path, "DELETE FROM audit WHERE seq = 7", "UPDATE audit_marks SET seq = 7 WHERE name = 'cut'")
    moved = await verdict_of(tmp_path)

    assert (6, True, 7) == (cut, right.ok, right.since)
    assert moved.first_bad is not None
    assert "cut_unsigned" == moved.first_bad.what


async def test_a_log_of_the_first_release_becomes_a_chain(tmp_path: Path) -> None:
    """What it wrote is chained at the next start, which says so; owners are subjects from then on."""
    await filled(tmp_path)
    write_past(
        tmp_path,
        "DELETE FROM audit_marks",
        "UPDATE audit SET mac = NULL, previous = NULL",
        "UPDATE audit_subjects SET mac = NULL",
        'UPDATE audit SET facts = \'{"z": 1, "a": 2}\' WHERE seq = 2',
    )
    async with opened(tmp_path) as stores:
        entries = await stores.chain.entries(0, limit=50)
    verdict = await verdict_of(tmp_path)

    assert (True, RECORDS + 1) == (verdict.ok, verdict.entries)
    assert ("audit.chain_started", {"records": RECORDS}) == (entries[-1].record.action, dict(entries[-1].record.facts))
    assert '{"a":2,"z":1}' == entries[1].facts


async def test_another_key_has_another_chain(tmp_path: Path) -> None:
    """The keys of two instances differ: nobody signs for another."""
    async with opened(tmp_path / "a") as one, opened(tmp_path / "b", FakeKeyProvider("b")) as other:
        signed = await one.chain.sign(Checkpoint(Kind.HEAD, 1, bytes(32), NOW))

        assert one.chain.is_signed(signed)
        assert not other.chain.is_signed(signed)
