"""Two processes on one database: what one ends, the other stops using at its next look."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace

import pytest

from keyturn.core.audit_record import AuditRecord
from keyturn.core.connection import Connection
from keyturn.core.errors import (
    ConnectionDisconnected,
    ConnectionPaused,
    ConnectorClientMissing,
    StoreUnavailable,
    Unauthenticated,
)
from keyturn.core.secret import Secret
from keyturn.engine.api_keys import ApiKeys
from keyturn.engine.calls.calls import ENDING_GRACE_S, Calls
from keyturn.engine.other_processes import AT_ONCE, OtherProcesses
from keyturn.engine.provider_gate import ProviderGate
from keyturn.engine.published import CLIENT_KEPT_S, PublishedConnectors
from keyturn.ports.store import ClientCredentials
from tests.engine.story import ACTOR, log_in, publish, token
from tests.fakes.application import FakeWorld, make_world
from tests.fakes.egress import json_answer
from tests.fakes.stores import FakeStores


@dataclass
class Other:
    """What a second process remembers of the same database."""

    calls: Calls
    api_keys: ApiKeys
    look: Callable[[], Awaitable[None]]
    published: PublishedConnectors


@dataclass(eq=False)
class UnderWay:
    """A call that notes how it was ended."""

    key_id: str
    project: str = "default"
    ended: list[float] = field(default_factory=list)

    def end_within(self, seconds: float) -> None:
        """See `ActiveCall`."""
        self.ended.append(seconds)


@pytest.fixture
def world() -> FakeWorld:
    """The first process."""
    return make_world()


async def second(world: FakeWorld) -> Other:
    """Another process, that has looked once."""
    first, stores = world.application, world.stores
    published = PublishedConnectors(stores.connectors)
    calls = Calls(
        stores.connections, published, first.renewals, first.test_connection.calls,
        first.edit_connector.suffixes, world.clock,
    )  # fmt: skip
    api_keys = ApiKeys(stores.api_keys, world.clock, world.entropy)
    others = OtherProcesses(
        stores.audit, stores.connections, calls, api_keys, ProviderGate(stores.clock), stores.keys, published
    )
    await others.look()
    return Other(calls, api_keys, others.look, published)


async def test_a_pause_ends_calls_and_routes(world: FakeWorld) -> None:
    """From the next look on a call is refused, and one that is under way gets its grace."""
    await publish(world)
    connection = (await log_in(world)).connection
    other, call = await second(world), UnderWay("key:1")
    await other.calls.route(connection.id)
    other.calls.enter(connection.id, call)
    await world.application.pause(connection.id, ACTOR, paused=True)
    before = other.calls.cached(connection.id)
    await other.look()

    with pytest.raises(ConnectionPaused):
        await other.calls.route(connection.id)
    assert before is not None
    assert [ENDING_GRACE_S] == call.ended


async def test_a_disconnect_and_a_new_login(world: FakeWorld) -> None:
    """Neither an ended connection's token nor a replaced one is served on."""
    await publish(world)
    connection = (await log_in(world)).connection
    other = await second(world)
    first = await other.calls.route(connection.id)
    await log_in(world, token(2, at=world.clock.now()))
    await other.look()
    newer = await other.calls.route(connection.id)
    world.egress.will_reply(*[json_answer("{}")] * 4)
    await world.application.disconnect(connection.id, ACTOR)
    await other.look()

    with pytest.raises(ConnectionDisconnected):
        await other.calls.route(connection.id)
    assert (1, 2) == (first.generation, newer.generation)


async def test_what_did_not_change_stays_at_hand(world: FakeWorld) -> None:
    """A record of a write that this process has seen already costs no route; another connection's costs nothing."""
    await publish(world)
    connection = (await log_in(world)).connection
    other = await second(world)
    await log_in(world, token(2, at=world.clock.now()), account="43")
    route = await other.calls.route(connection.id)
    await other.look()

    assert route is other.calls.cached(connection.id)


async def test_a_revoked_api_key(world: FakeWorld) -> None:
    """It is asked for again, and its calls under way are ended."""
    key, text = await world.application.api_keys.create("k", ["call"], ACTOR)
    other, call, foreign = await second(world), UnderWay(key.id), UnderWay("key_other")
    await other.api_keys.authenticate(text.reveal())
    for each in (call, foreign):
        other.calls.enter("cxn_1", each)
    await world.application.api_keys.revoke(key.id, ACTOR)
    known = other.api_keys.recall(text.reveal())
    await other.look()

    with pytest.raises(Unauthenticated):
        await other.api_keys.authenticate(text.reveal())
    assert known is not None
    assert ([ENDING_GRACE_S], []) == (call.ended, foreign.ended)


async def test_the_registered_application(world: FakeWorld) -> None:
    """Its values may stand in request parameters of any route."""
    await publish(world)
    connection = (await log_in(world)).connection
    other = await second(world)
    await other.calls.route(connection.id)
    await world.application.edit_connector.set_client("acme", "another", Secret("x"), ACTOR)
    await other.look()

    assert None is other.calls.cached(connection.id)


