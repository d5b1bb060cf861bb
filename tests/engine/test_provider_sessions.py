"""Providers that allow few sessions: room is made before a password is sent, and what becomes of that is said."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

import pytest

from keyturn.core.connection import Connection, Intent, IntentKind, State
from keyturn.core.errors import (
    CredentialsRejected,
    GenerationConflict,
    KeyturnError,
    NeedsReconnect,
    ProviderTimeout,
    ProviderUnavailable,
    ProviderUnreachable,
    RenewalInProgress,
    SessionLimitReached,
)
from keyturn.core.messages import Answer, OutgoingRequest
from keyturn.core.secret import Secret
from keyturn.engine.login.challenged import Challenged
from keyturn.engine.login.connect import LoginRequest
from keyturn.engine.renewal.leasing import LEASE_S
from tests.engine.passing import in_time, renew
from tests.engine.story import ACTOR, actions, bodies, error, log_in, me, publish, read, token
from tests.fakes.application import FakeWorld, make_world
from tests.fakes.egress import json_answer

T = TypeVar("T")
OK = Answer(200, (), b"", received_at=0.0)
GONE = json_answer("{}", 401)
DOWN = json_answer("{}", 503)
LOGOUT_FIRST = "session: {logout_first: true}"
KEPT = {"keep": "offer", "refresh": "strategy: password_only"}
ASKED = f"""{LOGOUT_FIRST}
challenges:
  - when: {{body: "error == 'mfa'"}}
    ask: [{{key: otp, label: Code, type: otp}}]
    then: {{extra_params: {{otp: "{{{{ otp }}}}"}}}}
