"""The chain of routine records, attacked: somebody writes past keyturn, two processes fold at once, one dies in it."""

# ruff: noqa: S608  (the statements are made of this file's own words)

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from keyturn.adapters.anchor_file import JsonAnchorFile
from keyturn.adapters.store.chained import routine
from keyturn.adapters.store.chained.audit_chain import SqlAuditChain
from keyturn.adapters.store.database.audit_tables import audit_routine
from keyturn.adapters.store.opening import Stores
from keyturn.core.audit.chain import Entry
from keyturn.core.audit.exported import check_export
from keyturn.core.audit_record import AuditRecord
from keyturn.core.connection import State
from keyturn.core.errors import AuditUnavailable, StoreUnavailable
from keyturn.engine.actor import Actor
from keyturn.engine.audit.export import ExportAudit
from keyturn.engine.audit.keeping import AuditKeeper
from keyturn.engine.audit.verify import RoutineVerdict, Verdict, VerifyAudit
from keyturn.ports.audit import AuditFilter
from tests.adapters.store.conftest import opened
from tests.adapters.store.test_tampering import write_past
from tests.contracts.samples import NOW, connection, record, secrets
from tests.fakes.clock import FakeClock
from tests.fakes.keys import FakeKeyProvider

DAY_S = 86_400.0
RENEWALS = 6
DAY = NOW // DAY_S * DAY_S
COLUMNS = "at, kind, connection, generation, actor, request_id, attempt, host, sent_at, facts, mac"


def renewed(generation: int, connection_id: str = "cxn_1", *, at: float = NOW) -> AuditRecord:
    """A renewal that succeeded."""
    facts = {"generation": generation, "host": "a.example.com", "attempt": f"att_{generation}", "sent_at": at - 1}
    return record(outcome="ok", actor="scheduler", connection=connection_id, request_id=None, at=at, facts=facts)


async def filled(path: Path) -> None:
    """Six renewals of one connection, and a record of the main chain before and after them."""
    async with opened(path) as stores:
        created = record("connection.created", outcome="ok", facts={"generation": 1})
        await stores.connections.insert(connection(generation=1 + RENEWALS), secrets(), records=[created])
        for n in range(RENEWALS):
            await stores.audit.append([renewed(2 + n, at=NOW + n)])
        await stores.audit.append([record("a.last", outcome="ok")])


async def verdict_of(path: Path, anchor: Path | None = None) -> Verdict:
    """What a later start says of the log."""
    async with opened(path) as stores:
        return await verified(stores, anchor)


async def verified(stores: Stores, anchor: Path | None = None) -> Verdict:
    """What this one says of it."""
    file = JsonAnchorFile(anchor) if anchor is not None else None
    return await VerifyAudit(stores.chain, stores.connections, file)()


async def test_nothing_is_wrong_with_it(tmp_path: Path) -> None:
    """Both chains are right, and the renewals stand in their own."""
    await filled(tmp_path)
    verdict = await verdict_of(tmp_path)

    assert verdict.ok
    assert (2, RENEWALS) == (verdict.entries, verdict.routine.entries)


