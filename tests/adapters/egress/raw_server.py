"""A server that says exactly the bytes it is told, on loopback, and remembers what it was sent."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

Script = Callable[["Talk"], Awaitable[None]]


@dataclass
class Talk:
    """One connection, seen by the script that plays the server."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    received: list[bytes]
    arrived: asyncio.Event

    async def request(self) -> bytes:
        """Read one request with its body (by length or chunks), as it came."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        rest = b""
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                rest = await self.reader.readexactly(int(line.split(b":")[1]))
            if line.startswith(b"transfer-encoding:"):
                while not rest.endswith(b"0\r\n\r\n"):
                    rest += await self.reader.readuntil(b"\n")
        self.received.append(head + rest)
        self.arrived.set()
        return head + rest

    async def send(self, data: bytes) -> None:
        """Write it out."""
        self.writer.write(data)
        await self.writer.drain()

    async def reset(self) -> None:
        """End the connection with a reset instead of an orderly close."""
        plain: socket.socket = self.writer.get_extra_info("socket")
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def gone(self) -> None:
        """Wait until the client has closed the connection."""
        with suppress(ConnectionError):
            while await self.reader.read(65536):
                pass


@dataclass
class RawServer:
    """Where it listens and what it saw."""

    port: int
    received: list[bytes] = field(default_factory=list)
    connections: int = 0
    open_connections: int = 0
    arrived: asyncio.Event = field(default_factory=asyncio.Event)  # a request, the first or one after a clear()

    def url(self, path: str = "/token", *, host: str = "127.0.0.1", scheme: str = "http") -> str:
        """An URL that reaches it."""
        return f"{scheme}://{host}:{self.port}{path}"


def answering(*pieces: bytes) -> Script:
    """Read a request, send the pieces, close."""

    async def script(talk: Talk) -> None:
        await talk.request()
        for piece in pieces:
            await talk.send(piece)

    return script


def serving(*answers: bytes) -> Script:
    """Answer one request after the other on the same connection, then wait for the client to leave."""

    async def script(talk: Talk) -> None:
        for answer in answers:
            await talk.request()
            await talk.send(answer)
        await talk.gone()

    return script


def whole(body: bytes, status: bytes = b"200 OK", *fields: bytes) -> bytes:
    """An ordinary answer with its length."""
    lines = b"".join(line + b"\r\n" for line in fields)
    return b"HTTP/1.1 %b\r\n%bContent-Length: %d\r\n\r\n%b" % (status, lines, len(body), body)


def body_of(request: bytes) -> bytes:
    """The body of a request as it came, chunking undone."""
    head, _, rest = request.partition(b"\r\n\r\n")
    if b"transfer-encoding: chunked" not in head.lower():
        return rest
    body = b""
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        body, rest = body + rest[: int(size, 16)], rest[int(size, 16) + 2 :]
    return body


@asynccontextmanager
async def raw_server(
    *scripts: Script, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1"
) -> AsyncIterator[RawServer]:
    """Serve: the nth connection is played the nth script, all later ones the last."""
    server = RawServer(0)
    talks: set[asyncio.Task[None]] = set()

    async def play(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        script = scripts[min(server.connections, len(scripts) - 1)]
        server.connections += 1
        server.open_connections += 1
        task = asyncio.current_task()
        assert task is not None
        talks.add(task)
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                await script(Talk(reader, writer, server.received, server.arrived))
        finally:
            talks.discard(task)
            server.open_connections -= 1
            writer.close()
            with suppress(ConnectionError, ssl.SSLError, asyncio.CancelledError):
                await writer.wait_closed()

    listening = await asyncio.start_server(play, host, 0, ssl=tls, limit=1 << 20, backlog=1024)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()
        for task in tuple(talks):
            task.cancel()
        await asyncio.gather(*talks, return_exceptions=True)
        await listening.wait_closed()
