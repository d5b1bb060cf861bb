"""A login: from what a person typed to a stored connection, or to an error that says whose move it is.

The order is the product's: validate, log in (2), test (5), identify (8), look for the account, name (6), store.

Rule 1: the password is sent once. A refusal, an answer that nothing describes or none at all is not repeated.
Rule 2: whatever ends a login after its token came revokes that token set.
Rule 3: a login runs in a task of its own: a caller that hangs up leaves no token behind that nobody knows.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import Any

import structlog

from keyturn.core.audit_record import AuditRecord
from keyturn.core.challenges.steps import seed_field
from keyturn.core.connector import Connector, PasswordKeep
from keyturn.core.errors import Finding, KeyturnError, ValidationFailed
from keyturn.core.field_values import check_fields, check_hosts, check_owner, check_password, check_username
from keyturn.core.requests.provider_request import host_of
from keyturn.core.secret import Secret
from keyturn.engine.abuse.spraying import Spraying, Tried
from keyturn.engine.actor import Actor
from keyturn.engine.before.own_values import OwnValues
from keyturn.engine.before.run_before import Opening, RunBefore, Step
from keyturn.engine.challenges.refusals import asking_of_login, hear, refusal, refuse_while_held
from keyturn.engine.challenges.seed_codes import seed_among, with_code
from keyturn.engine.in_flight import InFlight, secrets_among
from keyturn.engine.login.book_login import Booked, BookLogin
from keyturn.engine.login.challenged import Challenged
from keyturn.engine.login.login_course import LoginCourse, outcome_of
from keyturn.engine.login.login_request import Checked, Connected, LoginRequest
from keyturn.engine.login.under_way import UnderWay
from keyturn.engine.login_budget import LoginBudget, counted
from keyturn.engine.provider_gate import Asking, ProviderGate
from keyturn.engine.published import PublishedConnectors
from keyturn.engine.send import Sent, send_for_token
from keyturn.engine.template_values import dotted_names, login_uses, login_values, urls_of
from keyturn.ports.clock import Clock
from keyturn.ports.egress import Egress
from keyturn.ports.store import Attempt, AttemptResult, AuditLog

__all__ = ["Connect", "Connected", "LoginRequest"]

log = structlog.get_logger("keyturn.connect")


@dataclass(slots=True)
class _Begun:
    """A login that is booked. `step`: of a seed's code; `sending`: its turn has come."""

    request: LoginRequest
    checked: Checked
    actor: Actor
    host: str
    opening: Opening
    booking: BookLogin
    booked: Booked
    step: int | None
    asking: Asking
    sending: bool = False


