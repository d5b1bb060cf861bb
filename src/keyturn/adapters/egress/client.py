"""The control plane's client: one request, sent once on a connection of its own, the whole answer read within limits.

Rule 1: a connection carries one request and is then torn down, and a client makes one connection: whatever the
library would do about a lost connection, it can't send twice.
Rule 2: nothing is added to a request but what HTTP needs (Host, Content-Length) and, where the caller has none,
`User-Agent` and `Accept-Encoding: identity`.
Rule 3: an answer whose status line came is an answer, however badly it goes on; anything less is no answer.
Rule 4: what comes is bounded before it is looked at: time, head, body as received, body decoded.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from dataclasses import replace
from typing import Final

import aiohttp
from aiohttp.client_proto import ResponseHandler
from multidict import CIMultiDict
from yarl import URL

from keyturn.adapters.egress.content_coding import Undecodable, decoded
from keyturn.adapters.egress.dialling import DEFAULT_PORTS, Dialler, EgressAllowances
from keyturn.adapters.egress.tls_contexts import facts_of
from keyturn.adapters.egress.tunnel import EgressProxy
from keyturn.core.errors import ProviderTimeout, ProviderUnreachable, UrlNotAllowed
from keyturn.core.messages import Answer, OutgoingRequest, TlsIdentity, TransportFacts
from keyturn.ports.clock import Clock
from keyturn.ports.egress import MAX_ANSWER_BYTES, EgressPolicy, Resolver

MAX_HEAD_LINE: Final = 16_384
MAX_HEAD_LINES: Final = 256
MAX_HEAD_KEPT: Final = 65_536
USER_AGENT: Final = "keyturn"

_URL = re.compile(r"https?://[!-~]+", re.IGNORECASE)
_METHOD = re.compile(r"[A-Z]{1,20}")
_FIELD_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_FIELD_VALUE = re.compile(r"[\t\x20-\x7e\x80-\U0010ffff]*")
_STATUS_LINE = re.compile(rb"HTTP/1\.[0-9] ([1-5][0-9][0-9])[ \r\n]")
_HEAD_END = re.compile(rb"\r?\n\r?\n")
_FOLDED_LINE = re.compile(rb"\n[ \t]")
_OURS: Final = frozenset({"host", "content-length", "transfer-encoding", "connection", "expect", "upgrade", "te"})
_NOT_SET_BY_THE_LIBRARY: Final = ("Accept", "Accept-Encoding", "User-Agent", "Content-Type")


class AiohttpEgress:
    """Sends a request once, on a new connection to a checked address. An `Egress`."""

    def __init__(
        self,
        resolver: Resolver,
        operator: EgressAllowances,
        clock: Clock,
        ssl_context: ssl.SSLContext | None = None,
        proxy: EgressProxy | None = None,
    ) -> None:
        self._dialler = Dialler(resolver, operator, ssl_context, proxy=proxy)
        self._clock = clock

    async def send(self, request: OutgoingRequest, policy: EgressPolicy) -> Answer:
        """As `Egress.send` promises.

        Raises:
            ValueError: a method or header that no request can have; our bug, so not a KeyturnError.
        """
        url = _read_url(request.url)
        headers = _head_of(request)
        connector = _OneConnection(self._dialler, policy, request.tls)
        try:
            answer = await self._send(connector, request, url, headers)
            return replace(answer, transport=connector.facts) if policy.transport_facts else answer
        finally:
            connector.tear_down()

    async def _send(
        self, connector: _OneConnection, request: OutgoingRequest, url: URL, headers: CIMultiDict[str]
    ) -> Answer:
        try:
            async with asyncio.timeout(connector.policy.timeout_s), _session(connector) as session:
                return await self._exchange(session, connector, request, url, headers)
        except TimeoutError:
            return self._without_whole_answer(connector, "no answer within the time limit")
        except (aiohttp.ClientError, OSError):
            return self._without_whole_answer(connector, "no readable answer came back")

    async def _exchange(
        self,
        session: aiohttp.ClientSession,
        connector: _OneConnection,
        request: OutgoingRequest,
        url: URL,
        headers: CIMultiDict[str],
    ) -> Answer:
        sending = session.request(
            request.method, url, headers=headers, data=request.body or None, allow_redirects=False
        )
        async with sending as response:
            received_at = self._clock.now()
            status = response.status
            fields = tuple((name.decode("latin-1"), _as_text(value)) for name, value in response.raw_headers)
            folded = _FOLDED_LINE.search(_final_head(connector.first_bytes)) is not None
            if not 200 <= status <= 599 or folded or not _well_formed(response, fields):
                return Answer(status, received_at=received_at, complete=False)
            unread = Answer(status, fields, received_at=received_at, complete=False)
            connector.so_far = unread
            received = bytearray()
            async for piece in response.content.iter_any():
                received += piece
                if len(received) > MAX_ANSWER_BYTES:
                    return unread
        try:
            body = decoded(bytes(received), ",".join(unread.all_values("content-encoding")), MAX_ANSWER_BYTES)
        except Undecodable:
            return unread
        return Answer(status, fields, body, received_at)

    def _without_whole_answer(self, connector: _OneConnection, detail: str) -> Answer:
        if connector.so_far is not None:
            return connector.so_far
        if not connector.dialled:
            raise ProviderUnreachable("no connection within the time limit") from None
        line = _STATUS_LINE.match(_final_head(connector.first_bytes))
        if line is None:
            raise ProviderTimeout(detail) from None
        return Answer(int(line[1]), received_at=self._clock.now(), complete=False)


class _OneConnection(aiohttp.BaseConnector):
    """Dials once, remembers how an answer began, and is torn down at once, whatever the peer does."""

    allowed_protocol_schema_set = frozenset({"http", "https"})

    def __init__(self, dialler: Dialler, policy: EgressPolicy, tls: TlsIdentity | None) -> None:
        super().__init__(force_close=True, limit=1)
        self._dialler = dialler
        self.policy = policy
        self._tls = tls
        self._transport: asyncio.Transport | None = None
        self.dialled = False
        self.facts: TransportFacts | None = None
        self.first_bytes = bytearray()
        self.so_far: Answer | None = None

    async def _create_connection(
        self, req: aiohttp.ClientRequest, traces: object, timeout: aiohttp.ClientTimeout
    ) -> ResponseHandler:
        if self.dialled:  # the library's own second try of an idempotent method
            raise ProviderTimeout("no answer came back")
        url = req.url
        port = url.port or DEFAULT_PORTS[url.scheme]
        self._transport, protocol = await self._dialler.dial(
            lambda: _FirstBytesKept(self), url.scheme, url.raw_host or "", port, self.policy, self._tls
        )
        if self.policy.transport_facts:  # at once: a connection that the peer has closed tells nothing any more
            own = self._tls is not None and self._tls.ca is not None
            self.facts = facts_of(self._transport, by_proxy=self._dialler.by_proxy, own_authorities=own)
        self.dialled = True
        return protocol

    def tear_down(self) -> None:
        if self._transport is not None:
            self._transport.abort()


class _FirstBytesKept(ResponseHandler):
    """The library's protocol, which keeps the head as it came: also where it goes wrong after its status line."""

    def __init__(self, connector: _OneConnection) -> None:
        super().__init__(asyncio.get_running_loop())
        self._connector_seen = connector

    def data_received(self, data: bytes) -> None:
        seen = self._connector_seen
        if len(seen.first_bytes) < MAX_HEAD_KEPT:
            seen.first_bytes += data[: MAX_HEAD_KEPT - len(seen.first_bytes)]
            full = len(seen.first_bytes) == MAX_HEAD_KEPT
            if full and not _STATUS_LINE.match(_final_head(seen.first_bytes)):
                seen.tear_down()  # interim answers and no end to them, which the library would queue
                return
        super().data_received(data)


