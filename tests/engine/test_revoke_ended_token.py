"""A revoke request that puts the access token on, once that has ended: renewed first, or the truth is said."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl

import pytest

from keyturn.core.connection import Intent, IntentKind, State
from keyturn.core.errors import ProviderTimeout, ProviderUnreachable, StoreUnavailable
from keyturn.core.explain import explain
from keyturn.core.messages import Answer
from keyturn.core.revocation import Revocation, RevocationCause
from keyturn.core.secret import Secret
from keyturn.core.token_set import TokenSet
from tests.engine.passing import in_time
from tests.engine.story import ACTOR, actions, error, log_in, publish, read, token
from tests.engine.test_revoke import OK, add, only, revoke_due
from tests.fakes.application import FakeWorld, make_world
from tests.fakes.egress import json_answer

BEARER = ', headers: {Authorization: "Bearer {{ access_token }}"}, tokens: [refresh_token]'
UNAUTHORISED = Answer(401)


@pytest.fixture
def world() -> FakeWorld:
    """A world in which time passes only as a test lets it."""
    made = make_world()
    made.entropy.fixed_fraction = 0.5
    return made


def asked(world: FakeWorld) -> list[str]:
    """What was sent: a refresh by its token, a revocation by the access token that it shows."""
    found = []
    for each in world.egress.requests:
        form = dict(parse_qsl(each.body.decode()))
        if form.get("grant_type") == "refresh_token":
            found.append(form["refresh_token"])
        elif "/revoke" in each.url:
            found.append("revoke " + dict(each.headers).get("Authorization", "").removeprefix("Bearer "))
    return found


async def ended(world: FakeWorld, **parts: str) -> str:
    """A connection whose access token has ended."""
    await publish(world, **{"revoke": BEARER, **parts})
    connection = (await log_in(world)).connection
    world.clock.advance(3601)
    return connection.id


async def disconnect(world: FakeWorld, connection_id: str, **more: Any) -> dict[str, Any]:
    """End it; its state and what it says of the revocation."""
    found = await in_time(world, world.application.disconnect(connection_id, ACTOR, **more))
    return {"state": found.state, **found.revocation}


async def test_it_is_renewed_once_more_first(world: FakeWorld) -> None:
    """Then the request carries a live token, and the new set is what is revoked; both sends stand in the log."""
    connection_id = await ended(world)
    world.egress.will_reply(token(2, at=world.clock.now()), OK)
    found = await disconnect(world, connection_id)

    assert (State.DISCONNECTED, "done") == (found["state"], found["result"])
    assert ["refresh-1", "revoke access-2"] == asked(world)
    assert b"token=refresh-2" in world.egress.requests[-1].body
    assert [
        ("revocation.sent", "ok"),
        ("revocation.refresh_sent", "ok"),
        ("revocation.refresh_answered", "ok"),
    ] == [each for each in actions(world) if each[0].startswith("revocation.")][:3]


@pytest.mark.parametrize(
    "revoke",
    [
        pytest.param(', headers: {Authorization: "Bearer {{ token }}"}, tokens: [access_token]', id="as the token"),
        pytest.param(', headers: {X-Auth: "{{ access_token }}"}, tokens: [refresh_token]', id="another header"),
    ],
)
async def test_wherever_the_token_is_put_on(world: FakeWorld, revoke: str) -> None:
    """By whichever name."""
    connection_id = await ended(world, revoke=revoke)
    world.egress.will_reply(token(2, at=world.clock.now()), OK)
    found = await disconnect(world, connection_id)

    assert "done" == found["result"]
    assert "access-2" in repr(world.egress.requests[-1].headers)


async def test_a_token_that_lives_is_not_renewed(world: FakeWorld) -> None:
    """The neighbour: nothing but the request goes out."""
    await publish(world, revoke=BEARER)
    connection = (await log_in(world)).connection
    world.clock.advance(3599)
    world.egress.will_reply(OK)
    found = await disconnect(world, connection.id)

    assert ("done", ["revoke access-1"]) == (found["result"], asked(world))


async def test_a_request_that_does_not_show_it_needs_none(world: FakeWorld) -> None:
    """RFC 7009's own names the token that is to end, which may have ended."""
    connection_id = await ended(world, revoke="")
    world.egress.will_reply(OK, OK)
    found = await disconnect(world, connection_id)

    assert ("done", 2) == (found["result"], len(asked(world)))


async def test_a_refresh_token_that_is_refused_is_a_session_that_is_gone(world: FakeWorld) -> None:
    """There is nothing left to end."""
    connection_id = await ended(world)
    world.egress.will_reply(error("invalid_grant"))
    found = await disconnect(world, connection_id)

    assert ((State.DISCONNECTED, "done"), ["refresh-1"]) == ((found["state"], found["result"]), asked(world))


