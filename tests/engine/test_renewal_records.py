"""What a renewal writes down: the whole row and the whole record of each outcome that is no token."""

from __future__ import annotations

from dataclasses import replace

import pytest

from keyturn.core.audit_record import AuditRecord
from keyturn.core.connection import AT_ONCE, Connection, Intent, IntentKind, State, looked_at_next
from keyturn.core.errors import (
    ConnectionDisconnected,
    ConnectorClientRejected,
    KeyturnError,
    NeedsReconnect,
    NotFound,
    ProviderRateLimited,
    ProviderTimeout,
    ProviderUnavailable,
    ProviderUnreachable,
    RenewalNotPossible,
)
from keyturn.core.messages import Answer, OutgoingRequest
from keyturn.core.secret import Secret
from tests.engine.passing import renew
from tests.engine.story import ACTOR, actions, bodies, error, log_in, publish, read, token
from tests.engine.told import asking, told_to_wait, went_down
from tests.fakes.application import FakeWorld, make_world
from tests.fakes.egress import json_answer

PASSWORD = "strategy: password_only"
HOST = "auth.acme.example"


@pytest.fixture
def world() -> FakeWorld:
    """A world in which time passes only as a test lets it."""
    made = make_world()
    made.entropy.fixed_fraction = 0.5
    return made


async def ready(world: FakeWorld, **parts: str) -> Connection:
    """A connection of half an hour, whose last renewals failed, with the log empty."""
    await publish(world, **parts)
    connection = (await log_in(world)).connection
    world.clock.advance(1800)
    stored = replace(connection, failures_in_a_row=2, last_error="provider_unavailable", last_error_at=1.0)
    saved = await world.stores.connections.save(replace(stored, renews_at=world.clock.now() - 1))
    world.stores.database.records.clear()
    return saved


async def renew_now(world: FakeWorld, connection: Connection) -> Connection:
    """Renew while the clock stands still."""
    return await world.application.renewals.renew(connection.id, generation=connection.generation, actor=ACTOR)


def record(connection: Connection, action: str, outcome: str, at: float, *, actor: str = ACTOR.name) -> AuditRecord:
    """The record of a step of this connection's renewal."""
    facts: dict[str, object] = {"generation": 1}
    if action.endswith(".answered"):
        facts |= {"host": HOST, "sent_at": at, "tries": 1}
    return AuditRecord(
        at,
        action,
        actor,
        outcome=outcome,
        connector="acme",
        connection=connection.id,
        owner="owner-1",
        request_id="req_test" if actor == ACTOR.name else None,
        facts=facts,
    )


def without_attempts(world: FakeWorld) -> list[AuditRecord]:
    """What was written down; of each send its attempt was named, whose id is a new one each time."""
    found = []
    for each in world.stores.database.records:
        facts = dict(each.facts)
        if each.action.endswith(".answered") or each.action == "connection.renewed":
            assert str(facts.pop("attempt")).startswith("att_")
        found.append(replace(each, facts=facts))
    return found


SAID: dict[bytes, dict[str, object]] = {
    **{error(code).body: {"error": code} for code in ("invalid_grant", "mfa_required")},
    b"<p>": {"unreadable": True},
}
LOST = [
    pytest.param("", error("invalid_grant"), "refresh", "grant_lost", "grant_lost", id="refused"),
    pytest.param(
        PASSWORD,
        error("invalid_grant"),
        "login",
        "provider_credentials_rejected",
        "provider_credentials_rejected",
        id="password refused",
    ),
    pytest.param(
        PASSWORD, json_answer("<p>", 400), "login", "provider_bad_response", "provider_answer_unknown", id="nonsense"
    ),
    pytest.param(PASSWORD, error("mfa_required", 403), "login", "challenge_required", "challenge_required", id="code"),
]


