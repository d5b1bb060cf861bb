"""What happens by itself: renewals ahead of their time, revocations, and the small writes that can wait.

Rule 1: this loop only looks at what is due and hands it on, and no failure ends it.
Rule 2: connectors take turns: however many rows of one wait, those of another come as soon as theirs do. One that may
not be asked now is left out of the look, and its rows are not written.
Rule 3: a row is read when its renewal begins, alone: one that can't be read is set aside, and the round goes on.
Rule 4: what moves a row away for the scheduler alone holds up no caller.

Source: the renewal design, "The scheduler".
"""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Final

import structlog

from keyturn.core.connection import Connection, is_untold
from keyturn.core.connector import Connector
from keyturn.core.errors import (
    KeyturnError,
    KeyUnavailable,
    NotFound,
    RenewalInProgress,
    RowUnreadable,
    SealBroken,
    ServerStopping,
    StoreUnavailable,
    WrongKey,
)
from keyturn.core.renewal.plan import keeps_alive, renewable
from keyturn.core.renewal.retry import RETRY_AFTER_CAP_S
from keyturn.core.renewal.window import IDLE_AFTER_S, kept_alive_at
from keyturn.engine.calls.calls import Calls
from keyturn.engine.jobs.background import LOOK_EVERY_S as LOOK_FOR_JOBS_EVERY_S
from keyturn.engine.jobs.background import Background
from keyturn.engine.other_processes import LOOK_EVERY_S as LOOK_AT_OTHERS_EVERY_S
from keyturn.engine.other_processes import OtherProcesses
from keyturn.engine.provider_gate import ProviderGate
from keyturn.engine.published import PublishedConnectors
from keyturn.engine.quiet_hours.quiet_times import QuietTimes
from keyturn.engine.renewal.apply_spilled import ApplySpilled
from keyturn.engine.renewal.renew import Renewals
from keyturn.engine.revocation.revoke import Revoke
from keyturn.ports.clock import Clock, Entropy
from keyturn.ports.store import ConnectionStore, Due, RevisionConflict

