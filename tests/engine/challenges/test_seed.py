"""A kept TOTP seed: in the first login, in renewals with the kept password, and each step once."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from keyturn.core.challenges.totp import code_at, step_at
from keyturn.core.connection import Connection
from keyturn.core.connector import Strategy
from keyturn.core.errors import NeedsReconnect, OtpInvalid, RateLimited, RenewalNotPossible, ValidationFailed
from keyturn.core.explain import expires_soon, explain
from keyturn.core.renewal.plan import password_usable
from keyturn.core.secret import Secret
from keyturn.engine.login.challenged import Challenged
from keyturn.engine.login.login_request import Connected
from tests.engine.challenges.scene import CODE, PUSH, SEED, SEEDED, answer, begin, begin_any, mfa, push, scene
from tests.engine.story import actions, bodies, connector_from, error, me, read, token
from tests.fakes.application import FakeWorld
from tests.fakes.clock import FakeClock
from tests.fakes.egress import json_answer

KEPT: dict[str, Any] = {"fields": {"seed": SEED}, "keep_totp_seed": True, "keep_password": True}
_PLAIN = 'grant_type: password, username: "{{ username }}", password: "{{ password }}"'
IN_TOKEN = f', params: {{{_PLAIN}, totp: "{{{{ seed }}}}"}}'
CODE_IN_TOKEN = f', params: {{{_PLAIN}, otp: "{{{{ otp }}}}"}}'
OPTIONAL_CODE = "fields: [{key: otp, label: Code, type: otp, required: false}]\n"


def code(world: FakeWorld, ahead: int = 0) -> str:
    """The code of now, or of a step after it."""
    return code_at(Secret(SEED), step_at(world.clock.now()) + ahead).reveal()


async def seeded(world: FakeWorld, *answers: Any, **more: Any) -> Connection:
    """A connection whose seed and password are kept."""
    result = await begin_any(world, *answers, **{**KEPT, **more})
    assert isinstance(result, Connected)
    return result.connection


async def renew(world: FakeWorld, connection: Connection) -> Connection:
    """Renew it by force."""
    return await world.application.renewals.renew(connection.id, generation=connection.generation, forced=True)


async def with_seed(**parts: str) -> FakeWorld:
    """A provider whose challenge a seed can answer."""
    more = {"keep": "offer", "refresh": "strategy: password_only", **parts}
    return await scene(CODE + SEEDED, clock=FakeClock(auto=True), **more)


async def test_the_first_login_needs_nobody() -> None:
    """The seed answers by itself; it is kept sealed, and the step that was used stands with the connection."""
    world = await with_seed()
    step = step_at(world.clock.now())
    connection = await seeded(world, mfa(), token(at=world.clock.now()), me())

    assert f"otp={code(world)}" in bodies(world)[1]
    assert step == connection.totp_step
    opened = await world.stores.connections.open(connection.id)
    assert opened is not None
    assert {"seed": Secret(SEED)} == opened[1].fields
    assert SEED not in "".join(bodies(world))
    assert SEED not in repr(world.stores.database.records)


async def test_a_seed_needs_consent() -> None:
    """422 at the consent; nothing was sent."""
    world = await with_seed()
    with pytest.raises(ValidationFailed) as refused:
        await begin_any(world, **{**KEPT, "keep_totp_seed": False})

    assert ["/keep_totp_seed"] == [each.pointer for each in refused.value.errors]
    assert [] == bodies(world)


async def test_a_renewal_answers_with_the_seed() -> None:
    """Password, challenge, code: the next step's, as the first was used; committed before the code leaves."""
    world = await with_seed()
    connection = await seeded(world, mfa(), token(at=world.clock.now()), me())
    first = code(world)
    steps: list[int | None] = []

    async def look(_: Any) -> Any:
        steps.append((await read(world, connection.id)).totp_step)
        return token(2, at=world.clock.now())

    world.egress.will_reply(mfa("mfa-canary-2"), look)
    renewed = await renew(world, connection)

    assert connection.generation + 1 == renewed.generation
    assert [step_at(world.clock.now())] == steps
    assert [connection.totp_step] != steps
    assert "mfa_token=mfa-canary-2" in bodies(world)[3]
    assert f"otp={code(world)}" in bodies(world)[3]
    assert first != code(world)
    assert ("challenge.answered", "ok") in actions(world)


