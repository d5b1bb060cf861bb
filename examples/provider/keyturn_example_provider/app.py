"""The application: routes, and the fault that a request may be under."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TextIO

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from . import api, debug, oauth, page
from .faults import NOT_CARRIED_OUT, Endpoint, under_fault
from .loopback import OwnHostOnly
from .oauth_request import OAuthError, read_form
from .provider import Provider, provider_of
from .request_log import Entry, RequestLog
from .settings import Settings
from .tokens import Tokens

Handler = Callable[[Request], Awaitable[Response]]
EVERY_METHOD = ["GET", "POST", "PUT", "PATCH", "DELETE"]


def make_provider(settings: Settings, sink: TextIO | None = None) -> Provider:
    """Make an empty server state; `sink` gets each log entry as a line of JSON."""
    return Provider(settings, Tokens(settings.access_ttl_s, settings.refresh_ttl_s), RequestLog(sink))


def make_app(provider: Provider) -> Starlette:
    """Make the ASGI application over `provider`; `/debug` is there only when its settings say so."""
    routes = [
        Route("/", page.show, methods=["GET"]),
        Route("/style.css", page.style, methods=["GET"]),
        Route("/page/end-access", page.end_access, methods=["POST"]),
        Route("/page/end-family", page.end_family, methods=["POST"]),
        Route("/page/expire-access", page.expire_access, methods=["POST"]),
        Route("/oauth/token", _faulty(oauth.token, None), methods=["POST"]),
        Route("/oauth/revoke", _faulty(oauth.revoke, Endpoint.REVOKE), methods=["POST"]),
        Route("/api/me", _faulty(api.me, Endpoint.ME), methods=["GET"]),
        Route("/api/notes", _faulty(api.notes, Endpoint.NOTES), methods=["GET", "POST"]),
        Route("/api/notes/{id:int}", _faulty(api.note, Endpoint.NOTES), methods=["GET"]),
        Route("/api/echo", _faulty(api.echo, Endpoint.ECHO), methods=EVERY_METHOD),
    ]
    if provider.settings.debug_endpoints:
        routes += debug.ROUTES
    app = Starlette(routes=routes, middleware=[Middleware(OwnHostOnly)])
    app.state.provider = provider
    return app


def _faulty(handler: Handler, endpoint: Endpoint | None) -> Handler:
    """Wrap `handler` in the faults armed for `endpoint`; None means the token endpoint, which is two in one."""

    async def handle(request: Request) -> Response:
        provider = provider_of(request)
        entry = await _entry(request, endpoint)
        fault = provider.faults.take(Endpoint(entry.endpoint))
        if fault is None:
            return await handler(request)
        request.state.fault = fault.mode.value
        if fault.mode in NOT_CARRIED_OUT:
            provider.record(request, replace(entry, outcome="not_carried_out"))
        return await under_fault(provider.faults, fault, request, lambda: handler(request))

    return handle


async def _entry(request: Request, endpoint: Endpoint | None) -> Entry:
    if endpoint is not None:
        return Entry(endpoint.value, "")
    try:
        return oauth.entry_of(await read_form(request))
    except OAuthError:
        return Entry(Endpoint.TOKEN.value, "")
