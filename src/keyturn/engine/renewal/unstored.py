"""Token sets that a provider gave and the database could not take yet: callers go on with them from memory.

Rule 1: what is here is newer than the row by one generation, and goes as soon as the row has it.
Rule 2: a pause or a disconnect that the row tells of counts all the same. Whoever writes the row reads the row.

Source: the renewal design, "A renewal, in two commits".
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any, Final

import structlog

from keyturn.core.connection import Connection, ConnectionSecrets
from keyturn.core.crashes import crash_facts
from keyturn.core.errors import StoreUnavailable
from keyturn.ports.store import ConnectionStore

SPILLED_WAITS_S: Final = 2.0

log = structlog.get_logger("keyturn.keep")


class Unstored:
    """One for each process."""

    def __init__(self) -> None:
        self._held: dict[tuple[str, str], tuple[Connection, ConnectionSecrets]] = {}
        self._writing: dict[asyncio.Task[None], bool] = {}  # and whether a file has it, should this process end

    @property
    def writing(self) -> int:
        """How many answers of providers are not in the database yet."""
        return len(self._writing)

    def hold(self, connection: Connection, secrets: ConnectionSecrets) -> None:
        """Have callers go on with it."""
        self._held[connection.project, connection.id] = (connection, secrets)

    def drop(self, connection: Connection) -> None:
        """The row has it, or something newer."""
        self._held.pop((connection.project, connection.id), None)

    def of(self, connection_id: str, project: str) -> Connection | None:
        """The connection with the set that is not stored yet."""
        held = self._held.get((project, connection_id))
        return None if held is None else held[0]

    async def open(
        self, connections: ConnectionStore, connection_id: str, project: str
    ) -> tuple[Connection, ConnectionSecrets] | None:
        """Read a connection for a call: from memory, where that is newer or the database can't be read at all.

        Raises:
            StoreUnavailable: it can't be read, and memory knows nothing.
        """
        held = self._held.get((project, connection_id))
        try:
            opened = await connections.open(connection_id, project=project)
        except StoreUnavailable:
            if held is None:
                raise
            return held
        if held is None or opened is None:
            return opened
        (newer, secrets), stored = held, opened[0]
        if stored.ended or stored.generation >= newer.generation:
            return opened
        now = replace(newer, paused=stored.paused, unconfirmed=stored.unconfirmed, revision=stored.revision)
        return now, secrets

    def go_on(self, writing: Coroutine[Any, Any, None], connection_id: str, *, spilled: bool = False) -> None:
        """Have this go on until the database has it; nobody waits for it but a stop. `spilled`: a file has it."""
        task = asyncio.create_task(writing, name=f"store {connection_id}")
        self._writing[task] = spilled
        task.add_done_callback(lambda done: self._ended(connection_id, done))

    async def drain(self, timeout_s: float) -> None:
        """Wait for what is being written, before the process ends; what a file has, the next start stores."""
        only_here = [task for task, spilled in self._writing.items() if not spilled]
        if self._writing:
            await asyncio.wait(list(self._writing), timeout=min(timeout_s, SPILLED_WAITS_S))
        if only_here := [task for task in only_here if not task.done()]:
            await asyncio.wait(only_here, timeout=max(0.0, timeout_s - SPILLED_WAITS_S))

    def _ended(self, connection_id: str, task: asyncio.Task[None]) -> None:
        self._writing.pop(task, None)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            log.error("outcome_not_stored", connection=connection_id, **crash_facts(error))