async def test_nothing_is_passed_over(world: FakeWorld) -> None:
    """More records than are read at once; and a look that failed is made again from where it began."""
    key, text = await world.application.api_keys.create("k", ["call"], ACTOR)
    other = await second(world)
    await other.api_keys.authenticate(text.reveal())
    for _ in range(AT_ONCE):
        await world.application.api_keys.create("x", ["call"], ACTOR)
    await world.application.api_keys.revoke(key.id, ACTOR)
    world.stores.database.gone = True
    with pytest.raises(StoreUnavailable):
        await other.look()
    world.stores.database.gone = False
    await other.look()

    assert None is other.api_keys.recall(text.reveal())


async def test_a_rotation_and_destroyed_passwords(world: FakeWorld) -> None:
    """The look after a rotation wraps with the new key; what is remembered of passwords goes with the look after."""
    other, keys, custody = await second(world), world.application.keys, world.stores.keys
    await publish(world, keep="offer")
    await log_in(world, keep_password=True)
    added = await keys.add(ACTOR)
    await keys.rotate(added.id, ACTOR)
    custody.following, forgotten = "of another process", custody.forgotten
    await other.look()
    followed = custody.following
    await keys.destroy_passwords(ACTOR)
    await other.look()

    assert (added.id, forgotten + 1) == (followed, custody.forgotten)


async def test_a_rotation_to_a_key_that_is_not_here(world: FakeWorld) -> None:
    """It keeps nothing else from being followed: a revoked key is refused all the same."""
    other, custody = await second(world), world.stores.keys
    added = await world.application.keys.add(ACTOR)
    key, text = await world.application.api_keys.create("k", ["call"], ACTOR)
    await other.api_keys.authenticate(text.reveal())
    await world.application.keys.rotate(added.id, ACTOR)
    custody.rows[added.id] = replace(custody.rows[added.id], at_hand=False)
    await world.application.api_keys.revoke(key.id, ACTOR)
    await other.look()

    with pytest.raises(Unauthenticated):
        await other.api_keys.authenticate(text.reveal())


async def test_days_that_are_told_are_no_change(world: FakeWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """A night's worth of them loads no connection; whatever else is recorded of one does."""
    await publish(world)
    connection = (await log_in(world)).connection
    other = await second(world)
    await other.calls.route(connection.id)
    loaded = loads_noted(world, monkeypatch)
    told = AuditRecord(0.0, "connection.renewals", "scheduler", connection=connection.id, facts={"count": 24})
    await world.stores.audit.append([told, replace(told, action="connection.tokens_vended")])
    await other.look()
    before = list(loaded)
    await world.stores.audit.append([replace(told, action="connection.tested")])
    await other.look()

    assert [] == before
    assert [connection.id] == loaded


async def test_a_connection_that_nobody_calls_here_is_not_loaded(
    world: FakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its renewals, at another process or at this one, cost nothing; one with a call under way is looked at."""
    await publish(world)
    connection = (await log_in(world)).connection
    other, call = await second(world), UnderWay("key:1")
    loaded = loads_noted(world, monkeypatch)
    tested = AuditRecord(0.0, "connection.tested", "scheduler", connection=connection.id)
    await world.stores.audit.append([tested])
    await other.look()
    before = list(loaded)
    other.calls.enter(connection.id, call)
    await world.stores.audit.append([tested])
    await other.look()

    assert [] == before
    assert [connection.id] == loaded


def loads_noted(world: FakeWorld, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The connections that are loaded from now on."""
    store, loaded = world.stores.connections, list[str]()
    true_shown = store.shown

    async def shown(connection_id: str, *, project: str = "default") -> Connection | None:
        loaded.append(connection_id)
        return await true_shown(connection_id, project=project)

    monkeypatch.setattr(store, "shown", shown)
    return loaded


async def test_renewals_use_the_newest_application(world: FakeWorld) -> None:
    """It is at hand for a minute, and read again once it was set: here at once, at another process from its next look.

    The newest is always asked for by whoever is no renewal.
    """
    connector = await publish(world)
    other, first = await second(world), world.application
    now = [0.0]
    other.published._monotonic = lambda: now[0]
    held = [await other.published.client_at_hand(connector)]
    await first.edit_connector.set_client(connector.id, "second", None, ACTOR)
    held += [await other.published.client_at_hand(connector)]
    asked = await PublishedConnectors(world.stores.connectors).client(connector)
    await other.look()
    held += [await other.published.client_at_hand(connector)]
    await world.stores.connectors.set_client(connector.id, ClientCredentials("third", None), at=1.0)  # no record of it
    held += [await other.published.client_at_hand(connector)]
    now[0] += CLIENT_KEPT_S
    held += [await other.published.client_at_hand(connector)]

    assert asked is not None
    assert "second" == asked.client_id
    assert ["client", "client", "second", "second", "third"] == [each.client_id for each in held if each]


async def test_a_missing_application_is_missed_at_hand_too(world: FakeWorld) -> None:
    """What was not there is no less an error the second time."""
    connector = await publish(world)
    published = PublishedConnectors(FakeStores(world.clock).connectors)

    for _ in range(2):
        with pytest.raises(ConnectorClientMissing):
            await published.client_at_hand(connector)
