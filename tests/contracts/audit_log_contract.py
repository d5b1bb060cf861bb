"""What every AuditLog promises."""

from __future__ import annotations

import asyncio

import pytest

from keyturn.core.audit.kinds import RecordKind, is_of
from keyturn.core.errors import ValidationFailed
from tests.contracts.all_stores import AllStores
from tests.contracts.samples import NOW, record


class AuditLogContract:
    """Subclass, give a `stores` fixture, write nothing else."""

    async def test_records_come_back_newest_first(self, stores: AllStores) -> None:
        """Every part of a record is kept, and the numbers grow in the order of writing."""
        first, second = record("a.b"), record("c.d", connection=None, owner=None, facts={"x": [1, {"y": None}]})
        await stores.audit.append([first, second])
        listed, cursor = await stores.audit.list()

        assert [second, first] == [each for _, each in listed]
        assert listed[0][0] > listed[1][0]
        assert cursor is None

    async def test_it_is_read_page_by_page(self, stores: AllStores) -> None:
        """Pages neither repeat nor leave out, also when something is added between them."""
        await stores.audit.append([record(f"a.{n}") for n in range(5)])
        page, cursor = await stores.audit.list(limit=2)
        await stores.audit.append([record("a.new")])
        seen = [each.action for _, each in page]
        while cursor is not None:
            page, cursor = await stores.audit.list(cursor=cursor, limit=2)
            seen += [each.action for _, each in page]

        assert ["a.4", "a.3", "a.2", "a.1", "a.0"] == seen

    async def test_it_is_read_by_connection_and_project(self, stores: AllStores) -> None:
        """One connection's timeline has nobody else's records."""
        await stores.audit.append(
            [record("a.1"), record("a.2", connection="cxn_2"), record("a.3", project="other"), record("a.4")]
        )
        timeline, cursor = await stores.audit.list(connection="cxn_1", limit=1)
        rest, _ = await stores.audit.list(connection="cxn_1", cursor=cursor, limit=1)
        others, _ = await stores.audit.list(project="other")

        assert ["a.4", "a.1", "a.3"] == [each.action for _, each in (*timeline, *rest, *others)]

    @pytest.mark.parametrize("kind", list(RecordKind))
    async def test_a_kind_is_read_without_the_others(self, stores: AllStores, kind: RecordKind) -> None:
        """However many others lie between, each page is full; what is left out is of others."""
        actions = (
            "connection.renewed",
            "connection.called",
            "connection.paused",
            "session.created",
            "refresh.answered",
        )
        records = [
            record(action, outcome=outcome)
            for outcome in ("ok", "not_sent", "provider_timeout")
            for action in (*actions, *actions)
        ]
        await stores.audit.append([*records, record("connection.renewed", outcome="x", connection="cxn_2")])
        seen, sizes, cursor = [], [], None
        while True:
            page, cursor = await stores.audit.list(connection="cxn_1", kind=kind, cursor=cursor, limit=2)
            seen += [each for _, each in page]
            sizes.append(len(page))
            if cursor is None:
                break

        assert [each for each in reversed(records) if is_of(kind, each)] == seen
        assert {2} == set(sizes)

    async def test_a_read_is_added_once(self, stores: AllStores) -> None:
        """For each actor and project one since then, also of several at the same moment; one from before is another."""
        reads = [
            record("audit.read", connection=None, owner=None, at=NOW + at, actor=actor, project=project)
            for at, actor, project in ((0.0, "key:a", "default"), (10.0, "key:b", "default"), (10.0, "key:a", "other"))
        ]
        await stores.audit.append([record("connection.called", at=NOW, actor="key:a")])
        crowd = await asyncio.gather(*(stores.audit.append_read(reads[0], since=NOW) for _ in range(5)))
        others = [await stores.audit.append_read(each, since=NOW) for each in reads[1:]]
        late = [await stores.audit.append_read(reads[0], since=since) for since in (NOW, NOW + 0.1)]
        listed, _ = await stores.audit.list()

        assert [False] * 4 + [True] == sorted(crowd)
        assert [True, True] == others
        assert [False, True] == late
        assert 3 == sum(each.action == "audit.read" for _, each in listed)

    @pytest.mark.parametrize("cursor", ["", "zzz", "-", "ü", "9" * 400])
    async def test_a_foreign_cursor_is_refused(self, stores: AllStores, cursor: str) -> None:
        """What this list did not give out is no cursor."""
        await stores.audit.append([record()])

        with pytest.raises(ValidationFailed):
            await stores.audit.list(cursor=cursor)

    async def test_it_is_followed_from_a_number_on(self, stores: AllStores) -> None:
        """Of every project, oldest first, nothing twice and nothing left out."""
        before = await stores.audit.newest()
        await stores.audit.append([record(f"a.{n}", project="other" if n == 1 else "default") for n in range(3)])
        first = await stores.audit.since(before, limit=2)
        rest = await stores.audit.since(first[-1][0], limit=2)
        newest = await stores.audit.newest()

        assert ["a.0", "a.1", "a.2"] == [each.action for _, each in (*first, *rest)]
        assert newest == rest[-1][0]
        assert () == tuple(await stores.audit.since(newest, limit=2))
        assert 0 == before
