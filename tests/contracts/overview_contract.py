"""What every Overview promises."""

from __future__ import annotations

from dataclasses import replace

import pytest

from keyturn.core.audit.kinds import RecordKind
from keyturn.core.audit.timeline import TimelineRow
from keyturn.core.connection import State
from keyturn.core.errors import ValidationFailed
from keyturn.core.observing.call_hour import CallHour
from keyturn.ports.overview import Backlog, Ending, Expiry, Need, SessionFilter, Standing, Tally, Trouble
from keyturn.ports.store import ConnectionFilter, Use
from keyturn.ports.webhooks.endpoints import Delivery, DeliveryState
from tests.contracts.all_stores import AllStores
from tests.contracts.samples import NOW, connection, record, secrets, session

HOUR = 3600.0
NOWS_HOUR = int(NOW) // 3600 * 3600


def _told(row: TimelineRow) -> CallHour | str:
    """An hour as it is, of a record what it is about."""
    return row if isinstance(row, CallHour) else row[1].action


class OverviewContract:
    """Subclass, give a `stores` fixture, write nothing else."""

    async def test_where_there_is_nothing(self, stores: AllStores) -> None:
        """Nothing is returned, which is not the same as zero of something."""
        overview = stores.overview

        assert Standing() == await overview.standing(NOW)
        assert {} == await overview.states(ConnectionFilter())
        assert () == await overview.renewals(NOW - HOUR, NOW, 60.0)
        assert await overview.recorded_since() is None
        assert () == await overview.expiries(NOW, NOW + HOUR)
        assert () == await overview.needs()
        assert () == await overview.troubles(NOW)
        assert {} == await overview.mended(["acme"], NOW)
        assert Backlog() == await overview.backlog()
        assert () == await overview.endings(NOW, NOW + HOUR)
        assert ((), None) == await overview.open_sessions(NOW, cursor=None, limit=5)
        assert ((), None) == await overview.timeline("cxn_1", cursor=None, limit=5)

    async def test_how_all_stand(self, stores: AllStores) -> None:
        """States as shown, and what is due: soon, late, and which is the latest."""
        for each in (
            connection("a", renews_at=NOW + 10),
            connection("b", renews_at=NOW - 61, paused=True),
            connection("c", renews_at=NOW - 90, connector="other", state=State.UNCERTAIN),
            connection("d", renews_at=NOW + HOUR, unconfirmed=True),
            connection("e", renews_at=NOW - 30),
            connection("f", renews_at=NOW - 99, state=State.DISCONNECTING, paused=True),
            connection("g", renews_at=NOW - 500, project="other"),
        ):
            await stores.connections.insert(each, secrets())
        counted = {
            ("acme", "active"): 2, ("acme", "paused"): 1, ("acme", "unconfirmed"): 1, ("acme", "disconnecting"): 1,
            ("other", "uncertain"): 1,
        }  # fmt: skip

        assert Standing(counted, 4, 2, ("c", NOW - 90)) == await stores.overview.standing(NOW)
        assert {"active": 2, "paused": 1, "unconfirmed": 1} == await stores.overview.states(
            ConnectionFilter(connector="acme", not_ended=True)
        )

    async def test_renewals_are_counted_by_step(self, stores: AllStores) -> None:
        """From the first moment to before the last; a person's login is none of them."""
        login = record("login.answered", at=NOW, outcome="provider_timeout")
        await stores.audit.append(
            [
                record(at=NOW - 0.1, outcome="ok"),
                record(at=NOW, outcome="ok"),
                record(at=NOW + 59.9, outcome="ok"),
                record(at=NOW + 60, outcome="ok", connector="other"),
                record("refresh.answered", at=NOW + 1),
                login,
                replace(login, facts={"host": "a.example"}),
                record("connection.tested", at=NOW),
                record(at=NOW, outcome="ok", project="other"),
                record(at=NOW + 120, outcome="ok"),
            ]
        )
        found = await stores.overview.renewals(NOW, NOW + 120, 60.0)

        assert (
            Tally(NOW, "acme", "connection.renewed", "ok", 2),
            Tally(NOW, "acme", "login.answered", "provider_timeout", 1),
            Tally(NOW, "acme", "refresh.answered", "provider_timeout", 1),
            Tally(NOW + 60, "other", "connection.renewed", "ok", 1),
        ) == found
        assert NOW - 0.1 == await stores.overview.recorded_since()

    async def test_what_ends_is_counted_by_the_hour(self, stores: AllStores) -> None:
        """With how many of them nothing can renew; ended ones count no more."""
        for each in (
            connection("a", expires_at=NOW, refreshable=True),
            connection("b", expires_at=NOW + HOUR - 1),
            connection("c", expires_at=NOW + HOUR, password_kept_at=NOW),
            connection("d", expires_at=NOW + HOUR, password_kept_at=NOW, password_rejected=True),
            connection("e", expires_at=NOW + 2 * HOUR),
            connection("f", expires_at=NOW - 1),
            connection("g", expires_at=NOW, state=State.DISCONNECTED),
        ):
            await stores.connections.insert(each, secrets())
        hours = await stores.overview.expiries(NOW, NOW + 2 * HOUR)
        endings = await stores.overview.endings(NOW, NOW + 2 * HOUR)

        assert (Expiry(NOW, 2, 1), Expiry(NOW + HOUR, 2, 1)) == hours
        assert (Ending("acme", 2, NOW + HOUR - 1),) == endings

    async def test_who_is_needed(self, stores: AllStores) -> None:
        """By reason and connector, most first, with since when; a paused one waits for somebody else."""
        lost = {"state": State.NEEDS_RECONNECT, "reason": "grant_lost"}
        for each in (
            connection("a", **lost, updated_at=NOW - 5, state_since=NOW - 7),
            connection("b", **lost, updated_at=NOW - 1, state_since=NOW - 9),
            connection("c", **lost, paused=True),
            connection("d", state=State.NEEDS_RECONNECT, reason="token_ended", connector="other", updated_at=NOW - 1),
            connection("e"),
        ):
            await stores.connections.insert(each, secrets())

        expected = (Need("grant_lost", "acme", 2, NOW - 9), Need("token_ended", "other", 1, NOW - 1))
        assert expected == await stores.overview.needs()

    async def test_whether_a_call_was_ever_made(self, stores: AllStores) -> None:
        """Noted with the connection, whatever became of the call."""
        await stores.connections.insert(connection("a"), secrets())
        before = (await stores.overview.standing(NOW)).called
        await stores.connections.note_uses({"a": Use(NOW, calls=1, failed=1)})
        after = (await stores.overview.standing(NOW)).called

        assert (False, True) == (before, after)

    async def test_a_timeline_has_calls_between_its_records(self, stores: AllStores) -> None:
        """Page by page nothing twice and nothing left out, also when the newest hour grows and a record is added."""
        await self._begin_a_timeline(stores)
        whole, _ = await stores.overview.timeline("cxn_1", cursor=None, limit=50)
        page, cursor = await stores.overview.timeline("cxn_1", cursor=None, limit=2)
        await stores.audit.append([record("a.new", at=NOWS_HOUR + 99)])
        await stores.connections.note_uses({"cxn_1": Use(NOWS_HOUR + 9, calls=1)})
        seen = list(page)
        while cursor is not None:
            page, cursor = await stores.overview.timeline("cxn_1", cursor=cursor, limit=2)
            seen += page

        now, before = CallHour(NOWS_HOUR, 3, 1), CallHour(NOWS_HOUR - 3600, 2, 0)
        expected = ["connection.renewed", now, "connection.tested", before, "connection.created"]
        assert expected == [_told(each) for each in whole]
        assert whole == tuple(seen)

    async def test_what_comes_later_is_on_no_page_that_follows(self, stores: AllStores) -> None:
        """Also where the pages before had rows of the other sort alone."""
        await stores.connections.insert(connection("cxn_1"), secrets())
        for n in range(2):
            await stores.connections.note_uses({"cxn_1": Use(NOWS_HOUR - 3600 * n, calls=n + 1)})
        await stores.audit.append([record("connection.created", at=NOWS_HOUR - 9000, outcome="ok")])
        _, cursor = await stores.overview.timeline("cxn_1", cursor=None, limit=1)
        await stores.audit.append([record("connection.tested", at=NOWS_HOUR + 9, outcome="ok")])
        rest, _ = await stores.overview.timeline("cxn_1", cursor=cursor, limit=5)

        assert [CallHour(NOWS_HOUR - 3600, 2, 0), "connection.created"] == [_told(each) for each in rest]

    async def test_a_timeline_of_one_kind(self, stores: AllStores) -> None:
        """Hours are among the calls, and those with a failed call among the failures."""
        await self._begin_a_timeline(stores)

        now, before = CallHour(NOWS_HOUR, 3, 1), CallHour(NOWS_HOUR - 3600, 2, 0)
        for kind, expected in (
            (RecordKind.RENEWALS, ["connection.renewed"]),
            (RecordKind.CALLS, [now, "connection.tested", before]),
            (RecordKind.FAILURES, [now, "connection.tested"]),
            (RecordKind.CHANGES, ["connection.created"]),
        ):
            rows, cursor = await stores.overview.timeline("cxn_1", kind=kind, cursor=None, limit=3)
            assert (expected, None) == ([_told(each) for each in rows], cursor), kind

    async def test_a_timeline_takes_its_own_cursors_alone(self, stores: AllStores) -> None:
        """What another list gave out is none."""
        await stores.audit.append([record(f"a.{n}") for n in range(3)])

        for cursor in ("nonsense", "", "WyJhdWRpdCIsIDJd"):  # the last one: the audit log's, at record 2
            with pytest.raises(ValidationFailed):
                await stores.overview.timeline("cxn_1", cursor=cursor, limit=1)

    async def _begin_a_timeline(self, stores: AllStores) -> None:
        await stores.connections.insert(connection("cxn_1"), secrets())
        for at, calls, failed in ((NOWS_HOUR + 5, 3, 1), (NOWS_HOUR - 5, 2, 0)):
            await stores.connections.note_uses({"cxn_1": Use(at, 1, calls, failed), "cxn_2": Use(at, calls=7)})
        await stores.audit.append(
            [
                record("connection.created", at=NOWS_HOUR - 3601, outcome="ok"),
                record("connection.tested", at=NOWS_HOUR - 1, outcome="connection_test_failed"),
                record("connection.renewed", at=NOWS_HOUR, outcome="ok", connection="cxn_2"),
                record("connection.renewed", at=NOWS_HOUR, outcome="ok", project="other"),
                record("connection.renewed", at=NOWS_HOUR, outcome="ok"),
            ]
        )

    async def test_troubles_of_a_set_up(self, stores: AllStores) -> None:
        """By connector and code, of sends alone; and when what may have mended them came last."""
        wrong = "connector_client_rejected"
        await stores.audit.append(
            [
                record("login.answered", at=NOW - 1, outcome=wrong),
                record("login.answered", at=NOW, outcome=wrong),
                record("refresh.answered", at=NOW + 2, outcome=wrong),
                record("login.refused", at=NOW + 1, outcome="unique_id_missing"),
                record("login.refused", at=NOW + 1, outcome="connection_test_failed"),
                record("connector.degraded", at=NOW, outcome=wrong),
                record("login.answered", at=NOW, outcome=wrong, project="other"),
                record("connector.client_set", at=NOW + 3, outcome="ok"),
                record("connector.client_set", at=NOW + 5, outcome="ok"),
                record("connection.created", at=NOW + 4, outcome="ok", connector="other"),
                record("connector.saved", at=NOW + 9, outcome="ok"),
            ]
        )

        assert (
            Trouble("acme", wrong, 2, NOW, NOW + 2),
            Trouble("acme", "unique_id_missing", 1, NOW + 1, NOW + 1),
        ) == await stores.overview.troubles(NOW)
        assert {("acme", "connector.client_set"): NOW + 5} == await stores.overview.mended(["acme"], NOW + 3)
        assert {} == await stores.overview.mended(["acme"], NOW + 6)

    async def test_deliveries_that_wait(self, stores: AllStores) -> None:
        """How many, and since when the oldest does."""
        waiting = Delivery("d1", "whk_1", "evt_1", "connection.created", NOW)
        for each in (
            waiting,
            replace(waiting, id="d2", created_at=NOW - 9),
            replace(waiting, id="d3", created_at=NOW - 20, state=DeliveryState.DELIVERED),
            replace(waiting, id="d4", created_at=NOW - 30, project="other"),
        ):
            await stores.webhooks.add_delivery(each)

        assert Backlog(2, NOW - 9) == await stores.overview.backlog()

    async def test_sessions_that_wait(self, stores: AllStores) -> None:
        """Newest first, page by page; neither what led to something nor what is too old."""
        for each in (
            session("s1", created_at=NOW - 3),
            session("s2", created_at=NOW - 2, state="claimed", facts={"origin": "https://app.example"}),
            session("s3", state="done"),
            session("s4", expires_at=NOW),
            session("s5", project="other"),
        ):
            await stores.sessions.add(each)
        first, cursor = await stores.overview.open_sessions(NOW, cursor=None, limit=1)
        second, last = await stores.overview.open_sessions(NOW, cursor=cursor, limit=1)

        assert (["s2"], ["s1"], None) == ([each.id for each in first], [each.id for each in second], last)
        assert "https://app.example" == first[0].origin
        for which, found in (
            (SessionFilter(state="open"), ["s1"]),
            (SessionFilter(connector=first[0].connector, owner=first[0].owner), ["s2", "s1"]),
            (SessionFilter(owner="nobody"), []),
        ):
            rows, _ = await stores.overview.open_sessions(NOW, which=which, cursor=None, limit=5)
            assert found == [each.id for each in rows], which
        with pytest.raises(ValidationFailed):
            await stores.overview.open_sessions(NOW, cursor="nonsense", limit=1)
