"""What a bulk job does with one connection: the same use cases that a single request calls.

Rule 1: a provider is asked no harder than its gate allows, and all bulk jobs of a process together do no more at once
with a connector than its gate lets through. One that asks to wait for a short time is waited for; one that is down, or
wants more, makes the connection a failure with that code. So do quiet hours, for tests, renewals and moves.
Rule 2: what is so already is done: a pause of a paused connection, an end of an ended one.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Final

import structlog

from keyturn.core.connection import Connection
from keyturn.core.crashes import crash_facts
from keyturn.core.errors import (
    ConnectionDisconnected,
    InQuietHours,
    KeyturnError,
    KeyUnavailable,
    ProviderRateLimited,
    ProviderUnavailable,
    StoreUnavailable,
)
from keyturn.core.problems import PROBLEMS
from keyturn.engine.actor import Actor
from keyturn.engine.jobs.bulk.bulk_order import BulkAction
from keyturn.engine.login.connect_sessions import ConnectSessions
from keyturn.engine.migration.migrate_connection import MigrateConnection
from keyturn.engine.pause import Pause
from keyturn.engine.provider_gate.asking import PLACES
from keyturn.engine.quiet_hours.quiet_times import QuietTimes
from keyturn.engine.renewal.renew import Renewals
from keyturn.engine.revocation.disconnect import Disconnect
from keyturn.engine.test_connection import TestConnection
from keyturn.ports.clock import Clock

WAITS: Final = 3
LONGEST_WAIT_S: Final = 20.0
TEST_FAILED: Final = "connection_test_failed"
CRASHED: Final = "internal_error"

log = structlog.get_logger("keyturn.jobs")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it: the code that it failed with, or None; the connect session of a link that was made."""

    code: str | None = None
    session: str | None = None


@dataclass(frozen=True, slots=True)
class BulkActions:
    """The use cases."""

    test_connection: TestConnection
    renewals: Renewals
    pause: Pause
    disconnect: Disconnect
    connect_sessions: ConnectSessions
    migrate: MigrateConnection
    quiet: QuietTimes
    clock: Clock
    _places: dict[str, asyncio.Semaphore] = field(default_factory=dict)  # by connector, of which there are few

    async def __call__(self, action: BulkAction, connection: Connection, actor: Actor) -> Outcome:
        """Do it.

        Raises:
            StoreUnavailable, KeyUnavailable: not this connection's fault; the job has to wait.
        """
        async with self._places.setdefault(connection.connector, asyncio.Semaphore(PLACES)):
            return await self._patiently(action, connection, actor)

    async def _patiently(self, action: BulkAction, connection: Connection, actor: Actor) -> Outcome:
        for waits_left in range(WAITS, -1, -1):
            try:
                return await self._once(action, connection, actor)
            except (StoreUnavailable, KeyUnavailable):
                raise
            except (ProviderRateLimited, ProviderUnavailable, InQuietHours) as error:
                wait_s = max(error.retry_after_s or 1.0, 1.0)
                if not waits_left or wait_s > LONGEST_WAIT_S:
                    return Outcome(error.code)
                await self.clock.sleep(wait_s)
            except ConnectionDisconnected as error:
                return Outcome(None if action is BulkAction.DISCONNECT else error.code)
            except KeyturnError as error:
                return Outcome(error.code)
            except Exception as error:  # noqa: BLE001  (one connection's row must not end the work on all others)
                log.error("bulk_action_crashed", connection=connection.id, action=action.value, **crash_facts(error))
                return Outcome(CRASHED)
        raise AssertionError("the last wait was followed by a try")

    async def _once(self, action: BulkAction, connection: Connection, actor: Actor) -> Outcome:
        project = connection.project
        if action in (BulkAction.TEST, BulkAction.RENEW, BulkAction.MIGRATE):
            self.quiet.refuse(connection.connector, project)
        match action:
            case BulkAction.TEST:
                return await self._test(connection, actor)
            case BulkAction.RENEW:
                await self.renewals.renew(
                    connection.id, generation=connection.generation, actor=actor, forced=True, project=project
                )
            case BulkAction.PAUSE | BulkAction.RESUME:
                await self.pause(connection.id, actor, paused=action is BulkAction.PAUSE, project=project)
            case BulkAction.DISCONNECT:
                await self.disconnect(connection.id, actor, project=project)
            case BulkAction.RECONNECT_LINKS:
                link = await self.connect_sessions.reconnect_link(connection.id, actor)
                return Outcome(session=link.session.id)
            case BulkAction.MIGRATE:
                await self.migrate(connection.id, actor, project=project)
        return Outcome()

    async def _test(self, connection: Connection, actor: Actor) -> Outcome:
        """Test it; one that has ended is renewed first, as for a request."""
        tested = await self.test_connection(connection.id, actor, project=connection.project)
        verdict = tested.last_test if isinstance(tested, Connection) else None
        if verdict is not None and verdict.passed:
            return Outcome()
        cause = verdict.cause if verdict is not None else None
        return Outcome(cause if cause in PROBLEMS else TEST_FAILED)