@pytest.mark.parametrize(
    "statements",
    [
        pytest.param(["DELETE FROM audit_routine WHERE seq = 4"], id="one taken out"),
        pytest.param(["DELETE FROM audit_routine WHERE seq = 2"], id="the first taken out"),
        pytest.param(["DELETE FROM audit_routine WHERE seq = 7"], id="the last taken out"),
        pytest.param(["DELETE FROM audit_routine"], id="all taken out"),
        pytest.param(["DELETE FROM audit_marks WHERE name LIKE 'routine%'"], id="its marks taken out"),
        pytest.param(
            ["DELETE FROM audit_routine", "DELETE FROM audit_marks WHERE name LIKE 'routine%'"], id="both taken out"
        ),
        pytest.param(["UPDATE audit_routine SET seq = 99 WHERE seq = 4"], id="one moved"),
        pytest.param(
            ["UPDATE audit_routine SET seq = 99 WHERE seq = 4", "UPDATE audit_routine SET seq = 4 WHERE seq = 5",
             "UPDATE audit_routine SET seq = 5 WHERE seq = 99"], id="two swapped",
        ),
        pytest.param(
            ["DELETE FROM audit_routine WHERE seq = 5",
             f"INSERT INTO audit_routine (seq, {COLUMNS}) SELECT 5, {COLUMNS} FROM audit_routine WHERE seq = 3"],
            id="an older one put in its place",
        ),
        pytest.param(
            [f"INSERT INTO audit_routine (seq, {COLUMNS}) SELECT 9, {COLUMNS} FROM audit_routine WHERE seq = 7"],
            id="one put in at the end",
        ),
        pytest.param(
            [f"INSERT INTO audit_routine (seq, {COLUMNS}) SELECT 9, {COLUMNS} FROM audit_routine WHERE seq = 7",
             "UPDATE audit_marks SET seq = 9 WHERE name = 'routine head'"], id="one put in at the end, with the mark",
        ),
        pytest.param(
            ["DELETE FROM audit_routine WHERE seq < 5",
             "INSERT INTO audit_marks (name, seq, mac, at, signature) "
             "SELECT 'routine cut', 4, zeroblob(16), 1, zeroblob(64)"], id="cut off without a signature",
        ),
        pytest.param(["UPDATE audit_marks SET mac = zeroblob(16) WHERE name = 'routine head'"], id="its head changed"),
        pytest.param(
            ["DELETE FROM audit_routine WHERE seq = 4",
             "INSERT INTO audit (seq, project, at, action, actor, outcome, connection, facts, previous, mac) "
             "SELECT 4, 'default', at, 'connection.renewed', 'scheduler', 'ok', 'cxn_1', '{}', mac, mac "
             "FROM audit_routine WHERE seq = 3"], id="one put into the main chain",
        ),
        pytest.param(
            ["UPDATE audit_routine SET seq = 8 WHERE seq = 7", "DELETE FROM audit WHERE seq = 8",
             "UPDATE audit_marks SET seq = 8 WHERE name = 'routine head'",
             "UPDATE audit_marks SET seq = 1, mac = (SELECT mac FROM audit WHERE seq = 1) WHERE name = 'head'"],
            id="a main record's place taken",
        ),
    ],
)  # fmt: skip
async def test_rows_that_are_not_where_they_were(tmp_path: Path, statements: list[str]) -> None:
    """Taken out, moved, put in, put back, cut: it is not found right."""
    await filled(tmp_path)
    write_past(tmp_path, *statements)
    verdict = await verdict_of(tmp_path)

    assert not verdict.ok


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("at", "at + 0.001"), ("kind", "2"), ("kind", "9"), ("connection", "'cxn_9'"), ("generation", "generation + 1"),
        ("generation", "NULL"), ("actor", "'key:2'"), ("request_id", "''"), ("attempt", "NULL"), ("attempt", "''"),
        ("host", "'b.example.com'"), ("sent_at", "sent_at + 0.001"), ("facts", "'{}'"), ("facts", "'nonsense'"),
        ("mac", "zeroblob(16)"), ("mac", "zeroblob(0)"), ("at", "'soon'"), ("kind", "'x'"), ("generation", "'x'"),
    ],
)  # fmt: skip
async def test_each_column_counts(tmp_path: Path, column: str, value: str) -> None:
    """Whatever of a record is changed, that record is named; a list of the log goes on."""
    await filled(tmp_path)
    write_past(tmp_path, f"UPDATE audit_routine SET {column} = {value} WHERE seq = 4")
    verdict = await verdict_of(tmp_path)
    async with opened(tmp_path) as stores:
        listed, _ = await stores.chain.page(AuditFilter(), cursor=None, limit=50)

    assert verdict.routine.fault is not None
    assert not verdict.ok
    assert (4, 2) == (verdict.routine.fault.seq, verdict.routine.entries)
    assert RENEWALS + 2 - len(listed) in (0, 1)  # without connection it may be nobody's


