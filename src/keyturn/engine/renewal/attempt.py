"""One step of a renewal: decide, have a place, claim the row, send, and store what follows.

Rule 1: all that can fail without the provider fails before the claim; who waits for a place holds nothing.
Rule 2: between any two lines the process may die. What is on disk then says enough: no intent means that nothing was
sent; an intent of nobody who lives, with no newer generation, means that nobody knows.

Source: the renewal design, "A renewal, in two commits" and "Outcomes other than a token".
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack, ExitStack, suppress
from dataclasses import dataclass, field, replace
from typing import Any, Final

from keyturn.core.audit_record import AuditRecord
from keyturn.core.connection import Connection, ConnectionSecrets, Intent, IntentKind, State, is_untold
from keyturn.core.connector import Connector, ProviderRequest, Rotation
from keyturn.core.errors import (
    ConnectionPaused,
    ConnectionUnconfirmed,
    ConnectorInvalid,
    KeyturnError,
    LoginBudgetSpent,
    LoginsStopped,
    NeedsReconnect,
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
    LOGIN_SECOND_TRY_AFTER_S,
    Failing,
    Follow,
    Plan,
    SendOutcome,
    Step,
    failing,
    keeps_alive,
    last_resort_left,
    plan,
    unknown_cause,
    wait_s,
    what_follows,
)
from keyturn.core.renewal.provider_sessions import Room
from keyturn.core.renewal.retry import ON_DEMAND_AGAIN_S, back_off_s
from keyturn.core.requests.provider_request import host_of
from keyturn.core.secret import Secret
from keyturn.core.token_set import TokenSet
from keyturn.engine.actor import Actor
from keyturn.engine.audit.answer_facts import answer_facts, answered_as
from keyturn.engine.before.own_values import remembered_in
from keyturn.engine.before.run_before import Opening, Ran, RunBefore
from keyturn.engine.challenges.refusals import hear
from keyturn.engine.challenges.seed_codes import seed_among, with_code
from keyturn.engine.in_flight import InFlight, secrets_among
from keyturn.engine.login_budget import POLL_S, WAIT_FOR_OTHERS_S, LoginBudget, counted
from keyturn.engine.provider_gate import Asking, ProviderGate, RequestKind
from keyturn.engine.provider_gate.places import Place
from keyturn.engine.published import PublishedConnectors
from keyturn.engine.quiet_hours.quiet_times import QuietTimes
from keyturn.engine.renewal.answer_by_seed import AnswerBySeed, Stopped
from keyturn.engine.renewal.keep import Kept
from keyturn.engine.renewal.renewal_room import RenewalRoom
from keyturn.engine.renewal.settlement import Settlement
from keyturn.engine.renewal.steps_told import StepsTold
from keyturn.engine.send import Sent, build, send_for_token
from keyturn.engine.stopping import Stopping
from keyturn.engine.template_values import answered_hosts, client_values, connection_values, login_values
from keyturn.ports.clock import Clock, Entropy
from keyturn.ports.egress import Egress
from keyturn.ports.renewals import LEASE_S, BudgetSpent, Claimed, Found, Processes, RenewalStore
from keyturn.ports.store import Attempt, AttemptResult, ClientCredentials, ConnectionFilter, RevisionConflict

MOST_OF_AN_ACCOUNT: Final = 50
# Who waited longer for a place reads the row again and decides anew. In less no time-out or plan becomes another, and
# a row that was written meanwhile is not claimed.
PLACE_AT_ONCE_S: Final = 1.0


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
    last_resort: bool = False
    account: str = ""  # of a login
    harmless: bool = False  # sending it again would do no harm

    @property
    def host(self) -> str:
        return host_of(self.request)

    @property
    def asking(self) -> Asking:
        """As the gate knows it."""
        connection, client = self.connection, self.client.client_id if self.client is not None else ""
        return Asking(
            self.host, RequestKind(self.kind.value), connection.connector, connection.id, self.account,
            f"{connection.connector_version} {client}", self.connector.limits.renewals_at_once, connection.project,
            harmless=self.harmless,
        )  # fmt: skip


@dataclass(slots=True)
class Asked:
    """What a renewal was asked for, and what it holds meanwhile.

    `forced`: a person asks; no back-off holds it up. `stale`: the API refused the token. `on_demand`: a caller waits.
    `under_way`: set when the request leaves. `held`: gives the place back; `place`: the one that is had, `at`: where.
    """

    actor: Actor
    held: AsyncExitStack
    under_way: asyncio.Event
    forced: bool = False
    stale: bool = False
    on_demand: bool = False
    place: Place | None = None
    at: tuple[str, IntentKind] | None = None


@dataclass(frozen=True, slots=True)
class RenewalAttempt:
    """The ports and parts that a step needs."""

    renewals: RenewalStore
    processes: Processes
    published: PublishedConnectors
    egress: Egress
    budget: LoginBudget
    gate: ProviderGate
    settlement: Settlement
    stopping: Stopping
    clock: Clock
    entropy: Entropy
    known: InFlight
    answer_by_seed: AnswerBySeed
    quiet: QuietTimes
    room: RenewalRoom
    unsent: dict[str, tuple[str, Connection]] = field(default_factory=dict)  # claimed, and surely not sent

    async def once(self, found: Found, asked: Asked) -> Connection | None:
        """Take one step; returns the renewed connection, or None: read the row again and decide anew.

        `found`: as just read; nobody who lives holds it. Raises as `Renewals.renew`.
        """
        connection = found.connection
        connector = await self.published.version(
            connection.connector, connection.connector_version, project=connection.project
        )
        if connector.session is None:
            return await self._step(found, connector, asked)
        async with self.room.alone(connection.id) as ours:
            if not ours:
                raise RenewalInProgress(retry_after_s=1.0)
            return await self._step(found, connector, asked)

    async def _step(self, found: Found, connector: Connector, asked: Asked) -> Connection | None:
        connection = found.connection
        if (spilled := await self.settlement.apply_spilled(connection, connector)) is not None:
            return spilled
        now = self.clock.now()
        step = await self._plan(connection, connector, stale=asked.stale, now=now)
        if step.step is Step.GIVE_UP:
            await self._give_up(connection, step.cause or Cause.TOKEN_ENDED, asked.actor)
            return None
        if step.step is Step.HOLD:
            await self.settlement.hold(connection)
            raise RenewalNotPossible(extensions={"reason": str(step.cause)})
        self.quiet.refuse(connection.connector, connection.project, strictly=True)
        try:
            ready = await self._prepare(found, connector, step)
        except (ValueAbsent, ValidationFailed, ConnectorInvalid, UrlNotAllowed) as error:
            await self._cannot_be_made(connection, error, asked)
            return None
        self._respect_waits(ready, asked, now=now)
        if await self._placed(ready, asked):
            return None  # it waited: the row and the time may be others now
        if step.not_before > now:
            await self.clock.sleep(min(step.not_before - now, LOGIN_SECOND_TRY_AFTER_S))
        if ready.kind is not IntentKind.LOGIN:
            return await self._claim_and_send(ready, asked)
        async with self.room.turn(connection, found.secrets, connector, ready.host, ready.username) as room:
            return await self._claim_and_send(ready, asked, ends_own=room is Room.END_OWN)

    async def _plan(self, connection: Connection, connector: Connector, *, stale: bool, now: float) -> Plan:
        alone = last_resort_left(connection, connector, now) and await self._alone(connection)
        step = plan(connection, connector, now=now, stale=stale, alone=alone)
        held = connection.paused or connection.unconfirmed
        if held and is_untold(connection) and not _kept_alive_by(step, connection, connector, now):
            return Plan(Step.HOLD, Cause.OUTCOME_UNKNOWN)  # that nobody knows is told, and nothing is sent
        if step.step is Step.LOGIN and held:
            # what is held is kept alive by refresh, and nothing else is sent for it
            raise ConnectionPaused if connection.paused else ConnectionUnconfirmed
        return step

    async def _alone(self, connection: Connection) -> bool:
        """Whether no other living connection has the account, whoever's it is: a grant may be shared."""
        which = ConnectionFilter(connector=connection.connector, unique_id=connection.unique_id, not_ended=True)
        connections = self.settlement.keep_tokens.connections
        found = await connections.list(which, cursor=None, limit=MOST_OF_AN_ACCOUNT, project=connection.project)
        living = (State.ACTIVE, State.UNCERTAIN)
        others = [each for each in found.items if each.id != connection.id and each.state in living]
        return not others and found.next_cursor is None

    async def _placed(self, ready: _Ready, asked: Asked) -> bool:
        """Have a place at the host, before anything is written; says whether there was another before it."""
        at = (ready.host, ready.kind)
        if asked.at == at:
            return False
        before = self.clock.monotonic()
        asked.at = None
        await asked.held.aclose()
        place = self.gate.place(ready.asking, on_demand=asked.on_demand, forced=asked.forced)
        asked.place = await asked.held.enter_async_context(place)
        asked.at = at
        return self.clock.monotonic() - before > PLACE_AT_ONCE_S

    async def _give_up(self, connection: Connection, cause: Cause, actor: Actor) -> None:
        """Raise NeedsReconnect; or return, where somebody newer has spoken."""
        if await self.settlement.lose(connection, cause, actor) is not None:
            raise NeedsReconnect(extensions={"reason": cause.value})

    async def _cannot_be_made(self, connection: Connection, error: KeyturnError, asked: Asked) -> None:
        """The values at hand make no request, and no waiting helps: the token is used to its end, then it is over."""
        cause = Cause.OUTCOME_UNKNOWN if connection.intent is not None else Cause.TOKEN_ENDED
        if asked.stale or connection.token_over(self.clock.now()):
            await self._give_up(connection, cause, asked.actor)
            return
        await self.settlement.hold(connection, error.code)
        raise RenewalNotPossible(extensions={"reason": error.code})

    async def withdrew(self, connection: Connection) -> bool:
        """Take back an intent that this process declared and knows not to have sent; False where there is none."""
        attempt, before = self.unsent.get(connection.id, (None, None))
        if before is None or connection.intent is None or connection.intent.attempt != attempt:
            self.unsent.pop(connection.id, None)
            return False
        await self.settlement.withdraw(connection, before)
        self.unsent.pop(connection.id, None)
        return True

    def _respect_waits(self, ready: _Ready, asked: Asked, *, now: float) -> None:
        """Fail fast while the connection's own back-off lasts, with the reason of the failure that began it."""
        connection = ready.connection
        until, since = connection.retry_at, connection.last_error_at or 0.0
        if until is None or asked.forced or self.gate.recovered(ready.asking, since):
            return
        if is_untold(connection):  # it was over before the send whose outcome is to be settled now
            return
        if asked.on_demand and not connection.retry_asked:
            until = min(until, since + ON_DEMAND_AGAIN_S)
        # A clock that was set back would stretch the wait; then it counts as over.
        if since <= now < until:
            raise error_named(connection.last_error or "provider_unavailable", until - now)

    async def _prepare(self, found: Found, connector: Connector, step: Plan) -> _Ready:
        current, secrets = found.connection, found.secrets
        client = await self.published.client_at_hand(connector, project=current.project)
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
        again = current.intent is not None and current.intent.kind is kind
        ready = _Ready(
            kind,
            current,
            secrets,
            connector,
            spec,
            request,
            client,
            username,
            last_resort=step.last_resort,
            # One of unknown fate that the plan sends again may be sent again; but for the last time.
            harmless=connector.refresh.rotation is Rotation.STABLE or (again and not step.last_resort),
        )
        if login:
            code = seed_among(connector, coded)
            account = await self.budget.account(connector, ready.host, username, current.project)
            ready = replace(
                ready, values=values, opening=opening, code=code, totp_step=totp_step, account=account, harmless=False
            )
        if not {host_of(each) for each in requests} <= set(current.hosts):
            raise UrlNotAllowed("The connection is pinned to other hosts; it needs a new login.")
        return ready

    async def _claim_and_send(self, ready: _Ready, asked: Asked, *, ends_own: bool = False) -> Connection | None:
        claimed = await self._claim(ready, asked)
        if claimed is None:
            return None
        declared, attempt = claimed.connection, claimed.attempt
        asked.under_way.set()
        if ends_own:
            ended = await self._end_own(replace(ready, connection=declared), attempt, asked.actor)
            if ended is None:
                return None
            ready, declared = ended, ended.connection
        with self.known.in_flight(*_secrets_of(ready)), ExitStack() as held:
            ran = Ran(request=ready.request)
            if ready.opening is not None and ready.connector.before:
                watch = StepsTold(self.settlement, self.gate, declared, asked.actor, ready.asking)
                ran = await RunBefore(self.egress, self.known)(ready.opening, watch, held)
                declared = watch.connection
            login = ready.kind is IntentKind.LOGIN
            sent = ran.ended
            if ran.request is not None:
                if asked.place is not None:
                    asked.place.sending()
                sent = await send_for_token(
                    self.egress, ready.connector, ready.spec, ran.request, login=login, live=_live(ready)
                )
            assert sent is not None
            if login and sent.challenge is not None:
                hear(self.gate, ready.asking, sent, sent.host or None)  # what follows may be another host's
                values = {**ran.found, **ready.values}
                stopped = Stopped(declared, ready.connector, ready.client, values, ready.secrets.token_set)
                declared, sent = await self.answer_by_seed(stopped, sent, asked.actor)
        booked = (attempt, ran.result(counted(sent.outcome))) if attempt is not None else None
        hear(self.gate, ready.asking, sent, sent.host or None)
        return await self._follow(replace(ready, connection=declared), sent, asked.actor, booked)

    async def _end_own(self, ready: _Ready, attempt: Attempt | None, actor: Actor) -> _Ready | None:
        """End the connection's session before the login that was declared; None where another has spoken.

        Raises:
            ProviderError: it was not heard; no password was sent.
        """
        connection, error = ready.connection, None
        not_sent = (attempt, AttemptResult.NOT_SENT) if attempt is not None else None
        try:
            with self.known.in_flight(*_secrets_of(ready)):
                ended = await self.room.end(connection, ready.secrets, ready.connector, actor)
        except ProviderError as failed:
            ended, error = None, failed
        except KeyturnError:  # nothing was sent; the intent that stays counts as a login without an answer
            await self._unbook(not_sent)
            raise
        if ended is not None and self.processes.fresh():
            return replace(ready, connection=ended[0], secrets=ended[1])
        if error is not None:
            failures = connection.failures_in_a_row + 1
            wait = error.retry_after_s or back_off_s(failures, fraction=self.entropy.fraction())
            record = self.settlement.answered(connection, actor, error.code, ready.host)
            counted_as = Failing(failures, self.clock.now())
            asked = error.retry_after_s is not None
            written = await self.settlement.failed_for_now(
                connection, error.code, counted_as, wait, record, asked=asked, booked=not_sent
            )
            if written is not None:
                error.retry_after_s = wait
                raise error
        await self._unbook(not_sent)
        return None

    async def _claim(self, ready: _Ready, asked: Asked) -> Claimed | None:
        """Commit the intent; None where another was faster.

        Raises:
            LoginsStopped, LoginBudgetSpent: the budget of logins, of a login.
            StoreUnavailable: whether it was committed is not known; that nothing was sent is, and is remembered.
            ServerStopping, RenewalInProgress: this process was told to stop, or was stopped and woke up.
        """
        read, now = ready.connection, self.clock.now()
        marked = _claimed(ready, self.entropy.identifier("att"), now)
        records = [self.settlement.orphaned(read, asked.actor)] if is_untold(read) else []
        began = self.clock.monotonic()
        try:
            claimed = await self._booked_claim(ready, marked, records, now)
        except RevisionConflict:
            return None
        except StoreUnavailable:
            self.unsent[read.id] = (marked.intent.attempt if marked.intent else "", read)
            # At once, as only this process knows: another that came to the row first would call it uncertain.
            with suppress(KeyturnError):
                found = await self.renewals.read(read.id, project=read.project)
                if found is not None:
                    await self.withdrew(found.connection)
            raise
        if claimed is None:
            return None
        late = self.clock.monotonic() - began >= LEASE_S or not self.processes.fresh()
        if late or self.stopping.begun:
            self.unsent[read.id] = (marked.intent.attempt if marked.intent else "", read)
            await self.settlement.withdraw(claimed.connection, read, _not_sent(claimed.attempt))
            self.unsent.pop(read.id, None)
            self.stopping.refuse()
            raise RenewalInProgress(retry_after_s=1.0)
        return claimed

    async def _booked_claim(
        self, ready: _Ready, marked: Connection, records: list[AuditRecord], now: float
    ) -> Claimed | None:
        """Claim; of a login with the budget that it spends, waiting while logins under way could still spend it."""
        if ready.kind is not IntentKind.LOGIN:
            return await self.renewals.claim(ready.connection, marked, now=now, records=records)
        try:
            booking = await self.budget.booking(ready.connector, ready.host, ready.username, ready.connection.project)
            deadline = self.clock.monotonic() + WAIT_FOR_OTHERS_S
            while True:
                try:
                    return await self.renewals.claim(
                        ready.connection, marked, now=self.clock.now(), booking=booking, records=records
                    )
                except BudgetSpent as spent:
                    if spent.wait_s is not None or self.clock.monotonic() >= deadline:
                        raise LoginBudgetSpent(retry_after_s=spent.wait_s or POLL_S) from None
                await self.clock.sleep(POLL_S)
        except (LoginBudgetSpent, LoginsStopped) as error:
            await self.settlement.postpone(ready.connection, error.code)
            raise

    async def _unbook(self, not_sent: tuple[Attempt, AttemptResult] | None) -> None:
        """An attempt that can't be settled counts as failed in the end; nothing else may hang on it."""
        if not_sent is not None:
            with suppress(StoreUnavailable):
                await self.budget.settle(*not_sent)

    async def _follow(
        self, ready: _Ready, sent: Sent, actor: Actor, booked: tuple[Attempt, AttemptResult] | None
    ) -> Connection | None:
        connection, error, now = ready.connection, sent.error, self.clock.now()
        failed = failing(connection, ready.kind, sent.outcome, error.code if error else "", now)
        follow = what_follows(ready.kind, sent.outcome, failed, now)
        if follow is Follow.KEEP and sent.token_set is not None:
            return await self._keep(ready, sent, sent.token_set, actor, booked)
        assert error is not None
        answer, by_refresh = answer_facts(sent), ready.kind is IntentKind.REFRESH
        said = answered_as(sent, refresh=by_refresh)
        record = self.settlement.answered(connection, actor, said, ready.host, answer)
        match follow:
            case Follow.TRY_PASSWORD:
                return await self.settlement.refresh_refused(connection, ready.connector, ready.secrets, record, answer)
            case Follow.GRANT_LOST:
                rejected = ready.kind is IntentKind.LOGIN and sent.outcome is SendOutcome.REJECTED
                return await self.settlement.grant_lost(
                    connection, ready.kind, sent.outcome, sent.failure, record, mark_password=rejected,
                    answer=answer, booked=booked,
                )  # fmt: skip
            case Follow.UNKNOWN:
                return await self.settlement.unknown(
                    connection, ready.connector, error, record, cause=unknown_cause(answer), answer=answer
                )
            case Follow.ONE_MORE_TRY:
                await self.settlement.unanswered_login(connection, record, booked)
                return None
            case _:
                wait = wait_s(sent.outcome, failed.failures, sent.retry_after_s, self.entropy.fraction())
        told = sent.retry_after_s is not None or sent.outcome in (SendOutcome.SETUP_WRONG, SendOutcome.SCOPE_REFUSED)
        written = await self.settlement.failed_for_now(
            connection, error.code, failed, wait, record, asked=told, answer=answer, booked=booked
        )
        if written is None:
            return None
        error.retry_after_s = error.retry_after_s or wait
        raise error

    async def _keep(
        self,
        ready: _Ready,
        sent: Sent,
        token_set: TokenSet,
        actor: Actor,
        booked: tuple[Attempt, AttemptResult] | None,
    ) -> Connection:
        before = ready.secrets.token_set
        kept: Mapping[str, Any] = {**(before.kept if before else {}), **token_set.kept}
        if before is not None and before.kept:  # a host from an answer is pinned: only a person's login takes another
            pinned = answered_hosts(ready.connector) & before.kept.keys()
            kept = {**kept, **{name: before.kept[name] for name in pinned}}
        whole, login = replace(token_set, kept=kept), ready.kind is IntentKind.LOGIN
        if not login and before is not None:
            whole = _with_refresh_token(whole, before)
        return await self.settlement.keep_tokens.keep(
            Kept(
                ready.connection,
                ready.secrets,
                whole,
                ready.connector,
                [self.settlement.renewed(ready.connection, actor, ready.host)],
                replaced=before if login else None,
                remembered=remembered_in(ready.connector, sent) if login else {},
                booked=booked,
            )
        )


