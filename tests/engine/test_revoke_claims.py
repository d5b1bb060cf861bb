"""Who sends a revocation: one process, said before it does, and none once it was told to stop."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from keyturn.core.connection import State
from keyturn.core.errors import ProviderUnreachable, StoreUnavailable
from keyturn.core.messages import Answer, OutgoingRequest
from keyturn.core.revocation import RevocationCause
from keyturn.core.secret import Secret
from keyturn.core.token_set import TokenSet
from tests.engine.passing import in_time
from tests.engine.story import ACTOR, actions, bodies, log_in, publish, read
from tests.engine.test_revoke import OK, add, only, revoke_due
from tests.fakes.application import FakeWorld, make_world


@pytest.fixture
def world() -> FakeWorld:
    """A world in which time passes only as a test lets it."""
    made = make_world()
    made.entropy.fixed_fraction = 0.5
    return made


async def test_one_that_another_process_sends_is_left_to_it(world: FakeWorld) -> None:
    """Until its claim has lapsed: it died of it."""
    await publish(world)
    row = await add(world)
    now = world.clock.now()
    world.stores.revocations.claims[row.id] = ("another", now + 30)
    await revoke_due(world)
    told = await world.application.disconnect.revoke.attempt(row)
    before = list(world.egress.requests)
    world.clock.advance(30)
    world.egress.will_reply(OK, OK)
    await revoke_due(world)

    assert ([], True) == (before, told.elsewhere)
    assert 2 == len(bodies(world, "/revoke"))
    assert {} == world.stores.revocations.rows


async def test_a_claim_says_nothing_of_when_it_is_due(world: FakeWorld) -> None:
    """The due time is moved by an outcome alone, and the claim goes with it."""
    await publish(world)
    row = await add(world)
    seen = []

    async def look(_: OutgoingRequest) -> Answer:
        seen.append((only(world).due_at, row.id in world.stores.revocations.claims))
        return OK if len(seen) == 1 else Answer(503)

    world.egress.will_reply(look, look)
    await revoke_due(world)

    assert [(row.due_at, True)] * 2 == seen
    assert only(world).due_at > row.due_at
    assert {} == world.stores.revocations.claims


async def test_a_disconnect_has_claimed_what_it_writes(world: FakeWorld) -> None:
    """No other process takes it up between the two."""
    await publish(world)
    connection = (await log_in(world)).connection
    claims = world.stores.revocations.claims
    claimed = []
    really = world.application.disconnect.revoke.attempt

    async def attempt(row, **more):  # type: ignore[no-untyped-def]
        claimed.append((claims[row.id][0], claims[row.id][1] > world.clock.now()))
        return await really(row, **more)

    object.__setattr__(world.application.disconnect, "revoke", _With(world.application.disconnect.revoke, attempt))
    world.egress.will_reply(OK, OK)
    await world.application.disconnect(connection.id, ACTOR)

    assert [("me", True)] == claimed


class _With:
    """A Revoke with another `attempt`."""

    def __init__(self, revoke: object, attempt: object) -> None:
        self._revoke = revoke
        self.attempt = attempt

    def __getattr__(self, name: str) -> object:
        return getattr(self._revoke, name)


async def test_forget_now_waits_for_another_process_that_sends_it(world: FakeWorld) -> None:
    """It keeps nothing, so the row may not outlive the answer: it is tried once more when the other's claim is over."""
    await publish(world)
    connection = (await log_in(world)).connection
    world.egress.will_reply(ProviderUnreachable(), ProviderUnreachable())
    await world.application.disconnect(connection.id, ACTOR)
    world.stores.revocations.claims[only(world).id] = ("another", world.clock.now() + 5)
    world.egress.will_reply(ProviderUnreachable(), ProviderUnreachable())
    ended = await in_time(world, world.application.disconnect(connection.id, ACTOR, forget_now=True))

    assert (State.DISCONNECTED, "given_up") == (ended.state, ended.revocation["result"])
    assert {} == world.stores.revocations.rows