async def test_a_renewal_without_a_seed_needs_the_person() -> None:
    """As ever: challenge_required, and the password is not marked."""
    world = await with_seed()
    challenge = await begin(world, mfa(), keep_password=True)
    connected = await answer(world, challenge, token(at=world.clock.now()), me())
    assert isinstance(connected, Connected)
    world.egress.will_reply(mfa())
    with pytest.raises(NeedsReconnect):
        await renew(world, connected.connection)

    left = await read(world, connected.connection.id)
    assert ("challenge_required", False) == (left.reason, left.password_rejected)


async def test_a_code_that_is_refused_marks_no_password() -> None:
    """The person is needed; the code is not tried again."""
    world = await with_seed()
    connection = await seeded(world, mfa(), token(at=world.clock.now()), me())
    world.egress.will_reply(mfa(), error("invalid_grant"))
    with pytest.raises(NeedsReconnect):
        await renew(world, connection)

    left = await read(world, connection.id)
    assert ("challenge_required", False) == (left.reason, left.password_rejected)
    assert ("challenge.answered", "provider_otp_invalid") in actions(world)
    assert 0 == world.egress.left


async def test_a_push_in_a_renewal_needs_the_person() -> None:
    """A seed confirms nothing elsewhere."""
    world = await scene(PUSH + SEEDED, clock=FakeClock(auto=True), keep="offer", refresh="strategy: password_only")
    connection = await seeded(world, token(at=world.clock.now()), me())
    world.egress.will_reply(push())
    with pytest.raises(NeedsReconnect):
        await renew(world, connection)


async def test_a_weaker_token_of_a_renewal_is_revoked() -> None:
    """Also where the seed got further."""
    challenged = CODE.replace("{status: [403], body: \"error == 'mfa_required'\"}", "{body: mfa}")
    world = await scene(
        challenged + SEEDED, clock=FakeClock(auto=True), keep="offer", refresh="strategy: password_only"
    )
    connection = await seeded(world, token(at=world.clock.now()), me())
    world.egress.will_reply(
        json_answer('{"access_token": "weak-canary", "mfa": true, "mfa_token": "m"}'), token(2, at=world.clock.now())
    )
    await renew(world, connection)
    world.egress.will_reply(*[json_answer("{}")] * 3)
    await world.application.scheduler.revoke_due()

    assert any("token=weak-canary" in each for each in bodies(world, "/revoke"))
    assert not any("token=access-2" in each for each in bodies(world, "/revoke"))


async def test_the_token_request_itself_takes_the_code() -> None:
    """`{{ seed }}` stands for the code; a renewal waits for the next step, 30 seconds at most."""
    world = await scene(
        SEEDED, clock=FakeClock(auto=True), token=IN_TOKEN, keep="offer", refresh="strategy: password_only"
    )
    connection = await seeded(world, token(at=world.clock.now()), me())
    first = code(world)
    world.egress.will_reply(token(2, at=world.clock.now()))
    renewed = await renew(world, connection)

    assert f"totp={first}" in bodies(world)[0]
    assert f"totp={code(world)}" in bodies(world)[1]
    assert first != code(world)
    assert renewed.totp_step == (connection.totp_step or 0) + 1
    assert max(world.clock.slept) <= 30
    assert SEED not in "".join(bodies(world))


async def test_a_login_without_the_seed_leaves_its_parameter_out() -> None:
    """An optional value that isn't there."""
    world = await scene(SEEDED, token=IN_TOKEN)
    result = await begin_any(world, token(at=world.clock.now()), me())

    assert isinstance(result, Connected)
    assert "totp" not in bodies(world)[0]
    assert result.connection.totp_step is None


