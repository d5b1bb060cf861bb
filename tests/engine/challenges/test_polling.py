"""Confirmations elsewhere, and further codes: what the server does by itself."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from keyturn.core.errors import (
    ChallengeUsed,
    ProviderBadResponse,
    ProviderRateLimited,
    ProviderTimeout,
    RateLimited,
    ValidationFailed,
)
from keyturn.core.messages import Answer
from keyturn.engine.login.challenged import Challenged
from keyturn.engine.login.login_request import Connected
from tests.engine.challenges.scene import (
    AGAIN,
    CODE,
    PENDING,
    PUSH,
    answer,
    begin,
    mfa,
    poll,
    push,
    row_of,
    scene,
    sealed,
)
from tests.engine.story import ACTOR, actions, bodies, error, me, token
from tests.fakes.application import FakeWorld
from tests.fakes.egress import json_answer

CONFIRM = """
challenges:
- when: {status: [403], body: "error == 'choose'"}
  ask: [{key: device, label: Device, type: choice, choices: {a: A, b: B}}]
  capture: {ticket: ticket}
  then:
    params: {ticket: "{{ ticket }}", device: "{{ device }}"}
    poll: {every: 3, for: 60, while: "error == 'authorization_pending'"}
"""
WITH_PASSWORD = """
challenges:
- when: {status: [403], body: "error == 'push'"}
  then: {poll: {every: 3, for: 60, while: "error == 'authorization_pending'"}}
"""


async def state(world: FakeWorld, challenge: Challenged) -> tuple[str, str | None]:
    """How a challenge stands, as its holder reads it."""
    seen = await world.application.challenges.look(challenge.id, ACTOR.name)
    return seen.state.value, seen.error


async def test_a_push_is_polled_until_it_is_confirmed() -> None:
    """Nothing is asked; each poll shows what was captured; the first answer that is not pending decides."""
    world = await scene(PUSH)
    challenge = await begin(world, push())
    assert ((), True, "pending") == (challenge.ask, challenge.polls, challenge.state)
    world.egress.will_reply(PENDING, PENDING, token(at=world.clock.now()), me())
    await poll(world)
    await poll(world, 2.9)
    assert 2 == len(bodies(world))
    await poll(world, 0.1)
    await poll(world, 3)

    assert ("done", None) == await state(world, challenge)
    assert ["ticket=ticket-canary"] * 3 == bodies(world)[1:]
    assert not await sealed(world, challenge)
    assert [("challenge.polled", "ok")] == [each for each in actions(world) if each[0] == "challenge.polled"]
    assert 3 == world.stores.database.records[-1].facts["polls"]
    assert "canary" not in repr(world.stores.database.records)


async def test_two_processes_ask_once() -> None:
    """Who claims the row asks; the other's look changes nothing."""
    world = await scene(PUSH)
    await begin(world, push())
    challenges = world.application.challenges
    other = replace(challenges, polling=replace(challenges.polling, running={}))
    world.egress.will_reply(PENDING)
    await asyncio.gather(challenges.poll_due(), other.poll_due())
    await asyncio.gather(challenges.drain(5), other.drain(5))

    assert 2 == len(bodies(world))


async def test_polling_goes_on_after_a_crash() -> None:
    """The process died in the middle of a poll: another goes on once the claim has run out."""
    world = await scene(PUSH.replace("for: 60", "for: 300"))
    challenge = await begin(world, push())

    def crash(_: Any) -> Answer:
        raise asyncio.CancelledError

    world.egress.will_reply(crash)
    await poll(world)
    await poll(world, 170)
    assert 2 == len(bodies(world))
    world.egress.will_reply(token(at=world.clock.now()), me())
    await poll(world, 11)

    assert ("done", None) == await state(world, challenge)


async def test_nobody_confirms() -> None:
    """When its time is over the challenge has failed, and the password was never sent again."""
    world = await scene(PUSH)
    challenge = await begin(world, push())
    world.egress.will_reply(*[PENDING] * 3)
    for _ in range(3):
        await poll(world, 19)
    await poll(world, 10)

    assert ("failed", "challenge_expired") == await state(world, challenge)
    assert 0 == world.egress.left
    assert ("challenge.polled", "challenge_expired") in actions(world)


async def test_the_person_refuses() -> None:
    """A rejection ends it."""
    world = await scene(PUSH)
    challenge = await begin(world, push())
    world.egress.will_reply(error("access_denied"))
    await poll(world)

    assert ("failed", "provider_access_denied") != (found := await state(world, challenge))
    assert "failed" == found[0]
    assert not await sealed(world, challenge)


