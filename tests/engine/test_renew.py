"""Renewals over fakes: each outcome of a send, each invariant that one process can show."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from keyturn.core.connection import Connection, Intent, IntentKind, State
from keyturn.core.errors import (
    ConnectionDisconnected,
    ConnectorClientRejected,
    NeedsReconnect,
    ProviderBadResponse,
    ProviderRateLimited,
    ProviderTimeout,
    ProviderUnavailable,
    ProviderUnreachable,
    RenewalNotPossible,
)
from keyturn.core.messages import Answer, OutgoingRequest
from keyturn.core.secret import Secret
from tests.engine.story import ACTOR, actions, bodies, error, log_in, publish, read, token
from tests.fakes.application import FakeWorld, make_world
from tests.fakes.clock import FakeClock
from tests.fakes.egress import json_answer


@pytest.fixture
def world() -> FakeWorld:
    """A world whose clock moves when somebody sleeps."""
    made = make_world(clock=FakeClock(auto=False))
    made.entropy.fixed_fraction = 0.5
    return made


async def renew(world: FakeWorld, connection: Connection, **more: Any) -> Connection:
    """Renew past the connection's generation while time passes by itself."""
    work = asyncio.ensure_future(
        world.application.renewals.renew(connection.id, generation=connection.generation, actor=ACTOR, **more)
    )
    for _ in range(2000):
        if work.done():
            break
        await asyncio.sleep(0)
        if world.clock.sleepers and not work.done():
            await asyncio.sleep(0)
            world.clock.advance(0.25)
    return await work


async def test_a_renewal_keeps_the_new_set_as_the_next_generation(world: FakeWorld) -> None:
    """The refresh token of the last answer is sent, once, and the new set takes its place."""
    await publish(world)
    connection = (await log_in(world)).connection
    world.egress.will_reply(token(2, at=world.clock.now()))

    renewed = await renew(world, connection)

    assert (2, State.ACTIVE, None) == (renewed.generation, renewed.state, renewed.intent)
    assert ["grant_type=refresh_token&refresh_token=refresh-1"] == bodies(world)[1:]
    _, secrets = world.stores.connections.rows[connection.id]
    assert secrets.token_set is not None
    assert Secret("refresh-2") == secrets.token_set.refresh_token
    assert [("connection.renewed", "ok")] == [
        each for each in actions(world) if "renew" in each[0] or "refresh" in each[0]
    ]


async def test_a_refresh_token_that_is_not_repeated_is_kept(world: FakeWorld) -> None:
    """Providers that don't rotate leave it out of the answer."""
    await publish(world)
    connection = (await log_in(world)).connection
    world.egress.will_reply(token(2, refresh=None, at=world.clock.now()))

    await renew(world, connection)

    _, secrets = world.stores.connections.rows[connection.id]
    assert secrets.token_set is not None
    assert Secret("refresh-1") == secrets.token_set.refresh_token


async def test_many_callers_cause_one_renewal(world: FakeWorld) -> None:
    """I1, I3: all of them go on with its result."""
    await publish(world)
    connection = (await log_in(world)).connection
    release = asyncio.Event()

    async def slowly(_: OutgoingRequest) -> Answer:
        await release.wait()
        return token(2, at=world.clock.now())

    world.egress.will_reply(slowly)
    callers = [
        asyncio.ensure_future(world.application.renewals.renew(connection.id, generation=1, actor=ACTOR))
        for _ in range(500)
    ]
    await asyncio.sleep(0.01)
    release.set()

    generations = {each.generation for each in await asyncio.gather(*callers)}

    assert {2} == generations
    assert 1 == len(bodies(world)) - 1


async def test_a_caller_that_hangs_up_neither_aborts_nor_doubles_it(world: FakeWorld) -> None:
    """I5: the renewal goes on for the others."""
    await publish(world)
    connection = (await log_in(world)).connection
    release = asyncio.Event()

    async def slowly(_: OutgoingRequest) -> Answer:
        await release.wait()
        return token(2, at=world.clock.now())

    world.egress.will_reply(slowly)
    first = asyncio.ensure_future(world.application.renewals.renew(connection.id, generation=1))
    second = asyncio.ensure_future(world.application.renewals.renew(connection.id, generation=1))
    await asyncio.sleep(0.01)
    first.cancel()
    await asyncio.sleep(0.01)
    release.set()

    assert 2 == (await second).generation
    assert 1 == len(bodies(world)) - 1


