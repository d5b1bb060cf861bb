"""An API's answer while it streams: what the connection puts in, a caller takes out.

Rule 1: it belongs to its connection only until its last byte came; a connection that is free again does not wait
for a slow reader of what is already here.
Rule 2: what was received is handed out before the error that ended it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Protocol

from keyturn.core.errors import ProviderTimeout


class Source(Protocol):
    """The connection, as far as an answer needs it."""

    def resume(self) -> None:
        """Read on; the answer has room."""
        ...

    def abort(self) -> None:
        """Close at once; nobody wants the rest."""
        ...


class StreamedAnswer:
    """One exchange, from the request's first byte to the answer's last. An `UpstreamAnswer` and its own iterator."""

    __slots__ = (
        "_loop",
        "_waiter",
        "broken_by_peer",
        "buffered",
        "chunks",
        "complete",
        "consumed",
        "error",
        "go_ahead",
        "head_over",
        "headers",
        "heard",
        "is_head",
        "pump",
        "received",
        "source",
        "status",
    )

    def __init__(self, loop: asyncio.AbstractEventLoop, is_head: bool) -> None:
        self._loop = loop
        self._waiter: asyncio.Future[None] | None = None
        self.is_head = is_head
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self.chunks: list[bytes] = []
        self.buffered = 0  # bytes in `chunks`
        self.received = 0  # bytes of the body so far
        self.head_over = False
        self.complete = False
        self.heard = False  # any byte came
        self.consumed = False  # the request's body was asked for a piece
        self.broken_by_peer = False
        self.error: BaseException | None = None
        self.source: Source | None = None
        self.pump: asyncio.Task[None] | None = None
        self.go_ahead: asyncio.Event | None = None  # where the caller expects 100 (Continue)

    # --- the connection's side

    def wake(self) -> None:
        """Something happened."""
        waiter = self._waiter
        if waiter is not None:
            self._waiter = None
            if not waiter.done():
                waiter.set_result(None)
        if self.go_ahead is not None and (self.head_over or self.error is not None):
            self.go_ahead.set()

    def fail(self, error: BaseException) -> None:
        """It ends here; the first error counts."""
        if not self.complete and self.error is None:
            self.error = error

    def stop_sending(self) -> None:
        """The rest of the request's body goes nowhere."""
        if self.pump is not None:
            self.pump.cancel()

    # --- the caller's side

    async def head(self) -> None:
        """Wait for status and headers; raises what ended the exchange before them."""
        while not self.head_over:
            if self.error is not None:
                raise self.error
            await self._change()

    @property
    def whole(self) -> bytes | None:
        """The body, where all of it is here and none was taken."""
        if not self.complete or self.buffered != self.received:
            return None
        chunks = self.chunks
        if len(chunks) == 1:
            return chunks[0]
        return b"".join(chunks)

    def body(self) -> AsyncIterator[bytes]:
        """As `UpstreamAnswer.body` promises."""
        return self

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        while not self.chunks:
            if self.complete:
                raise StopAsyncIteration
            if self.error is not None:
                raise self.error
            await self._change()
        chunks = self.chunks
        piece = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        chunks.clear()
        self.buffered = 0
        if self.source is not None:
            self.source.resume()
        return piece

    async def close(self) -> None:
        """As `UpstreamAnswer.close` promises."""
        self.abandon()

    def abandon(self) -> None:
        """Nobody wants the rest of it: end the connection if it is still ours, and stop sending."""
        if self.complete:
            return
        self.fail(ProviderTimeout("closed before its end"))
        if self.source is not None:
            self.source.abort()
        self.stop_sending()
        self.chunks.clear()

    async def _change(self) -> None:
        self._waiter = self._loop.create_future()
        await self._waiter
