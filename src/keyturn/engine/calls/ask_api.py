"""One call of the API by somebody at the console: shown as it will be sent, then sent, and its answer read.

Rule 1: what is shown is made by the code that makes what is sent; it differs in the secrets, which are masked.
Rule 2: the same judgements as for the proxy: allowed URLs, locked parameters, the state of the connection, one renewal
and one replay where the API refuses the token.
Rule 3: an answer is data: it is read to a limit, and what it repeats of our secrets is covered.
Rule 4: the audit log gets who called which host with which method, never path or body.

Source: the interfaces, "Connection page"; the product, "Call".
"""

from __future__ import annotations

import asyncio
import zlib
from dataclasses import dataclass, field, replace
from typing import Any, Final

from keyturn.core.answers.answer_body import decode_body
from keyturn.core.answers.answer_values import matches
from keyturn.core.audit_record import AuditRecord
from keyturn.core.errors import ConnectionPaused, KeyturnError, NotFound, ProviderBadResponse, ProviderTimeout
from keyturn.core.messages import Answer
from keyturn.core.redaction.known import KnownSecrets, find_known
from keyturn.core.templates import mask
from keyturn.core.urls.public_suffixes import PublicSuffixes
from keyturn.engine.actor import Actor
from keyturn.engine.calls.api_request import ApiRequest, Outgoing, Shown, outgoing, shown
from keyturn.engine.calls.call_parameters import CallParameters
from keyturn.engine.calls.calls import Calls
from keyturn.engine.calls.routes import Route, make_route
from keyturn.engine.in_flight import InFlight, secrets_among
from keyturn.engine.published import PublishedConnectors
from keyturn.engine.renewal.renew import refuse_unusable
from keyturn.engine.template_values import connection_values
from keyturn.ports.clock import Clock
from keyturn.ports.egress import Upstream, UpstreamAnswer
from keyturn.ports.store import AuditLog, ConnectionStore

SHOWN_BYTES: Final = 256 * 1024
LONGEST_S: Final = 60.0
COVERED: Final = "‹secret›"
IDEMPOTENT: Final = frozenset(("GET", "HEAD", "OPTIONS", "PUT", "DELETE"))
_GZIP: Final = 31  # window bits: with a gzip header
_NOT_SHOWN: Final = frozenset({"set-cookie", "set-cookie2"})


@dataclass(frozen=True, slots=True)
class ApiAnswer:
    """What came back. `cut`: there was more than is shown. `took_ms`: from sending to the last byte that was read."""

    status: int
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    body: bytes = field(repr=False)
    cut: bool
    took_ms: int


class _UnderWay:
    """An `ActiveCall`: ended where its connection is paused or disconnected."""

    def __init__(self, project: str, limit: asyncio.Timeout) -> None:
        self.project = project
        self.key_id = ""
        self.stopped = False
        self._limit = limit

    def end_within(self, seconds: float) -> None:
        """See `ActiveCall`."""
        self.stopped = True
        self._limit.reschedule(asyncio.get_running_loop().time() + seconds)


