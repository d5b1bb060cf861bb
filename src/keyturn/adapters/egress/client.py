"""The control plane's client: one request, sent once on a connection of its own, the whole answer read within limits.

Rule 1: a connection carries one request and is then torn down, and a request makes one connection: nothing is ever sent
twice.
Rule 2: nothing is added to a request but what HTTP needs (Host, Content-Length, Connection) and, where the caller has
none, `User-Agent` and `Accept-Encoding: identity`.
Rule 3: the whole exchange, from the lookup to the last byte, has one deadline.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from dataclasses import dataclass, replace
from typing import Final

from keyturn.adapters.egress.content_coding import Undecodable, decoded
from keyturn.adapters.egress.dialling import DEFAULT_PORTS, Dialler, EgressAllowances, read_host
from keyturn.adapters.egress.exchange import Exchange
from keyturn.adapters.egress.tls_contexts import facts_of
from keyturn.adapters.egress.tunnel import EgressProxy
from keyturn.core.errors import ProviderTimeout, ProviderUnreachable, UrlNotAllowed
from keyturn.core.messages import Answer, OutgoingRequest, TransportFacts
from keyturn.ports.clock import Clock
from keyturn.ports.egress import MAX_ANSWER_BYTES, EgressPolicy, Resolver

USER_AGENT: Final = "keyturn"

_URL: Final = re.compile(
    r"(https?)://(?=[!-~]*\Z)(\[[^\]/?#@]*\]|[^\[\]:/?#@]+)(?::([0-9]{0,5}))?([/?][^#]*)?(?:#.*)?", re.I
)
_METHOD: Final = re.compile(r"[A-Z]{1,20}")
_FIELD_NAME: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_FIELD_VALUE: Final = re.compile(r"[\t\x20-\x7e\x80-\U0010ffff]*")
_OURS: Final = frozenset({"host", "content-length", "transfer-encoding", "connection", "expect", "upgrade", "te"})
_SAYS_ITS_LENGTH: Final = frozenset({"POST", "PUT", "PATCH"})  # RFC 9110 section 8.6: also where it is 0


@dataclass(frozen=True, slots=True)
class _Url:
    scheme: str
    host: str
    port: int
    target: str

    @property
    def authority(self) -> str:
        """The host as `Host` says it."""
        return self.host if self.port == DEFAULT_PORTS[self.scheme] else f"{self.host}:{self.port}"


class HttpEgress:
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
        head = _head_of(request, url)
        exchange: Exchange | None = None
        facts: TransportFacts | None = None

        def made() -> Exchange:
            return Exchange(self._clock, is_head=request.method == "HEAD")

        try:
            async with asyncio.timeout(policy.timeout_s):
                transport, exchange = await self._dialler.dial(
                    made, url.scheme, url.host, url.port, policy, request.tls
                )
                if policy.transport_facts:  # at once: a connection that the peer has closed tells nothing any more
                    own = request.tls is not None and request.tls.ca is not None
                    facts = facts_of(transport, by_proxy=self._dialler.by_proxy, own_authorities=own)
                transport.write(head + request.body)
                await exchange.over
        except TimeoutError:
            if exchange is None:
                raise ProviderUnreachable("no connection within the time limit") from None
        finally:
            if exchange is not None:
                exchange.tear_down()
        answer = exchange.answer()
        if answer is None:
            raise ProviderTimeout("no readable answer came back") from None
        answer = _uncoded(answer)
        return answer if facts is None else replace(answer, transport=facts)


def _uncoded(answer: Answer) -> Answer:
    """The same with its body as it was before it was compressed."""
    codings = answer.all_values("content-encoding")
    if not codings or not answer.complete:
        return answer
    try:
        return replace(answer, body=decoded(answer.body, ",".join(codings), MAX_ANSWER_BYTES))
    except Undecodable:
        return replace(answer, body=b"", complete=False)


def _read_url(text: str) -> _Url:
    """Take a URL apart; its path and query go out as they were checked."""
    found = _URL.fullmatch(text)
    if found is None:
        raise UrlNotAllowed("not an absolute http or https URL in its encoded form, or one with a user")
    scheme, host, port, target = found.groups()
    scheme, target = scheme.lower(), target or "/"
    number = int(port) if port else DEFAULT_PORTS[scheme]
    if not 0 < number < 65_536:
        raise UrlNotAllowed("not a readable URL")
    return _Url(scheme, read_host(host), number, target if target.startswith("/") else f"/{target}")


def _head_of(request: OutgoingRequest, url: _Url) -> bytes:
    """Request line and headers, with the empty line."""
    if not _METHOD.fullmatch(request.method):
        raise ValueError("not a method")
    lines, names = [f"{request.method} {url.target} HTTP/1.1", f"Host: {url.authority}"], set()
    for name, value in request.headers:
        if not _FIELD_NAME.fullmatch(name) or not _FIELD_VALUE.fullmatch(value):
            raise ValueError("a header that no request can have")
        names.add(name.lower())
        lines.append(f"{name}: {value}")
    if names & _OURS:
        raise ValueError("a header that belongs to the connection")
    if "user-agent" not in names:
        lines.append(f"User-Agent: {USER_AGENT}")
    if "accept-encoding" not in names:
        lines.append("Accept-Encoding: identity")
    if request.body or request.method in _SAYS_ITS_LENGTH:
        lines.append(f"Content-Length: {len(request.body)}")
    lines += ["Connection: close", "", ""]
    return "\r\n".join(lines).encode("utf-8")
