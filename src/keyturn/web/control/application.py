"""The control plane as one ASGI application: the table of operations, behind the door."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from types import MappingProxyType
from typing import Any

from fastapi import APIRouter, FastAPI
from prometheus_client import CollectorRegistry, generate_latest
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match

from keyturn.core.errors import BadRequest, KeyturnError, MethodNotAllowed, NotFound
from keyturn.engine.application import Application
from keyturn.web.control.caller import caller_in
from keyturn.web.control.door import App, Door, request_counter
from keyturn.web.control.idempotency import Replays
from keyturn.web.control.openapi import as_bytes, make_document, with_paths
from keyturn.web.control.operations import PUBLIC, Operation
from keyturn.web.control.route import OPERATION, ControlRoute, problem_response
from keyturn.web.control.routes.api_keys import OPERATIONS as API_KEYS
from keyturn.web.control.routes.audit import OPERATIONS as AUDIT
from keyturn.web.control.routes.building.beginnings import OPERATIONS as BEGINNINGS
from keyturn.web.control.routes.building.migrations import OPERATIONS as MIGRATIONS
from keyturn.web.control.routes.building.previews import OPERATIONS as PREVIEWS
from keyturn.web.control.routes.building.trials import OPERATIONS as TRIALS
from keyturn.web.control.routes.building.versions import OPERATIONS as VERSIONS
from keyturn.web.control.routes.challenges import OPERATIONS as CHALLENGES
from keyturn.web.control.routes.connect_sessions import OPERATIONS as CONNECT_SESSIONS
from keyturn.web.control.routes.connection_steps import OPERATIONS as CONNECTION_STEPS
from keyturn.web.control.routes.connections import OPERATIONS as CONNECTIONS
from keyturn.web.control.routes.connectors import OPERATIONS as CONNECTORS
from keyturn.web.control.routes.instance import OPERATIONS as INSTANCE
from keyturn.web.control.routes.jobs import OPERATIONS as JOBS
from keyturn.web.control.routes.keys import OPERATIONS as KEYS
from keyturn.web.control.routes.login_stops import OPERATIONS as LOGIN_STOPS
from keyturn.web.control.routes.operating.connection_stats import OPERATIONS as CONNECTION_STATS
from keyturn.web.control.routes.operating.overview import OPERATIONS as OVERVIEW
from keyturn.web.control.routes.operating.quiet_hours import OPERATIONS as QUIET_HOURS
from keyturn.web.control.routes.owners import OPERATIONS as OWNERS
from keyturn.web.control.routes.people import OPERATIONS as PEOPLE
from keyturn.web.control.routes.webhooks import OPERATIONS as WEBHOOKS
from keyturn.web.control.shapes.answers import SettingAnswer
from keyturn.web.kit.log_level import LogLevelSwitch
from keyturn.web.kit.refusals import Refusals

OPERATIONS: tuple[Operation, ...] = (
    *CONNECTORS,
    *VERSIONS,
    *PREVIEWS,
    *BEGINNINGS,
    *TRIALS,
    *MIGRATIONS,
    *LOGIN_STOPS,
    *QUIET_HOURS,
    *CONNECTIONS,
    *CONNECTION_STEPS,
    *CONNECTION_STATS,
    *CHALLENGES,
    *CONNECT_SESSIONS,
    *JOBS,
    *KEYS,
    *API_KEYS,
    *AUDIT,
    *OWNERS,
    *PEOPLE,
    *WEBHOOKS,
    *OVERVIEW,
    *INSTANCE,
)
PUBLIC_PATHS = frozenset(each.path for each in OPERATIONS if each.scope == PUBLIC)


async def no_rows() -> dict[str, int]:
    """None are set aside."""
    return {"connections": 0, "revocations": 0}


def make_control(
    application: Application,
    *,
    readiness: Callable[[], Awaitable[dict[str, str]]],
    metrics: Callable[[], Awaitable[bytes]],
    set_aside: Callable[[], Awaitable[dict[str, int]]] = no_rows,
    log_level: LogLevelSwitch | None = None,
    refusals: Refusals | None = None,
    other_paths: Mapping[str, Any] | None = None,
    settings: Sequence[SettingAnswer] = (),
) -> App:
    """Build the control plane.

    Args:
        application: the use cases.
        readiness: each part that is needed (`database`, `keys` …) → `ok`, or a word for what is wrong.
        set_aside: how many rows of each kind can't be read or opened.
        metrics: the exposition of everybody else's metrics, in Prometheus' text format; the zone's own follow it.
        log_level: how talkative the log is; None where this process has no log of its own.
        refusals: where those of this zone are written down; its own where there is none.
        other_paths: other zones' calls, as `paths` of an OpenAPI document.
        settings: those of this process; of one that may hold a secret without its value.
    """
    app = make_framework(application, other_paths or {})
    app.state.readiness, app.state.log_level, app.state.settings = readiness, log_level, tuple(settings)
    app.state.set_aside = set_aside
    refusals = app.state.refusals = refusals or Refusals()
    own = CollectorRegistry()

    async def all_metrics() -> bytes:
        return await metrics() + generate_latest(own)

    app.state.metrics = all_metrics
    return Door(app, application, PUBLIC_PATHS, request_counter(own), refusals)


def make_framework(application: Application, other_paths: Mapping[str, Any] = MappingProxyType({})) -> FastAPI:
    """The routes and their document, without the door."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
    app.router.routes.extend(_routes())
    app.state.application = application
    app.state.replays = Replays(application.idempotency, application.clock, application.entropy)
    app.state.operations = {each.name: each for each in OPERATIONS}
    app.state.document = cache(
        lambda: as_bytes(with_paths(document_of(app), other_paths))
    )  # made when it is first asked for
    app.add_exception_handler(HTTPException, _no_route)
    app.add_exception_handler(Exception, _crashed)
    return app


