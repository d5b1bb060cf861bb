"""Answering: each shape of a challenge, wrong codes, and what each answer leaves behind."""

from __future__ import annotations

import asyncio

import pytest
from structlog.testing import capture_logs

from keyturn.core.errors import (
    ChallengeExpired,
    ChallengeUsed,
    CredentialsRejected,
    KeyturnError,
    NotFound,
    OtpInvalid,
    ProviderBadResponse,
    ProviderTimeout,
    ProviderUnreachable,
    StoreUnavailable,
    ValidationFailed,
)
from keyturn.core.messages import Answer, OutgoingRequest
from keyturn.core.secret import Secret
from keyturn.engine.actor import Actor
from keyturn.engine.login.challenged import Challenged
from keyturn.engine.login.login_request import Connected
from tests.engine.challenges.scene import (
    AGAIN,
    BY_ITSELF,
    CHOOSE,
    CODE,
    answer,
    at_write,
    begin,
    begin_any,
    choose,
    facts_text,
    mfa,
    poll,
    row_of,
    scene,
    sealed,
)
from tests.engine.story import ACTOR, actions, bodies, error, me, read, token
from tests.fakes.application import FakeWorld
from tests.fakes.egress import json_answer


def ok(world: FakeWorld) -> tuple[Answer, Answer]:
    """A token, and the test call's answer."""
    return token(at=world.clock.now()), me()


async def test_a_code_makes_the_connection() -> None:
    """The code goes out with what was captured; the connection is the login's, the challenge is done."""
    world = await scene()
    challenge = await begin(world, mfa())
    connected = await answer(world, challenge, *ok(world))

    assert isinstance(connected, Connected)
    assert connected.created
    assert "otp" == challenge.ask[0].key
    assert "mfa_token=mfa-canary-1&otp=123456" in bodies(world)[1]
    assert "password-canary" not in bodies(world)[1]
    done = await world.application.challenges.look(challenge.id, ACTOR.name)
    assert ("done", connected.connection.id) == (done.state, done.connection)
    expected = ["login.sent", "login.answered", "login.challenged", "challenge.sent", "challenge.answered"]
    assert [*expected, "connection.created"] == [name for name, _ in actions(world)]
    assert ("login.answered", "challenge_required") in actions(world)
    assert ("challenge.answered", "ok") in actions(world)


async def test_the_password_is_sealed_only_for_who_needs_it() -> None:
    """A further request that sends it again, or the person's choice to keep it; else it is gone at once."""
    kept = {}
    for name, world, more in (
        ("not named", await scene(CODE), {}),
        ("named", await scene(AGAIN), {}),
        ("chosen", await scene(CODE, keep="offer"), {"keep_password": True}),
    ):
        opened = await world.stores.challenges.open((await begin(world, mfa(), **more)).id)
        assert opened is not None
        assert opened[1] is not None
        kept[name] = opened[1].password

    password = Secret("password-canary")
    assert {"not named": None, "named": password, "chosen": password} == kept


async def test_a_kept_password_comes_through_the_challenge() -> None:
    """It is stored with the connection, as after any login."""
    world = await scene(CODE, keep="offer")
    connected = await answer(world, await begin(world, mfa(), keep_password=True), *ok(world))

    assert isinstance(connected, Connected)
    opened = await world.stores.connections.open(connected.connection.id)
    assert opened is not None
    assert Secret("password-canary") == opened[1].password


async def test_the_same_request_again_with_the_code() -> None:
    """`extra_params` send password and code together."""
    world = await scene(AGAIN)
    await answer(world, await begin(world, mfa()), *ok(world))

    assert "password=password-canary" in bodies(world)[1]
    assert "totp=123456" in bodies(world)[1]


