"""The body of a call on its way in: streamed, or held where the call may have to be sent twice.

Rule 1: what is read is asked for: a body that nobody needs is never read, and a caller that waits for 100 (Continue)
is told to go on only then.
Rule 2: held are bodies of known length up to 64 KiB, and those into which parameters are merged.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import Any, Final

from keyturn.core.errors import BadRequest, BodyNotMergeable, PayloadTooLarge
from keyturn.engine.calls.request_parameters import RenderedParameters
from keyturn.web.dataplane.request_head import RequestHead

HELD_AT_MOST: Final = 65_536
MERGED_AT_MOST: Final = 10 * 1024 * 1024

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]


class CallerGone(Exception):
    """The caller hung up; there is nobody to answer."""


class RequestBody:
    """One call's body: an iterator over its pieces, which may also be read as a whole.

    `small`: it is held whatever becomes of it, so that the call can be sent again. `begun`: some of it was asked for.
    """

    __slots__ = ("_kept", "_receive", "begun", "finished", "length", "small")

    def __init__(self, receive: Receive, length: int | None) -> None:
        self._receive = receive
        self._kept: list[bytes] = []
        self.length = length
        self.small = length is not None and length <= HELD_AT_MOST
        self.begun = False
        self.finished = False

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if self.finished:
            raise StopAsyncIteration
        self.begun = True
        message = await self._receive()
        if message["type"] != "http.request":
            self.finished = True
            raise CallerGone
        self.finished = not message.get("more_body", False)
        piece: bytes = message.get("body", b"")
        if self.small:
            self._kept.append(piece)
        return piece

    async def held(self) -> bytes:
        """The whole of a small body, the rest of it read now.

        Raises:
            CallerGone: before it was there.
            BadRequest: another length than stated.
        """
        while not self.finished:
            await self.__anext__()
        whole = self._kept[0] if len(self._kept) == 1 else b"".join(self._kept)
        if len(whole) != self.length:
            raise BadRequest("The body is of another length than stated.")
        return whole

    async def read(self, at_most: int) -> bytes:
        """The whole body; raises PayloadTooLarge, where the length is stated before any of it is read."""
        if self.small:
            return await self.held()
        if self.length is not None and self.length > at_most:
            raise PayloadTooLarge(extensions={"limit": at_most})
        pieces, size = [], 0
        async for piece in self:
            size += len(piece)
            if size > at_most:
                raise PayloadTooLarge(extensions={"limit": at_most})
            pieces.append(piece)
        return b"".join(pieces)


async def merged_body(body: RequestBody, head: RequestHead, parameters: RenderedParameters) -> bytes:
    """The body with the connector's parameters put in.

    Raises:
        BodyNotMergeable: it is neither a JSON object nor a form, or is compressed.
        PayloadTooLarge: it has more than 10 MiB.
        CallerGone: before it was there.
    """
    kind, encoded = b"", False
    for name, value in head.sent:
        if name == b"content-type":
            kind = value.partition(b";")[0].strip().lower()
        elif name == b"content-encoding":
            encoded = value.strip().lower() not in (b"", b"identity")
    as_json = kind == b"application/json" or kind.endswith(b"+json")
    if encoded or not (as_json or kind == b"application/x-www-form-urlencoded"):
        raise BodyNotMergeable
    read = await body.read(MERGED_AT_MOST)
    merged = parameters.with_json(read) if as_json else parameters.with_form(read)
    if merged is None:
        raise BodyNotMergeable
    return merged
