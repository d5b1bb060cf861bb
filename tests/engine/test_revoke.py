"""Telling the provider that tokens are done with: what is sent, what counts as done, and when it is tried again."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import pytest

from keyturn.core.connection import State
from keyturn.core.errors import ProviderRateLimited, ProviderTimeout, ProviderUnreachable
from keyturn.core.messages import Answer, OutgoingRequest
from keyturn.core.revocation import Revocation, RevocationCause
from keyturn.core.secret import Secret
from keyturn.core.token_set import TokenSet
from keyturn.engine.provider_gate import RequestKind
from tests.engine.passing import in_time, renew
from tests.engine.story import actions, bodies, error, log_in, publish, read, token
from tests.engine.told import asking, set_up_refused, told_to_wait, went_down
from tests.fakes.application import FakeWorld, make_world
from tests.fakes.egress import json_answer

OK = json_answer("{}")
HOST = "auth.acme.example"


@pytest.fixture
def world() -> FakeWorld:
    """A world in which time passes only as a test lets it."""
    made = make_world()
    made.entropy.fixed_fraction = 0.5
    return made


async def add(world: FakeWorld, number: int = 1, **parts: object) -> Revocation:
    """A revocation that is due now and belongs to no connection."""
    now = world.clock.now()
    row = Revocation(
        id=f"rev_{number}",
        connector="acme",
        connector_version=1,
        cause=RevocationCause.REFUSED,
        due_at=now,
        give_up_at=now + 86_400,
        token_set=TokenSet(Secret(f"access-{number}"), now, Secret(f"refresh-{number}")),
        hosts=(HOST,),
    )
    row = replace(row, **parts)  # type: ignore[arg-type]
    await world.stores.revocations.add(row)
    return row


async def revoke_due(world: FakeWorld) -> None:
    """One round of the scheduler."""
    await in_time(world, world.application.scheduler.revoke_due())


def only(world: FakeWorld) -> Revocation:
    """The one revocation that is open."""
    (row,) = world.stores.revocations.rows.values()
    return row


async def test_both_tokens_are_named_refresh_token_first(world: FakeWorld) -> None:
    """Which of them ends the grant differs from provider to provider."""
    await publish(world)
    await add(world)
    world.egress.will_reply(OK, OK)

    await revoke_due(world)

    assert ["token=refresh-1", "token=access-1"] == bodies(world, "/revoke")
    assert {} == world.stores.revocations.rows
    assert [("revocation.sent", "ok"), ("revocation.tried", "ok")] == actions(world)


DONE = [
    pytest.param(json_answer("{}"), id="200"),
    pytest.param(Answer(204), id="204 without a body"),
    pytest.param(json_answer("<p>bye</p>"), id="200 with something else"),
    pytest.param(error("invalid_grant"), id="the provider knows it no more"),
]


@pytest.mark.parametrize("reply", DONE)
async def test_what_counts_as_done(world: FakeWorld, reply: Answer) -> None:
    """RFC 7009 §2.2: a plain 2xx; and a token that is dead already needs no revoking."""
    await publish(world)
    await add(world, token_set=TokenSet(Secret("access-1"), 0.0))
    world.egress.will_reply(reply)

    await revoke_due(world)

    assert {} == world.stores.revocations.rows


RETRIED = [
    pytest.param(json_answer("{}", 503), "provider_unavailable", 1.0, id="down"),
    pytest.param(ProviderUnreachable(), "provider_unreachable", 1.0, id="not reached"),
    pytest.param(ProviderTimeout(), "provider_timeout", 1.0, id="no answer"),
    pytest.param(json_answer("<p>", 400), "provider_bad_response", 1.0, id="nonsense"),
    pytest.param(error("invalid_client", 401), "connector_client_rejected", 60.0, id="client refused"),
    pytest.param(
        Answer(429, (("Retry-After", "120"),)), "provider_rate_limited", 120.0, id="as long as the provider asks"
    ),
    pytest.param(Answer(503, (("Retry-After", "9999"),)), "provider_unavailable", 3600.0, id="but at most an hour"),
]


@pytest.mark.parametrize(("reply", "code", "wait"), RETRIED)
async def test_what_is_tried_again(world: FakeWorld, reply: Answer | Exception, code: str, wait: float) -> None:
    """With the reason, and what was done already left out."""
    await publish(world)
    await add(world)
    world.egress.will_reply(OK, reply)

    await revoke_due(world)

    row = only(world)
    assert (1, ("refresh_token",), code) == (row.tries, row.done, row.last_error)
    assert wait == pytest.approx(row.due_at - world.clock.now())
    assert ("revocation.tried", code) in actions(world)
    world.clock.advance(wait)
    world.egress.will_reply(OK)
    await revoke_due(world)
    assert {} == world.stores.revocations.rows
    assert "token=access-1" == bodies(world, "/revoke")[-1]


async def test_the_last_try_is_made_when_a_day_has_passed(world: FakeWorld) -> None:
    """Tokens are kept sealed for a day at most: the last try is at its end, not after it."""
    await publish(world)
    await add(world, tries=40, give_up_at=world.clock.now() + 100)
    world.egress.will_reply(ProviderUnreachable(), ProviderUnreachable(), ProviderUnreachable(), ProviderUnreachable())
    await revoke_due(world)
    assert world.clock.now() + 100 == only(world).due_at
    world.clock.advance(99)
    await revoke_due(world)
    assert 2 == len(bodies(world, "/revoke"))
    world.clock.advance(1)

    await revoke_due(world)

    assert 4 == len(bodies(world, "/revoke"))
    assert {} == world.stores.revocations.rows


async def test_two_loops_at_once_are_one_try(world: FakeWorld) -> None:
    """The scheduler and a disconnect do not send twice, and the record says one try."""
    await publish(world)
    row = await add(world)
    release = asyncio.Event()

    async def slowly(_: OutgoingRequest) -> Answer:
        await release.wait()
        return OK

    world.egress.will_reply(slowly, OK)
    revoke = world.application.disconnect.revoke
    tries = [asyncio.ensure_future(revoke.attempt(row)) for _ in range(5)]
    await asyncio.sleep(0.01)
    release.set()
    await asyncio.gather(*tries)

    assert 2 == len(bodies(world, "/revoke"))
    assert [("revocation.sent", "ok"), ("revocation.tried", "ok")] == actions(world)


async def test_a_try_that_is_the_last_for_one_of_two_leaves_nothing_open(world: FakeWorld) -> None:
    """Who says `forget now` while it is being tried is not handed a retry."""
    await publish(world)
    row = await add(world)
    world.egress.will_reply(ProviderUnreachable(), ProviderUnreachable())
    revoke = world.application.disconnect.revoke

    first = asyncio.ensure_future(revoke.attempt(row))
    second = asyncio.ensure_future(revoke.attempt(row, last=True))
    await asyncio.gather(first, second)

    assert 2 == len(bodies(world, "/revoke"))
    assert {} == world.stores.revocations.rows


async def test_while_it_is_sent_it_is_not_due(world: FakeWorld) -> None:
    """Another process's loop passes it over; if this one dies, it comes up again half a minute later."""
    await publish(world)
    await add(world)
    seen = []

    async def look(_: OutgoingRequest) -> Answer:
        seen.append(await world.stores.revocations.due(world.clock.now() + 29, limit=9))
        seen.append(await world.stores.revocations.due(world.clock.now() + 30, limit=9))
        return OK

    world.egress.will_reply(look, OK)
    await revoke_due(world)

    assert [0, 1] == [len(each) for each in seen]