OUTCOMES = [
    pytest.param(error("invalid_grant"), NeedsReconnect, "needs_reconnect", "grant_lost", 1, id="refused"),
    pytest.param(error("invalid_client", 401), ConnectorClientRejected, "active", None, 1, id="client refused"),
    pytest.param(json_answer("{}", 429), ProviderRateLimited, "active", None, 1, id="rate limited"),
    pytest.param(error("invalid_grant", 500), ProviderUnavailable, "active", None, 1, id="500 whatever it says"),
    pytest.param(ProviderUnreachable(), ProviderUnreachable, "active", None, 1, id="not sent"),
    pytest.param(json_answer("<p>hm", 400), ProviderBadResponse, "active", None, 1, id="unclassified, first of three"),
    pytest.param(
        json_answer("{", 200), RenewalNotPossible, "uncertain", "renewal_outcome_unknown", 1, id="spoilt success"
    ),
    pytest.param(
        Answer(200, complete=False), RenewalNotPossible, "uncertain", "renewal_outcome_unknown", 1, id="cut success"
    ),
    pytest.param(
        ProviderTimeout(), RenewalNotPossible, "uncertain", "renewal_outcome_unknown", 1, id="sent, no answer"
    ),
]


@pytest.mark.parametrize(("reply", "raised", "state", "reason", "sends"), OUTCOMES)
async def test_what_follows_from_an_outcome(
    world: FakeWorld,
    reply: Answer | Exception,
    raised: type[Exception],
    state: str,
    reason: str | None,
    sends: int,
) -> None:
    """The outcome table for a rotating refresh token and no kept password."""
    await publish(world)
    connection = (await log_in(world)).connection
    world.egress.will_reply(reply)

    with pytest.raises(raised):
        await renew(world, connection)

    after = await read(world, connection.id)
    assert (state, reason, 1) == (after.state.value, after.reason, after.generation)
    assert sends == len(bodies(world)) - 1
    if state == "active":
        assert (None, True) == (after.intent, after.refreshable)
        assert after.renews_at is not None
        assert after.last_error is not None


async def test_the_third_unclassified_answer_ends_it(world: FakeWorld) -> None:
    """Three tries with back-off, then the person is asked."""
    await publish(world)
    connection = (await log_in(world)).connection
    for _ in range(2):
        world.egress.will_reply(json_answer("<p>", 400))
        with pytest.raises(ProviderBadResponse):
            await renew(world, connection, forced=True)
    world.egress.will_reply(json_answer("<p>", 400))

    with pytest.raises(NeedsReconnect):
        await renew(world, connection, forced=True)

    assert "provider_answer_unknown" == (await read(world, connection.id)).reason


async def test_a_failure_is_waited_out_unless_a_person_asks(world: FakeWorld) -> None:
    """On-demand renewals fail fast with the reason until the back-off is over."""
    await publish(world)
    connection = (await log_in(world)).connection
    world.egress.will_reply(json_answer("{}", 503))
    with pytest.raises(ProviderUnavailable):
        await renew(world, connection)

    with pytest.raises(ProviderUnavailable) as failed_fast:
        await renew(world, connection)

    assert 0 < (failed_fast.value.retry_after_s or 0) <= 2
    assert 1 == len(bodies(world)) - 1
    world.egress.will_reply(token(2, at=world.clock.now()))
    assert 2 == (await renew(world, connection, forced=True)).generation


async def test_stable_rotation_may_be_sent_again(world: FakeWorld) -> None:
    """An answer that was lost is asked for again where the connector says that this is harmless."""
    await publish(world, refresh="rotation: stable")
    connection = (await log_in(world)).connection
    world.egress.will_reply(ProviderTimeout(), token(2, at=world.clock.now()))

    assert 2 == (await renew(world, connection)).generation
    assert 2 == len(bodies(world)) - 1


@pytest.mark.parametrize(
    ("waited", "sends"), [pytest.param(19.0, 1, id="within the leeway"), pytest.param(21.0, 0, id="after it")]
)
async def test_an_intent_without_an_outcome_is_sent_again_only_within_the_leeway(
    world: FakeWorld, waited: float, sends: int
) -> None:
    """After a crash nobody knows whether the provider rotated."""
    await publish(world, refresh="leeway: 20s")
    connection = await crashed(world, IntentKind.REFRESH)
    world.clock.advance(waited)
    if sends:
        world.egress.will_reply(token(2, at=world.clock.now()))
        assert 2 == (await renew(world, connection)).generation
    else:
        with pytest.raises(RenewalNotPossible):
            await renew(world, connection)
        assert "uncertain" == (await read(world, connection.id)).state.value

    assert sends == len(bodies(world)) - 1


