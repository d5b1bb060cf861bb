"""Answering badly on purpose, for demonstrations and tests.

A fault is armed for an endpoint and a number of requests; faults of one endpoint are used up in order. Whether the
request was carried out before things went wrong is what each mode is about, so it stands beside each.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, cast

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import Receive, Scope, Send

CONNECTION = "keyturn_example_provider.connection"  # the ASGI extension that holds the transport; set in serving.py


class Endpoint(StrEnum):
    """What a fault can be armed for. A password and a one-time code are both `token`."""

    TOKEN = "token"  # noqa: S105 - an endpoint
    REFRESH = "refresh"
    REVOKE = "revoke"
    ME = "me"
    NOTES = "notes"
    ECHO = "echo"


class Mode(StrEnum):
    """What goes wrong."""

    HANG = "hang"  # not carried out; no answer until the caller goes away
    SLOW = "slow"  # carried out after `delay_s`
    STATUS_500 = "status_500"  # not carried out
    RESET = "reset"  # not carried out; the connection is reset (TCP RST)
    HALF_BODY = "half_body"  # carried out; the answer ends in the middle of its body (an empty one is lost)
    ANSWER_LOST = "answer_lost"  # carried out; the connection is reset before the answer
    RATE_LIMITED = "rate_limited"  # not carried out; 429 with Retry-After
    HOLD = "hold"  # held before or after it is carried out, until `release`


NOT_CARRIED_OUT = frozenset({Mode.HANG, Mode.STATUS_500, Mode.RESET, Mode.RATE_LIMITED})


@dataclass(slots=True)
class Fault:
    """One armed fault. `times` requests are left; `delay_s` and `retry_after` are seconds."""

    endpoint: Endpoint
    mode: Mode
    times: int = 1
    delay_s: float = 1.0
    retry_after: int = 1
    when: Literal["before", "after"] = "before"


@dataclass(slots=True, eq=False)
class Held:
    """A request that waits: `when` is "before" or "after" it was carried out."""

    endpoint: Endpoint
    mode: Mode
    when: Literal["before", "after"]
    released: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(slots=True)
class Faults:
    """The armed faults and the requests that wait now."""

    armed: list[Fault] = field(default_factory=list)
    waiting: list[Held] = field(default_factory=list)

    def take(self, endpoint: Endpoint) -> Fault | None:
        """Use one of the times of the oldest fault armed for `endpoint`."""
        fault = next((fault for fault in self.armed if fault.endpoint is endpoint), None)
        if fault is not None:
            fault.times -= 1
            if fault.times == 0:
                self.armed.remove(fault)
        return fault

    def release(self) -> int:
        """Let every held request go on; return how many. A hanging one stays."""
        held = [one for one in self.waiting if one.mode is Mode.HOLD and not one.released.is_set()]
        for one in held:
            one.released.set()
        return len(held)

    async def hold(self, fault: Fault) -> None:
        """Wait for `release`. The caller's going away changes nothing: a server would not know it either."""
        held = Held(fault.endpoint, fault.mode, fault.when)
        self.waiting.append(held)
        try:
            await held.released.wait()
        finally:
            self.waiting.remove(held)

    async def hang(self, fault: Fault, request: Request) -> None:
        """Wait until the caller has gone away."""
        held = Held(fault.endpoint, fault.mode, "before")
        self.waiting.append(held)
        try:
            await _caller_gone(request.receive)
        finally:
            self.waiting.remove(held)


async def under_fault(
    faults: Faults, fault: Fault, request: Request, carry_out: Callable[[], Awaitable[Response]]
) -> Response:
    """Do to a request what `fault` says, and give the answer, which may be no answer at all."""
    match fault.mode:
        case Mode.HANG:
            await faults.hang(fault, request)
            return Dropped()
        case Mode.RESET:
            return Dropped()
        case Mode.STATUS_500:
            return HTMLResponse("<h1>500 Internal Server Error</h1>", 500)
        case Mode.RATE_LIMITED:
            content = {"error": "rate_limited", "error_description": "too many requests"}
            return JSONResponse(content, 429, headers={"Retry-After": str(fault.retry_after)})
        case Mode.SLOW:
            await asyncio.sleep(fault.delay_s)
            return await carry_out()
        case Mode.ANSWER_LOST:
            await carry_out()
            return Dropped()
        case Mode.HALF_BODY:
            answer = await carry_out()
            return HalfBody(answer) if answer.body else Dropped()
        case Mode.HOLD:
            return await _held(faults, fault, carry_out)


async def _held(faults: Faults, fault: Fault, carry_out: Callable[[], Awaitable[Response]]) -> Response:
    if fault.when == "before":
        await faults.hold(fault)
        return await carry_out()
    answer = await carry_out()
    await faults.hold(fault)
    return answer


class Dropped(Response):
    """No answer: the connection is reset."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Reset the connection, so that the caller sees an error at once and not an empty answer."""
        transport = _transport_of(scope)
        sock = transport.get_extra_info("socket")
        if sock is not None and not transport.is_closing():
            # Closing with a linger of zero seconds sends RST in place of FIN.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
        await _caller_gone(receive)


class HalfBody(Response):
    """An answer whose Content-Length promises the whole and whose body stops in the middle."""

    def __init__(self, whole: Response) -> None:
        super().__init__()
        self._whole = whole

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the head and half of the body, then close."""
        body = bytes(self._whole.body)
        await send(
            {"type": "http.response.start", "status": self._whole.status_code, "headers": self._whole.raw_headers}
        )
        await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
        _transport_of(scope).close()
        await _caller_gone(receive)


def _transport_of(scope: Scope) -> asyncio.Transport:
    return cast(asyncio.Transport, scope["extensions"][CONNECTION])


async def _caller_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
