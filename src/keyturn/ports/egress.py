"""The only way out: one request to a provider, sent once. Promises: `tests/contracts/egress_contract.py`.

Every address is checked before a connection is made, at the moment it is made; redirects are never followed; a client
never retries by itself; the environment's proxies are not used; decompression and size are bounded.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from keyturn.core.messages import Answer, OutgoingRequest, TlsIdentity

MAX_ANSWER_BYTES = 1_048_576


@dataclass(frozen=True, slots=True)
class EgressPolicy:
    """What the connector asks for; the operator's allowances are the adapter's own.

    `timeout_s`: for the whole exchange, from the first lookup to the last byte. `tls`: of proxied calls; other
    requests say their own. `transport_facts`: the answer of `Egress.send` is to say how it travelled; proxied calls
    never do.
    """

    private_network: bool = False
    insecure_http: bool = False
    timeout_s: float = 30.0
    tls: TlsIdentity | None = None
    transport_facts: bool = False


class Egress(Protocol):
    """Sends one request on a new connection and reads the whole answer."""

    async def send(self, request: OutgoingRequest, policy: EgressPolicy) -> Answer:
        """Send it once.

        Raises:
            UrlNotAllowed: plain http without both allowances. Nothing was sent.
            AddressNotAllowed: no address of the host may be reached. Nothing was sent.
            ProviderUnreachable: lookup or connection failed. Nothing was sent.
            ProviderTlsFailed: handshake or certificate failed; `check` says which check. Nothing was sent.
            ProviderTimeout: some of it may have been sent, and no status line came back: silence, a close, a reset, or
                bytes that are no HTTP. What the request did is not known.
        An answer that goes wrong after its status line (cut, late, a broken head, two lengths, too large, a coding that
        can't be undone) is an `Answer` with that status and `complete=False`; its headers may be missing, its body is.
        """
        ...


class Resolver(Protocol):
    """Looks names up, at the moment of connecting."""

    async def resolve(self, host: str) -> Sequence[str]:
        """The host's addresses as text; empty where there are none. Raises OSError where the lookup fails."""
        ...


@dataclass(frozen=True, slots=True)
class UpstreamRequest:
    """A proxied call on its way to the API. `target` is path and query as they are sent; header names lower case.

    Both may carry the token, and are hidden from `repr`. `connection_id`: in whose name the call is made, and whose
    share of the host's connections it takes.
    """

    method: bytes
    scheme: str
    host: str
    port: int
    target: bytes = field(repr=False)
    headers: tuple[tuple[bytes, bytes], ...] = field(repr=False)
    content_length: int | None = None  # None with a body means chunked
    has_body: bool = False
    connection_id: str = ""


class UpstreamAnswer(Protocol):
    """The API's answer while it streams."""

    @property
    def status(self) -> int:
        """The status code."""
        ...

    @property
    def headers(self) -> Sequence[tuple[bytes, bytes]]:
        """As received, names in lower case."""
        ...

    def body(self) -> AsyncIterator[bytes]:
        """The body as it comes, chunking undone, with back-pressure; once.

        Raises ProviderTimeout where it stalls or breaks off, ProviderBadResponse where it is no HTTP.
        """
        ...

    @property
    def whole(self) -> bytes | None:
        """The whole body, where it came with the head and nothing of it was read yet; then `body` need not be asked."""
        ...

    async def close(self) -> None:
        """Done with it; an unread rest closes the connection."""
        ...


class Upstream(Protocol):
    """The hot path's client: pooled connections, bodies streamed both ways."""

    async def open(
        self, request: UpstreamRequest, body: AsyncIterator[bytes] | bytes | None, policy: EgressPolicy
    ) -> UpstreamAnswer:
        """Send a call and return its answer once the head is there.

        Args:
            request: `headers` without those of the connection (`host`, `content-length`, `transfer-encoding`,
                `connection` and their kin), which are made here; `expect: 100-continue` may stand among them.
            body: an iterator is read only as fast as the API takes it; bytes are a body that is wholly there.
            policy: `timeout_s` does not count here: a proxied call has limits for silence, none in all.

        Raises:
            BadRequest: a method, target or header that no request can have, or a body of another length than stated.
            ProviderUnavailable: too many calls of this host, or of this connection there, are under way.
            ProviderBadResponse: the answer's head is no HTTP, is too large, or leaves open where the answer ends.
            ProviderTimeout: sent, and no answer came within the limit, or the connection broke before it.
            Others as `Egress.send`. What the body's iterator raises passes through.
        """
        ...

    async def close(self, grace_s: float = 0.0) -> None:
        """Take no more calls, let those under way end within `grace_s`, then close every connection."""
        ...