async def crashed(world: FakeWorld, kind: IntentKind, **login: Any) -> Connection:
    """A connection whose renewer died after it had declared its intent."""
    connection = (await log_in(world, **login)).connection
    intent = Intent(kind, 1, "att_dead", world.clock.now())
    saved = await world.stores.connections.save(replace(connection, intent=intent, renews_at=world.clock.now()))
    world.application.calls.forget_all()
    return saved


async def test_an_uncertain_connection_ends_with_its_token(world: FakeWorld) -> None:
    """The token in hand is used until it ends; then the person is asked, with the true reason."""
    await publish(world)
    connection = await crashed(world, IntentKind.REFRESH)
    with pytest.raises(RenewalNotPossible):
        await renew(world, connection)
    world.clock.advance(3601)

    with pytest.raises(NeedsReconnect):
        await renew(world, await read(world, connection.id))

    after = await read(world, connection.id)
    assert (State.NEEDS_RECONNECT, "renewal_outcome_unknown") == (after.state, after.reason)
    assert 0 == len(bodies(world)) - 1


async def test_a_stale_answer_counts_as_the_end_of_an_uncertain_token(world: FakeWorld) -> None:
    """The provider rotated, and the API says so before the clock does."""
    await publish(world)
    connection = await crashed(world, IntentKind.REFRESH)

    with pytest.raises(NeedsReconnect):
        await renew(world, connection, stale=True)

    assert "renewal_outcome_unknown" == (await read(world, connection.id)).reason


async def test_the_kept_password_recovers_an_unknown_outcome(world: FakeWorld) -> None:
    """Where the strategy allows, the password is sent, not the refresh token; the old set is not revoked twice."""
    await publish(world, keep="required", refresh="strategy: refresh_then_password")
    connection = await crashed(world, IntentKind.REFRESH)
    world.egress.will_reply(token(2, at=world.clock.now()))

    renewed = await renew(world, connection)

    assert 2 == renewed.generation
    assert "grant_type=password&username=jo&password=password-canary" == bodies(world)[-1]
    assert ["replaced"] == [row.cause.value for row in world.stores.revocations.rows.values()]


async def test_a_refused_password_is_never_sent_again_by_itself(world: FakeWorld) -> None:
    """I8: it is marked, and only a person's login changes that."""
    await publish(world, keep="required", refresh="strategy: password_only")
    connection = (await log_in(world)).connection
    world.egress.will_reply(error("invalid_grant"))
    with pytest.raises(NeedsReconnect):
        await renew(world, connection)
    after = await read(world, connection.id)

    with pytest.raises(NeedsReconnect):
        await renew(world, after, forced=True)

    assert (True, "provider_credentials_rejected") == (after.password_rejected, after.reason)
    assert 1 == len(bodies(world)) - 1


async def test_an_unanswered_login_is_tried_once_more(world: FakeWorld) -> None:
    """One more try after two seconds, then the person is asked."""
    await publish(world, keep="required", refresh="strategy: password_only")
    connection = (await log_in(world)).connection
    world.egress.will_reply(ProviderTimeout(), ProviderTimeout())
    before = world.clock.now()

    with pytest.raises(NeedsReconnect):
        await renew(world, connection)

    assert 2 == len(bodies(world)) - 1
    assert world.clock.now() - before >= 2
    assert "provider_timeout" == (await read(world, connection.id)).reason


async def test_a_refused_refresh_falls_back_to_the_password(world: FakeWorld) -> None:
    """The strategy's second half, with one send of each."""
    await publish(world, keep="required", refresh="strategy: refresh_then_password")
    connection = (await log_in(world)).connection
    world.egress.will_reply(error("invalid_grant"), token(2, at=world.clock.now()))

    assert 2 == (await renew(world, connection)).generation
    assert ["refresh_token", "password"] == [body.split("grant_type=")[1].split("&")[0] for body in bodies(world)[1:]]


async def test_disconnect_wins_over_a_renewal_in_flight(world: FakeWorld) -> None:
    """I13: the new tokens are revoked, not stored."""
    await publish(world)
    connection = (await log_in(world)).connection
    asked, release = asyncio.Event(), asyncio.Event()

    async def slowly(_: OutgoingRequest) -> Answer:
        asked.set()
        await release.wait()
        return token(2, at=world.clock.now())

    world.egress.will_reply(slowly, json_answer("{}"), json_answer("{}"))
    renewal = asyncio.ensure_future(world.application.renewals.renew(connection.id, generation=1))
    await asked.wait()
    ended = await world.application.disconnect(connection.id, ACTOR)
    release.set()

    await asyncio.wait([renewal])

    assert "disconnected" == ended.state.value
    assert "disconnected" == (await read(world, connection.id)).state.value
    late = list(world.stores.revocations.rows.values())
    assert [("late", Secret("access-2"))] == [(row.cause.value, row.token_set.access_token) for row in late]
    with pytest.raises(ConnectionDisconnected):
        await renew(world, connection)


