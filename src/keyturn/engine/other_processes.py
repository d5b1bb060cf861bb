"""What other processes on the same database do to what this one remembers: routes, API keys, calls under way.

Rule 1: whatever changes what a caller may do is written with an audit record; so new records name all that changed.
Rule 2: a record is done with once all that it names was looked at; what fails is looked at again.
Rule 3: our own records are read too: telling them apart would cost more than a row that turns out to be known.

Sources: the renewal design, invariant I7 (no older token a second after a newer one, a pause or a disconnect); the
threat model, A1 (revocation within a second).
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from keyturn.core.audit.routine import FOLDED
from keyturn.core.audit_record import AuditRecord
from keyturn.core.errors import WrongKey
from keyturn.engine.api_keys import REVOKED, ROLLED, ApiKeys
from keyturn.engine.calls.calls import Calls
from keyturn.engine.edit_connector import CLIENT_SET, CORRECTED
from keyturn.engine.keys.manage_keys import PASSWORD_DESTROYED, ROTATED
from keyturn.engine.provider_gate import ProviderGate
from keyturn.engine.published import PublishedConnectors
from keyturn.ports.key_custody import KeyCustody
from keyturn.ports.store import AuditLog, ConnectionStore

LOOK_EVERY_S: Final = 0.5
AT_ONCE: Final = 500
TOLD: Final = frozenset(FOLDED.values())  # of days that are over; a night's worth of them changes no connection


class OtherProcesses:
    """Reads what was written since it looked last, and lets go of what that outdates."""

    def __init__(
        self,
        audit: AuditLog,
        connections: ConnectionStore,
        calls: Calls,
        api_keys: ApiKeys,
        gate: ProviderGate,
        custody: KeyCustody,
        published: PublishedConnectors,
    ) -> None:
        self._audit = audit
        self._connections = connections
        self._calls = calls
        self._api_keys = api_keys
        self._gate = gate
        self._custody = custody
        self._published = published
        self._seen: int | None = None

    async def look(self) -> None:
        """Follow what was written; the first time, forget all that may have been read before.

        Raises:
            StoreUnavailable: nothing is known; the next look begins where this one did.
        """
        if self._seen is None:
            seen = await self._audit.newest()
            self._calls.forget_all()
            self._api_keys.forget_all()
            self._published.forget_all()
            self._seen = seen
        while True:
            found = await self._audit.since(self._seen, limit=AT_ONCE)
            if not found:
                return
            await self._follow([record for _, record in found])
            self._seen = found[-1][0]

    async def _follow(self, records: Sequence[AuditRecord]) -> None:
        for record in records:
            if record.action == REVOKED:
                key_id = str(record.facts.get("api_key"))
                self._api_keys.forget(key_id)
                self._calls.end_of_key(key_id)
            elif record.action == ROLLED:
                self._api_keys.forget(str(record.facts.get("api_key")))  # it ends earlier than was read
            elif record.action == CLIENT_SET:
                self._calls.forget_all()  # a route may have the application's values in its parameters
                if record.connector is not None:
                    self._published.forget_client(record.connector)
                    self._gate.end_alarm(record.connector, changed_at=record.at)
            elif record.action == CORRECTED and record.connector is not None:
                self._published.forget(record.connector)
            elif record.action == ROTATED:
                with suppress(WrongKey):  # this process has not got it: readiness says so, and the old one still wraps
                    await self._custody.follow()
            elif record.action == PASSWORD_DESTROYED:
                self._custody.forget_passwords()
        touched = {
            (each.project, each.connection)
            for each in records
            if each.connection is not None and each.action not in TOLD
        }
        for project, connection_id in sorted(touched):
            await self._look_at(connection_id, project)

    async def _look_at(self, connection_id: str, project: str) -> None:
        if not self._calls.knows(connection_id, project):
            return  # whoever calls through it from now on reads what was written
        connection = await self._connections.shown(connection_id, project=project)
        if connection is None:
            return  # taken away, long after it was disconnected
        route = self._calls.cached(connection_id, project=project)
        if route is None or route.connection.revision != connection.revision:
            self._calls.written(connection)
