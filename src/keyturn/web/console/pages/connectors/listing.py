"""All connectors, and the ways to begin one."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from starlette.responses import Response

from keyturn.core.access.roles import Permission
from keyturn.core.building.curl_words import CurlUnreadable
from keyturn.core.connection import State
from keyturn.core.errors import ConnectorInvalid, Finding, ValidationFailed
from keyturn.core.lint import LintFinding, Severity, lint
from keyturn.ports.store import ConnectorSummary
from keyturn.web.console.page import Page
from keyturn.web.console.pages.connectors.hosts import hosts
from keyturn.web.console.rendering import Console
from keyturn.web.console.visit import Visit

_ID: Final = re.compile(r"[a-z][a-z0-9-]{1,62}")
_ID_IN_FILE: Final = re.compile(r"^[\"']?connector[\"']?[ \t]*:[ \t]*[\"']?([a-z][a-z0-9-]{1,62})\b", re.MULTILINE)
MOST_BYTES: Final = 1024 * 1024
_ENDED: Final = (State.DISCONNECTED, State.DISCONNECTING)


@dataclass(frozen=True, slots=True)
class Listed:
    """A row. `worst`: the gravest finding's severity; `by_state`: how many connections are in each."""

    summary: ConnectorSummary
    hosts: tuple[str, ...]
    draft_differs: bool
    findings: tuple[LintFinding, ...]
    by_state: dict[str, int] = field(default_factory=dict)

    @property
    def problems(self) -> int:
        """Errors and warnings."""
        return sum(each.severity is not Severity.INFO for each in self.findings)

    @property
    def errors(self) -> int:
        """Errors alone."""
        return sum(each.is_error for each in self.findings)


async def show_connectors(console: Console, visit: Visit) -> Response:
    """The list; those with errors first."""
    application = console.application
    counts = await application.connections.counts()
    rows = []
    for summary in await application.connectors.list():
        draft = await application.connectors.draft(summary.id)
        version = await application.connectors.version(summary.id)
        connector = draft.connector if draft else version.connector if version else None
        by_state = {state.value: n for (name, state), n in counts.items() if name == summary.id and state not in _ENDED}
        if connector is not None:
            differs = draft is not None and (version is None or draft.source != version.source)
            rows.append(Listed(summary, hosts(connector), differs, lint(connector), by_state))
    rows.sort(key=lambda each: (-each.errors, -each.by_state.get("needs_reconnect", 0), each.summary.id))
    return console.page(visit, "connectors/list.html", rows=rows)


async def show_new(console: Console, visit: Visit) -> Response:
    """The ways to begin."""
    return _new(console, visit, visit.query("from", "catalogue"))


async def post_new(console: Console, visit: Visit) -> Response:
    """Begin one from the catalogue, a text, a curl command or a blank file, and go to its first step."""
    way, drafts = visit.form.text("way"), console.application.builder.drafts
    connector_id = visit.form.text("id").strip()
    understood: tuple[str, ...] = ()
    try:
        if way == "yaml":
            text = visit.form.text("text").replace("\r\n", "\n")
            found = _ID_IN_FILE.search(text)
            connector_id = connector_id or (found.group(1) if found else "")
            _check_id(connector_id, "The text names no id; give one as `connector: …`.")
        elif way == "curl":
            _check_id(connector_id)
            text, reading = await drafts.from_curl(connector_id, visit.form.text("text"))
            understood = (*reading.understood, *reading.left)
        elif way == "catalogue":
            name = visit.form.text("name")
            if name not in drafts.ready():
                raise ValidationFailed(errors=[Finding("/name", "unknown", "Choose one of the list.")])
            connector_id = connector_id or name
            _check_id(connector_id)
            text = await drafts.renamed(drafts.ready()[name], connector_id)
        else:
            _check_id(connector_id)
            text = await drafts.blank(connector_id)
        await drafts.begin(connector_id, text, visit.actor)
    except CurlUnreadable as error:
        words = f"Line {error.line}, column {error.column}: {error}"
        return _new(console, visit, way, (Finding("/text", "unreadable", words, error.line, error.column),))
    except (ConnectorInvalid, ValidationFailed) as error:
        return _new(console, visit, way, tuple(error.errors))
    if understood:
        return console.page(visit, "connectors/understood.html", connector_id=connector_id, lines=understood, text=text)
    return console.back(f"/connectors/{connector_id}", said="begun")


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
)
