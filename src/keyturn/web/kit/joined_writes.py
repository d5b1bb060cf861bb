"""A server's answer in one write: the head waits for the body that follows it in the same moment.

uvicorn writes head and body apart, and each write is a system call: of a small proxied answer's cost one seventh.

Rule 1: what is written, and in which order, does not change; only when, by less than one round of the event loop.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from keyturn.web.kit.bounded_heads import BoundedHeads
from keyturn.web.kit.refusals import Refusals

_HEAD: Final = b"HTTP/1.1 "
_INTERIM: Final = b"HTTP/1.1 1"
_COPIED_AT_MOST: Final = 65_536  # joining a large body would cost more than a second write


class JoinedTransport(asyncio.Transport):
    """A transport that holds an answer's head back until its body, the end of this round of the loop, or a close."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._transport = transport
        self._loop = loop
        self._head: bytes | None = None
        # Handed through as they are: nothing may be held back when these are asked, or it does not matter to them.
        self.get_extra_info = transport.get_extra_info  # type: ignore[method-assign]
        self.is_closing = transport.is_closing  # type: ignore[method-assign]
        self.is_reading = transport.is_reading  # type: ignore[method-assign]
        self.pause_reading = transport.pause_reading  # type: ignore[method-assign]
        self.resume_reading = transport.resume_reading  # type: ignore[method-assign]
        self.set_write_buffer_limits = transport.set_write_buffer_limits  # type: ignore[method-assign]

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """See `asyncio.Transport`."""
        head = self._head
        if head is not None:
            self._head = None
            if len(data) <= _COPIED_AT_MOST:
                data = head + data
            else:
                self._transport.write(head)
        elif data[:9] == _HEAD and data[:10] != _INTERIM:
            self._head = bytes(data)
            self._loop.call_soon(self._flush)
            return
        self._transport.write(data)

    def close(self) -> None:
        """See `asyncio.Transport`."""
        self._flush()
        self._transport.close()

    def abort(self) -> None:
        """See `asyncio.Transport`."""
        self._head = None
        self._transport.abort()

    def get_write_buffer_size(self) -> int:
        """See `asyncio.Transport`."""
        return self._transport.get_write_buffer_size() + len(self._head or b"")

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """See `asyncio.Transport`."""
        self._flush()
        self._transport.set_protocol(protocol)

    def get_protocol(self) -> asyncio.BaseProtocol:
        """See `asyncio.Transport`."""
        return self._transport.get_protocol()

    def _flush(self) -> None:
        head, self._head = self._head, None
        if head is not None:
            self._transport.write(head)


class JoinedHttpProtocol(BoundedHeads):
    """uvicorn's HTTP over a `JoinedTransport`; for `uvicorn.Config(http=…)`."""

    def connection_made(self, transport: Any) -> None:
        """See `asyncio.Protocol`."""
        super().connection_made(JoinedTransport(transport, self.loop))


def noting(refusals: Refusals) -> type[JoinedHttpProtocol]:
    """The same, writing down there which heads it refuses."""
    return type("NotingHttpProtocol", (JoinedHttpProtocol,), {"refusals": refusals})