"""


@pytest.fixture
def world() -> FakeWorld:
    """A world in which time passes only as a test lets it."""
    made = make_world()
    made.entropy.fixed_fraction = 0.5
    return made


def paths(world: FakeWorld) -> list[str]:
    """Where requests went, in order."""
    return [each.url.rpartition("/")[2] for each in world.egress.requests]


async def connected(world: FakeWorld, more: str = LOGOUT_FIRST, **parts: str) -> Connection:
    """A connection whose provider allows few sessions, with nothing sent yet that counts."""
    await publish(world, more=more, **parts)
    made = (await log_in(world, keep_password="keep" in parts)).connection
    world.egress.requests.clear()
    world.stores.database.records.clear()
    return made


def again(**more: object) -> LoginRequest:
    """The same account once more."""
    return replace(LoginRequest("acme", "owner-1", "jo", Secret("password-canary")), **more)  # type: ignore[arg-type]


async def until(true: Callable[[], bool]) -> None:
    """Let others run until something is so."""
    for _ in range(1000):
        if true():
            return
        await asyncio.sleep(0)
    raise AssertionError("it never came")


async def waited(task: asyncio.Task[T]) -> T:
    """What a task comes to."""
    return await task


async def secrets_of(world: FakeWorld, connection: Connection) -> tuple[bool, bool]:
    """Whether an access token and a refresh token are kept."""
    opened = await world.stores.connections.open(connection.id)
    assert opened is not None
    assert opened[1].token_set is not None
    return bool(opened[1].token_set.access_token), opened[1].token_set.refresh_token is not None


@pytest.mark.parametrize("by_name", [False, True], ids=["a reconnect", "the same username"])
async def test_a_person_logs_in_after_the_old_session_is_over(world: FakeWorld, by_name: bool) -> None:
    """Both tokens are revoked, then the password is sent; nothing is left to revoke afterwards."""
    connection = await connected(world)
    world.egress.will_reply(OK, OK, token(2), me())

    result = await world.application.connect(again(reconnects=None if by_name else connection.id), ACTOR)

    assert ["revoke", "revoke", "token", "me"] == paths(world)
    assert ["token=refresh-1", "token=access-1"] == bodies(world, "/revoke")
    assert not isinstance(result, Challenged)
    assert (connection.id, 2, State.ACTIVE) == (result.connection.id, result.connection.generation, State.ACTIVE)
    assert {} == world.stores.revocations.rows
    assert [
        ("login.sent", "ok"),
        ("revocation.sent", "ok"),
        ("revocation.tried", "ok"),
        ("login.answered", "ok"),
        ("connection.reconnected", "ok"),
    ] == actions(world)
    sent = next(each for each in world.stores.database.records if each.action == "revocation.tried")
    assert ("logged_out", ["refresh_token", "access_token"]) == (sent.facts["cause"], sent.facts["done"])
    assert (ACTOR.name, connection.id) == (sent.actor, sent.connection)


@pytest.mark.parametrize(
    "other",
    [{"username": "ann"}, {"owner": "owner-2"}],
    ids=["another username", "another owner"],
)
async def test_nothing_is_ended_for_another_account(world: FakeWorld, other: dict[str, str]) -> None:
    """Whose session it is has to be known before it is ended."""
    await connected(world)
    world.egress.will_reply(token(2), me("43"))

    await world.application.connect(again(**other), ACTOR)

    assert ["token", "me"] == paths(world)


async def test_a_reconnect_as_another_account_ends_nothing_first(world: FakeWorld) -> None:
    """The old account's session is in nobody's way; it is revoked afterwards, as ever."""
    connection = await connected(world)
    world.egress.will_reply(token(2), me("43"))

    await world.application.connect(again(username="ann", reconnects=connection.id, allow_account_change=True), ACTOR)

    assert ["token", "me"] == paths(world)
    assert 1 == len(world.stores.revocations.rows)


async def test_a_field_that_goes_along_tells_accounts_apart(world: FakeWorld) -> None:
    """The same username in two companies is two accounts, and each has its sessions."""
    company = f"{LOGOUT_FIRST}\nfields: [{{key: company, label: Company}}]"
    params = ', params: {username: "{{ username }}", password: "{{ password }}", company: "{{ company }}"}'
    await publish(world, more=company, token=params)
    await log_in(world, fields={"company": "one"})
    world.egress.requests.clear()
    world.egress.will_reply(token(2), me("43"), OK, OK, token(3), me())

    await world.application.connect(again(fields={"company": "two"}), ACTOR)
    await world.application.connect(again(fields={"company": "one"}), ACTOR)

    assert ["token", "me", "revoke", "revoke", "token", "me"] == paths(world)


async def test_without_the_key_the_old_set_goes_afterwards(world: FakeWorld) -> None:
    """As ever: the login comes first, and is remembered by no name."""
    connection = await connected(world, more="")
    world.egress.will_reply(token(2), me())

    await world.application.connect(again(reconnects=connection.id), ACTOR)

    assert ["token", "me"] == paths(world)
    assert 1 == len(world.stores.revocations.rows)
    assert (await read(world, connection.id)).account is None


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        pytest.param(DOWN, ProviderUnavailable, id="down"),
        pytest.param(ProviderUnreachable(), ProviderUnreachable, id="not reached"),
        pytest.param(ProviderTimeout(), ProviderTimeout, id="no answer"),
    ],
)
async def test_a_provider_that_did_not_hear_it_gets_no_password(
    world: FakeWorld, reply: Answer | Exception, kind: type[KeyturnError]
) -> None:
    """The connection is as it was, and the try counts against nothing."""
    before = await connected(world)
    world.egress.will_reply(reply, OK)

    with pytest.raises(kind):
        await world.application.connect(again(reconnects=before.id), ACTOR)
    after = await read(world, before.id)

    assert ["revoke", "revoke"] == paths(world)
    assert replace(before, revision=after.revision, updated_at=after.updated_at) == after
    assert (True, True) == await secrets_of(world, before)
    assert ("login.answered", kind.code) == actions(world)[-1]
    world.egress.will_reply(OK, OK, error("invalid_grant"))
    with pytest.raises(CredentialsRejected) as raised:
        await world.application.connect(again(reconnects=before.id), ACTOR)
    assert 2 == raised.value.extensions["tries_left"]


@pytest.mark.parametrize("reply", [GONE, error("invalid_token"), json_answer("{}", 404)], ids=["401", "400", "404"])
async def test_a_session_that_the_provider_does_not_know_is_over(world: FakeWorld, reply: Answer) -> None:
    """It ended by itself; the login goes on."""
    connection = await connected(world)
    world.egress.will_reply(reply, reply, token(2), me())

    await world.application.connect(again(reconnects=connection.id), ACTOR)

    assert 2 == (await read(world, connection.id)).generation


async def test_a_wrong_password_leaves_the_person_needed(world: FakeWorld) -> None:
    """Its session is over, and nothing is kept that could bring another: the state says so at once."""
    connection = await connected(world)
    world.egress.will_reply(OK, OK, error("invalid_grant"))

    with pytest.raises(CredentialsRejected) as raised:
        await world.application.connect(again(reconnects=connection.id), ACTOR)
    after = await read(world, connection.id)

    assert 2 == raised.value.extensions["tries_left"]
    assert (State.NEEDS_RECONNECT, "session_ended") == (after.state, after.reason)
    assert (world.clock.now(), None, False, None) == (
        after.expires_at,
        after.renews_at,
        after.refreshable,
        after.intent,
    )
    assert (False, False) == await secrets_of(world, connection)
    assert ("connection.needs_reconnect", "session_ended") == actions(world)[-1]


async def test_a_kept_password_brings_the_session_back(world: FakeWorld) -> None:
    """What the person mistyped costs nothing for good; nothing of the old session is sent again."""
    connection = await connected(world, **KEPT)
    world.egress.will_reply(OK, OK, error("invalid_grant"))
    with pytest.raises(CredentialsRejected):
        await world.application.connect(again(reconnects=connection.id, password=Secret("mistyped")), ACTOR)
    due = await read(world, connection.id)
    world.egress.will_reply(token(2))

    renewed = await renew(world, due)

    assert (State.ACTIVE, due.expires_at) == (due.state, due.renews_at)
    assert ["revoke", "revoke", "token", "token"] == paths(world)
    assert 2 == renewed.generation
    assert {} == world.stores.revocations.rows


async def test_a_code_in_between_keeps_renewals_away(world: FakeWorld) -> None:
    """The person is asked, so that no kept password is sent beside; the answer makes the connection whole again."""
    connection = await connected(world, more=ASKED, **KEPT)
    world.egress.will_reply(OK, OK, error("mfa"))
    challenge = await world.application.connect(again(reconnects=connection.id), ACTOR)
    asked = await read(world, connection.id)
    world.egress.will_reply(token(2), me())
    assert isinstance(challenge, Challenged)
    await world.application.challenges.answer(challenge.id, {"otp": "123456"}, ACTOR)
    after = await read(world, connection.id)

    assert (State.NEEDS_RECONNECT, "challenge_required", None) == (asked.state, asked.reason, asked.renews_at)
    assert ["revoke", "revoke", "token", "token", "me"] == paths(world)
    assert (State.ACTIVE, None, 2) == (after.state, after.reason, after.generation)


async def test_a_renewal_logs_out_before_it_logs_in(world: FakeWorld) -> None:
    """One session at a time: the old one is over before the kept password is sent, and stays over."""
    connection = await connected(world, **KEPT)
    world.clock.advance(3500)
    world.egress.will_reply(OK, OK, token(2, at=world.clock.now()))

    renewed = await renew(world, connection)

    assert ["revoke", "revoke", "token"] == paths(world)
    assert (2, None) == (renewed.generation, renewed.intent)
    assert {} == world.stores.revocations.rows
    assert [
        ("revocation.sent", "ok"),
        ("revocation.tried", "ok"),
        ("connection.renewed", "ok"),
    ] == actions(world)


async def test_a_renewal_that_lost_its_lease_meanwhile_logs_in_no_more(world: FakeWorld) -> None:
    """A process that was stopped and wakes up: another has the connection now, and its intent to read."""
    connection = await connected(world, **KEPT)

    async def slept(_request: OutgoingRequest) -> Answer:
        world.clock.advance(LEASE_S + 1)
        world.stores.processes.is_fresh = False
        world.stores.leases.hold(f"row {connection.id}", LEASE_S)
        return OK

    world.egress.will_reply(OK, slept)
    with pytest.raises(RenewalInProgress):
        await renew(world, connection)
    after = await read(world, connection.id)

    assert ["revoke", "revoke"] == paths(world)
    assert IntentKind.LOGIN is (after.intent and after.intent.kind)


async def test_a_renewal_by_refresh_is_no_login(world: FakeWorld) -> None:
    """It goes on within its session."""
    connection = await connected(world)
    world.egress.will_reply(token(2))

    await renew(world, connection)

    assert ["token"] == paths(world)


async def test_a_renewal_whose_logout_is_not_heard_waits(world: FakeWorld) -> None:
    """The token set stays, the failure passes, and no password was sent."""
    connection = await connected(world, **KEPT)
    world.clock.advance(3500)
    world.egress.will_reply(DOWN, OK)

    with pytest.raises(ProviderUnavailable):
        await renew(world, connection)
    after = await read(world, connection.id)

    assert ["revoke", "revoke"] == paths(world)
    assert (State.ACTIVE, "provider_unavailable", 1) == (after.state, after.last_error, after.failures_in_a_row)
    assert (None, connection.expires_at) == (after.intent, after.expires_at)
    assert (True, True) == await secrets_of(world, connection)
    assert ("login.answered", "provider_unavailable") == actions(world)[-1]


async def test_a_renewal_that_fails_after_its_logout_says_that_the_token_is_over(world: FakeWorld) -> None:
    """No caller is given a token of a session that was ended; the next try needs no logout."""
    connection = await connected(world, **KEPT)
    world.egress.will_reply(OK, OK, DOWN)
    with pytest.raises(ProviderUnavailable):
        await renew(world, connection)
    after = await read(world, connection.id)
    world.clock.advance(60)
    world.egress.will_reply(token(2))

    renewed = await renew(world, after)

    assert (State.ACTIVE, "provider_unavailable") == (after.state, after.last_error)
    assert (after.expires_at or 0.0) < world.clock.now() - 59
    assert (connection.expires_at or 0.0) > world.clock.now()
    assert ["revoke", "revoke", "token", "token"] == paths(world)
    assert 2 == renewed.generation


async def test_kept_values_of_an_answer_outlive_the_session(world: FakeWorld) -> None:
    """They say where the account is, and the next login may not name them again."""
    kept = ", response: {keep: {shard: shard}}"
    await publish(world, more=LOGOUT_FIRST, token=kept, **KEPT)
    first = json_answer('{"access_token": "a", "shard": "s-7", "expires_in": 60}')
    connection = (await log_in(world, first, keep_password=True)).connection
    world.egress.will_reply(OK, DOWN)
    with pytest.raises(ProviderUnavailable):
        await renew(world, connection)
    world.clock.advance(60)
    world.egress.will_reply(json_answer('{"access_token": "b", "expires_in": 60}'))

    await renew(world, connection)
    opened = await world.stores.connections.open(connection.id)

    assert opened is not None
    assert opened[1].token_set is not None
    assert {"shard": "s-7"} == opened[1].token_set.kept


async def test_a_disconnect_after_the_logout_has_nothing_to_tell(world: FakeWorld) -> None:
    """No request goes out for a session that is over."""
    connection = await connected(world)
    world.egress.will_reply(OK, OK, error("invalid_grant"))
    with pytest.raises(CredentialsRejected):
        await world.application.connect(again(reconnects=connection.id), ACTOR)

    ended = await world.application.disconnect(connection.id, ACTOR)

    assert (State.DISCONNECTED, "nothing_to_revoke") == (ended.state, ended.revocation["result"])
    assert ended.account is None


@pytest.mark.parametrize(
    ("parts", "replies", "sent"),
    [
        pytest.param({}, [token(2)], ["token"], id="the refresh token tells"),
        pytest.param(KEPT, [OK, OK, token(2)], ["revoke", "revoke", "token"], id="the kept password, after a logout"),
    ],
)
async def test_a_crash_in_the_midst_of_a_persons_login(
    world: FakeWorld, parts: dict[str, str], replies: list[Answer], sent: list[str]
) -> None:
    """Whether the session was ended nobody knows: what is kept finds out."""
    connection = await crashed(world, parts)
    world.egress.will_reply(*replies)

    renewed = await renew(world, connection)

    assert sent == paths(world)
    assert 2 == renewed.generation


async def test_a_crash_with_nothing_kept_says_what_happened(world: FakeWorld) -> None:
    """The person is needed, and `why` says what for."""
    connection = await crashed(world, {"refresh": "strategy: password_only"})

    with pytest.raises(NeedsReconnect):
        await renew(world, connection)
    after = await read(world, connection.id)

    assert (State.NEEDS_RECONNECT, "session_ended") == (after.state, after.reason)


async def crashed(world: FakeWorld, parts: dict[str, str]) -> Connection:
    """A connection whose person's login was declared, and of which nothing more is known."""
    connection = await connected(world, **parts)
    intent = Intent(IntentKind.LOGIN, connection.generation, "att_lost", world.clock.now())
    return await world.stores.connections.save(replace(connection, intent=intent, renews_at=world.clock.now()))


