"""The `/debug` routes, served with `--debug-endpoints` only: the request log and the fault knobs."""

from __future__ import annotations

import json
import math
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from .faults import Endpoint, Fault, Mode
from .loopback import is_same_origin
from .provider import provider_of

MOST_TIMES = 10_000
LONGEST_DELAY_S = 300.0
SHAPE = "endpoint, mode, and if wanted times, delay_s, retry_after, when; see the README"


async def show_log(request: Request) -> Response:
    """Answer `GET /debug/log`: every request so far, oldest first."""
    return JSONResponse(provider_of(request).log.as_rows())


async def arm(request: Request) -> Response:
    """Answer `POST /debug/fault`: arm one fault behind those that are armed. 400 changes nothing."""
    if not is_same_origin(request, absent_is_fine=True):
        return _foreign()
    fault = _read_fault(await request.body())
    if fault is None:
        return JSONResponse({"error": "invalid_fault", "expected": SHAPE}, 400)
    faults = provider_of(request).faults
    faults.armed.append(fault)
    return JSONResponse({"armed": _armed(request)}, 201)


async def disarm(request: Request) -> Response:
    """Answer `DELETE /debug/fault`: disarm all. Requests that wait already go on waiting."""
    if not is_same_origin(request, absent_is_fine=True):
        return _foreign()
    provider_of(request).faults.armed.clear()
    return JSONResponse({"armed": []})


async def show_armed(request: Request) -> Response:
    """Answer `GET /debug/fault`: what is armed, in the order of use."""
    return JSONResponse({"armed": _armed(request)})


async def show_waiting(request: Request) -> Response:
    """Answer `GET /debug/waiting`: whether a request is held (or hanging) now, and which."""
    waiting = provider_of(request).faults.waiting
    held = [{"endpoint": one.endpoint, "mode": one.mode, "when": one.when} for one in waiting]
    return JSONResponse({"waiting": bool(held), "held": held})


async def release(request: Request) -> Response:
    """Answer `POST /debug/release`: let all held requests go on."""
    if not is_same_origin(request, absent_is_fine=True):
        return _foreign()
    return JSONResponse({"released": provider_of(request).faults.release()})


ROUTES = [
    Route("/debug/log", show_log, methods=["GET"]),
    Route("/debug/fault", show_armed, methods=["GET"]),
    Route("/debug/fault", arm, methods=["POST"]),
    Route("/debug/fault", disarm, methods=["DELETE"]),
    Route("/debug/waiting", show_waiting, methods=["GET"]),
    Route("/debug/release", release, methods=["POST"]),
]


def _armed(request: Request) -> list[dict[str, object]]:
    return [
        {"endpoint": fault.endpoint, "mode": fault.mode, "times": fault.times}
        for fault in provider_of(request).faults.armed
    ]


def _foreign() -> Response:
    return JSONResponse({"error": "foreign_origin"}, 403)


def _read_fault(body: bytes) -> Fault | None:
    try:
        found = json.loads(body)
        if not isinstance(found, dict) or not set(found) <= {
            "endpoint",
            "mode",
            "times",
            "delay_s",
            "retry_after",
            "when",
        }:
            return None
        when = found.get("when", "before")
        if when not in ("before", "after"):
            return None
        return Fault(
            endpoint=Endpoint(found["endpoint"]),
            mode=Mode(found["mode"]),
            times=int(_number(found.get("times", 1), least=1, most=MOST_TIMES)),
            delay_s=_number(found.get("delay_s", 1.0), least=0, most=LONGEST_DELAY_S),
            retry_after=int(_number(found.get("retry_after", 1), least=0, most=86_400)),
            when=when,
        )
    except (ValueError, KeyError, TypeError):
        return None


def _number(value: Any, *, least: float, most: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError
    if not least <= value <= most:
        raise ValueError
    return value
