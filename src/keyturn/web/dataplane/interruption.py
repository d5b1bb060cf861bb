"""What can end a call before its answer does: its caller hangs up, or the connection may no longer be used.

Rule 1: an ordinary call that is under way at the API gets its grace; a stream is cut, and a call that still waits for a
token or its body is refused.
Rule 2: a caller is watched once its call takes longer than a moment, and never while its body is being read.

Source: the product, "Words" (new calls, calls under way, streams) and "Call".
"""

from __future__ import annotations

import asyncio
from enum import Enum
from typing import Any, Final

from keyturn.web.dataplane.request_body import Receive, RequestBody

LOOK_FOR_HANG_UP_S: Final = 0.1  # most calls are over before anybody needs to watch their caller
LOOK_AGAIN_S: Final = 1.0
LONG_S: Final = 10.0  # an answer of unknown length that runs for so long is a stream


class Why(Enum):
    """Why a call was cancelled."""

    CALLER_GONE = 1
    STOPPED = 2  # its connection was paused or ended, or its key revoked


class Ending(Enum):
    """What an answer's head says of its end."""

    KNOWN = 1
    UNKNOWN = 2
    NEVER = 3  # text/event-stream


class InterruptibleCall:
    """A call that runs in a task of its own. It may be interrupted from when it is made until `over`."""

    __slots__ = (
        "_body",
        "_ending",
        "_has_body",
        "_loop",
        "_over",
        "_receive",
        "_sent_at",
        "_task",
        "_timer",
        "_watch",
        "_why",
    )

    def __init__(self, receive: Receive, has_body: bool) -> None:
        self._receive = receive
        self._has_body = has_body
        self._loop = asyncio.get_running_loop()
        self._task: asyncio.Task[Any] | None = asyncio.current_task()
        self._body: RequestBody | None = None
        self._ending = Ending.KNOWN
        self._over = False
        self._sent_at: float | None = None  # the loop's time; None while the call waits for something here
        self._timer: asyncio.TimerHandle | None = None
        self._watch: asyncio.Task[None] | None = None
        self._why: Why | None = None

    def end_within(self, seconds: float) -> None:
        """See `ActiveCall`."""
        if self._sent_at is None or self._is_stream(self._sent_at):
            self._interrupt(Why.STOPPED)
        else:
            self._loop.call_later(seconds, self._interrupt, Why.STOPPED)

    def _watch_caller(self) -> None:
        self._timer = self._loop.call_later(LOOK_FOR_HANG_UP_S, self._look)

    def _unwatch(self) -> None:
        self._over = True
        if self._timer is not None:
            self._timer.cancel()
        if self._watch is not None:
            self._watch.cancel()

    def _interrupt(self, why: Why) -> None:
        if not self._over and self._why is None and self._task is not None:
            self._why = why
            self._task.cancel()

    def _resumed(self) -> Why | None:
        """The reason of the cancellation that was just caught, which is thereby dealt with; None: it was not ours."""
        if self._why is not None and self._task is not None:
            self._task.uncancel()
        return self._why

    def _is_stream(self, sent_at: float) -> bool:
        if self._ending is Ending.UNKNOWN:
            return self._loop.time() - sent_at >= LONG_S
        return self._ending is Ending.NEVER

    def _look(self) -> None:
        if self._has_body and (self._body is None or not self._body.finished):
            self._timer = self._loop.call_later(LOOK_AGAIN_S, self._look)
        else:
            self._watch = self._loop.create_task(self._wait_for_hang_up())

    async def _wait_for_hang_up(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._interrupt(Why.CALLER_GONE)
