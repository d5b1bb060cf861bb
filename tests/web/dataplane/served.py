"""The data plane behind its real server and over its real client, on loopback."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, replace
from ipaddress import ip_network

import uvicorn

from keyturn.adapters.egress.dialling import EgressAllowances
from keyturn.adapters.egress.resolver import SystemResolver
from keyturn.adapters.egress.upstream import PooledUpstream
from keyturn.web.dataplane.application import DataPlane
from keyturn.web.kit.joined_writes import JoinedHttpProtocol
from tests.engine import story as engine_story
from tests.fakes.application import ADMIN_KEY, FakeWorld, make_world

Api = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Server(uvicorn.Server):
    """uvicorn's, without a hand in the process's signals."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave them alone."""
        yield


@dataclass
class Served:
    """Where the proxy listens, and the connection to call through."""

    world: FakeWorld
    app: DataPlane
    port: int
    connection_id: str

    def head(self, method: str, below: str, *headers: str) -> bytes:
        """A request's head, with key and host."""
        lines = [
            f"{method} /v1/proxy/{self.connection_id}{below} HTTP/1.1",
            "Host: keyturn.test",
            f"Keyturn-Key: {ADMIN_KEY}",
            *headers,
        ]
        return "\r\n".join([*lines, "", ""]).encode()

    async def open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection to the proxy."""
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def exchange(self, request: bytes) -> bytes:
        """Send bytes and read until the server closes; `Connection: close` has to be among them."""
        reader, writer = await self.open()
        writer.write(request)
        answer = await asyncio.wait_for(reader.read(), 10)
        writer.close()
        return answer


@asynccontextmanager
async def served(api: Api, *, more: str = "") -> AsyncIterator[Served]:
    """Serve a proxy to an API that this function plays."""
    playing: set[asyncio.Task[None]] = set()

    async def play(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        playing.add(task)
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await api(reader, writer)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    api_server = await asyncio.start_server(play, "127.0.0.1", 0)
    api_port = api_server.sockets[0].getsockname()[1]
    upstream = PooledUpstream(SystemResolver(), EgressAllowances((ip_network("127.0.0.0/8"),), True))
    world = make_world()
    base = f"http://127.0.0.1:{api_port}"
    text = engine_story.CONNECTOR.replace(
        'allowed_urls: ["https://api.acme.example"]',
        f'allowed_urls: ["{base}", "https://api.acme.example"]\ninsecure_http: true',
    )
    kept, engine_story.CONNECTOR = engine_story.CONNECTOR, text
    try:
        await engine_story.publish(world, more=more)
    finally:
        engine_story.CONNECTOR = kept
    connected = await engine_story.log_in(world, engine_story.token(at=world.clock.now()))
    app = DataPlane(replace(world.application, upstream=upstream))
    listener = socket.create_server(("127.0.0.1", 0))
    server = Server(
        uvicorn.Config(
            app, loop="none", http=JoinedHttpProtocol, ws="none", lifespan="off", log_config=None, access_log=False
        )
    )
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        while not server.started:  # noqa: ASYNC110  (uvicorn has no event for it)
            await asyncio.sleep(0.005)
        yield Served(world, app, listener.getsockname()[1], connected.connection.id)
    finally:
        server.should_exit = server.force_exit = True
        await serving
        await upstream.close()
        api_server.close()
        for task in playing:
            task.cancel()
        await asyncio.gather(*playing, return_exceptions=True)


async def read_head(reader: asyncio.StreamReader) -> tuple[str, dict[str, str]]:
    """A message's first line, and its headers by lower-case name."""
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")[:-2]
    return first, {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
