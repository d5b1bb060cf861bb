"""Ending a connection: what goes at once, who wins, and what is left of it."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from keyturn.core.connection import ConnectionSecrets, Intent, IntentKind, State
from keyturn.core.errors import ConnectionDisconnected, NotFound, ProviderUnreachable
from keyturn.core.messages import Answer, OutgoingRequest
from keyturn.core.revocation import RevocationCause
from keyturn.core.secret import Secret
from tests.engine.story import ACTOR, actions, bodies, error, log_in, publish, read, token
from tests.fakes.application import FakeWorld, make_world
from tests.fakes.egress import json_answer

OK = json_answer("{}")
FIELDS = "fields: [{key: tenant, label: Tenant}, {key: code, label: Code, type: secret}]"


@pytest.fixture
def world() -> FakeWorld:
    """A world in which time passes only as a test lets it."""
    made = make_world()
    made.entropy.fixed_fraction = 0.5
    return made


async def test_secrets_go_at_once_and_the_provider_is_told(world: FakeWorld) -> None:
    """Password, seed and fields with the first write; the tokens once they are revoked."""
    await publish(world, keep="required", more=FIELDS, token=', params: {t: "{{ tenant }}", c: "{{ code }}"}')
    connection = (await log_in(world, fields={"tenant": "t1", "code": "code-canary"})).connection
    seen = []

    async def look(_: OutgoingRequest) -> Answer:
        seen.append(world.stores.connections.rows[connection.id])
        return OK

    world.egress.will_reply(look, OK)
    ended = await world.application.disconnect(connection.id, ACTOR)

    during, secrets = seen[0]
    assert (State.DISCONNECTING, {}, (), None) == (
        during.state,
        dict(during.fields),
        during.sealed_fields,
        during.password_kept_at,
    )
    assert ConnectionSecrets() == secrets
    assert (State.DISCONNECTED, {"result": "done", "tries": 1, "revoked": ["refresh_token", "access_token"]}) == (
        ended.state,
        dict(ended.revocation),
    )
    assert {} == world.stores.revocations.rows
    assert ["connection.disconnecting", "revocation.sent", "connection.disconnected", "revocation.tried"] == [
        action for action, _ in actions(world)[-4:]
    ]


async def test_a_provider_that_cannot_be_told_is_told_later(world: FakeWorld) -> None:
    """The connection says so meanwhile; then it is a tombstone."""
    await publish(world)
    connection = (await log_in(world)).connection
    world.egress.will_reply(ProviderUnreachable(), ProviderUnreachable())

    ended = await world.application.disconnect(connection.id, ACTOR)

    assert (State.DISCONNECTING, "retrying") == (ended.state, ended.revocation["result"])
    assert "provider_unreachable" == ended.revocation["last_error"]
    world.clock.advance(60)
    world.egress.will_reply(OK, OK)
    await world.application.scheduler.revoke_due()
    after = await read(world, connection.id)
    assert (State.DISCONNECTED, "done", 2) == (after.state, after.revocation["result"], after.revocation["tries"])


async def test_after_a_day_it_is_given_up(world: FakeWorld) -> None:
    """And said so: the tokens are gone from here, and may live on at the provider."""
    await publish(world)
    connection = (await log_in(world)).connection
    world.egress.will_reply(*[ProviderUnreachable()] * 4)
    await world.application.disconnect(connection.id, ACTOR)
    world.clock.advance(86_400)

    await world.application.scheduler.revoke_due()

    after = await read(world, connection.id)
    assert (State.DISCONNECTED, "given_up") == (after.state, after.revocation["result"])
    assert {} == world.stores.revocations.rows


async def test_forget_now_skips_the_retries(world: FakeWorld) -> None:
    """One try, whatever comes of it."""
    await publish(world)
    connection = (await log_in(world)).connection
    world.egress.will_reply(ProviderUnreachable(), ProviderUnreachable())

    ended = await world.application.disconnect(connection.id, ACTOR, forget_now=True)

    assert (State.DISCONNECTED, "given_up") == (ended.state, ended.revocation["result"])
    assert {} == world.stores.revocations.rows


async def test_forget_now_ends_a_disconnect_that_is_under_way(world: FakeWorld) -> None:
    """Every revocation of it, not only the first."""
    await publish(world)
    connection = (await log_in(world)).connection
    world.egress.will_reply(*[ProviderUnreachable()] * 6)
    await world.application.disconnect(connection.id, ACTOR)
    (row,) = world.stores.revocations.rows.values()
    await world.stores.revocations.add(replace(row, id="rev_late", cause=RevocationCause.LATE))

    ended = await world.application.disconnect(connection.id, ACTOR, forget_now=True)

    assert State.DISCONNECTED is ended.state
    assert {} == world.stores.revocations.rows


async def test_a_second_disconnect_tries_again_and_a_third_is_refused(world: FakeWorld) -> None:
    """DELETE may be sent twice; a tombstone answers that it is one."""
    await publish(world)
    connection = (await log_in(world)).connection
    world.egress.will_reply(ProviderUnreachable(), ProviderUnreachable(), OK, OK)
    await world.application.disconnect(connection.id, ACTOR)

    again = await world.application.disconnect(connection.id, ACTOR)

    assert State.DISCONNECTED is again.state
    with pytest.raises(ConnectionDisconnected):
        await world.application.disconnect(connection.id, ACTOR)
    with pytest.raises(NotFound):
        await world.application.disconnect("cxn_nobody", ACTOR)
    with pytest.raises(NotFound):
        await world.application.disconnect(connection.id, ACTOR, project="another")


async def test_two_disconnects_at_once_end_in_one(world: FakeWorld) -> None:
    """Each token is revoked once, and both hear the truth."""
    await publish(world)
    connection = (await log_in(world)).connection
    world.egress.will_reply(OK, OK)

    both = await asyncio.gather(
        *(world.application.disconnect(connection.id, ACTOR) for _ in range(2)), return_exceptions=True
    )

    assert 2 == len(bodies(world, "/revoke"))
    assert State.DISCONNECTED is (await read(world, connection.id)).state
    assert all(isinstance(each, ConnectionDisconnected) or each.ended for each in both)  # type: ignore[union-attr]


async def test_the_scheduler_leaves_a_disconnect_to_itself(world: FakeWorld) -> None:
    """While the caller's own try is under way its revocation is not due."""
    await publish(world)
    connection = (await log_in(world)).connection
    due = []

    async def look(_: OutgoingRequest) -> Answer:
        due.append(await world.stores.revocations.due(world.clock.now(), limit=9))
        return OK

    world.egress.will_reply(look, look)
    await world.application.disconnect(connection.id, ACTOR)

    assert [(), ()] == due