async def test_a_refresh_of_unknown_fate_is_not_sent_after_it(world: FakeWorld) -> None:
    """What was lost once is not sent twice, however the login ends."""
    connection = await connected(world)
    intent = Intent(IntentKind.REFRESH, connection.generation, "att_lost", world.clock.now())
    unknown = await world.stores.connections.save(replace(connection, intent=intent, state=State.UNCERTAIN))
    seen: list[Connection] = []

    async def look(_request: OutgoingRequest) -> Answer:
        seen.append(await read(world, connection.id))
        return DOWN

    world.egress.will_reply(look, OK)
    with pytest.raises(ProviderUnavailable):
        await world.application.connect(again(reconnects=connection.id), ACTOR)
    after = await read(world, connection.id)

    assert [(IntentKind.LOGIN, False)] == [(each.intent and each.intent.kind, each.refreshable) for each in seen]
    assert (intent, unknown.refreshable) == (after.intent, after.refreshable)


async def test_no_renewal_logs_in_beside_a_person(world: FakeWorld) -> None:
    """The connection is leased from the logout to the end; the renewal then has nothing to do."""
    connection = await connected(world, **KEPT)
    go_on = asyncio.Event()

    async def held(_request: OutgoingRequest) -> Answer:
        await go_on.wait()
        return token(2)

    world.egress.will_reply(OK, OK, held, me())
    login = asyncio.create_task(world.application.connect(again(reconnects=connection.id), ACTOR))
    await until(lambda: "token" in paths(world))
    renewals = world.application.renewals
    renewal = asyncio.create_task(renewals.renew(connection.id, generation=connection.generation, actor=ACTOR))
    for _ in range(50):
        await asyncio.sleep(0)
    go_on.set()
    await login

    assert 2 == (await in_time(world, waited(renewal))).generation
    assert ["revoke", "revoke", "token", "me"] == paths(world)


