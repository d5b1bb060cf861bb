"""Telling a provider that tokens are done with: at once, and again until it hears or a day has passed.

Source: RFC 7009; the renewal design, column "revoke" of the outcome table.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Final

import structlog

from keyturn.core.audit_record import AuditRecord
from keyturn.core.connection import Connection, Event, State, advance
from keyturn.core.connector import Connector
from keyturn.core.crashes import crash_facts
from keyturn.core.errors import (
    KeyturnError,
    ProviderRateLimited,
    ProviderUnavailable,
    SealBroken,
    ServerStopping,
    StoreUnavailable,
)
from keyturn.core.renewal.retry import REVOCATION_CAP_S, asked_to_wait_s, back_off_s
from keyturn.core.revocation import Revocation
from keyturn.engine.actor import SCHEDULER, Actor
from keyturn.engine.in_flight import InFlight
from keyturn.engine.provider_gate import ProviderGate
from keyturn.engine.published import PublishedConnectors
from keyturn.engine.quiet_hours.quiet_times import QuietTimes
from keyturn.engine.revocation.renew_first import RenewFirst
from keyturn.engine.revocation.sends import needs_live_token, of_several, sends
from keyturn.engine.revocation.summary import (
    DONE,
    GIVEN_UP,
    NOT_POSSIBLE,
    PENDING,
    RETRYING,
    ended_in,
    open_outcome,
    outcome_of,
    summary_of,
    unreadable_outcome,
)
from keyturn.engine.revocation.tell_provider import Spoken, TellProvider, Told, asking_of
from keyturn.engine.send import REVOKE_TIMEOUT_S, TOKEN_TIMEOUT_S
from keyturn.engine.stopping import Stopping
from keyturn.ports.clock import Clock, Entropy
from keyturn.ports.egress import Egress
from keyturn.ports.store import ConnectionFilter, ConnectionStore, RevisionConflict, RevocationStore

log = structlog.get_logger("keyturn.revoke")

POLL_S: Final = 0.25
LONGEST_CLAIM_S: Final = 90.0
CLAIMED_BESIDES_S: Final = 10.0  # beside what its requests may take
AT_ONCE: Final = 16
CRASHED_AGAIN_S: Final = 900.0
_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


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
    stopping: Stopping = field(default_factory=Stopping)
    running: dict[str, asyncio.Task[Told]] = field(default_factory=dict)
    seen_aside: dict[str, int] = field(default_factory=dict)

    async def attempt(self, revocation: Revocation, *, last: bool = False) -> Told:
        """Try one revocation now and write down what came of it; who asks while it is being tried hears the same.

        `last`: do not keep it for a later try, however this one ends.
        """
        task = self.running.get(revocation.id)
        joined = task is not None
        if task is None:
            task = asyncio.create_task(self._attempt(revocation, last=last), name=f"revoke {revocation.id}")
            self.running[revocation.id] = task
            task.add_done_callback(lambda done: self._task_ended(revocation.id, done))
        told = await asyncio.shield(task)
        if joined and last and told.error is not None and not told.hopeless:
            tried = replace(revocation, tries=revocation.tries + 1, done=told.done, last_error=told.error)
            await self._over(tried, told.open)
        return told

    def _task_ended(self, revocation_id: str, task: asyncio.Task[Told]) -> None:
        self.running.pop(revocation_id, None)
        if not task.cancelled():
            task.exception()  # fetched, as the caller may have hung up

    async def due(self, limit: int = 50) -> int:
        """Try what is due; returns how many were."""
        await self._look_after_parked()
        rows = await self.revocations.due(self.clock.now(), limit=limit)
        slots = asyncio.Semaphore(AT_ONCE)

        async def try_one(row: Revocation) -> None:
            async with slots:
                await self._try_due(row)

        await asyncio.gather(*(try_one(row) for row in rows))
        return len(rows)

    async def _look_after_parked(self) -> None:
        """What was set aside holds up no disconnect, and is kept no longer than any other."""
        aside = await self.revocations.parked()
        if aside and await self.revocations.drop_parked(self.clock.now()):
            aside = await self.revocations.parked()
        if aside != self.seen_aside.get("rows", 0):
            self.seen_aside["rows"] = aside
            await self.end_disconnects()

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
            connection = await self.connections.shown(connection_id, project=project)
            if connection is None or connection.state is not State.DISCONNECTING:
                return
            if await self.revocations.of_connection(connection_id):
                return
            new = await self._ended(connection, ended_in(connection.revocation))
            new = replace(new, updated_at=self.clock.now())
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
        except ServerStopping:
            pass  # nothing was sent, and nobody has it
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
        if told.elsewhere:
            return told
        now, row = self.clock.now(), told.row or revocation
        tried = replace(row, tries=row.tries + 1, done=told.done, last_error=told.error)
        if told.error is None or told.hopeless or last or now >= revocation.give_up_at:
            await self._over(tried, told.open, hopeless=told.hopeless)
            return told
        wait = (
            asked_to_wait_s(told.retry_after_s, 1, fraction=1.0)
            if told.retry_after_s
            else back_off_s(tried.tries, fraction=self.entropy.fraction(), cap_s=REVOCATION_CAP_S)
        )
        # The last try is made when the time is over, not after it.
        later = replace(tried, due_at=min(now + wait, revocation.give_up_at))
        await self.revocations.save(later, records=[self.record(tried, "revocation.tried", told.error, told.open)])
        await self._note(tried, left=told.open)
        return told

    async def _over(self, tried: Revocation, left: Mapping[str, str] = _NOTHING, *, hopeless: bool = False) -> None:
        """Done or given up. The connection is written first: what is then left after a crash is tried once more."""
        result = DONE if tried.last_error is None else NOT_POSSIBLE if hopeless else GIVEN_UP
        await self._note(tried, left=left, result=result)
        record = self.record(tried, "revocation.tried", tried.last_error or "ok", left)
        await self.revocations.remove(tried.id, records=[record])
        if tried.connection is not None:
            await self.end_disconnect(tried.connection, tried.project)

    async def _tell(self, revocation: Revocation, *, last: bool) -> Told:
        try:
            connector = await self.published.version(
                revocation.connector, revocation.connector_version, project=revocation.project
            )
            spoken = Spoken(connector, await self.published.client(connector, project=revocation.project))
        except StoreUnavailable:
            raise
        except KeyturnError as error:
            return Told(revocation.done, error.code)
        try:
            return await self._tell_placed(revocation, spoken, last=last)
        except (ProviderRateLimited, ProviderUnavailable) as error:
            return Told(revocation.done, error.code, error.retry_after_s)

    async def _tell_placed(self, revocation: Revocation, spoken: Spoken, *, last: bool) -> Told:
        connector = spoken.connector
        async with self._place(revocation, spoken, last=last):
            claimed = await self._claimed(revocation, connector, last=last)
            if claimed is None:
                return Told(revocation.done, elsewhere=True)
            try:
                return await self._teller()(claimed, spoken, last=last)
            except RevisionConflict:  # it took longer than its claim
                return Told(revocation.done, elsewhere=True)

    @asynccontextmanager
    async def _place(self, revocation: Revocation, spoken: Spoken, *, last: bool) -> AsyncIterator[None]:
        """A place at the provider for one revocation, had before its row is touched; what waits here has no claim.

        `last`: it is tried whatever the gate believes.
        """
        host = self._teller().host_of_first(revocation, spoken)
        asking = None if host is None else asking_of(revocation, host)
        if asking is None or (last and self.gate.refusal(asking) is not None):
            yield
            return
        async with self.gate.place(asking, on_demand=last):
            yield

    async def _claimed(self, revocation: Revocation, connector: Connector, *, last: bool) -> Revocation | None:
        """Claim it, and say that it is sent; None where another process sends it, or it is gone.

        `last`: nobody tries it after this, so another's try is waited for.
        """
        deadline = self.clock.monotonic() + LONGEST_CLAIM_S
        while True:
            self.stopping.refuse()
            claimed = await self.revocations.claim(
                revocation.id,
                now=self.clock.now(),
                for_s=claimed_for_s(connector, revocation),
                records=[self.record(revocation, "revocation.sent")],
            )
            if claimed is not None and self.stopping.begun:
                record = self.record(revocation, "revocation.tried", "not_sent")
                await self.revocations.withdraw(revocation.id, records=[record])
                raise ServerStopping
            if claimed is not None or not last or self.clock.monotonic() >= deadline:
                return claimed
            if not any(each.id == revocation.id for each in await self._open_of(revocation)):
                return None
            await self.clock.sleep(POLL_S)

    async def _open_of(self, revocation: Revocation) -> Sequence[Revocation]:
        return () if revocation.connection is None else await self.revocations.of_connection(revocation.connection)

    async def tell(self, revocation: Revocation, connector: Connector, *, last: bool) -> Told:
        """Send all of one that rests in no row: once, now. Who asks writes down what came of it."""
        client = await self.published.client(connector, project=revocation.project)
        return await self._teller()(revocation, Spoken(connector, client), last=last, renew=False)

    def _teller(self) -> TellProvider:
        renew_first = RenewFirst(self.revocations, self.egress, self.gate, self.clock, self.known, self.stopping)
        return TellProvider(self.egress, self.gate, self.known, renew_first)

    def reserved(self, revocation: Revocation, connector: Connector) -> Revocation:
        """One that is written now and tried by this process at once, for no other to take up meanwhile."""
        return replace(revocation, claimed_until=self.clock.now() + claimed_for_s(connector, revocation))

    async def _note(self, tried: Revocation, *, left: Mapping[str, str], result: str | None = None) -> None:
        """Write what came of it on the connection, and end its disconnect if nothing else is open.

        `result`: how it ended; None: it is tried again.
        """
        while tried.connection is not None:
            connection = await self.connections.shown(tried.connection, project=tried.project)
            if connection is None or connection.state is not State.DISCONNECTING:
                return
            ended = [each for each in ended_in(connection.revocation) if each.get("id") != tried.id]
            if result is not None:
                ended.append({"id": tried.id, **outcome_of(tried, left, result=result)})
            through = {tried.id, *(each.get("id") for each in ended)}
            others = [each for each in await self.revocations.of_connection(tried.connection) if each.id not in through]
            rows = others if result is not None else [tried, *others]
            still = [open_outcome(each, left if each is tried else None) for each in rows]
            new = replace(connection, revocation=summary_of(ended, still, rows), updated_at=self.clock.now())
            records = []
            if not rows:
                new = await self._ended(new, ended)
                records = [self.record(tried, "connection.disconnected", "ok")]
            try:
                await self.connections.save(new, records=records)
                return
            except RevisionConflict:
                continue

    async def _ended(self, connection: Connection, ended: Sequence[Mapping[str, Any]]) -> Connection:
        """A disconnect of which nothing is open; what can't be opened is nothing that anybody could be told of."""
        ended = list(ended)
        if await self.revocations.parked(connection.id):
            ended.append(unreadable_outcome(SealBroken.code))
        told = connection.revocation
        if ended:
            told = summary_of(ended, (), ())
        elif told.get("result") in (PENDING, RETRYING):
            told = {**told, "result": GIVEN_UP}  # nobody wrote down what came of it
        return replace(connection, state=advance(connection.state, Event.PROVIDER_TOLD), revocation=told)

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


def claimed_for_s(connector: Connector, revocation: Revocation) -> float:
    """How long nobody else takes a revocation up that is being sent: longer than a try may take."""
    renewal_s = TOKEN_TIMEOUT_S + CLAIMED_BESIDES_S if any(map(needs_live_token, sends(connector, revocation))) else 0.0
    return CLAIMED_BESIDES_S + renewal_s + REVOKE_TIMEOUT_S * max(2, sum(1 for _ in sends(connector, revocation)))