async def test_a_login_wins_over_a_renewal_in_flight(world: FakeWorld) -> None:
    """The person's login commits the next generation; the renewal's late answer is revoked."""
    await publish(world)
    connection = (await log_in(world)).connection
    asked, release = asyncio.Event(), asyncio.Event()

    async def slowly(_: OutgoingRequest) -> Answer:
        asked.set()
        await release.wait()
        return token(2, at=world.clock.now())

    world.egress.will_reply(slowly)
    renewal = asyncio.ensure_future(world.application.renewals.renew(connection.id, generation=1))
    await asked.wait()
    again = await log_in(world, token(3, at=world.clock.now()))
    release.set()

    renewed = await renewal

    assert (again.connection.id, 2, False) == (connection.id, again.connection.generation, again.created)
    assert 2 == renewed.generation
    _, secrets = world.stores.connections.rows[connection.id]
    assert secrets.token_set is not None
    assert Secret("access-3") == secrets.token_set.access_token
    causes = sorted(row.cause.value for row in world.stores.revocations.rows.values())
    assert ["late", "replaced"] == causes


async def test_a_token_set_that_cannot_be_stored_is_spilled_and_stored_later(world: FakeWorld) -> None:
    """Step 5: the answer outlives a database that goes away at the worst moment."""
    await publish(world)
    connection = (await log_in(world)).connection

    async def and_the_database_goes(_: OutgoingRequest) -> Answer:
        world.stores.database.gone = True
        return token(2, at=world.clock.now())

    world.egress.will_reply(and_the_database_goes)
    work = asyncio.ensure_future(world.application.renewals.renew(connection.id, generation=1))
    for _ in range(50):
        await asyncio.sleep(0)
        world.clock.advance(0.1)
    spilled = await world.stores.spill.pending()
    world.stores.database.gone = False
    for _ in range(50):
        await asyncio.sleep(0)
        world.clock.advance(1)

    assert [(connection.id, 1)] == [(name, generation) for name, generation, _ in spilled]
    assert 2 == (await work).generation
    assert [] == list(await world.stores.spill.pending())


async def test_a_spilled_set_is_applied_before_anything_is_sent(world: FakeWorld) -> None:
    """The next start of this host finds the file and needs the provider for nothing."""
    await publish(world)
    connection = await crashed(world, IntentKind.REFRESH)
    _, secrets = world.stores.connections.rows[connection.id]
    assert secrets.token_set is not None
    newer = replace(secrets.token_set, access_token=Secret("access-spilled"))
    await world.stores.spill.write(connection, newer)

    renewed = await renew(world, connection)

    assert (2, State.ACTIVE) == (renewed.generation, renewed.state)
    assert 0 == len(bodies(world)) - 1
    assert [] == list(await world.stores.spill.pending())


async def test_nothing_to_renew_with_is_said_and_changes_nothing(world: FakeWorld) -> None:
    """No refresh token and no kept password: the connection stays as it is until its token ends."""
    await publish(world)
    connection = (await log_in(world, token(refresh=None, at=world.clock.now()))).connection

    with pytest.raises(RenewalNotPossible):
        await renew(world, connection, forced=True)

    assert connection == await read(world, connection.id)
    world.clock.advance(3601)
    with pytest.raises(NeedsReconnect):
        await renew(world, connection, forced=True)
    assert ("needs_reconnect", "token_ended") == (
        (await read(world, connection.id)).state.value,
        (await read(world, connection.id)).reason,
    )


async def test_replaced_tokens_that_equal_live_ones_are_not_revoked(world: FakeWorld) -> None:
    """A provider that hands out the same token again must not have it revoked under our feet."""
    await publish(world)
    await log_in(world)
    await log_in(world, token(1, at=world.clock.now()))

    assert {} == world.stores.revocations.rows


async def test_on_replace_false_revokes_nothing(world: FakeWorld) -> None:
    """Where revoking an old token kills the new one."""
    await publish(world, revoke=", on_replace: false")
    await log_in(world)
    await log_in(world, token(2, at=world.clock.now()))

    assert {} == world.stores.revocations.rows
