"""The draft as the text that it is."""

from __future__ import annotations

import asyncio
import json
from typing import Final

from starlette.responses import JSONResponse, Response

from keyturn.core.access.roles import Permission
from keyturn.core.building.steps import STEPS
from keyturn.core.connector import Connector
from keyturn.core.errors import ConnectorInvalid, Finding, VersionConflict
from keyturn.core.lint import LintFinding, lint
from keyturn.core.reading.document import Position
from keyturn.ports.store import Draft
from keyturn.web.console.page import Page
from keyturn.web.console.pages.connectors.beside.task_list import ABOUT
from keyturn.web.console.pages.connectors.merging import show_merge
from keyturn.web.console.rendering import Console
from keyturn.web.console.visit import Visit

MOST_BYTES: Final = 1024 * 1024  # a file of 256 KiB, each of its characters escaped


async def show_yaml(console: Console, visit: Visit) -> Response:
    """The text; one that did not read and was kept aside stands in its place."""
    builder, connector_id = console.application.builder, visit.path("connector")
    draft = await builder.drafts.draft(connector_id)
    aside = builder.unsaved.of(connector_id, visit.actor)
    if aside is not None:
        return await _page(console, visit, draft, aside.text, aside.revision, aside.errors)
    return await _page(console, visit, draft, draft.source, draft.revision, ())


async def post_yaml(console: Console, visit: Visit) -> Response:
    """Save the text; one with errors is kept aside, and the forms are closed until it reads."""
    builder, connector_id = console.application.builder, visit.path("connector")
    text, revision = visit.form.text("text").replace("\r\n", "\n"), _revision(visit)
    draft = await builder.drafts.draft(connector_id)
    if "\r\n" in draft.source:
        text = text.replace("\n", "\r\n")  # a browser's text area has one kind of line end
    try:
        await builder.drafts.save(connector_id, text, revision, visit.actor)
    except VersionConflict:
        return await show_merge(console, visit, await builder.drafts.draft(connector_id), text)
    except ConnectorInvalid as error:
        errors = tuple(error.errors)
        builder.unsaved.keep(connector_id, visit.actor, text, errors, revision)
        return await _page(console, visit, draft, text, revision, errors, status=422)
    builder.unsaved.drop(connector_id, visit.actor)
    return console.back(f"/connectors/{connector_id}/edit/yaml", said="saved")


async def post_drop(console: Console, visit: Visit) -> Response:
    """Throw a text away that was kept aside."""
    console.application.builder.unsaved.drop(visit.path("connector"), visit.actor)
    return console.back(f"/connectors/{visit.path('connector')}/edit/yaml", said="dropped")


async def post_lint(console: Console, visit: Visit) -> Response:
    """Errors and findings of a text as it stands, with their places; nothing is saved."""
    text = visit.form.text("text").replace("\r\n", "\n")
    try:
        connector = await console.application.edit_connector.read(text)
    except ConnectorInvalid as error:
        errors = [{"message": each.message, "line": each.line, "column": each.column} for each in error.errors]
        return JSONResponse({"errors": errors, "findings": []})
    placed = await asyncio.to_thread(_placed, console, text, connector)
    findings = [
        {
            "code": each.code,
            "severity": each.severity.value,
            "message": each.message,
            "remedy": each.remedy,
            "line": place[0],
        }
        for each, place in placed
    ]
    return JSONResponse({"errors": [], "findings": findings})


async def _page(
    console: Console,
    visit: Visit,
    draft: Draft,
    text: str,
    revision: int,
    errors: tuple[Finding, ...],
    *,
    status: int = 200,
) -> Response:
    return console.page(
        visit,
        "connectors/yaml.html",
        status=status,
        draft=draft,
        connector=draft.connector,
        text=text,
        revision=revision,
        errors=errors,
        steps=json.dumps({key: [each.number, each.title] for each in (ABOUT, *STEPS) for key in each.keys}),
        findings=() if errors else await asyncio.to_thread(_placed, console, draft.source, draft.connector),
    )


def _placed(
    console: Console, text: str, connector: Connector
) -> list[tuple[LintFinding, Position | tuple[None, None]]]:
    """What the linter finds, each with its place; a large file takes a while, so this belongs into a thread."""
    document = console.application.builder.drafts.catalogue.read(text)
    return [(each, document.position(each.pointer, of_key=True)) for each in lint(connector)]


def _revision(visit: Visit) -> int:
    text = visit.form.text("revision")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 12 else -1


_WRITE: Final = Permission.WRITE_CONNECTORS
PAGES: Final = (
    Page("GET", "/connectors/{connector}/edit/yaml", show_yaml, _WRITE),
    Page("POST", "/connectors/{connector}/edit/yaml", post_yaml, _WRITE, most_bytes=MOST_BYTES),
    Page("POST", "/connectors/{connector}/edit/yaml/drop", post_drop, _WRITE),
    Page("POST", "/connectors/{connector}/edit/yaml/lint", post_lint, _WRITE, most_bytes=MOST_BYTES),
)