async def test_two_logins_of_an_account_take_turns(world: FakeWorld) -> None:
    """The second finds the session of the first, and is refused before its password is sent."""
    await publish(world, more="session: {limit: 1}")
    go_on = asyncio.Event()

    async def held(_request: OutgoingRequest) -> Answer:
        await go_on.wait()
        return token(1)

    world.egress.will_reply(held, me())
    first = asyncio.create_task(world.application.connect(again(), ACTOR))
    await until(lambda: bool(paths(world)))
    second = asyncio.create_task(world.application.connect(again(owner="owner-2"), ACTOR))
    for _ in range(50):
        await asyncio.sleep(0)
    go_on.set()
    await first

    with pytest.raises(SessionLimitReached):
        await in_time(world, waited(second))
    assert ["token", "me"] == paths(world)


async def test_a_login_that_waits_too_long_for_its_turn_is_refused(world: FakeWorld) -> None:
    """Somebody else's renewal that hangs holds nobody up for good."""
    connection = await connected(world)
    assert await world.stores.leases.acquire(connection.id, for_s=LEASE_S) is not None

    with pytest.raises(GenerationConflict):
        await in_time(world, world.application.connect(again(reconnects=connection.id), ACTOR))

    assert [] == paths(world)
    assert ("login.answered", "generation_conflict") == actions(world)[-1]


