"""Writing down what a renewal's step led to, where it led to no token.

Rule: each write says "if the row is still as I left it"; where it is not, somebody newer has spoken and the caller
looks again (None).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Final

from keyturn.core.audit_record import AuditRecord
from keyturn.core.connection import Connection, ConnectionSecrets, Event, Intent, IntentKind, State, advance, is_untold
from keyturn.core.connector import Connector, FailureClass
from keyturn.core.errors import KeyturnError, NeedsReconnect, ProviderTimeout, StoreUnavailable
from keyturn.core.events.mapping import AFTER_CRASH
from keyturn.core.problems import Cause
from keyturn.core.renewal.plan import Failing, SendOutcome, Step, loss_cause, password_usable, plan
from keyturn.core.renewal.retry import back_off_s, write_again_s
from keyturn.core.secret import Secret
from keyturn.core.token_set import TokenSet
from keyturn.engine.actor import SCHEDULER, Actor
from keyturn.engine.audit.connection_record import connection_record
from keyturn.engine.renewal.keep import KeepTokens
from keyturn.engine.renewal.unstored import Unstored
from keyturn.ports.clock import Clock, Entropy
from keyturn.ports.renewals import RenewalStore
from keyturn.ports.store import NOTHING_SEALED, Attempt, AttemptResult, RevisionConflict, SealedChange, Spill

NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})
SENDS_AT_ONCE = 2  # of a refresh token that may be sent again, before the scheduler goes on


@dataclass(frozen=True, slots=True)
class Settlement:
    """The ports that these writes need."""

    renewals: RenewalStore
    spill: Spill
    keep_tokens: KeepTokens
    unstored: Unstored
    clock: Clock
    entropy: Entropy

    async def apply_spilled(self, connection: Connection, connector: Connector) -> Connection | None:
        """Store a token set that an earlier process could only spill; None where there is none."""
        if connection.intent is None:
            return None
        for connection_id, generation, token_set in await self.spill.pending():
            if connection_id == connection.id and generation == connection.generation:
                return await self.keep_tokens.apply_spilled(connection, token_set, connector, generation)
        return None

    async def hold(self, connection: Connection, code: str | None = None) -> None:
        """Nothing may be sent while the token lives: uncertain if a send's fate is unknown, and due at its end.

        `code`: what stands in the way, where it is neither of the plan's causes.
        """
        lost = connection.intent is not None and connection.state is State.ACTIVE
        told = [self.orphaned(connection, SCHEDULER)] if is_untold(connection) else []
        said = code is None or connection.last_error == code
        if not lost and said and connection.renews_at == connection.expires_at:
            return

        def held(current: Connection) -> Connection:
            if lost:
                reason = Cause.OUTCOME_UNKNOWN.value
                current = replace(current, state=advance(current.state, Event.ANSWER_LOST), reason=reason)
            if code is not None:
                current = replace(current, last_error=code, last_error_at=self.clock.now())
            due = current.renews_at if current.paused else current.expires_at
            return replace(current, renews_at=due, failures_in_a_row=0, retry_at=None)

        record = self.record(connection, "connection.uncertain", SCHEDULER, outcome=Cause.OUTCOME_UNKNOWN.value)
        record = replace(record, facts={**record.facts, **AFTER_CRASH})  # no failed answer has told of this one
        await self._write(connection, held, [*told, record] if lost else told)

    async def withdraw(
        self, claimed: Connection, before: Connection, booked: tuple[Attempt, AttemptResult] | None = None
    ) -> None:
        """An intent was declared and nothing sent: what was known before it holds again."""

        def as_before(current: Connection) -> Connection:
            return replace(current, intent=before.intent, refreshable=before.refreshable)

        await self._write(claimed, as_before, [], booked=booked)

    async def lose(self, connection: Connection, cause: Cause, actor: Actor) -> Connection | None:
        """The person is needed from now on."""
        told = [self.orphaned(connection, actor)] if is_untold(connection) else []
        record = self.record(connection, "connection.needs_reconnect", actor, outcome=cause.value)
        return await self._write(connection, lambda current: _lost(current, cause), [*told, record])

    async def postpone(self, connection: Connection, code: str) -> None:
        """Nothing was sent, and why. Said once, not by each call that asks meanwhile; a call may ask again at once."""
        if connection.last_error == code:
            return
        now = self.clock.now()
        await self._write(connection, lambda current: replace(current, last_error=code, last_error_at=now), [])

    async def failed_for_now(
        self,
        connection: Connection,
        code: str,
        failed: Failing,
        wait_s: float,
        record: AuditRecord,
        *,
        asked: bool = False,
        answer: Mapping[str, Any] = NOTHING,
        booked: tuple[Attempt, AttemptResult] | None = None,
    ) -> Connection | None:
        """The try failed for a passing reason: the token set stays, the intent is over, the next try is made later.

        A refresh token whose earlier send had no outcome keeps its intent: this failure says nothing about that one.
        `asked`: the wait is not ours to shorten: the provider named it, or the set-up is wrong.
        """
        now = self.clock.now()
        sent = connection.intent
        open_still = sent if sent is not None and sent.kind is IntentKind.REFRESH and sent.tries > 1 else None

        def for_now(current: Connection) -> Connection:
            return replace(
                current,
                intent=open_still,
                retry_at=now + wait_s,
                retry_asked=asked,
                failures_in_a_row=failed.failures,
                failing_since=failed.since,
                last_answer=answer,
                last_error=code,
                last_error_at=now,
            )

        return await self._write(connection, for_now, [record], after_send=True, booked=booked)

    async def refresh_refused(
        self,
        connection: Connection,
        connector: Connector,
        secrets: ConnectionSecrets,
        record: AuditRecord,
        answer: Mapping[str, Any] = NOTHING,
    ) -> Connection | None:
        """The refresh token is dead: forget it; then the kept password, if it may be used, else the person."""
        before = secrets.token_set
        sealed = SealedChange(token_set=replace(before, refresh_token=None)) if before else NOTHING_SEALED
        now = self.clock.now()
        if password_usable(connection, connector):

            def refused(current: Connection) -> Connection:
                due = None if current.paused else current.renews_at  # no password is sent to keep it from ending
                dead = replace(current, refreshable=False, intent=None, renews_at=due)
                return replace(dead, last_error_at=now, last_answer=answer)

            await self._write(connection, refused, [record], sealed, after_send=True)
            return None
        told = self.record(connection, "connection.needs_reconnect", SCHEDULER, outcome=Cause.GRANT_LOST.value)

        def lost(current: Connection) -> Connection:
            gone = replace(_lost(current, Cause.GRANT_LOST), refreshable=False)
            return replace(gone, last_error_at=now, last_answer=answer)

        if await self._write(connection, lost, [record, told], sealed, after_send=True) is None:
            return None
        raise NeedsReconnect(extensions={"reason": Cause.GRANT_LOST.value})

    async def grant_lost(
        self,
        connection: Connection,
        kind: IntentKind,
        outcome: SendOutcome,
        failure: FailureClass | None,
        record: AuditRecord,
        *,
        mark_password: bool,
        answer: Mapping[str, Any] = NOTHING,
        booked: tuple[Attempt, AttemptResult] | None = None,
    ) -> Connection | None:
        """The person is needed; a password that was refused is marked so that it is never sent again by itself."""
        cause = loss_cause(kind, outcome, failure)
        told = self.record(connection, "connection.needs_reconnect", SCHEDULER, outcome=cause.value)

        def lost(current: Connection) -> Connection:
            marked = current.password_rejected or mark_password
            gone = replace(_lost(current, cause), password_rejected=marked)
            return replace(gone, last_error_at=self.clock.now(), last_answer=answer)

        if await self._write(connection, lost, [record, told], after_send=True, booked=booked) is None:
            return None
        raise NeedsReconnect(extensions={"reason": cause.value})

    async def unknown(
        self,
        connection: Connection,
        connector: Connector,
        error: KeyturnError,
        record: AuditRecord,
        *,
        cause: Cause = Cause.OUTCOME_UNKNOWN,
        answer: Mapping[str, Any] = NOTHING,
    ) -> Connection | None:
        """The refresh may have rotated: uncertain, with its intent left in place for the plan to read."""
        now = self.clock.now()
        tries = connection.intent.tries if connection.intent else 1
        again = plan(connection, connector, now=now).step is Step.REFRESH and tries >= SENDS_AT_ONCE
        wait = back_off_s(tries, fraction=self.entropy.fraction())

        def uncertain(current: Connection) -> Connection:
            return replace(
                current,
                state=advance(current.state, Event.ANSWER_LOST),
                reason=cause.value,
                retry_at=now + wait if again else None,
                retry_asked=False,
                failures_in_a_row=tries if again else 0,
                last_answer=answer,
                last_error=error.code,
                last_error_at=now,
            )

        told = self.record(connection, "connection.uncertain", SCHEDULER, outcome=cause.value)
        written = await self._write(connection, uncertain, [record, told], after_send=True)
        if written is not None and again:
            error.retry_after_s = wait
            raise error
        return None

    async def between(
        self, connection: Connection, record: AuditRecord, *, totp_step: int | None = None, after_send: bool = False
    ) -> Connection | None:
        """Write down a further request of a login, or its answer; `totp_step`: whose code it takes."""

        def noted(current: Connection) -> Connection:
            return replace(current, totp_step=current.totp_step if totp_step is None else totp_step)

        return await self._write(connection, noted, [record], after_send=after_send, goes_on=True)

    async def session_over(self, connection: Connection, token_set: TokenSet, record: AuditRecord) -> Connection | None:
        """The provider was told to end the session, for a login that follows: what is left is what the account is.

        The token is over for every caller from now on; its intent says what it was ended for.
        """
        now = self.clock.now()
        left = SealedChange(token_set=replace(token_set, access_token=Secret(""), refresh_token=None))

        def ended(current: Connection) -> Connection:
            return replace(current, expires_at=now, refreshable=False, refresh_expires_at=None, refresh_end_fixed=False)

        return await self._write(connection, ended, [record], left, after_send=True, goes_on=True)

    async def not_begun(self, declared: Connection, before: Connection) -> None:
        """A person's login was on its way and no password was sent: the connection is as it was before."""

        def as_before(current: Connection) -> Connection:
            return replace(current, intent=before.intent, renews_at=before.renews_at, refreshable=before.refreshable)

        await self._write(declared, as_before, [])

    async def not_logged_in(self, connection: Connection, connector: Connector, cause: Cause, actor: Actor) -> None:
        """A person's login for which the session was ended has brought no other: the kept password does, or nobody.

        Where the person is asked for something in between, it is theirs to answer: no password is sent beside that.
        """
        now = self.clock.now()
        if cause is Cause.SESSION_ENDED and password_usable(connection, connector):
            await self._write(connection, lambda current: replace(current, intent=None, renews_at=now), [])
            return
        record = self.record(connection, "connection.needs_reconnect", actor, outcome=cause.value)
        await self._write(connection, lambda current: _lost(current, cause), [record])

    async def unanswered_login(
        self, connection: Connection, record: AuditRecord, booked: tuple[Attempt, AttemptResult] | None = None
    ) -> None:
        """The intent stays: the plan sees how often this login was tried."""
        now = self.clock.now()

        def unanswered(current: Connection) -> Connection:
            return replace(current, last_error=ProviderTimeout.code, last_error_at=now, last_answer=NOTHING)

        await self._write(connection, unanswered, [record], after_send=True, booked=booked)

    def record(
        self, connection: Connection, action: str, actor: Actor, *, outcome: str = "ok", host: str | None = None
    ) -> AuditRecord:
        """An audit record about a connection."""
        facts: dict[str, object] = {"generation": connection.generation}
        if host is not None:
            facts["host"] = host
        return connection_record(connection, self.clock.now(), action, actor, outcome=outcome, facts=facts)

    def answered(
        self, claimed: Connection, actor: Actor, outcome: str, host: str, answer: Mapping[str, Any] = NOTHING
    ) -> AuditRecord:
        """What came of a send; with what its intent said, as that is gone with this write, and what was answered."""
        intent = claimed.intent
        record = self.record(claimed, f"{intent.kind if intent else IntentKind.REFRESH}.answered", actor,
                             outcome=outcome, host=host)  # fmt: skip
        return record if intent is None else replace(record, facts={**record.facts, **_sent(intent), **answer})

    def orphaned(self, connection: Connection, actor: Actor) -> AuditRecord:
        """An intent was found whose process is gone: what came of that send is not known."""
        intent = connection.intent
        kind = IntentKind.REFRESH if intent is None else intent.kind
        record = self.record(connection, f"{kind}.answered", actor, outcome="unknown")
        return record if intent is None else replace(record, facts={**record.facts, **_sent(intent)})

    def renewed(self, claimed: Connection, actor: Actor, host: str) -> AuditRecord:
        """The one record of a renewal that succeeded."""
        record = self.record(claimed, "connection.renewed", actor, host=host)
        facts = {**record.facts, "generation": claimed.generation + 1}
        if claimed.intent is not None:
            facts |= {"attempt": claimed.intent.attempt, "sent_at": claimed.intent.sent_at}
            if claimed.intent.kind is IntentKind.LOGIN:
                facts["by"] = claimed.intent.kind.value
        return replace(record, facts=facts)

    async def _write(
        self,
        connection: Connection,
        change: Callable[[Connection], Connection],
        records: list[AuditRecord],
        sealed: SealedChange = NOTHING_SEALED,
        *,
        after_send: bool = False,
        goes_on: bool = False,
        booked: tuple[Attempt, AttemptResult] | None = None,
    ) -> Connection | None:
        """Write where generation and intent are still `connection`'s; None where they are not.

        `after_send`: this is what followed from a send, and is written whatever it takes: were it dropped, nobody would
        know any more what the provider answered. So nobody is kept waiting for a database that is gone: the write goes
        on by itself, and what it will say is returned.
        """
        writing = _Write(self.renewals, connection, change, records, sealed, self.clock, goes_on, booked)
        try:
            return await writing.once()
        except StoreUnavailable:
            if not after_send:
                raise
        self.unstored.go_on(writing.until_done(), connection.id)
        return change(connection)


