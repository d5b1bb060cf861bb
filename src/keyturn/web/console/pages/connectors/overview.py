"""One connector: its nine steps as a page to read, who sends what where, its versions and its client."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from starlette.responses import Response

from keyturn.core.access.roles import Permission
from keyturn.core.building.steps import STEPS
from keyturn.core.connector import ClientAuthentication, Connector
from keyturn.core.errors import Finding, NotFound, ValidationFailed
from keyturn.core.format.writing import dump_connector
from keyturn.core.lint import lint
from keyturn.core.secret import Secret
from keyturn.web.console.page import Page
from keyturn.web.console.pages.connectors.hosts import host_map
from keyturn.web.console.rendering import Console
from keyturn.web.console.visit import Visit


async def show_connector(console: Console, visit: Visit) -> Response:
    """The draft where there is one, else the newest version."""
    return await _page(console, visit)


async def post_client(console: Console, visit: Visit) -> Response:
    """Set the application that is registered with the provider; the secret is never shown again."""
    secret = visit.form.secrets.get("client_secret", Secret(""))
    try:
        await console.application.edit_connector.set_client(
            visit.path("connector"), visit.form.text("client_id"), secret or None, visit.actor
        )
    except ValidationFailed as error:
        return await _page(console, visit, tuple(error.errors))
    place = "/edit/2" if visit.form.text("from") == "steps" else ""
    return console.back(f"/connectors/{visit.path('connector')}{place}", said="client_set")


async def _page(console: Console, visit: Visit, errors: tuple[Finding, ...] = ()) -> Response:
    application, connector_id = console.application, visit.path("connector")
    draft = await application.connectors.draft(connector_id)
    version = await application.connectors.version(connector_id)
    connector = draft.connector if draft else version.connector if version else None
    if connector is None:
        raise NotFound("There is no such connector.")
    summary = next((each for each in await application.connectors.list() if each.id == connector_id), None)
    return console.page(
        visit,
        "connectors/show.html",
        status=422 if errors else 200,
        connector=connector,
        draft=draft,
        newest=version,
        differs=draft is not None and (version is None or draft.source != version.source),
        steps=[(step, list(_lines(connector, step.keys))) for step in STEPS],
        rows=host_map(connector),
        findings=lint(connector),
        connections=await application.builder.review.live_connections(connector_id),
        client_set=bool(summary and summary.client_id_set),
        needs_client=connector.client_authentication is not ClientAuthentication.NONE,
        quiet_hours=application.quiet_hours.times.of(connector_id),
        quiet_until=application.quiet_hours.times.until(connector_id),
        errors=errors,
        typed_id=visit.form.text("client_id"),
    )


def _lines(connector: Connector, keys: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """What a step says, defaults resolved, a line for each value."""
    written = dump_connector(connector)
    for key in keys:
        if key in written and written[key] not in ({}, [], None):
            yield from _leaves(written[key], key)


def _leaves(value: Any, name: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict) and value:
        for key, each in value.items():
            if each not in ({}, [], "", None):
                yield from _leaves(each, f"{name}.{key}")
    elif isinstance(value, list) and any(isinstance(each, dict) for each in value):
        for n, each in enumerate(value, 1):
            yield from _leaves(each, f"{name} {n}")
    elif isinstance(value, list):
        yield name, ", ".join(map(str, value))
    else:
        yield name, "yes" if value is True else "no" if value is False else str(value)


PAGES: Final = (
    Page("GET", "/connectors/{connector}", show_connector, Permission.VIEW),
    Page("POST", "/connectors/{connector}/client", post_client, Permission.OPERATE, secret=("client_secret",)),
)
