"""Connectors: drafts, versions, the client that the operator registered."""

from __future__ import annotations

import re
from typing import Annotated, Final

from fastapi import Query
from starlette.requests import Request
from starlette.responses import Response

from keyturn.core.errors import NotFound
from keyturn.core.lint import blocks_publishing, lint
from keyturn.engine.application import Application
from keyturn.ports.store import ConnectorSummary
from keyturn.web.control.caller import App, Caller, Calling
from keyturn.web.control.operations import Operation, Takes
from keyturn.web.control.preconditions import etag, expected_revision
from keyturn.web.control.shapes.answers import (
    ConnectorAnswer,
    ConnectorList,
    ConnectorRow,
    FindingList,
    PublishedAnswer,
    VersionList,
)
from keyturn.web.control.shapes.requests import ClientSetting, PageQuery, Publishing
from keyturn.web.control.shapes.showing import answer, connector_answer, finding_answers, time_of, version_row

TAG: Final = "connectors"
_CURSOR: Final = re.compile("[0-9]{1,9}")
EXAMPLE: Final = """\
keyturn: 1
connector: acme
title: Acme
trust: {reason: legacy, note: There is no other login before version 7.}
token: {url: "https://login.acme.example/oauth/token"}
test: {url: "https://api.acme.example/v1/me"}
unique_id: "{{ test.id }}"
allowed_urls: ["https://api.acme.example/v1"]
request: {base_url: "https://api.acme.example/v1"}
"""


async def list_connectors(app: App, caller: Calling) -> Response:
    """List connectors."""
    found = await app.connectors.list(project=caller.principal.project)
    rows = [
        ConnectorRow(
            id=each.id,
            title=each.title,
            latest_version=each.latest_version,
            has_draft=each.has_draft,
            client_id_set=each.client_id_set,
            updated_at=time_of(each.updated_at),
        )
        for each in found
        if caller.principal.sees(each.id)
    ]
    return answer(ConnectorList(data=rows))


async def get_connector(connector_id: str, app: App, caller: Calling) -> Response:
    """Read a connector.

    With its draft, its newest version and what the linter finds in the draft; never with the client's secret.
    """
    return await shown_connector(app, caller, connector_id)


async def put_connector(connector_id: str, request: Request, app: App, caller: Calling) -> Response:
    """Write a connector's draft.

    All errors are said at once and nothing is saved if there is one; findings of the linter do not hold it up.
    `If-None-Match: *` writes only a connector that is new.
    """
    caller.must_see(connector_id)
    draft = await app.connectors.draft(connector_id, project=caller.principal.project)
    expected = expected_revision(request, current=draft.revision if draft else None)
    saved = await app.edit_connector.save(connector_id, await request.body(), caller.actor, expected_revision=expected)
    summary = await _summary(app, caller, connector_id)
    return await _shown(app, caller, summary, status=201 if saved.created else 200)


async def lint_connector(connector_id: str, request: Request, app: App, caller: Calling) -> Response:
    """Check a connector's text.

    Nothing is saved and nothing is sent; errors are answered as when it is written.
    """
    caller.must_see(connector_id)
    findings = lint(await app.edit_connector.read(await request.body()))
    publishable = not blocks_publishing(findings)
    return answer(FindingList(findings=finding_answers(findings), publishable=publishable))


async def publish_connector(
    connector_id: str, request: Request, app: App, caller: Calling, body: Publishing | None = None
) -> Response:
    """Publish the draft.

    It becomes the next version; publishing the same text again gives that version back. Where only advice differs from
    the newest version (`failures`, `links`, `notes`, `retires`) that one is corrected in place, for its connections at
    once. With `corrects` an older version is, or nothing is done where more than advice differs.
    """
    caller.must_see(connector_id)
    draft = await app.connectors.draft(connector_id, project=caller.principal.project)
    if draft is None:
        raise NotFound("There is no such connector.")
    expected = expected_revision(request, current=draft.revision)
    wanted = body or Publishing()
    done = await app.edit_connector.publish(
        connector_id, caller.actor, expected_revision=expected, corrects=wanted.corrects, note=wanted.note or ""
    )
    corrected = list(done.corrected)
    return answer(
        PublishedAnswer(version=done.version, digest=done.digest, result=done.result, corrected=corrected), 201
    )


