"""One step of a renewal, with the lease held: decide, declare the intent, send, and store what follows.

Between any two lines the process may die. What is on disk then says enough: no intent means that nothing was sent;
an intent with no newer generation means that nobody knows.

Source: the renewal design, steps 3 to 6 and the outcome table.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from keyturn.core.audit_record import AuditRecord
from keyturn.core.connection import Connection, ConnectionSecrets, Intent, IntentKind
from keyturn.core.connector import Connector, ProviderRequest
from keyturn.core.errors import (
    LoginBudgetSpent,
    NeedsReconnect,
    NotFound,
    RenewalNotPossible,
    UrlNotAllowed,
    error_named,
)
from keyturn.core.messages import OutgoingRequest
from keyturn.core.problems import Cause
from keyturn.core.provider_request import host_of
from keyturn.core.renewal_plan import FOLLOWS, Follow, Plan, SendOutcome, Step, plan
from keyturn.core.retry import asked_to_wait_s, back_off_s
from keyturn.core.secret import Secret
from keyturn.core.token_set import TokenSet
from keyturn.engine.actor import Actor
from keyturn.engine.in_flight import InFlight
from keyturn.engine.login_budget import LoginBudget
from keyturn.engine.provider_gate import ProviderGate
from keyturn.engine.published import PublishedConnectors
from keyturn.engine.renewal_settlement import Settlement
from keyturn.engine.send import Sent, build, send_for_token
from keyturn.engine.template_values import connection_values, login_values
from keyturn.ports.clock import Clock, Entropy
from keyturn.ports.egress import Egress
from keyturn.ports.store import Attempt, AttemptResult, ClientCredentials, ConnectionStore, RevisionConflict


@dataclass(frozen=True, slots=True)
class _Ready:
    """A send that is built and only waits to be declared."""

    kind: IntentKind
    connection: Connection
    secrets: ConnectionSecrets
    connector: Connector
    spec: ProviderRequest
    request: OutgoingRequest
    username: str = ""

    @property
    def host(self) -> str:
        return host_of(self.request)


@dataclass(frozen=True, slots=True)
class RenewalAttempt:
    """The ports and parts that a step needs."""

    connections: ConnectionStore
    published: PublishedConnectors
    egress: Egress
    budget: LoginBudget
    gate: ProviderGate
    settlement: Settlement
    clock: Clock
    entropy: Entropy
    known: InFlight

    async def once(self, connection: Connection, actor: Actor, *, forced: bool, stale: bool) -> Connection | None:
        """Take one step; returns the renewed connection, or None: read the row again and decide anew.

        Raises as `Renewals.renew`.
        """
        connector = await self.published.version(
            connection.connector, connection.connector_version, project=connection.project
        )
        if (spilled := await self.settlement.apply_spilled(connection, connector)) is not None:
            return spilled
        now = self.clock.now()
        step = plan(connection, connector, now=now)
        if step.step is Step.HOLD and stale:
            step = replace(step, step=Step.GIVE_UP)
        if step.step is Step.GIVE_UP:
            return await self._give_up(connection, step, actor)
        if step.step is Step.HOLD:
            await self.settlement.hold(connection)
            raise RenewalNotPossible(extensions={"reason": str(step.cause)})
        self._respect_waits(connection, forced=forced, now=now)
        ready = await self._prepare(connection, connector, step)
        async with self.gate.slot(ready.host):
            if step.not_before > now:
                await self.clock.sleep(step.not_before - now)
            return await self._declare_and_send(ready, actor)

    async def _give_up(self, connection: Connection, step: Plan, actor: Actor) -> Connection:
        cause = step.cause or Cause.TOKEN_ENDED
        await self.settlement.lose(connection, cause, actor)
        raise NeedsReconnect(extensions={"reason": cause.value})

    def _respect_waits(self, connection: Connection, *, forced: bool, now: float) -> None:
        """Fail fast while a back-off or an alarm lasts, with the reason of the failure that began it."""
        alarm = self.gate.alarmed(connection.connector)
        if alarm is not None and alarm[2] > 0 and not forced:
            raise error_named(alarm[0], alarm[2])
        waiting = connection.failures_in_a_row > 0 and connection.renews_at is not None
        if waiting and not forced and connection.renews_at is not None and now < connection.renews_at:
            raise error_named(connection.last_error or "provider_unavailable", connection.renews_at - now)

    async def _prepare(self, connection: Connection, connector: Connector, step: Plan) -> _Ready:
        opened = await self.connections.open(connection.id, project=connection.project)
        if opened is None:
            raise NotFound("There is no such connection.")
        current, secrets = opened
        client = await self.published.client(connector, project=connection.project)
        login = step.step is Step.LOGIN
        spec = connector.token if login else connector.refresh.request
        values = _login_values(current, secrets, client) if login else connection_values(current, secrets, client)
        request = build(connector, spec, values, client)
        kind = IntentKind.LOGIN if login else IntentKind.REFRESH
        username = secrets.username.reveal() if login and secrets.username else ""
        ready = _Ready(kind, current, secrets, connector, spec, request, username)
        if ready.host not in current.hosts:
            raise UrlNotAllowed("The connection is pinned to other hosts; it needs a new login.")
        return ready

    async def _declare_and_send(self, ready: _Ready, actor: Actor) -> Connection | None:
        booked: Attempt | None = None
        if ready.kind is IntentKind.LOGIN:
            booked = await self._book(ready)
        before = ready.connection.intent
        tries = before.tries + 1 if before and before.kind is ready.kind else 1
        intent = Intent(
            ready.kind, ready.connection.generation, self.entropy.identifier("att"), self.clock.now(), tries
        )
        records = [self.settlement.record(ready.connection, f"{ready.kind}.sent", actor, host=ready.host)]
        if before is not None:
            unknown = self.settlement.record(ready.connection, f"{before.kind}.answered", actor, outcome="unknown")
            records.insert(0, unknown)
        # Due at once, should this process die: the scheduler passes over what a living renewer holds.
        marked = replace(ready.connection, intent=intent, renews_at=intent.sent_at)
        try:
            declared = await self.connections.save(marked, records=records)
        except RevisionConflict:
            if booked:
                await self.budget.settle(booked, AttemptResult.NOT_SENT)
            return None
        with self.known.in_flight(*_secrets_of(ready.secrets)):
            sent = await send_for_token(
                self.egress, ready.connector, ready.spec, ready.request, login=ready.kind is IntentKind.LOGIN
            )
        if booked:
            await self.budget.settle(booked, counted(sent.outcome))
        self._tell_gate(ready, sent)
        return await self._follow(replace(ready, connection=declared), sent, actor)

    async def _book(self, ready: _Ready) -> Attempt:
        try:
            return await self.budget.reserve(ready.connector, ready.host, ready.username, ready.connection.project)
        except LoginBudgetSpent as error:
            wait = error.retry_after_s or 60.0
            await self.settlement.postpone(ready.connection, LoginBudgetSpent.code, wait)
            raise

    def _tell_gate(self, ready: _Ready, sent: Sent) -> None:
        if sent.outcome in (SendOutcome.UNAVAILABLE, SendOutcome.NOT_SENT, SendOutcome.NO_ANSWER):
            self.gate.failed(ready.host)
        else:
            self.gate.answered(ready.host)
        asked = sent.outcome in (SendOutcome.RATE_LIMITED, SendOutcome.UNAVAILABLE) and sent.retry_after_s
        if asked:
            self.gate.hold(ready.host, asked)
        if sent.outcome is SendOutcome.TOKEN:
            self.gate.end_alarm(ready.connector.id)

    async def _follow(self, ready: _Ready, sent: Sent, actor: Actor) -> Connection | None:
        follow = FOLLOWS[ready.kind][sent.outcome]
        connection, error = ready.connection, sent.error
        record = self.settlement.record(
            connection, f"{ready.kind}.answered", actor, outcome=error.code if error else "ok", host=ready.host
        )
        if follow is Follow.KEEP and sent.token_set is not None:
            return await self._keep(ready, sent.token_set, record)
        assert error is not None
        failures = connection.failures_in_a_row + 1 if connection.last_error == error.code else 1
        fraction = self.entropy.fraction()
        match follow:
            case Follow.TRY_PASSWORD:
                return await self.settlement.refresh_refused(connection, ready.connector, ready.secrets, record)
            case Follow.GRANT_LOST:
                rejected = ready.kind is IntentKind.LOGIN and sent.outcome is SendOutcome.REJECTED
                return await self.settlement.grant_lost(
                    connection, ready.kind, sent.outcome, sent.failure, record, mark_password=rejected
                )
            case Follow.ALARM:
                wait = self.gate.alarm(ready.connector.id, error.code)
            case Follow.WAIT:
                wait = asked_to_wait_s(sent.retry_after_s, failures, fraction=fraction)
            case Follow.UNKNOWN:
                return await self.settlement.unknown(connection, ready.connector, error, record)
            case Follow.ONE_MORE_TRY:
                await self.settlement.unanswered_login(connection, record)
                return None
            case Follow.THREE_TRIES if failures >= 3:
                return await self.settlement.grant_lost(
                    connection, ready.kind, sent.outcome, sent.failure, record, mark_password=False
                )
            case _:
                wait = back_off_s(failures, fraction=fraction)
        await self.settlement.failed_for_now(connection, error.code, failures, wait, record)
        error.retry_after_s = error.retry_after_s or wait
        raise error

    async def _keep(self, ready: _Ready, token_set: TokenSet, record: AuditRecord) -> Connection:
        before = ready.secrets.token_set
        kept: Mapping[str, Any] = {**(before.kept if before else {}), **token_set.kept}
        whole = replace(token_set, kept=kept)
        if ready.kind is IntentKind.REFRESH and whole.refresh_token is None and before is not None:
            whole = replace(whole, refresh_token=before.refresh_token)
        replaced = before if ready.kind is IntentKind.LOGIN else None
        renewed = self.settlement.record_renewed(ready.connection, record)
        return await self.settlement.keep_tokens.keep(
            ready.connection, whole, ready.connector, records=[record, renewed], replaced=replaced
        )


def _login_values(
    connection: Connection, secrets: ConnectionSecrets, client: ClientCredentials | None
) -> dict[str, Any]:
    username = secrets.username or Secret("")
    password = secrets.password or Secret("")
    return login_values({**connection.fields, **secrets.fields}, username, password, client)


def _secrets_of(secrets: ConnectionSecrets) -> Iterator[Secret]:
    """What a renewal may send."""
    if secrets.token_set is not None and secrets.token_set.refresh_token is not None:
        yield secrets.token_set.refresh_token
    if secrets.password is not None:
        yield secrets.password
    yield from secrets.fields.values()


def counted(outcome: SendOutcome) -> AttemptResult:
    """What the login budget makes of an outcome: rejected, unanswered and unclassified sends count."""
    match outcome:
        case SendOutcome.TOKEN:
            return AttemptResult.SUCCEEDED
        case SendOutcome.NOT_SENT | SendOutcome.UNAVAILABLE | SendOutcome.RATE_LIMITED | SendOutcome.SETUP_WRONG:
            return AttemptResult.NOT_SENT
        case SendOutcome.CHALLENGE:
            return AttemptResult.NOT_SENT
        case _:
            return AttemptResult.FAILED
