"""Asking a host that let requests wait whether it answers again, with nothing that could be lost.

Rule: what is sent is a refresh request of the connector with a refresh token that nobody issued. Any whole answer says
that the host is there; that it refuses is expected. A request that shows anything of the token set is no probe.

Source: the renewal design, "A provider that hangs"; invariant I11.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from keyturn.core.connector import ProviderRequest
from keyturn.core.errors import KeyturnError
from keyturn.core.requests.provider_request import host_of
from keyturn.core.requests.request_encoding import request_templates
from keyturn.core.secret import Secret
from keyturn.engine.in_flight import InFlight, secrets_among
from keyturn.engine.provider_gate import Asking, ProviderGate
from keyturn.engine.published import PublishedConnectors
from keyturn.engine.send import build, policy_of
from keyturn.engine.template_values import client_values
from keyturn.ports.clock import Entropy
from keyturn.ports.egress import Egress
from keyturn.ports.store import ConnectionStore

ANSWERS_WITHIN_S: Final = 10.0
_OF_A_SET: Final = ("access_token", "claims")


@dataclass(frozen=True, slots=True)
class Probe:
    """The parts that this needs."""

    connections: ConnectionStore
    published: PublishedConnectors
    egress: Egress
    gate: ProviderGate
    known: InFlight
    entropy: Entropy

    async def __call__(self, host: str, asking: Asking) -> None:
        """Send one probe to a host, and tell the gate. `asking`: who was not answered there."""
        answered: bool | None = None
        try:
            answered = await self._answered(host, asking)
        finally:
            self.gate.probed(host, answered=answered)

    async def _answered(self, host: str, asking: Asking) -> bool | None:
        """Whether the host answered; None: no probe can be made."""
        try:
            connection = await self.connections.load(asking.connection, project=asking.project)
            if connection is None:
                return None
            connector = await self.published.version(
                connection.connector, connection.connector_version, project=connection.project
            )
            spec = connector.refresh.request
            if connector.refresh.with_token or not _is_harmless(spec):
                return None
            client = await self.published.client(connector, project=connection.project)
            made_up = Secret(self.entropy.token())
            values: dict[str, Any] = {**connection.fields, **client_values(client), "refresh_token": made_up}
            request = build(connector, spec, values, client)
        except KeyturnError:
            return None  # what it takes is sealed, or gone
        if host_of(request) != host:
            return None
        with self.known.in_flight(*secrets_among(values)):
            try:
                return (await self.egress.send(request, policy_of(connector, ANSWERS_WITHIN_S))).complete
            except KeyturnError:
                return False


def _is_harmless(spec: ProviderRequest) -> bool:
    """Whether it shows a refresh token, and nothing else of a token set."""
    templates = request_templates(spec)
    shows = any(each.uses("refresh_token") for each in templates)
    return shows and not any(each.uses(*_OF_A_SET) for each in templates)