def _kept_alive_by(step: Plan, connection: Connection, connector: Connector, now: float) -> bool:
    """Whether this step may be made for a connection that is paused or unconfirmed."""
    return step.step is Step.GIVE_UP or (step.step is Step.REFRESH and keeps_alive(connection, connector, now))


def _claimed(ready: _Ready, attempt: str, now: float) -> Connection:
    """The row as it says what is about to be sent."""
    read, before = ready.connection, ready.connection.intent
    again = before is not None and before.kind is ready.kind
    intent = Intent(
        ready.kind,
        read.generation,
        attempt,
        before.sent_at if before is not None and again and ready.kind is IntentKind.REFRESH else now,
        before.tries + 1 if before is not None and again else 1,
        last_resort=ready.last_resort or (before is not None and again and before.last_resort),
    )
    # A refresh token of unknown fate that the password takes over from is not sent any more, whatever comes next.
    refreshable = read.refreshable and (before is None or ready.kind is IntentKind.REFRESH)
    step = read.totp_step if ready.totp_step is None else ready.totp_step
    return replace(read, intent=intent, refreshable=refreshable, totp_step=step)


def _not_sent(attempt: Attempt | None) -> tuple[Attempt, AttemptResult] | None:
    return None if attempt is None else (attempt, AttemptResult.NOT_SENT)


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
