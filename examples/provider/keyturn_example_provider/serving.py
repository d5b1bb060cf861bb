"""Listening: on the loopback interface only, with a way to drop a connection, ending with the parent when asked."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import threading
from collections.abc import Callable
from typing import Any

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from .faults import CONNECTION

LOOPBACK = "127.0.0.1"


class DroppableProtocol(H11Protocol):
    """Hand the connection's transport to the application, which has no other way to break an answer off."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Note the transport of this connection."""
        super().connection_made(transport)
        inner: ASGIApp = self.app

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            scope.setdefault("extensions", {})[CONNECTION] = transport
            await inner(scope, receive, send)

        self.app = app


class _AnnouncingServer(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, announce: Callable[[], None]) -> None:
        super().__init__(config)
        self._announce = announce

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._announce()


def bind(port: int) -> socket.socket:
    """Take a port of 127.0.0.1, a free one for 0; raise OSError when it is taken."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((LOOPBACK, port))
    except OSError:
        sock.close()
        raise
    return sock


def serve(app: Any, sock: socket.socket, *, announce: Callable[[], None], until_stdin_closes: bool = False) -> None:
    """Serve until a signal comes or, with `until_stdin_closes`, standard input ends; at most a second of grace.

    `announce` is called once, when connections are accepted.
    """
    config = uvicorn.Config(
        app,
        http=DroppableProtocol,
        loop="asyncio",  # the linger option needs the real socket
        ws="none",
        lifespan="off",
        access_log=False,  # a URL may hold what should not be logged
        log_level="warning",
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=1,
    )
    server = _AnnouncingServer(config, announce)
    if until_stdin_closes:
        threading.Thread(target=_stop_at_end_of_input, args=(server,), daemon=True).start()
    server.run(sockets=[sock])


def _stop_at_end_of_input(server: uvicorn.Server) -> None:
    while os.read(sys.stdin.fileno(), 4096):
        pass
    server.should_exit = True