async def test_an_end_that_was_cut_off_with_care_shows_by_the_anchor(tmp_path: Path) -> None:
    """Who also moves the head of the routine chain back: the head outside knows of more."""
    await filled(tmp_path)
    async with opened(tmp_path) as stores:
        file = JsonAnchorFile(tmp_path / "anchor")
        keeper = AuditKeeper(stores.chain, FakeClock(auto=True), stores.leases, anchor_file=file)
        await keeper.anchor()
    whole = await verdict_of(tmp_path, tmp_path / "anchor")
    write_past(
        tmp_path,
        "DELETE FROM audit_routine WHERE seq > 4",
        "UPDATE audit_marks SET seq = 4, mac = (SELECT mac FROM audit_routine WHERE seq = 4)"
        " WHERE name = 'routine head'",
    )
    verdict = await verdict_of(tmp_path, tmp_path / "anchor")

    assert (True, 2) == (whole.ok, whole.anchors.checked)
    assert verdict.routine.fault is not None
    assert "cut_off" == verdict.routine.fault.what


async def test_the_routine_head_is_anchored_when_it_alone_moved(tmp_path: Path) -> None:
    """A broker that only renews has a main chain that stands still for hours."""
    await filled(tmp_path)
    async with opened(tmp_path) as stores:
        file = JsonAnchorFile(tmp_path / "anchor")
        keeper = AuditKeeper(stores.chain, FakeClock(auto=True), stores.leases, anchor_file=file)
        await keeper.anchor()
        before = len(await file.read())
        await stores.audit.append([renewed(99)])
        await keeper.anchor()
        after = len(await file.read())

    assert after > before


@pytest.mark.parametrize("sent_at", [5, 5.0, 1e15, 0.1 + 0.2])
async def test_what_is_read_is_what_was_chained(tmp_path: Path, sent_at: float) -> None:
    """Whatever number type a fact had when it was written."""
    async with opened(tmp_path) as stores:
        await stores.connections.insert(connection(generation=2), secrets())
        one = renewed(2)
        await stores.audit.append([replace(one, facts={**one.facts, "sent_at": sent_at}), replace(one, at=5)])
    verdict = await verdict_of(tmp_path)

    assert verdict.routine.fault is None
    assert verdict.ok


async def busy(stores: Stores, *, connections: int = 4, days: int = 3, each: int = 3) -> None:
    """Renewals of some connections on some days; all are to be folded at DAY + 10 days."""
    for n in range(connections):
        await stores.connections.insert(connection(f"cxn_{n}", generation=1 + days * each), secrets())
    for day in range(days):
        for m in range(each):
            for n in range(connections):
                at = DAY + day * DAY_S + m * 3600
                await stores.audit.append([renewed(2 + day * each + m, f"cxn_{n}", at=at)])


async def told(stores: Stores) -> Counter[str]:
    """How many renewals the main chain tells of each connection."""
    counts: Counter[str] = Counter()
    for entry in await stores.chain.entries(0, limit=10_000):
        if entry.record.action == "connection.renewals":
            counts[str(entry.record.connection)] += entry.record.facts["count"]
    return counts


EACH = {f"cxn_{n}": 9 for n in range(4)}