async def test_one_that_fails_keeps_none_of_the_others_back(world: FakeWorld) -> None:
    """A version that is gone, a host that is not pinned, a bug of ours: each is that row's own affair."""
    await publish(world)
    await add(world, 1, connector_version=7)
    await add(world, 2, hosts=("elsewhere.example",))
    await add(world, 3)
    await add(world, 4)

    def reply(request: OutgoingRequest) -> Answer:
        if b"-3" in request.body:
            raise ZeroDivisionError("a bug")
        return OK

    world.egress.will_reply(*[reply] * 9)
    await revoke_due(world)

    left = world.stores.revocations.rows
    assert {"rev_1": "not_found", "rev_2": "url_not_allowed", "rev_3": "internal_error"} == {
        name: row.last_error for name, row in left.items()
    }
    assert all(row.due_at > world.clock.now() and 1 == row.tries for row in left.values())
    assert not any(b"-2" in request.body for request in world.egress.requests)


async def test_a_bug_does_not_keep_tokens_for_ever(world: FakeWorld) -> None:
    """Whatever goes wrong, a day is a day."""
    await publish(world)
    await add(world, give_up_at=world.clock.now())
    world.egress.will_reply(ZeroDivisionError("a bug"))

    await revoke_due(world)

    assert {} == world.stores.revocations.rows