async def test_without_a_way_to_revoke_it_only_forgets(world: FakeWorld) -> None:
    """And says that it did."""
    connector = await publish(world)
    await world.stores.connectors.publish(replace(connector, revoke=None), "", "none", at=0)
    connection = (await log_in(world)).connection

    ended = await world.application.disconnect(connection.id, ACTOR)

    assert (State.DISCONNECTED, "not_supported") == (ended.state, ended.revocation["result"])
    assert ConnectionSecrets() == world.stores.connections.rows[connection.id][1]


@pytest.mark.parametrize("flag", ["paused", "unconfirmed"])
async def test_what_is_not_in_use_can_be_ended_too(world: FakeWorld, flag: str) -> None:
    """A pause is no shield, and neither is a confirmation that never came."""
    await publish(world)
    connection = (await log_in(world)).connection
    await world.stores.connections.save(replace(connection, **{flag: True}))  # type: ignore[arg-type]
    world.egress.will_reply(OK, OK)

    ended = await world.application.disconnect(connection.id, ACTOR)

    assert ("disconnected", None, None) == (ended.shown_state, ended.renews_at, ended.expires_at)


async def test_a_renewals_late_answer_is_revoked_with_what_the_connection_knew(world: FakeWorld) -> None:
    """I13: by its own host and fields, though the disconnect has destroyed the fields meanwhile."""
    more = "fields: [{key: tenant, label: Tenant}, {key: code, label: Code, type: secret}]"
    await publish(
        world,
        url="https://{{ tenant }}.acme.example",
        token=', params: {grant_type: password, c: "{{ code }}"}',
        revoke=', headers: {X-Code: "{{ code }}"}',
        more=more,
    )
    connection = (await log_in(world, fields={"tenant": "t1", "code": "code-canary"})).connection
    asked, release = asyncio.Event(), asyncio.Event()

    async def slowly(_: OutgoingRequest) -> Answer:
        asked.set()
        await release.wait()
        return token(2, at=world.clock.now())

    world.egress.will_reply(slowly, *[OK] * 4)
    renewal = asyncio.ensure_future(world.application.renewals.renew(connection.id, generation=1))
    await asked.wait()
    await world.application.disconnect(connection.id, ACTOR)
    release.set()
    await asyncio.wait([renewal])

    await world.application.scheduler.revoke_due()

    late = [each for each in world.egress.requests if "/revoke" in each.url][2:]
    assert ["https://t1.acme.example/revoke"] * 2 == [each.url for each in late]
    assert {"token=refresh-2", "token=access-2"} == {each.body.decode() for each in late}
    assert all(("X-Code", "code-canary") in each.headers for each in late)
    assert {} == world.stores.revocations.rows


async def test_a_renewals_late_answer_is_revoked_though_the_connection_was_erased(world: FakeWorld) -> None:
    """This process is the last that knows whose tokens they are."""
    await publish(world)
    connection = (await log_in(world)).connection

    async def and_it_is_erased(_: OutgoingRequest) -> Answer:
        del world.stores.connections.rows[connection.id]
        return token(2, at=world.clock.now())

    world.egress.will_reply(and_it_is_erased)
    await world.application.renewals.renew(connection.id, generation=1)

    (row,) = world.stores.revocations.rows.values()
    assert ("late", None, Secret("refresh-2")) == (row.cause.value, row.connection, row.token_set.refresh_token)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"state": State.UNCERTAIN, "intent": Intent(IntentKind.REFRESH, 1, "a", 0.0)}, id="uncertain"),
        pytest.param({"state": State.NEEDS_RECONNECT}, id="needs reconnect"),
    ],
)
async def test_every_living_state_can_be_ended(world: FakeWorld, change: dict[str, object]) -> None:
    """An intent that is open goes with it."""
    await publish(world)
    connection = (await log_in(world)).connection
    await world.stores.connections.save(replace(connection, **change))  # type: ignore[arg-type]
    world.egress.will_reply(error("invalid_grant"), OK)

    ended = await world.application.disconnect(connection.id, ACTOR)

    assert (State.DISCONNECTED, None, None) == (ended.state, ended.intent, ended.reason)
