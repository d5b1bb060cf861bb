"""Connections: made, listed, read, explained, ended."""

from __future__ import annotations

from typing import Annotated, Any, Final
from urllib.parse import urlencode

from fastapi import Query
from starlette.requests import Request
from starlette.responses import Response

from keyturn.core.audit.kinds import RecordKind
from keyturn.core.connection import Connection, State
from keyturn.core.connector import Connector
from keyturn.core.errors import ConnectionDisconnected, Finding, NotFound, ValidationFailed
from keyturn.core.explain import Alarm, explain
from keyturn.core.observing.call_hour import last_day
from keyturn.engine.abuse.rate_limits import SIGN_IN
from keyturn.engine.application import Application
from keyturn.engine.login.challenged import Challenged
from keyturn.engine.login.login_request import Connected, LoginRequest
from keyturn.ports.store import ConnectionFilter
from keyturn.web.control.caller import App, Caller, Calling
from keyturn.web.control.operations import Operation, Takes
from keyturn.web.control.preconditions import etag, expected_revision
from keyturn.web.control.shapes.answers import (
    ConnectionAnswer,
    ConnectionList,
    DisconnectAnswer,
    TimelineAnswer,
    WhyAnswer,
)
from keyturn.web.control.shapes.challenges import ChallengeAnswer, challenge_answer
from keyturn.web.control.shapes.requests import ConnectionQuery, DisconnectQuery, EventQuery, NewConnection
from keyturn.web.control.shapes.showing import (
    answer,
    connection_answer,
    event_list,
    listed_connection,
    timeline_answer,
    told,
    why_answer,
)

TAG: Final = "connections"
STATES: Final = frozenset({*(each.value for each in State), "paused", "unconfirmed"})
LOGIN_PROBLEMS: Final = (
    "connector_not_published", "connector_client_missing", "logins_stopped", "login_spraying", "rate_limited",
    "login_budget_spent", "provider_credentials_rejected",
    "provider_mfa_unsupported", "provider_otp_invalid", "provider_account_locked", "provider_password_expired",
    "provider_interaction_required", "provider_access_denied", "provider_rate_limited", "provider_unreachable",
    "provider_tls_failed", "provider_timeout", "provider_unavailable", "provider_bad_response",
    "connector_client_rejected", "provider_grant_disabled", "scope_insufficient", "connector_value_absent",
    "connection_test_failed", "unique_id_missing", "connection_exists", "identity_mismatch",
    "connection_disconnected", "generation_conflict", "address_not_allowed", "url_not_allowed", "key_unavailable",
)  # fmt: skip
EXAMPLE: Final[dict[str, Any]] = {
    "id": "cxn_5d41402abc4b2a76b9719d911017c592",
    "connector": "acme",
    "connector_version": 3,
    "owner": "user-42",
    "name": "Ada's account",
    "unique_id": "4711",
    "state": "active",
    "reason": None,
    "attention": False,
    "state_since": "2030-01-31T12:00:00.000Z",
    "generation": 2,
    "created_at": "2030-01-31T12:00:00.000Z",
    "updated_at": "2030-01-31T12:55:00.000Z",
    "expires_at": "2030-01-31T13:55:00.000Z",
    "refresh_expires_at": "2030-03-02T12:55:00.000Z",
    "expires_soon": False,
    "renews_at": "2030-01-31T13:49:12.500Z",
    "last_test": {"at": "2030-01-31T12:00:00.000Z", "passed": True, "status": 200, "code": None, "cause": None},
    "last_error": None,
    "last_error_at": None,
    "last_used_at": "2030-01-31T12:58:03.000Z",
    "hosts": ["login.acme.example"],
    "fields": {},
    "stored": {
        "access_token": {"since": "2030-01-31T12:55:00.000Z", "until": "2030-01-31T13:55:00.000Z", "sealed": True},
        "refresh_token": {"since": "2030-01-31T12:55:00.000Z", "until": None, "sealed": True},
        "username": None,
        "password": None,
        "fields": {},
    },
    "disconnected_at": None,
    "revocation": None,
}

QUESTION_EXAMPLE: Final[dict[str, Any]] = {
    "key": "otp",
    "label": "Code from your authenticator app",
    "type": "otp",
    "help": "",
    "required": True,
    "choices": [],
}
CHALLENGE_EXAMPLE: Final[dict[str, Any]] = {
    "challenge": {
        "id": "chl_9b2d1c",
        "ask": [QUESTION_EXAMPLE],
        "expires_at": "2030-01-31T12:10:00.000Z",
        "error": None,
        "tries_left": 3,
        "polls": False,
        "resend": False,
    }
}


