"""Looking at challenges whose time has come: the provider is asked again, a lost answer is owned up to, old ones end.

Rule 1: a row is claimed by compare-and-set on `due_at` before the provider is asked: two processes ask once, and where
the claimer dies another goes on when the claim has run out.
Rule 2: the first answer that is not pending decides. Trouble of the provider's decides nothing while there is time;
but a request with the password in it is not sent again after one that was not answered.

Source: the product's rules for logging in; the connector format, `then.poll`; RFC 8628 §3.5 for waiting longer.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final

import structlog

from keyturn.core.answers.json_query import is_true, query
from keyturn.core.challenges.steps import then_of
from keyturn.core.connector import Challenge
from keyturn.core.crashes import crash_facts
from keyturn.core.errors import (
    ChallengeExpired,
    GenerationConflict,
    KeyturnError,
    LoginsStopped,
    ProviderRateLimited,
    ProviderTimeout,
    SessionUsed,
)
from keyturn.core.renewal.plan import SendOutcome
from keyturn.engine.actor import Actor
from keyturn.engine.challenges.refusals import of_poll
from keyturn.engine.login.challenge_rows import LOST_AFTER_S, ChallengeRows
from keyturn.engine.login.challenged import Challenged, polls
from keyturn.engine.login.finish_session import FinishSession
from keyturn.engine.login.login_course import Asked, LoginCourse, Ready
from keyturn.engine.login.login_request import Connected
from keyturn.engine.send import Sent
from keyturn.engine.template_values import request_uses
from keyturn.ports.challenges import ChallengeRow, ChallengeState
from keyturn.ports.store import RevisionConflict

AT_ONCE: Final = 64
_PASSES: Final = frozenset(
    {SendOutcome.NOT_SENT, SendOutcome.RATE_LIMITED, SendOutcome.UNAVAILABLE, SendOutcome.NO_ANSWER}
)

log = structlog.get_logger("keyturn.challenges")


class _Pending(Exception):
    """Nothing was decided yet."""

    def __init__(self, retry_after_s: float | None) -> None:
        super().__init__("pending")
        self.retry_after_s = retry_after_s


@dataclass(frozen=True, slots=True)
class PollChallenges:
    """The parts that this needs."""

    rows: ChallengeRows
    course: LoginCourse
    finish_session: FinishSession
    running: dict[str, asyncio.Task[None]] = field(default_factory=dict)

    async def due(self) -> None:
        """Begin what is due, as far as there is room; each in a task of its own."""
        room = AT_ONCE - len(self.running)
        if room <= 0:
            return
        for row in await self.rows.challenges.due(self.rows.clock.now(), limit=AT_ONCE):
            if row.id not in self.running and len(self.running) < AT_ONCE:
                task = asyncio.create_task(self._look(row), name=f"challenge {row.id}")
                self.running[row.id] = task
                task.add_done_callback(partial(self._ended, row))

    def _ended(self, row: ChallengeRow, task: asyncio.Task[None]) -> None:
        self.running.pop(row.id, None)
        error = None if task.cancelled() else task.exception()
        if isinstance(error, KeyturnError):
            log.info("challenge_not_looked_at", challenge=row.id, connector=row.connector, code=error.code)
        elif error is not None:
            log.error("challenge_crashed", challenge=row.id, connector=row.connector, **crash_facts(error))

    async def _look(self, row: ChallengeRow) -> None:
        now = self.rows.clock.now()
        if row.state is ChallengeState.WAITING:
            record = self.rows.record(row, "challenge.expired", outcome=ChallengeExpired.code)
            await self.rows.end(row, ChallengeExpired(), record=record)
        elif not polls(row):  # whoever took it died: what the provider did with the answer nobody knows
            record = self.rows.record(row, "challenge.answered", outcome="unknown")
            await self.rows.end(row, ProviderTimeout(), record=record)
        elif now >= row.facts["poll_until"]:
            await self._end(row, ChallengeExpired())
        else:
            facts = {**row.facts, "polls": row.facts["polls"] + 1}
            try:
                claimed = await self.rows.challenges.save(replace(row, due_at=now + LOST_AFTER_S, facts=facts))
            except RevisionConflict:
                return  # another process asks
            await self._ask(claimed)

    async def _ask(self, row: ChallengeRow) -> None:
        """Ask the provider once, and end the row or put it back."""
        try:
            session = await self.finish_session.of_holder(row.holder, row.project)
            if session is not None and (session.state != "claimed" or session.has_left(row.id)):
                raise SessionUsed  # the person gave up, or the page has led to something already
            going = await self.rows.resume(row, Actor(row.holder))
            challenge = going.connector.challenges[row.place]
            ready = await self.course.prepare(going, challenge, then_of(going.connector, challenge), {})
        except KeyturnError as error:
            await self._end(row, error)
            return
        try:
            await self.course.refuse_while_held(ready)
            await self.course.budget.refuse_stopped(going.connector, row.project)
        except (ProviderRateLimited, LoginsStopped) as error:
            await self._again(row, challenge, error.retry_after_s)
            return
        with self.course.known.in_flight(*ready.secrets):
            await self._decided(row, challenge, ready)

    async def _decided(self, row: ChallengeRow, challenge: Challenge, ready: Ready) -> None:
        going = ready.going
        result: Connected | Challenged | KeyturnError | None = None
        begun = False

        async def send() -> Connected | Challenged:
            nonlocal begun
            begun = True
            sent = of_poll(await self.course.send(ready))
            if still_pending(challenge, sent) or (sent.outcome in _PASSES and not _lost_password(ready, sent)):
                raise _Pending(sent.retry_after_s)
            return await self.course.follow(going, sent, answered=Asked(row.place))

        try:
            result = await self.course.make_room(going.request, going.checked, going.host, going.actor, send)
            if isinstance(result, Connected):
                session = await self.finish_session.of_holder(row.holder, row.project)
                if session is not None and session.state == "claimed":
                    await self.finish_session(session, result, going.actor)
        except _Pending as pending:
            await self._again(row, challenge, pending.retry_after_s)
            return
        except KeyturnError as error:
            if not begun and isinstance(error, GenerationConflict):  # another login of the account takes long
                await self._again(row, challenge, None)
                return
            result = result or error  # a session that can't be written makes no connection undone
        except Exception:
            await self._end(row, KeyturnError())
            raise
        await self._end(row, result)

    async def _again(self, row: ChallengeRow, challenge: Challenge, wait_s: float | None) -> None:
        """Be asked again after a while; at the end of the time, to end it."""
        assert challenge.poll is not None
        due_at = self.rows.clock.now() + max(challenge.poll.every_s, wait_s or 0.0)
        try:
            await self.rows.challenges.save(replace(row, due_at=min(due_at, row.facts["poll_until"])))
        except RevisionConflict:
            log.debug("challenge_moved_by_another", challenge=row.id)

    async def _end(self, row: ChallengeRow, result: Connected | Challenged | KeyturnError) -> None:
        outcome = "ok"
        if isinstance(result, KeyturnError):
            outcome = result.code
        elif isinstance(result, Challenged):
            outcome = "challenge_required"
        record = self.rows.record(row, "challenge.polled", outcome=outcome, polls=row.facts["polls"])
        await self.rows.end(row, result, record=record)


def still_pending(challenge: Challenge, sent: Sent) -> bool:
    """Whether the provider says that nothing was decided yet."""
    if challenge.poll is None or sent.token_set is not None or not sent.body.readable:
        return False
    return is_true(query(challenge.poll.pending, sent.body.value))


def _lost_password(ready: Ready, sent: Sent) -> bool:
    return sent.outcome is SendOutcome.NO_ANSWER and request_uses(ready.spec, "password")