NO_WAY = [
    pytest.param({"refresh": "strategy: password_only"}, {}, id="renewed by the password alone"),
    pytest.param({}, {"refresh": None}, id="no refresh token"),
    pytest.param({"refresh": "with: token"}, {}, id="the token itself renews"),
]


@pytest.mark.parametrize(("parts", "tokens"), NO_WAY)
@pytest.mark.parametrize("answer", [UNAUTHORISED, json_answer("<p>", 403)])
async def test_what_can_not_be_renewed_is_tried_once_and_said(
    world: FakeWorld, parts: dict[str, str], tokens: dict[str, Any], answer: Answer
) -> None:
    """No day of tries at a refusal that nothing cures."""
    revoke = ', headers: {Authorization: "Bearer {{ access_token }}"}, tokens: [access_token]'
    await publish(world, revoke=revoke, **parts)
    connection = (await log_in(world, token(at=world.clock.now(), **tokens))).connection
    world.clock.advance(3601)
    world.egress.will_reply(answer)
    found = await disconnect(world, connection.id)
    after = await read(world, connection.id)

    assert (State.DISCONNECTED, "not_possible", "token_ended") == (found["state"], found["result"], found["last_error"])
    assert ["revoke access-1"] == asked(world)
    assert {} == world.stores.revocations.rows
    assert "could not be told" in explain(after, None, world.clock.now(), None).text


async def test_it_is_done_where_the_provider_takes_the_old_token(world: FakeWorld) -> None:
    """Our clock may be wrong, or the provider lenient."""
    connection_id = await ended(world, refresh="strategy: password_only")
    world.egress.will_reply(OK)

    assert "done" == (await disconnect(world, connection_id))["result"]


PASSING = [
    pytest.param(json_answer("{}", 503), "provider_unavailable", id="down"),
    pytest.param(ProviderUnreachable(), "provider_unreachable", id="not reached"),
    pytest.param(Answer(429, (("Retry-After", "20"),)), "provider_rate_limited", id="asked to wait"),
]


@pytest.mark.parametrize(("reply", "code"), PASSING)
async def test_a_renewal_that_fails_for_now_is_tried_again(world: FakeWorld, reply: Any, code: str) -> None:
    """Nothing is revoked before it: what ends the refresh token would spoil it."""
    connection_id = await ended(world)
    world.egress.will_reply(reply)
    found = await disconnect(world, connection_id)
    row = only(world)
    world.clock.advance(max(20.0, row.due_at - world.clock.now()))
    world.egress.will_reply(token(2, at=world.clock.now()), OK)
    await revoke_due(world)
    after = await read(world, connection_id)

    assert (State.DISCONNECTING, "retrying", code) == (found["state"], found["result"], found["last_error"])
    assert row.renewal_sent_at is None
    assert (State.DISCONNECTED, "done") == (after.state, after.revocation["result"])
    assert ["refresh-1", "refresh-1", "revoke access-2"] == asked(world)


@pytest.mark.parametrize(
    ("refresh", "again"),
    [
        pytest.param("rotation: rotating", False, id="rotating"),
        pytest.param("rotation: stable", True, id="stable"),
        pytest.param("leeway: 1h", True, id="within the leeway"),
    ],
)
async def test_a_refresh_token_of_unknown_fate_is_sent_again_only_where_harmless(
    world: FakeWorld, refresh: str, again: bool
) -> None:
    """I2. Else the provider could not be told, and that is said."""
    connection_id = await ended(world, refresh=refresh)
    world.egress.will_reply(ProviderTimeout(), *([] if again else [UNAUTHORISED]))
    found = await disconnect(world, connection_id)

    assert ("retrying" if again else "not_possible") == found["result"]
    if again:
        world.clock.advance(60)
        world.egress.will_reply(token(2, at=world.clock.now()), OK)
        await revoke_due(world)
        assert ["refresh-1", "refresh-1", "revoke access-2"] == asked(world)
    else:
        assert "renewal_outcome_unknown" == found["last_error"]
        assert ["refresh-1", "revoke access-1"] == asked(world)


async def test_a_crash_in_between_leaves_the_fate_unknown(world: FakeWorld) -> None:
    """The row says that the refresh token went out: another process does not send it again."""
    await publish(world, revoke=BEARER)
    now = world.clock.now()
    held = TokenSet(Secret("access-1"), now - 10, Secret("refresh-1"), expires_at=now - 1)
    await add(world, token_set=held, renewal_sent_at=now - 100)
    world.egress.will_reply(UNAUTHORISED)
    await revoke_due(world)

    assert ["revoke access-1"] == asked(world)
    assert {} == world.stores.revocations.rows
    assert ("revocation.tried", "renewal_outcome_unknown") == actions(world)[-1]


