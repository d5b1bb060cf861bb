"""One step of a renewal, with the lease held: decide, declare the intent, send, and store what follows.

Between any two lines the process may die. What is on disk then says enough: no intent means that nothing was sent;
an intent with no newer generation means that nobody knows.

Source: the renewal design, steps 3 to 6 and the outcome table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from typing import Any

from keyturn.core.audit_record import AuditRecord
from keyturn.core.connection import Connection, ConnectionSecrets, Intent, IntentKind
from keyturn.core.connector import Connector, ProviderRequest
from keyturn.core.errors import (
    ConnectionPaused,
    ConnectionUnconfirmed,
    ConnectorInvalid,
    KeyturnError,
    LoginBudgetSpent,
    LoginsStopped,
    NeedsReconnect,
    NotFound,
    ProviderError,
    RenewalInProgress,
    RenewalNotPossible,
    StoreUnavailable,
    UrlNotAllowed,
    ValidationFailed,
    ValueAbsent,
    error_named,
)
from keyturn.core.messages import OutgoingRequest
from keyturn.core.problems import Cause
from keyturn.core.renewal.plan import (
    FOLLOWS,
    LOGIN_SECOND_TRY_AFTER_S,
    REFRESH_TRIES_UNCLASSIFIED,
    Follow,
    Plan,
    SendOutcome,
    Step,
    plan,
)
from keyturn.core.renewal.provider_sessions import Room
from keyturn.core.renewal.retry import asked_to_wait_s, back_off_s
from keyturn.core.requests.provider_request import host_of
from keyturn.core.secret import Secret
from keyturn.core.token_set import TokenSet
from keyturn.engine.actor import Actor
from keyturn.engine.before.own_values import remembered_in
from keyturn.engine.before.run_before import Opening, Ran, RunBefore
from keyturn.engine.challenges.seed_codes import seed_among, with_code
from keyturn.engine.in_flight import InFlight, secrets_among
from keyturn.engine.login_budget import LoginBudget, counted
from keyturn.engine.provider_gate import ProviderGate
from keyturn.engine.published import PublishedConnectors
from keyturn.engine.quiet_hours.quiet_times import QuietTimes
from keyturn.engine.renewal.answer_by_seed import AnswerBySeed, Stopped
from keyturn.engine.renewal.renewal_room import RenewalRoom
from keyturn.engine.renewal.settlement import Settlement
from keyturn.engine.renewal.steps_told import StepsTold
from keyturn.engine.send import Sent, build, send_for_token
from keyturn.engine.template_values import answered_hosts, client_values, connection_values, login_values
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
    client: ClientCredentials | None
    username: str = field(default="", repr=False)
    values: Mapping[str, Any] = field(default_factory=dict, repr=False)  # of a login; a seed as itself
    opening: Opening | None = None  # of a login
    code: Secret | None = None
    totp_step: int | None = None  # whose code that is

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
    answer_by_seed: AnswerBySeed
    quiet: QuietTimes
    room: RenewalRoom
    unsent: dict[str, tuple[str, Intent | None]] = field(default_factory=dict)  # declared, and surely not sent

    async def once(
        self, connection: Connection, actor: Actor, *, forced: bool, stale: bool, leased: Callable[[], bool]
    ) -> Connection | None:
        """Take one step; returns the renewed connection, or None: read the row again and decide anew.

        `leased`: whether the lease is still ours, as far as this process can tell. Raises as `Renewals.renew`.
        """
        connector = await self.published.version(
            connection.connector, connection.connector_version, project=connection.project
        )
        if (spilled := await self.settlement.apply_spilled(connection, connector)) is not None:
            return spilled
        if await self._withdrew(connection, actor):
            return None
        now = self.clock.now()
        step = plan(connection, connector, now=now)
        if step.step is Step.LOGIN and (connection.paused or connection.unconfirmed):
            # what is held is kept alive by refresh, and nothing else is sent for it
            raise ConnectionPaused if connection.paused else ConnectionUnconfirmed
        if step.step is Step.HOLD and stale:
            step = replace(step, step=Step.GIVE_UP)
        if step.step is Step.GIVE_UP:
            await self._give_up(connection, step.cause or Cause.TOKEN_ENDED, actor)
            return None
        if step.step is Step.HOLD:
            await self.settlement.hold(connection)
            raise RenewalNotPossible(extensions={"reason": str(step.cause)})
        self.quiet.refuse(connection.connector, connection.project, strictly=True)
        self._respect_waits(connection, forced=forced, now=now)
        try:
            ready = await self._prepare(connection, connector, step)
        except (ValueAbsent, ValidationFailed, ConnectorInvalid, UrlNotAllowed) as error:
            await self._cannot_be_made(connection, error, actor, stale=stale)
            return None
        if ready is None:
            return None
        async with self.gate.slot(ready.host):
            if step.not_before > now:
                await self.clock.sleep(min(step.not_before - now, LOGIN_SECOND_TRY_AFTER_S))
            return await self._declare_and_send(ready, actor, leased)

    async def _give_up(self, connection: Connection, cause: Cause, actor: Actor) -> None:
        """Raise NeedsReconnect; or return, where somebody newer has spoken."""
        if await self.settlement.lose(connection, cause, actor) is not None:
            raise NeedsReconnect(extensions={"reason": cause.value})

    async def _cannot_be_made(self, connection: Connection, error: KeyturnError, actor: Actor, *, stale: bool) -> None:
        """The values at hand make no request, and no waiting helps: the token is used to its end, then it is over."""
        cause = Cause.OUTCOME_UNKNOWN if connection.intent is not None else Cause.TOKEN_ENDED
        ended = connection.expires_at is not None and self.clock.now() >= connection.expires_at
        if ended or stale:
            await self._give_up(connection, cause, actor)
            return
        await self.settlement.hold(connection, error.code)
        raise RenewalNotPossible(extensions={"reason": error.code})

    async def _withdrew(self, connection: Connection, actor: Actor) -> bool:
        """Take back an intent that this process declared and knows not to have sent; False where there is none."""
        attempt, before = self.unsent.get(connection.id, (None, None))
        if connection.intent is None or connection.intent.attempt != attempt:
            self.unsent.pop(connection.id, None)
            return False
        await self.settlement.withdraw(connection, before, actor)
        self.unsent.pop(connection.id, None)
        return True

    def _respect_waits(self, connection: Connection, *, forced: bool, now: float) -> None:
        """Fail fast while a back-off or an alarm lasts, with the reason of the failure that began it."""
        alarm = self.gate.alarmed(connection.connector)
        if alarm is not None and alarm[2] > 0 and not forced:
            raise error_named(alarm[0], alarm[2])
        if connection.failures_in_a_row == 0 or connection.renews_at is None or forced:
            return
        # A clock that was set back would stretch the wait; then it counts as over.
        if (connection.last_error_at or 0.0) <= now < connection.renews_at:
            raise error_named(connection.last_error or "provider_unavailable", connection.renews_at - now)

    async def _prepare(self, connection: Connection, connector: Connector, step: Plan) -> _Ready | None:
        opened = await self.connections.open(connection.id, project=connection.project)
        if opened is None:
            raise NotFound("There is no such connection.")
        current, secrets = opened
        if current.revision != connection.revision:
            return None  # the plan was made for another row
        client = await self.published.client(connector, project=connection.project)
        login = step.step is Step.LOGIN
        spec = connector.token if login else connector.refresh.request
        values = _login_values(current, secrets, client) if login else connection_values(current, secrets, client)
        totp_step = await self.answer_by_seed.first_step(current, connector, values) if login else None
        coded = with_code(connector, values, totp_step)
        opening = Opening(connector, client, coded)
        requests = opening.check() if login else (build(connector, spec, coded, client),)
        request = requests[-1]
        kind = IntentKind.LOGIN if login else IntentKind.REFRESH
        username = secrets.username.reveal() if login and secrets.username else ""
        ready = _Ready(kind, current, secrets, connector, spec, request, client, username)
        if login:
            code = seed_among(connector, coded)
            ready = replace(ready, values=values, opening=opening, code=code, totp_step=totp_step)
        if not {host_of(each) for each in requests} <= set(current.hosts):
            raise UrlNotAllowed("The connection is pinned to other hosts; it needs a new login.")
        return ready

    async def _declare_and_send(self, ready: _Ready, actor: Actor, leased: Callable[[], bool]) -> Connection | None:
        if ready.kind is not IntentKind.LOGIN:
            return await self._send(ready, actor, leased)
        connection, secrets, connector = ready.connection, ready.secrets, ready.connector
        async with self.room.turn(connection, secrets, connector, ready.host, ready.username) as room:
            return await self._send(ready, actor, leased, ends_own=room is Room.END_OWN)

    async def _send(
        self, ready: _Ready, actor: Actor, leased: Callable[[], bool], *, ends_own: bool = False
    ) -> Connection | None:
        booked = await self._book(ready) if ready.kind is IntentKind.LOGIN else None
        declared: Connection | None = None
        try:
            declared = await self._declare(ready, actor, leased)
        finally:
            if declared is None and booked:
                await self._settle(booked, AttemptResult.NOT_SENT)
        if declared is None:
            return None
        if ends_own:
            ended = await self._end_own(replace(ready, connection=declared), booked, actor, leased)
            if ended is None:
                return None
            ready, declared = ended, ended.connection
        with self.known.in_flight(*_secrets_of(ready)), ExitStack() as held:
            ran = Ran(request=ready.request)
            if ready.opening is not None and ready.connector.before:
                watch = StepsTold(self.settlement, self.gate, declared, actor)
                ran = await RunBefore(self.egress, self.known)(ready.opening, watch, held)
                declared = watch.connection
            login = ready.kind is IntentKind.LOGIN
            sent = ran.ended
            if ran.request is not None:
                sent = await send_for_token(
                    self.egress, ready.connector, ready.spec, ran.request, login=login, live=_live(ready)
                )
            assert sent is not None
            if login and sent.challenge is not None:
                values = {**ran.found, **ready.values}
                stopped = Stopped(declared, ready.connector, ready.client, values, ready.secrets.token_set)
                declared, sent = await self.answer_by_seed(stopped, sent, actor)
        if booked:
            await self._settle(booked, ran.result(counted(sent.outcome)))
        self._tell_gate(ready, sent)
        return await self._follow(replace(ready, connection=declared), sent, actor)

    async def _end_own(
        self, ready: _Ready, booked: Attempt | None, actor: Actor, leased: Callable[[], bool]
    ) -> _Ready | None:
        """End the connection's session before the login that was declared; None where another has spoken.

        Raises:
            ProviderError: it was not heard; no password was sent.
        """
        connection, error = ready.connection, None
        try:
            with self.known.in_flight(*_secrets_of(ready)):
                ended = await self.room.end(connection, ready.secrets, ready.connector, actor)
        except ProviderError as failed:
            ended, error = None, failed
        except KeyturnError:  # nothing was sent; the intent that stays counts as a login without an answer
            if booked:
                await self._settle(booked, AttemptResult.NOT_SENT)
            raise
        if ended is not None and leased():
            return replace(ready, connection=ended[0], secrets=ended[1])
        if booked:
            await self._settle(booked, AttemptResult.NOT_SENT)
        if error is not None:
            failures = connection.failures_in_a_row + 1
            wait = error.retry_after_s or back_off_s(failures, fraction=self.entropy.fraction())
            record = self.settlement.record(connection, "login.answered", actor, outcome=error.code, host=ready.host)
            if await self.settlement.failed_for_now(connection, error.code, failures, wait, record) is not None:
                error.retry_after_s = wait
                raise error
        return None

    async def _declare(self, ready: _Ready, actor: Actor, leased: Callable[[], bool]) -> Connection | None:
        """Commit the intent; None where another was faster.

        Raises:
            StoreUnavailable: whether it was committed is not known; that nothing was sent is, and is remembered.
            RenewalInProgress: the lease ran out on the way (a process that was stopped and woke up).
        """
        before, now = ready.connection.intent, self.clock.now()
        again = before is not None and before.kind is ready.kind
        intent = Intent(
            ready.kind,
            ready.connection.generation,
            self.entropy.identifier("att"),
            before.sent_at if before is not None and again and ready.kind is IntentKind.REFRESH else now,
            before.tries + 1 if before is not None and again else 1,
        )
        records = [self.settlement.record(ready.connection, f"{ready.kind}.sent", actor, host=ready.host)]
        if before is not None:
            unknown = self.settlement.record(ready.connection, f"{before.kind}.answered", actor, outcome="unknown")
            records.insert(0, unknown)
        # A refresh token of unknown fate that the password takes over from is not sent any more, whatever comes next.
        refreshable = ready.connection.refreshable and (before is None or ready.kind is IntentKind.REFRESH)
        # Due at once, should this process die: the scheduler passes over what a living renewer holds.
        marked = replace(ready.connection, intent=intent, renews_at=now, refreshable=refreshable)
        if ready.totp_step is not None:
            marked = replace(marked, totp_step=ready.totp_step)
        try:
            declared = await self.connections.save(marked, records=records)
        except RevisionConflict:
            return None
        except StoreUnavailable:
            self.unsent[ready.connection.id] = (intent.attempt, before)
            # At once, as only this process knows: another that came to the row first would call it uncertain.
            with suppress(KeyturnError):
                found = await self.connections.load(ready.connection.id, project=ready.connection.project)
                if found is not None and found.intent is not None:
                    await self._withdrew(found, actor)
            raise
        if not leased():
            self.unsent[ready.connection.id] = (intent.attempt, before)
            await self._withdrew(declared, actor)
            raise RenewalInProgress(retry_after_s=1.0)
        return declared

    async def _book(self, ready: _Ready) -> Attempt:
        try:
            return await self.budget.reserve(ready.connector, ready.host, ready.username, ready.connection.project)
        except (LoginBudgetSpent, LoginsStopped) as error:
            await self.settlement.postpone(ready.connection, error.code, error.retry_after_s or 60.0)
            raise

    async def _settle(self, booked: Attempt, result: AttemptResult) -> None:
        """An attempt that can't be settled counts as failed in the end; nothing else may hang on it."""
        with suppress(StoreUnavailable):
            await self.budget.settle(booked, result)

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
            return await self._keep(ready, sent, sent.token_set, record)
        assert error is not None
        # Three tries are three of the same; a back-off grows with every failure.
        same = connection.last_error == error.code or follow is not Follow.THREE_TRIES
        failures = connection.failures_in_a_row + 1 if same else 1
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
            case Follow.THREE_TRIES if failures >= REFRESH_TRIES_UNCLASSIFIED:
                return await self.settlement.grant_lost(
                    connection, ready.kind, sent.outcome, sent.failure, record, mark_password=False
                )
            case _:
                wait = back_off_s(failures, fraction=fraction)
        if await self.settlement.failed_for_now(connection, error.code, failures, wait, record) is None:
            return None
        error.retry_after_s = error.retry_after_s or wait
        raise error

    async def _keep(self, ready: _Ready, sent: Sent, token_set: TokenSet, record: AuditRecord) -> Connection:
        before = ready.secrets.token_set
        kept: Mapping[str, Any] = {**(before.kept if before else {}), **token_set.kept}
        if before is not None:  # a host from an answer is pinned: only the person's login takes another
            pinned = answered_hosts(ready.connector) & before.kept.keys()
            kept = {**kept, **{name: before.kept[name] for name in pinned}}
        whole = replace(token_set, kept=kept)
        if ready.kind is IntentKind.REFRESH and before is not None:
            whole = _with_refresh_token(whole, before)
        replaced = before if ready.kind is IntentKind.LOGIN else None
        renewed = self.settlement.record_renewed(ready.connection, record)
        return await self.settlement.keep_tokens.keep(
            ready.connection,
            whole,
            ready.connector,
            records=[record, renewed],
            replaced=replaced,
            sealed_fields=ready.secrets.fields,
            remembered=remembered_in(ready.connector, sent) if ready.kind is IntentKind.LOGIN else {},
        )