@pytest.mark.parametrize(("refresh", "reply", "kind", "code", "reason"), LOST)
async def test_a_grant_that_is_lost(
    world: FakeWorld, refresh: str, reply: Answer, kind: str, code: str, reason: str
) -> None:
    """The row and both records, in full."""
    connection = await ready(world, refresh=refresh, **({"keep": "required"} if refresh else {}))
    now = world.clock.now()
    world.egress.will_reply(reply)

    with pytest.raises(NeedsReconnect) as refused:
        await renew_now(world, connection)

    after = await read(world, connection.id)
    told = {"status": reply.status, **SAID[reply.body]}
    _, secrets = world.stores.connections.rows[connection.id]
    assert secrets.token_set is not None
    assert (Secret("refresh-1") if kind == "login" else None) == secrets.token_set.refresh_token
    assert Secret("access-1") == secrets.token_set.access_token
    assert reason == refused.value.extensions["reason"]
    assert after == replace(
        connection,
        state=State.NEEDS_RECONNECT,
        reason=reason,
        intent=None,
        renews_at=None,
        refreshable=kind == "login",
        password_rejected=reason == "provider_credentials_rejected",
        failures_in_a_row=0,
        last_error_at=now,
        last_answer=told,
        updated_at=now,
        state_since=now,
        revision=connection.revision + 2,
    )
    answered = record(connection, f"{kind}.answered", code, now)
    assert [
        replace(answered, facts={**answered.facts, **told}),
        record(connection, "connection.needs_reconnect", reason, now, actor="scheduler"),
    ] == without_attempts(world)


async def test_a_failure_that_passes(world: FakeWorld) -> None:
    """The token set stays, and the third failure in a row waits up to eight seconds; when it is due stays as it was."""
    connection = await ready(world)
    now = world.clock.now()
    world.egress.will_reply(json_answer("{}", 503))

    with pytest.raises(ProviderUnavailable) as failed:
        await renew_now(world, connection)

    assert 4.0 == failed.value.retry_after_s
    assert await read(world, connection.id) == replace(
        connection,
        failures_in_a_row=3,
        failing_since=now,
        retry_at=now + 4,
        last_answer={"status": 503},
        last_error_at=now,
        updated_at=now,
        revision=connection.revision + 2,
    )


async def test_a_refresh_without_an_answer(world: FakeWorld) -> None:
    """Uncertain, the intent left for whoever comes next, due at the token's end."""
    connection = await ready(world)
    now = world.clock.now()
    world.egress.will_reply(ProviderTimeout())

    with pytest.raises(RenewalNotPossible) as held:
        await renew_now(world, connection)

    after = await read(world, connection.id)
    assert after.intent is not None
    assert "renewal_outcome_unknown" == held.value.extensions["reason"]
    assert (IntentKind.REFRESH, 1, now, 1) == (
        after.intent.kind,
        after.intent.generation,
        after.intent.sent_at,
        after.intent.tries,
    )
    assert after == replace(
        connection,
        state=State.UNCERTAIN,
        reason="renewal_outcome_unknown",
        intent=after.intent,
        renews_at=connection.expires_at,
        failures_in_a_row=0,
        last_error="provider_timeout",
        last_error_at=now,
        updated_at=now,
        state_since=now,
        revision=connection.revision + 3,
    )
    assert record(connection, "connection.uncertain", "renewal_outcome_unknown", now, actor="scheduler") in (
        world.stores.database.records
    )


async def test_a_crash_is_found_uncertain_once(world: FakeWorld) -> None:
    """By whoever comes next; asking again writes nothing."""
    connection = await ready(world)
    intent = Intent(IntentKind.REFRESH, 1, "att_dead", world.clock.now())
    crashed = await world.stores.connections.save(replace(connection, intent=intent))
    for _ in range(2):
        with pytest.raises(RenewalNotPossible):
            await renew_now(world, crashed)

    assert await read(world, connection.id) == replace(
        crashed,
        state=State.UNCERTAIN,
        reason="renewal_outcome_unknown",
        renews_at=connection.expires_at,
        failures_in_a_row=0,
        updated_at=world.clock.now(),
        state_since=world.clock.now(),
        revision=crashed.revision + 1,
    )
    now = world.clock.now()
    found = record(connection, "refresh.answered", "unknown", now, actor="scheduler")
    told = record(connection, "connection.uncertain", "renewal_outcome_unknown", now, actor="scheduler")
    nowhere = {name: value for name, value in found.facts.items() if name != "host"}
    after = {**told.facts, "after": "crash"}
    assert [replace(found, facts=nowhere), replace(told, facts=after)] == without_attempts(world)


