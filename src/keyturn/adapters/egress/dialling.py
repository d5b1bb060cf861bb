"""Connections to checked addresses only.

Rule 1: one lookup for each connection; what was checked is what is connected to, so a second answer of the DNS
(rebinding) has nothing to say. Literals are checked like looked-up addresses.
Rule 2: a host is read as the allowed URLs read it; odd spellings of addresses are refused before any lookup.
Rule 3: private networks need the operator's network and the connector's wish; cloud metadata needs an entry of that
one address.
Rule 4: whatever fails here failed before a byte of the request was sent, and the errors say so.
"""

from __future__ import annotations

import asyncio
import itertools
import socket
import ssl
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, Final, TypeVar

from keyturn.adapters.egress.tls_contexts import TlsContexts, handshake_failed
from keyturn.adapters.egress.tunnel import EgressProxy, Tunnel
from keyturn.core.errors import AddressNotAllowed, ProviderUnreachable, UrlNotAllowed
from keyturn.core.messages import TlsIdentity
from keyturn.core.urls.addresses import Network, operator_allows
from keyturn.core.urls.hostnames import HostError, literal_address, normalise_host
from keyturn.ports.egress import EgressPolicy, Resolver

DEFAULT_PORTS: Final = {"http": 80, "https": 443}
MAX_ADDRESSES: Final = 8  # tried for one connection
NEXT_ADDRESS_AFTER_S: Final = 0.25  # RFC 8305 section 5, "Connection Attempt Delay"

P = TypeVar("P", bound=asyncio.BaseProtocol)
Connect = Callable[[str, int], Coroutine[Any, Any, socket.socket]]


@dataclass(frozen=True, slots=True)
class EgressAllowances:
    """What the operator allows; a connector has to ask for it as well.

    `networks`: private ones that may be reached. `insecure_http`: plain http may be spoken.
    """

    networks: tuple[Network, ...] = ()
    insecure_http: bool = False


class Dialler:
    """Makes the connections of both clients."""

    def __init__(
        self,
        resolver: Resolver,
        operator: EgressAllowances,
        ssl_context: ssl.SSLContext | None = None,
        *,
        connect_s: float = 5.0,
        tls_s: float = 5.0,
        connect: Connect | None = None,
        proxy: EgressProxy | None = None,
    ) -> None:
        """Make one.

        Args:
            resolver: asked once for each connection.
            operator: what may be reached besides public addresses.
            ssl_context: used as it is where a request has no TLS identity of its own; the system's where None.
            connect_s: for lookup and connection together.
            tls_s: for the handshake.
            connect: makes the connection to one checked address.
            proxy: the operator's own, asked for that address.
        """
        self._resolver = resolver
        self._operator = operator
        self._tls = TlsContexts(ssl_context)
        self._connect_s = connect_s
        self._tls_s = tls_s
        self._connect = connect or connect_tcp
        self.by_proxy = proxy is not None
        if proxy is not None:
            self._connect = Tunnel(proxy, resolver, self._connect)

    async def dial(
        self,
        protocol_factory: Callable[[], P],
        scheme: str,
        host: str,
        port: int,
        policy: EgressPolicy,
        tls: TlsIdentity | None = None,
    ) -> tuple[asyncio.Transport, P]:
        """Connect to one of the host's addresses that may be reached.

        Args:
            protocol_factory: makes the asyncio protocol that the connection speaks to.
            scheme: `http` or `https`, lower case.
            host: a name or an address, IPv6 with brackets or without.
            port: 1 to 65535.
            policy: what the connector asks for; `timeout_s` is the caller's business.
            tls: the authorities and certificate of the connection, where it has its own.

        Raises:
            UrlNotAllowed: plain http without both allowances, another scheme, no host, an odd spelling of an address.
            AddressNotAllowed: none of the addresses may be reached, or there is none.
            ProviderUnreachable: lookup or connection failed, or took longer than the limit for connecting.
            ProviderTlsFailed: handshake or certificate failed, or took longer than its limit.
        """
        if scheme not in DEFAULT_PORTS or not 0 < port < 65536:
            raise UrlNotAllowed("only https, or http where allowed")
        if scheme == "http" and not (policy.insecure_http and self._operator.insecure_http):
            raise UrlNotAllowed("plain http is not allowed here")
        name = read_host(host)
        context = self._tls.of(tls) if scheme == "https" else None
        try:
            async with asyncio.timeout(self._connect_s):
                connected = await _connect_to_any(await self._allowed_addresses(name, policy), port, self._connect)
        except TimeoutError:
            raise ProviderUnreachable("no connection within the time limit") from None
        except OSError:
            raise ProviderUnreachable("the lookup or the connection failed") from None
        return await self._speak(protocol_factory, connected, name, context)

    async def _allowed_addresses(self, name: str, policy: EgressPolicy) -> list[str]:
        literal = literal_address(name)
        addresses = [literal] if literal is not None else await self._resolver.resolve(name)
        asks = policy.private_network or policy.insecure_http
        networks = self._operator.networks if asks else ()
        allowed = [address for address in addresses if operator_allows(address, networks)]
        if not allowed:
            raise AddressNotAllowed("the host has no address that may be reached")
        return _interleaved(allowed)[:MAX_ADDRESSES]

    async def _speak(
        self, protocol_factory: Callable[[], P], connected: socket.socket, name: str, context: ssl.SSLContext | None
    ) -> tuple[asyncio.Transport, P]:
        loop = asyncio.get_running_loop()
        try:
            if context is None:
                return await loop.create_connection(protocol_factory, sock=connected)
            return await loop.create_connection(
                protocol_factory,
                sock=connected,
                ssl=context,
                server_hostname=literal_address(name) or name,
                ssl_handshake_timeout=self._tls_s,
                ssl_shutdown_timeout=1.0,
            )
        except OSError as error:  # ssl.SSLError is one; a handshake that takes too long is a ConnectionAbortedError
            if context is None:
                raise ProviderUnreachable("the connection failed") from None
            raise handshake_failed(error) from None


