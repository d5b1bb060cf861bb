"""Logins of one page, one at a time and each form once, across processes.

Rule 1: a login is written into the session before it begins, under the nonce of its form; the row's compare-and-set
decides between two posts, in this process or another.
Rule 2: a second post of the same form waits for the first and is answered as the first was. Long afterwards it is an
old form: nothing is done. No fingerprint of what was typed is kept to tell them apart.
Rule 3: a login runs in a task of its own: a browser that hangs up leaves no session behind that knows nothing of it.
Rule 4: a page has ten logins; each gives it its full time again.
Rule 5: a login that a challenge stopped has ended as an attempt; the session names the challenge, and nothing of it.

Source: the product's rules for logging in; the threats L1 and L2.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from keyturn.core.errors import (
    ConnectionExists,
    Finding,
    KeyturnError,
    NotFound,
    ProviderRateLimited,
    ProviderTimeout,
    RateLimited,
    SessionUsed,
    StoreUnavailable,
    error_named,
)
from keyturn.core.renewal.retry import RETRY_AFTER_CAP_S
from keyturn.engine.login.challenged import Challenged
from keyturn.engine.login.connect_sessions import PAGE_LIVES_S, Finished
from keyturn.ports.clock import Clock
from keyturn.ports.store import ConnectSession, RevisionConflict, SessionStore

MOST_LOGINS: Final = 10
LONGEST_LOGIN_S: Final = 120.0  # waiting for others' logins, the token request, the test call
SAME_POST_S: Final = 10.0
POLL_S: Final = 0.2

CHALLENGE: Final = "challenge"  # the fact that names the challenge that the person is at
_CHALLENGED: Final = "challenged"

LogIn = Callable[[ConnectSession], Awaitable[Finished | Challenged]]


class OldForm(Exception):
    """A form that was posted, and answered, a while ago; nothing was done with it now."""


class Attempts:
    """Runs the logins of connect pages."""

    def __init__(self, sessions: SessionStore, clock: Clock) -> None:
        self._sessions = sessions
        self._clock = clock
        self._running: set[asyncio.Task[None]] = set()

    async def run(self, session: ConnectSession, nonce: str, log_in: LogIn) -> None:
        """Log in, unless this form was posted before; then answer as that post was answered.

        Raises:
            SessionUsed: the page has led to something already. OldForm.
            RateLimited: ten logins were made. ProviderRateLimited: the provider asked to wait, and still does.
            Whatever `log_in` raises.
        """
        begun = await self._begin(session, nonce)
        if begun is None:
            return
        task = asyncio.create_task(self._log_in(begun, nonce, log_in), name="login of a page")
        self._running.add(task)
        task.add_done_callback(self._ended)
        await asyncio.shield(task)

    async def settled(self, session: ConnectSession) -> ConnectSession:
        """The session once no login of it is under way."""
        deadline = self._clock.monotonic() + LONGEST_LOGIN_S
        while True:
            current = await self._load(session)
            if not self._under_way(current) or self._clock.monotonic() >= deadline:
                return current
            await self._clock.sleep(POLL_S)

    def wait_s(self, session: ConnectSession) -> float:
        """For how many seconds the provider still wants no login; 0 where it may be tried."""
        return max(0.0, float(session.facts.get("not_before", 0.0)) - self._clock.now())

    async def change(self, session: ConnectSession, facts: Mapping[str, Any]) -> ConnectSession:
        """Put facts into a session that is open for input; SessionUsed where it no longer is."""
        while True:
            current = await self.settled(session)
            if current.state != "claimed":
                raise SessionUsed
            new = replace(current, facts={**current.facts, **facts}, expires_at=self._clock.now() + PAGE_LIVES_S)
            try:
                return await self._sessions.save(new)
            except RevisionConflict:
                continue

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # fetched, as the browser may have hung up

    async def _begin(self, session: ConnectSession, nonce: str) -> ConnectSession | None:
        """The session with this login in it; None where the form led to a challenge before."""
        while True:
            current = await self.settled(session)
            if current.state != "claimed":
                raise SessionUsed
            attempts = current.facts.get("attempts", [])
            for each in attempts:
                if each["nonce"] == nonce and self._answered_before(each):
                    return None
            if self.wait_s(current) > 0:
                raise ProviderRateLimited(retry_after_s=self.wait_s(current))
            if len(attempts) >= MOST_LOGINS:
                raise RateLimited
            now = self._clock.now()
            facts = {**current.facts, "attempts": [*attempts, {"nonce": nonce, "at": now, "outcome": None}]}
            facts |= {CHALLENGE: None, "answers": {}, "ended": None, "exists": None}
            try:
                return await self._sessions.save(replace(current, facts=facts, expires_at=now + PAGE_LIVES_S))
            except RevisionConflict:
                continue

    def _answered_before(self, attempt: Mapping[str, Any]) -> bool:
        """Raise what the first post of a form was answered; True where that was a challenge."""
        outcome = attempt["outcome"]
        if outcome is None:  # its process died, and nobody knows what the provider said
            raise ProviderTimeout
        if self._clock.now() - outcome["at"] > SAME_POST_S:
            raise OldForm
        if outcome["code"] == _CHALLENGED:
            return True
        raise error_in(outcome)

    async def _log_in(self, begun: ConnectSession, nonce: str, log_in: LogIn) -> None:
        error: KeyturnError = KeyturnError()
        ended_well = False
        try:
            led_to = await log_in(begun)
            if isinstance(led_to, Challenged):
                await self._note_challenge(begun, nonce, led_to.id)
            ended_well = True
        except KeyturnError as raised:
            error = raised
            raise
        finally:
            if not ended_well:
                await self._note_failure(begun, nonce, error)

    async def _note_challenge(self, begun: ConnectSession, nonce: str, challenge_id: str) -> None:
        while True:
            current, now = await self._load(begun), self._clock.now()
            if current.state != "claimed":
                raise SessionUsed
            noted = _noted(current.facts, nonce, {"code": _CHALLENGED, "at": now})
            facts = {**noted, CHALLENGE: challenge_id, "answers": {}}
            try:
                await self._sessions.save(replace(current, facts=facts, expires_at=now + PAGE_LIVES_S))
                return
            except RevisionConflict:
                continue

    async def _note_failure(self, begun: ConnectSession, nonce: str, error: KeyturnError) -> None:
        while True:
            try:
                current = await self._load(begun)
                facts = _with_outcome(current.facts, nonce, error, self._clock.now())
                error.extensions["failures"] = failures_in(facts)
                await self._sessions.save(replace(current, facts=facts))
            except RevisionConflict:
                continue
            except (StoreUnavailable, NotFound):
                pass  # the person has to hear the first error
            return

    async def _load(self, session: ConnectSession) -> ConnectSession:
        current = await self._sessions.load(session.id, project=session.project)
        if current is None:
            raise NotFound
        return current

    def _under_way(self, session: ConnectSession) -> bool:
        since = self._clock.now() - LONGEST_LOGIN_S
        attempts = session.facts.get("attempts", [])
        return session.state == "claimed" and any(each["outcome"] is None and each["at"] > since for each in attempts)


def failures_in(facts: Mapping[str, Any]) -> int:
    """How many logins of a session have failed."""
    outcomes = (each["outcome"] for each in facts.get("attempts", []))
    return sum(each is not None and each["code"] != _CHALLENGED for each in outcomes)


def outcome_facts(error: KeyturnError, now: float) -> dict[str, Any]:
    """What a session remembers of an error, as plain JSON; `error_in` reads it."""
    shown = {key: error.extensions[key] for key in ("tries_left", "help", "retry") if key in error.extensions}
    return {
        "code": error.code,
        "at": now,
        "retry_after_s": error.retry_after_s,
        "extensions": shown,
        "errors": [
            {name: getattr(each, name) for name in ("pointer", "code", "message", "rule", "limit")}
            for each in error.errors
        ],
        "failures": 0,
    }


def _noted(facts: Mapping[str, Any], nonce: str, outcome: Mapping[str, Any]) -> dict[str, Any]:
    attempts = [{**each, "outcome": outcome} if each["nonce"] == nonce else each for each in facts.get("attempts", [])]
    return {**facts, "attempts": attempts}


def _with_outcome(facts: Mapping[str, Any], nonce: str, error: KeyturnError, now: float) -> dict[str, Any]:
    outcome = outcome_facts(error, now)
    found = _noted(facts, nonce, outcome)
    outcome["failures"] = failures_in(found)
    if isinstance(error, ConnectionExists):
        found["exists"] = error.extensions.get("connection_id")
    if isinstance(error, ProviderRateLimited) and error.retry_after_s is not None:
        found["not_before"] = now + min(error.retry_after_s, RETRY_AFTER_CAP_S)
    return found


def error_in(outcome: Mapping[str, Any]) -> KeyturnError:
    """The error that a session remembers."""
    error = error_named(outcome["code"], outcome["retry_after_s"])
    error.extensions |= {**outcome["extensions"], "failures": outcome["failures"]}
    error.errors = tuple(Finding(**each) for each in outcome["errors"])
    return error