async def test_a_stable_refresh_token_is_sent_twice_at_once_and_then_waits(world: FakeWorld) -> None:
    """The provider hangs: the caller hears so, and the next try is due after a back-off."""
    connection = await ready(world, refresh="rotation: stable")
    world.egress.will_reply(ProviderTimeout(), ProviderTimeout())

    with pytest.raises(ProviderTimeout) as unanswered:
        await renew(world, connection)

    after = await read(world, connection.id)
    assert (2, 2, State.UNCERTAIN) == (len(bodies(world)) - 1, after.failures_in_a_row, after.state)
    assert 2.0 == unanswered.value.retry_after_s
    assert after.retry_at is not None
    assert 2.0 == pytest.approx(after.retry_at - (after.last_error_at or 0))
    with pytest.raises(ProviderTimeout):
        await renew(world, after)
    assert 2 == len(bodies(world)) - 1
    outcomes = [outcome for action, outcome in actions(world) if action == "refresh.answered"]
    assert ["provider_timeout", "provider_timeout"] == outcomes


async def test_a_second_login_that_fails_in_passing_is_over(world: FakeWorld) -> None:
    """The provider answered that one: nothing is unknown of it, and the password may be tried again later."""
    connection = await ready(world, keep="required", refresh=PASSWORD)
    world.egress.will_reply(ProviderTimeout(), json_answer("{}", 503))

    with pytest.raises(ProviderUnavailable):
        await renew(world, connection)

    after = await read(world, connection.id)
    assert (State.ACTIVE, None, 2) == (after.state, after.intent, len(bodies(world)) - 1)


async def test_an_unanswered_login_says_so_before_it_is_tried_again(world: FakeWorld) -> None:
    """Whoever looks meanwhile sees why."""
    connection = await ready(world, keep="required", refresh=PASSWORD)
    seen = []

    async def look(_: OutgoingRequest) -> Answer:
        seen.append(await read(world, connection.id))
        return token(2, at=world.clock.now())

    first_at = world.clock.now()
    world.egress.will_reply(ProviderTimeout(), look)
    await renew(world, connection)

    assert "provider_timeout" == seen[0].last_error
    assert first_at == pytest.approx(seen[0].last_error_at, abs=1.5)
    assert first_at + 2 <= (seen[0].intent.sent_at if seen[0].intent else 0)


@pytest.mark.parametrize(
    ("kind", "answer"),
    [
        pytest.param("", json_answer("{}", 503), id="unavailable"),
        pytest.param("", error("invalid_grant"), id="refused"),
        pytest.param("", ProviderTimeout(), id="no answer"),
        pytest.param(PASSWORD, error("invalid_grant"), id="password refused"),
    ],
)
@pytest.mark.parametrize("gone", ["ended", "erased", "newer"])
async def test_an_outcome_is_not_written_over_what_came_meanwhile(
    world: FakeWorld, kind: str, answer: Answer | Exception, gone: str
) -> None:
    """A disconnect wins, an erased row stays erased, and a person's login is what the caller gets."""
    connection = await ready(world, refresh=kind, **({"keep": "required"} if kind else {}))
    rows = world.stores.connections.rows

    def meanwhile(_: OutgoingRequest) -> Answer:
        row, secrets = rows.pop(connection.id)
        if gone == "ended":
            rows[connection.id] = (replace(row, state=State.DISCONNECTED, intent=None, revision=99), secrets)
        elif gone == "newer":
            rows[connection.id] = (replace(row, generation=2, intent=None, revision=99), secrets)
        if isinstance(answer, Exception):
            raise answer
        return answer

    world.egress.will_reply(meanwhile)
    raised: type[KeyturnError] | None = {"ended": ConnectionDisconnected, "erased": NotFound}.get(gone)

    if raised is not None:
        with pytest.raises(raised):
            await renew(world, connection)
    else:
        assert 2 == (await renew(world, connection)).generation

    assert 1 == len(bodies(world)) - 1
    assert "connection.needs_reconnect" not in {action for action, _ in actions(world)}
    assert all(row.revision == 99 for row, _ in rows.values())