@dataclass(slots=True)
class _Write:
    """One write, made over whatever others write meanwhile."""

    renewals: RenewalStore
    connection: Connection
    change: Callable[[Connection], Connection]
    records: list[AuditRecord]
    sealed: SealedChange
    clock: Clock
    goes_on: bool
    booked: tuple[Attempt, AttemptResult] | None
    current: Connection | None = None

    async def until_done(self) -> None:
        """Go on until the database has taken it."""
        failures = 1
        while True:
            await self.clock.sleep(write_again_s(failures))
            try:
                await self.once()
            except StoreUnavailable:
                failures += 1
            else:
                return

    async def once(self) -> Connection | None:
        """Write it, or return None where somebody newer has spoken."""
        current = self.current or self.connection
        while _same_attempt(current, self.connection):
            changed = replace(self.change(current), updated_at=self.clock.now())
            try:
                return await self.renewals.settle(
                    current, changed, sealed=self.sealed, records=self.records, booked=self.booked,
                    goes_on=self.goes_on,
                )  # fmt: skip
            except RevisionConflict:
                found = await self.renewals.read(self.connection.id, project=self.connection.project)
                if found is None:
                    return None
                current = self.current = found.connection
        return None


def _sent(intent: Intent) -> dict[str, object]:
    sent = {"attempt": intent.attempt, "sent_at": intent.sent_at, "tries": intent.tries}
    return {**sent, "last_resort": True} if intent.last_resort else sent


def _same_attempt(current: Connection, ours: Connection) -> bool:
    theirs = current.intent.attempt if current.intent else None
    mine = ours.intent.attempt if ours.intent else None
    return not current.ended and current.generation == ours.generation and theirs == mine


def _lost(current: Connection, cause: Cause) -> Connection:
    state = advance(current.state, Event.GRANT_LOST)
    return replace(
        current, state=state, reason=cause.value, intent=None, renews_at=None, failures_in_a_row=0, retry_at=None
    )