async def test_a_factor_is_chosen_and_then_its_code_typed() -> None:
    """Two rounds: the choices are the provider's, what the first captured is there in the second."""
    world = await scene(CHOOSE)
    first = await begin(world, choose())
    with pytest.raises(ValidationFailed) as refused:
        await answer(world, first, factor="mail")
    second = await answer(world, first, mfa(), factor="sms1")
    assert isinstance(second, Challenged)
    connected = await answer(world, second, *ok(world))

    assert {"sms1": "Text to …12", "app": "App"} == dict(first.ask[0].choices)
    assert ["/answers/factor"] == [each.pointer for each in refused.value.errors]
    assert isinstance(connected, Connected)
    assert "state=state-canary&factor=sms1" in bodies(world)[1]
    assert "state=state-canary&mfa_token=mfa-canary-1&otp=123456" in bodies(world)[2]
    assert second.id == (await row_of(world, first)).successor


async def test_a_token_where_a_challenge_was_declared_is_malformed() -> None:
    """It is revoked, not kept."""
    world = await scene(CHOOSE)
    first = await begin(world, choose())
    with pytest.raises(ProviderBadResponse):
        await answer(world, first, token(7, at=world.clock.now()), factor="app")
    world.egress.will_reply(json_answer("{}"), json_answer("{}"))
    await world.application.scheduler.revoke_due()

    assert ["token=refresh-7", "token=access-7"] == [each.split("&")[-1] for each in bodies(world, "/revoke")]
    assert 0 == world.egress.left


async def test_what_asks_nothing_goes_on_by_itself() -> None:
    """No answer is needed: the login ends in a connection at once."""
    world = await scene(BY_ITSELF)
    terms = json_answer('{"error": "terms", "ticket": "ticket-canary"}', 403)
    connected = await begin_any(world, terms, *ok(world))

    assert isinstance(connected, Connected)
    assert "ticket=ticket-canary" in bodies(world)[1]


async def test_a_provider_that_asks_for_ever_is_left() -> None:
    """Ten rounds, then it is an answer that nobody understands."""
    world = await scene(BY_ITSELF)
    terms = json_answer('{"error": "terms", "ticket": "ticket-canary"}', 403)
    with pytest.raises(ProviderBadResponse):
        await begin_any(world, *[terms] * 11)

    assert 0 == world.egress.left


async def test_three_wrong_codes_and_no_more() -> None:
    """Each gives a new challenge with the same captured state; the third ends the login, and nothing is held."""
    world = await scene()
    challenge = await begin(world, mfa())
    seen = [challenge]
    for left in (2, 1):
        following = await answer(world, seen[-1], error("invalid_grant"))
        assert isinstance(following, Challenged)
        assert ("provider_otp_invalid", left) == (following.error, following.tries_left)
        seen.append(following)
    with pytest.raises(OtpInvalid):
        await answer(world, seen[-1], error("invalid_grant"))

    assert 3 == len({each.id for each in seen})
    assert all("mfa_token=mfa-canary-1" in each for each in bodies(world)[1:])
    last = await world.application.challenges.look(seen[-1].id, ACTOR.name)
    assert ("failed", "provider_otp_invalid") == (last.state, last.error)
    assert [False] * 3 == [await sealed(world, each) for each in seen]


async def test_a_wrong_code_and_then_the_right_one() -> None:
    """The second challenge leads to the connection."""
    world = await scene()
    second = await answer(world, await begin(world, mfa()), error("invalid_grant"))
    assert isinstance(second, Challenged)

    assert isinstance(await answer(world, second, *ok(world)), Connected)
    assert (await row_of(world, second)).error is None


async def test_the_same_question_again_counts_as_a_wrong_code() -> None:
    """Whatever the provider calls it; its fresh state is used from then on."""
    world = await scene()
    second = await answer(world, await begin(world, mfa()), mfa("mfa-canary-2"))
    assert isinstance(second, Challenged)
    third = await answer(world, second, mfa("mfa-canary-3"))
    assert isinstance(third, Challenged)

    assert ("provider_otp_invalid", 1) == (third.error, third.tries_left)
    assert "mfa-canary-2" in bodies(world)[2]
    with pytest.raises(OtpInvalid):
        await answer(world, third, mfa("mfa-canary-4"))


