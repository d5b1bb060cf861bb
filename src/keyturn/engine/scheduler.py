"""What happens by itself: renewals ahead of their time, revocations, and the small writes that can wait.

Rule 1: this loop only looks at what is due and hands it on, and no failure ends it.
Rule 2: a row that was looked at is renewed, being renewed, or due later: none comes up second after second, and none
that nothing can be done for stands before those that something can be done for.
"""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Final

import structlog

from keyturn.core.connection import Connection
from keyturn.core.connector import Connector
from keyturn.core.errors import (
    KeyturnError,
    NotFound,
    RenewalInProgress,
    StoreUnavailable,
)
from keyturn.core.renewal.plan import keeps_alive, renewable
from keyturn.core.renewal.retry import RETRY_AFTER_CAP_S
from keyturn.core.renewal.window import IDLE_AFTER_S, kept_alive_at
from keyturn.engine.calls.calls import Calls
from keyturn.engine.jobs.background import LOOK_EVERY_S as LOOK_FOR_JOBS_EVERY_S
from keyturn.engine.jobs.background import Background
from keyturn.engine.other_processes import LOOK_EVERY_S as LOOK_AT_OTHERS_EVERY_S
from keyturn.engine.other_processes import OtherProcesses
from keyturn.engine.provider_gate import Asking, ProviderGate, RequestKind
from keyturn.engine.published import PublishedConnectors
from keyturn.engine.quiet_hours.quiet_times import QuietTimes
from keyturn.engine.renewal.apply_spilled import ApplySpilled
from keyturn.engine.renewal.renew import Renewals
from keyturn.engine.revocation.revoke import Revoke
from keyturn.ports.clock import Clock, Entropy
from keyturn.ports.store import ConnectionStore, RevisionConflict

LOOK_EVERY_S: Final = 1.0
OFFLINE_GRACE_S: Final = 60.0
FLUSH_EVERY_S: Final = 30.0
SPILL_EVERY_S: Final = 60.0
END_EVERY_S: Final = 3600.0
AT_ONCE: Final = 64
AT_ONCE_PER_CONNECTOR: Final = 16  # twice what a host is sent: one that hangs leaves room for the others
LOOKED_AT: Final = 512  # rows of one round; more than are begun, so that those of a busy provider hide no others
UNCONFIRMED_AGAIN_S: Final = 300.0
FAILED_AGAIN_S: Final = 300.0  # where no retry is known to help, and nothing says when
CRASHED_AGAIN_S: Final = 900.0
SPREAD_S: Final = 55.0  # over which those that a provider keeps waiting come back

log = structlog.get_logger("keyturn.scheduler")