async def test_days_are_told_once(tmp_path: Path) -> None:
    """One record a connection and day; then nothing is left of them, and both chains are right."""
    async with opened(tmp_path) as stores:
        await busy(stores)
        days = await stores.chain.fold(before=DAY + 10 * DAY_S, at=DAY + 13 * DAY_S)
        again = await stores.chain.fold(before=DAY + 10 * DAY_S, at=DAY + 13 * DAY_S)
        found = await told(stores)
        verdict = await verified(stores)
        listed, _ = await stores.audit.list(connection="cxn_1", limit=50)

    assert (12, 0, EACH) == (days, again, dict(found))
    assert verdict.ok
    assert ["connection.renewals"] * 3 == [each.action for _, each in listed]
    assert [(8, 10), (5, 7), (2, 4)] == [
        (each.facts["first_generation"], each.facts["generation"]) for _, each in listed
    ]
    assert {"owner-1"} == {each.owner for _, each in listed}


async def test_two_that_fold_at_once(tmp_path: Path) -> None:
    """Two processes whose jobs overlap count nothing twice."""
    async with opened(tmp_path) as one, opened(tmp_path) as other:
        await busy(one)
        await asyncio.gather(
            *(each.chain.fold(before=DAY + 10 * DAY_S, at=DAY + 13 * DAY_S) for each in (one, other, one, other))
        )
        found = await told(one)
        verdict = await verified(one)

    assert EACH == dict(found)
    assert verdict.ok


