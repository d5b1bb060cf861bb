"""Keeping a token set: every member of the row that it writes, and what is done with one that came too late."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from keyturn.core.audit_record import AuditRecord
from keyturn.core.connection import Connection, ConnectionSecrets, Intent, IntentKind, State
from keyturn.core.connector import Connector
from keyturn.core.errors import StoreUnavailable
from keyturn.core.secret import Secret
from keyturn.core.token_set import TokenSet
from keyturn.engine.observed_connections import ObservedConnections
from keyturn.engine.quiet_hours.quiet_times import QuietTimes
from keyturn.engine.renewal.keep import KeepTokens, Kept
from keyturn.engine.renewal.unstored import Unstored
from keyturn.engine.stopping import Stopping
from tests.engine.passing import in_time
from tests.engine.story import connector_from
from tests.fakes.application import FakeWorld, make_world

NOW = 1_700_000_000.0
OLD = TokenSet(Secret("access-1"), NOW - 3600, Secret("refresh-1"), expires_at=NOW)
NEW = TokenSet(Secret("access-2"), NOW, Secret("refresh-2"), expires_at=NOW + 3600)
SECRETS = ConnectionSecrets(token_set=OLD)
BROKEN = Connection(
    id="cxn_1",
    connector="acme",
    connector_version=1,
    owner="owner-1",
    name="Jo",
    unique_id="42",
    created_at=NOW - 9000,
    updated_at=NOW - 50,
    project="blue",
    state=State.UNCERTAIN,
    reason="renewal_outcome_unknown",
    token_issued_at=NOW - 3600,
    expires_at=NOW,
    renews_at=NOW - 9,
    refreshable=False,
    hosts=("auth.acme.example",),
    intent=Intent(IntentKind.REFRESH, 1, "att", NOW - 9),
    last_error="provider_timeout",
    last_error_at=NOW - 9,
    failures_in_a_row=3,
)


@pytest.fixture
def world() -> FakeWorld:
    """A world in which time passes only as a test lets it."""
    made = make_world()
    made.entropy.fixed_fraction = 0.5
    return made


@pytest.fixture
def stopping() -> Stopping:
    """That the process stops."""
    return Stopping()


@pytest.fixture
def keep_tokens(world: FakeWorld, stopping: Stopping) -> KeepTokens:
    """The use case over the world's stores."""
    stores, unstored = world.stores, Unstored()
    return KeepTokens(
        ObservedConnections(stores.connections),
        stores.renewals,
        stores.revocations,
        stores.spill,
        unstored,
        world.clock,
        world.entropy,
        QuietTimes(stores.quiet_hours, world.clock, world.entropy),
        stopping,
    )


def put(world: FakeWorld, connection: Connection = BROKEN, tokens: TokenSet | None = OLD) -> Connection:
    """Put it straight into the store."""
    world.stores.connections.rows[connection.id] = (connection, ConnectionSecrets(token_set=tokens))
    return connection


async def test_a_kept_set_mends_all_that_was_said_of_the_last_one(world: FakeWorld, keep_tokens: KeepTokens) -> None:
    """The whole row, compared."""
    put(world)
    world.clock.advance(5)
    record = AuditRecord(NOW, "connection.renewed", "scheduler", project="blue")

    kept = await keep_tokens.keep(Kept(BROKEN, SECRETS, NEW, connector_from(), [record]))

    assert kept == replace(
        BROKEN,
        state=State.ACTIVE,
        reason=None,
        generation=2,
        revision=1,
        intent=None,
        token_issued_at=NOW,
        expires_at=NOW + 3600,
        renews_at=kept.renews_at,
        refreshable=True,
        last_error=None,
        last_error_at=None,
        failures_in_a_row=0,
        updated_at=NOW + 5,
        state_since=NOW + 5,
    )
    assert kept.renews_at == pytest.approx(NOW + 3600 - 360 * 0.9, abs=0.01)
    assert world.stores.connections.rows["cxn_1"][1].token_set == NEW
    assert [record] == world.stores.database.records
    assert {} == world.stores.spill.kept


async def test_a_refresh_token_that_is_not_honoured_makes_nothing_refreshable(
    world: FakeWorld, keep_tokens: KeepTokens
) -> None:
    """And one that is not there neither; then the token's own end is what is due."""
    made = connector_from()
    ignored = replace(made, refresh=replace(made.refresh, honoured=False))
    for connector, tokens in ((ignored, NEW), (made, replace(NEW, refresh_token=None))):
        put(world)
        kept = await keep_tokens.keep(Kept(BROKEN, SECRETS, tokens, connector))
        assert (False, NOW + 3600) == (kept.refreshable, kept.renews_at)