async def test_a_reconnect_uses_no_step_twice() -> None:
    """The connection's step is known before the code is sent, and committed."""
    world = await scene(SEEDED, clock=FakeClock(auto=True), token=IN_TOKEN, keep="offer")
    connection = await seeded(world, token(at=world.clock.now()), me())
    first = code(world)
    again = await seeded(world, token(2, at=world.clock.now()), me(), reconnects=connection.id)

    assert connection.id == again.id
    assert f"totp={first}" not in bodies(world)[1]
    assert f"totp={code(world)}" in bodies(world)[1]


async def test_a_clock_that_was_set_back_sends_no_used_code() -> None:
    """Rather nothing is sent; the seconds until it may are said."""
    world = await scene(
        SEEDED, clock=FakeClock(auto=True), token=IN_TOKEN, keep="offer", refresh="strategy: password_only"
    )
    connection = await seeded(world, token(at=world.clock.now()), me())
    world.clock.jump_wall(-3600)
    with pytest.raises(RateLimited):
        await renew(world, connection)

    assert 1 == len(bodies(world))
    assert "active" == (await read(world, connection.id)).state


async def test_a_refused_seed_lets_the_person_type() -> None:
    """The seed is not tried again in this login."""
    world = await with_seed()
    challenge = await begin(world, mfa(), error("invalid_grant"), **KEPT)
    assert ("provider_otp_invalid", 2) == (challenge.error, challenge.tries_left)
    connected = await answer(world, challenge, token(at=world.clock.now()), me())

    assert isinstance(connected, Connected)
    assert "otp=123456" in bodies(world)[2]


async def test_an_optional_code_up_front() -> None:
    """It goes with the password, once, and is kept nowhere; the challenge asks again where it was left empty."""
    again = CODE.replace("key: otp", "key: code").replace('otp: "{{ otp }}"', 'otp: "{{ code }}"')
    world = await scene(again + OPTIONAL_CODE, token=CODE_IN_TOKEN)
    given = await begin_any(world, token(at=world.clock.now()), me(), fields={"otp": "654321"})
    stopped = await begin(world, mfa(), fields={"otp": "777777"})
    opened = await world.stores.challenges.open(stopped.id)
    empty = await begin(world, mfa())

    assert isinstance(given, Connected)
    assert "otp=654321" in bodies(world)[0]
    assert {} == given.connection.fields
    assert "777777" not in repr(opened)
    assert opened is not None
    assert opened[1] is not None
    assert {} == opened[1].fields
    assert "otp=" not in bodies(world)[2]
    assert isinstance(empty, Challenged)


async def test_a_wrong_code_up_front_is_no_wrong_password() -> None:
    """Where the provider says so; no try is spent."""
    failures = "failures: [{when: {body: \"error == 'bad_otp'\"}, class: wrong_code}]\n"
    world = await scene(OPTIONAL_CODE + failures, token=CODE_IN_TOKEN)
    with pytest.raises(OtpInvalid) as refused:
        await begin_any(world, error("bad_otp"), fields={"otp": "1"})

    assert 3 == refused.value.extensions["tries_left"]


async def test_an_interactive_login_is_never_tried_without_the_person() -> None:
    """The kept password is not used, and the end is warned of."""
    world = await scene("login: interactive\n", keep="offer")
    once = token(at=world.clock.now(), refresh=None)
    connection = await seeded(world, once, me(), fields={}, keep_totp_seed=False)
    connector = connector_from(more="login: interactive\n", keep="offer")
    with pytest.raises(RenewalNotPossible):
        await renew(world, connection)

    assert connection.password_kept_at is not None
    both = replace(connector.refresh, strategy=Strategy.REFRESH_THEN_PASSWORD)
    assert not password_usable(connection, replace(connector, refresh=both))
    assert 1 == len(bodies(world))
    assert expires_soon(connection, connector, world.clock.now())
    assert "asks for a code at each login" in explain(connection, connector, world.clock.now(), None).text
    assert not expires_soon(connection, connector_from(keep="offer"), world.clock.now())
