"""Which connections a list finds by what is wrong with them."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice, product
from typing import Any

import pytest

from keyturn.core.connection import Connection, ConnectionSecrets, State, TestRecord
from keyturn.core.renewal.attention import AttentionBounds, Ways, needs_attention
from keyturn.ports.store import ConnectionFilter
from tests.contracts.all_stores import AllStores
from tests.contracts.samples import NOW, connection, record

HOUR = 3600.0
SOON = NOW + 72 * HOUR
LONG_AGO = NOW - 31 * 24 * HOUR
NOTHING = ConnectionSecrets()
WAYS = {
    ("acme", 1): Ways(password=True, refresh=True),
    ("acme", 2): Ways(refresh=True, with_token=True),
    ("acme", 3): Ways(refresh=True, keep_alive=True),
    ("other", 1): Ways(password=True),
    ("other", 2): Ways(password=True, refresh=True),
    ("other", 4): Ways(),
}
BOUNDS = AttentionBounds(NOW, WAYS)
FAILED = TestRecord(NOW, passed=False)


def _every_way() -> list[Connection]:
    """Rows on each side of each limit: every thirteenth of all that there could be."""
    rows = product(
        [*WAYS, ("other", 3)],
        (None, NOW - 61, NOW, SOON, SOON + 1),
        (False, True),
        ({}, {"password_kept_at": NOW}, {"password_kept_at": NOW, "password_rejected": True}),
        (None, NOW, NOW + 1, SOON, SOON + 1),
        (False, True),
        ({}, {"created_at": LONG_AGO}, {"created_at": LONG_AGO, "last_used_at": NOW - HOUR}),
    )
    return [_row(f"cxn_{n}", *row) for n, row in enumerate(islice(rows, 0, None, 13))]


def _row(
    name: str,
    pinned: tuple[str, int],
    expires_at: float | None,
    refreshable: bool,
    password: dict[str, Any],
    refresh_ends: float | None,
    fixed: bool,
    used: dict[str, Any],
) -> Connection:
    connector, version = pinned
    ends = {"expires_at": expires_at, "refresh_expires_at": refresh_ends, "refresh_end_fixed": fixed}
    return connection(
        name, connector=connector, connector_version=version, refreshable=refreshable, **ends, **password, **used
    )


class AttentionContract:
    """Subclass, give a `stores` fixture, write nothing else."""

    async def test_the_list_says_what_the_definition_says(self, stores: AllStores) -> None:
        """Of every mix of ends and ways to renew, exactly those that need attention are found."""
        rows = _every_way()
        for each in rows:
            await stores.connections.insert(each, NOTHING)
        expected = {each.id for each in rows if needs_attention(each, BOUNDS.of(each), NOW)}
        page = await stores.connections.list(ConnectionFilter(attention=BOUNDS), cursor=None, limit=1000)

        assert 100 < len(expected) < len(rows) - 100
        assert expected == {each.id for each in page.items}

    @pytest.mark.parametrize(
        ("changes", "found"),
        [
            pytest.param({}, False, id="works"),
            pytest.param({"last_error": "provider_timeout"}, True, id="its last renewal failed"),
            pytest.param({"last_error": "provider_timeout", "paused": True}, False, id="paused"),
            pytest.param({"last_error": "provider_timeout", "unconfirmed": True}, False, id="not confirmed"),
            pytest.param({"last_error": "x", "state": State.UNCERTAIN}, False, id="another state"),
            pytest.param({"last_error": "x", "state": State.DISCONNECTED}, False, id="ended"),
            pytest.param({"last_test": FAILED}, True, id="its last test failed"),
            pytest.param({"last_test": replace(FAILED, passed=True)}, False, id="its last test passed"),
            pytest.param({"expires_at": NOW - 60, "renews_at": NOW - 60}, True, id="ended, and nothing came"),
            pytest.param({"expires_at": NOW - 60, "renews_at": NOW - 59}, False, id="ended, and due just now"),
            pytest.param({"expires_at": NOW - 60, "renews_at": None}, False, id="ended, and renewed by a call"),
            pytest.param({"expires_at": NOW - 59, "renews_at": NOW - 90}, False, id="ended just now"),
        ],
    )
    async def test_who_needs_attention(self, stores: AllStores, changes: dict[str, Any], found: bool) -> None:
        """Active ones in which something is wrong; definition and list alike."""
        made = connection("a", refreshable=True, **changes)
        await stores.connections.insert(made, NOTHING)
        which = ConnectionFilter(attention=BOUNDS)

        assert found == needs_attention(made, BOUNDS.of(made), NOW)
        assert int(found) == await stores.connections.count(which)
        assert int(found) == sum((await stores.overview.states(which)).values())

    async def test_where_no_version_is_known(self, stores: AllStores) -> None:
        """What failed is found all the same."""
        await stores.connections.insert(connection("a", expires_at=SOON), NOTHING)
        await stores.connections.insert(connection("b", last_error="provider_timeout"), NOTHING)
        page = await stores.connections.list(ConnectionFilter(attention=AttentionBounds(NOW, {})), cursor=None, limit=9)

        assert ["b"] == [each.id for each in page.items]

    @pytest.mark.parametrize(
        ("which", "expected"),
        [
            pytest.param(ConnectionFilter(error="grant_lost"), "b", id="by its reason"),
            pytest.param(ConnectionFilter(error="provider_timeout"), "c", id="by its last failure, where no reason is"),
            pytest.param(ConnectionFilter(error="nonsense"), "", id="by no code that there is"),
            pytest.param(ConnectionFilter(ends_before=NOW + HOUR + 1), "a", id="ends without its person"),
            pytest.param(ConnectionFilter(ends_before=NOW + HOUR), "", id="not yet"),
            pytest.param(ConnectionFilter(renews_before=NOW + 1), "cd", id="due by then"),
            pytest.param(ConnectionFilter(renews_before=NOW), "d", id="overdue"),
        ],
    )
    async def test_by_code_and_time(self, stores: AllStores, which: ConnectionFilter, expected: str) -> None:
        """What is wrong, what ends and what is due."""
        ends = NOW + HOUR
        for each in (
            connection("a", expires_at=ends),
            connection("b", state=State.NEEDS_RECONNECT, reason="grant_lost", last_error="provider_timeout"),
            connection("c", refreshable=True, expires_at=ends, renews_at=NOW, last_error="provider_timeout"),
            connection("d", password_kept_at=NOW, expires_at=ends, renews_at=NOW - 1),
            connection("e", state=State.DISCONNECTED, expires_at=ends, renews_at=NOW - 1),
        ):
            await stores.connections.insert(each, NOTHING)
        page = await stores.connections.list(which, cursor=None, limit=9)

        assert sorted(expected) == sorted(each.id for each in page.items)
        assert len(expected) == await stores.connections.count(which)

    async def test_how_many_stand_with_which_code(self, stores: AllStores) -> None:
        """By reason, else by the last failure; within a filter, and without those that ended."""
        for each in (
            connection("a"),
            connection("b", state=State.NEEDS_RECONNECT, reason="grant_lost", last_error="provider_timeout"),
            connection("c", last_error="provider_timeout"),
            connection("d", last_error="provider_timeout", connector="other"),
            connection("e", last_error="provider_timeout", state=State.DISCONNECTED),
            connection("f", last_error="provider_timeout", project="other"),
        ):
            await stores.connections.insert(each, NOTHING)
        errors = stores.overview.errors

        assert {"grant_lost": 1, "provider_timeout": 2} == await errors(ConnectionFilter())
        assert {"grant_lost": 1, "provider_timeout": 1} == await errors(ConnectionFilter(connector="acme"))

    async def test_versions_of_active_ones(self, stores: AllStores) -> None:
        """Each once, of one project; what is paused or lost is on none that matters."""
        for each in (
            connection("a", connector_version=2),
            connection("b", connector_version=2),
            connection("c", connector_version=1),
            connection("d", connector="other", connector_version=7),
            connection("e", connector_version=5, paused=True),
            connection("f", connector_version=6, state=State.NEEDS_RECONNECT),
            connection("g", connector_version=8, project="other"),
        ):
            await stores.connections.insert(each, NOTHING)

        assert (("acme", 1), ("acme", 2), ("other", 7)) == await stores.connections.active_versions()


class SinceContract:
    """Subclass, give a `stores` fixture, write nothing else."""

    async def test_since_when_moves_with_state_and_reason(self, stores: AllStores) -> None:
        """And with nothing else, whatever a writer hands in."""
        made = await stores.connections.insert(connection("a", state_since=NOW), NOTHING)
        tested = await stores.connections.save(replace(made, updated_at=NOW + 1, last_test=FAILED, state_since=None))
        lost = await stores.connections.save(
            replace(tested, updated_at=NOW + 2, state=State.NEEDS_RECONNECT, reason="grant_lost")
        )
        paused = await stores.connections.save(replace(lost, updated_at=NOW + 3, paused=True))
        other = await stores.connections.save(
            replace(paused, updated_at=NOW + 4, reason="key_lost"), records=[record("connection.lost")]
        )

        assert [NOW, NOW, NOW + 2, NOW + 2, NOW + 4] == [
            each.state_since for each in (made, tested, lost, paused, other)
        ]
        assert other == await stores.connections.load("a")

    async def test_what_is_not_known_stays_so(self, stores: AllStores) -> None:
        """A connection of an older release that goes on as it is has no such time."""
        made = await stores.connections.insert(connection("a"), NOTHING)
        tested = await stores.connections.save(replace(made, updated_at=NOW + 1, last_test=FAILED))

        assert tested.state_since is None
