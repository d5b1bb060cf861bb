"""The operator's own proxy on the way out, by CONNECT.

Rule 1: only where the operator names one; the environment's proxies are nobody's word.
Rule 2: the address was looked up and judged here before, and it is the address that the proxy is asked for: it looks
nothing up, and has no second answer to give.
Rule 3: TLS is spoken through the tunnel with the host of the URL; the proxy sees addresses and ports.

Source: RFC 9110 section 9.3.6; RFC 9112 section 3.2.3.
"""

from __future__ import annotations

import asyncio
import base64
import re
import socket
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from keyturn.core.secret import Secret
from keyturn.core.urls.hostnames import HostError, literal_address, normalise_host
from keyturn.ports.egress import Resolver

MAX_HEAD: Final = 8_192
_ESTABLISHED: Final = re.compile(rb"HTTP/1\.[01] 2[0-9][0-9][ \r]")
_END: Final = b"\r\n\r\n"

Connect = Callable[[str, int], Coroutine[Any, Any, socket.socket]]


@dataclass(frozen=True, slots=True)
class EgressProxy:
    """Where the operator's proxy listens, and what it wants to be told. `credentials`: of the Basic scheme."""

    host: str
    port: int
    credentials: Secret | None = field(default=None, repr=False)


def egress_proxy(url: Secret) -> EgressProxy:
    """Read `http://[USER:PASSWORD@]HOST:PORT`; ValueError, which says nothing of the text, where it is none."""
    wanted = "a proxy such as http://proxy.example:3128"
    try:
        parts = urlsplit(url.reveal())
        port = parts.port
        host = normalise_host(f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or "")
    except (ValueError, HostError):
        raise ValueError(wanted) from None
    if parts.scheme != "http" or port is None or parts.path not in ("", "/") or parts.query or parts.fragment:
        raise ValueError(wanted)
    if parts.username is None:
        return EgressProxy(host, port)
    pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return EgressProxy(host, port, Secret(base64.b64encode(pair.encode()).decode()))


class Tunnel:
    """Connects to a checked address by way of the operator's proxy."""

    def __init__(self, proxy: EgressProxy, resolver: Resolver, connect: Connect) -> None:
        self._proxy = proxy
        self._resolver = resolver
        self._connect = connect

    async def __call__(self, address: str, port: int) -> socket.socket:
        """A socket that goes to this address; OSError where the proxy is not reached, or refuses."""
        proxy = self._proxy
        literal = literal_address(proxy.host)
        addresses = [literal] if literal is not None else list(await self._resolver.resolve(proxy.host))
        if not addresses:
            raise OSError("the proxy has no address")
        made = await self._connect(addresses[0], proxy.port)
        try:
            await self._ask(made, f"[{address}]:{port}" if ":" in address else f"{address}:{port}")
        except BaseException:
            made.close()
            raise
        return made

    async def _ask(self, made: socket.socket, authority: str) -> None:
        loop = asyncio.get_running_loop()
        credentials = self._proxy.credentials
        proof = "" if credentials is None else f"Proxy-Authorization: Basic {credentials.reveal()}\r\n"
        head = f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n{proof}\r\n"
        await loop.sock_sendall(made, head.encode("ascii"))
        answer = b""
        while not answer.endswith(_END):
            # Byte by byte: what follows the head belongs to whoever speaks through the tunnel.
            piece = await loop.sock_recv(made, 1)
            answer += piece
            if not piece or len(answer) > MAX_HEAD:
                raise OSError("the proxy gave no answer")
        if not _ESTABLISHED.match(answer):
            raise OSError("the proxy refused")