@pytest.mark.parametrize("writes", range(6))
async def test_one_that_dies_in_the_middle(tmp_path: Path, writes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """After any number of its commits: the next one ends the work, and nothing is told twice or lost."""
    monkeypatch.setattr("keyturn.adapters.store.chained.folding.CONNECTIONS_AT_ONCE", 1)
    async with opened(tmp_path) as stores:
        await busy(stores)
        chain = stores.chain
        assert isinstance(chain, SqlAuditChain)
        database = chain._database
        true_write, left = database.write, [writes]

        async def write(body: object) -> object:
            if left[0] == 0:
                raise StoreUnavailable("killed")
            left[0] -= 1
            return await true_write(body)  # type: ignore[arg-type]

        monkeypatch.setattr(database, "write", write)
        with pytest.raises(StoreUnavailable):
            await chain.fold(before=DAY + 10 * DAY_S, at=DAY + 13 * DAY_S)
        monkeypatch.setattr(database, "write", true_write)
        in_between = await verified(stores)
    async with opened(tmp_path) as stores:
        await stores.audit.append([renewed(50, "cxn_1", at=DAY + 9.5 * DAY_S)])  # late, and in no day that is told
        await stores.chain.fold(before=DAY + 10 * DAY_S, at=DAY + 14 * DAY_S)
        await stores.chain.fold(before=DAY + 10 * DAY_S, at=DAY + 14 * DAY_S)
        found = await told(stores)
        verdict = await verified(stores)

    assert in_between.ok
    assert {**EACH, "cxn_1": 10} == dict(found)
    assert verdict.first_bad is None
    assert verdict.routine.fault is None


async def test_lists_are_ordered_by_time(tmp_path: Path) -> None:
    """Also where days were told in between; and a page goes on where the one before it ended."""
    async with opened(tmp_path) as stores:
        await busy(stores)
        await stores.audit.append([record("a.before", at=DAY + 5 * DAY_S, connection="cxn_1")])
        await stores.chain.fold(before=DAY + 2 * DAY_S, at=DAY + 6 * DAY_S)
        await stores.audit.append([record("a.after", at=DAY + 7 * DAY_S, connection="cxn_1")])
        seen, cursor = list[tuple[int, AuditRecord]](), None
        while True:
            page, cursor = await stores.audit.list(connection="cxn_1", cursor=cursor, limit=2)
            seen += page
            if cursor is None:
                break
    times, numbers = [each.at for _, each in seen], [seq for seq, _ in seen]

    assert 7 == len(seen)
    assert sorted(times, reverse=True) == times
    assert len(set(numbers)) == len(numbers)


async def test_a_record_that_is_listed_is_found_by_its_number(tmp_path: Path) -> None:
    """Each line of the audit page leads to its record."""
    await filled(tmp_path)
    async with opened(tmp_path) as stores:
        listed, _ = await stores.chain.page(AuditFilter(), cursor=None, limit=50)
        found = [await stores.chain.entry(seq) for seq, _ in listed]

    assert [each.action for _, each in listed] == [each and each.record.action for each in found]


async def test_an_erased_person_has_no_name(tmp_path: Path) -> None:
    """Neither in a list, nor in the file, also where days are told after that."""
    async with opened(tmp_path) as stores:
        gone = connection(generation=9, owner="ada-lovelace", state=State.DISCONNECTED)
        await stores.connections.insert(gone, secrets(), records=[record("connection.created", owner="ada-lovelace")])
        await stores.audit.append([replace(renewed(2, at=DAY), owner="ada-lovelace")])
        before, _ = await stores.chain.page(AuditFilter(owner="ada-lovelace"), cursor=None, limit=9)
        subject = await stores.chain.subject_of("ada-lovelace")
        await stores.chain.erase("ada-lovelace", records=[record("owner.erased", owner="ada-lovelace")])
        listed, _ = await stores.chain.page(AuditFilter(owner=subject), cursor=None, limit=9)
        await stores.chain.fold(before=DAY + 10 * DAY_S, at=DAY + 13 * DAY_S)
        folded, _ = await stores.audit.list(connection="cxn_1")
        everything, _ = await stores.chain.page(AuditFilter(), cursor=None, limit=50)
    content = (tmp_path / "keyturn.db").read_bytes()

    assert 2 == len(before)
    assert 3 == len(listed)
    assert "connection.renewals" in {each.action for _, each in folded}
    assert {subject} == {each.owner for _, each in everything}
    assert b"ada-lovelace" not in content


async def test_another_projects_records_stay_there(tmp_path: Path) -> None:
    """In lists by project, and after their days were told; also where the connection's row is gone."""
    async with opened(tmp_path) as stores:
        row = connection("cxn_9", project="other", generation=2, state=State.DISCONNECTED, disconnected_at=NOW)
        await stores.connections.insert(row, secrets())
        await stores.audit.append([replace(renewed(2, "cxn_9", at=DAY), project="other")])
        theirs, _ = await stores.chain.page(AuditFilter(), cursor=None, limit=9, project="other")
        ours, _ = await stores.chain.page(AuditFilter(), cursor=None, limit=9)
        await stores.connections.purge(disconnected_before=NOW + 1)
        after, _ = await stores.chain.page(AuditFilter(), cursor=None, limit=9)
        await stores.chain.fold(before=DAY + 10 * DAY_S, at=DAY + 13 * DAY_S)
        folded, _ = await stores.chain.page(AuditFilter(), cursor=None, limit=9)

    assert (1, []) == (len(theirs), list(ours))
    assert ([], []) == (list(after), list(folded))


async def test_two_processes_hear_of_a_renewal(tmp_path: Path) -> None:
    """What one wrote, the other reads after the number that it saw last, once and in order."""
    async with opened(tmp_path) as one, opened(tmp_path) as other:
        await one.connections.insert(connection(generation=2), secrets(), records=[record("connection.created")])
        seen = await other.audit.newest()
        await one.audit.append([renewed(2), record("a.main"), renewed(3)])
        found = await other.audit.since(seen, limit=10)
        newest = await other.audit.newest()

    assert ["connection.renewed", "a.main", "connection.renewed"] == [each.action for _, each in found]
    assert (newest, [2, 3]) == (found[-1][0], [e.facts["generation"] for _, e in found if "attempt" in e.facts])


async def test_both_are_exported(tmp_path: Path) -> None:
    """In the order of their numbers, each tied to the one before in its chain; a line taken out shows."""
    await filled(tmp_path)
    async with opened(tmp_path) as stores:
        export = ExportAudit(stores.chain, stores.audit, FakeClock(auto=True))
        lines = b"".join([piece async for piece in await export.begin(Actor("key:1"))]).splitlines(keepends=True)
        _, entries, fault = check_export(lines, stores.chain.is_signed)
        _, _, missing = check_export([*lines[:3], *lines[4:]], stores.chain.is_signed)
    chains = [json.loads(each).get("chain") for each in lines[:-1]]

    assert (RENEWALS + 3, None) == (entries, fault)
    assert [None, *["routine"] * RENEWALS, None, None] == chains
    assert missing is not None
    assert [] == [each for each in lines if b"owner-1" in each]


async def test_both_are_sent(tmp_path: Path) -> None:
    """A sink gets the records of both in the order of their numbers, each once."""
    await filled(tmp_path)
    got: list[Entry] = []

    class Sink:
        async def send(self, entries: Sequence[Entry]) -> None:
            got.extend(entries)

        async def close(self) -> None:
            pass

    async with opened(tmp_path) as stores:
        keeper = AuditKeeper(stores.chain, FakeClock(auto=True), stores.leases, sink=Sink())
        await keeper.send()
        await stores.audit.append([renewed(30), record("a.main", outcome="ok"), renewed(31)])
        await keeper.send()
        await keeper.send()

    assert ["connection.renewed", "a.main", "connection.renewed"] == [each.record.action for each in got]
    assert [9, 10, 11] == [each.seq for each in got]


async def test_nothing_is_asked_of_an_idle_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Until any process commits, whichever it is."""
    async with opened(tmp_path) as one, opened(tmp_path) as other:
        await one.connections.insert(connection(generation=2), secrets(), records=[record("connection.created")])
        log = other.audit
        database, asked = log._database, list[int]()
        seen = await log.newest()
        await log.since(seen, limit=10)
        true_read = database.read_together

        async def counted(body: Callable[[sa.Connection], object]) -> object:
            asked.append(1)
            return await true_read(body)

        monkeypatch.setattr(database, "read_together", counted)
        idle = [await log.since(seen, limit=10) for _ in range(3)]
        before = len(asked)
        earlier = await log.since(seen - 1, limit=10)
        await one.audit.append([renewed(2)])
        after = await log.since(seen, limit=10)
        await other.audit.append([renewed(3)])
        own = await log.since(after[-1][0], limit=10)

    assert ([(), (), ()], 0) == (idle, before)
    assert ["connection.created"] == [each.action for _, each in earlier]
    assert [2, 3] == [each.facts["generation"] for _, each in (*after, *own)]


async def test_a_log_of_the_release_before_keeps_its_renewals(tmp_path: Path) -> None:
    """They stay in the main chain, and the other begins beside it."""
    await filled(tmp_path)
    write_past(
        tmp_path, "DROP TABLE audit_routine", "DROP INDEX audit_told",
        "DELETE FROM audit_marks WHERE name LIKE 'routine%'",
        "UPDATE alembic_version SET version_num = '0022'",
    )  # fmt: skip
    async with opened(tmp_path) as stores:
        before = await verified(stores)
        await stores.audit.append([renewed(6), renewed(7)])
        after = await verified(stores)

    assert (True, 2, 0) == (before.ok, before.entries, before.routine.entries)
    assert (True, 2, 2) == (after.ok, after.entries, after.routine.entries)


async def test_a_key_that_is_given_up_begins_both_anew(tmp_path: Path) -> None:
    """What is there is chained under the new key."""
    await filled(tmp_path)
    async with opened(tmp_path, FakeKeyProvider("b"), lost_key=FakeKeyProvider().key_id) as stores:
        verdict = await verified(stores)
        listed, _ = await stores.chain.page(AuditFilter(action="connection.renewed"), cursor=None, limit=50)

    assert verdict.first_bad is None
    assert verdict.routine == RoutineVerdict(RENEWALS)
    assert RENEWALS == len(listed)


@pytest.mark.parametrize(
    ("seq", "mac"), [pytest.param(99, "'zzz'", id="text"), pytest.param(3, "x'7a7a7a'", id="bytes")]
)
async def test_a_mark_that_somebody_wrote_cuts_nothing(tmp_path: Path, seq: int, mac: str) -> None:
    """Who says that all is told, without the key, has nothing taken away."""
    await filled(tmp_path)
    write_past(
        tmp_path,
        "INSERT INTO audit_marks (name, seq, mac, at, signature)"
        f" VALUES ('routine fold', {seq}, {mac}, 1, zeroblob(64))",
    )
    async with opened(tmp_path) as stores:
        with pytest.raises(AuditUnavailable):
            await stores.chain.fold(before=NOW + 10 * DAY_S, at=NOW + 13 * DAY_S)
        verdict = await verified(stores)

    assert (True, RENEWALS) == (verdict.ok, verdict.routine.entries)


async def test_lists_begin_with_the_newest_or_with_the_few(tmp_path: Path) -> None:
    """No list sorts all records, or reads those of everybody for those of one."""
    plans = []
    async with opened(tmp_path) as stores:
        await stores.connections.insert(connection(generation=2), secrets())
        chain = stores.chain
        assert isinstance(chain, SqlAuditChain)

        def explained(tx: sa.Connection) -> None:
            for which in (AuditFilter(), AuditFilter(owner="owner-1"), AuditFilter(connection="cxn_1")):
                chosen = routine.conditions(tx, which, "default")
                query = routine.ROWS.where(routine.in_project("default"), *(chosen or ()))
                query = query.order_by(audit_routine.c.seq.desc()).limit(51)
                text = query.compile(tx, compile_kwargs={"literal_binds": True})
                plans.append(" / ".join(row[3] for row in tx.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}")))

        await chain._database.read(explained)

    assert plans[0].startswith("SCAN audit_routine / SEARCH connections")
    assert "SEARCH audit_routine USING INDEX audit_routine_by_connection" in plans[1]
    assert "SEARCH audit_routine USING INDEX audit_routine_by_connection" in plans[2]
    assert "TEMP B-TREE" not in plans[0]


async def test_what_is_kept_of_a_renewal_is_small(tmp_path: Path) -> None:
    """At most 250 bytes of the file, its index included."""
    count, spread = 2000, 100
    async with opened(tmp_path) as stores:
        for n in range(spread):
            await stores.connections.insert(connection(f"cxn_{n:024d}"), secrets())
        await stores.chain._database.empty_journal()
        before = (tmp_path / "keyturn.db").stat().st_size
        long = {"host": "login.provider.example.com", "sent_at": NOW}
        for n in range(count):
            facts = {"generation": n // spread, "attempt": f"att_{n:024d}", **long}
            await stores.audit.append([replace(renewed(2, f"cxn_{n % spread:024d}", at=NOW + n / 7), facts=facts)])
        await stores.chain._database.empty_journal()
        grown = (tmp_path / "keyturn.db").stat().st_size - before

    assert grown / count < 250


async def test_the_board_counts_the_days_that_were_told(tmp_path: Path) -> None:
    """As many renewals before days are told as after, each in its day; nothing from outside the time."""
    async with opened(tmp_path) as stores:
        await busy(stores)
        spans = [(DAY, DAY + 3 * DAY_S), (DAY + DAY_S, DAY + 2 * DAY_S)]
        before = [await stores.overview.renewals(*span, DAY_S) for span in spans]
        first = await stores.overview.recorded_since()
        await stores.chain.fold(before=DAY + 2 * DAY_S, at=DAY + 5 * DAY_S)
        after = [await stores.overview.renewals(*span, DAY_S) for span in spans]
        still = await stores.overview.recorded_since()

    assert [[12, 12, 12], [12]] == [[each.count for each in some] for some in before]
    assert before == after
    assert (DAY, DAY) == (first, still)