@dataclass(frozen=True, slots=True)
class Connect:
    """The use case and what it needs."""

    published: PublishedConnectors
    egress: Egress
    budget: LoginBudget
    spraying: Spraying
    audit: AuditLog
    gate: ProviderGate
    course: LoginCourse
    clock: Clock
    known: InFlight
    running: set[asyncio.Task[Connected | Challenged]] = field(default_factory=set)

    async def __call__(self, request: LoginRequest, actor: Actor) -> Connected | Challenged:
        """Connect an account.

        Raises:
            NotFound, ConnectorNotPublished, ConnectorClientMissing: before a password is looked at.
            ValidationFailed: every wrong value at once; nothing was sent.
            LoginsStopped, LoginBudgetSpent, LoginSpraying: nothing was sent.
            CredentialsRejected and its kin: with `tries_left`; ProviderError: as the provider answered.
            ProviderRateLimited: the provider asked to wait; nothing was sent, or this was its answer.
            SessionLimitReached, GenerationConflict: there is no room for another session; nothing was sent.
            ConnectionTestFailed, UniqueIdMissing, ConnectionExists, IdentityMismatch: the token set is revoked.

        Where the provider asks for something in between, what it asks is returned, and `Challenges` goes on.
        """
        checked = await self.check(request)
        task = asyncio.create_task(self._guarded(request, checked, actor), name="login")
        self.running.add(task)
        task.add_done_callback(self._ended)
        return await asyncio.shield(task)

    def _ended(self, task: asyncio.Task[Connected | Challenged]) -> None:
        self.running.discard(task)
        if not task.cancelled():
            task.exception()  # fetched, as the caller may have hung up

    async def drain(self, timeout_s: float) -> None:
        """Let logins under way end, before the process does."""
        if self.running:
            await asyncio.wait(list(self.running), timeout=timeout_s)

    async def check(self, request: LoginRequest) -> Checked:
        """Hold the request against the connector's newest version; nothing is sent."""
        newest = await self.published.newest(request.connector, project=request.project)
        connector = newest.connector
        await self.budget.refuse_stopped(connector, request.project)
        client = await self.published.client(connector, project=request.project)
        values, errors = check_fields(connector.fields, request.fields)
        said = {each.pointer for each in errors}
        hosts = check_hosts(urls_of(connector), values, dotted=dotted_names(connector))
        errors += [each for each in hosts if each.pointer not in said]
        errors += check_owner(request.owner)
        errors += check_username(connector.username, request.username)
        errors += check_password(request.password)
        keep, more = _keeps_password(connector, request.keep_password)
        errors += more
        if seed_among(connector, values) is not None and not request.keep_totp_seed:
            message = "A TOTP seed is kept, sealed: that needs the person's consent."
            errors.append(Finding("/keep_totp_seed", "required", message))
        if errors:
            raise ValidationFailed(errors=errors)
        return Checked(connector, newest.version, client, values, keep)

    async def _guarded(self, request: LoginRequest, checked: Checked, actor: Actor) -> Connected | Challenged:
        own = await OwnValues(self.course.store_login.connections, self.course.entropy).beside(
            checked.connector, owner=request.owner, reconnects=request.reconnects, project=request.project
        )
        checked = replace(checked, fields={**checked.fields, **own})
        password = request.password or Secret("")
        values = login_values(checked.fields, request.username, password, checked.client)
        with self.known.in_flight(*secrets_among(values)):
            values, step = await self._with_code(request, checked, values)
            with self.known.in_flight(*secrets_among(values)):
                return await self._log_in(request, checked, values, step, actor)

    async def _with_code(
        self, request: LoginRequest, checked: Checked, values: Mapping[str, Any]
    ) -> tuple[dict[str, Any], int | None]:
        """Put the code of a seed in its place, where what is sent first names it; its step is committed."""
        connector, step = checked.connector, None
        declared = seed_field(connector)
        if declared and seed_among(connector, values) and login_uses(connector, declared.key):
            step = await self.course.codes.take_step(request.reconnects, None, request.project)
        return with_code(connector, values, step), step

    async def _log_in(
        self, request: LoginRequest, checked: Checked, values: Mapping[str, Any], step: int | None, actor: Actor
    ) -> Connected | Challenged:
        connector = checked.connector
        opening = Opening(connector, checked.client, values, actor.client_address)
        host = host_of(opening.check()[-1])
        asking = await asking_of_login(self.budget, connector, host, request.username, request.project)
        refuse_while_held(self.gate, asking)
        tried = Tried(connector.id, host, request.username, request.owner, request.project)
        booking = BookLogin(self.spraying, self.budget)
        booked = await booking(connector, tried, actor, self._record(request, "login.sent", actor, host=host))
        begun = _Begun(request, checked, actor, host, opening, booking, booked, step, asking)
        try:
            return await self.course.make_room(request, checked, host, actor, lambda: self._send(begun))
        except KeyturnError as error:
            if not begun.sending:
                await self._not_sent(begun, error)
            raise

    async def _send(self, begun: _Begun) -> Connected | Challenged:
        request, actor, host, connector = begun.request, begun.actor, begun.host, begun.checked.connector
        begun.sending = True
        with ExitStack() as held:
            run = RunBefore(self.egress, self.known)
            ran = await run(begun.opening, lambda each, sent: self._watch(begun, each, sent), held)
            sent = ran.ended
            if ran.request is not None:
                sent = await send_for_token(self.egress, connector, connector.token, ran.request, login=True)
            assert sent is not None
            hear(self.gate, begun.asking, sent, sent.host or None)
            result = ran.result(counted(sent.outcome))
            _, tries_left = await asyncio.gather(
                begun.booking.told_spraying(begun.booked, sent, result),
                self._written_down(request, begun.booked.attempt, sent, result, host, actor),
            )
            if sent.token_set is None and sent.challenge is None:
                raise refusal(sent, tries_left if result is not AttemptResult.NOT_SENT else None)
            going = UnderWay(request, begun.checked, actor, host, captured=ran.found, totp_step=begun.step)
            return await self.course.follow(going, sent)

    async def _not_sent(self, begun: _Begun, error: KeyturnError) -> None:
        """There was no room: the login is as if it had not been, and the log says why."""
        await begun.booking.told_unknown(begun.booked)
        answered = self._record(begun.request, "login.answered", begun.actor, outcome=error.code, host=begun.host)
        try:
            await self.budget.settle(begun.booked.attempt, AttemptResult.NOT_SENT, records=[answered])
        except KeyturnError as failed:
            log.warning("login_not_written_down", connector=begun.request.connector, code=failed.code)

    async def _watch(self, begun: _Begun, step: Step, sent: Sent | None) -> None:
        """Log each request that runs before the token request: first that it is sent, then what it was answered."""
        request, actor = begun.request, begun.actor
        if sent is None:
            refuse_while_held(self.gate, begun.asking, step.host)
            record = self._record(request, "login.step_sent", actor, host=step.host, step=step.before.name)
            await self.audit.append([record])
            return
        hear(self.gate, begun.asking, sent, step.host)
        told = self._record(
            request, "login.step_answered", actor, outcome=outcome_of(sent), host=step.host, step=step.before.name
        )
        try:
            await self.audit.append([told])
        except KeyturnError as error:
            log.warning("login_not_written_down", connector=request.connector, code=error.code)

    async def _written_down(
        self, request: LoginRequest, attempt: Attempt, sent: Sent, result: AttemptResult, host: str, actor: Actor
    ) -> int | None:
        """Settle the attempt and log the answer; returns the tries that are left, where that could be told.

        No failure here may lose a token, nor hide what the provider said. An attempt that is not settled counts as
        failed in the end, and a send without an answer in the log is one whose outcome is not known.
        """
        outcome = outcome_of(sent)
        tries_left: int | None = None
        try:
            record = self._record(request, "login.answered", actor, outcome=outcome, host=host)
            tries_left = await self.budget.settle(attempt, result, records=[record])
        except KeyturnError as error:
            log.warning("login_not_written_down", connector=request.connector, code=error.code)
        return tries_left

    def _record(
        self, request: LoginRequest, action: str, actor: Actor, *, outcome: str = "ok", **facts: str
    ) -> AuditRecord:
        return AuditRecord(
            self.clock.now(),
            action,
            actor.name,
            outcome=outcome,
            connector=request.connector,
            connection=request.reconnects,
            owner=request.owner,
            request_id=actor.request_id,
            facts=facts,
            project=request.project,
        )


def _keeps_password(connector: Connector, asked: bool) -> tuple[bool, list[Finding]]:
    match connector.password.keep:
        case PasswordKeep.REQUIRED:
            return True, []
        case PasswordKeep.OFFER:
            return asked, []
        case _ if asked:
            message = "This connector does not allow the password to be kept."
            return False, [Finding("/keep_password", "not_allowed", message)]
    return False, []