PASSING = [
    pytest.param(ProviderTimeout(), 3.0, id="no answer"),
    pytest.param(json_answer("", 503), 3.0, id="down"),
    pytest.param(Answer(429, (("Retry-After", "20"),), b"", 0.0), 20.0, id="asked to wait"),
]


@pytest.mark.parametrize(("said", "wait"), PASSING)
async def test_trouble_decides_nothing(said: Answer | Exception, wait: float) -> None:
    """It is asked again, as late as the provider wants."""
    world = await scene(PUSH)
    challenge = await begin(world, push())
    world.egress.will_reply(said)
    await poll(world)
    await poll(world, wait - 0.1)
    assert 2 == len(bodies(world))
    world.egress.will_reply(token(at=world.clock.now()), me())
    await poll(world, 0.2)

    assert ("done", None) == await state(world, challenge)


@pytest.mark.parametrize(
    ("word", "status", "code"),
    [
        pytest.param("access_denied", 400, "provider_otp_invalid", id="the person refuses"),
        pytest.param("expired_token", 400, "challenge_expired", id="the person takes too long"),
        pytest.param("access_denied", 200, "provider_otp_invalid", id="with a 200"),
        pytest.param("something_else", 400, "provider_bad_response", id="a word of the provider's own"),
    ],
)
async def test_the_words_of_device_authorisation_need_no_failure(word: str, status: int, code: str) -> None:
    """RFC 8628 §3.5 says what they mean where a provider is polled."""
    world = await scene(PUSH)
    challenge = await begin(world, push())
    world.egress.will_reply(error(word, status))

    await poll(world)

    assert ("failed", code) == await state(world, challenge)


async def test_a_password_of_unknown_fate_is_not_sent_again() -> None:
    """A poll that carries the password and is not answered ends the login."""
    world = await scene(WITH_PASSWORD)
    challenge = await begin(world, push())
    world.egress.will_reply(ProviderTimeout())
    await poll(world)

    assert "password=password-canary" in bodies(world)[1]
    assert ("failed", "provider_timeout") == await state(world, challenge)


async def test_a_device_is_chosen_and_then_asked_after() -> None:
    """`ask` and `poll` together: the answer is sent at once, and polled in a challenge that follows."""
    world = await scene(CONFIRM)
    first = await begin(world, json_answer('{"error": "choose", "ticket": "t-canary"}', 403))
    assert ("waiting", False) == (first.state, first.polls)
    following = await answer(world, first, PENDING, device="b")
    assert isinstance(following, Challenged)
    assert ("pending", True, ()) == (following.state, following.polls, following.ask)
    world.egress.will_reply(token(at=world.clock.now()), me())
    await poll(world, 3)

    assert ("done", None) == await state(world, following)
    assert ["ticket=t-canary&device=b"] * 2 == bodies(world)[1:]
    assert following.id == (await row_of(world, first)).successor


async def test_a_device_that_is_confirmed_at_once() -> None:
    """The first answer may decide already."""
    world = await scene(CONFIRM)
    first = await begin(world, json_answer('{"error": "choose", "ticket": "t-canary"}', 403))

    assert isinstance(await answer(world, first, token(at=world.clock.now()), me(), device="b"), Connected)


async def test_a_code_after_the_push() -> None:
    """A poll may be answered with a further challenge, which then waits for the person."""
    world = await scene(PUSH.rstrip() + CODE.replace("challenges:\n", "\n"))
    challenge = await begin(world, push())
    world.egress.will_reply(mfa())
    await poll(world)
    row = await row_of(world, challenge)
    following = await world.application.challenges.look(row.successor or "", ACTOR.name)

    assert ("done", "waiting") == (row.state, following.state)
    assert isinstance(await answer(world, following, token(at=world.clock.now()), me()), Connected)


async def test_a_polled_challenge_takes_no_answer() -> None:
    """It is being asked after already."""
    world = await scene(PUSH)
    challenge = await begin(world, push())
    with pytest.raises(ChallengeUsed):
        await answer(world, challenge)


async def test_the_scheduler_polls() -> None:
    """Its loop looks each second."""
    world = await scene(PUSH)
    challenge = await begin(world, push())
    world.egress.will_reply(token(at=world.clock.now()), me())
    world.application.scheduler.start()
    for _ in range(200):
        await asyncio.sleep(0)
    await world.application.scheduler.stop()

    assert ("done", None) == await state(world, challenge)


