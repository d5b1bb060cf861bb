"""What every AuditChain promises."""

from __future__ import annotations

from dataclasses import replace

import pytest

from keyturn.core.audit.chain import START, SUBJECT
from keyturn.core.audit.checkpoint import Checkpoint, Kind
from keyturn.core.audit_record import AuditRecord
from keyturn.core.connection import State
from keyturn.core.errors import ValidationFailed
from keyturn.ports.audit import AuditFilter
from keyturn.ports.challenges import ChallengeState, PendingLogin
from keyturn.ports.jobs import Job
from tests.contracts.all_stores import AllStores
from tests.contracts.samples import NOW, api_key, challenge, connection, record, secrets, session


class AuditChainContract:
    """Subclass, give a `stores` fixture, write nothing else."""

    async def test_each_record_is_tied_to_the_one_before(self, stores: AllStores) -> None:
        """Numbers without a gap, each with the MAC of the one before, from zeros on; the head is the last one."""
        await stores.audit.append([record("a.1"), record("a.2", project="other")])
        await stores.audit.append([record("a.3", owner=None)])
        entries = await stores.chain.entries(0, limit=10)
        bounds = await stores.chain.bounds()

        assert [1, 2, 3] == [each.seq for each in entries]
        assert [START, entries[0].mac, entries[1].mac] == [each.previous for each in entries]
        assert ((0, START), (3, entries[2].mac)) == (bounds.start, bounds.head)
        assert bounds.fault is None
        assert ["a.1", "a.2", "a.3"] == [each.record.action for each in entries]

    async def test_records_of_any_write_are_chained(self, stores: AllStores) -> None:
        """Not only those that are appended alone."""
        await stores.connections.insert(connection(), secrets(), records=[record("connection.created")])
        await stores.sessions.add(session(), records=[record("session.created"), record("session.noted")])
        found, fault = await stores.chain.check((0, START), until=3, limit=10)

        assert ([1, 2, 3], None) == ([each.seq for each in found], fault)

    async def test_it_is_checked_in_parts(self, stores: AllStores) -> None:
        """From any record on whose MAC is known, and from no other."""
        await stores.audit.append([record(f"a.{n}") for n in range(5)])
        first, no_fault = await stores.chain.check((0, START), until=5, limit=2)
        rest, fault = await stores.chain.check((2, first[1].mac), until=4, limit=10)
        wrong, unlinked = await stores.chain.check((2, first[0].mac), until=5, limit=10)

        assert (None, None, [1, 2], [3, 4]) == (no_fault, fault, [e.seq for e in first], [e.seq for e in rest])
        assert unlinked is not None
        assert ([], 3, "unlinked") == (list(wrong), unlinked.seq, unlinked.what)

    async def test_a_person_is_a_subject(self, stores: AllStores) -> None:
        """The same one for the same owner of a project, another for anybody else; lists show the owner."""
        await stores.audit.append(
            [record("a.1"), record("a.2", owner="owner-2"), record("a.3"), record("a.4", project="other")]
        )
        entries = await stores.chain.entries(0, limit=10)
        subjects = [each.subject or "" for each in entries]

        assert all(SUBJECT.fullmatch(each) for each in subjects)
        assert subjects[0] == subjects[2]
        assert 3 == len(set(subjects))
        assert subjects[0] == await stores.chain.subject_of("owner-1")
        assert ["owner-1", "owner-2", "owner-1", "owner-1"] == [each.record.owner for each in entries]
        assert await stores.chain.subject_of("nobody") is None
        assert [] == list(await stores.chain.strangers())

    async def test_an_erased_person_has_no_name(self, stores: AllStores) -> None:
        """Neither in the log, nor in tombstones, nor in sessions; the chain holds, and others keep theirs."""
        await stores.audit.append([record("a.1"), record("a.2", owner="owner-2")])
        before = await stores.chain.entries(0, limit=10)
        await stores.connections.insert(connection("cxn_1", state=State.DISCONNECTED), secrets())
        await stores.connections.insert(connection("cxn_2", owner="owner-2", state=State.DISCONNECTED), secrets())
        await stores.sessions.add(session())
        number = await stores.chain.erase("owner-1", records=[record("owner.erased", connection=None)])
        tombstone = await stores.connections.load("cxn_1")
        other = await stores.connections.load("cxn_2")
        found, fault = await stores.chain.check((0, START), until=3, limit=10)
        listed, _ = await stores.audit.list()

        assert (2, None, 3) == (number, fault, len(found))
        assert tombstone is not None
        assert other is not None
        assert (before[0].subject, "", "") == (tombstone.owner, tombstone.name, tombstone.unique_id)
        assert "owner-2" == other.owner
        assert await stores.sessions.load("ses_1") is None
        assert [before[0].mac, before[1].mac] == [each.mac for each in found[:2]]
        assert [before[0].subject, "owner-2", before[0].subject] == [each.owner for _, each in listed[::-1]]
        assert await stores.chain.subject_of("owner-1") is None

    async def test_what_names_an_erased_person_among_others(self, stores: AllStores) -> None:
        """Challenges go, ended ones too; a job's filter and a key's limits name the subject, and are no wider."""
        login = PendingLogin("ada")
        for name, owner in (("chl_1", "owner-1"), ("chl_2", "owner-2")):
            row = await stores.challenges.add(challenge(name, owner=owner), login)
            await stores.challenges.save(replace(row, state=ChallengeState.FAILED), wipe=True)
        about = {"action": "test", "filter": {"connector": "owner-1", "owner": "owner-1"}, "owners": ["a", "owner-1"]}
        await stores.jobs.add(Job("job_1", "connection.bulk", NOW, NOW, about))
        await stores.jobs.add(Job("job_2", "connection.bulk", NOW, NOW, {**about, "owners": []}, project="other"))
        await stores.api_keys.add(api_key("key_1", owners=frozenset({"owner-1"})))
        await stores.api_keys.add(api_key("key_2", owners=frozenset({"owner-10"})))
        await stores.audit.append([record()])
        subject = await stores.chain.subject_of("owner-1")
        number = await stores.chain.erase("owner-1", records=[record("owner.erased")])
        job, other = await stores.jobs.load("job_1"), await stores.jobs.load("job_2", project="other")
        keys = [await stores.api_keys.load(each) for each in ("key_1", "key_2")]

        assert 3 == number
        assert [None, "chl_2"] == [
            row and row.id for row in [await stores.challenges.load(each) for each in ("chl_1", "chl_2")]
        ]
        assert job is not None
        assert other is not None
        assert {"connector": "owner-1", "owner": subject} == dict(job.arguments["filter"])
        assert ["a", subject] == list(job.arguments["owners"])
        assert "owner-1" == other.arguments["filter"]["owner"]
        assert [{subject}, {"owner-10"}] == [key and key.owners for key in keys]

    async def test_what_happens_to_a_tombstone_names_nobody_anew(self, stores: AllStores) -> None:
        """A later record of it is of the same subject; somebody with the old name is somebody else."""
        await stores.connections.insert(connection(state=State.DISCONNECTED), secrets(), records=[record()])
        await stores.chain.erase("owner-1", records=[record("owner.erased")])
        tombstone = await stores.connections.load("cxn_1")
        assert tombstone is not None
        await stores.connections.save(tombstone, records=[record("connection.disconnected", owner=tombstone.owner)])
        await stores.audit.append([record("a.new")])
        entries = await stores.chain.entries(0, limit=10)

        assert 1 == len({each.subject for each in entries[:3]})
        assert entries[3].subject != entries[0].subject

    async def test_what_is_not_ended_is_left_alone(self, stores: AllStores) -> None:
        """A connection that was made meanwhile has to be disconnected first."""
        await stores.connections.insert(connection(), secrets())
        number = await stores.chain.erase("owner-1", records=[record("owner.erased")])

        assert 0 == number
        assert connection() == await stores.connections.load("cxn_1")

    async def test_one_record_is_read(self, stores: AllStores) -> None:
        """With its place in the chain; another project's is none."""
        await stores.audit.append([record("a.1"), record("a.2", project="other")])
        found = await stores.chain.entry(1)

        assert found == (await stores.chain.entries(0, limit=1))[0]
        assert await stores.chain.entry(2) is None
        assert await stores.chain.entry(3) is None

    @pytest.mark.parametrize(
        ("which", "expected"),
        [
            pytest.param(AuditFilter(), ["a.1", "a.2", "a.3"], id="all"),
            pytest.param(AuditFilter(actor="key:2"), ["a.2"], id="actor"),
            pytest.param(AuditFilter(action="a.3"), ["a.3"], id="action"),
            pytest.param(AuditFilter(owner="owner-2"), ["a.2"], id="owner"),
            pytest.param(AuditFilter(owner="nobody"), [], id="owner of nothing"),
            pytest.param(AuditFilter(connection="cxn_3"), ["a.3"], id="connection"),
            pytest.param(AuditFilter(connector="other"), ["a.3"], id="connector"),
            pytest.param(AuditFilter(outcome="ok"), ["a.2"], id="outcome"),
            pytest.param(AuditFilter(without=frozenset({"a.1", "a.3"})), ["a.2"], id="without actions"),
            pytest.param(AuditFilter(since=NOW + 1), ["a.2", "a.3"], id="since is included"),
            pytest.param(AuditFilter(until=NOW + 1), ["a.1"], id="until is not"),
            pytest.param(AuditFilter(connectors=frozenset({"acme"})), ["a.1", "a.2"], id="limited to connectors"),
            pytest.param(AuditFilter(action="a.2", actor="key:1"), [], id="all of them have to fit"),
        ],
    )
    async def test_it_is_filtered(self, stores: AllStores, which: AuditFilter, expected: list[str]) -> None:
        """By each part of a record."""
        await stores.audit.append(
            [
                record("a.1"),
                record("a.2", actor="key:2", owner="owner-2", outcome="ok", at=NOW + 1),
                record("a.3", connection="cxn_3", connector="other", at=NOW + 2),
                record("a.4", project="other"),
            ]
        )
        found, cursor = await stores.chain.page(which, cursor=None, limit=10)

        assert (expected[::-1], None) == ([each.action for _, each in found], cursor)

    async def test_a_filter_by_subject(self, stores: AllStores) -> None:
        """Where the name is erased, the subject still finds what happened."""
        await stores.audit.append([record("a.1"), record("a.2", owner="owner-2")])
        subject = await stores.chain.subject_of("owner-1")
        await stores.chain.erase("owner-1", records=[record("owner.erased")])
        found, _ = await stores.chain.page(AuditFilter(owner=subject), cursor=None, limit=10)

        assert [("owner.erased", subject), ("a.1", subject)] == [(each.action, each.owner) for _, each in found]

    async def test_filtered_pages(self, stores: AllStores) -> None:
        """Neither repeated nor left out; a foreign cursor is refused."""
        await stores.audit.append([record(f"a.{n % 2}") for n in range(6)])
        seen, cursor = [], None
        while True:
            page, cursor = await stores.chain.page(AuditFilter(action="a.1"), cursor=cursor, limit=2)
            seen += [seq for seq, _ in page]
            if cursor is None:
                break

        assert [6, 4, 2] == seen
        with pytest.raises(ValidationFailed):
            await stores.chain.page(AuditFilter(), cursor="zzz", limit=2)

    async def test_a_signature_is_over_all_of_it(self, stores: AllStores) -> None:
        """Whatever is changed, it is not signed any more; the public key in it does not count."""
        made = Checkpoint(Kind.EXPORT, 7, bytes(range(32)), NOW, entries=3, digest=b"d" * 32)
        signed = await stores.chain.sign(made)
        changes = (
            {"kind": Kind.HEAD},
            {"seq": 8},
            {"mac": bytes(32)},
            {"at": NOW + 1},
            {"entries": 4},
            {"digest": b""},
        )

        assert stores.chain.is_signed(signed)
        assert not stores.chain.is_signed(made)
        assert [] == [each for each in changes if stores.chain.is_signed(replace(signed, **each))]

    async def test_old_records_are_cut_off(self, stores: AllStores) -> None:
        """The oldest ones, as long as all are older; the chain holds from there on, and says that it was cut."""
        await stores.audit.append([record(f"a.{n}", at=NOW + at) for n, at in enumerate((1, 2, 9, 3, 10))])
        before = await stores.chain.entries(0, limit=10)
        number = await stores.chain.cut(before=NOW + 5, at=NOW + 20)
        bounds = await stores.chain.bounds()
        found, fault = await stores.chain.check(bounds.start, until=bounds.head[0], limit=10)

        assert (2, None, None) == (number, bounds.fault, fault)
        assert (2, before[1].mac) == bounds.start
        assert ["a.2", "a.3", "a.4", "audit.cut"] == [each.record.action for each in found]
        assert {"records": 2, "through": 2, "mac": before[1].mac.hex()} == dict(found[3].record.facts)
        assert 0 == await stores.chain.cut(before=NOW + 5, at=NOW + 21)

    async def test_the_newest_record_is_never_cut_off(self, stores: AllStores) -> None:
        """A log that is old as a whole keeps its end; an empty one has nothing to cut."""
        empty = await stores.chain.cut(before=NOW + 99, at=NOW + 99)
        await stores.audit.append([record("a.1"), record("a.2")])
        number = await stores.chain.cut(before=NOW + 99, at=NOW + 99)

        assert (0, 1) == (empty, number)
        assert ["a.2", "audit.cut"] == [each.record.action for each in await stores.chain.entries(0, limit=9)]

    async def test_what_a_sink_was_sent(self, stores: AllStores) -> None:
        """Nothing at first; then what was noted last, for each sink."""
        before = await stores.chain.sent("syslog")
        await stores.chain.note_sent("syslog", 3, at=NOW)
        await stores.chain.note_sent("syslog", 5, at=NOW)
        await stores.chain.note_sent("other", 1, at=NOW)

        assert (None, 5, 1) == (before, await stores.chain.sent("syslog"), await stores.chain.sent("other"))

    async def test_when_it_was_verified(self, stores: AllStores) -> None:
        """Never at first; then the last time, which no sink's mark is taken for."""
        before = await stores.chain.verified_at()
        await stores.chain.note_verified(3, at=NOW)
        await stores.chain.note_verified(3, at=NOW + 5)
        await stores.chain.note_sent("verified", 1, at=NOW + 9)

        assert (None, NOW + 5) == (before, await stores.chain.verified_at())

    async def test_routine_records_have_a_chain_of_their_own(self, stores: AllStores) -> None:
        """Both count with the same numbers; what failed is no routine, nor what its connection does not tell."""
        await stores.connections.insert(connection(), secrets(), records=[record("connection.created")])
        await stores.audit.append([renewed(2), record("a.main"), renewed(3), record("connection.renewed")])
        main = await stores.chain.entries(0, limit=10)
        both = await stores.chain.both(0, limit=10)
        bounds = await stores.chain.routine_bounds()
        checked, fault = await stores.chain.check_routine(bounds.start, until=bounds.head[0], limit=10)
        listed, _ = await stores.audit.list(limit=10)

        assert [(1, False), (2, True), (3, False), (4, True), (5, False)] == [(e.seq, e.routine) for e in both]
        assert [1, 3, 5] == [each.seq for each in main]
        assert ([2, 4], None, None) == ([each.seq for each in checked], fault, bounds.fault)
        assert ((0, bytes(16)), (4, both[3].mac)) == (bounds.start, bounds.head)
        assert [both[0].mac, both[2].mac] == [both[2].previous, both[4].previous]
        assert (bytes(16), both[1].mac) == (both[1].previous, both[3].previous)
        assert [5, 4, 3, 2, 1] == [seq for seq, _ in listed]
        assert both[3] == await stores.chain.entry(4)
        assert {"owner-1"} == {each.record.owner for each in both}

    async def test_days_that_are_over_are_told(self, stores: AllStores) -> None:
        """Of each connection, day and kind in one record; those records are gone then, and later ones stay."""
        day = NOW // 86_400 * 86_400
        await stores.connections.insert(connection(), secrets())
        await stores.audit.append([renewed(2, at=day), renewed(3, at=day + 9), renewed(4, at=day + 86_400)])
        await stores.audit.append([renewed(5, at=day + 3 * 86_400)])
        number = await stores.chain.fold(before=day + 2 * 86_400, at=day + 5 * 86_400)
        again = await stores.chain.fold(before=day + 2 * 86_400, at=day + 5 * 86_400)
        found = await stores.chain.both(0, limit=10)
        bounds = await stores.chain.routine_bounds()
        checked, fault = await stores.chain.check_routine(bounds.start, until=bounds.head[0], limit=10)

        assert (2, 0) == (number, again)
        assert [(4, "connection.renewed"), (5, "connection.renewals"), (6, "connection.renewals")] == [
            (each.seq, each.record.action) for each in found
        ]
        assert {
            "day": "2023-11-14", "count": 2, "first_generation": 2, "generation": 3, "hosts": ["a.example.com"]
        } == dict(found[1].record.facts)  # fmt: skip
        assert ("owner-1", "acme", day + 5 * 86_400) == (
            found[1].record.owner, found[1].record.connector, found[1].record.at,
        )  # fmt: skip
        assert (3, [4], None) == (bounds.start[0], [each.seq for each in checked], fault)
        assert await stores.chain.entry(2) is None


def renewed(generation: int, *, at: float = NOW) -> AuditRecord:
    """A renewal that succeeded."""
    facts = {"generation": generation, "host": "a.example.com"}
    return record(outcome="ok", request_id=None, at=at, facts=facts)
