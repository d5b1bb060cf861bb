"""Telling a provider that tokens are done with: at once, and again until it hears or a day has passed.

Source: RFC 7009; the renewal design, column "revoke" of the outcome table.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Final

import structlog

from keyturn.core.answers.token_response import Outcome, read_answer
from keyturn.core.audit_record import AuditRecord
from keyturn.core.connection import Event, State, advance
from keyturn.core.connector import Connector, FailureClass, ProviderRequest
from keyturn.core.crashes import crash_facts
from keyturn.core.errors import (
    ConnectorClientRejected,
    KeyturnError,
    ProviderRateLimited,
    StoreUnavailable,
    UrlNotAllowed,
)
from keyturn.core.messages import Answer
from keyturn.core.renewal.retry import REVOCATION_CAP_S, asked_to_wait_s, back_off_s, quiet_s
from keyturn.core.requests.provider_request import host_of
from keyturn.core.revocation import Revocation
from keyturn.engine.actor import SCHEDULER, Actor
from keyturn.engine.in_flight import InFlight, secrets_among
from keyturn.engine.provider_gate import ProviderGate
from keyturn.engine.published import PublishedConnectors
from keyturn.engine.quiet_hours.quiet_times import QuietTimes
from keyturn.engine.revocation.sends import Send, kinds_of, of_several, sends
from keyturn.engine.send import REVOKE_TIMEOUT_S, build, error_of, policy_of
from keyturn.engine.template_values import client_values, revoke_values
from keyturn.ports.clock import Clock, Entropy
from keyturn.ports.egress import Egress
from keyturn.ports.store import (
    ClientCredentials,
    ConnectionFilter,
    ConnectionStore,
    RevisionConflict,
    RevocationStore,
)

log = structlog.get_logger("keyturn.revoke")

CLAIMED_BESIDES_S: Final = 10.0  # beside what its requests may take
AT_ONCE: Final = 16
CRASHED_AGAIN_S: Final = 900.0
_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})
_DONE: Final = frozenset({Outcome.TOKEN, Outcome.REJECTED_CREDENTIALS})


@dataclass(frozen=True, slots=True)
class Told:
    """What came of one try: what is done, and the code of what went wrong with another.

    `open`: what was tried and is not done, each with its code.
    """

    done: tuple[str, ...]
    error: str | None = None
    retry_after_s: float | None = None
    open: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Spoken:
    """What a try needs: the version that says how, and the application."""

    connector: Connector
    client: ClientCredentials | None


@dataclass(frozen=True, slots=True)
class Revoke:
    """Tries due revocations, and ends a disconnect when its last one is through."""

    connections: ConnectionStore
    revocations: RevocationStore
    published: PublishedConnectors
    egress: Egress
    gate: ProviderGate
    clock: Clock
    entropy: Entropy
    known: InFlight
    quiet: QuietTimes
    running: dict[str, asyncio.Task[Told]] = field(default_factory=dict)

    async def attempt(self, revocation: Revocation, *, last: bool = False) -> Told:
        """Try one revocation now and write down what came of it; who asks while it is being tried hears the same.

        `last`: do not keep it for a later try, however this one ends.
        """
        task = self.running.get(revocation.id)
        joined = task is not None
        if task is None:
            task = asyncio.create_task(self._attempt(revocation, last=last), name=f"revoke {revocation.id}")
            self.running[revocation.id] = task
            task.add_done_callback(lambda done: self._ended(revocation.id, done))
        told = await asyncio.shield(task)
        if joined and last and told.error is not None:
            tried = replace(revocation, tries=revocation.tries + 1, done=told.done, last_error=told.error)
            await self._over(tried, told.open)
        return told

    def _ended(self, revocation_id: str, task: asyncio.Task[Told]) -> None:
        self.running.pop(revocation_id, None)
        if not task.cancelled():
            task.exception()  # fetched, as the caller may have hung up

    async def due(self, limit: int = 50) -> int:
        """Try what is due; returns how many were."""
        rows = await self.revocations.due(self.clock.now(), limit=limit)
        slots = asyncio.Semaphore(AT_ONCE)

        async def try_one(row: Revocation) -> None:
            async with slots:
                await self._try_due(row)

        await asyncio.gather(*(try_one(row) for row in rows))
        return len(rows)

    async def end_disconnects(self) -> None:
        """End every disconnect that has nothing open any more: its last write was lost on the way."""
        cursor: str | None = None
        while True:
            which = ConnectionFilter(state=State.DISCONNECTING.value)
            page = await self.connections.list(which, cursor=cursor, limit=100)
            for connection in page.items:
                await self.end_disconnect(connection.id, connection.project)
            cursor = page.next_cursor
            if cursor is None:
                return

    async def end_disconnect(self, connection_id: str, project: str) -> None:
        """Write that the provider was told, if nothing is open."""
        while True:
            connection = await self.connections.load(connection_id, project=project)
            if connection is None or connection.state is not State.DISCONNECTING:
                return
            if await self.revocations.of_connection(connection_id):
                return
            new = replace(connection, state=advance(connection.state, Event.PROVIDER_TOLD), updated_at=self.clock.now())
            record = AuditRecord(
                self.clock.now(),
                "connection.disconnected",
                "scheduler",
                connector=connection.connector,
                connection=connection_id,
                owner=connection.owner,
                project=project,
            )
            try:
                await self.connections.save(new, records=[record])
                return
            except RevisionConflict:
                continue

    async def _try_due(self, row: Revocation) -> None:
        """One of many: its failure keeps none of the others back, and does not come up again each second."""
        try:
            if await self._left_for_later(row):
                return
            await self.attempt(row)
        except StoreUnavailable as error:
            log.warning("revocation_failed", revocation=row.id, code=error.code)
        except Exception as error:  # noqa: BLE001  (written down by its place; the others go on)
            log.error("revocation_crashed", revocation=row.id, **crash_facts(error))
            later = min(self.clock.now() + CRASHED_AGAIN_S, max(row.give_up_at, self.clock.now()))
            await self._crashed(row, later)

    async def _left_for_later(self, row: Revocation) -> bool:
        """Move one away that is due in quiet hours; at the end of its time it is tried whatever the hour."""
        now = self.clock.now()
        if now >= row.give_up_at or self.quiet.until(row.connector, row.project) is None:
            return False
        later = min(self.quiet.later(row.connector, now, row.project), row.give_up_at)
        await self.revocations.save(replace(row, due_at=later))
        return True

    async def _crashed(self, row: Revocation, later: float) -> None:
        tried = replace(row, tries=row.tries + 1, due_at=later, last_error=KeyturnError.code)
        try:
            if self.clock.now() >= row.give_up_at:
                await self._over(tried)
            else:
                await self.revocations.save(tried, records=[self.record(tried, "revocation.tried", KeyturnError.code)])
        except StoreUnavailable as error:
            log.warning("revocation_failed", revocation=row.id, code=error.code)

    async def _attempt(self, revocation: Revocation, *, last: bool) -> Told:
        told = await self._tell(revocation, last=last)
        now = self.clock.now()
        tried = replace(revocation, tries=revocation.tries + 1, done=told.done, last_error=told.error)
        if told.error is None or last or now >= revocation.give_up_at:
            await self._over(tried, told.open)
            return told
        wait = (
            asked_to_wait_s(told.retry_after_s, 1, fraction=1.0)
            if told.retry_after_s
            else back_off_s(tried.tries, fraction=self.entropy.fraction(), cap_s=REVOCATION_CAP_S)
        )
        # The last try is made when the time is over, not after it.
        later = replace(tried, due_at=min(now + wait, revocation.give_up_at))
        await self.revocations.save(later, records=[self.record(tried, "revocation.tried", told.error, told.open)])
        await self._note(tried, over=False, left=told.open)
        return told

    async def _over(self, tried: Revocation, left: Mapping[str, str] = _NOTHING) -> None:
        """Done or given up. The connection is written first: what is then left after a crash is tried once more."""
        await self._note(tried, over=True, left=left)
        record = self.record(tried, "revocation.tried", tried.last_error or "ok", left)
        await self.revocations.remove(tried.id, records=[record])
        if tried.connection is not None:
            await self.end_disconnect(tried.connection, tried.project)

    async def _tell(self, revocation: Revocation, *, last: bool) -> Told:
        done = list(revocation.done)
        try:
            connector = await self.published.version(
                revocation.connector, revocation.connector_version, project=revocation.project
            )
            spoken = _Spoken(connector, await self.published.client(connector, project=revocation.project))
        except StoreUnavailable:
            raise
        except KeyturnError as error:
            return Told(tuple(done), error.code)
        alarm = self.gate.alarmed(connector.id)
        if alarm is not None and alarm[2] > 0 and not last:
            return Told(tuple(done), alarm[0], alarm[2])
        await self._claim(revocation, connector)
        return await self._tell_all(revocation, spoken, last=last)

    async def tell(self, revocation: Revocation, connector: Connector, *, last: bool) -> Told:
        """Send all of one that rests in no row: once, now. Who asks writes down what came of it."""
        client = await self.published.client(connector, project=revocation.project)
        return await self._tell_all(revocation, _Spoken(connector, client), last=last)

    async def _tell_all(self, revocation: Revocation, spoken: _Spoken, *, last: bool) -> Told:
        done = list(revocation.done)
        left: dict[str, str] = {}
        retry_after: float | None = None
        for one in sends(spoken.connector, revocation):
            if one.name in done:
                continue
            code, wait = await self._tell_one(revocation, spoken, one, last=last)
            if code is None:
                done.append(one.name)
            else:
                left[one.name] = code
                retry_after = max(wait or 0.0, retry_after or 0.0) or None
        return Told(tuple(done), next(reversed(left.values()), None), retry_after, left)

    async def _claim(self, revocation: Revocation, connector: Connector) -> None:
        """Say that it is being sent, before it is; nobody else takes it up meanwhile."""
        claimed = replace(revocation, due_at=self.clock.now() + claimed_for_s(connector, revocation))
        await self.revocations.save(claimed, records=[self.record(revocation, "revocation.sent")])

    async def _tell_one(
        self, revocation: Revocation, spoken: _Spoken, one: Send, *, last: bool
    ) -> tuple[str | None, float | None]:
        connector, client = spoken.connector, spoken.client
        values: dict[str, Any] = {
            **revocation.values,
            **client_values(client),
            **revoke_values(revocation.token_set, one.token, one.kind),
        }
        try:
            request = build(connector, one.request, values, client)
            host = host_of(request)
            if host not in revocation.hosts:
                raise UrlNotAllowed
            if not last:
                self.gate.check(host)
            with self.known.in_flight(*secrets_among(values)):
                answer = await self.egress.send(request, policy_of(connector, REVOKE_TIMEOUT_S))
        except KeyturnError as error:
            return error.code, error.retry_after_s
        code, wait = judge_revocation(connector, answer, one.request)
        if code == ConnectorClientRejected.code:
            # The refused application may be one of the revoke request alone: renewals go on being tried.
            return code, quiet_s(revocation.tries + 1)
        if code == ProviderRateLimited.code and wait:
            self.gate.hold(host, wait)
        return code, wait

    async def _note(self, tried: Revocation, *, over: bool, left: Mapping[str, str]) -> None:
        """Write what came of it on the connection, and end its disconnect if nothing else is open."""
        while tried.connection is not None:
            connection = await self.connections.load(tried.connection, project=tried.project)
            if connection is None or connection.state is not State.DISCONNECTING:
                return
            rows = await self.revocations.of_connection(tried.connection)
            new = replace(connection, revocation=_summary(tried, left, over=over), updated_at=self.clock.now())
            records = []
            if over and not any(each.id != tried.id for each in rows):
                new = replace(new, state=advance(new.state, Event.PROVIDER_TOLD))
                records = [self.record(tried, "connection.disconnected", "ok")]
            try:
                await self.connections.save(new, records=records)
                return
            except RevisionConflict:
                continue

    def record(
        self,
        revocation: Revocation,
        action: str,
        outcome: str = "ok",
        left: Mapping[str, str] = _NOTHING,
        *,
        actor: Actor = SCHEDULER,
    ) -> AuditRecord:
        """An audit record about a revocation."""
        facts: dict[str, Any] = {"cause": revocation.cause.value, "tries": revocation.tries}
        facts["done"] = list(revocation.done)
        if of_several(left):
            facts["open"] = dict(left)
        return AuditRecord(
            self.clock.now(),
            action,
            actor.name,
            outcome=outcome,
            connector=revocation.connector,
            connection=revocation.connection,
            request_id=actor.request_id,
            facts=facts,
            project=revocation.project,
        )


def judge_revocation(
    connector: Connector, answer: Answer, spec: ProviderRequest | None = None
) -> tuple[str | None, float | None]:
    """A plain 2xx is done (RFC 7009 §2.2), and so is a token that the provider no longer knows.

    `spec`: which request was answered; the first where none is given.
    """
    if spec is None:
        assert connector.revoke is not None
        spec = connector.revoke.request
    reading = read_answer(
        answer,
        mapping=spec.response,
        rejected_when=spec.rejected_when,
        failures=(*spec.failures, *connector.failures),
    )
    if reading.outcome in _DONE and reading.failure in (None, FailureClass.WRONG_PASSWORD):
        return None, None
    silent = reading.oauth_error is None and reading.failure is None and 200 <= answer.status < 300
    if silent and reading.outcome is Outcome.MALFORMED:
        return None, None  # an empty or foreign body is no error here
    if reading.outcome in (Outcome.INVALID_CLIENT, Outcome.UNSUPPORTED_GRANT):
        return ConnectorClientRejected.code, None
    return error_of(reading, answer).code, reading.retry_after_s


def claimed_for_s(connector: Connector, revocation: Revocation) -> float:
    """How long nobody else takes a revocation up that is being sent: longer than a try may take."""
    return CLAIMED_BESIDES_S + REVOKE_TIMEOUT_S * max(2, sum(1 for _ in sends(connector, revocation)))


def _summary(tried: Revocation, left: Mapping[str, str], *, over: bool) -> dict[str, Any]:
    failed = "given_up" if over else "retrying"
    result = "done" if tried.last_error is None else failed
    found: dict[str, Any] = {"result": result, "tries": tried.tries, "revoked": kinds_of(tried.done)}
    if of_several((*tried.done, *left)):
        done = [{"request": name, "result": "done"} for name in tried.done]
        found["requests"] = done + [{"request": name, "result": failed, "error": code} for name, code in left.items()]
    if tried.last_error is not None:
        found["last_error"] = tried.last_error
    return found if over else {**found, **still_kept(tried)}


def still_kept(revocation: Revocation) -> dict[str, Any]:
    """Which tokens a disconnect still holds, sealed, and until when at most (Unix seconds)."""
    tokens = {"access_token": revocation.token_set.access_token, "refresh_token": revocation.token_set.refresh_token}
    return {"kept": [kind for kind, token in tokens.items() if token], "kept_until": revocation.give_up_at}


def nothing_to_revoke(connector: Connector | None) -> dict[str, Any]:
    """What a disconnect says where no request is made."""
    supported = connector is not None and bool(connector.revokes)
    return {"result": "nothing_to_revoke" if supported else "not_supported", "tries": 0, "revoked": []}