async def create_connection(body: NewConnection, app: App, caller: Calling) -> Response:
    """Connect an account with somebody's credentials.

    The password is used once and forgotten, unless the connector permits keeping it and `keep_password` is true. An
    account that is connected already is updated (200). `connection` reconnects that one: another account is refused
    unless `allow_account_change` is true. A caller that hangs up does not end the login. Where the provider asks for
    something more (a code, a choice, a confirmation elsewhere) the answer is 202 with a challenge. `keep_totp_seed`
    consents to keeping the seed of one-time codes that stands in `fields`.
    """
    caller.must_see(body.connector)
    caller.must_see_owner(body.owner)
    caller.standings.add(app.guards.rate_limits.take(SIGN_IN, f"owner:{body.owner}"))
    if body.connection is not None:
        await _refuse_foreign(app, caller, body)
    done = await app.connect(
        LoginRequest(
            connector=body.connector,
            owner=body.owner,
            username=body.username or "",
            password=body.password,
            fields=body.fields,
            keep_password=body.keep_password,
            keep_totp_seed=body.keep_totp_seed,
            reconnects=body.connection,
            allow_account_change=body.allow_account_change,
            project=caller.principal.project,
        ),
        caller.for_person(body.client_address),
    )
    return await logged_in(app, done)


async def _refuse_foreign(app: Application, caller: Caller, body: NewConnection) -> None:
    """A login of one connector or owner must never end up in a connection of another."""
    wanted = await caller.connection(app, body.connection or "")
    if wanted.ended:
        raise ConnectionDisconnected
    errors = [
        Finding(f"/{name}", "differs", "The connection that is to be reconnected has another.")
        for name, given, its in (
            ("connector", body.connector, wanted.connector),
            ("owner", body.owner, wanted.owner),
        )
        if given != its
    ]
    if errors:
        raise ValidationFailed(errors=errors)


async def list_connections(app: App, caller: Calling, query: Annotated[ConnectionQuery, Query()]) -> Response:
    """List connections, newest first.

    With `calls=true` each with its calls of the last 24 hours, by the hour.
    """
    if query.state is not None and query.state not in STATES:
        message = f"The states are: {', '.join(sorted(STATES))}."
        raise ValidationFailed(errors=[Finding("/state", "invalid", message)])
    key = caller.principal
    which = ConnectionFilter(
        query.connector, query.owner, query.state, connectors=key.connectors or None, owners=key.owners or None,
        search=query.search, reason=query.reason, error=query.error,
        attention=await app.attention_bounds(project=key.project) if query.attention else None,
        ends_before=query.ends_before, renews_before=query.renews_before,
    )  # fmt: skip
    page = await app.connections.list(which, cursor=query.cursor, limit=query.limit, project=caller.principal.project)
    now = app.clock.now()
    ids = [each.id for each in page.items]
    counted = await app.overview.calls(ids, last_day(now)[0]) if query.calls else None
    rows = [listed_connection(each, await version_of(app, each), now, counted) for each in page.items]
    response = answer(ConnectionList(data=rows, next_cursor=page.next_cursor))
    if page.next_cursor is not None:
        following = {**query.model_dump(exclude_none=True), "cursor": page.next_cursor}
        response.headers["link"] = f'<{app.public_url}/v1/connections?{urlencode(following)}>; rel="next"'
    return response


async def get_connection(connection_id: str, app: App, caller: Calling) -> Response:
    """Read a connection."""
    return await shown(app, await caller.connection(app, connection_id))


async def explain_connection(connection_id: str, app: App, caller: Calling) -> Response:
    """Say why a connection is as it is.

    State, cause, whose move it is, what is tried next and when.
    """
    connection = await caller.connection(app, connection_id)
    now = app.clock.now()
    found = app.gate.alarmed(connection.connector)
    alarm = Alarm(found[0], found[1], now + found[2]) if found else None
    quiet = app.quiet_hours.times.until(connection.connector, connection.project)
    return answer(why_answer(explain(connection, await version_of(app, connection), now, alarm, quiet)))