DUE = [
    pytest.param({"refreshable": True}, {}, True, id="by its refresh token"),
    pytest.param({"password_kept_at": 0.0}, {"keep": "required"}, True, id="by the kept password"),
    pytest.param({}, {}, False, id="by nothing"),
]


@pytest.mark.parametrize(("change", "parts", "ahead"), DUE)
def test_what_can_be_renewed_is_due_ahead_of_its_end(
    keep_tokens: KeepTokens, change: dict[str, Any], parts: dict[str, str], ahead: bool
) -> None:
    """What can't is due at it."""
    connection = replace(BROKEN, intent=None, token_issued_at=NOW, expires_at=NOW + 3600, **change)

    due = keep_tokens.due(connection, connector_from(**parts))

    assert due == pytest.approx(NOW + 3600 - (324 if ahead else 0), abs=0.01)
    assert keep_tokens.due(replace(connection, paused=True), connector_from(**parts)) is None
    assert keep_tokens.due(replace(connection, token_issued_at=None), connector_from(**parts)) is None


def stable() -> Connector:
    """A connector whose refresh token may be sent again."""
    return connector_from(refresh="rotation: stable")


def leeway() -> Connector:
    """One where it may be sent again for a second."""
    made = connector_from()
    return replace(made, refresh=replace(made.refresh, leeway_s=1.0))


LOGIN = Intent(IntentKind.LOGIN, 1, "att", NOW)
LATE = [
    pytest.param(connector_from(), {}, {"generation": 2}, True, id="a login was faster"),
    pytest.param(stable(), {}, {"generation": 2}, False, id="stable: perhaps of the same grant"),
    pytest.param(leeway(), {}, {"generation": 2}, False, id="leeway: alike"),
    pytest.param(stable(), {"intent": None}, {"generation": 2}, False, id="from a spill file: alike"),
    pytest.param(stable(), {"intent": LOGIN}, {"generation": 2}, True, id="stable, but it was a login's answer"),
    pytest.param(stable(), {}, {"state": State.DISCONNECTED}, True, id="stable, but the connection has ended"),
]


@pytest.mark.parametrize(("connector", "sent", "stands", "revoked"), LATE)
async def test_a_late_set_is_never_stored(
    world: FakeWorld,
    keep_tokens: KeepTokens,
    connector: Connector,
    sent: dict[str, Any],
    stands: dict[str, Any],
    revoked: bool,
) -> None:
    """I6, I13: it is revoked where that can't end what is live, and the log says that it came."""
    ended = "state" in stands
    put(world, replace(BROKEN, intent=None, hosts=("moved.example",), revision=7, **stands), None if ended else NEW)
    late = replace(NEW, access_token=Secret("access-3"), refresh_token=Secret("refresh-3"))
    sealed = {"code": Secret("c")}

    kept = await keep_tokens.keep(Kept(replace(BROKEN, **sent), ConnectionSecrets(fields=sealed), late, connector))

    assert stands.get("generation", 1) == kept.generation
    assert (None if ended else NEW) == world.stores.connections.rows["cxn_1"][1].token_set
    rows = list(world.stores.revocations.rows.values())
    assert [("late", late, ("auth.acme.example",))] * revoked == [(r.cause.value, r.token_set, r.hosts) for r in rows]
    assert [
        AuditRecord(
            NOW,
            "connection.late_answer",
            "scheduler",
            connector="acme",
            connection="cxn_1",
            owner="owner-1",
            facts={"generation": kept.generation},
            project="blue",
        )
    ] == world.stores.database.records


async def test_tries_go_on_every_five_seconds_at_most(world: FakeWorld, keep_tokens: KeepTokens) -> None:
    """With one spill file, that is dropped once the set is stored; whoever waits has the set from memory at once."""
    put(world)
    world.entropy.fixed_fraction = 0.99
    world.stores.database.failing_writes = 12
    written = []
    really_write = world.stores.spill.write

    async def write(connection: Connection, token_set: TokenSet) -> None:
        written.append(connection.generation)
        await really_write(connection, token_set)

    world.stores.spill.write = write  # type: ignore[method-assign]

    kept = await keep_tokens.keep(Kept(BROKEN, SECRETS, NEW, connector_from()))
    read = await keep_tokens.unstored.open(keep_tokens.connections, "cxn_1", "blue")
    assert read is not None
    await in_time(world, keep_tokens.unstored.drain(60.0), step_s=0.1)

    assert (2, 2, NEW) == (kept.generation, read[0].generation, read[1].token_set)
    assert [1] == written
    assert [0.1, 0.2, 0.4, 0.8, 1.6, 3.2] + [5.0] * 6 == pytest.approx(world.clock.slept)
    assert {} == world.stores.spill.kept
    assert NEW == world.stores.connections.rows["cxn_1"][1].token_set
    assert keep_tokens.unstored.of("cxn_1", "blue") is None


