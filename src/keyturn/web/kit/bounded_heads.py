"""Bounds for what a request's parser holds, and for how long: the server's own has none.

Rule 1: what came and led to nothing yet (a head, a trailer, a chunk's extension that goes on and on) is at most so
long; then the connection is answered with 400 and closed.
Rule 2: a body is no such thing: its pieces are handed on as they come, with back-pressure.
Rule 3: a connection says within so many seconds what it wants, and a head that has begun ends in as many. A head that
comes in one piece, as nearly each does, costs no timer.

Rule 4: a field after the head is nobody's header.

Source: the threat model, D1, D2 and E3; RFC 9110 section 5.4 (limits of fields).
"""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from keyturn.web.kit.refusals import HEAD_TOO_LONG, HEAD_TOO_SLOW, INPUT, MALFORMED, Refusals

LONGEST_HEAD: Final = 65_536
MOST_HEADERS: Final = 256
HEAD_WITHIN_S: Final = 15.0
_TOO_LONG: Final = "The request's head is too long."
_TIMEOUT: Final = (
    b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\ncache-control: no-store\r\nconnection: close\r\n\r\n"
)


class BoundedHeads(HttpToolsProtocol):
    """uvicorn's HTTP, with heads that end. `refusals`: where those are written down that do not; a subclass says."""

    refusals: ClassVar[Refusals | None] = None
    _pending = 0  # bytes that came since the parser last had something to say
    _in_head = True  # nothing was said yet of a next request, or not all of it
    _is_too_long = False
    _late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """See `asyncio.Protocol`."""
        super().connection_made(transport)
        self._late = self.loop.call_later(HEAD_WITHIN_S, self._too_late)

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.Protocol`."""
        self._in_time()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        self._pending += len(data)
        super().data_received(data)
        if self._pending > LONGEST_HEAD and not self.transport.is_closing():
            self.send_400_response(_TOO_LONG)
        if self._in_head and self._pending and self._late is None and not self.transport.is_closing():
            self._late = self.loop.call_later(HEAD_WITHIN_S, self._too_late)

    def _in_time(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _too_late(self) -> None:
        """Close a connection whose head did not come; an answer that is on its way comes to its end first."""
        self._late = None
        if self.transport.is_closing():
            return
        if self.cycle is not None and not self.cycle.response_complete:
            self._late = self.loop.call_later(HEAD_WITHIN_S, self._too_late)
            return
        if self._pending:
            self.transport.write(_TIMEOUT)
            self._note(HEAD_TOO_SLOW)
        self.transport.close()

    def send_400_response(self, msg: str) -> None:
        """As uvicorn calls it, for what its parser can't read, and for what we don't."""
        self._note(HEAD_TOO_LONG if self._is_too_long or msg == _TOO_LONG else MALFORMED)
        super().send_400_response(msg)

    def _note(self, code: str) -> None:
        if self.refusals is not None:
            self.refusals.note_as(INPUT, code, {"client": self.client, "headers": ()})

    def on_header(self, name: bytes, value: bytes) -> None:
        """As the parser calls it, for trailers too: those are dropped (RFC 9110 section 6.5.1).

        uvicorn would add one to the headers of a request that is being answered: a key in it would count, and an
        address.
        """
        if self._in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """As the parser calls it; what it raises is answered with 400."""
        # Much may have come for the body's sake alone; only then is the head measured.
        if self._pending > LONGEST_HEAD and self._head_bytes() > LONGEST_HEAD:
            self._refuse_head()
        if len(self.headers) > MOST_HEADERS:
            self._refuse_head()
        self._pending = 0
        self._in_head = False
        self._in_time()
        super().on_headers_complete()

    def _refuse_head(self) -> None:
        self._is_too_long = True  # the parser makes another error of this one
        raise ValueError(_TOO_LONG)

    def _head_bytes(self) -> int:
        return len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)

    def on_body(self, body: bytes) -> None:
        """As the parser calls it."""
        self._pending = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """As the parser calls it."""
        self._pending = 0
        self._in_head = True
        super().on_message_complete()
