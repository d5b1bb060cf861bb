"""The instance itself: is it alive, is it ready, what does it count, what can it do, how much does it log.

Rule: what a probe or a scraper asks needs no key; what changes anything does.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import cache
from typing import Final

from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from keyturn.core.errors import KeyturnError, KeyUnavailable, NotFound, NotReady, StoreUnavailable
from keyturn.core.problems import PROBLEMS
from keyturn.web.control.caller import App, Calling
from keyturn.web.control.operations import LIMITS, PUBLIC, Operation, Takes
from keyturn.web.control.shapes.answers import (
    HealthAnswer,
    LogLevelAnswer,
    ProblemCodeAnswer,
    ProblemCodeList,
    ReadyAnswer,
    SetAsideAnswer,
    SettingList,
)
from keyturn.web.control.shapes.requests import NewLogLevel
from keyturn.web.control.shapes.showing import answer
from keyturn.web.kit.log_level import LogLevelSwitch
from keyturn.web.kit.log_level import set_log_level as change_log_level

TAG: Final = "instance"
OK: Final = "ok"
_HARMLESS: Final = frozenset({("rows", "set_aside")})  # out of use themselves, and nothing else is
_LEVEL: Final = {"level": "debug", "setting": "info", "until": "2030-01-31T12:10:00+00:00"}


async def get_health(request: Request) -> Response:
    """Say that the process answers."""
    return answer(HealthAnswer())


async def get_readiness(request: Request) -> Response:
    """Say whether requests can be served.

    Where they can't, `parts` of the problem says which part is missing: `database`, `migrations` (the tables are of
    another release), `keys`, `scheduler`, `disk`, `store` (`spilling`: an answer of a provider is not stored yet) or
    `server` (`stopping`). Each is `ok` or a word for what is wrong. `rows` is `set_aside` where some rows can't be
    read or opened, and `set_aside` has how many: those alone are out of use.
    """
    check: Callable[[], Awaitable[dict[str, str]]] = request.app.state.readiness
    try:
        parts = await check()
    except KeyturnError as error:
        parts = {"keys" if isinstance(error, KeyUnavailable) else "database": error.code}
    wrong = {name for name, word in parts.items() if word != OK and (name, word) not in _HARMLESS}
    if not wrong:
        aside = await request.app.state.set_aside() if parts.get("rows", OK) != OK else {}
        return answer(ReadyAnswer(ready=True, parts=parts, set_aside=SetAsideAnswer(**aside)))
    extensions = {"ready": False, "parts": parts}
    if "database" in wrong:
        raise StoreUnavailable(extensions=extensions)
    raise KeyUnavailable(extensions=extensions) if wrong == {"keys"} else NotReady(extensions=extensions)


async def get_metrics(request: Request) -> Response:
    """Read the counters, in Prometheus' text format."""
    metrics: Callable[[], Awaitable[bytes]] = request.app.state.metrics
    return Response(await metrics(), media_type=CONTENT_TYPE_LATEST)


async def get_log_level(request: Request) -> Response:
    """Read how much the server logs.

    Of several processes, the one that answers.
    """
    return answer(_log_level(_switch_of(request)))


async def set_log_level(body: NewLogLevel, request: Request, app: App, caller: Calling) -> Response:
    """Log more, or less, for a while.

    After `for_s` seconds, a day at most, the setting's level comes back by itself. Of several processes, the one that
    answers.
    """
    switch = _switch_of(request)
    await change_log_level(app, switch, body.level, body.for_s, caller.actor)
    return answer(_log_level(switch))


async def list_settings(request: Request, caller: Calling) -> Response:
    """List the server's settings, and where each came from.

    Of one that may hold a secret only whether it is set. Of several processes, the one that answers.
    """
    return answer(SettingList(data=list(request.app.state.settings)))


def _switch_of(request: Request) -> LogLevelSwitch:
    switch: LogLevelSwitch | None = request.app.state.log_level
    if switch is None:
        raise NotFound("This process has no log of its own.")
    return switch


def _log_level(switch: LogLevelSwitch) -> LogLevelAnswer:
    level, setting, until = switch.state
    ends = datetime.fromtimestamp(until, UTC).isoformat(timespec="seconds") if until is not None else None
    return LogLevelAnswer(level=level, setting=setting, until=ends)


async def list_problems(request: Request) -> Response:
    """List the problem codes.

    What each means, whose move it is and what that move is. The same for everybody, so that no key is needed.
    """
    return answer(_problems())


@cache
def _problems() -> ProblemCodeList:
    rows = [ProblemCodeAnswer(**PROBLEMS[code].as_json()) for code in sorted(PROBLEMS)]
    return ProblemCodeList(data=rows)


async def get_openapi(request: Request) -> Response:
    """Read this document."""
    document: Callable[[], bytes] = request.app.state.document
    return Response(document(), media_type="application/json")


class _Document(BaseModel):
    """An OpenAPI document."""

    openapi: str


OPERATIONS: Final = (
    Operation("GET", "/healthz", get_health, PUBLIC, {200: HealthAnswer}, TAG, answer_example={"status": "ok"}),
    Operation(
        "GET", "/readyz", get_readiness, PUBLIC, {200: ReadyAnswer}, TAG, problems=("key_unavailable", "not_ready")
    ),
    Operation("GET", "/metrics", get_metrics, PUBLIC, {200: None}, TAG),
    Operation(
        "GET", "/v1/instance/log-level", get_log_level, "admin", {200: LogLevelAnswer}, TAG, answer_example=_LEVEL
    ),
    Operation(
        "PUT",
        "/v1/instance/log-level",
        set_log_level,
        "admin",
        {200: LogLevelAnswer},
        TAG,
        takes=Takes.JSON,
        unlimited_by=LIMITS,
        example={"level": "debug", "for_s": 600},
        answer_example=_LEVEL,
    ),
    Operation(
        "GET",
        "/v1/instance/settings",
        list_settings,
        "admin",
        {200: SettingList},
        TAG,
        unlimited_by=LIMITS,
        answer_example={
            "data": [
                {"name": "KEYTURN_LOG_LEVEL", "value": "info", "is_set": True, "source": "default"},
                {"name": "KEYTURN_ADMIN_API_KEY", "value": None, "is_set": True, "source": "environment"},
            ],
            "next_cursor": None,
        },
    ),
    Operation(
        "GET",
        "/v1/problems",
        list_problems,
        PUBLIC,
        {200: ProblemCodeList},
        TAG,
        answer_example={"data": [PROBLEMS["provider_account_locked"].as_json()], "next_cursor": None},
    ),
    Operation("GET", "/openapi.json", get_openapi, PUBLIC, {200: _Document}, TAG),
)
