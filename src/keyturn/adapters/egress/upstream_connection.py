"""One kept-alive connection to an API: an asyncio protocol around an HTTP parser.

Rule 1: one exchange at a time. What comes when none is under way, or behind an answer's end, ends the connection.
Rule 2: an answer says once where it ends: the parser is strict (no folded lines, no two lengths, no length beside
chunks), and a transfer coding other than `chunked` is refused here (RFC 9112 sections 5.2, 6.1 and 6.3).
Rule 3: what is not body (head, interim answers, chunk sizes, trailers) is bounded; trailers are dropped.
Rule 4: reading stops while too much is unread, writing while too much is unsent.
"""

from __future__ import annotations

import asyncio
import select
from typing import Final, Protocol, cast

import httptools

from keyturn.adapters.egress.upstream_answer import StreamedAnswer
from keyturn.core.errors import KeyturnError, ProviderBadResponse, ProviderTimeout

MAX_HEAD: Final = 65_536
UNREAD_HIGH: Final = 262_144
UNSENT_HIGH: Final = 262_144
SWITCHING_PROTOCOLS: Final = 101


class Keeper(Protocol):
    """Where a connection goes when it is free, and what hears that it ended."""

    def freed(self, connection: UpstreamConnection) -> None:
        """It can carry another exchange."""
        ...

    def lost(self, connection: UpstreamConnection) -> None:
        """It is gone."""
        ...


class _Refused(Exception):
    """Raised out of a parser's callback to stop the parser."""