def read_host(host: str) -> str:
    """The one spelling of a host, IPv6 in brackets. Raises UrlNotAllowed."""
    bare_ipv6 = ":" in host and not host.startswith("[")
    try:
        return normalise_host(f"[{host}]" if bare_ipv6 else host)
    except HostError:
        raise UrlNotAllowed("the URL has no readable host") from None


def _interleaved(addresses: Sequence[str]) -> list[str]:
    """Families in turn, beginning with the first one's, so that a dead family costs one delay (RFC 8305 section 4)."""
    if len(addresses) == 1:
        return list(addresses)
    first_version = ip_address(addresses[0]).version
    same = [address for address in addresses if ip_address(address).version == first_version]
    other = [address for address in addresses if ip_address(address).version != first_version]
    pairs = itertools.zip_longest(same, other)
    return [address for pair in pairs for address in pair if address is not None]


async def _connect_to_any(addresses: Sequence[str], port: int, connect: Connect) -> socket.socket:
    """The first connection that comes about; another address is tried when one fails or is slow."""
    if len(addresses) == 1:
        return await connect(addresses[0], port)
    waiting = list(reversed(addresses))
    running: set[asyncio.Task[socket.socket]] = set()
    made: list[asyncio.Task[socket.socket]] = []
    failure: BaseException = OSError("no address")
    try:
        while waiting or running:
            if waiting:
                running.add(asyncio.create_task(connect(waiting.pop(), port)))
            delay = NEXT_ADDRESS_AFTER_S if waiting else None
            ended, running = await asyncio.wait(running, timeout=delay, return_when=asyncio.FIRST_COMPLETED)
            made += [task for task in ended if task.exception() is None]
            failure = next((error for task in ended if (error := task.exception())), failure)
            if made:
                return made.pop(0).result()
        raise failure
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        late = [task for task in running if not task.cancelled() and task.exception() is None]
        for task in made + late:
            task.result().close()


async def connect_tcp(address: str, port: int) -> socket.socket:
    """A connected socket. `address` is numeric, so nothing is looked up again."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        made.setblocking(False)
        await asyncio.get_running_loop().sock_connect(made, (address, port))
    except BaseException:
        made.close()
        raise
    return made
