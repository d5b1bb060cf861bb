"""A provider that asks for more than a password, for tests of challenges."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

from keyturn.core.messages import Answer
from keyturn.core.secret import Secret
from keyturn.engine.login.challenged import Challenged
from keyturn.engine.login.login_request import Connected, LoginRequest
from keyturn.ports.challenges import ChallengeRow
from tests.engine.story import ACTOR, publish
from tests.fakes.application import FakeWorld, make_world
from tests.fakes.clock import FakeClock
from tests.fakes.egress import json_answer

SEED = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"  # of RFC 6238, appendix B

CODE = """
challenges:
- when: {status: [403], body: "error == 'mfa_required'"}
  ask: [{key: otp, label: Code, type: otp}]
  capture: {mfa_token: mfa_token}
  then: {params: {grant_type: "urn:mfa", mfa_token: "{{ mfa_token }}", otp: "{{ otp }}"}}
  resend: {url: "https://auth.acme.example/resend", params: {mfa_token: "{{ mfa_token }}"}}
"""
AGAIN = """
challenges:
- when: {status: [403], body: "error == 'mfa_required'"}
  ask: [{key: otp, label: Code, type: otp}]
  then: {extra_params: {totp: "{{ otp }}"}}
"""
CHOOSE = """
challenges:
- when: {status: [403], body: "error == 'choose'"}
  ask: [{key: factor, label: How, type: choice, choices_from: "factors[].{value: id, label: name}"}]
  capture: {state: state}
  then: {params: {state: "{{ state }}", factor: "{{ factor }}"}, answers: challenge}
- when: {status: [403], body: "error == 'mfa_required'"}
  ask: [{key: otp, label: Code, type: otp}]
  capture: {mfa_token: mfa_token}
  then: {params: {state: "{{ state }}", mfa_token: "{{ mfa_token }}", otp: "{{ otp }}"}}
"""
PUSH = """
challenges:
- when: {status: [403], body: "error == 'push'"}
  capture: {ticket: ticket}
  then:
    params: {ticket: "{{ ticket }}"}
    poll: {every: 3, for: 60, while: "error == 'authorization_pending'"}
"""
BY_ITSELF = """
challenges:
- when: {status: [403], body: "error == 'terms'"}
  capture: {ticket: ticket}
  then: {params: {ticket: "{{ ticket }}"}}
"""
SEEDED = """
fields: [{key: seed, label: Seed, type: totp_seed, required: false}]
"""


def mfa(state: str = "mfa-canary-1") -> Answer:
    """A challenge that wants a code."""
    return json_answer(f'{{"error": "mfa_required", "mfa_token": "{state}"}}', 403)


def push(ticket: str = "ticket-canary") -> Answer:
    """A challenge that is confirmed elsewhere."""
    return json_answer(f'{{"error": "push", "ticket": "{ticket}"}}', 403)


def choose() -> Answer:
    """A challenge that wants a factor chosen."""
    factors = '[{"id": "sms1", "name": "Text to …12"}, {"id": "app", "name": "App"}]'
    return json_answer(f'{{"error": "choose", "state": "state-canary", "factors": {factors}}}', 403)


PENDING = json_answer('{"error": "authorization_pending"}', 400)


async def scene(challenges: str = CODE, *, clock: FakeClock | None = None, **parts: str) -> FakeWorld:
    """A world with the connector published."""
    world = make_world(clock=clock)
    await publish(world, more=challenges + parts.pop("more", ""), **parts)
    return world


async def begin(world: FakeWorld, *answers: Answer | Exception, **more: Any) -> Challenged:
    """Log in up to the challenge."""
    result = await begin_any(world, *answers, **more)
    assert isinstance(result, Challenged)
    return result


async def begin_any(world: FakeWorld, *answers: Any, **more: Any) -> Connected | Challenged:
    """Log in, with these answers of the provider."""
    world.egress.will_reply(*answers)
    request = LoginRequest("acme", "owner-1", "jo", Secret("password-canary"))
    return await world.application.connect(replace(request, **more), ACTOR)


async def answer(world: FakeWorld, challenge: Challenged, *answers: Any, **typed: Any) -> Connected | Challenged:
    """Answer a challenge, with these answers of the provider; `otp` is 123456 where nothing is given."""
    world.egress.will_reply(*answers)
    return await world.application.challenges.answer(challenge.id, typed or {"otp": "123456"}, ACTOR)


async def poll(world: FakeWorld, seconds: float = 0.0) -> None:
    """Let time pass, have the scheduler look once, and let what it began end."""
    world.clock.advance(seconds)
    await world.application.challenges.poll_due()
    await world.application.challenges.drain(5)


async def row_of(world: FakeWorld, challenge: Challenged | str) -> ChallengeRow:
    """The row as it is stored."""
    found = await world.stores.challenges.load(challenge if isinstance(challenge, str) else challenge.id)
    assert found is not None
    return found


async def sealed(world: FakeWorld, challenge: Challenged) -> bool:
    """Whether anything is still sealed for a challenge."""
    opened = await world.stores.challenges.open(challenge.id)
    return opened is not None and opened[1] is not None


def at_write(world: FakeWorld, name: str, work: Callable[[], None]) -> None:
    """Do something just before the next write of this name takes effect."""

    def before(written: str) -> None:
        if written == name:
            world.stores.database.before_write = None
            work()

    world.stores.database.before_write = before


Held = Callable[[Any], Awaitable[Answer]]


def facts_text(world: FakeWorld, rows: list[ChallengeRow]) -> str:
    """Everything that rests in the clear: rows and records, as text."""
    plain: list[Mapping[str, Any]] = [each.facts for each in rows]
    return repr((rows, [dict(each) for each in plain], world.stores.database.records))