async def test_another_code_is_asked_for() -> None:
    """The provider is asked with what was captured; the challenge goes on, with the new state where there is one."""
    world = await scene()
    first = await begin(world, mfa())
    world.egress.will_reply(json_answer("{}"), mfa("mfa-canary-2"))
    again = await world.application.challenges.resend(first.id, ACTOR)
    following = await world.application.challenges.resend(first.id, ACTOR)
    connected = await answer(world, following, token(at=world.clock.now()), me())

    assert first.id == again.id != following.id
    assert following.id == (await row_of(world, first)).successor
    assert isinstance(connected, Connected)
    assert ["mfa_token=mfa-canary-1"] * 2 == bodies(world, "/resend")
    assert "mfa_token=mfa-canary-2" in bodies(world)[1]
    assert 2 == actions(world).count(("challenge.resent", "ok")) + actions(world).count(
        ("challenge.resent", "challenge_required")
    )


async def test_five_codes_and_no_more() -> None:
    """Each may cost a text message; a successor does not begin to count anew."""
    world = await scene()
    challenge = await begin(world, mfa())
    for n in range(5):
        world.egress.will_reply(mfa(f"mfa-{n}"))
        challenge = await world.application.challenges.resend(challenge.id, ACTOR)
    with pytest.raises(RateLimited):
        await world.application.challenges.resend(challenge.id, ACTOR)

    assert 5 == len(bodies(world, "/resend"))


async def test_a_provider_without_such_a_request() -> None:
    """422, and the challenge says beforehand that it can't."""
    world = await scene(AGAIN)
    challenge = await begin(world, mfa())
    assert not challenge.resends
    with pytest.raises(ValidationFailed):
        await world.application.challenges.resend(challenge.id, ACTOR)


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        pytest.param(error("invalid_grant"), ProviderBadResponse, id="rejected"),
        pytest.param(ProviderTimeout(), ProviderTimeout, id="no answer"),
        pytest.param(Answer(429, (("Retry-After", "9"),), b"", 0.0), ProviderRateLimited, id="asked to wait"),
    ],
)
async def test_a_code_that_was_not_sent(said: Answer | Exception, kind: type[Exception]) -> None:
    """The error says so; the challenge goes on waiting for the code that came first."""
    world = await scene()
    challenge = await begin(world, mfa())
    world.egress.will_reply(said)
    with pytest.raises(kind):
        await world.application.challenges.resend(challenge.id, ACTOR)
    world.clock.advance(10)

    assert isinstance(await answer(world, challenge, token(at=world.clock.now()), me()), Connected)


async def test_while_the_provider_asks_an_account_to_wait_nothing_is_sent_for_it() -> None:
    """That stops a login and an answer of this account before they leave, and uses nothing up."""
    world = await scene()
    challenge = await begin(world, mfa())
    world.egress.will_reply(Answer(429, (("Retry-After", "30"),), b"", world.clock.now()))
    with pytest.raises(ProviderRateLimited):
        await world.application.challenges.resend(challenge.id, ACTOR)
    sent = len(world.egress.requests)
    for attempt in (begin(world), answer(world, challenge), world.application.challenges.resend(challenge.id, ACTOR)):
        with pytest.raises(ProviderRateLimited) as refused:
            await attempt
        assert 30 == refused.value.retry_after_s
    assert sent == len(world.egress.requests)
    world.clock.advance(30)

    assert isinstance(await answer(world, challenge, token(at=world.clock.now()), me()), Connected)


async def test_a_login_that_is_told_to_wait_holds_the_next() -> None:
    """The second is refused here, with the seconds that are left."""
    world = await scene()
    limited = Answer(429, (("Retry-After", "60"),), b"", world.clock.now())
    with pytest.raises(ProviderRateLimited):
        await begin(world, limited)
    world.clock.advance(20)
    with pytest.raises(ProviderRateLimited) as refused:
        await begin(world)

    assert 40 == refused.value.retry_after_s
    assert 1 == len(bodies(world))


async def test_old_challenges_are_taken_away() -> None:
    """A day after their end."""
    world = await scene()
    challenge = await begin(world, mfa())
    world.clock.advance(600 + 86_399)
    assert 0 == await world.application.challenges.purge()
    world.clock.advance(2)

    assert 1 == await world.application.challenges.purge()
    assert await world.stores.challenges.load(challenge.id) is None