async def list_connection_events(
    connection_id: str, app: App, caller: Calling, page: Annotated[EventQuery, Query()]
) -> Response:
    """Read a connection's timeline.

    With `kind` only `renewals`, tests and `calls`, `failures`, or `changes`: made, changed, ended. With `calls=true`
    also the calls, folded by the hour: `hours` are those that began between the records of this page, and count with
    them towards `limit`; with `failures` those in which a call failed. A cursor is good for one of the two.
    """
    await caller.connection(app, connection_id)
    kind, project = RecordKind(page.kind) if page.kind else None, caller.principal.project
    if page.calls:
        rows, following = await app.overview.timeline(
            connection_id, kind=kind, cursor=page.cursor, limit=page.limit, project=project
        )
        return answer(timeline_answer(rows, following))
    found, following = await app.audit.list(
        connection=connection_id, kind=kind, cursor=page.cursor, limit=page.limit, project=project
    )
    return answer(TimelineAnswer(**dict(event_list(found, following)), hours=None))


async def disconnect(
    connection_id: str, request: Request, app: App, caller: Calling, query: Annotated[DisconnectQuery, Query()]
) -> Response:
    """Disconnect.

    Calls are refused and secrets destroyed at once; the provider is told, again and again for a day unless
    `forget=now`.
    """
    connection = await caller.connection(app, connection_id)
    expected_revision(request, current=connection.revision)
    ended = await app.disconnect(
        connection_id, caller.actor, forget_now=query.forget is not None, project=caller.principal.project
    )
    return answer(DisconnectAnswer(state=ended.shown_state, revocation=told(ended)))


async def version_of(app: Application, connection: Connection) -> Connector | None:
    """The version that a connection is pinned to, if it is still there."""
    try:
        return await app.published.version(
            connection.connector, connection.connector_version, project=connection.project
        )
    except NotFound:
        return None


async def logged_in(app: Application, done: Connected | Challenged) -> Response:
    """How a login went, as an answer: the connection, or what is asked next and where to answer it."""
    if isinstance(done, Challenged):
        return answer(challenge_answer(done), 202, location=f"/v1/challenges/{done.id}")
    status, location = (201, f"/v1/connections/{done.connection.id}") if done.created else (200, None)
    return await shown(app, done.connection, status=status, location=location)


async def shown(
    app: Application, connection: Connection, *, status: int = 200, location: str | None = None
) -> Response:
    """A connection as an answer, with its ETag."""
    made = connection_answer(connection, await version_of(app, connection), app.clock.now())
    return answer(made, status, etag=etag(connection.revision), location=location)


_ONE: Final = "/v1/connections/{connection_id}"
OPERATIONS: Final = (
    Operation(
        "POST",
        "/v1/connections",
        create_connection,
        "login",
        {200: ConnectionAnswer, 201: ConnectionAnswer, 202: ChallengeAnswer},
        TAG,
        takes=Takes.JSON,
        signs_in=True,
        problems=("not_found", *LOGIN_PROBLEMS),
        example={"connector": "acme", "owner": "user-42", "username": "ada@example.com", "password": "…"},
        answer_example=EXAMPLE,
        status_examples={202: CHALLENGE_EXAMPLE},
    ),
    Operation(
        "GET",
        "/v1/connections",
        list_connections,
        "read",
        {200: ConnectionList},
        TAG,
        answer_example={"data": [{**EXAMPLE, "calls": None}], "next_cursor": None},
    ),
    Operation("GET", _ONE, get_connection, "read", {200: ConnectionAnswer}, TAG, answer_example=EXAMPLE),
    Operation(
        "DELETE",
        _ONE,
        disconnect,
        "admin",
        {200: DisconnectAnswer},
        TAG,
        problems=("connection_disconnected", "version_conflict", "key_unavailable"),
        answer_example={
            "state": "disconnected",
            "revocation": {"result": "done", "tries": 1, "revoked": ["refresh_token", "access_token"]},
        },
        headers=("If-Match",),
    ),
    Operation(
        "GET",
        f"{_ONE}/why",
        explain_connection,
        "read",
        {200: WhyAnswer},
        TAG,
        answer_example={
            "state": "needs_reconnect",
            "code": "grant_lost",
            "text": "The provider no longer accepts the refresh token. Calls are refused.",
            "who": "end_user",
            "next": {"text": "Send the person a reconnect link.", "at": None, "at_is": ""},
        },
    ),
    Operation("GET", f"{_ONE}/events", list_connection_events, "read", {200: TimelineAnswer}, TAG),
)