async def test_password_or_code_sends_back_to_the_sign_in() -> None:
    """Nobody knows which was wrong: nothing is held against the password, and no try is spent."""
    failures = "\nfailures: [{when: {body: \"error == 'bad'\"}, class: password_or_code}]\n"
    world = await scene(CODE, more=failures)
    challenge = await begin(world, mfa())
    with pytest.raises(CredentialsRejected) as refused:
        await answer(world, challenge, error("bad"))

    assert "sign_in" == refused.value.extensions["retry"]
    assert "tries_left" not in refused.value.extensions
    assert "provider_credentials_rejected" == (await row_of(world, challenge)).error
    with pytest.raises(CredentialsRejected) as first:
        await begin_any(world, error("invalid_grant"))
    assert 2 == first.value.extensions["tries_left"]


async def test_a_wrong_password_found_out_late_counts() -> None:
    """Where the provider says that it was the password, a try is spent."""
    failures = "\nfailures: [{when: {body: \"error == 'bad'\"}, class: wrong_password}]\n"
    world = await scene(AGAIN, more=failures)
    with pytest.raises(CredentialsRejected) as refused:
        await answer(world, await begin(world, mfa()), error("bad"))

    assert 2 == refused.value.extensions["tries_left"]


async def test_a_challenge_spends_no_try_and_a_success_resets() -> None:
    """Two failures, a login with a code, and all three tries are there again."""
    world = await scene()
    for _ in range(2):
        with pytest.raises(CredentialsRejected):
            await begin_any(world, error("invalid_grant"))
    challenges = [await begin(world, mfa()) for _ in range(5)]
    await answer(world, challenges[0], *ok(world))
    with pytest.raises(CredentialsRejected) as refused:
        await begin_any(world, error("invalid_grant"))

    assert 2 == refused.value.extensions["tries_left"]


FAILED = [
    pytest.param(ProviderTimeout(), ProviderTimeout, id="no answer"),
    pytest.param(ProviderUnreachable(), ProviderUnreachable, id="not sent"),
    pytest.param(json_answer("<html>", 200), ProviderBadResponse, id="nonsense"),
]


@pytest.mark.parametrize(("said", "kind"), FAILED)
async def test_a_send_that_fails_ends_the_login(said: Answer | Exception, kind: type[KeyturnError]) -> None:
    """The code is used up; the row says why, and nothing of the login is left."""
    world = await scene()
    challenge = await begin(world, mfa())
    with pytest.raises(kind):
        await answer(world, challenge, said)

    row = await row_of(world, challenge)
    assert ("failed", kind.code) == (row.state, row.error)
    assert not await sealed(world, challenge)
    assert ("challenge.answered", kind.code) in actions(world)
    with pytest.raises(ChallengeUsed):
        await answer(world, challenge)


async def test_two_answers_at_once_send_one() -> None:
    """The other is told that the challenge was used."""
    world = await scene()
    challenge = await begin(world, mfa())
    world.egress.will_reply(*ok(world))
    asked = [world.application.challenges.answer(challenge.id, {"otp": n}, ACTOR) for n in ("111111", "222222")]
    results = await asyncio.gather(*asked, return_exceptions=True)

    assert {Connected, ChallengeUsed} == {type(each) for each in results}
    assert 2 == len(bodies(world))


async def test_another_does_not_even_see_it() -> None:
    """Not by reading, answering or asking for another code."""
    world = await scene()
    challenge = await begin(world, mfa())
    other, challenges = Actor("key:other"), world.application.challenges
    for attempt in (
        challenges.look(challenge.id, other.name),
        challenges.answer(challenge.id, {"otp": "1"}, other),
        challenges.resend(challenge.id, other),
        challenges.look("chl_none", ACTOR.name),
    ):
        with pytest.raises(NotFound):
            await attempt

    assert 1 == len(bodies(world))


