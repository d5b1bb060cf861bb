"""Ways out that lead nowhere: what a provider or an API would say comes from a script.

`FakeEgress` passes the same suite as the real client, as far as no wire is involved.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from keyturn.core.errors import ProviderTimeout, UrlNotAllowed
from keyturn.core.messages import Answer, OutgoingRequest, TlsFacts, TransportFacts
from keyturn.ports.egress import EgressPolicy, UpstreamAnswer, UpstreamRequest

Reply = Answer | Exception | Callable[[OutgoingRequest], Answer | Awaitable[Answer]]


class FakeEgress:
    """Replies in order, and remembers every request that went out.

    A reply is an `Answer`, an error to raise, or a function of the request (also a coroutine function, which may
    wait: so a test holds an answer back). The last reply is not repeated: a request too many is a failed test.
    """

    def __init__(self, *replies: Reply, insecure_http: bool = False) -> None:
        self._replies = list(replies)
        self._insecure_http = insecure_http
        self.requests: list[OutgoingRequest] = []
        self.policies: list[EgressPolicy] = []

    def will_reply(self, *replies: Reply) -> None:
        """Add to the script."""
        self._replies += replies

    @property
    def left(self) -> int:
        """How many replies nobody has asked for."""
        return len(self._replies)

    async def send(self, request: OutgoingRequest, policy: EgressPolicy) -> Answer:
        """As `Egress.send`."""
        if urlsplit(request.url).scheme == "http" and not (self._insecure_http and policy.insecure_http):
            raise UrlNotAllowed("plain http is not allowed here")
        self.requests.append(request)
        self.policies.append(policy)
        if not self._replies:
            raise AssertionError(f"nothing is scripted for request {len(self.requests)}, a {request.method}")
        reply = self._replies.pop(0)
        if isinstance(reply, Exception):
            raise reply
        if not isinstance(reply, Answer):
            made = reply(request)
            reply = await made if inspect.isawaitable(made) else made
        return replace(reply, transport=_transport(request)) if policy.transport_facts else reply


def _transport(request: OutgoingRequest) -> TransportFacts:
    """How it would have travelled, had there been a wire."""
    parts = urlsplit(request.url)
    own = request.tls is not None and request.tls.ca is not None
    tls = TlsFacts("TLSv1.3", "TLS_AES_256_GCM_SHA384", parts.hostname or "", "Acme Trust, Acme CA", 2e9, own)
    return TransportFacts("IPv4", tls=tls if parts.scheme == "https" else None)


def json_answer(body: str, status: int = 200, *, received_at: float = 0.0) -> Answer:
    """An answer as token endpoints give it."""
    return Answer(status, (("Content-Type", "application/json"),), body.encode(), received_at)


@dataclass(frozen=True)
class UpstreamReply:
    """What an API answers to a proxied call. `breaks_off`: the body ends in ProviderTimeout after its pieces."""

    status: int = 200
    headers: tuple[tuple[bytes, bytes], ...] = ()
    pieces: tuple[bytes, ...] = ()
    breaks_off: bool = False


@dataclass(frozen=True)
class SentUpstream:
    """A proxied call as it went out, its body read to the end."""

    request: UpstreamRequest
    body: bytes
    policy: EgressPolicy


class FakeUpstreamAnswer:
    """A scripted answer while it streams."""

    def __init__(self, reply: UpstreamReply) -> None:
        self._reply = reply
        self.closed = False

    @property
    def status(self) -> int:
        """The status code."""
        return self._reply.status

    @property
    def headers(self) -> Sequence[tuple[bytes, bytes]]:
        """As scripted."""
        return self._reply.headers

    @property
    def whole(self) -> bytes | None:
        """The body, where it is scripted as one piece or none."""
        if len(self._reply.pieces) > 1 or self._reply.breaks_off:
            return None
        return b"".join(self._reply.pieces)

    async def body(self) -> AsyncIterator[bytes]:
        """The pieces, one at a time."""
        for piece in self._reply.pieces:
            yield piece
        if self._reply.breaks_off:
            raise ProviderTimeout("the answer broke off")

    async def close(self) -> None:
        """Remember that it was closed."""
        self.closed = True


class FakeUpstream:
    """Replies to proxied calls in order, and remembers them with their bodies."""

    def __init__(self, *replies: UpstreamReply | Exception) -> None:
        self._replies = list(replies)
        self.sent: list[SentUpstream] = []
        self.answers: list[FakeUpstreamAnswer] = []
        self.closed = False

    def will_reply(self, *replies: UpstreamReply | Exception) -> None:
        """Add to the script."""
        self._replies += replies

    async def open(
        self, request: UpstreamRequest, body: AsyncIterator[bytes] | bytes | None, policy: EgressPolicy
    ) -> UpstreamAnswer:
        """As `Upstream.open`; reads the whole body first."""
        held = body if isinstance(body, bytes) else b""
        read = [piece async for piece in body] if isinstance(body, AsyncIterator) else [held]
        self.sent.append(SentUpstream(request, b"".join(read), policy))
        if not self._replies:
            raise AssertionError(f"nothing is scripted for call {len(self.sent)}")
        reply = self._replies.pop(0)
        if isinstance(reply, Exception):
            raise reply
        answer = FakeUpstreamAnswer(reply)
        self.answers.append(answer)
        return answer

    async def close(self, grace_s: float = 0.0) -> None:
        """Remember that it was closed."""
        self.closed = True