async def test_a_spill_file_of_another_is_left_alone(world: FakeWorld) -> None:
    """Neither another connection's nor an older generation's is taken for this one's."""
    connection = await ready(world)
    _, secrets = world.stores.connections.rows[connection.id]
    assert secrets.token_set is not None
    spilled = replace(secrets.token_set, access_token=Secret("access-spilled"))
    await world.stores.spill.write(replace(connection, id="cxn_other"), spilled)
    await world.stores.spill.write(replace(connection, generation=0), spilled)
    intent = Intent(IntentKind.REFRESH, 1, "att_dead", world.clock.now())
    crashed = await world.stores.connections.save(replace(connection, intent=intent))

    with pytest.raises(RenewalNotPossible):
        await renew(world, crashed)

    assert 2 == len(world.stores.spill.kept)


async def test_secrets_are_known_to_the_redactor_while_they_are_sent(world: FakeWorld) -> None:
    """S5: the refresh token and the client's secret, for as long as the send lasts."""
    connection = await ready(world)
    known = world.application.connect.known
    told: list[Secret] = []
    really = known.in_flight

    def in_flight(*secrets: Secret) -> object:
        told.extend(secrets)
        return really(*secrets)

    known.in_flight = in_flight  # type: ignore[method-assign, assignment]
    world.egress.will_reply(token(2, at=world.clock.now()))

    await renew_now(world, connection)

    assert Secret("refresh-1") in told
    assert Secret("client-secret-canary") in told


async def test_while_it_is_sent_the_row_says_what_was_sent(world: FakeWorld) -> None:
    """Should this process die now, the next one finds it due, and knows what it does not know."""
    connection = await ready(world)
    seen = []

    async def look(_: OutgoingRequest) -> Answer:
        seen.append(await read(world, connection.id))
        return token(2, at=world.clock.now())

    world.egress.will_reply(look)
    await renew_now(world, connection)

    (during,) = seen
    assert during.intent is not None
    assert during == replace(connection, intent=during.intent, revision=connection.revision + 1)
    assert AT_ONCE == looked_at_next(during)
    assert (IntentKind.REFRESH, 1, world.clock.now(), 1) == (
        during.intent.kind,
        during.intent.generation,
        during.intent.sent_at,
        during.intent.tries,
    )


async def test_a_renewal_that_succeeds_leaves_one_record(world: FakeWorld) -> None:
    """When it was sent, where to, by which attempt, and the generation that it made."""
    connection = await ready(world)
    now = world.clock.now()
    world.egress.will_reply(token(2, at=now))

    await renew_now(world, connection)

    facts = {"generation": 2, "host": HOST, "sent_at": now}
    renewed = replace(record(connection, "connection.renewed", "ok", now), facts=facts)
    assert [renewed] == without_attempts(world)


async def test_a_login_after_an_unknown_refresh_is_its_own_first_try(world: FakeWorld) -> None:
    """It takes over, with its own time and count; the refresh token is marked as dead with the same write."""
    connection = await ready(world, keep="required", refresh="strategy: refresh_then_password")
    intent = Intent(IntentKind.REFRESH, 1, "att_dead", 5.0, 3)
    crashed = await world.stores.connections.save(replace(connection, intent=intent, failures_in_a_row=0))
    seen = []

    async def look(_: OutgoingRequest) -> Answer:
        seen.append(await read(world, connection.id))
        return token(2, at=world.clock.now())

    world.egress.will_reply(look)
    await renew_now(world, crashed)

    (during,) = seen
    assert during.intent is not None
    assert (IntentKind.LOGIN, world.clock.now(), 1, False) == (
        during.intent.kind,
        during.intent.sent_at,
        during.intent.tries,
        during.refreshable,
    )
    assert ("refresh.answered", "unknown") in actions(world)


