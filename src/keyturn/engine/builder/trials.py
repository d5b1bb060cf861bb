"""Trial runs: begun with what somebody types there and then, watched while they run, forgotten after a day.

Rule 1: username, password and codes live in the run's own task and nowhere else; what is kept of a run is masked.
Rule 2: a run is its author's own: to everybody else there is none.
Rule 3: what a trial showed of a connector stands in the audit log with its digest, so that publishing can ask for it.

Runs are kept in the process that began them; the audit log's word on them is everybody's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import structlog

from keyturn.core.audit_record import AuditRecord
from keyturn.core.building.fixtures import make_fixture
from keyturn.core.connector import Connector, Field
from keyturn.core.crashes import crash_facts
from keyturn.core.errors import (
    ChallengeExpired,
    ChallengeUsed,
    Finding,
    KeyturnError,
    NotFound,
    RateLimited,
    TrialNotHeld,
    ValidationFailed,
)
from keyturn.core.format.writing import digest
from keyturn.core.urls.public_suffixes import PublicSuffixes
from keyturn.engine.abuse.spraying import Spraying
from keyturn.engine.actor import Actor
from keyturn.engine.before.own_values import OwnValues
from keyturn.engine.builder.course.course import run_course
from keyturn.engine.builder.course.exchange import WatchedEgress
from keyturn.engine.builder.course.state import Mended, TrialParts, TrialState
from keyturn.engine.builder.going_on import HELD_S, first_changed, same_login
from keyturn.engine.builder.trial_trace import Mark, Phase, Row, TrialRun
from keyturn.engine.builder.typed import Typed, checked, hosts_of
from keyturn.engine.challenges.asked_fields import check_answers
from keyturn.engine.challenges.seed_codes import SeedCodes
from keyturn.engine.in_flight import InFlight
from keyturn.engine.login.book_login import BookLogin
from keyturn.engine.login_budget import LoginBudget
from keyturn.engine.provider_gate import ProviderGate
from keyturn.engine.published import PublishedConnectors
from keyturn.engine.renewal.account_turns import AccountTurns
from keyturn.engine.test_connection import TestCalls
from keyturn.ports.clock import Clock, Entropy
from keyturn.ports.egress import Egress
from keyturn.ports.store import AuditLog

KEPT_S: Final = 86_400.0
MOST_KEPT: Final = 200
MOST_AT_ONCE: Final = 8
ACTION: Final = "connector.tried"
OTHER_LOGIN: Final = (
    "This text signs in otherwise than the one that was tried, or sends tokens to another host: "
    "try it from the beginning."
)
SEARCHED: Final = 500  # newest audit records that are looked through for a trial

log = structlog.get_logger("keyturn.trials")


@dataclass(slots=True)
class _Live:
    """What a run needs while it runs."""

    task: asyncio.Task[None] | None = None
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    answers: asyncio.Future[Mapping[str, Any] | None] | None = None
    mended: asyncio.Future[Mended | None] | None = None
    tried: Connector | None = None


@dataclass(frozen=True, slots=True)
class Trials:
    """The use case and what it needs."""

    published: PublishedConnectors
    egress: Egress
    suffixes: PublicSuffixes
    budget: LoginBudget
    spraying: Spraying
    gate: ProviderGate
    audit: AuditLog
    codes: SeedCodes
    clock: Clock
    entropy: Entropy
    known: InFlight
    turns: AccountTurns
    runs: dict[str, TrialRun] = field(default_factory=dict)
    live: dict[str, _Live] = field(default_factory=dict)
    closing: list[bool] = field(default_factory=list)  # has one once the process is about to end

    async def begin(self, connector: Connector, typed: Typed, actor: Actor, *, hold: bool = False) -> TrialRun:
        """Check what was typed and start a run.

        Args:
            connector: the text that is tried, saved or not.
            typed: never stored.
            actor: whose run it is; one of theirs of this connector that waits to go on is ended.
            hold: wait for a mended text where a step after the login fails.

        Raises:
            ValidationFailed: every wrong value at once; nothing was sent. ConnectorClientMissing. RateLimited: too
            many run at the moment. LoginsStopped: an operator has stopped this connector's logins.
        """
        await self.budget.refuse_stopped(connector)
        client = await self.published.client(connector)
        values = checked(connector, typed)
        self._forget_old()
        self._end_held(connector.id, actor)
        if sum(self.runs[each].phase is not Phase.HELD for each in self.live) >= MOST_AT_ONCE:
            raise RateLimited(retry_after_s=30.0)
        now = self.clock.now()
        run = TrialRun(self.entropy.identifier("trl"), connector.id, digest(connector), actor.name, now)
        run.hosts = hosts_of(connector, values)
        live = _Live()
        self.runs[run.id], self.live[run.id] = run, live
        watched = WatchedEgress(self.egress, self.clock)
        booking = BookLogin(self.spraying, self.budget)
        own = OwnValues(self.codes.connections, self.entropy)
        parts = TrialParts(
            TestCalls(watched, self.suffixes), watched, booking, self.budget, self.gate, self.audit, self.codes, own,
            self.clock, self.known, self.turns)  # fmt: skip

        def show(row: Row) -> None:
            run.rows.append(row)
            self._changed(run)

        async def ask(
            questions: tuple[Field, ...], ends_at: float, resendable: bool, words: str
        ) -> Mapping[str, Any] | None:
            run.resendable, run.asked_again = resendable, words
            return await self._ask(run, questions, ends_at)

        async def mend() -> Mended | None:
            return await self._mended(run, state) if hold else None

        state = TrialState(
            parts, run, connector, client, actor, values, typed.username.strip(), typed.password, show, ask, mend
        )
        live.task = asyncio.create_task(self._guarded(run, state, actor), name="trial")
        return run

    def look(self, run_id: str, actor: Actor) -> TrialRun:
        """A run; NotFound where there is none, it is forgotten, or it is another's."""
        run = self.runs.get(run_id)
        if run is None or run.actor != actor.name or self.clock.now() - run.started_at >= KEPT_S:
            raise NotFound("There is no such trial; they are kept for a day.")
        return run

    def of_connector(self, connector_id: str, actor: Actor) -> list[TrialRun]:
        """Somebody's runs of a connector, newest first."""
        self._forget_old()
        mine = [each for each in self.runs.values() if (each.connector, each.actor) == (connector_id, actor.name)]
        return sorted(mine, key=lambda each: each.started_at, reverse=True)

    def fixture(self, run_id: str, actor: Actor) -> Mapping[str, Any]:
        """The recording of a run that has ended; NotFound before, or where nothing was exchanged."""
        found = self.look(run_id, actor).fixture
        if not found or not found["exchanges"]:
            raise NotFound("This trial has no recording: it runs still, or nothing of it could be recorded.")
        return found

    def answer(self, run_id: str, answers: Mapping[str, Any], actor: Actor) -> TrialRun:
        """Answer what a run asks; ValidationFailed at `/answers/<key>`, ChallengeUsed where it asks nothing."""
        run = self.look(run_id, actor)
        live = self.live.get(run_id)
        if run.phase is not Phase.ASKING or live is None or live.answers is None or live.answers.done():
            raise ChallengeUsed
        live.answers.set_result(check_answers(run.ask, answers))
        return self._goes_on(run)

    def resend(self, run_id: str, actor: Actor) -> TrialRun:
        """Have the provider asked for another code; ChallengeUsed: nothing is asked. ValidationFailed: no way to."""
        run = self.look(run_id, actor)
        live = self.live.get(run_id)
        if run.phase is not Phase.ASKING or live is None or live.answers is None or live.answers.done():
            raise ChallengeUsed
        if not run.resendable:
            message = "This provider can't be asked for another code here."
            raise ValidationFailed(errors=[Finding("/resend", "not_supported", message)])
        live.answers.set_result(None)
        return self._goes_on(run)

    async def go_on(self, run_id: str, connector: Connector, actor: Actor) -> TrialRun:
        """Go on from the step that failed, or one before it that is changed, with a mended text and without a login.

        Raises:
            TrialNotHeld: it does not wait for that, or not any more. ValidationFailed: the text logs in otherwise, or
                sends tokens elsewhere, so that it has to be tried from the beginning. LoginsStopped.
        """
        live, tried = self._waiting(run_id, actor)
        if not same_login(tried, connector, self.suffixes):
            raise ValidationFailed(errors=[Finding("/source", "login_differs", OTHER_LOGIN)])
        await self.budget.refuse_stopped(connector)
        live, _ = self._waiting(run_id, actor)
        assert live.mended is not None
        run = self.runs[run_id]
        # At once, so that who asks for the rows behind those that are kept gets every new one.
        live.mended.set_result(Mended(connector, run.take_back(first_changed(tried, connector))))
        return self._goes_on(run)

    def end(self, run_id: str, actor: Actor) -> TrialRun:
        """End a run that waits to go on: its tokens are revoked. TrialNotHeld."""
        live, _ = self._waiting(run_id, actor)
        assert live.mended is not None
        live.mended.set_result(None)
        return self._goes_on(self.runs[run_id])

    def _waiting(self, run_id: str, actor: Actor) -> tuple[_Live, Connector]:
        run, live = self.look(run_id, actor), self.live.get(run_id)
        held = run.phase is Phase.HELD and live is not None and live.mended is not None and not live.mended.done()
        if not held or live is None or live.tried is None:
            raise TrialNotHeld
        return live, live.tried

    def _end_held(self, connector_id: str, actor: Actor) -> None:
        """End what an author leaves behind, and the oldest where many wait."""
        held = [each for each in self.runs.values() if each.phase is Phase.HELD and each.id in self.live]
        for n, each in enumerate(sorted(held, key=lambda run: run.started_at, reverse=True)):
            future = self.live[each.id].mended
            mine = (each.connector, each.actor) == (connector_id, actor.name)
            if future is not None and not future.done() and (mine or n >= MOST_AT_ONCE - 1):
                future.set_result(None)

    async def _mended(self, run: TrialRun, state: TrialState) -> Mended | None:
        """Wait for a text to go on with, for as long as the token lives and ten minutes at most."""
        now, live, token_set = self.clock.now(), self.live[run.id], state.token_set
        if self.closing or token_set is None:
            return None
        self._forget_unsafe(run, state)
        ends = now + HELD_S if token_set.expires_at is None else min(now + HELD_S, token_set.expires_at)
        live.mended, live.tried = asyncio.get_running_loop().create_future(), state.connector
        run.phase, run.ends_at = Phase.HELD, ends
        self._changed(run)
        try:
            return await asyncio.wait_for(live.mended, max(0.0, ends - now))
        except TimeoutError:
            return None
        finally:
            live.mended, live.tried, run.ends_at, run.phase = None, None, None, Phase.RUNNING

    def _forget_unsafe(self, run: TrialRun, state: TrialState) -> None:
        """Forget the login, and each recorded answer that could not be kept without knowing what was typed."""
        left = make_fixture(state.connector, run.digest, state.exchanges, state.secrets)["left_off"]
        state.exchanges[:] = [each for each in state.exchanges if each.request not in left]
        state.forget_login()

    def _goes_on(self, run: TrialRun) -> TrialRun:
        run.phase, run.ask, run.asked_again, run.ends_at = Phase.RUNNING, (), "", None
        self._changed(run)
        return run

    async def changed(self, run: TrialRun, version: int, timeout_s: float) -> None:
        """Wait until a run is further than `version`, or so many seconds."""
        live = self.live.get(run.id)
        if live is None or run.version != version or run.phase is Phase.ENDED:
            return
        try:
            await asyncio.wait_for(live.changed.wait(), timeout_s)
        except TimeoutError:
            return

    async def passed(self, connector_id: str, wanted: str) -> bool:
        """Whether a trial of exactly this text's meaning (its digest) went well, by anybody, as the audit log says."""
        if any(each.passed and each.digest == wanted for each in self.runs.values()):
            return True
        cursor: str | None = None
        seen = 0
        while seen < SEARCHED:
            records, cursor = await self.audit.list(cursor=cursor, limit=100)
            for _, each in records:
                tried = each.action == ACTION and each.connector == connector_id and each.outcome == "ok"
                if tried and each.facts.get("digest") == wanted:
                    return True
            seen += len(records)
            if cursor is None or not records:
                break
        return False

    async def drain(self, timeout_s: float) -> None:
        """Let what runs end, so that its tokens are revoked, before the process does."""
        tasks = [each.task for each in self.live.values() if each.task is not None]
        self.closing.append(True)
        for each in self.live.values():
            if each.mended is not None and not each.mended.done():
                each.mended.set_result(None)
            if each.answers is not None and not each.answers.done():
                each.answers.set_exception(ChallengeExpired())
        if tasks:
            await asyncio.wait(tasks, timeout=timeout_s)

    async def _guarded(self, run: TrialRun, state: TrialState, actor: Actor) -> None:
        passed = False
        try:
            passed = await run_course(state)
        except KeyturnError as error:
            run.rows.append(Row(Mark.FAILED, 0, "The trial was broken off", diagnosis=error.detail or error.code))
        except Exception as error:  # noqa: BLE001  (written down by its place; the author is told)
            log.error("trial_crashed", connector=run.connector, **crash_facts(error))
            run.rows.append(Row(Mark.FAILED, 0, "The trial was broken off", diagnosis="Something went wrong here."))
        try:
            run.fixture = make_fixture(state.connector, run.digest, state.exchanges, state.secrets)
        except Exception as error:  # noqa: BLE001  (the trial is worth more than its recording)
            log.error("fixture_not_made", connector=run.connector, **crash_facts(error))
        state.exchanges.clear()
        self._forget_answers(run)
        run.passed = passed and all(each.mark is not Mark.FAILED for each in run.rows)
        await self._note(run, actor)
        run.phase, run.ask, run.ends_at = Phase.ENDED, (), None
        self._changed(run)
        self.live.pop(run.id, None)

    def _forget_answers(self, run: TrialRun) -> None:
        """Of the answers to an author's test calls of a connector the newest is enough; each may be a megabyte."""
        for each in self.runs.values():
            older = each.started_at < run.started_at and (each.connector, each.actor) == (run.connector, run.actor)
            if run.test_answer_paths and older:
                each.test_answer_paths, each.test_answer = (), None

    async def _note(self, run: TrialRun, actor: Actor) -> None:
        failed = next((each.step for each in run.rows if each.mark is Mark.FAILED), None)
        facts: dict[str, Any] = {"trial": run.id, "digest": run.digest}
        if failed is not None:
            facts["step"] = failed
        outcome = "ok" if run.passed else "failed"
        record = AuditRecord(
            self.clock.now(), ACTION, actor.name, outcome=outcome, connector=run.connector,
            request_id=actor.request_id, facts=facts)  # fmt: skip
        try:
            await self.audit.append([record])
        except KeyturnError as error:
            log.warning("trial_not_written_down", connector=run.connector, code=error.code)

    async def _ask(self, run: TrialRun, questions: tuple[Field, ...], ends_at: float) -> Mapping[str, Any] | None:
        live = self.live[run.id]
        live.answers = asyncio.get_running_loop().create_future()
        run.phase, run.ask, run.ends_at = Phase.ASKING, questions, ends_at
        self._changed(run)
        try:
            return await asyncio.wait_for(live.answers, max(0.0, ends_at - self.clock.now()))
        except TimeoutError:
            raise ChallengeExpired from None
        finally:
            live.answers = None
            run.phase, run.ask = Phase.RUNNING, ()

    def _changed(self, run: TrialRun) -> None:
        run.version += 1
        live = self.live.get(run.id)
        if live is not None:
            live.changed.set()
            live.changed = asyncio.Event()

    def _forget_old(self) -> None:
        now = self.clock.now()
        ended = sorted(
            (each for each in self.runs.values() if each.id not in self.live), key=lambda each: each.started_at
        )
        too_many = max(0, len(self.runs) - MOST_KEPT)
        for n, each in enumerate(ended):
            if n < too_many or now - each.started_at >= KEPT_S:
                del self.runs[each.id]