class Scheduler:
    """The loops of one process."""

    def __init__(
        self,
        connections: ConnectionStore,
        published: PublishedConnectors,
        renewals: Renewals,
        apply_spilled: ApplySpilled,
        revoke: Revoke,
        calls: Calls,
        gate: ProviderGate,
        quiet: QuietTimes,
        clock: Clock,
        entropy: Entropy,
        *,
        offline_grace_s: float = OFFLINE_GRACE_S,
        when_grace_ends: Callable[[], None] = lambda: None,
        others: OtherProcesses | None = None,
        background: Background | None = None,
        challenges_due: Callable[[], Awaitable[None]] | None = None,
        counts: Callable[[], Awaitable[None]] | None = None,
        probes: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """`when_grace_ends` is called once calls may no longer go on from memory, the database being gone.

        `others`: looks at what other processes wrote. `background`: jobs, and what recurs of them.
        `challenges_due`: looks at logins whose provider has to be asked after, or whose time is up. `counts`: writes
        what was counted in memory, each second and at the end. `probes`: asks hosts that hang whether they
        answer again.
        """
        self.probes = probes
        self._counts = counts
        self.background = background
        self._challenges_due = challenges_due
        self._others = others
        self._offline_grace_s = offline_grace_s
        self._when_grace_ends = when_grace_ends
        self._offline_since: float | None = None  # monotonic
        self._connections = connections
        self._published = published
        self._renewals = renewals
        self._spilled = apply_spilled
        self._revoke = revoke
        self._calls = calls
        self._gate = gate
        self._quiet = quiet
        self._clock = clock
        self._entropy = entropy
        self._tasks: dict[asyncio.Task[None], Connection] = {}
        self._waiting: dict[str, Connection] = {}  # due, and begun as soon as there is room
        self._loops: list[asyncio.Task[None]] = []
        self._looked_at: float | None = None  # monotonic

    def start(self) -> None:
        """Begin; needs a running event loop."""
        self._looked_at = self._clock.monotonic()
        self._loops = [
            asyncio.create_task(self._every(LOOK_EVERY_S, self.renew_due), name="renewals due"),
            asyncio.create_task(self._every(LOOK_EVERY_S, self.revoke_due), name="revocations due"),
            asyncio.create_task(self._every(SPILL_EVERY_S, self.apply_spilled), name="spill files"),
            asyncio.create_task(self._every(FLUSH_EVERY_S, self._calls.flush_uses), name="uses"),
            asyncio.create_task(self._every(END_EVERY_S, self.end_disconnects), name="disconnects"),
        ]
        if self._others is not None:
            following = self._every(LOOK_AT_OTHERS_EVERY_S, self._others.look)
            self._loops.append(asyncio.create_task(following, name="other processes"))
        if self._challenges_due is not None:
            waiting = self._every(LOOK_EVERY_S, self._challenges_due)
            self._loops.append(asyncio.create_task(waiting, name="challenges due"))
        if self.probes is not None:
            self._loops.append(asyncio.create_task(self._every(LOOK_EVERY_S, self.probes), name="probes due"))
        if self._counts is not None:
            writing = self._every(LOOK_EVERY_S, self._counts)
            self._loops.append(asyncio.create_task(writing, name="counts"))
        if self.background is not None:
            due = self._every(LOOK_FOR_JOBS_EVERY_S, self.background.jobs_due)
            self._loops.append(asyncio.create_task(due, name="jobs due"))

    async def stop(self) -> None:
        """Begin nothing new; what is under way ends by itself."""
        self._looked_at = None
        for loop in self._loops:
            loop.cancel()
        await asyncio.gather(*self._loops, return_exceptions=True)
        self._waiting.clear()
        await self._calls.flush_uses()
        if self._counts is not None:
            await self._counts()

    @property
    def busy(self) -> int:
        """How many renewals it has begun that have not ended."""
        return len(self._tasks)

    @property
    def idle_s(self) -> float | None:
        """How long ago it looked for renewals that are due, seconds; None where its loops do not all run."""
        if self._looked_at is None or any(each.done() for each in self._loops):
            return None
        return self._clock.monotonic() - self._looked_at

    async def renew_due(self) -> None:
        """Look at what is due, and renew it, as much at once as there is room for."""
        if self._looked_at is not None:
            self._looked_at = self._clock.monotonic()
        full = len(self._tasks) >= AT_ONCE
        due = await self._ask_database(0 if full else LOOKED_AT)
        await self._quiet.look()
        if full:
            return
        self._waiting.clear()
        for connection in due:
            if self._renewals.running(connection.id, project=connection.project):
                continue
            if not await self._left_alone(connection):
                self._waiting[connection.id] = connection
        self._begin()

    async def _ask_database(self, limit: int) -> Sequence[Connection]:
        """What is due; that it was answered, or was not, is also how the loss of the database is seen (I7, I17)."""
        try:
            due = await self._connections.due(self._clock.now(), limit=limit)
        except StoreUnavailable:
            now = self._clock.monotonic()
            if self._offline_since is None:
                self._offline_since = now
                log.error("database_lost", calls_go_on_for_s=self._offline_grace_s)
            if now - self._offline_since >= self._offline_grace_s:
                self._when_grace_ends()
            raise
        if self._offline_since is not None:
            self._offline_since = None
            log.warning("database_back")
        return due

    def _begin(self) -> None:
        """Begin what waits, as far as there is room for it."""
        busy = Counter(each.connector for each in self._tasks.values())
        begun = {each.id for each in self._tasks.values()}
        for connection in list(self._waiting.values()):
            if len(self._tasks) >= AT_ONCE:
                return
            if busy[connection.connector] >= AT_ONCE_PER_CONNECTOR or self._closed(connection) is not None:
                continue  # the next round moves away what a provider keeps waiting
            del self._waiting[connection.id]
            if connection.id in begun:
                continue
            busy[connection.connector] += 1
            task = asyncio.create_task(self._renew(connection), name=f"scheduled {connection.id}")
            self._tasks[task] = connection
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        del self._tasks[task]
        self._begin()

    async def _left_alone(self, connection: Connection) -> bool:
        """Move away what is not renewed now: then it does not come up again each second."""
        now = self._clock.now()
        if await self._put_off(connection, now):
            return True
        held = connection.paused or connection.unconfirmed
        if held or await self._idle(connection, now):
            kept_alive_at = await self._kept_alive_at(connection)
            if kept_alive_at is not None and kept_alive_at[0] <= now:
                return False
            await self._move(connection, self._looked_at_again(connection, kept_alive_at, now))
        elif (closed := self._closed(connection)) is not None:
            await self._move(connection, now + self._wait_s(closed), closed.code)
        else:
            return False
        return True

    async def _put_off(self, connection: Connection, now: float) -> bool:
        """Move one away that can wait until the provider's quiet hours are over; a call that needs it renews it."""
        if self._quiet.until(connection.connector, connection.project) is None:
            return False
        connector = await self._connector_of(connection)
        later = None if connector is None else self._quiet.placed(connection, connector, now)
        if later is None or later <= now:
            return False
        # Its back-off is over: were it still counted, it would hold up a call until then.
        await self._move(replace(connection, failures_in_a_row=0), later)
        return True

    def _looked_at_again(
        self, connection: Connection, kept_alive_at: tuple[float, float] | None, now: float
    ) -> float | None:
        """When one that is not used comes up again; None: resuming or the next call sets it anew."""
        later = None if kept_alive_at is None else max(kept_alive_at[1], now + LOOK_EVERY_S)
        if connection.unconfirmed and not connection.paused:
            age = now - (connection.token_issued_at or now)
            return min(now + max(UNCONFIRMED_AGAIN_S, age), later or math.inf)
        return later

    async def _kept_alive_at(self, connection: Connection) -> tuple[float, float] | None:
        """When what renews it has to be kept from ending: the earliest time, and one that spreads a fleet."""
        connector = await self._connector_of(connection)
        if connector is None or connection.token_issued_at is None:
            return None
        if not keeps_alive(connection, connector, self._clock.now()):
            return None
        life = partial(
            kept_alive_at,
            issued_at=connection.token_issued_at,
            expires_at=connection.expires_at,
            refresh_expires_at=connection.refresh_expires_at,
        )
        earliest, spread = life(fraction=1.0), life(fraction=self._entropy.fraction())
        spread = self._quiet.placed(connection, connector, spread)
        return None if earliest is None or spread is None else (earliest, spread)

    async def _connector_of(self, connection: Connection) -> Connector | None:
        try:
            return await self._published.version(
                connection.connector, connection.connector_version, project=connection.project
            )
        except NotFound:
            return None

    async def _idle(self, connection: Connection, now: float) -> bool:
        """Nobody used it for 30 days: it is renewed when somebody does."""
        used = max(connection.last_used_at or 0.0, connection.created_at)
        if connection.intent is not None or now - used <= IDLE_AFTER_S:
            return False
        connector = await self._connector_of(connection)
        # One that its live token renews is not waited for beyond its end: no call could renew it then.
        return connector is not None and renewable(connection, connector, now)

    def _closed(self, connection: Connection) -> KeyturnError | None:
        """Why a host of this connection can't be asked now, if so; without a lease and a read for each of thousands."""
        for host in connection.hosts:
            asking = Asking(host, RequestKind.REFRESH, connection.connector, connection.id)
            if (error := self._gate.refusal(asking)) is not None:
                return error
        return None

    async def _renew(self, connection: Connection) -> None:
        try:
            if await self._put_off(connection, self._clock.now()):
                return  # quiet hours began while it waited for its turn
            await self._renewals.renew(
                connection.id,
                generation=connection.generation,
                keep_alive=connection.paused or connection.unconfirmed,
                project=connection.project,
            )
        except (RenewalInProgress, StoreUnavailable) as error:
            log.info("renewal_not_made", connection=connection.id, connector=connection.connector, code=error.code)
        except KeyturnError as error:
            log.info("renewal_not_made", connection=connection.id, connector=connection.connector, code=error.code)
            await self._later(connection, self._wait_s(error), error.code)
        except Exception:
            log.exception("scheduled_renewal_crashed", connection=connection.id, connector=connection.connector)
            await self._later(connection, CRASHED_AGAIN_S, KeyturnError.code)

    def _wait_s(self, error: KeyturnError) -> float:
        if error.retry_after_s is None:
            return FAILED_AGAIN_S * (0.5 + self._entropy.fraction() / 2)
        return min(error.retry_after_s, RETRY_AFTER_CAP_S) + 1.0 + SPREAD_S * self._entropy.fraction()

    async def _later(self, connection: Connection, wait_s: float, code: str) -> None:
        """Move a connection away whose renewal failed without moving it itself."""
        try:
            now = self._clock.now()
            current = await self._connections.load(connection.id, project=connection.project)
            if current is None or current.renews_at is None or current.renews_at > now:
                return
            await self._move(current, now + wait_s, code)
        except StoreUnavailable:
            log.warning("store_unavailable", work="later")

    async def _move(self, connection: Connection, renews_at: float | None, code: str | None = None) -> None:
        new = replace(connection, renews_at=renews_at)
        if code is not None:
            new = replace(new, last_error=code, last_error_at=self._clock.now())
        try:
            await self._connections.save(new)
        except RevisionConflict:
            log.debug("moved_by_another", connection=connection.id)  # and looked at again, if it still is due

    async def apply_spilled(self) -> None:
        """Store or revoke what lies in spill files."""
        await self._spilled()

    async def revoke_due(self) -> None:
        """Try the revocations that are due."""
        await self._revoke.due()

    async def end_disconnects(self) -> None:
        """End disconnects that have nothing open."""
        await self._revoke.end_disconnects()

    async def _every(self, seconds: float, work: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await work()
            except StoreUnavailable:
                log.warning("store_unavailable", work=work.__name__)
            except Exception:
                log.exception("round_failed", work=work.__name__)
            await self._clock.sleep(seconds)