@dataclass(frozen=True, slots=True)
class AskApi:
    """The use case and what it needs."""

    calls: Calls
    connections: ConnectionStore
    published: PublishedConnectors
    suffixes: PublicSuffixes
    upstream: Upstream
    audit: AuditLog
    clock: Clock
    known: InFlight

    async def preview(self, connection_id: str, asked: ApiRequest, *, project: str = "default") -> Shown:
        """The request as it would be sent, secrets masked; nothing is sent.

        Raises:
            NotFound, ConnectionDisconnected, ConnectionPaused, ConnectionUnconfirmed, NeedsReconnect.
            ValidationFailed, UrlNotAllowed, BodyNotMergeable: it can't be sent so.
        """
        route, values = await self._opened(connection_id, project)
        hidden: Any = mask(values)
        masked = replace(route, put_on=CallParameters(route.connector.request, hidden))
        return shown(asked, outgoing(masked, asked))

    async def __call__(
        self, connection_id: str, asked: ApiRequest, actor: Actor, *, project: str = "default"
    ) -> ApiAnswer:
        """Send it and read its answer. Raises as `preview`, and as `Calls.route`, `Upstream.open` and renewals."""
        _, values = await self._opened(connection_id, project)
        secrets = tuple(secrets_among(values))
        with self.known.in_flight(*secrets):
            answer = await self._sent(connection_id, asked, actor, project)
        # After the call: a renewal on the way may have brought new ones.
        _, values = await self._opened(connection_id, project)
        covering = KnownSecrets()
        with covering.in_flight(*secrets, *secrets_among(values)):
            return _covered(answer, covering)

    async def _opened(self, connection_id: str, project: str) -> tuple[Route, dict[str, Any]]:
        opened = await self.connections.open(connection_id, project=project)
        if opened is None:
            raise NotFound("There is no such connection.")
        connection, secrets = opened
        refuse_unusable(connection)
        connector = await self.published.version(connection.connector, connection.connector_version, project=project)
        client = await self.published.client(connector, project=project)
        values = connection_values(connection, secrets, client)
        return make_route(connection, secrets, connector, client, self.suffixes, worked=True), values

    async def _sent(self, connection_id: str, asked: ApiRequest, actor: Actor, project: str) -> ApiAnswer:
        route = await self.calls.route(connection_id, actor, project=project)
        began = self.clock.monotonic()
        call = None
        try:
            async with asyncio.timeout(LONGEST_S) as limit:
                call = _UnderWay(project, limit)
                self.calls.enter(connection_id, call)
                answer, route = await self._once_or_twice(route, asked, actor)
        except TimeoutError:
            error: KeyturnError = ConnectionPaused() if call and call.stopped else ProviderTimeout()
            await self._record(route, asked, actor, error.code)
            raise error from None
        except KeyturnError as error:
            await self._record(route, asked, actor, error.code)
            raise
        finally:
            if call is not None:
                self.calls.leave(connection_id, call)
        await self._record(route, asked, actor, "ok", status=answer.status)
        return replace(answer, took_ms=round((self.clock.monotonic() - began) * 1000))

    async def _once_or_twice(self, route: Route, asked: ApiRequest, actor: Actor) -> tuple[ApiAnswer, Route]:
        answer = await self._exchange(route, asked)
        stale = _stale(route, answer)
        base_url = asked.base_url or ""
        if stale and (answer.status == 401 or asked.method in IDEMPOTENT):
            newer = await self.calls.after_stale(route, asked.method, actor, base_url=base_url)
            if newer is not None:
                route, answer = newer, await self._exchange(newer, asked)
                stale = _stale(route, answer)
                told = self.calls.replay_refused if stale else self.calls.replay_accepted
                told(route, asked.method, base_url=base_url)
        self.calls.used(route, worked=not stale and answer.status < 400)
        return answer, route

    async def _exchange(self, route: Route, asked: ApiRequest) -> ApiAnswer:
        sent: Outgoing = outgoing(route, asked)
        answer = await self.upstream.open(sent.request, sent.body, route.policy)
        try:
            if not 200 <= answer.status <= 599:
                raise ProviderBadResponse("The API answered with a status that is none.")
            body, cut = await _read(answer)
        finally:
            await answer.close()
        headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in answer.headers)
        return ApiAnswer(answer.status, headers, body, cut, 0)

    async def _record(
        self, route: Route, asked: ApiRequest, actor: Actor, outcome: str, *, status: int | None = None
    ) -> None:
        connection = route.connection
        facts: dict[str, Any] = {"method": asked.method, "status": status}
        record = AuditRecord(
            self.clock.now(), "connection.called", actor.name, outcome, connection.connector, connection.id,
            connection.owner, actor.request_id, facts, connection.project,
        )  # fmt: skip
        await self.audit.append([record])


async def _read(answer: UpstreamAnswer) -> tuple[bytes, bool]:
    """The body as far as it is shown, gzip undone, and whether there was more."""
    whole = answer.whole
    read = bytearray(whole or b"")
    if whole is None:
        async for piece in answer.body():
            read += piece
            if len(read) > SHOWN_BYTES:
                break
    body, cut = bytes(read), len(read) > SHOWN_BYTES
    coding = next((value for name, value in answer.headers if name == b"content-encoding"), b"").strip().lower()
    if coding in (b"gzip", b"x-gzip"):
        try:
            inflater = zlib.decompressobj(_GZIP)
            body = inflater.decompress(body, SHOWN_BYTES + 1)
            cut = not inflater.eof
        except zlib.error:
            raise ProviderBadResponse("The API's answer is no gzip.") from None
    return body[:SHOWN_BYTES], cut or len(body) > SHOWN_BYTES


def _stale(route: Route, answer: ApiAnswer) -> bool:
    seen = Answer(answer.status, answer.headers, answer.body, complete=not answer.cut)
    return matches(route.stale_when, seen, decode_body(seen))


def _covered(answer: ApiAnswer, known: KnownSecrets) -> ApiAnswer:
    headers = tuple(
        (name, "‹not shown›" if name.lower() in _NOT_SHOWN else cover(value, known)) for name, value in answer.headers
    )
    body = cover(answer.body.decode("utf-8", "replace"), known).encode()
    return replace(answer, headers=headers, body=body)


def cover(text: str, known: KnownSecrets) -> str:
    """The text without what it shows of the known secrets, however it is encoded."""
    pieces, at = [], 0
    for begin, end in sorted(find_known(text, known.traces)):
        if end > at:
            pieces += [text[at : max(at, begin)], COVERED]
            at = end
    return "".join([*pieces, text[at:]])