async def test_a_missing_answer_uses_nothing_up() -> None:
    """What is wrong is said at the answer's key; the challenge still waits."""
    world = await scene()
    challenge = await begin(world, mfa())
    with pytest.raises(ValidationFailed) as refused:
        await answer(world, challenge, otp="")

    assert [("/answers/otp", "required")] == [(each.pointer, each.code) for each in refused.value.errors]
    assert isinstance(await answer(world, challenge, *ok(world)), Connected)


async def test_an_old_challenge_is_over() -> None:
    """After ten minutes: 410, it reads as failed, and what was sealed is destroyed by the scheduler's next look."""
    world = await scene()
    challenge = await begin(world, mfa())
    world.clock.advance(600)
    with pytest.raises(ChallengeExpired):
        await answer(world, challenge)
    seen = await world.application.challenges.look(challenge.id, ACTOR.name)
    await poll(world)

    assert ("failed", "challenge_expired") == (seen.state, seen.error)
    assert not await sealed(world, challenge)
    assert ("challenge.expired", "challenge_expired") in actions(world)
    with pytest.raises(ChallengeExpired):
        await answer(world, challenge)
    with pytest.raises(ChallengeExpired):
        await world.application.challenges.resend(challenge.id, ACTOR)


async def test_a_crash_after_taking_reads_as_no_answer() -> None:
    """The row was taken and the process died: pending, nothing sealed; in time it owns up to not knowing."""
    world = await scene()
    challenge = await begin(world, mfa())

    def crash(_: OutgoingRequest) -> Answer:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await answer(world, challenge, crash)
    taken = await world.application.challenges.look(challenge.id, ACTOR.name)
    assert "pending" == taken.state
    assert not await sealed(world, challenge)
    assert ("challenge.sent", "ok") == actions(world)[-1]
    world.clock.advance(181)
    assert "provider_timeout" == (await world.application.challenges.look(challenge.id, ACTOR.name)).error
    await poll(world)

    assert ("failed", "provider_timeout") == ((row := await row_of(world, challenge)).state, row.error)
    assert ("challenge.answered", "unknown") in actions(world)


async def test_a_take_that_is_not_committed_sends_nothing() -> None:
    """The database is gone at that moment: nothing leaves, and the challenge still waits."""
    world = await scene()
    challenge = await begin(world, mfa())

    def gone() -> None:
        raise StoreUnavailable

    at_write(world, "challenges.save", gone)
    with pytest.raises(StoreUnavailable):
        await answer(world, challenge)

    assert 1 == len(bodies(world))
    assert isinstance(await answer(world, challenge, *ok(world)), Connected)


async def test_a_caller_that_hangs_up_ends_nothing() -> None:
    """The answer goes on in a task of its own, and a graceful stop waits for it."""
    world = await scene()
    challenge = await begin(world, mfa())
    sent, held = asyncio.Event(), asyncio.Event()

    async def slow(_: OutgoingRequest) -> Answer:
        sent.set()
        await held.wait()
        return token(at=world.clock.now())

    asked = asyncio.create_task(answer(world, challenge, slow, me()))
    await sent.wait()
    asked.cancel()
    held.set()
    await world.application.challenges.drain(5)

    done = await world.application.challenges.look(challenge.id, ACTOR.name)
    assert "done" == done.state
    assert "active" == (await read(world, done.connection or "")).state


async def test_a_weaker_token_is_revoked_and_never_kept() -> None:
    """A token beside the question: it goes to revocation, and the connection has the one that came after the code."""
    weaker = "\nchallenges:\n- when: {body: mfa}\n  ask: [{key: otp, label: Code, type: otp}]\n"
    world = await scene(weaker + '  then: {extra_params: {totp: "{{ otp }}"}}\n')
    stopped = json_answer('{"access_token": "weak-canary", "mfa": true, "refresh_token": "weak-too"}')
    challenge = await begin(world, stopped)
    world.egress.will_reply(json_answer("{}"), json_answer("{}"))
    await world.application.scheduler.revoke_due()
    connected = await answer(world, challenge, *ok(world))

    assert ["token=weak-too", "token=weak-canary"] == [each.split("&")[-1] for each in bodies(world, "/revoke")]
    assert isinstance(connected, Connected)
    opened = await world.stores.connections.open(connected.connection.id)
    assert opened is not None
    assert opened[1].token_set is not None
    assert Secret("access-1") == opened[1].token_set.access_token