@pytest.mark.parametrize("refreshable", [True, False])
async def test_a_renewal_of_the_connection_that_nobody_heard_of_is_not_repeated(
    world: FakeWorld, refreshable: bool
) -> None:
    """A disconnect of an uncertain one: its refresh token was sent before; so too where it may not be sent any more."""
    connection_id = await ended(world)
    row, secrets = world.stores.connections.rows[connection_id]
    intent = Intent(IntentKind.REFRESH, 1, "att", world.clock.now() - 5) if refreshable else None
    world.stores.connections.rows[connection_id] = (replace(row, intent=intent, refreshable=refreshable), secrets)
    world.egress.will_reply(UNAUTHORISED)
    found = await disconnect(world, connection_id)

    assert ("not_possible", "renewal_outcome_unknown") == (found["result"], found["last_error"])
    assert ["revoke access-1"] == asked(world)


async def test_a_token_whose_end_nobody_knew_is_renewed_once_it_is_refused(world: FakeWorld) -> None:
    """Alive until the provider refuses it; then as any that has ended."""
    await publish(world, revoke=BEARER)
    connection = (await log_in(world, token(at=world.clock.now(), expires_in=None))).connection
    world.egress.will_reply(UNAUTHORISED, token(2, at=world.clock.now()), OK)
    found = await disconnect(world, connection.id)

    assert ("done", ["revoke access-1", "refresh-1", "revoke access-2"]) == (found["result"], asked(world))


BOTH = ', headers: {Authorization: "Bearer {{ access_token }}"}'


@pytest.mark.parametrize("later", [False, True], ids=["at once", "in a later try"])
async def test_an_access_token_that_ends_with_its_refresh_token_is_done(world: FakeWorld, later: bool) -> None:
    """RFC 7009 section 2.1: the provider refuses the token that it is asked to end, as it has ended it."""
    await publish(world, revoke=BOTH)
    connection = (await log_in(world)).connection
    world.egress.will_reply(OK, json_answer("{}", 503) if later else UNAUTHORISED)
    found = await disconnect(world, connection.id)
    if later:
        world.clock.advance(3700)
        world.egress.will_reply(UNAUTHORISED)
        await revoke_due(world)
    after = await read(world, connection.id)

    assert ("retrying" if later else "done") == found["result"]
    assert (State.DISCONNECTED, "done") == (after.state, after.revocation["result"])
    assert {"refresh_token", "access_token"} == set(after.revocation["revoked"])
    assert ["revoke access-1"] * (3 if later else 2) == asked(world)


@pytest.mark.parametrize(
    ("revoke", "replies"),
    [
        pytest.param(BOTH, (OK, json_answer("<p>", 403)), id="no 401"),
        pytest.param(
            BOTH, (json_answer("{}", 503), UNAUTHORISED, error("server_error")), id="refresh token still open"
        ),
    ],
)
async def test_any_other_refusal_of_it_is_none(world: FakeWorld, revoke: str, replies: tuple[Any, ...]) -> None:
    """The neighbours: a refusal about something else, and one while the refresh token lives."""
    await publish(world, revoke=revoke)
    connection = (await log_in(world)).connection
    world.egress.will_reply(*replies)

    assert "retrying" == (await disconnect(world, connection.id))["result"]


async def test_a_set_that_a_login_replaced_is_renewed_too(world: FakeWorld) -> None:
    """Its row has its own refresh token, which nobody else uses."""
    await publish(world, revoke=BEARER)
    now = world.clock.now()
    held = TokenSet(Secret("access-1"), now - 10, Secret("refresh-1"), expires_at=now - 1)
    await add(world, token_set=held, cause=RevocationCause.REPLACED)
    world.egress.will_reply(token(2, at=now), OK)
    await revoke_due(world)

    assert ["refresh-1", "revoke access-2"] == asked(world)
    assert {} == world.stores.revocations.rows


async def test_forget_now_renews_as_well_and_keeps_nothing(world: FakeWorld) -> None:
    """One try of all of it."""
    connection_id = await ended(world)
    world.egress.will_reply(json_answer("{}", 503), UNAUTHORISED)
    found = await disconnect(world, connection_id, forget_now=True)

    assert (State.DISCONNECTED, "given_up") == (found["state"], found["result"])
    assert ["refresh-1", "revoke access-1"] == asked(world)


async def test_what_the_store_does_not_take_is_used_all_the_same(world: FakeWorld) -> None:
    """The token is in hand; the row says that its refresh token went out."""
    connection_id = await ended(world)
    really, notes = world.stores.revocations.note, []

    async def note(revocation: Revocation, **more: Any) -> bool:
        notes.append(revocation.renewal_sent_at)
        if len(notes) == 2:
            raise StoreUnavailable
        return await really(revocation, **more)

    world.stores.revocations.note = note  # type: ignore[method-assign]
    world.egress.will_reply(token(2, at=world.clock.now()), OK)
    found = await disconnect(world, connection_id)

    assert ("done", ["refresh-1", "revoke access-2"]) == (found["result"], asked(world))
    assert (True, None) == (notes[0] is not None, notes[1])