LOOK_EVERY_S: Final = 1.0
OFFLINE_GRACE_S: Final = 60.0
FLUSH_EVERY_S: Final = 30.0
SPILL_EVERY_S: Final = 60.0
END_EVERY_S: Final = 3600.0
AT_ONCE: Final = 128  # the places of sixteen hosts
AT_ONCE_PER_CONNECTOR: Final = 16  # twice what a host is sent, so that who waits for a place is there when it is free
AGAIN_WITH: Final = 8  # as many ended since a full round: the next one is worth its query
UNCONFIRMED_AGAIN_S: Final = 300.0
FAILED_AGAIN_S: Final = 300.0  # where no retry is known to help, and nothing says when
CRASHED_AGAIN_S: Final = 900.0
SPREAD_S: Final = 5.0  # over which those that a provider keeps waiting come back

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
        what was counted in memory, each second and at the end. `probes`: asks hosts that hang whether they answer
        again.
        """
        self.probes = probes
        self._stopped = False
        self._full = False  # the last round left rows that were due
        self._ended_since = 0
        self._again = asyncio.Event()
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
        self._tasks: dict[asyncio.Task[None], Due] = {}
        self._loops: list[asyncio.Task[None]] = []
        self._looked_at: float | None = None  # monotonic

    def start(self) -> None:
        """Begin; needs a running event loop."""
        self._looked_at = self._clock.monotonic()
        self._loops = [
            asyncio.create_task(self._rounds(), name="renewals due"),
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
        if self._counts is not None:
            writing = self._every(LOOK_EVERY_S, self._counts)
            self._loops.append(asyncio.create_task(writing, name="counts"))
        if self.probes is not None:
            self._loops.append(asyncio.create_task(self._every(LOOK_EVERY_S, self.probes), name="probes due"))
        if self.background is not None:
            due = self._every(LOOK_FOR_JOBS_EVERY_S, self.background.jobs_due)
            self._loops.append(asyncio.create_task(due, name="jobs due"))

    async def stop(self) -> None:
        """Begin nothing new; what is under way ends by itself."""
        self._looked_at, self._stopped = None, True
        for loop in self._loops:
            loop.cancel()
        await asyncio.gather(*self._loops, return_exceptions=True)
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
        """Look at what is due, and begin to renew it, as much at once as there is room for."""
        if self._looked_at is not None:
            self._looked_at = self._clock.monotonic()
        self._ended_since = 0
        self._again.clear()
        limit = max(0, AT_ONCE - len(self._tasks))
        room = await self._room()
        due = await self._ask_database(room, limit)
        await self._quiet.look()
        busy = {each.id for each in self._tasks.values()}
        taken = Counter(each.connector for each in due)
        cut_short = any(number >= room.get(name, AT_ONCE_PER_CONNECTOR) for name, number in taken.items())
        self._full = cut_short or len(due) >= limit
        for each in due:
            if each.id not in busy and not self._renewals.running(each.id, project=each.project):
                self._begin(each)

    async def _rounds(self) -> None:
        """A round each second, and at once where a full one has room again."""
        while True:
            try:
                await self.renew_due()
            except StoreUnavailable:
                log.warning("store_unavailable", work="renew_due")
            except Exception:
                log.exception("round_failed", work="renew_due")
            await self._next_round()

    async def _next_round(self) -> None:
        sleeping = asyncio.ensure_future(self._clock.sleep(LOOK_EVERY_S))
        waking = asyncio.ensure_future(self._again.wait())
        try:
            await asyncio.wait({sleeping, waking}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleeping.cancel()
            waking.cancel()

    async def _room(self) -> dict[str, int]:
        """How many more renewals of a connector may be begun, where that is not as many as of any other."""
        room = {
            name: max(0, AT_ONCE_PER_CONNECTOR - number)
            for name, number in Counter(each.connector for each in self._tasks.values()).items()
        }
        for trouble in self._gate.troubles():
            for name in trouble.connectors:
                if await self._has_one_host(name):
                    room[name] = min(room.get(name, AT_ONCE_PER_CONNECTOR), trouble.room)
        return room

    async def _has_one_host(self, connector_id: str) -> bool:
        """Whether all connections of a connector are renewed at one host; of several, others may be open."""
        try:
            newest = await self._published.newest(connector_id)
        except KeyturnError:
            return False
        return not any(newest.connector.refresh.request.url.names())

    async def _ask_database(self, room: Mapping[str, int], limit: int) -> Sequence[Due]:
        """What is due; that it was answered, or was not, is also how the loss of the database is seen (I7, I17)."""
        try:
            due = await self._connections.looks(self._clock.now(), room=room, most=AT_ONCE_PER_CONNECTOR, limit=limit)
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

    def _begin(self, due: Due) -> None:
        if self._stopped:
            return
        task = asyncio.create_task(self._renew(due), name=f"scheduled {due.id}")
        self._tasks[task] = due
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        del self._tasks[task]
        self._ended_since += 1
        if self._full and (self._ended_since >= AGAIN_WITH or not self._tasks):
            self._again.set()

    async def _left_alone(self, due: Due) -> bool:
        """Move away what is not renewed now: then it does not come up again each second."""
        now = self._clock.now()
        idle = not due.open_still and (due.used_at is None or now - due.used_at > IDLE_AFTER_S)
        if not due.held and not idle and self._quiet.until(due.connector, due.project) is None:
            return False
        connection = await self._connections.load(due.id, project=due.project)
        if connection is None or connection.generation != due.generation:
            return True
        if is_untold(connection):
            return False  # that nobody knows what became of a send is told at once, whoever may use the connection
        if await self._put_off(connection, now):
            return True
        held = connection.paused or connection.unconfirmed
        if not held and not await self._idle(connection, now):
            return False
        kept_alive_at = await self._kept_alive_at(connection)
        if kept_alive_at is not None and kept_alive_at[0] <= now:
            return False
        await self._move(connection, self._looked_at_again(connection, kept_alive_at, now))
        return True

    async def _put_off(self, connection: Connection, now: float) -> bool:
        """Move one away that can wait until the provider's quiet hours are over; a call that needs it renews it."""
        if self._quiet.until(connection.connector, connection.project) is None:
            return False
        connector = await self._connector_of(connection)
        later = None if connector is None else self._quiet.placed(connection, connector, now)
        if later is None or later <= now:
            return False
        await self._move(connection, later)
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

    async def _renew(self, due: Due) -> None:
        try:
            if await self._left_alone(due):
                return
            await self._renewals.renew(due.id, generation=due.generation, keep_alive=due.held, project=due.project)
        except ServerStopping:
            return
        except (RenewalInProgress, StoreUnavailable) as error:
            log.info("renewal_not_made", connection=due.id, connector=due.connector, code=error.code)
        except KeyturnError as error:
            log.info("renewal_not_made", connection=due.id, connector=due.connector, code=error.code)
            if isinstance(error, RowUnreadable | SealBroken) and await self._set_aside(due, error):
                return
            if isinstance(error, KeyUnavailable | WrongKey):
                await self._say(due, error.code)
            await self._later(due, self._wait_s(error))
        except Exception:
            log.exception("scheduled_renewal_crashed", connection=due.id, connector=due.connector)
            await self._say(due, KeyturnError.code)
            await self._later(due, CRASHED_AGAIN_S)

    def _wait_s(self, error: KeyturnError) -> float:
        if error.retry_after_s is None:
            return FAILED_AGAIN_S * (0.5 + self._entropy.fraction() / 2)
        return min(error.retry_after_s, RETRY_AFTER_CAP_S) + SPREAD_S * self._entropy.fraction()

    async def _later(self, due: Due, wait_s: float) -> None:
        """Look at one later that was not renewed, unless what failed has said so itself."""
        now = self._clock.now()
        try:
            await self._connections.move_looks({due.id: (due.generation, now + wait_s)}, due_by=now)
        except StoreUnavailable:
            log.warning("store_unavailable", work="later")

    async def _set_aside(self, due: Due, error: RowUnreadable | SealBroken) -> bool:
        """Look no more at one that can't be read or opened; False: by now it can, or that can't be written."""
        try:
            revision = None
            if isinstance(error, SealBroken):
                connection = await self._connections.load(due.id, project=due.project)
                if connection is None or connection.generation != due.generation:
                    return False
                revision = connection.revision
            now = self._clock.now()
            aside = await self._connections.park(due.id, error.code, at=now, project=due.project, revision=revision)
        except KeyturnError as failure:
            log.warning("row_not_set_aside", connection=due.id, code=failure.code)
            return False
        if aside:
            log.error("row_set_aside", connection=due.id, connector=due.connector, code=error.code)
        return aside

    async def _say(self, due: Due, code: str) -> None:
        """Have the row say why nothing was sent; once, and no caller waits for it."""
        try:
            connection = await self._connections.load(due.id, project=due.project)
            if connection is not None and connection.generation == due.generation and connection.last_error != code:
                now = self._clock.now()
                await self._connections.save(replace(connection, last_error=code, last_error_at=now))
        except (KeyturnError, RevisionConflict):
            log.warning("row_says_nothing", connection=due.id, code=code)

    async def _move(self, connection: Connection, renews_at: float | None) -> None:
        """Say for good when one is due that nobody uses, or that waits for quiet hours to end."""
        try:
            await self._connections.save(replace(connection, renews_at=renews_at))
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
