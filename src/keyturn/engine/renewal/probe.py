"""Whether a host that hangs answers again, found out at no connection's cost.

Rule 1: what is shown is a random refresh token that no provider issued, with the connector's client. Any whole answer
counts: the host reads requests again.
Rule 2: no seal is opened for it. Where the request needs a value that is sealed, no probe can be made.

Source: the renewal design, "A provider that hangs".
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any, Final

from keyturn.core.errors import KeyturnError, StoreUnavailable
from keyturn.core.requests.provider_request import host_of
from keyturn.core.secret import Secret
from keyturn.engine.in_flight import InFlight, secrets_among
from keyturn.engine.provider_gate import Asking, ProviderGate
from keyturn.engine.published import PublishedConnectors
from keyturn.engine.send import build, policy_of
from keyturn.engine.stopping import Stopping
from keyturn.engine.template_values import client_values
from keyturn.ports.clock import Entropy
from keyturn.ports.egress import Egress
from keyturn.ports.store import ConnectionStore

PROBE_TIMEOUT_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class ProbeHosts:
    """Probes the hosts that the gate says are to be."""

    gate: ProviderGate
    connections: ConnectionStore
    published: PublishedConnectors
    egress: Egress
    entropy: Entropy
    known: InFlight
    stopping: Stopping
    running: set[asyncio.Task[None]] = field(default_factory=set)

    async def due(self) -> None:
        """Notice hosts that hang, and begin the probes that are due; each in a task of its own."""
        self.gate.look()
        if self.stopping.begun:
            return
        for host, hang in self.gate.probes_due():
            task = asyncio.create_task(self._probe(host, hang.asking), name=f"probe {host}")
            self.running.add(task)
            task.add_done_callback(self.running.discard)

    async def _probe(self, host: str, asking: Asking) -> None:
        answered: bool | None = False
        try:
            answered = await self._answered(host, asking)
        finally:
            self.gate.probed(host, answered=answered)

    async def _answered(self, host: str, asking: Asking) -> bool | None:
        """Whether the host answered a request that costs nothing; None: none can be made."""
        try:
            connection = await self.connections.load(asking.connection, project=asking.project)
            if connection is None:
                return None
            connector = await self.published.version(
                connection.connector, connection.connector_version, project=connection.project
            )
            client = await self.published.client(connector, project=connection.project)
            issued_by_none = Secret(self.entropy.token())
            values: dict[str, Any] = {
                **connection.fields,
                **client_values(client),
                "refresh_token": issued_by_none,
                "access_token": issued_by_none,
            }
            request = build(connector, connector.refresh.request, values, client)
            if host_of(request) != host or host not in connection.hosts:
                return None
        except StoreUnavailable:
            return False
        except KeyturnError:
            return None
        if self.stopping.begun:
            return False
        try:
            with self.known.in_flight(*secrets_among(values)):
                await self.egress.send(request, policy_of(connector, PROBE_TIMEOUT_S))
        except KeyturnError:
            return False
        return True