async def test_a_login_beyond_the_limit_sends_no_password(world: FakeWorld) -> None:
    """It would end a session that another connection uses; once that is gone there is room."""
    first = await connected(world, more="session: {limit: 1}")

    with pytest.raises(SessionLimitReached) as raised:
        await world.application.connect(again(owner="owner-2"), ACTOR)
    refused = paths(world)
    world.egress.will_reply(OK, OK)
    await world.application.disconnect(first.id, ACTOR)
    world.egress.will_reply(token(2), me())
    await world.application.connect(again(owner="owner-2"), ACTOR)

    assert [] == refused
    assert {"limit": 1} == raised.value.extensions
    assert ["revoke", "revoke", "token", "me"] == paths(world)


async def test_at_the_limit_its_own_person_may_log_in(world: FakeWorld) -> None:
    """The provider ends the old session itself: a wrong password costs nothing."""
    connection = await connected(world, more="session: {limit: 1}")
    world.egress.will_reply(error("invalid_grant"))
    with pytest.raises(CredentialsRejected):
        await world.application.connect(again(reconnects=connection.id), ACTOR)
    after = await read(world, connection.id)

    assert ["token"] == paths(world)
    assert replace(connection, revision=after.revision) == after


async def test_a_renewal_beyond_the_limit_waits_for_room(world: FakeWorld) -> None:
    """Another connection took the place when this one's token had ended; it says so, and no password is sent."""
    connection = await connected(world, more="session: {limit: 1}", **KEPT)
    world.clock.advance(3600)
    ended = await world.stores.connections.save(replace(await read(world, connection.id), refreshable=False))
    world.egress.will_reply(token(2, at=world.clock.now()), me())
    await world.application.connect(again(owner="owner-2"), ACTOR)
    world.egress.requests.clear()

    with pytest.raises(SessionLimitReached) as full:
        await renew(world, ended)
    after = await read(world, connection.id)

    assert [] == paths(world)
    assert (State.ACTIVE, "session_limit_reached", None) == (after.state, after.last_error, after.intent)
    assert (300, None) == (full.value.retry_after_s, after.retry_at)


