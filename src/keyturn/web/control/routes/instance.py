"""The instance itself: is it alive, is it ready, what does it count, what can it do. None of it needs a key."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from keyturn.core.errors import KeyturnError, KeyUnavailable, NotReady, StoreUnavailable
from keyturn.web.control.operations import PUBLIC, Operation
from keyturn.web.control.shapes.answers import HealthAnswer, ReadyAnswer
from keyturn.web.control.shapes.showing import answer

TAG: Final = "instance"
OK: Final = "ok"


async def get_health(request: Request) -> Response:
    """Say that the process answers."""
    return answer(HealthAnswer())


async def get_readiness(request: Request) -> Response:
    """Say whether requests can be served.

    Where they can't, `parts` of the problem says which part is missing: `database`, `migrations` (the tables are of
    another release), `keys`, `scheduler` or `disk`. Each is `ok` or a word for what is wrong.
    """
    check: Callable[[], Awaitable[dict[str, str]]] = request.app.state.readiness
    try:
        parts = await check()
    except KeyturnError as error:
        parts = {"keys" if isinstance(error, KeyUnavailable) else "database": error.code}
    wrong = {name for name, word in parts.items() if word != OK}
    if not wrong:
        return answer(ReadyAnswer(ready=True, parts=parts))
    extensions = {"ready": False, "parts": parts}
    if "database" in wrong:
        raise StoreUnavailable(extensions=extensions)
    raise KeyUnavailable(extensions=extensions) if wrong == {"keys"} else NotReady(extensions=extensions)


async def get_metrics(request: Request) -> Response:
    """Read the counters, in Prometheus' text format."""
    metrics: Callable[[], Awaitable[bytes]] = request.app.state.metrics
    return Response(await metrics(), media_type=CONTENT_TYPE_LATEST)


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
    Operation("GET", "/openapi.json", get_openapi, PUBLIC, {200: _Document}, TAG),
)
