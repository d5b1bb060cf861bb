"""The database goes away at each write of each use case: what is lost, and what is said."""

from __future__ import annotations

import asyncio

import pytest

from keyturn.core.connection import IntentKind, State
from keyturn.core.errors import (
    ConnectionPaused,
    CredentialsRejected,
    KeyturnError,
    NeedsReconnect,
    ProviderTimeout,
    ProviderUnavailable,
    RenewalNotPossible,
    StoreUnavailable,
)
from keyturn.core.messages import Answer, OutgoingRequest
from keyturn.core.secret import Secret
from keyturn.engine.login.connect import LoginRequest
from tests.engine.passing import fail_write, in_time, lose_word, renew
from tests.engine.story import ACTOR, actions, bodies, error, log_in, publish, read, token
from tests.fakes.application import FakeWorld, make_world
from tests.fakes.egress import json_answer

RENEWAL_WRITES = ("renewals.claim", "renewals.settle")
LOGIN_WRITES = (
    "login_watch.admit", "logins.reserve", "login_watch.end", "logins.settle", "connections.insert",
)  # fmt: skip


@pytest.fixture
def world() -> FakeWorld:
    """A world in which time passes only as a test lets it."""
    made = make_world()
    made.entropy.fixed_fraction = 0.5
    return made


def held(world: FakeWorld, connection_id: str) -> Secret | None:
    """The access token that is stored."""
    _, secrets = world.stores.connections.rows[connection_id]
    return secrets.token_set.access_token if secrets.token_set else None


async def test_these_are_the_writes_of_a_renewal(world: FakeWorld) -> None:
    """The tests below fail each of them; a new one has to be added there."""
    await publish(world)
    connection = (await log_in(world)).connection
    world.stores.database.writes.clear()
    world.egress.will_reply(token(2, at=world.clock.now()))

    await renew(world, connection)

    assert list(RENEWAL_WRITES) == world.stores.database.writes


@pytest.mark.parametrize("index", range(len(RENEWAL_WRITES)))
async def test_a_renewal_survives_the_loss_of_any_write(world: FakeWorld, index: int) -> None:
    """No token that was answered is lost, and no refresh token that was answered goes out again."""
    await publish(world)
    connection = (await log_in(world)).connection
    fail_write(world, index)
    world.egress.will_reply(token(2, at=world.clock.now()))

    try:
        await renew(world, connection)
    except StoreUnavailable:
        assert (1, State.ACTIVE, None) == _gist(await read(world, connection.id))
        assert 0 == len(bodies(world)) - 1
        assert 2 == (await renew(world, connection)).generation
    await stored(world)

    assert (2, State.ACTIVE, None) == _gist(await read(world, connection.id))
    assert Secret("access-2") == held(world, connection.id)
    assert 1 == len(bodies(world)) - 1
    assert {} == world.stores.spill.kept
    assert {} == world.stores.revocations.rows


@pytest.mark.parametrize("index", [pytest.param(0, id="the intent"), pytest.param(1, id="the new token set")])
async def test_a_renewal_survives_a_commit_whose_word_was_lost(world: FakeWorld, index: int) -> None:
    """A database that dies while it commits leaves nothing unknown that this process knows."""
    await publish(world)
    connection = (await log_in(world)).connection
    lose_word(world, index)
    world.egress.will_reply(token(2, at=world.clock.now()))

    try:
        await renew(world, connection)
    except StoreUnavailable:
        assert 0 == len(bodies(world)) - 1
        assert (1, State.ACTIVE, None) == _gist(await read(world, connection.id))  # another process finds no doubt
        assert 2 == (await renew(world, connection)).generation
    await stored(world)

    assert (2, State.ACTIVE, None) == _gist(await read(world, connection.id))
    assert Secret("access-2") == held(world, connection.id)
    assert 1 == len(bodies(world)) - 1
    assert {} == world.stores.revocations.rows
    assert "connection.late_answer" not in {action for action, _ in actions(world)}
    assert 1 == actions(world).count(("connection.renewed", "ok"))


async def stored(world: FakeWorld) -> None:
    """Let time pass until the database has all that was answered."""
    for _ in range(200):
        if not world.application.renewals.unstored:
            return
        await asyncio.sleep(0)
        world.clock.advance(0.1)


def _gist(connection: object) -> tuple[object, ...]:
    return tuple(getattr(connection, name) for name in ("generation", "state", "intent"))