async def test_two_tabs_of_one_person_end_in_one_session(world: FakeWorld) -> None:
    """The second login finds the connection that the first has just made, and makes room."""
    await publish(world, more="session: {limit: 1, logout_first: true}")
    go_on = asyncio.Event()

    async def held(_request: OutgoingRequest) -> Answer:
        await go_on.wait()
        return token(1, at=world.clock.now())

    world.egress.will_reply(held, me(), OK, OK, token(2), me())
    first = asyncio.create_task(world.application.connect(again(), ACTOR))
    await until(lambda: bool(paths(world)))
    second = asyncio.create_task(world.application.connect(again(), ACTOR))
    for _ in range(50):
        await asyncio.sleep(0)
    go_on.set()
    one, two = await first, await in_time(world, waited(second))

    assert ["token", "me", "revoke", "revoke", "token", "me"] == paths(world)
    assert not isinstance(one, Challenged)
    assert not isinstance(two, Challenged)
    assert (one.connection.id, 2) == (two.connection.id, two.connection.generation)


async def test_an_answer_that_found_no_room_may_be_given_again(world: FakeWorld) -> None:
    """Another login of the account came while the code was awaited; the code was not sent."""
    await publish(world, more=ASKED.replace("logout_first: true", "limit: 1"))
    world.egress.will_reply(error("mfa"))
    challenge = await world.application.connect(again(owner="owner-2"), ACTOR)
    other = (await log_in(world)).connection
    assert isinstance(challenge, Challenged)
    with pytest.raises(SessionLimitReached):
        await world.application.challenges.answer(challenge.id, {"otp": "123456"}, ACTOR)
    refused = len(world.egress.requests)
    world.egress.will_reply(OK, OK)
    await world.application.disconnect(other.id, ACTOR)
    world.egress.will_reply(token(2), me())
    await world.application.challenges.answer(challenge.id, {"otp": "123456"}, ACTOR)

    assert 3 == refused
    assert ["token", "token", "me", "revoke", "revoke", "token", "me"] == paths(world)