async def test_a_disk_that_comes_back_before_the_database_is_used(world: FakeWorld, keep_tokens: KeepTokens) -> None:
    """A file that could not be written is tried again with each round."""
    put(world)
    world.stores.spill.full = True
    world.stores.database.failing_writes = 2
    seen = []

    def before(_: str) -> None:
        seen.append(dict(world.stores.spill.kept))

    world.stores.database.before_write = before
    really_sleep = world.clock.sleep

    async def sleep(seconds: float) -> None:
        world.stores.spill.full = False
        await really_sleep(seconds)

    world.clock.sleep = sleep  # type: ignore[method-assign]
    await keep_tokens.keep(Kept(BROKEN, SECRETS, NEW, connector_from()))
    await in_time(world, keep_tokens.unstored.drain(60.0))

    assert [{("cxn_1", 1): NEW}] == seen


async def test_a_bug_costs_no_token(world: FakeWorld, keep_tokens: KeepTokens) -> None:
    """It is raised, and the set lies in a spill file until somebody has mended it."""
    put(world)

    def crash(_: str) -> None:
        raise ZeroDivisionError("a bug")

    world.stores.database.before_write = crash

    with pytest.raises(ZeroDivisionError):
        await keep_tokens.keep(Kept(BROKEN, SECRETS, NEW, connector_from()))

    assert {("cxn_1", 1): NEW} == world.stores.spill.kept


async def test_a_spill_file_that_cannot_be_dropped_stops_nothing(world: FakeWorld, keep_tokens: KeepTokens) -> None:
    """Applied again it changes nothing, and is not taken for a late answer."""
    put(world)
    forget = world.stores.spill.forget

    async def fail(*_: object) -> None:
        raise StoreUnavailable("the disk is gone")

    await world.stores.spill.write(BROKEN, NEW)
    world.stores.spill.forget = fail  # type: ignore[method-assign, assignment]
    first = await keep_tokens.apply_spilled(BROKEN, NEW, connector_from(), 1)
    world.stores.spill.forget = forget  # type: ignore[method-assign]
    again = await keep_tokens.apply_spilled(first, NEW, connector_from(), 1)

    assert first == again
    assert ({}, {}) == (world.stores.spill.kept, world.stores.revocations.rows)
    assert ["connection.spill_applied"] == [each.action for each in world.stores.database.records]


@pytest.mark.parametrize(
    ("stops", "answers_after", "spilled"),
    [
        pytest.param(True, 4.0, True, id="a stop, and the database is locked"),
        pytest.param(True, 2.0, False, id="a stop, and the database is slow"),
        pytest.param(False, 9.0, False, id="no stop: the process waits for the database"),
    ],
)
@pytest.mark.parametrize("refuses", [False, True])
async def test_at_a_stop_a_set_waits_three_seconds_for_the_database(
    world: FakeWorld, keep_tokens: KeepTokens, stopping: Stopping, *,
    stops: bool, answers_after: float, spilled: bool, refuses: bool,
) -> None:  # fmt: skip
    """Then a file has it, as the process may end before the database has said yes or no; it is stored all the same."""
    connection, really = put(world), world.stores.renewals.settle

    async def slow(*args: Any, **more: Any) -> Connection:
        await world.clock.sleep(answers_after)
        if refuses:
            raise StoreUnavailable("the database is locked")
        return await really(*args, **more)

    world.stores.renewals.settle = slow  # type: ignore[method-assign]
    if stops:
        stopping.begin()
    keeping = asyncio.ensure_future(keep_tokens.keep(Kept(connection, SECRETS, NEW, connector_from(), [])))
    await asyncio.sleep(0.01)
    world.clock.advance(answers_after - 0.5)
    await asyncio.sleep(0.01)
    before = bool(await world.stores.spill.pending())
    world.clock.advance(0.5)
    kept = await keeping

    assert spilled is before
    assert 2 == kept.generation
    assert refuses is bool(await world.stores.spill.pending())
