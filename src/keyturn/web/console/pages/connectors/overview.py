"""One connector: how it stands, its nine steps as a page to read, who sends what where, its client, its logins.

Rule: stopping the logins of everybody, and starting them again, is asked on a page of its own first.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from starlette.responses import Response

from keyturn.core.access.roles import Permission
from keyturn.core.building.steps import STEPS
from keyturn.core.connector import ClientAuthentication, Connector
from keyturn.core.errors import Finding, NotFound, ValidationFailed
from keyturn.core.lint import lint
from keyturn.core.problems import PROBLEMS
from keyturn.core.secret import Secret
from keyturn.engine.overview.connector_health import ConnectorHealth, Grade, health_of
from keyturn.web.console.charts.board import bar_of
from keyturn.web.console.page import Page
from keyturn.web.console.pages.connectors.described import lines_of
from keyturn.web.console.pages.connectors.hosts import host_map
from keyturn.web.console.pages.needs import place_of, whose
from keyturn.web.console.places import audit_of, connections_of
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


async def healths(console: Console) -> Callable[[str], ConnectorHealth]:
    """How connectors stand, by id: the figures of the last 24 hours, as the overview has them."""
    application = console.application
    board, stopped = await application.board(), await application.guards.stop_logins.stopped()
    times = application.quiet_hours.times
    return lambda connector: health_of(
        board, connector, stopped_since=stopped.get(connector), quiet_until=times.until(connector)
    )


async def show_logins(console: Console, visit: Visit) -> Response:
    """Say what stopping the logins does, or starting them again, and ask."""
    connector = await _connector(console, visit)
    health = (await healths(console))(connector.id)
    return console.page(
        visit, "connectors/logins.html", connector=connector, stopped_since=health.stopped_since, health=health
    )


async def post_logins(console: Console, visit: Visit) -> Response:
    """Stop them, or start them again."""
    connector_id, stop_logins = visit.path("connector"), console.application.guards.stop_logins
    step = visit.form.text("step")
    if step == "stop":
        await stop_logins.stop(connector_id, visit.actor)
    elif step == "start":
        await stop_logins.start(connector_id, visit.actor)
    else:
        raise ValidationFailed(errors=[Finding("/step", "invalid", "Logins are stopped or started.")])
    return console.back(f"/connectors/{connector_id}", said=f"logins_{step}")


async def _connector(console: Console, visit: Visit) -> Connector:
    """The draft where there is one, else the newest version. NotFound."""
    stores, connector_id = console.application.connectors, visit.path("connector")
    found = await stores.draft(connector_id) or await stores.version(connector_id)
    if found is None:
        raise NotFound("There is no such connector.")
    return found.connector


async def _page(console: Console, visit: Visit, errors: tuple[Finding, ...] = ()) -> Response:
    application, connector_id = console.application, visit.path("connector")
    draft = await application.connectors.draft(connector_id)
    version = await application.connectors.version(connector_id)
    connector = await _connector(console, visit)
    health = (await healths(console))(connector_id)
    parts, bar = bar_of(health.by_state)
    may = {"may_operate": visit.may(Permission.OPERATE), "may_write": visit.may(Permission.WRITE_CONNECTORS)}
    summary = next((each for each in await application.connectors.list() if each.id == connector_id), None)
    return console.page(
        visit,
        "connectors/show.html",
        status=422 if errors else 200,
        connector=connector,
        draft=draft,
        newest=version,
        differs=draft is not None and (version is None or draft.source != version.source),
        health=health,
        grades=Grade,
        parts=parts,
        bar=bar,
        troubles=[(each, PROBLEMS[each.code], whose(each.code), place_of(each, **may)) for each in health.troubles],
        connections_of=connections_of,
        audit_of=audit_of,
        steps=[(step, list(lines_of(connector, step.keys))) for step in STEPS],
        rows=host_map(connector),
        findings=lint(connector),
        client_set=bool(summary and summary.client_id_set),
        needs_client=connector.client_authentication is not ClientAuthentication.NONE,
        quiet_hours=application.quiet_hours.times.of(connector_id),
        quiet_until=application.quiet_hours.times.until(connector_id),
        errors=errors,
        typed_id=visit.form.text("client_id"),
    )


PAGES: Final = (
    Page("GET", "/connectors/{connector}", show_connector, Permission.VIEW),
    Page("POST", "/connectors/{connector}/client", post_client, Permission.OPERATE, secret=("client_secret",)),
    Page("GET", "/connectors/{connector}/logins", show_logins, Permission.OPERATE),
    Page("POST", "/connectors/{connector}/logins", post_logins, Permission.OPERATE),
)
