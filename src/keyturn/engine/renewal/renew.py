"""One renewal, however many callers ask: a place, a claim, one send, and what came of it.

Rule 1: what is sent was claimed first; what is answered is kept or revoked, never dropped.
Rule 2: a renewal runs in a task of its own; a caller that hangs up neither aborts nor doubles it.
Rule 3: no database transaction is open while a provider is awaited.

Source: the renewal design.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Final

import structlog

from keyturn.core.connection import Connection, State
from keyturn.core.crashes import crash_facts
from keyturn.core.errors import (
    ConnectionDisconnected,
    ConnectionPaused,
    ConnectionUnconfirmed,
    KeyturnError,
    NeedsReconnect,
    NotFound,
    RenewalInProgress,
    StoreUnavailable,
)
from keyturn.engine.actor import SCHEDULER, Actor
from keyturn.engine.renewal.attempt import Asked, RenewalAttempt
from keyturn.engine.renewal.leasing import POLL_S
from keyturn.engine.renewal.unstored import Unstored
from keyturn.ports.clock import Clock
from keyturn.ports.observing.tracing import NO_TRACING, Tracing, coded
from keyturn.ports.renewals import Found, RenewalStore

WAIT_FOR_ANOTHER_S: Final = 10.0
STEPS_AT_MOST: Final = 20  # no renewal takes more; a row that others write all the time is left to the next call

log = structlog.get_logger("keyturn.renew")


@dataclass(slots=True, eq=False)
class _Running:
    """A renewal in this process. `under_way`: its request has left; from then on those who wait hear its answer."""

    task: asyncio.Task[Connection]
    under_way: asyncio.Event


class Renewals:
    """Renews connections: single flight in this process, a claim across all."""

    def __init__(
        self,
        renewals: RenewalStore,
        attempt: RenewalAttempt,
        unstored: Unstored,
        clock: Clock,
        tracing: Tracing = NO_TRACING,
    ) -> None:
        self._renewals = renewals
        self._attempt = attempt
        self._unstored = unstored
        self._clock = clock
        self._tracing = tracing
        self._running: dict[tuple[str, str], _Running] = {}

    async def renew(
        self,
        connection_id: str,
        *,
        generation: int,
        actor: Actor = SCHEDULER,
        forced: bool = False,
        stale: bool = False,
        keep_alive: bool = False,
        project: str = "default",
    ) -> Connection:
        """Bring the connection past `generation`, and return it.

        Args:
            connection_id: which.
            generation: the one that the caller found ended; if the connection is past it, nothing is done.
            actor: who asks, for the audit log; all but the scheduler wait for the answer, and go first.
            forced: a person asks; the back-off after a passing failure does not hold it up.
            stale: the API refused this generation's token; in an uncertain connection that counts as its end.
            keep_alive: it may be paused or unconfirmed: only what renews it is kept from ending.
            project: the connection's namespace.

        Raises:
            NotFound, ConnectionDisconnected, ConnectionPaused: there is nothing to renew.
            NeedsReconnect, RenewalNotPossible: only the person can help; or nothing that may be sent is left.
            RenewalInProgress: no place at the provider was free, or another process's renewal did not end, within 10 s.
            ServerStopping: nothing is sent any more.
            ProviderError, OperatorError, LoginBudgetSpent: why this try failed; the connection stays.
        """
        while True:
            running = self._running.get((project, connection_id))
            joined = running is not None
            if running is None:
                how = _How(actor, forced, stale, keep_alive)
                running = self._start(connection_id, generation, how, project=project)
            renewed = await self._waited(running)
            if renewed.generation > generation or not joined:
                return renewed

    async def _waited(self, running: _Running) -> Connection:
        """The renewed connection; who waits gives up after 10 s in which nothing was sent, the renewal does not."""
        if not running.under_way.is_set():
            sending = asyncio.ensure_future(running.under_way.wait())
            try:
                await asyncio.wait(
                    {running.task, sending}, timeout=WAIT_FOR_ANOTHER_S, return_when=asyncio.FIRST_COMPLETED
                )
            finally:
                sending.cancel()
            if not running.task.done() and not running.under_way.is_set():
                raise RenewalInProgress(retry_after_s=1.0)
        return await asyncio.shield(running.task)

    def running(self, connection_id: str, *, project: str = "default") -> bool:
        """Whether a renewal of this connection is under way in this process."""
        return (project, connection_id) in self._running

    @property
    def unstored(self) -> int:
        """How many answers of providers the database has not taken yet."""
        return self._unstored.writing

    async def drain(self, timeout_s: float) -> None:
        """Let what is under way end, and be stored, before the process does."""
        deadline = self._clock.monotonic() + timeout_s
        if self._running:
            await asyncio.wait([each.task for each in self._running.values()], timeout=timeout_s)
        await self._unstored.drain(max(0.0, deadline - self._clock.monotonic()))

    def _start(self, connection_id: str, generation: int, how: _How, *, project: str) -> _Running:
        under_way = asyncio.Event()
        work = self._traced(connection_id, generation, how, under_way, project)
        running = _Running(asyncio.create_task(work, name=f"renew {connection_id}"), under_way)
        key = (project, connection_id)
        self._running[key] = running
        running.task.add_done_callback(lambda done: self._ended(key, done))
        return running

    async def _traced(
        self, connection_id: str, generation: int, how: _How, under_way: asyncio.Event, project: str
    ) -> Connection:
        with self._tracing.span("renewal") as span, coded(span):
            renewed = await self._run(connection_id, generation, how, under_way, project)
            span.note(keyturn_connector=renewed.connector)
            return renewed

    def _ended(self, key: tuple[str, str], task: asyncio.Task[Connection]) -> None:
        running = self._running.get(key)
        if running is not None and running.task is task:
            del self._running[key]
        if task.cancelled():
            return
        error = task.exception()  # fetched here, as every caller may have hung up
        if error is not None and not isinstance(error, KeyturnError):
            log.error("renewal_crashed", connection=key[1], **crash_facts(error))

    async def _run(
        self, connection_id: str, generation: int, how: _How, under_way: asyncio.Event, project: str
    ) -> Connection:
        deadline = self._clock.monotonic() + WAIT_FOR_ANOTHER_S
        steps = 0
        async with AsyncExitStack() as held:
            asked = Asked(how.actor, held, under_way, how.forced, how.stale, on_demand=how.actor is not SCHEDULER)
            while steps < STEPS_AT_MOST:
                found = await self._read(connection_id, generation, project)
                if isinstance(found, Connection):
                    return found
                if await self._attempt.withdrew(found.connection):
                    continue
                if not found.connection.ended and found.held:
                    if self._clock.monotonic() >= deadline:
                        break
                    await self._clock.sleep(POLL_S)
                    continue
                self._attempt.stopping.refuse()
                steps += 1
                _refuse(found.connection, how)
                renewed = await self._attempt.once(found, asked)
                if renewed is not None:
                    return renewed
        raise RenewalInProgress(retry_after_s=1.0)

    async def _read(self, connection_id: str, generation: int, project: str) -> Found | Connection:
        """Read the row; where it is past this generation, in the database or in memory, that is all."""
        newer = self._unstored.of(connection_id, project)
        if newer is not None and newer.generation > generation:
            return newer
        found = await self._renewals.read(connection_id, project=project)
        if found is None:
            raise NotFound("There is no such connection.")
        if found.connection.generation > generation:
            return found.connection
        if newer is not None and found.connection.generation < newer.generation:
            raise StoreUnavailable("what the provider answered last could not be stored yet")
        return found


@dataclass(frozen=True, slots=True)
class _How:
    """What a renewal was asked for by whoever began it."""

    actor: Actor
    forced: bool
    stale: bool
    keep_alive: bool


def _refuse(connection: Connection, how: _How) -> None:
    if connection.ended or not how.keep_alive:
        refuse_unusable(connection)
    if connection.state is State.NEEDS_RECONNECT:
        raise NeedsReconnect(extensions={"reason": connection.reason})


def refuse_unusable(connection: Connection) -> None:
    """Raise where a connection may be neither called nor renewed: ended, paused, unconfirmed."""
    if connection.ended:
        raise ConnectionDisconnected
    if connection.paused:
        raise ConnectionPaused
    if connection.unconfirmed:
        raise ConnectionUnconfirmed
