"""Unknown outcomes, lost leases and requests that can't be made: what is sent again, and what never is."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from keyturn.core.connection import Connection, Intent, IntentKind, State
from keyturn.core.errors import (
    NeedsReconnect,
    ProviderTimeout,
    ProviderUnavailable,
    RenewalInProgress,
    RenewalNotPossible,
)
from keyturn.core.messages import Answer, OutgoingRequest
from keyturn.core.secret import Secret
from tests.engine.passing import in_time, renew, round_of
from tests.engine.story import actions, bodies, error, log_in, publish, read, token
from tests.fakes.application import FakeWorld, make_world
from tests.fakes.egress import json_answer

BOTH = "strategy: refresh_then_password"


@pytest.fixture
def world() -> FakeWorld:
    """A world in which time passes only as a test lets it."""
    made = make_world()
    made.entropy.fixed_fraction = 0.5
    return made


def sent(world: FakeWorld) -> list[str]:
    """Which grants were asked for, after the login."""
    return [body.split("grant_type=")[1].split("&")[0] for body in bodies(world)[1:]]


async def crashed(world: FakeWorld, **login: Any) -> Connection:
    """A connection whose renewer died with a refresh token sent."""
    connection = (await log_in(world, **login)).connection
    intent = Intent(IntentKind.REFRESH, 1, "att_dead", world.clock.now())
    return await world.stores.connections.save(replace(connection, intent=intent, renews_at=world.clock.now()))


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(json_answer("{}", 503), id="unavailable"),
        pytest.param(json_answer("{}", 429), id="rate limited"),
        pytest.param(error("invalid_client", 401), id="set-up wrong"),
    ],
)
async def test_once_the_password_took_over_the_refresh_token_is_dead(world: FakeWorld, reply: Answer) -> None:
    """Its fate is unknown, and a login that fails for a passing reason does not make it known."""
    await publish(world, keep="required", refresh=BOTH)
    connection = await crashed(world)
    world.egress.will_reply(reply)
    with pytest.raises(Exception, match=r"provider|connector"):
        await renew(world, connection)
    world.egress.will_reply(token(2, at=world.clock.now()))

    renewed = await renew(world, await read(world, connection.id), forced=True)

    assert ["password", "password"] == sent(world)
    assert (2, True) == (renewed.generation, renewed.refreshable)


@pytest.mark.parametrize(
    ("second", "sends"),
    [pytest.param(11.0, 3, id="within the leeway"), pytest.param(20.0, 2, id="after it")],
)
async def test_the_leeway_counts_from_the_first_send(world: FakeWorld, second: float, sends: int) -> None:
    """Sending it again, with or without an answer, does not make the provider wait longer."""
    await publish(world, refresh="leeway: 20s")
    connection = await crashed(world)
    world.clock.advance(5)
    world.egress.will_reply(json_answer("{}", 503))
    with pytest.raises(ProviderUnavailable):
        await renew(world, connection)
    after = await read(world, connection.id)
    assert after.intent is not None
    assert (connection.intent and connection.intent.sent_at, 2) == (after.intent.sent_at, after.intent.tries)
    world.clock.advance(second)

    if sends == 3:
        world.egress.will_reply(token(2, at=world.clock.now()))
        assert 2 == (await renew(world, after, forced=True)).generation
    else:
        with pytest.raises(RenewalNotPossible):
            await renew(world, after, forced=True)

    assert sends - 1 == len(sent(world))


async def test_a_clock_that_was_set_back_opens_no_leeway(world: FakeWorld) -> None:
    """I12: an intent of the future is one whose age nobody knows."""
    await publish(world, refresh="leeway: 20s")
    connection = await crashed(world)
    world.clock.jump_wall(-3600)

    with pytest.raises(RenewalNotPossible):
        await renew(world, connection)

    assert [] == sent(world)


async def test_a_login_that_waits_for_its_second_try_waits_two_seconds(world: FakeWorld) -> None:
    """Also where the clock says that the first one will be made in an hour."""
    await publish(world, keep="required", refresh="strategy: password_only")
    connection = (await log_in(world)).connection
    intent = Intent(IntentKind.LOGIN, 1, "att_dead", world.clock.now() + 3600)
    connection = await world.stores.connections.save(replace(connection, intent=intent))
    began = world.clock.monotonic()
    world.egress.will_reply(token(2, at=world.clock.now()))

    assert 2 == (await renew(world, connection)).generation
    assert 2 <= world.clock.monotonic() - began < 4


async def test_a_process_that_was_stopped_past_its_lease_does_not_send(world: FakeWorld) -> None:
    """Between intent and send it may have slept for minutes; another renews meanwhile, or has renewed."""
    await publish(world, refresh="leeway: 20s")
    connection = (await log_in(world)).connection
    slept: list[str] = []

    def sleep_while_it_commits(name: str) -> None:
        if name == "renewals.claim" and not slept:
            slept.append(name)
            world.clock.advance(60)

    world.stores.database.before_write = sleep_while_it_commits

    with pytest.raises(RenewalInProgress):
        await renew(world, connection)

    after = await read(world, connection.id)
    assert (State.ACTIVE, None, 1) == (after.state, after.intent, after.generation)
    assert [] == sent(world)
    assert [] == [each for each in actions(world) if each[0].startswith("refresh.")]


async def test_a_renewer_that_lost_its_lease_reads_nothing_into_anothers_intent(world: FakeWorld) -> None:
    """What another has under way is not of unknown outcome."""
    await publish(world, keep="required", refresh=BOTH)
    connection = (await log_in(world)).connection

    def and_another_takes_over(_: OutgoingRequest) -> Answer:
        world.stores.leases.hold(f"row {connection.id}", 45)
        row, secrets = world.stores.connections.rows[connection.id]
        theirs = Intent(IntentKind.REFRESH, 1, "att_other", world.clock.now())
        world.stores.connections.rows[connection.id] = (replace(row, intent=theirs, revision=99), secrets)
        return error("invalid_grant")

    world.egress.will_reply(and_another_takes_over)

    with pytest.raises(RenewalInProgress):
        await renew(world, connection)

    assert ["refresh_token"] == sent(world)
    assert State.ACTIVE is (await read(world, connection.id)).state


async def test_a_plan_is_not_carried_out_on_another_row(world: FakeWorld) -> None:
    """A pause that commits between the plan and the send is seen."""
    await publish(world)
    connection = (await log_in(world)).connection
    store, opened = world.stores.connections, world.stores.connections.open

    async def and_it_is_paused(connection_id: str, *, project: str = "default") -> object:
        row, secrets = store.rows[connection_id]
        store.rows[connection_id] = (replace(row, paused=True, revision=row.revision + 1), secrets)
        store.open = opened  # type: ignore[method-assign]
        return await opened(connection_id, project=project)

    store.open = and_it_is_paused  # type: ignore[method-assign, assignment]

    with pytest.raises(Exception, match="connection_paused"):
        await renew(world, connection)

    assert [] == sent(world)


ONCE = "fields: [{key: pin, label: Pin, type: secret, keep: never}]"


async def test_a_login_that_takes_what_is_not_kept_is_never_made_by_itself(world: FakeWorld) -> None:
    """The person is asked when the token ends, not called wrong, and nothing loops meanwhile."""
    pin = ', params: {grant_type: password, username: "{{ username }}", password: "{{ password }}", pin: "{{ pin }}"}'
    await publish(world, keep="required", refresh="strategy: password_only", token=pin, more=ONCE)
    connection = (await log_in(world, fields={"pin": "1234"})).connection
    with pytest.raises(RenewalNotPossible):
        await renew(world, connection)
    world.clock.advance(3600)

    await round_of(world, rounds=5)

    after = await read(world, connection.id)
    assert (State.NEEDS_RECONNECT, "token_ended", None) == (after.state, after.reason, after.renews_at)
    assert (False, []) == (after.password_rejected, sent(world))


async def test_a_request_that_cannot_be_made_is_tried_once_and_its_reason_said(world: FakeWorld) -> None:
    """A value is not there: the token in hand is used to its end, then the person is asked."""
    await publish(
        world,
        token=", response: {keep: {session: session}}",
        refresh='params: {refresh_token: "{{ refresh_token }}", session: "{{ token.session }}"}',
    )
    connection = (await log_in(world)).connection
    for _ in range(3):
        with pytest.raises(RenewalNotPossible) as refused:
            await renew(world, await read(world, connection.id))
        assert "connector_value_absent" == refused.value.extensions["reason"]
    after = await read(world, connection.id)
    assert (State.ACTIVE, "connector_value_absent", after.expires_at) == (
        after.state,
        after.last_error,
        after.renews_at,
    )
    assert connection.revision + 1 == after.revision
    world.clock.advance(3600)

    with pytest.raises(NeedsReconnect):
        await renew(world, after)

    assert "token_ended" == (await read(world, connection.id)).reason
    assert [] == sent(world)


@pytest.mark.parametrize(
    ("refresh", "revoked"),
    [
        pytest.param("", ["late"], id="good once: only a login can have been faster"),
        pytest.param("rotation: stable", [], id="stable: what is live may be of the same grant"),
        pytest.param("leeway: 20s", [], id="leeway: alike"),
    ],
)
async def test_a_late_answer_is_revoked_only_where_that_cannot_end_what_is_live(
    world: FakeWorld, refresh: str, revoked: list[str]
) -> None:
    """A refresh revokes nothing: old and new set belong to one grant."""
    await publish(world, refresh=refresh)
    connection = (await log_in(world)).connection

    def and_another_is_faster(_: OutgoingRequest) -> Answer:
        row, secrets = world.stores.connections.rows[connection.id]
        assert secrets.token_set is not None
        newer = replace(secrets.token_set, access_token=Secret("access-9"), refresh_token=Secret("refresh-9"))
        moved = replace(row, generation=2, intent=None, revision=row.revision + 1)
        world.stores.connections.rows[connection.id] = (moved, replace(secrets, token_set=newer))
        return token(2, at=world.clock.now())

    world.egress.will_reply(and_another_is_faster)
    renewed = await renew(world, connection)

    assert 2 == renewed.generation
    assert revoked == [row.cause.value for row in world.stores.revocations.rows.values()]
    assert ("connection.late_answer", "ok") in actions(world)


async def test_callers_of_another_project_join_nothing(world: FakeWorld) -> None:
    """A renewal under way is none of theirs."""
    await publish(world)
    connection = (await log_in(world)).connection
    release = asyncio.Event()

    async def slowly(_: OutgoingRequest) -> Answer:
        await release.wait()
        return token(2, at=world.clock.now())

    world.egress.will_reply(slowly)
    ours = asyncio.ensure_future(world.application.renewals.renew(connection.id, generation=1))
    await asyncio.sleep(0.01)
    theirs = world.application.renewals.renew(connection.id, generation=1, project="another")

    with pytest.raises(Exception, match=r"no such connection|renewal_in_progress"):
        await in_time(world, theirs)
    release.set()
    assert 2 == (await ours).generation


async def test_who_joined_for_a_newer_generation_gets_it(world: FakeWorld) -> None:
    """A caller whose generation the joined renewal only reaches begins its own, and does not spin."""
    await publish(world)
    connection = (await log_in(world)).connection
    world.egress.will_reply(token(2, at=world.clock.now()), token(3, at=world.clock.now()))
    first = asyncio.ensure_future(world.application.renewals.renew(connection.id, generation=1))
    second = asyncio.ensure_future(world.application.renewals.renew(connection.id, generation=2))

    assert (2, 3) == ((await first).generation, (await second).generation)
    assert 2 == len(sent(world))


async def test_an_unanswered_refresh_leaves_an_unending_token_in_use(world: FakeWorld) -> None:
    """Where the provider gave no lifetime only a stale answer tells of its end."""
    await publish(world)
    connection = (await log_in(world, token(expires_in=None, at=world.clock.now()))).connection
    world.egress.will_reply(ProviderTimeout())
    with pytest.raises(RenewalNotPossible):
        await renew(world, connection)
    held = await read(world, connection.id)
    assert (State.UNCERTAIN, None, None) == (held.state, held.renews_at, held.expires_at)

    with pytest.raises(NeedsReconnect):
        await renew(world, held, stale=True)

    assert ("renewal_outcome_unknown", 1) == ((await read(world, connection.id)).reason, len(sent(world)))


LAST = "last_resort: true"


async def test_the_last_resort_is_sent_once_more_and_never_again(world: FakeWorld) -> None:
    """Not before the access token's end; then once, which keeps the connection, or ends it."""
    await publish(world, refresh=LAST)
    connection = (await log_in(world)).connection
    world.egress.will_reply(ProviderTimeout())
    with pytest.raises(RenewalNotPossible):
        await renew(world, connection)
    before_the_end = len(sent(world))
    world.clock.advance(3600)
    world.egress.will_reply(ProviderTimeout())
    with pytest.raises(NeedsReconnect):
        await renew(world, connection)
    after = await read(world, connection.id)
    with pytest.raises(NeedsReconnect):
        await renew(world, after)

    assert (1, 2) == (before_the_end, len(sent(world)))
    assert (State.NEEDS_RECONNECT, "renewal_outcome_unknown") == (after.state, after.reason)
    told = [each.facts.get("last_resort") for each in world.stores.database.records if "answered" in each.action]
    assert [None, True] == told[-2:]