def _session(connector: _OneConnection) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),  # the whole exchange has one deadline
        skip_auto_headers=_NOT_SET_BY_THE_LIBRARY,
        trust_env=False,
        auto_decompress=False,
        max_line_size=MAX_HEAD_LINE,
        max_field_size=MAX_HEAD_LINE,
        max_headers=MAX_HEAD_LINES,
    )


def _read_url(text: str) -> URL:
    if not _URL.fullmatch(text):
        raise UrlNotAllowed("not an absolute http or https URL in its encoded form")
    try:
        url = URL(text, encoded=True)  # as it was checked, so it goes out
        _ = url.port
    except ValueError:
        raise UrlNotAllowed("not a readable URL") from None
    if "@" in url.raw_authority or not url.raw_host:
        raise UrlNotAllowed("a URL with a user or without a host")
    return url


def _head_of(request: OutgoingRequest) -> CIMultiDict[str]:
    if not _METHOD.fullmatch(request.method):
        raise ValueError("not a method")
    headers: CIMultiDict[str] = CIMultiDict()
    for name, value in request.headers:
        if not _FIELD_NAME.fullmatch(name) or not _FIELD_VALUE.fullmatch(value):
            raise ValueError("a header that no request can have")
        if name.lower() in _OURS:
            raise ValueError("a header that belongs to the connection")
        headers.add(name, value)
    headers.setdefault("User-Agent", USER_AGENT)
    headers.setdefault("Accept-Encoding", "identity")
    return headers


def _as_text(value: bytes) -> str:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("latin-1")


def _final_head(received: bytearray) -> bytes:
    """The head behind the interim answers (1xx), as far as it came; empty where only interim ones did."""
    start = 0
    while True:
        end = _HEAD_END.search(received, start)
        line = _STATUS_LINE.match(received, start)
        interim = line is not None and line[1][:1] == b"1"
        if end is None or not interim:
            return b"" if interim else bytes(received[start : end.start() if end else None])
        start = end.end()


def _well_formed(response: aiohttp.ClientResponse, fields: tuple[tuple[str, str], ...]) -> bool:
    """No folded or broken lines, and one statement of the length that is read (RFC 9112 sections 5.2, 6.1 and 6.3)."""
    framing = [name.lower() for name, _ in fields if name.lower() in ("content-length", "transfer-encoding")]
    codings = response.headers.getall("Transfer-Encoding", [])
    if codings and (codings[0].lower() != "chunked" or response.version == aiohttp.HttpVersion10):
        return False
    return len(framing) <= 1 and all(
        _FIELD_NAME.fullmatch(name) is not None and _FIELD_VALUE.fullmatch(value) is not None for name, value in fields
    )