class UpstreamConnection(asyncio.Protocol):
    """Carries exchanges, one after the other."""

    __slots__ = (
        "_answer",
        "_drained",
        "_fed",
        "_headers",
        "_keep",
        "_keeper",
        "_overhead",
        "_parser",
        "_readable",
        "_reading_paused",
        "_request_over",
        "_transport",
        "_until_close",
        "closed",
        "exchanges",
        "held_by",
        "quiet_since",
        "stirred",
        "writing_paused",
    )

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper
        self._transport: asyncio.Transport = cast(asyncio.Transport, None)
        self._parser = httptools.HttpResponseParser(self)
        self._readable = select.poll()
        self._answer: StreamedAnswer | None = None
        self._headers: list[tuple[bytes, bytes]] = []
        self._keep = False
        self._until_close = False
        self._request_over = True
        self._fed = 0
        self._overhead = 0  # bytes since the last byte of a body
        self._reading_paused = False
        self._drained: asyncio.Future[None] | None = None
        self.writing_paused = False
        self.closed = False
        self.exchanges = 0
        self.held_by: str | None = None  # in whose name it is used, for the pool to count
        self.stirred = True  # since the last look of the pool's watch
        self.quiet_since = 0.0

    # --- the pool's side

    def begin(self, answer: StreamedAnswer, request: bytes, request_over: bool) -> None:
        """Start an exchange. `request_over`: nothing of the request comes after these bytes."""
        self.exchanges += 1
        self._answer = answer
        answer.source = self
        self._request_over = request_over
        self._overhead = 0
        self.stirred = True
        self._transport.write(request)

    def write(self, answer: StreamedAnswer, piece: bytes) -> bool:
        """Send a piece of the request's body; False where its exchange is over."""
        if self._answer is not answer:
            return False
        self.stirred = True
        self._transport.write(piece)
        return True

    async def drained(self) -> None:
        """Wait until the peer has taken enough of what was written, or is gone."""
        if self.writing_paused and not self.closed:
            self._drained = asyncio.get_running_loop().create_future()
            await self._drained

    def end_request(self, answer: StreamedAnswer) -> None:
        """The request's last byte was written."""
        if self._answer is answer:
            self._request_over = True
            self.stirred = True

    def usable(self) -> bool:
        """Whether it may carry an exchange: alive, and nothing to read.

        The kernel is asked, because the event loop may not have heard yet of an end, or of bytes behind the last answer
        that would become the next one's.
        """
        return not self.closed and not self._transport.is_closing() and not self._readable.poll(0)

    @property
    def idle(self) -> bool:
        """No exchange is under way."""
        return self._answer is None

    @property
    def waits_for_the_api(self) -> bool:
        """Silence now is the API's: not a slow caller's, on either side."""
        return not self._reading_paused and (self._request_over or self.writing_paused)

    @property
    def in_body(self) -> bool:
        """The answer's head is here, its end is not."""
        return self._answer is not None and self._answer.head_over

    def fail(self, error: KeyturnError) -> None:
        """End the exchange with an error, and the connection with it."""
        answer = self._answer
        self.abort()
        if answer is not None:
            answer.fail(error)
            answer.stop_sending()
            answer.wake()

    def abort(self) -> None:
        """Close at once."""
        self._let_go()
        self.closed = True
        self._transport.abort()

    def resume(self) -> None:
        """Read on, where reading was stopped."""
        if self._reading_paused:
            self._reading_paused = False
            self.stirred = True
            self._transport.resume_reading()

    # --- the event loop's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """As asyncio has it."""
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=UNSENT_HIGH)
        self._readable.register(transport.get_extra_info("socket").fileno(), select.POLLIN)

    def data_received(self, data: bytes) -> None:
        """As asyncio has it."""
        answer = self._answer
        if answer is None:
            self.abort()
            return
        self.stirred = True
        answer.heard = True
        self._fed = self._overhead + len(data)
        body_before = answer.received
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            if not answer.complete:
                self.fail(ProviderBadResponse("what came is no answer that can be read"))
                return
            self._keep = False  # whole, with something behind it
        if answer.complete:
            self._end_exchange(answer)
        elif answer.received != body_before:
            self._overhead = 0
        else:
            self._overhead = self._fed
            if self._overhead > MAX_HEAD:
                self.fail(ProviderBadResponse("the answer's head or trailers are too large"))
                return
        answer.wake()

    def eof_received(self) -> None:
        """As asyncio has it: close as well."""

    def connection_lost(self, exc: Exception | None) -> None:
        """As asyncio has it."""
        self.closed = True
        answer = self._let_go()
        if answer is not None:
            if answer.head_over and self._until_close and exc is None:
                answer.complete = True
            else:
                answer.broken_by_peer = True
                answer.fail(ProviderTimeout("the connection broke before the answer's end"))
            answer.stop_sending()
            answer.wake()
        self.resume_writing()
        self._keeper.lost(self)

    def pause_writing(self) -> None:
        """As asyncio has it."""
        self.writing_paused = True

    def resume_writing(self) -> None:
        """As asyncio has it."""
        self.writing_paused = False
        self.stirred = True
        drained, self._drained = self._drained, None
        if drained is not None and not drained.done():
            drained.set_result(None)

    # --- the parser's side

    def on_message_begin(self) -> None:
        """As httptools has it."""
        if self._answer is None or self._answer.complete:
            raise _Refused
        self._headers = []

    def on_header(self, name: bytes, value: bytes) -> None:
        """As httptools has it; trailers come here too."""
        self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """As httptools has it."""
        answer = self._answer
        status = self._parser.get_status_code()
        if answer is None or not 100 <= status <= 599 or status == SWITCHING_PROTOCOLS:
            raise _Refused
        if status < 200:
            if status == 100 and answer.go_ahead is not None:
                answer.go_ahead.set()
            return
        headers = self._headers
        framed = False
        for name, value in headers:
            if name == b"content-length":
                framed = True
            elif name == b"transfer-encoding":
                if framed or value.strip().lower() != b"chunked" or self._parser.get_http_version() != "1.1":
                    raise _Refused
                framed = True
        if self._fed > MAX_HEAD and sum(len(name) + len(value) + 4 for name, value in headers) > MAX_HEAD:
            raise _Refused
        answer.status, answer.headers, answer.head_over = status, headers, True
        self._headers = []  # of the trailers
        self._keep = self._parser.should_keep_alive()
        self._until_close = not framed
        if answer.is_head:  # no body, whatever its headers say; the parser waits for one
            answer.complete = True
            self._parser = httptools.HttpResponseParser(self)

    def on_body(self, body: bytes) -> None:
        """As httptools has it."""
        answer = self._answer
        if answer is None or answer.complete:
            raise _Refused
        size = len(body)
        answer.chunks.append(body)
        answer.received += size
        answer.buffered += size
        if answer.buffered > UNREAD_HIGH and not self._reading_paused:
            self._reading_paused = True
            self._transport.pause_reading()

    def on_message_complete(self) -> None:
        """As httptools has it; interim answers end here, too."""
        answer = self._answer
        if answer is not None and answer.head_over:
            answer.complete = True

    # --- inside

    def _let_go(self) -> StreamedAnswer | None:
        answer, self._answer = self._answer, None
        if answer is not None:
            answer.source = None
        return answer

    def _end_exchange(self, answer: StreamedAnswer) -> None:
        self._let_go()
        if self._keep and self._request_over and not self._transport.is_closing():
            self.resume()
            self._keeper.freed(self)
            return
        answer.stop_sending()
        self.abort()