async def test_after_a_stop_began_none_is_sent(world: FakeWorld) -> None:
    """I15. Nobody has it then, and the next process takes it up at once; a disconnect is written all the same."""
    await publish(world)
    connection = (await log_in(world)).connection
    row = await add(world)
    world.application.stopping.begin()
    sent = len(world.egress.requests)
    await revoke_due(world)
    ended = await world.application.disconnect(connection.id, ACTOR)

    assert sent == len(world.egress.requests)
    assert row == world.stores.revocations.rows[row.id]
    assert (State.DISCONNECTING, "pending") == (ended.state, ended.revocation["result"])


async def test_a_claim_that_a_stop_overtook_is_withdrawn(world: FakeWorld) -> None:
    """Said in the log: nothing was sent."""
    await publish(world)
    row = await add(world)
    store, really = world.stores.revocations, world.stores.revocations.claim

    async def claim(*args, **more):  # type: ignore[no-untyped-def]
        found = await really(*args, **more)
        world.application.stopping.begin()
        return found

    store.claim = claim  # type: ignore[method-assign]
    await revoke_due(world)

    assert [] == world.egress.requests
    assert ({}, row) == (store.claims, only(world))
    assert ("revocation.tried", "not_sent") == actions(world)[-1]


async def test_what_can_not_be_opened_keeps_none_of_the_others_back(world: FakeWorld) -> None:
    """It is set aside; when its time is over it goes, and a new release may try it again until then."""
    await publish(world)
    for number in range(3):
        await add(world, number)
    store = world.stores.revocations
    store.broken = {"rev_1"}
    world.egress.will_reply(*[OK] * 4)
    await revoke_due(world)
    left, aside = set(store.rows), await store.parked()
    world.clock.advance(86_400)
    await revoke_due(world)

    assert ({"rev_1"}, 1) == (left, aside)
    assert ({}, 0) == (store.rows, await store.parked())


async def test_a_disconnect_ends_where_its_tokens_can_not_be_opened(world: FakeWorld) -> None:
    """Nobody can tell the provider, and that is said at once: no day of waiting."""
    await publish(world)
    connection = (await log_in(world)).connection
    world.egress.will_reply(ProviderUnreachable(), ProviderUnreachable())
    await world.application.disconnect(connection.id, ACTOR)
    world.stores.revocations.broken = {only(world).id}
    world.clock.advance(60)
    await revoke_due(world)
    await revoke_due(world)
    after = await read(world, connection.id)

    assert (State.DISCONNECTED, "not_possible") == (after.state, after.revocation["result"])
    assert "seal_broken" == after.revocation["last_error"]


# --- one summary


def older(world: FakeWorld, connection_id: str) -> dict[str, object]:
    """A set that an earlier login replaced, still to be told of."""
    held = TokenSet(Secret("access-0"), world.clock.now(), Secret("refresh-0"))
    return {"connection": connection_id, "cause": RevocationCause.REPLACED, "token_set": held}


async def test_state_and_summary_tell_the_same(world: FakeWorld) -> None:
    """R16: an older row's success does not cover the row that is open; the last one that goes ends it."""
    await publish(world)
    connection = (await log_in(world)).connection
    await add(world, 0, **older(world, connection.id))
    replies = {b"refresh-1": ProviderUnreachable(), b"access-1": ProviderUnreachable()}

    async def reply(request: OutgoingRequest) -> Answer:
        for token, error in replies.items():
            if token in request.body:
                raise error
        return OK

    world.egress.will_reply(*[reply] * 9)
    first = await world.application.disconnect(connection.id, ACTOR)
    replies.clear()
    last = await world.application.disconnect(connection.id, ACTOR)

    assert (State.DISCONNECTING, "retrying", []) == (
        first.state,
        first.revocation["result"],
        first.revocation["revoked"],
    )
    assert "provider_unreachable" == first.revocation["last_error"]
    assert first.revocation["kept"]
    assert (State.DISCONNECTED, "done") == (last.state, last.revocation["result"])
    assert {"refresh_token", "access_token"} == set(last.revocation["revoked"])