async def list_versions(connector_id: str, app: App, caller: Calling, page: Annotated[PageQuery, Query()]) -> Response:
    """List published versions."""
    await _summary(app, caller, connector_id)
    newest = await app.connectors.version(connector_id, project=caller.principal.project)
    top = newest.version if newest else 0
    if page.cursor is not None:
        top = min(top, int(page.cursor)) if _CURSOR.fullmatch(page.cursor) else 0
    rows = []
    for number in range(top, max(top - page.limit, 0), -1):
        version = await app.connectors.version(connector_id, number, project=caller.principal.project)
        if version is not None:
            rows.append(version_row(version))
    following = top - page.limit
    return answer(VersionList(data=rows, next_cursor=str(following) if following > 0 else None))


async def set_connector_client(connector_id: str, setting: ClientSetting, app: App, caller: Calling) -> Response:
    """Set the client that is registered with the provider.

    The secret is sealed and never shown again; without one, the client has none.
    """
    caller.must_see(connector_id)
    await app.edit_connector.set_client(connector_id, setting.client_id, setting.client_secret, caller.actor)
    return Response(status_code=204)


async def shown_connector(app: Application, caller: Caller, connector_id: str) -> Response:
    """The connector as it is now."""
    return await _shown(app, caller, await _summary(app, caller, connector_id))


async def _summary(app: Application, caller: Caller, connector_id: str) -> ConnectorSummary:
    caller.must_see(connector_id)
    for each in await app.connectors.list(project=caller.principal.project):
        if each.id == connector_id:
            return each
    raise NotFound("There is no such connector.")


async def _shown(app: Application, caller: Caller, summary: ConnectorSummary, *, status: int = 200) -> Response:
    draft = await app.connectors.draft(summary.id, project=caller.principal.project)
    version = await app.connectors.version(summary.id, project=caller.principal.project)
    findings = lint(draft.connector) if draft else ()
    location = f"/v1/connectors/{summary.id}" if status == 201 else None
    stopped = await app.guards.stop_logins.stopped_since(summary.id, project=caller.principal.project)
    shown = connector_answer(summary, draft, version, findings, stopped)
    return answer(shown, status, etag=etag(draft.revision if draft else 0), location=location)


_ONE: Final = "/v1/connectors/{connector_id}"
OPERATIONS: Final = (
    Operation("GET", "/v1/connectors", list_connectors, "read", {200: ConnectorList}, TAG),
    Operation("GET", _ONE, get_connector, "read", {200: ConnectorAnswer}, TAG),
    Operation(
        "PUT",
        _ONE,
        put_connector,
        "admin",
        {200: ConnectorAnswer, 201: ConnectorAnswer},
        TAG,
        unlimited_by=("owners",),
        takes=Takes.CONNECTOR,
        problems=("connector_invalid", "version_conflict"),
        example=EXAMPLE,
        headers=("If-Match",),
    ),
    Operation(
        "POST",
        f"{_ONE}/lint",
        lint_connector,
        "admin",
        {200: FindingList},
        TAG,
        takes=Takes.CONNECTOR,
        problems=("connector_invalid",),
        example=EXAMPLE,
    ),
    Operation(
        "POST",
        f"{_ONE}/publish",
        publish_connector,
        "admin",
        {201: PublishedAnswer},
        TAG,
        unlimited_by=("owners",),
        takes=Takes.JSON,
        example={"note": "the provider's new host"},
        problems=("publish_blocked", "version_conflict", "version_immutable"),
        answer_example={
            "version": 3,
            "digest": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            "result": "published",
            "corrected": [],
        },
        headers=("If-Match",),
    ),
    Operation("GET", f"{_ONE}/versions", list_versions, "read", {200: VersionList}, TAG),
    Operation(
        "PUT",
        f"{_ONE}/client",
        set_connector_client,
        "admin",
        {204: None},
        TAG,
        unlimited_by=("owners",),
        takes=Takes.JSON,
        problems=("key_unavailable",),
        example={"client_id": "keyturn-at-example", "client_secret": "…"},
    ),
)
