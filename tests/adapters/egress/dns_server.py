"""A name server that answers from a script, and a resolver that asks it over the wire."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from ipaddress import ip_address
from typing import cast

A, AAAA = 1, 28


class ScriptedDns(asyncio.DatagramProtocol):
    """Each lookup of a name gives its next list of addresses, the last one again and again; time to live 0."""

    def __init__(self, script: dict[str, list[Sequence[str]]]) -> None:
        self._script = script
        self.asked: list[str] = []
        self._transport: asyncio.DatagramTransport | None = None
        self.address = ("127.0.0.1", 0)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ready to answer."""
        self._transport = cast("asyncio.DatagramTransport", transport)
        self.address = transport.get_extra_info("sockname")

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Answer one question (RFC 1035 section 4)."""
        name, end = _name(data)
        kind = struct.unpack("!H", data[end : end + 2])[0]
        said = self._script.get(name, [[]])
        if kind == A:
            self.asked.append(name)
        addresses = said.pop(0) if kind == AAAA and len(said) > 1 else said[0]
        wanted = [ip_address(each) for each in addresses]
        records = [each.packed for each in wanted if each.version == (4 if kind == A else 6)]
        answer = data[:2] + struct.pack("!HHHHH", 0x8180, 1, len(records), 0, 0) + data[12 : end + 4]
        for packed in records:
            answer += struct.pack("!HHHIH", 0xC00C, kind, 1, 0, len(packed)) + packed
        assert self._transport is not None
        self._transport.sendto(answer, addr)


@asynccontextmanager
async def dns_server(script: dict[str, list[Sequence[str]]]) -> AsyncIterator[ScriptedDns]:
    """Serve on loopback."""
    transport, server = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: ScriptedDns(script), local_addr=("127.0.0.1", 0)
    )
    try:
        yield server
    finally:
        transport.close()


class WireResolver:
    """Asks one name server for both kinds of address, A first; keeps nothing. A `Resolver`."""

    def __init__(self, server: tuple[str, int]) -> None:
        self._server = server

    async def resolve(self, host: str) -> Sequence[str]:
        """As `Resolver.resolve`."""
        return [*await self._ask(host, A), *await self._ask(host, AAAA)]

    async def _ask(self, host: str, kind: int) -> list[str]:
        loop = asyncio.get_running_loop()
        labels = b"".join(bytes([len(label)]) + label.encode("ascii") for label in host.split("."))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
            made.setblocking(False)
            await loop.sock_connect(made, self._server)
            question = labels + b"\0" + struct.pack("!HH", kind, 1)
            await loop.sock_sendall(made, struct.pack("!HHHHHH", 7, 0x0100, 1, 0, 0, 0) + question)
            data = await loop.sock_recv(made, 4096)
        found, at = [], 12 + len(question)
        for _ in range(struct.unpack("!H", data[6:8])[0]):
            length = struct.unpack("!H", data[at + 10 : at + 12])[0]
            found.append(str(ip_address(data[at + 12 : at + 12 + length])))
            at += 12 + length
        return found


def _name(data: bytes) -> tuple[str, int]:
    labels, at = [], 12
    while data[at]:
        labels.append(data[at + 1 : at + 1 + data[at]].decode("ascii"))
        at += data[at] + 1
    return ".".join(labels), at + 1