def document_of(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document of these routes."""
    try:
        release = version("keyturn")
    except PackageNotFoundError:
        release = "0"
    return make_document(app, OPERATIONS, version=release)


@cache
def _routes() -> tuple[BaseRoute, ...]:
    """Every operation's route. They know nothing of an application, so that one set does for all of a process."""
    router = APIRouter(route_class=ControlRoute, redirect_slashes=False)
    for operation in OPERATIONS:
        _add(router, operation)
    return tuple(router.routes)


def _add(router: APIRouter, operation: Operation) -> None:
    words = (operation.endpoint.__doc__ or "").strip().split("\n\n", 1)
    router.add_api_route(
        operation.path.replace("{owner}", "{owner:path}"),  # an owner is any text, slashes among it
        operation.endpoint,
        methods=[operation.method],
        operation_id=operation.name,
        summary=words[0].rstrip("."),
        description=" ".join(words[-1].split()),
        tags=[operation.tag],
        status_code=min(operation.answers),
        response_model=None,
        response_class=Response,
        responses={status: {"model": model} if model else {} for status, model in operation.answers.items()},
        openapi_extra={OPERATION: operation.name},
    )


async def _no_route(request: Request, error: Exception) -> Response:
    """What the framework's router finds wrong: no such path, or none with this method."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    failure: KeyturnError
    match status:
        case 404:
            failure = NotFound("There is no such path.")
        case 405:
            failure = MethodNotAllowed(extensions={"allow": _allowed(request)})
        case _:
            failure = BadRequest()
    caller = caller_in(request.scope)
    request.app.state.refusals.note(
        failure, request.scope, route="none", request_id=caller.request_id, actor=caller.actor_name
    )
    return problem_response(failure, caller.request_id)


async def _crashed(request: Request, error: Exception) -> Response:
    """A mistake of ours outside every operation; the door writes it down."""
    return problem_response(error, caller_in(request.scope).request_id)


def _allowed(request: Request) -> list[str]:
    methods: set[str] = set()
    for route in request.app.router.routes:
        found, _ = route.matches(request.scope)
        if found is not Match.NONE:
            methods |= route.methods or set()
    return sorted(methods | ({"HEAD"} if "GET" in methods else set()))