async def test_what_was_given_up_is_not_covered_by_what_is_done(world: FakeWorld) -> None:
    """The older set lives on at the provider, and the summary of the whole says so."""
    await publish(world)
    connection = (await log_in(world)).connection
    await add(world, 0, **older(world, connection.id), give_up_at=world.clock.now())

    async def reply(request: OutgoingRequest) -> Answer:
        if b"-0" in request.body:
            raise ProviderUnreachable
        return OK

    world.egress.will_reply(*[reply] * 9)
    ended = await world.application.disconnect(connection.id, ACTOR)

    assert (State.DISCONNECTED, "given_up") == (ended.state, ended.revocation["result"])
    assert ([], "provider_unreachable") == (ended.revocation["revoked"], ended.revocation["last_error"])


async def test_older_sets_are_told_of_where_the_newest_needs_nothing(world: FakeWorld) -> None:
    """A connection without a token: it is disconnecting until the provider has heard of the others."""
    await publish(world)
    connection = (await log_in(world)).connection
    rows = world.stores.connections.rows
    rows[connection.id] = (connection, replace(rows[connection.id][1], token_set=None))
    await add(world, 0, **older(world, connection.id))
    world.egress.will_reply(OK, ProviderUnreachable())
    first = await world.application.disconnect(connection.id, ACTOR)
    world.egress.will_reply(OK)
    last = await world.application.disconnect(connection.id, ACTOR)

    assert (State.DISCONNECTING, "retrying") == (first.state, first.revocation["result"])
    assert (State.DISCONNECTED, "done") == (last.state, last.revocation["result"])


async def test_two_that_end_side_by_side_leave_the_truth(world: FakeWorld) -> None:
    """Neither sees the other gone when it writes; whoever comes last says what came of both."""
    await publish(world)
    connection = (await log_in(world)).connection
    await add(world, 0, **older(world, connection.id))
    world.egress.will_reply(*[OK] * 4)
    store, really, gate = world.stores.revocations, world.stores.revocations.remove, asyncio.Barrier(2)

    async def remove(*args, **more):  # type: ignore[no-untyped-def]
        await gate.wait()
        await really(*args, **more)

    row = await store.of_connection(connection.id)
    store.remove = remove  # type: ignore[method-assign]
    revoke = world.application.disconnect.revoke
    ended = asyncio.ensure_future(world.application.disconnect(connection.id, ACTOR))
    await asyncio.gather(ended, *(revoke.attempt(each) for each in row), _second(world, connection.id))
    after = await read(world, connection.id)

    assert (State.DISCONNECTED, "done") == (after.state, after.revocation["result"])


async def _second(world: FakeWorld, connection_id: str) -> None:
    """Tell of the disconnect's own row beside the older one."""
    for _ in range(50):
        await asyncio.sleep(0)
        for each in await world.stores.revocations.of_connection(connection_id):
            if each.cause is RevocationCause.DISCONNECTED:
                await world.application.disconnect.revoke.attempt(each)
                return


async def test_a_store_that_fails_after_the_send_leaves_it_claimed(world: FakeWorld) -> None:
    """What came of it is not written: it is tried again when the claim has lapsed, and not in each round."""
    await publish(world)
    await add(world)
    world.egress.will_reply(OK, OK)
    failing = [StoreUnavailable("gone")]
    really = world.stores.revocations.remove

    async def remove(*args, **more):  # type: ignore[no-untyped-def]
        if failing:
            raise failing.pop()
        await really(*args, **more)

    world.stores.revocations.remove = remove  # type: ignore[method-assign]
    await revoke_due(world)
    await revoke_due(world)
    between = len(bodies(world, "/revoke"))
    world.clock.advance(30)
    world.egress.will_reply(OK, OK)
    await revoke_due(world)

    assert (2, {}) == (between, world.stores.revocations.rows)