async def test_a_provider_that_hangs_keeps_no_other_back(world: FakeWorld) -> None:
    """I11: others are told while one does not answer."""
    await publish(world)
    for number in range(3):
        await add(world, number)
    hangs = asyncio.Event()

    async def reply(request: OutgoingRequest) -> Answer:
        if b"-0" in request.body:
            await hangs.wait()
        return OK

    world.egress.will_reply(*[reply] * 6)
    work = asyncio.ensure_future(world.application.scheduler.revoke_due())
    for _ in range(200):
        await asyncio.sleep(0)

    assert {"rev_0"} == set(world.stores.revocations.rows)
    hangs.set()
    await work


async def test_a_refused_revocation_stops_no_renewal(world: FakeWorld) -> None:
    """The client of a revoke request may be another's; renewals that work must go on."""
    await publish(world)
    connection = (await log_in(world)).connection
    await add(world, 9)
    world.egress.will_reply(error("invalid_client", 401), error("invalid_client", 401))
    await revoke_due(world)

    world.egress.will_reply(token(2, at=world.clock.now()))

    assert 2 == (await renew(world, connection)).generation


async def test_trouble_of_renewals_holds_no_revocation(world: FakeWorld) -> None:
    """Neither an alarm of the connector, nor a host that asked refreshes to wait, or failed: no class holds another."""
    await publish(world)
    await add(world)
    set_up_refused(world.application.gate, "acme")
    told_to_wait(world.application.gate, HOST, 300)
    went_down(world.application.gate, HOST)
    world.egress.will_reply(OK, OK)

    await revoke_due(world)

    assert {} == world.stores.revocations.rows


async def test_a_revocation_that_is_told_to_wait_holds_itself(world: FakeWorld) -> None:
    """What is left of it waits as asked; no renewal does, and no other revocation before three were told so."""
    await publish(world)
    await add(world)
    world.egress.will_reply(Answer(429, (("Retry-After", "300"),)))

    await revoke_due(world)

    assert 1 == len(bodies(world, "/revoke"))
    assert pytest.approx(300.0) == only(world).due_at - world.clock.now()
    gate, revoke = world.application.gate, RequestKind.REVOKE
    assert gate.refusal(asking(HOST)) is None
    assert gate.refusal(asking(HOST, "another", revoke)) is None
    told_to_wait(gate, HOST, 300, of=2, kind=revoke)
    assert isinstance(gate.refusal(asking(HOST, "another", revoke)), ProviderRateLimited)
    assert gate.refusal(asking(HOST)) is None


async def test_the_token_and_what_came_with_it_may_both_be_named(world: FakeWorld) -> None:
    """`{{ token }}` is the token that is revoked, `{{ token.account }}` what its answer said of the account."""
    revoke = ', encoding: json, headers: {X-Account: "{{ token.account }}"}, tokens: [access_token]'
    connector = await publish(world, revoke=revoke, token=", response: {keep: {account: account}}")
    assert connector.revoke is not None
    await add(world, token_set=TokenSet(Secret("access-1"), 0.0, kept={"account": "a-7"}))
    world.egress.will_reply(OK)

    await revoke_due(world)

    (sent,) = world.egress.requests
    assert "access-1" == json.loads(sent.body)["token"]
    assert ("X-Account", "a-7") in sent.headers


async def test_a_disconnect_that_lost_its_last_write_is_ended_later(world: FakeWorld) -> None:
    """Nothing is open any more, so nothing would else move it."""
    await publish(world)
    connection = (await log_in(world)).connection
    rows = world.stores.connections.rows
    rows[connection.id] = (replace(connection, state=State.DISCONNECTING, renews_at=None), rows[connection.id][1])

    await world.application.scheduler.end_disconnects()

    assert State.DISCONNECTED is (await read(world, connection.id)).state
    assert ("connection.disconnected", "ok") in actions(world)