@pytest.mark.parametrize("same", [False, True], ids=["another token", "the same made good"])
async def test_a_weaker_token_that_the_next_request_shows_lives_until_then(same: bool) -> None:
    """It is revoked when the challenge's time is over; not at all where the provider made it good."""
    weaker = "\nchallenges:\n- when: {body: mfa}\n  ask: [{key: otp, label: Code, type: otp}]\n"
    shown = '  capture: {session: access_token}\n  then: {params: {otp: "{{ otp }}", session: "{{ session }}"}}\n'
    world = await scene(weaker + shown)
    challenge = await begin(world, json_answer('{"access_token": "weak-canary", "mfa": true}'))
    await world.application.scheduler.revoke_due()
    final = json_answer('{"access_token": "weak-canary"}') if same else token(at=world.clock.now())
    await answer(world, challenge, final, me())
    assert [] == bodies(world, "/revoke")
    if not same:
        world.egress.will_reply(json_answer("{}"))
    world.clock.advance(601)
    await world.application.scheduler.revoke_due()

    assert (0 if same else 1) == len(bodies(world, "/revoke"))


async def test_nothing_secret_rests_in_the_clear() -> None:
    """No code, password or captured state in any row, record or repr, whatever came of the login."""
    world = await scene(CHOOSE, keep="offer")
    with capture_logs() as lines:
        first = await begin(world, choose(), keep_password=True)
        second = await answer(world, first, mfa(), factor="sms1")
        assert isinstance(second, Challenged)
        third = await answer(world, second, error("invalid_grant"), otp="code-canary-1")
        assert isinstance(third, Challenged)
        with pytest.raises(ProviderTimeout) as lost:
            await answer(world, third, ProviderTimeout(), otp="code-canary-2")
    rows = [await row_of(world, each) for each in (first, second, third)]

    assert "canary" not in facts_text(world, rows)
    assert "canary" not in repr((first, second, third, lines, lost.value.extensions))


UNKNOWN = [
    pytest.param(json_answer("<html>", 418), id="unclassified"),
    pytest.param(json_answer("<html>"), id="a success that can't be read"),
    pytest.param(ProviderTimeout(), id="no answer"),
    pytest.param(error("locked"), id="locked"),
]


@pytest.mark.parametrize("said", UNKNOWN)
async def test_whoever_spends_a_try_is_told_what_is_left(said: Answer | Exception) -> None:
    """Rejected, unanswered, unclassified and blocked logins count, and say so."""
    world = await scene("failures: [{when: {body: \"error == 'locked'\"}, class: locked}]\n")
    with pytest.raises(KeyturnError) as refused:
        await begin_any(world, said)

    assert 2 == refused.value.extensions["tries_left"]


async def test_a_database_that_fails_at_the_end_loses_no_connection() -> None:
    """The token came and was stored: the caller hears of it, though the challenge's row could not be written."""
    world = await scene()
    world.clock.auto = True
    challenge = await begin(world, mfa())

    def gone(name: str) -> None:
        if name == "challenges.save":
            raise StoreUnavailable

    async def proof(_: OutgoingRequest) -> Answer:
        world.stores.database.before_write = gone
        return me()

    connected = await answer(world, challenge, token(at=world.clock.now()), proof)
    world.stores.database.before_write = None

    assert isinstance(connected, Connected)
    assert "active" == (await read(world, connected.connection.id)).state
    assert "pending" == (await row_of(world, challenge)).state
