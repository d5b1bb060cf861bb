"""One renewal, however many callers ask: lease, re-read, intent, send, keep.

Rule 1: what is sent was committed as an intent first; what is answered is kept or revoked, never dropped.
Rule 2: a renewal runs in a task of its own; a caller that hangs up neither aborts nor doubles it.
Rule 3: no database transaction is open while a provider is awaited.

Source: the renewal design.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, Final

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
)
from keyturn.engine.actor import SCHEDULER, Actor
from keyturn.engine.renewal.attempt import RenewalAttempt
from keyturn.engine.renewal.leasing import POLL_S, Held, Leasing
from keyturn.ports.clock import Clock
from keyturn.ports.lease import Lease
from keyturn.ports.observing.tracing import NO_TRACING, Tracing, coded
from keyturn.ports.store import ConnectionStore

WAIT_FOR_ANOTHER_S: Final = 10.0
LONGEST_RENEWAL_S: Final = 75.0  # two sends of 30 s and the wait between them
STEPS_AT_MOST: Final = 20  # no renewal takes more; a row that others write all the time is left to the next call

log = structlog.get_logger("keyturn.renew")


class Renewals:
    """Renews connections: single flight in this process, a lease across all."""

    def __init__(
        self,
        connections: ConnectionStore,
        lease: Lease,
        attempt: RenewalAttempt,
        clock: Clock,
        tracing: Tracing = NO_TRACING,
    ) -> None:
        self._connections = connections
        self._leasing = Leasing(lease, clock)
        self._attempt = attempt
        self._clock = clock
        self._tracing = tracing
        self._running: dict[tuple[str, str], asyncio.Task[Connection]] = {}

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
            actor: who asks, for the audit log.
            forced: a person asks; the back-off after a passing failure does not hold it up.
            stale: the API refused this generation's token; in an uncertain connection that counts as its end.
            keep_alive: it may be paused or unconfirmed: only what renews it is kept from ending.
            project: the connection's namespace.

        Raises:
            NotFound, ConnectionDisconnected, ConnectionPaused: there is nothing to renew.
            NeedsReconnect, RenewalNotPossible: only the person can help; or nothing that may be sent is left.
            RenewalInProgress: another caller's renewal did not end within 10 s.
            ProviderError, OperatorError, LoginBudgetSpent: why this try failed; the connection stays.
        """
        while True:
            task = self._running.get((project, connection_id))
            joined = task is not None
            if task is None:
                work = self._traced(
                    connection_id, generation, actor, forced=forced, stale=stale, keep_alive=keep_alive, project=project
                )
                task = self._start(connection_id, work, project=project)
            try:
                wait_s = WAIT_FOR_ANOTHER_S if joined else LONGEST_RENEWAL_S
                renewed = await asyncio.wait_for(asyncio.shield(task), wait_s)
            except TimeoutError:
                raise RenewalInProgress(retry_after_s=1.0) from None
            if renewed.generation > generation or not joined:
                return renewed

    def running(self, connection_id: str, *, project: str = "default") -> bool:
        """Whether a renewal of this connection is under way in this process."""
        return (project, connection_id) in self._running

    async def drain(self, timeout_s: float) -> None:
        """Let what is under way end, before the process does."""
        if self._running:
            await asyncio.wait(list(self._running.values()), timeout=timeout_s)

    def _start(
        self, connection_id: str, work: Coroutine[Any, Any, Connection], *, project: str
    ) -> asyncio.Task[Connection]:
        task = asyncio.create_task(work, name=f"renew {connection_id}")
        key = (project, connection_id)
        self._running[key] = task
        task.add_done_callback(lambda done: self._ended(key, done))
        return task

    async def _traced(self, connection_id: str, generation: int, actor: Actor, **how: Any) -> Connection:
        with self._tracing.span("renewal") as span, coded(span):
            renewed = await self._run(connection_id, generation, actor, **how)
            span.note(keyturn_connector=renewed.connector)
            return renewed

    def _ended(self, key: tuple[str, str], task: asyncio.Task[Connection]) -> None:
        if self._running.get(key) is task:
            del self._running[key]
        if task.cancelled():
            return
        error = task.exception()  # fetched here, as every caller may have hung up
        if error is not None and not isinstance(error, KeyturnError):
            log.error("renewal_crashed", connection=key[1], **crash_facts(error))

    async def _run(
        self,
        connection_id: str,
        generation: int,
        actor: Actor,
        *,
        forced: bool,
        stale: bool,
        keep_alive: bool,
        project: str,
    ) -> Connection:
        async with self._leased(connection_id, generation, project) as held:
            if isinstance(held, Connection):
                return held
            for _ in range(STEPS_AT_MOST):
                connection = await self._read(connection_id, project)
                if connection.generation > generation:
                    return connection
                if connection.ended or not keep_alive:
                    refuse_unusable(connection)
                if connection.state is State.NEEDS_RECONNECT:
                    raise NeedsReconnect(extensions={"reason": connection.reason})
                renewed = await self._attempt.once(
                    connection, actor, forced=forced, stale=stale, leased=lambda: self._leasing.still_ours(held)
                )
                if renewed is not None:
                    return renewed
                if not await self._leasing.confirm(held):
                    break  # another renews now; what its intent means is its own affair
            raise RenewalInProgress(retry_after_s=1.0)

    async def _read(self, connection_id: str, project: str) -> Connection:
        connection = await self._connections.load(connection_id, project=project)
        if connection is None:
            raise NotFound("There is no such connection.")
        return connection

    @asynccontextmanager
    async def _leased(self, connection_id: str, generation: int, project: str) -> AsyncIterator[Connection | Held]:
        """Hold the lease, or give the connection whose generation moved while another held it."""
        deadline = self._clock.monotonic() + WAIT_FOR_ANOTHER_S
        while (held := await self._leasing.take(connection_id)) is None:
            connection = await self._read(connection_id, project)
            if connection.generation > generation:
                yield connection
                return
            if self._clock.monotonic() >= deadline:
                raise RenewalInProgress(retry_after_s=1.0)
            await self._clock.sleep(POLL_S)
        async with self._leasing.kept(held):
            yield held


def refuse_unusable(connection: Connection) -> None:
    """Raise where a connection may be neither called nor renewed: ended, paused, unconfirmed."""
    if connection.ended:
        raise ConnectionDisconnected
    if connection.paused:
        raise ConnectionPaused
    if connection.unconfirmed:
        raise ConnectionUnconfirmed
