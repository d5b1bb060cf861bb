"""All connectors, and the ways to begin one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup
from starlette.responses import JSONResponse, Response

from keyturn.core.access.roles import Permission
from keyturn.core.building.curl_words import CurlUnreadable
from keyturn.core.errors import ConnectorInvalid, Finding, ValidationFailed
from keyturn.core.lint import LintFinding, Severity, lint
from keyturn.engine.overview.connector_health import ConnectorHealth, Grade
from keyturn.ports.store import ConnectorSummary
from keyturn.web.console.charts.board import bar_of
from keyturn.web.console.page import Page
from keyturn.web.console.pages.connectors.hosts import hosts
from keyturn.web.console.pages.connectors.overview import healths
from keyturn.web.console.rendering import Console
from keyturn.web.console.visit import Visit

_ID: Final = re.compile(r"[a-z][a-z0-9-]{1,62}")
_ID_IN_FILE: Final = re.compile(r"^[\"']?connector[\"']?[ \t]*:[ \t]*[\"']?([a-z][a-z0-9-]{1,62})\b", re.MULTILINE)
MOST_BYTES: Final = 1024 * 1024
SHOWN: Final = 50
_PLACE: Final = re.compile(r"[1-9]\d{0,5}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Listed:
    """A row. `parts`, `bar`: its connections by state, as counts and drawn."""

    summary: ConnectorSummary
    hosts: tuple[str, ...]
    draft_differs: bool
    findings: tuple[LintFinding, ...]
    health: ConnectorHealth
    parts: tuple[tuple[str, int], ...]
    bar: Markup | None

    @property
    def problems(self) -> int:
        """Errors and warnings."""
        return sum(each.severity is not Severity.INFO for each in self.findings)

    @property
    def errors(self) -> int:
        """Errors alone."""
        return sum(each.is_error for each in self.findings)


async def show_connectors(console: Console, visit: Visit) -> Response:
    """The list, page by page; what fails first, then what waits for somebody or can't be published as it is."""
    application, cursor = console.application, visit.query("cursor")
    if cursor and not _PLACE.fullmatch(cursor):
        raise ValidationFailed(errors=[Finding("/cursor", "invalid", "This is no place in the list.")])
    health_of = await healths(console)
    rows = []
    for summary in await application.connectors.list():
        draft = await application.connectors.draft(summary.id)
        version = await application.connectors.version(summary.id)
        connector = draft.connector if draft else version.connector if version else None
        if connector is not None:
            differs = draft is not None and (version is None or draft.source != version.source)
            health = health_of(summary.id)
            parts, bar = bar_of(health.by_state, f"bar-{summary.id}")
            rows.append(Listed(summary, hosts(connector), differs, lint(connector), health, parts, bar))
    rows.sort(key=_worst_first)
    first = int(cursor or 0)
    following = first + SHOWN if len(rows) > first + SHOWN else None
    return console.page(
        visit,
        "connectors/list.html",
        rows=rows[first : first + SHOWN],
        cursor=cursor,
        next_cursor=following,
        grades=Grade,
    )


def _worst_first(each: Listed) -> tuple[int, int, str]:
    """What fails, then what waits for somebody or whose draft has errors; of these those that need most people."""
    grade = min(each.health.grade, Grade.LOOK) if each.errors else each.health.grade
    return grade, -each.health.by_state.get("needs_reconnect", 0), each.summary.id


async def show_new(console: Console, visit: Visit) -> Response:
    """The ways to begin."""
    return _new(console, visit, visit.query("from", "catalogue"))


@dataclass(frozen=True, slots=True)
class Begun:
    """What a first text is made of. `understood`: of a curl command, line by line."""

    connector_id: str
    text: str
    understood: tuple[str, ...] = ()