async def test_a_last_resort_that_is_answered_keeps_the_connection(world: FakeWorld) -> None:
    """The provider had never acted on the first send."""
    await publish(world, refresh=LAST)
    connection = (await log_in(world)).connection
    world.egress.will_reply(ProviderTimeout())
    with pytest.raises(RenewalNotPossible):
        await renew(world, connection)
    world.clock.advance(3600)
    world.egress.will_reply(token(2, at=world.clock.now()))

    renewed = await renew(world, connection)

    assert (2, State.ACTIVE, None) == (renewed.generation, renewed.state, renewed.intent)


@pytest.mark.parametrize(
    ("other", "sends"),
    [
        pytest.param({}, 1, id="which lives"),
        pytest.param({"state": State.NEEDS_RECONNECT}, 2, id="which needs its person"),
        pytest.param({"unique_id": "another"}, 2, id="of another account"),
    ],
)
async def test_no_last_resort_beside_another_connection_of_the_account(
    world: FakeWorld, other: dict[str, Any], sends: int
) -> None:
    """Reuse detection would end a grant that somebody else may share."""
    await publish(world, refresh=LAST)
    connection = (await log_in(world)).connection
    row, secrets = world.stores.connections.rows[connection.id]
    second = replace(row, id="cxn_second", owner="owner-2", **other)
    world.stores.connections.rows["cxn_second"] = (second, secrets)
    world.egress.will_reply(ProviderTimeout())
    with pytest.raises(RenewalNotPossible):
        await renew(world, connection)
    world.clock.advance(3600)
    world.egress.will_reply(ProviderTimeout())
    with pytest.raises(NeedsReconnect):
        await renew(world, connection)

    assert sends == len(sent(world))
