"""One request and its answer on a connection of their own: an asyncio protocol around an HTTP parser.

Rule 1: a connection carries one request. What comes behind the answer's end is not looked at.
Rule 2: an answer whose status line came is an answer, however badly it goes on; anything less is no answer. So the
head is kept as it came.
Rule 3: an answer says once where it ends: no folded lines, no two lengths, no length beside chunks, and no transfer
coding but `chunked` (RFC 9112 sections 5.2, 6.1 and 6.3).
Rule 4: what comes is bounded while it comes: interim answers and head together, body, chunk sizes, trailers.
"""

from __future__ import annotations

import asyncio
import re
from typing import Final, cast

import httptools

from keyturn.core.messages import Answer
from keyturn.ports.clock import Clock
from keyturn.ports.egress import MAX_ANSWER_BYTES

MAX_HEAD: Final = 65_536
MAX_BESIDE_BODY: Final = 262_144  # chunk sizes and trailers
SWITCHING_PROTOCOLS: Final = 101

_STATUS_LINE: Final = re.compile(rb"HTTP/1\.[0-9] ([1-5][0-9][0-9])[ \r\n]")
_HEAD_END: Final = re.compile(rb"\r?\n\r?\n")
_FOLDED_LINE: Final = re.compile(rb"\n[ \t]")
_CONTROLS: Final = bytes(set(range(32)) - {9}) + b"\x7f"


class _Refused(Exception):
    """Raised out of a parser's callback to stop the parser."""


class Exchange(asyncio.Protocol):
    """`over` is done when there is nothing more to wait for; what came is read off then."""

    def __init__(self, clock: Clock, *, is_head: bool) -> None:
        """`is_head`: the answer has no body, whatever its headers say."""
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._clock = clock
        self._is_head = is_head
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._head = bytearray()  # as it came, with the interim answers before it
        self._headers: list[tuple[bytes, bytes]] = []
        self._body = bytearray()
        self._received = 0
        self._read: Answer | None = None  # status and headers, as soon as they are whole; well formed or not
        self._until_close = False
        self._complete = False

    # --- the client's side

    def answer(self) -> Answer | None:
        """The answer, `complete` only if all of it came and could be read; None where no status line came."""
        if self._read is not None:
            if not self._complete:
                return self._read
            return Answer(self._read.status, self._read.headers, bytes(self._body), self._read.received_at)
        line = _STATUS_LINE.match(_final_head(self._head)[0])
        return None if line is None else Answer(int(line[1]), received_at=self._clock.now(), complete=False)

    def tear_down(self) -> None:
        """Close at once, whatever the peer does."""
        if self._transport is not None:
            self._transport.abort()

    # --- the event loop's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """As asyncio has it."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """As asyncio has it."""
        if self.over.done():
            return
        self._received += len(data)
        if self._read is None:
            self._head += data[: MAX_HEAD - len(self._head)]
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._end()
            return
        beside = self._received - len(self._body)
        too_much = self._received > MAX_HEAD if self._read is None else beside > MAX_HEAD + MAX_BESIDE_BODY
        if self._complete or too_much:
            self._end()

    def eof_received(self) -> None:
        """As asyncio has it: close as well."""

    def connection_lost(self, exc: Exception | None) -> None:
        """As asyncio has it."""
        if self._read is not None and self._until_close and exc is None and not self.over.done():
            self._complete = True
        self._end()

    # --- the parser's side

    def on_message_begin(self) -> None:
        """As httptools has it."""
        if self._complete:
            raise _Refused
        self._headers = []

    def on_header(self, name: bytes, value: bytes) -> None:
        """As httptools has it; trailers come here too, and are dropped."""
        if self._read is None:
            self._headers.append((name, value.strip(b" \t")))

    def on_headers_complete(self) -> None:
        """As httptools has it."""
        status = self._parser.get_status_code()
        if 100 <= status < 200 and status != SWITCHING_PROTOCOLS:
            return
        head, whole = _final_head(self._head)
        if not whole and not _STATUS_LINE.match(head) and status != SWITCHING_PROTOCOLS:
            raise _Refused  # its status line lies behind more interim answers than are read
        fields = tuple((name.decode("latin-1"), _as_text(value)) for name, value in self._headers)
        well_formed = 200 <= status <= 599 and whole and not _FOLDED_LINE.search(head) and self._well_formed()
        headers = fields if well_formed else ()
        self._read = Answer(status, headers, received_at=self._clock.now(), complete=False)
        if not well_formed:
            raise _Refused
        self._complete = self._is_head

    def on_body(self, body: bytes) -> None:
        """As httptools has it."""
        self._body += body
        if len(self._body) > MAX_ANSWER_BYTES:
            self._body.clear()
            raise _Refused

    def on_message_complete(self) -> None:
        """As httptools has it; interim answers end here, too."""
        if self._read is not None:
            self._complete = True

    # --- inside

    def _well_formed(self) -> bool:
        framed = False
        for name, value in self._headers:
            if (lower := name.lower()) == b"transfer-encoding":
                if framed or value.lower() != b"chunked" or self._parser.get_http_version() != "1.1":
                    return False
                framed = True
            elif lower == b"content-length":
                if framed:
                    return False
                framed = True
        self._until_close = not framed
        written = b"".join(part for field in self._headers for part in field)
        return len(written) == len(written.translate(None, _CONTROLS))

    def _end(self) -> None:
        if not self.over.done():
            self.over.set_result(None)


def _as_text(value: bytes) -> str:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("latin-1")


def _final_head(received: bytearray) -> tuple[bytes, bool]:
    """The head behind the interim answers (1xx), and whether all of it came; empty where only interim ones did."""
    start = 0
    while True:
        end = _HEAD_END.search(received, start)
        line = _STATUS_LINE.match(received, start)
        interim = line is not None and line[1][:1] == b"1"
        if end is None or not interim:
            return (b"", False) if interim else (bytes(received[start : end.start() if end else None]), end is not None)
        start = end.end()