AFTER_SEND = [
    pytest.param(json_answer("{}", 503), ProviderUnavailable, (1, State.ACTIVE, None), {}, id="unavailable"),
    pytest.param(error("invalid_grant"), NeedsReconnect, (1, State.NEEDS_RECONNECT, None), {}, id="refused"),
    pytest.param(ProviderTimeout(), RenewalNotPossible, (1, State.UNCERTAIN, IntentKind.REFRESH), {}, id="no answer"),
    pytest.param(
        ProviderTimeout(),
        NeedsReconnect,
        (1, State.NEEDS_RECONNECT, None),
        {"keep": "required", "refresh": "strategy: password_only"},
        id="no answer to a login, twice",
    ),
    pytest.param(
        error("invalid_grant"),
        NeedsReconnect,
        (1, State.NEEDS_RECONNECT, None),
        {"keep": "required", "refresh": "strategy: refresh_then_password"},
        id="refresh and password refused",
    ),
]


@pytest.mark.parametrize(("reply", "raised", "gist", "parts"), AFTER_SEND)
async def test_what_the_provider_answered_is_written_however_long_the_database_is_gone(
    world: FakeWorld,
    reply: Answer | Exception,
    raised: type[KeyturnError],
    gist: tuple[object, ...],
    parts: dict[str, str],
) -> None:
    """A passing failure must not become an unknown outcome, which would cost the connection."""
    await publish(world, **parts)
    connection = (await log_in(world)).connection

    async def and_the_database_goes(_: OutgoingRequest) -> Answer:
        world.stores.database.gone = len(world.egress.requests) == 3
        if isinstance(reply, Exception):
            raise reply
        return reply

    world.egress.will_reply(and_the_database_goes, and_the_database_goes)
    work = asyncio.ensure_future(world.application.renewals.renew(connection.id, generation=1))
    for _ in range(600):
        await asyncio.sleep(0)
        world.clock.advance(0.2)
    assert world.clock.slept[-1] <= 5
    world.stores.database.gone = False
    for _ in range(600):
        await asyncio.sleep(0)
        world.clock.advance(0.2)

    with pytest.raises((raised, StoreUnavailable)):  # who waited was not kept waiting for the database
        await work
    with pytest.raises(raised):
        await renew(world, connection)
    after = await read(world, connection.id)
    assert gist == (after.generation, after.state, after.intent.kind if after.intent else None)


async def test_a_database_and_a_disk_that_are_gone_lose_no_token_while_the_process_lives(world: FakeWorld) -> None:
    """Memory is all that is left, and the renewal goes on trying."""
    await publish(world)
    connection = (await log_in(world)).connection

    async def and_all_goes(_: OutgoingRequest) -> Answer:
        world.stores.database.gone = world.stores.spill.full = True
        return token(2, at=world.clock.now())

    world.egress.will_reply(and_all_goes)
    work = asyncio.ensure_future(world.application.renewals.renew(connection.id, generation=1))
    for _ in range(300):
        await asyncio.sleep(0)
        world.clock.advance(0.2)
    world.stores.database.gone = False
    for _ in range(300):
        await asyncio.sleep(0)
        world.clock.advance(0.2)

    assert 2 == (await work).generation
    assert {} == world.stores.spill.kept


async def test_a_login_budget_that_cannot_be_settled_costs_no_token(world: FakeWorld) -> None:
    """The renewal with the kept password keeps what it got, whatever becomes of the book-keeping."""
    await publish(world, keep="required", refresh="strategy: password_only")
    connection = (await log_in(world)).connection

    def no_settling(name: str) -> None:
        if name == "logins.settle":
            raise StoreUnavailable("the database is gone")

    world.stores.database.before_write = no_settling
    world.egress.will_reply(token(2, at=world.clock.now()))

    assert 2 == (await renew(world, connection)).generation


async def test_these_are_the_writes_of_a_login(world: FakeWorld) -> None:
    """The test below fails each of them; a new one has to be added there."""
    await publish(world)
    world.stores.database.writes.clear()

    await in_time(world, log_in(world))

    assert list(LOGIN_WRITES) == world.stores.database.writes


@pytest.mark.parametrize("index", range(len(LOGIN_WRITES)))
async def test_a_login_survives_the_loss_of_any_write(world: FakeWorld, index: int) -> None:
    """Either nothing was sent, or its token is stored."""
    await publish(world)
    fail_write(world, index)

    try:
        await in_time(world, log_in(world))
    except StoreUnavailable:
        assert [] == world.egress.requests
    else:
        assert [State.ACTIVE] == [row[0].state for row in world.stores.connections.rows.values()]
    assert {} == world.stores.revocations.rows


async def test_a_login_that_cannot_be_stored_is_revoked_once_the_database_is_back(world: FakeWorld) -> None:
    """No token stays behind that nobody knows."""
    await publish(world)
    tries = []

    def no_insert(name: str) -> None:
        if name == "connections.insert":
            tries.append(name)
            raise StoreUnavailable("the database is gone")

    world.stores.database.before_write = no_insert

    with pytest.raises(StoreUnavailable):
        await in_time(world, log_in(world))

    assert 4 == len(tries)
    assert ["refused"] == [row.cause.value for row in world.stores.revocations.rows.values()]


