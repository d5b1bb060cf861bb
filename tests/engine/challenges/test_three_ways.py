"""The same provider, asked by the person's login, an author's trial and a renewal: each goes as far and ends alike."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from keyturn.core.challenges import steps
from keyturn.core.errors import NeedsReconnect, ProviderBadResponse, ProviderRateLimited
from keyturn.core.messages import Answer
from keyturn.core.secret import Secret
from keyturn.engine.actor import Actor
from keyturn.engine.builder.trial_trace import Mark, Phase
from keyturn.engine.builder.typed import Typed
from keyturn.engine.login.login_request import Connected
from tests.engine.challenges.scene import BY_ITSELF, CODE, SEED, SEEDED, begin_any, mfa, scene
from tests.engine.story import bodies, connector_from, error, me, token
from tests.fakes.application import FakeWorld
from tests.fakes.clock import FakeClock
from tests.fakes.egress import json_answer

HOST = "second.acme.example"
KEPT: dict[str, Any] = {"fields": {"seed": SEED}, "keep_totp_seed": True, "keep_password": True}
DONE = json_answer("{}")
TERMS = json_answer('{"error": "terms", "ticket": "t"}', 403)
WAIT = Answer(429, (("Retry-After", "600"),), b"{}")
ONE_OF_TWO = BY_ITSELF.replace('{{ ticket }}"}', '{{ ticket }}"}, answers: challenge') + CODE.replace(
    "challenges:\n", ""
)
ELSEWHERE = CODE.replace("then: {params", f'then: {{url: "https://{HOST}/code", params')
PARTS = {"keep": "offer", "refresh": "strategy: password_only"}


async def log_in(world: FakeWorld, _: str, answers: list[Answer]) -> str:
    """The person's login."""
    try:
        result = await begin_any(world, *answers, me(), **KEPT)
    except ProviderBadResponse as failed:
        return str(failed.extensions.get("reason"))
    except ProviderRateLimited:
        return "wait"
    return "token" if isinstance(result, Connected) else "person"


async def renew(world: FakeWorld, _: str, answers: list[Answer]) -> str:
    """A renewal of a connection with the kept password and the seed, which was made without a challenge."""
    result = await begin_any(world, token(at=world.clock.now()), me(), **KEPT)
    assert isinstance(result, Connected)
    world.egress.requests.clear()
    world.egress.will_reply(*answers)
    try:
        await world.application.renewals.renew(result.connection.id, generation=1, forced=True)
    except NeedsReconnect as lost:
        reason = lost.extensions["reason"]
        return "person" if reason == "challenge_required" else str(reason)
    except ProviderRateLimited:
        return "wait"
    return "token"


async def trial(world: FakeWorld, challenges: str, answers: list[Answer]) -> str:
    """An author's trial."""
    connector = connector_from(more=challenges + SEEDED, **PARTS)
    world.egress.will_reply(*answers, *([DONE] * 4 if answers[-1].status != 200 else [me(), *[DONE] * 8]))
    typed = Typed("jo", Secret("password-canary"), {"seed": SEED})
    run = await world.application.builder.trials.begin(connector, typed, Actor("person:author", "req"))
    for _ in range(600):
        if run.phase is not Phase.RUNNING:
            break
        await asyncio.sleep(0)
    if run.phase is Phase.ASKING:
        return "person"
    failed = next((row for row in run.rows if row.step == 2 and row.mark is Mark.FAILED), None)
    if failed is None:
        return "token"
    return "wait" if failed.status == 429 else "provider_answer_unknown"


WAYS: list[Callable[[FakeWorld, str, list[Answer]], Awaitable[str]]] = [log_in, trial, renew]
ROUNDS = steps.MOST_ROUNDS
SCRIPTS = [
    pytest.param(CODE, [mfa(), "token"], "token", 2, id="a code of the seed"),
    pytest.param(CODE, [mfa(), mfa()], "person", 2, id="the same asked again: the code was wrong"),
    pytest.param(CODE, [mfa(), error("invalid_grant")], "person", 2, id="the code refused"),
    pytest.param(BY_ITSELF, [TERMS] * (ROUNDS) + ["token"], "token", ROUNDS + 1, id="as many rounds as there may be"),
    pytest.param(BY_ITSELF, [TERMS] * (ROUNDS + 1), "provider_answer_unknown", ROUNDS + 1, id="a round too many"),
    pytest.param(ONE_OF_TWO, [TERMS, mfa(), "token"], "token", 3, id="a further challenge, as was said"),
    pytest.param(ONE_OF_TWO, [TERMS, "token"], "provider_answer_unknown", 2, id="a token in its place"),
    pytest.param(CODE, [mfa(), WAIT], "wait", 2, id="asked to wait in the midst of it"),
]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
@pytest.mark.parametrize(("challenges", "script", "end", "sent"), SCRIPTS)
async def test_the_three_agree(
    way: Callable[[FakeWorld, str, list[Answer]], Awaitable[str]],
    challenges: str,
    script: list[Any],
    end: str,
    sent: int,
) -> None:
    """One script, three drivers: the same end after the same number of requests to the token endpoint's host."""
    world = await scene(challenges + SEEDED, clock=FakeClock(auto=True), **PARTS)
    answers = [token(7, at=world.clock.now()) if each == "token" else each for each in script]

    assert end == await way(world, challenges, answers)
    logins = [each for each in world.egress.requests if each.url.endswith("/token")]
    assert sent == len(logins), bodies(world)


async def test_a_token_that_was_no_challenge_is_revoked() -> None:
    """A renewal hands it to revocation, and the one in use is left as it is."""
    world = await scene(ONE_OF_TWO + SEEDED, clock=FakeClock(auto=True), **PARTS)
    assert "provider_answer_unknown" == await renew(world, "", [TERMS, token(7, at=world.clock.now())])
    world.egress.will_reply(*[DONE] * 4)
    await world.application.scheduler.revoke_due()

    revoked = bodies(world, "/revoke")
    assert any("token=access-7" in each for each in revoked)
    assert not any("token=access-1" in each for each in revoked)


async def test_the_last_weaker_token_is_revoked_too() -> None:
    """Also the one that came with a challenge that was not answered any more."""
    again = CODE.replace("{status: [403], body: \"error == 'mfa_required'\"}", "{body: mfa}")
    weak = json_answer('{"mfa": true, "mfa_token": "m", "access_token": "weak-canary"}')
    world = await scene(again + SEEDED, clock=FakeClock(auto=True), **PARTS)
    first = json_answer('{"mfa": true, "mfa_token": "m"}')
    assert "person" == await renew(world, "", [first, weak])
    world.egress.will_reply(*[DONE] * 4)
    await world.application.scheduler.revoke_due()

    assert any("token=weak-canary" in each for each in bodies(world, "/revoke"))


async def test_who_asked_to_wait_is_who_is_left_alone() -> None:
    """A challenge's host that asks a renewal to wait holds nothing at the token host: another account is renewed."""
    world = await scene(ELSEWHERE + SEEDED, clock=FakeClock(auto=True), **PARTS)
    other = await begin_any(world, token(at=world.clock.now()), me("7"), **KEPT, username="ada")
    assert isinstance(other, Connected)
    assert "wait" == await renew(world, "", [mfa(), WAIT])
    assert HOST in world.egress.requests[-1].url
    world.egress.will_reply(token(3, at=world.clock.now()))
    renewed = await world.application.renewals.renew(other.connection.id, generation=1)

    assert 2 == renewed.generation