GATE = [
    pytest.param(json_answer("{}", 503), True, id="unavailable"),
    pytest.param(ProviderUnreachable(), True, id="not reached"),
    pytest.param(ProviderTimeout(), True, id="no answer"),
    pytest.param(error("invalid_grant"), False, id="refused"),
    pytest.param(json_answer("<p>", 400), False, id="nonsense"),
    pytest.param(json_answer("{}", 429), False, id="rate limited"),
]


@pytest.mark.parametrize(("reply", "down"), GATE)
async def test_what_shows_that_a_host_is_down(world: FakeWorld, reply: Answer | Exception, down: bool) -> None:
    """The fifth failure in a row opens the breaker; any answer of the provider's own begins the count anew."""
    connection = await ready(world)
    gate = world.application.gate
    went_down(gate, HOST, times=4)
    world.egress.will_reply(reply)

    with pytest.raises(KeyturnError):
        await renew(world, connection, forced=True)

    if not down:
        went_down(gate, HOST, times=4)
    assert down is isinstance(gate.refusal(asking(HOST)), ProviderUnavailable)


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("others", [1, 2])
async def test_a_provider_that_asks_three_to_wait_is_heard_for_all(world: FakeWorld, status: int, others: int) -> None:
    """What one or two are asked is their own affair; of the third on the provider is asked by nobody for a minute."""
    connection = await ready(world)
    told_to_wait(world.application.gate, HOST, 300, of=others)
    world.egress.will_reply(Answer(status, (("Retry-After", "300"),)))

    with pytest.raises(KeyturnError) as told:
        await renew(world, connection, forced=True)

    assert 300.0 == told.value.retry_after_s
    held = world.application.gate.refusal(asking(HOST, "another"))
    assert (others == 2) is isinstance(held, ProviderRateLimited)
    assert held is None or held.retry_after_s == 60.0


async def test_an_alarm_fails_fast_and_ends_with_a_token(world: FakeWorld) -> None:
    """The connector's set-up is wrong: its connections stay, say why, and go on once it works."""
    connection = await ready(world, keep="required", refresh="strategy: refresh_then_password")
    world.egress.will_reply(error("invalid_client", 401))
    for _ in range(2):
        with pytest.raises(ConnectorClientRejected) as refused:
            await renew(world, await read(world, connection.id), forced=not bodies(world)[1:])
        assert 0 < (refused.value.retry_after_s or 0) <= 60
    assert 1 == len(bodies(world)) - 1
    world.egress.will_reply(token(2, at=world.clock.now()))

    assert 2 == (await renew(world, connection, forced=True)).generation

    assert world.application.gate.alarmed("acme") is None
    assert not any("password" in body for body in bodies(world)[1:])


async def test_three_tries_are_three_of_the_same(world: FakeWorld) -> None:
    """An outage between two answers that nothing describes begins the count anew; the back-off grows all the same."""
    connection = await ready(world)
    replies = [json_answer("<p>", 400), json_answer("{}", 503), json_answer("<p>", 400), json_answer("<p>", 400)]
    counts = []
    for reply in replies:
        world.egress.will_reply(reply)
        with pytest.raises(KeyturnError):
            await renew(world, connection, forced=True)
        counts.append((await read(world, connection.id)).failures_in_a_row)
    world.egress.will_reply(json_answer("<p>", 400))

    with pytest.raises(NeedsReconnect):
        await renew(world, connection, forced=True)

    assert [1, 2, 1, 2] == counts


async def test_a_connection_is_renewed_only_where_it_is_pinned(world: FakeWorld) -> None:
    """A later version can't send an old refresh token elsewhere; the person is asked at the token's end."""
    connection = await ready(world)
    moved = await world.stores.connections.save(replace(connection, hosts=("elsewhere.example",)))

    with pytest.raises(RenewalNotPossible) as refused:
        await renew(world, moved, forced=True)

    assert "url_not_allowed" == refused.value.extensions["reason"]
    assert 0 == len(bodies(world)) - 1