async def test_a_login_that_was_stored_after_all_is_not_revoked(world: FakeWorld) -> None:
    """The commit's word was lost, then the database: the tokens are live and must stay so."""
    await publish(world)
    store = world.stores.connections
    really_insert = store.insert

    async def insert(*given: object, **more: object) -> None:
        await really_insert(*given, **more)  # type: ignore[arg-type]
        world.stores.database.gone = True
        raise StoreUnavailable("the connection broke while it committed")

    store.insert = insert  # type: ignore[method-assign, assignment]

    work = asyncio.ensure_future(log_in(world))
    for _ in range(400):
        await asyncio.sleep(0)
        world.clock.advance(0.05)
        if len(world.clock.slept) >= 4:
            world.stores.database.gone = False
    with pytest.raises(StoreUnavailable):
        await work

    assert 1 == len(store.rows)
    assert {} == world.stores.revocations.rows


async def test_an_insert_whose_word_was_lost_is_found_again(world: FakeWorld) -> None:
    """With on_duplicate: allow nothing else would keep a second row out."""
    await publish(world, on_duplicate="allow")
    store = world.stores.connections
    failed: list[bool] = []
    really_insert = store.insert

    async def insert(*given: object, **more: object) -> object:
        stored = await really_insert(*given, **more)  # type: ignore[arg-type]
        if not failed:
            failed.append(True)
            raise StoreUnavailable("the connection broke while it committed")
        return stored

    store.insert = insert  # type: ignore[method-assign, assignment]

    connected = await in_time(world, log_in(world))

    assert (True, 1) == (connected.created, len(store.rows))


async def test_a_refusal_is_said_though_nothing_can_be_written_down(world: FakeWorld) -> None:
    """The person hears what the provider said, without a number of tries that nobody knows."""
    await publish(world)

    async def and_the_database_goes(_: OutgoingRequest) -> Answer:
        world.stores.database.gone = True
        return error("invalid_grant")

    world.egress.will_reply(and_the_database_goes)

    with pytest.raises(CredentialsRejected) as refused:
        await world.application.connect(LoginRequest("acme", "o", "jo", Secret("password-canary")), ACTOR)

    assert "tries_left" not in refused.value.extensions


async def test_a_bug_after_the_token_came_revokes_it(world: FakeWorld) -> None:
    """Whatever ends a login after its token came revokes that token set; a crash too."""
    await publish(world)
    world.egress.will_reply(token(), ZeroDivisionError("a bug"))

    with pytest.raises(ZeroDivisionError):
        await world.application.connect(LoginRequest("acme", "o", "jo", Secret("password-canary")), ACTOR)

    assert ["refused"] == [row.cause.value for row in world.stores.revocations.rows.values()]


@pytest.mark.parametrize("index", range(6))
async def test_a_disconnect_survives_the_loss_of_any_write(world: FakeWorld, index: int) -> None:
    """It either did not take place, or is said as ended and goes on to its end."""
    await publish(world)
    connection = (await log_in(world)).connection
    fail_write(world, index)
    world.egress.will_reply(*[json_answer("{}")] * 4)

    try:
        ended = await world.application.disconnect(connection.id, ACTOR)
    except StoreUnavailable:
        assert State.ACTIVE is (await read(world, connection.id)).state
        ended = await world.application.disconnect(connection.id, ACTOR)

    assert ended.ended
    world.clock.advance(31)
    await world.application.scheduler.revoke_due()
    assert State.DISCONNECTED is (await read(world, connection.id)).state
    assert {} == world.stores.revocations.rows


async def test_callers_go_on_with_a_token_that_only_memory_has(world: FakeWorld) -> None:
    """A full disk takes no token, and costs no call: reads are as good as ever, and a pause counts all the same."""
    await publish(world)
    connection = (await log_in(world)).connection
    full = [True]

    def no_room(name: str) -> None:
        if full[0] and name == "renewals.settle":
            raise StoreUnavailable("the database can't be used: SQLITE_FULL")

    world.stores.database.before_write = no_room
    world.stores.spill.full = True
    world.clock.advance(3600)
    world.egress.will_reply(token(2, at=world.clock.now()))
    route = await in_time(world, world.application.calls.route(connection.id, ACTOR))
    again = await world.application.calls.route(connection.id, ACTOR)
    unstored = world.application.renewals.unstored
    await world.application.pause(connection.id, ACTOR, paused=True)
    with pytest.raises(ConnectionPaused):
        await world.application.calls.route(connection.id, ACTOR)
    await world.application.pause(connection.id, ACTOR, paused=False)
    full[0] = False
    await stored(world)

    assert (2, 2, 1) == (route.generation, again.generation, unstored)
    assert 1 == len(bodies(world)) - 1
    assert Secret("access-2") == held(world, connection.id)
    assert (2, State.ACTIVE, None) == _gist(await read(world, connection.id))
    assert 0 == world.application.renewals.unstored