async def post_new(console: Console, visit: Visit) -> Response:
    """Begin one from the catalogue, a text, a curl command or a blank file, and go to the first step in need."""
    try:
        begun = await _text(console, visit)
        await console.application.builder.drafts.begin(begun.connector_id, begun.text, visit.actor)
    except (CurlUnreadable, ConnectorInvalid, ValidationFailed) as error:
        return _new(console, visit, visit.form.text("way"), _findings(error))
    if begun.understood:
        return console.page(
            visit,
            "connectors/understood.html",
            connector_id=begun.connector_id,
            lines=begun.understood,
            text=begun.text,
        )
    return console.back(f"/connectors/{begun.connector_id}/edit", said="begun")


async def post_check(console: Console, visit: Visit) -> Response:
    """What would keep it from being begun, for a script that has the text still; nothing of it is said back."""
    try:
        begun = await _text(console, visit)
        await console.application.edit_connector.read(begun.text)
        await console.application.builder.drafts.check_free(begun.connector_id)
    except (CurlUnreadable, ConnectorInvalid, ValidationFailed) as error:
        return JSONResponse({"errors": [each.as_json() for each in _findings(error)]})
    return JSONResponse({"errors": []})


async def _text(console: Console, visit: Visit) -> Begun:
    way, drafts = visit.form.text("way"), console.application.builder.drafts
    connector_id = visit.form.text("id").strip()
    if way == "yaml":
        text = visit.form.text("text").replace("\r\n", "\n")
        found = _ID_IN_FILE.search(text)
        connector_id = connector_id or (found.group(1) if found else "")
        _check_id(connector_id, "The text names no id; give one as `connector: …`.")
        return Begun(connector_id, text)
    if way == "curl":
        _check_id(connector_id)
        text, reading = await drafts.from_curl(connector_id, visit.form.text("text"))
        return Begun(connector_id, text, (*reading.understood, *reading.left))
    if way == "catalogue":
        name = visit.form.text("name")
        if name not in drafts.ready():
            raise ValidationFailed(errors=[Finding("/name", "unknown", "Choose one of the list.")])
        connector_id = connector_id or name
        _check_id(connector_id)
        return Begun(connector_id, await drafts.renamed(drafts.ready()[name], connector_id))
    _check_id(connector_id)
    return Begun(connector_id, await drafts.blank(connector_id))


def _findings(error: CurlUnreadable | ConnectorInvalid | ValidationFailed) -> tuple[Finding, ...]:
    """As the page says them: what is wrong in a pasted text stands at the text."""
    if isinstance(error, CurlUnreadable):
        return (Finding("/text", "unreadable", str(error), error.line, error.column),)
    if isinstance(error, ConnectorInvalid):
        return tuple(Finding("/text", each.code, each.message, each.line, each.column) for each in error.errors)
    return tuple(error.errors)


def _new(console: Console, visit: Visit, way: str, errors: tuple[Finding, ...] = ()) -> Response:
    ready = {}
    for name, text in console.application.builder.drafts.ready().items():
        title = re.search(r"^title:[ \t]*(.+)$", text, re.MULTILINE)
        ready[name] = title.group(1).strip("\"' ") if title else name
    ways = {"catalogue": "From the catalogue", "curl": "From a curl command", "yaml": "From YAML", "blank": "Blank"}
    return console.page(
        visit,
        "connectors/new.html",
        status=422 if errors else 200,
        way=way if way in ways else "catalogue",
        ways=ways,
        ready=ready,
        errors=errors,
        typed={name: visit.form.text(name) for name in ("id", "name", "text")},
    )


def _check_id(connector_id: str, otherwise: str = "") -> None:
    if not _ID.fullmatch(connector_id):
        message = (
            otherwise if otherwise and not connector_id else "An id has 2 to 63 lower-case letters, digits and hyphens."
        )
        raise ValidationFailed(errors=[Finding("/id", "invalid", message)])


PAGES: Final = (
    Page("GET", "/connectors", show_connectors, Permission.VIEW),
    Page("GET", "/connectors/new", show_new, Permission.WRITE_CONNECTORS),
    Page("POST", "/connectors/new", post_new, Permission.WRITE_CONNECTORS, most_bytes=MOST_BYTES),
    Page("POST", "/connectors/new/check", post_check, Permission.WRITE_CONNECTORS, most_bytes=MOST_BYTES),
)
