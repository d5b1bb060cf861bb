"""What can be done with a connection: test, renew, reconnect, hand a link to its person, pause, resume."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import Query
from starlette.requests import Request
from starlette.responses import Response

from keyturn.core.connection import Connection
from keyturn.engine.application import Application
from keyturn.engine.calls.api_request import request_of
from keyturn.web.control.caller import App, Caller, Calling
from keyturn.web.control.operations import Operation, Takes
from keyturn.web.control.preconditions import expected_revision
from keyturn.web.control.routes.connections import EXAMPLE, TAG, shown
from keyturn.web.control.shapes.answers import (
    CallPreviewAnswer,
    ConnectionAnswer,
    LinkAnswer,
    PersonLinkAnswer,
    PreviewAnswer,
    ShownHeaderAnswer,
    TestedAnswer,
)
from keyturn.web.control.shapes.requests import CallToShow, NewPersonLink, Nothing, Reconnect, TestQuery
from keyturn.web.control.shapes.showing import answer, time_of
from keyturn.web.control.shown_once import link_text

_UNUSABLE: Final = ("connection_disconnected", "connection_paused", "connection_unconfirmed")
_RENEWAL: Final = (
    *_UNUSABLE, "connection_needs_reconnect", "renewal_in_progress", "renewal_not_possible", "login_budget_spent",
    "logins_stopped", "quiet_hours",
    "provider_rate_limited", "provider_unreachable", "provider_tls_failed", "provider_timeout",
    "provider_unavailable", "provider_bad_response", "connector_client_missing", "connector_client_rejected",
    "provider_grant_disabled", "scope_insufficient", "connector_value_absent", "address_not_allowed",
    "url_not_allowed", "key_unavailable", "version_conflict",
)  # fmt: skip


async def try_connection(
    connection_id: str,
    request: Request,
    app: App,
    caller: Calling,
    query: Annotated[TestQuery, Query()],
    nothing: Nothing | None = None,
) -> Response:
    """Test a connection.

    Runs the test call and records the verdict in `last_test`. A token that has ended is renewed first, no other.
    With `dry_run=true` nothing is sent, and the answer shows the request with its secrets masked.
    """
    connection = await _found(app, caller, request, connection_id)
    if connection.token_over(app.clock.now()) and not query.dry_run:
        await app.renewals.renew(
            connection_id,
            generation=connection.generation,
            actor=caller.actor,
            project=caller.principal.project,
        )
    tested = await app.test_connection(
        connection_id, caller.actor, dry_run=query.dry_run, project=caller.principal.project
    )
    if isinstance(tested, Connection):
        return await shown(app, tested)
    return answer(PreviewAnswer(method=tested.method, url=tested.url, headers=list(tested.headers), body=tested.body))


async def preview_call(connection_id: str, request: Request, body: CallToShow, app: App, caller: Calling) -> Response:
    """Show a call as it would be sent.

    Nothing is sent. The request is made by what makes a call's, and held against the allowed URLs: secrets are masked,
    and what the connector adds is told from what was written.
    """
    await _found(app, caller, request, connection_id)
    asked = request_of(body.method.upper(), body.path, body.headers, body.body, body.base_url or "")
    shown = await app.ask_api.preview(connection_id, asked, project=caller.principal.project)
    headers = [ShownHeaderAnswer(name=each.name, value=each.value, added=each.added) for each in shown.headers]
    return answer(
        CallPreviewAnswer(
            method=shown.method,
            url=shown.url,
            headers=headers,
            body=shown.body,
            added_query=list(shown.added_query),
            body_changed=shown.body_changed,
            left_out=list(shown.left_out),
        )
    )


async def renew_connection(
    connection_id: str, request: Request, app: App, caller: Calling, nothing: Nothing | None = None
) -> Response:
    """Renew a connection's token now.

    Whoever asks at the same moment gets the result of the same renewal.
    """
    connection = await _found(app, caller, request, connection_id)
    renewed = await app.renewals.renew(
        connection_id,
        generation=connection.generation,
        actor=caller.actor,
        forced=True,
        project=caller.principal.project,
    )
    return await shown(app, renewed)


async def reconnect(
    connection_id: str, request: Request, app: App, caller: Calling, body: Reconnect | None = None
) -> Response:
    """Make a link that repairs a connection.

    For the person whose account it is. A link that nobody has opened yet is given again, unless members are sent.
    """
    await _found(app, caller, request, connection_id)
    wanted = body or Reconnect()
    link = await app.connect_sessions.reconnect_link(
        connection_id,
        caller.actor,
        return_url=wanted.return_url,
        app_name=wanted.app_name,
        owner_label=wanted.owner_label,
        origin=wanted.origin,
    )
    session = link.session
    return answer(LinkAnswer(id=session.id, url=link_text(link), expires_at=time_of(session.expires_at)))


async def make_person_link(
    connection_id: str, request: Request, app: App, caller: Calling, body: NewPersonLink | None = None
) -> Response:
    """Make a link by which the person sees and ends a connection.

    It shows how the connection stands and what is stored, and has a button that disconnects it: so it needs the scope
    that disconnecting needs. It is shown this once, and is good until `expires_at`: in 7 days, unless said otherwise.
    """
    await _found(app, caller, request, connection_id)
    ends = body.expires_at.timestamp() if body is not None and body.expires_at is not None else None
    link = await app.person_links.make(connection_id, caller.actor, expires_at=ends, project=caller.principal.project)
    return answer(PersonLinkAnswer(url=link_text(link), expires_at=time_of(link.expires_at)), 201)


async def take_person_links_back(connection_id: str, request: Request, app: App, caller: Calling) -> Response:
    """Take back the links by which a person sees and ends a connection.

    All of them, also the one that the person took along after the login; taking them back twice is fine.
    """
    await _found(app, caller, request, connection_id)
    await app.person_links.take_back(connection_id, caller.actor, project=caller.principal.project)
    return Response(status_code=204)


async def pause(
    connection_id: str, request: Request, app: App, caller: Calling, nothing: Nothing | None = None
) -> Response:
    """Pause a connection.

    Calls are refused and nothing is renewed until it is resumed; pausing twice is fine.
    """
    return await _paused(connection_id, request, app, caller, paused=True)


async def resume(
    connection_id: str, request: Request, app: App, caller: Calling, nothing: Nothing | None = None
) -> Response:
    """Resume a paused connection."""
    return await _paused(connection_id, request, app, caller, paused=False)


async def _paused(connection_id: str, request: Request, app: Application, caller: Caller, *, paused: bool) -> Response:
    connection = await caller.connection(app, connection_id)
    expected = expected_revision(request, current=connection.revision)
    saved = await app.pause(
        connection_id,
        caller.actor,
        paused=paused,
        expected_revision=expected,
        project=caller.principal.project,
    )
    return await shown(app, saved)


async def _found(app: Application, caller: Caller, request: Request, connection_id: str) -> Connection:
    connection = await caller.connection(app, connection_id)
    expected_revision(request, current=connection.revision)
    return connection


_ONE: Final = "/v1/connections/{connection_id}"
OPERATIONS: Final = (
    Operation(
        "POST",
        f"{_ONE}/test",
        try_connection,
        "call",
        {200: TestedAnswer},
        TAG,
        problems=_RENEWAL,
        answer_example=EXAMPLE,
        headers=("If-Match",),
    ),
    Operation(
        "POST",
        f"{_ONE}/preview",
        preview_call,
        "call",
        {200: CallPreviewAnswer},
        TAG,
        takes=Takes.JSON,
        problems=(
            *_UNUSABLE,
            "connection_needs_reconnect",
            "url_not_allowed",
            "body_not_mergeable",
            "key_unavailable",
            "version_conflict",
        ),
        example={"method": "GET", "path": "/v1/me", "headers": {"Accept": "application/json"}},
        answer_example={
            "method": "GET",
            "url": "https://api.acme.example/v1/me",
            "headers": [
                {"name": "accept", "value": "application/json", "added": False},
                {"name": "authorization", "value": "Bearer ‹token.access_token›", "added": True},
            ],
            "body": "",
            "added_query": [],
            "body_changed": False,
            "left_out": [],
        },
        secret=("url", "headers", "body"),
        headers=("If-Match",),
    ),
    Operation(
        "POST",
        f"{_ONE}/renew",
        renew_connection,
        "admin",
        {200: ConnectionAnswer},
        TAG,
        problems=_RENEWAL,
        answer_example=EXAMPLE,
        headers=("If-Match",),
    ),
    Operation(
        "POST",
        f"{_ONE}/reconnect",
        reconnect,
        "connect",
        {200: LinkAnswer},
        TAG,
        takes=Takes.JSON,
        problems=(
            "connection_disconnected",
            "connector_not_published",
            "connector_client_missing",
            "return_url_not_allowed",
            "version_conflict",
        ),
        example={"return_url": "https://app.example/done"},
        secret=("url",),
        headers=("If-Match",),
    ),
    Operation(
        "POST",
        f"{_ONE}/person-link",
        make_person_link,
        "admin",
        {201: PersonLinkAnswer},
        TAG,
        takes=Takes.JSON,
        problems=("connection_disconnected", "version_conflict"),
        example={"expires_at": "2030-02-28T12:00:00Z"},
        answer_example={"url": "https://connect.example/my/…", "expires_at": "2030-02-28T12:00:00.000Z"},
        secret=("url",),
        headers=("If-Match",),
    ),
    Operation(
        "DELETE",
        f"{_ONE}/person-link",
        take_person_links_back,
        "admin",
        {204: None},
        TAG,
        problems=("version_conflict",),
        headers=("If-Match",),
    ),
    Operation(
        "POST",
        f"{_ONE}/pause",
        pause,
        "admin",
        {200: ConnectionAnswer},
        TAG,
        problems=("connection_disconnected", "version_conflict"),
        answer_example={**EXAMPLE, "state": "paused", "renews_at": None},
        headers=("If-Match",),
    ),
    Operation(
        "POST",
        f"{_ONE}/resume",
        resume,
        "admin",
        {200: ConnectionAnswer},
        TAG,
        problems=("connection_disconnected", "version_conflict"),
        answer_example=EXAMPLE,
        headers=("If-Match",),
    ),
)