def _with_refresh_token(whole: TokenSet, before: TokenSet) -> TokenSet:
    """The new set with the refresh token that was used, where the answer gave no other, and what is known of it."""
    if whole.refresh_token is None:
        whole = replace(whole, refresh_token=before.refresh_token)
    if whole.refresh_expires_at is None and whole.refresh_token == before.refresh_token:
        whole = replace(whole, refresh_expires_at=before.refresh_expires_at)
    return whole


def _login_values(
    connection: Connection, secrets: ConnectionSecrets, client: ClientCredentials | None
) -> dict[str, Any]:
    username = secrets.username or Secret("")
    password = secrets.password or Secret("")
    return login_values({**connection.fields, **secrets.fields}, username, password, client)


def _live(ready: _Ready) -> Secret | None:
    """The access token, where it is what renews."""
    token_set = ready.secrets.token_set
    renews = ready.kind is IntentKind.REFRESH and ready.connector.refresh.with_token
    return token_set.access_token if renews and token_set is not None else None


def _secrets_of(ready: _Ready) -> Iterator[Secret]:
    """What a renewal may send."""
    secrets = ready.secrets
    if (live := _live(ready)) is not None:
        yield live
    if secrets.token_set is not None and secrets.token_set.refresh_token is not None:
        yield secrets.token_set.refresh_token
    if secrets.password is not None:
        yield secrets.password
    if ready.code is not None:
        yield ready.code
    yield from secrets.fields.values()
    yield from secrets_among(client_values(ready.client))
