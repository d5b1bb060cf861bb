"""Step 5: prove that a token works, on its own and while an account is being connected."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import urlsplit

from keyturn.core.answers.test_verdict import judge_test
from keyturn.core.connection import Connection, ConnectionSecrets, TestRecord
from keyturn.core.connector import ClientAuthentication, Connector, ProviderRequest
from keyturn.core.errors import (
    ConnectionDisconnected,
    ConnectionTestFailed,
    ConnectorInvalid,
    KeyturnError,
    NeedsReconnect,
    NotFound,
    UrlNotAllowed,
    ValidationFailed,
    ValueAbsent,
)
from keyturn.core.messages import Answer
from keyturn.core.requests.on_some_calls import meant_by, put_together
from keyturn.core.requests.provider_request import Preview, preview_request
from keyturn.core.requests.request_url import render_url
from keyturn.core.urls.allowed_urls import AllowedUrls, Reason, StatedRule
from keyturn.core.urls.public_suffixes import PublicSuffixes
from keyturn.core.urls.url_paths import normalise_path
from keyturn.engine.actor import Actor
from keyturn.engine.audit.connection_record import connection_record
from keyturn.engine.in_flight import InFlight, secrets_among
from keyturn.engine.published import PublishedConnectors
from keyturn.engine.renewal.renew import Renewals, refuse_unusable
from keyturn.engine.send import build, policy_of
from keyturn.engine.template_values import connection_values, dotted_names, optional_names
from keyturn.ports.clock import Clock
from keyturn.ports.egress import Egress
from keyturn.ports.store import ClientCredentials, ConnectionStore, RevisionConflict

TEST_TIMEOUT_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class Proof:
    """What a test call showed: `status` and `answer` are None where none came; `cause` says why it did not pass."""

    passed: bool
    status: int | None = None
    cause: str | None = None
    answer: Answer | None = None


def test_request(connector: Connector, path: str) -> ProviderRequest:
    """The test's request with the request parameters of step 9 put on; what the test says itself wins.

    `path`: of the URL that it goes to, for parameters that are put on some calls only. The query is put on where the
    method has no body.
    """
    spec = connector.test.request
    parameters = put_together(connector.request, meant_by(connector.request, spec.method, path))
    mine = {name.lower() for name in spec.headers}
    added = {name: value for name, value in parameters.headers.items() if name.lower() not in mine}
    spec = replace(spec, headers={**added, **spec.headers})
    if spec.method not in ("GET", "HEAD") or not parameters.query:
        return spec
    return replace(spec, params={**parameters.query, **spec.params})


def path_of_test(connector: Connector, values: Mapping[str, Any]) -> str:
    """The path that the test call goes to; only asked where it matters. Raises as `render_url`."""
    if not connector.request.only:
        return "/"
    url = render_url(connector.test.request.url, values, dotted=dotted_names(connector))
    return normalise_path(urlsplit(url).path)


def allowed_urls_for(connector: Connector, values: Mapping[str, Any], suffixes: PublicSuffixes) -> AllowedUrls:
    """Step 7 with a connection's values put in where they may stand: what a person typed can't move the host.

    Raises:
        ValueAbsent, ValidationFailed: a value is missing, or can't stand where the author put it.
    """
    dotted = dotted_names(connector)
    stated = [
        StatedRule(render_url(each.url, values, dotted=dotted, wildcard=True), each.methods, each.deny)
        for each in connector.allowed_urls
    ]
    return AllowedUrls.from_texts(stated, suffixes, connector.insecure_http, connector.request.encoded_slashes)


@dataclass(frozen=True, slots=True)
class TestCalls:
    """Builds, guards and sends test calls."""

    __test__ = False  # not for pytest to collect

    egress: Egress
    suffixes: PublicSuffixes

    async def prove(self, connector: Connector, values: Mapping[str, Any], client: ClientCredentials | None) -> Proof:
        """Send the test call once.

        Raises:
            UrlNotAllowed, ValueAbsent: the connector's test can't be sent with these values.
        """
        spec = test_request(connector, path_of_test(connector, values))
        # A test call proves the person's token; which application asks stands in it only where the author says so.
        proving = client if spec.authentication is not ClientAuthentication.NONE else None
        request = build(connector, spec, values, proving)
        if allowed_urls_for(connector, values, self.suffixes).judge(request.url, request.method).reason is not (
            Reason.ALLOWED
        ):
            raise UrlNotAllowed("The test call is outside the allowed URLs.")
        try:
            answer = await self.egress.send(request, policy_of(connector, TEST_TIMEOUT_S))
        except KeyturnError as error:
            return Proof(False, cause=error.code)
        verdict = judge_test(answer, connector.test.expect)
        return Proof(verdict.passed, verdict.status, verdict.cause, answer)

    def preview(self, connector: Connector, values: Mapping[str, Any], client: ClientCredentials | None) -> Preview:
        """The exact request with its secrets masked; nothing is sent."""
        spec = test_request(connector, path_of_test(connector, values))
        proving = client if spec.authentication is not ClientAuthentication.NONE else None
        return preview_request(
            spec,
            values,
            client_id=proving.client_id if proving else None,
            client_secret=proving.client_secret if proving else None,
            optional=optional_names(connector),
            dotted=dotted_names(connector),
        )


@dataclass(frozen=True, slots=True)
class TestConnection:
    """Runs step 5 again for a connection and records the verdict; renews a token that has ended, and no other."""

    __test__ = False  # not for pytest to collect

    connections: ConnectionStore
    published: PublishedConnectors
    renewals: Renewals
    calls: TestCalls
    clock: Clock
    known: InFlight

    async def __call__(
        self, connection_id: str, actor: Actor, *, dry_run: bool = False, project: str = "default"
    ) -> Connection | Preview:
        """Test, and return the connection with its new `last_test`; or, dry, the request that would be sent.

        Raises:
            NotFound, ConnectionDisconnected, ConnectionPaused, ConnectionUnconfirmed, NeedsReconnect; and as
            `Renewals.renew` where the token has ended.
        """
        connection, secrets = await self._opened(connection_id, project)
        if not dry_run and secrets.token_set is not None and secrets.token_set.ended(self.clock.now()):
            await self.renewals.renew(connection_id, generation=connection.generation, actor=actor, project=project)
            connection, secrets = await self._opened(connection_id, project)
        if secrets.token_set is None:
            raise NeedsReconnect(extensions={"reason": connection.reason})
        connector = await self.published.version(connection.connector, connection.connector_version, project=project)
        client = await self.published.client(connector, project=project)
        values = connection_values(connection, secrets, client)
        if dry_run:
            return self.calls.preview(connector, values, client)
        try:
            with self.known.in_flight(*secrets_among(values)):
                proof = await self.calls.prove(connector, values, client)
        except (UrlNotAllowed, ValueAbsent, ValidationFailed, ConnectorInvalid) as error:
            proof = Proof(False, cause=error.code)
        return await self._record(connection, proof, actor)

    async def _opened(self, connection_id: str, project: str) -> tuple[Connection, ConnectionSecrets]:
        opened = await self.connections.open(connection_id, project=project)
        if opened is None:
            raise NotFound("There is no such connection.")
        refuse_unusable(opened[0])
        return opened

    async def _record(self, tested: Connection, proof: Proof, actor: Actor) -> Connection:
        now = self.clock.now()
        code = None if proof.passed else ConnectionTestFailed.code
        record = connection_record(
            tested,
            now,
            "connection.tested",
            actor,
            outcome=code or "ok",
            facts={"status": proof.status, "cause": proof.cause},
        )
        connection: Connection | None = tested
        while connection is not None:
            if connection.ended:
                raise ConnectionDisconnected  # meanwhile; a tombstone has no test
            worked = connection.worked_generation
            if proof.passed:
                worked = max(tested.generation, worked or 0)  # a newer generation may have worked meanwhile
            new = replace(
                connection,
                last_test=TestRecord(now, proof.passed, proof.status, code, proof.cause),
                worked_generation=worked,
                updated_at=now,
            )
            try:
                return await self.connections.save(new, records=[record])
            except RevisionConflict:
                connection = await self.connections.load(tested.id, project=tested.project)
        raise NotFound("There is no such connection.")
