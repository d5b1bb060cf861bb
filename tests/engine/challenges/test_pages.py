"""Challenges of a connect page: the session ends with the login, whoever learns of it."""

from __future__ import annotations

import pytest

from keyturn.core.errors import NotFound, SessionUsed
from keyturn.core.secret import Secret
from keyturn.engine.login.challenged import Challenged
from keyturn.engine.login.connect_sessions import Finished, SessionRequest
from keyturn.ports.store import ConnectSession
from tests.engine.challenges.scene import CODE, PENDING, PUSH, mfa, poll, push, row_of, scene
from tests.engine.passing import round_of
from tests.engine.story import ACTOR, actions, error, me, read, token
from tests.fakes.application import FakeWorld

RETURN = "https://app.example/back"


async def claimed(world: FakeWorld, return_url: str | None = RETURN) -> tuple[ConnectSession, str]:
    """A page that a browser has opened, and its cookie."""
    pages = world.application.connect_sessions
    opened = await pages.create(SessionRequest("acme", "owner-1", return_url), ACTOR)
    session, cookie = await pages.claim(opened.url.reveal().rsplit("/", 1)[-1])
    return session, cookie.reveal()


async def signed_in(world: FakeWorld, session: ConnectSession, cookie: str) -> Challenged:
    """A login of the page that was stopped by a challenge."""
    result = await world.application.connect_sessions.log_in(
        session, username="jo", password=Secret("password-canary"), fields={}, keep_password=False, cookie=cookie
    )
    assert isinstance(result, Challenged)
    return result


async def now(world: FakeWorld, session: ConnectSession, cookie: str) -> ConnectSession:
    """The session as the browser finds it."""
    return await world.application.connect_sessions.of_browser(session.id, cookie)


async def test_a_page_answers_its_challenge() -> None:
    """The session is done, the connection unconfirmed, and the code is the one that the page can show again."""
    world = await scene()
    session, cookie = await claimed(world)
    world.egress.will_reply(mfa(), error("invalid_grant"), token(at=world.clock.now()), me())
    challenge = await signed_in(world, session, cookie)
    pages = world.application.connect_sessions
    wrong = await pages.answer(session, challenge.id, {"otp": "1"}, cookie=cookie)
    assert isinstance(wrong, Challenged)
    assert "claimed" == (await now(world, session, cookie)).state
    finished = await pages.answer(session, wrong.id, {"otp": "123456"}, cookie=cookie)

    assert isinstance(finished, Finished)
    assert "done" == finished.session.state
    assert finished.code == pages.code_for(finished.session, cookie)
    assert finished.code is not None
    connection = await pages.confirm(session.id, finished.code.reveal(), ACTOR)
    assert not connection.unconfirmed
    assert [each for each in actions(world) if each[0] == "session.completed"] == [("session.completed", "ok")]


async def test_a_push_ends_the_session_by_itself() -> None:
    """No browser was there: the page that comes later finds it done, and has the code."""
    world = await scene(PUSH)
    session, cookie = await claimed(world)
    world.egress.will_reply(push(), PENDING, token(at=world.clock.now()), me())
    challenge = await signed_in(world, session, cookie)
    await poll(world)
    assert "claimed" == (await now(world, session, cookie)).state
    await poll(world, 3)
    later = await now(world, session, cookie)
    pages = world.application.connect_sessions

    assert "done" == (await pages.look_at_challenge(later, challenge.id)).state
    assert ("done", True) == (later.state, later.facts["created"])
    code = pages.code_for(later, cookie)
    assert code is not None
    assert later.connection == (await pages.confirm(session.id, code.reveal(), ACTOR)).id


async def test_a_page_that_was_given_up_is_polled_no_more() -> None:
    """Whoever confirms afterwards connects nothing."""
    world = await scene(PUSH)
    session, cookie = await claimed(world)
    world.egress.will_reply(push())
    challenge = await signed_in(world, session, cookie)
    await world.application.connect_sessions.cancel(await now(world, session, cookie))
    await poll(world)

    assert ("failed", "session_used") == ((row := await row_of(world, challenge)).state, row.error)
    assert 1 == len(world.egress.requests)


async def test_a_challenge_is_its_page_s_own() -> None:
    """Another page, and an API key, see none; a page that has ended answers none."""
    world = await scene(CODE)
    session, cookie = await claimed(world)
    other, other_cookie = await claimed(world)
    world.egress.will_reply(mfa())
    challenge = await signed_in(world, session, cookie)
    pages = world.application.connect_sessions
    with pytest.raises(NotFound):
        await pages.answer(other, challenge.id, {"otp": "1"}, cookie=other_cookie)
    with pytest.raises(NotFound):
        await world.application.challenges.look(challenge.id, ACTOR.name)
    ended = await pages.cancel(session)
    with pytest.raises(SessionUsed):
        await pages.answer(ended, challenge.id, {"otp": "1"}, cookie=cookie)
    with pytest.raises(SessionUsed):
        await pages.resend(ended, challenge.id)


async def test_another_code_for_a_page() -> None:
    """As for an API key."""
    world = await scene()
    session, cookie = await claimed(world)
    world.egress.will_reply(mfa(), mfa("mfa-canary-2"))
    challenge = await signed_in(world, session, cookie)
    following = await world.application.connect_sessions.resend(session, challenge.id)

    assert following.id != challenge.id
    assert "waiting" == following.state


async def test_a_confirmed_connection_is_renewed_in_time() -> None:
    """The scheduler had put it off while nobody had confirmed it."""
    world = await scene("")
    session, cookie = await claimed(world)
    world.egress.will_reply(token(at=world.clock.now(), expires_in=600), me())
    pages = world.application.connect_sessions
    finished = await pages.log_in(
        session, username="jo", password=Secret("password-canary"), fields={}, keep_password=False, cookie=cookie
    )
    assert isinstance(finished, Finished)
    assert finished.code is not None
    connection = finished.connected.connection
    assert connection.renews_at is not None
    assert connection.expires_at is not None
    world.clock.advance(connection.renews_at - world.clock.now())
    await round_of(world)
    put_off = (await read(world, connection.id)).renews_at
    assert put_off is not None
    assert put_off > connection.expires_at
    confirmed = await pages.confirm(session.id, finished.code.reveal(), ACTOR)

    assert confirmed.renews_at is not None
    assert confirmed.renews_at < connection.expires_at
