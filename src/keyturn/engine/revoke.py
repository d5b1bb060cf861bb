"""Telling a provider that tokens are done with: at once, and again until it hears or a day has passed.

Source: RFC 7009; the renewal design, column "revoke" of the outcome table.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

import structlog

from keyturn.core.audit_record import AuditRecord
from keyturn.core.connection import Event, State, advance
from keyturn.core.connector import Connector, TokenKind
from keyturn.core.errors import KeyturnError, UrlNotAllowed
from keyturn.core.messages import Answer
from keyturn.core.provider_request import host_of
from keyturn.core.retry import REVOCATION_CAP_S, asked_to_wait_s, back_off_s
from keyturn.core.revocation import Revocation
from keyturn.core.secret import Secret
from keyturn.core.token_response import Outcome, read_answer
from keyturn.engine.provider_gate import ProviderGate
from keyturn.engine.published import PublishedConnectors
from keyturn.engine.send import REVOKE_TIMEOUT_S, build, policy_of
from keyturn.engine.template_values import client_values, token_values
from keyturn.ports.clock import Clock, Entropy
from keyturn.ports.egress import Egress
from keyturn.ports.store import ClientCredentials, ConnectionStore, RevisionConflict, RevocationStore

log = structlog.get_logger("keyturn.revoke")

_DONE: Final = frozenset({Outcome.TOKEN, Outcome.REJECTED_CREDENTIALS})


@dataclass(frozen=True, slots=True)
class Told:
    """What came of one try: the kinds of token that are done, and the code of what went wrong with another."""

    done: tuple[str, ...]
    error: str | None = None
    retry_after_s: float | None = None


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

    async def attempt(self, revocation: Revocation, *, last: bool = False) -> Told:
        """Try one revocation now and write down what came of it.

        `last`: do not keep it for a later try, however this one ends.
        """
        told = await self._tell(revocation)
        now = self.clock.now()
        over = told.error is None or last or now >= revocation.give_up_at
        tried = replace(revocation, tries=revocation.tries + 1, done=told.done, last_error=told.error)
        record = self._record(tried, "revocation.tried", told.error or "ok")
        if over:
            await self.revocations.remove(revocation.id, records=[record])
        else:
            wait = (
                asked_to_wait_s(told.retry_after_s, 1, fraction=1.0)
                if told.retry_after_s
                else back_off_s(tried.tries, fraction=self.entropy.fraction(), cap_s=REVOCATION_CAP_S)
            )
            await self.revocations.save(replace(tried, due_at=now + wait), records=[record])
        if revocation.connection is not None:
            await self._note(revocation.connection, revocation.project, tried, over=over)
        return told

    async def due(self, limit: int = 50) -> int:
        """Try what is due; returns how many were."""
        rows = await self.revocations.due(self.clock.now(), limit=limit)
        for row in rows:
            try:
                await self.attempt(row)
            except KeyturnError as error:
                log.warning("revocation_failed", revocation=row.id, code=error.code)
        return len(rows)

    async def _tell(self, revocation: Revocation) -> Told:
        done = list(revocation.done)
        try:
            connector = await self.published.version(
                revocation.connector, revocation.connector_version, project=revocation.project
            )
            client = await self.published.client(connector, project=revocation.project)
        except KeyturnError as error:
            return Told(tuple(done), error.code)
        error_code: str | None = None
        retry_after: float | None = None
        for kind, token in _tokens(connector, revocation):
            if kind in done:
                continue
            code, wait = await self._tell_one(revocation, connector, client, kind, token)
            if code is None:
                done.append(kind)
            else:
                error_code, retry_after = code, wait
        return Told(tuple(done), error_code, retry_after)

    async def _tell_one(
        self,
        revocation: Revocation,
        connector: Connector,
        client: ClientCredentials | None,
        kind: str,
        token: Secret,
    ) -> tuple[str | None, float | None]:
        assert connector.revoke is not None
        spec = connector.revoke.request
        values: dict[str, Any] = {
            **revocation.values,
            **client_values(client),
            **token_values(revocation.token_set),
            "token": token,
            "token_type_hint": kind,
        }
        try:
            request = build(connector, spec, values, client)
            if host_of(request) not in revocation.hosts:
                raise UrlNotAllowed
            answer = await self.egress.send(request, policy_of(connector, REVOKE_TIMEOUT_S))
        except KeyturnError as error:
            return error.code, error.retry_after_s
        return self._judge(connector, answer)

    def _judge(self, connector: Connector, answer: Answer) -> tuple[str | None, float | None]:
        """A plain 2xx is done (RFC 7009 §2.2), and so is a token that the provider no longer knows."""
        assert connector.revoke is not None
        spec = connector.revoke.request
        reading = read_answer(
            answer,
            mapping=spec.response,
            rejected_when=spec.rejected_when,
            failures=(*spec.failures, *connector.failures),
        )
        if reading.failure is None and reading.outcome in _DONE:
            return None, None
        silent = reading.oauth_error is None and reading.failure is None and 200 <= answer.status < 300
        if silent and reading.outcome is Outcome.MALFORMED:
            return None, None  # an empty or foreign body is no error here
        if reading.outcome in (Outcome.INVALID_CLIENT, Outcome.UNSUPPORTED_GRANT):
            return "connector_client_rejected", self.gate.alarm(connector.id, "connector_client_rejected")
        return f"provider_{reading.outcome}"[:64], reading.retry_after_s

    async def _note(self, connection_id: str, project: str, tried: Revocation, *, over: bool) -> None:
        """Write the provider's answer on the connection, and end its disconnect once nothing is open."""
        while True:
            connection = await self.connections.load(connection_id, project=project)
            if connection is None or connection.state is not State.DISCONNECTING:
                return
            left = await self.revocations.of_connection(connection_id)
            new = replace(connection, revocation=_summary(tried, over=over), updated_at=self.clock.now())
            records = []
            if not left:
                new = replace(new, state=advance(new.state, Event.PROVIDER_TOLD))
                records = [self._record(tried, "connection.disconnected", "ok")]
            try:
                await self.connections.save(new, records=records)
                return
            except RevisionConflict:
                continue

    def _record(self, revocation: Revocation, action: str, outcome: str) -> AuditRecord:
        return AuditRecord(
            self.clock.now(),
            action,
            "scheduler",
            outcome=outcome,
            connector=revocation.connector,
            connection=revocation.connection,
            facts={"cause": revocation.cause.value, "tries": revocation.tries, "done": list(revocation.done)},
            project=revocation.project,
        )


def _tokens(connector: Connector, revocation: Revocation) -> Iterator[tuple[str, Secret]]:
    """The tokens to name, in the connector's order."""
    if connector.revoke is None:
        return
    for kind in connector.revoke.tokens:
        token = (
            revocation.token_set.refresh_token if kind is TokenKind.REFRESH_TOKEN else revocation.token_set.access_token
        )
        if token:
            yield kind.value, token


def _summary(tried: Revocation, *, over: bool) -> dict[str, Any]:
    result = "done" if tried.last_error is None else "given_up" if over else "retrying"
    found: dict[str, Any] = {"result": result, "tries": tried.tries, "revoked": list(tried.done)}
    if tried.last_error is not None:
        found["last_error"] = tried.last_error
    return found


def nothing_to_revoke(connector: Connector | None) -> dict[str, Any]:
    """What a disconnect says where no request is made."""
    supported = connector is not None and connector.revoke is not None
    return {"result": "nothing_to_revoke" if supported else "not_supported", "tries": 0, "revoked": []}
