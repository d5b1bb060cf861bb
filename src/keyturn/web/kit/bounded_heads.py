"""A bound for what a request's parser holds: the server's own has none, and keeps whatever anybody sends it.

Rule 1: what came and led to nothing yet (a head, a trailer, a chunk's extension that goes on and on) is at most so
long; then the connection is answered with 400 and closed.
Rule 2: a body is no such thing: its pieces are handed on as they come, with back-pressure.

Source: the threat model, D1 and D2; RFC 9110 section 5.4 (limits of fields).
"""

from __future__ import annotations

from typing import Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

LONGEST_HEAD: Final = 65_536
_TOO_LONG: Final = "The request's head is too long."


class BoundedHeads(HttpToolsProtocol):
    """uvicorn's HTTP, with heads that end."""

    _pending = 0  # bytes that came since the parser last had something to say

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        self._pending += len(data)
        super().data_received(data)
        if self._pending > LONGEST_HEAD and not self.transport.is_closing():
            self.send_400_response(_TOO_LONG)

    def on_headers_complete(self) -> None:
        """As the parser calls it; what it raises is answered with 400."""
        # Much may have come for the body's sake alone; only then is the head measured.
        if self._pending > LONGEST_HEAD and self._head_bytes() > LONGEST_HEAD:
            raise ValueError(_TOO_LONG)
        self._pending = 0
        super().on_headers_complete()

    def _head_bytes(self) -> int:
        return len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)

    def on_body(self, body: bytes) -> None:
        """As the parser calls it."""
        self._pending = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """As the parser calls it."""
        self._pending = 0
        super().on_message_complete()
