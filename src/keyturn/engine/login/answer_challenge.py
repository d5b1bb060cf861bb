"""Challenges that wait: read, answered, sent once more, polled, and taken away in time.

Rule 1: an answer is used once: its row is taken, and that committed, before anything leaves; of two one is sent.
Rule 2: only who began the login reads or answers its challenge; to everybody else there is none.
Rule 3: what a row sealed is destroyed when it is taken: a crash afterwards leaves a row that reads as failed.
Rule 4: an answer runs in a task of its own: a caller that hangs up leaves no token behind that nobody knows.

Source: the product's rules for logging in, "A challenge"; the threat L1.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeVar

import structlog

from keyturn.core.challenges.steps import MOST_RESENDS, captured, then_of
from keyturn.core.connector import Challenge, Field, FieldType
from keyturn.core.errors import (
    ChallengeExpired,
    ChallengeUsed,
    Finding,
    KeyturnError,
    ProviderBadResponse,
    RateLimited,
    ValidationFailed,
)
from keyturn.core.renewal.plan import SendOutcome
from keyturn.core.secret import Secret
from keyturn.engine.actor import Actor
from keyturn.engine.challenges.asked_fields import at_answers, check_answers, question_of
from keyturn.engine.challenges.refusals import of_poll
from keyturn.engine.in_flight import secrets_among
from keyturn.engine.login.challenge_rows import LOST_AFTER_S, ChallengeRows
from keyturn.engine.login.challenged import Challenged, view_of
from keyturn.engine.login.finish_session import FinishSession
from keyturn.engine.login.login_course import Asked, LoginCourse, Ready
from keyturn.engine.login.login_request import Connected
from keyturn.engine.login.poll_challenges import PollChallenges, still_pending
from keyturn.engine.send import Sent
from keyturn.ports.challenges import ChallengeRow, ChallengeState
from keyturn.ports.store import RevisionConflict

KEPT_FOR_S: Final = 86_400.0  # an ended challenge can be read so long
_KEPT_ANSWERS: Final = frozenset({FieldType.CHOICE, FieldType.BOOLEAN})  # of which no code is one

log = structlog.get_logger("keyturn.challenges")
_OF_CODES: Final = frozenset({SendOutcome.CHALLENGE, SendOutcome.REJECTED})
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Challenges:
    """The use case and what it needs."""

    rows: ChallengeRows
    course: LoginCourse
    polling: PollChallenges
    finish_session: FinishSession
    running: set[asyncio.Task[Any]] = field(default_factory=set)

    async def look(self, challenge_id: str, holder: str, *, project: str = "default") -> Challenged:
        """Say how a challenge stands; `holder` is the actor's name. NotFound: there is none, or it is another's."""
        return view_of(await self.rows.of_holder(challenge_id, holder, project), self.rows.clock.now())

    async def answer(
        self, challenge_id: str, answers: Mapping[str, Any], actor: Actor, *, project: str = "default"
    ) -> Connected | Challenged:
        """Answer a challenge; after a wrong code another is returned, with its `error`.

        Raises:
            NotFound, ChallengeUsed, ChallengeExpired. ValidationFailed: at `/answers/<key>`; nothing was used up.
            LoginsStopped, SessionLimitReached, GenerationConflict before the send: nothing was used up.
            ProviderRateLimited: the provider asks to wait; nothing was used up, if it said so before.
            OtpInvalid: the third wrong code. CredentialsRejected: with `retry: sign_in` where password and code can't
            be told apart. What `Connect` raises after its send.
        """
        row = await self.rows.of_holder(challenge_id, actor.name, project)
        self._refuse_unless_open(row)
        ask = tuple(question_of(each) for each in row.ask)
        typed = check_answers(ask, answers)
        return await self._apart(self._answer(row, ask, typed, actor))

    async def resend(self, challenge_id: str, actor: Actor, *, project: str = "default") -> Challenged:
        """Ask the provider for another code; the challenge goes on waiting.

        Raises:
            NotFound, ChallengeUsed, ChallengeExpired. ValidationFailed: the connector has no such request.
            LoginsStopped. RateLimited: five were asked for. LoginBudgetSpent: many were, for this account.
            ProviderError: none was sent, as far as the provider says.
        """
        row = await self.rows.of_holder(challenge_id, actor.name, project)
        self._refuse_unless_open(row)
        if not row.facts.get("resendable"):
            message = "This provider can't be asked for another code here."
            raise ValidationFailed(errors=[Finding("/resend", "not_supported", message)])
        if row.facts["resends"] >= MOST_RESENDS:
            raise RateLimited(retry_after_s=max(1.0, row.expires_at - self.rows.clock.now()))
        return await self._apart(self._resend(row, actor))

    async def poll_due(self) -> None:
        """Look at those whose time has come, here or in another process; each in a task of its own."""
        await self.polling.due()

    async def purge(self) -> int:
        """Take old challenges away, and destroy what is sealed in those that ended; returns how many are gone."""
        now = self.rows.clock.now()
        return await self.rows.challenges.purge(expired_before=now - KEPT_FOR_S, wipe_before=now - LOST_AFTER_S)

    async def drain(self, timeout_s: float) -> None:
        """Let what is under way end, before the process does."""
        under_way = [*self.running, *self.polling.running.values()]
        if under_way:
            await asyncio.wait(under_way, timeout=timeout_s)

    async def _apart(self, work: Coroutine[Any, Any, T]) -> T:
        task = asyncio.create_task(work, name="challenge answered")
        self.running.add(task)
        task.add_done_callback(self._ended)
        return await asyncio.shield(task)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self.running.discard(task)
        if not task.cancelled():
            task.exception()  # fetched, as the caller may have hung up

    def _refuse_unless_open(self, row: ChallengeRow) -> None:
        expired = self.rows.clock.now() >= row.expires_at or row.error == ChallengeExpired.code
        if row.state is not ChallengeState.WAITING and row.error != ChallengeExpired.code:
            raise ChallengeUsed
        if expired:
            raise ChallengeExpired

    async def _answer(
        self, row: ChallengeRow, ask: tuple[Field, ...], typed: Mapping[str, Any], actor: Actor
    ) -> Connected | Challenged:
        going = await self.rows.resume(row, actor)
        await self.course.budget.refuse_stopped(going.connector, row.project)
        secrets = [*secrets_among(typed), *secrets_among(going.values()), *_texts(typed)]
        with self.course.known.in_flight(*secrets):
            challenge = going.connector.challenges[row.place]
            chosen = {each.key: typed[each.key] for each in ask if each.type in _KEPT_ANSWERS and each.key in typed}
            going = replace(going, captured={**going.captured, **chosen})
            try:
                ready = await self.course.prepare(going, challenge, then_of(going.connector, challenge), typed)
            except ValidationFailed as error:
                raise at_answers(error, ask) from None
            await self.course.refuse_while_held(ready)

            async def use() -> Connected | Challenged:
                return await self._send(await self._take(row, ready), ask, challenge, ready)

            with self.course.known.in_flight(*ready.secrets):
                return await self.course.make_room(going.request, going.checked, going.host, going.actor, use)

    async def _take(self, row: ChallengeRow, ready: Ready) -> ChallengeRow:
        """Use the answer up. From here on a crash leaves a row that reads as failed when its time has come."""
        record = self.rows.record(row, "challenge.sent", host=ready.host)
        now = self.rows.clock.now()
        try:
            return await self.rows.challenges.save(
                replace(row, state=ChallengeState.PENDING, due_at=now + LOST_AFTER_S), wipe=True, records=[record]
            )
        except RevisionConflict:
            raise ChallengeUsed from None

    async def _send(
        self, taken: ChallengeRow, ask: tuple[Field, ...], challenge: Challenge, ready: Ready
    ) -> Connected | Challenged:
        going = ready.going
        result: Connected | Challenged | None = None
        try:
            sent = await self.course.send(ready)
            sent = of_poll(sent) if challenge.poll is not None else sent
            await self.course.note_answer(going, sent, ready.host, challenge=taken.id, place=taken.place)
            if still_pending(challenge, sent):
                result = await self._poll_from_now(challenge, taken, ready)
            else:
                result = await self.course.follow(going, sent, answered=Asked(taken.place, ask))
            if isinstance(result, Connected):
                await self._finish_page(taken, result, going.actor)
        except KeyturnError as error:
            await self.rows.end(taken, result or error)
            raise
        except Exception:
            await self.rows.end(taken, KeyturnError())
            raise
        await self.rows.end(taken, result)
        return result

    async def _poll_from_now(self, challenge: Challenge, taken: ChallengeRow, ready: Ready) -> Challenged:
        every = challenge.poll.every_s if challenge.poll is not None else 0.0
        return await self.course.wait(ready.going, Asked(taken.place), polls_from=self.rows.clock.now() + every)

    async def _finish_page(self, row: ChallengeRow, connected: Connected, actor: Actor) -> None:
        session = await self.finish_session.of_holder(row.holder, row.project)
        if session is not None:
            await self.finish_session(session, connected, actor)

    async def _resend(self, row: ChallengeRow, actor: Actor) -> Challenged:
        going = await self.rows.resume(row, actor)
        challenge = going.connector.challenges[row.place]
        if challenge.resend is None:
            raise ChallengeExpired
        with self.course.known.in_flight(*secrets_among(going.values())):
            ready = await self.course.prepare(going, challenge, challenge.resend, {})
            await self.course.refuse_while_held(ready)
            await self.course.budget.take_message(going.connector, going.host, going.request.username, row.project)
            facts = {**row.facts, "resends": row.facts["resends"] + 1}
            record = self.rows.record(row, "challenge.resend_sent", host=ready.host)
            try:
                counted = await self.rows.challenges.save(replace(row, facts=facts), records=[record])
            except RevisionConflict:
                raise ChallengeUsed from None
            sent = await self.course.send(ready)
            return await self._resent(counted, challenge, ready, sent)

    async def _resent(self, row: ChallengeRow, challenge: Challenge, ready: Ready, sent: Sent) -> Challenged:
        """Go on waiting; in a new row where the provider gave new values for the next request."""
        going = replace(ready.going, resends=row.facts["resends"])
        error = not_resent(sent)
        await self.course.note_answer(
            going, sent if error else replace(sent, error=None), ready.host, action="challenge.resent", challenge=row.id
        )
        for token_set in (sent.token_set, sent.weaker):
            if token_set is not None:
                going = await self.course.revoke_weaker(going, token_set)
        if error is not None:
            raise error
        found = captured(challenge, sent.answer, sent.body) if sent.answer is not None else {}
        if not found and going.totp_step == row.facts["totp_step"] and list(going.weaker) == row.facts["weaker"]:
            return view_of(row, self.rows.clock.now())
        going = replace(going, captured={**going.captured, **found})
        asked = Asked(row.place, tuple(question_of(each) for each in row.ask))
        following = await self.course.wait(going, asked, error=row.error)
        if await self.rows.end(row, following) is None:
            raise ChallengeUsed  # answered meanwhile, with the code that came first
        return following


def not_resent(sent: Sent) -> KeyturnError | None:
    """Why no other code was sent; None where one was. What a rejection says is not about what the person typed."""
    if sent.challenge is not None or sent.token_set is not None:
        return None
    if sent.failure is None and sent.outcome is SendOutcome.UNCLASSIFIED_SUCCESS:
        return None  # there is nothing to read in it
    return sent.error if sent.outcome not in _OF_CODES else ProviderBadResponse()


def _texts(typed: Mapping[str, Any]) -> list[Secret]:
    """Answers that are no secrets by their type, and may be codes all the same."""
    return [Secret(value) for value in typed.values() if isinstance(value, str) and value]
