"""One step of the builder: its form, and what it would send.

Rule 1: a form carries the revision that its author saw; what somebody else saved meanwhile is shown, never overwritten.
Rule 2: what would not read as a connector is not saved, and stays in the form with what is wrong beside it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from starlette.responses import JSONResponse, Response

from keyturn.core.access.roles import Permission
from keyturn.core.building.steps import BY_NUMBER
from keyturn.core.connector import ClientAuthentication, Connector
from keyturn.core.errors import ConnectorInvalid, Finding, KeyturnError, NotFound, ValidationFailed, VersionConflict
from keyturn.core.lint import lint
from keyturn.engine.test_connection import allowed_urls_for
from keyturn.ports.catalogue import ABSENT
from keyturn.ports.store import Draft
from keyturn.web.console.page import Page
from keyturn.web.console.pages.connectors.forms.inputs import (
    MOST_ROWS,
    SPARE_ROWS,
    Input,
    Kind,
    edit_of,
    form_texts,
    rows_in,
    texts_of,
    value_at,
)
from keyturn.web.console.pages.connectors.forms.repeated import REPEATED
from keyturn.web.console.pages.connectors.forms.step_inputs import INPUTS
from keyturn.web.console.pages.connectors.merging import show_merge
from keyturn.web.console.pages.connectors.panel import make_panel
from keyturn.web.console.pages.connectors.task_list import problems, task_list
from keyturn.web.console.rendering import Console
from keyturn.web.console.visit import Visit

MODE: Final = "mode"  # of step 3: whether there is a refresh at all


@dataclass(frozen=True, slots=True)
class Shown:
    """An input with what stands in it. `rows`: of a table, spare ones included."""

    input: Input
    value: str
    rows: Sequence[Mapping[str, str]]
    errors: Sequence[Finding]


async def show_step(console: Console, visit: Visit) -> Response:
    """A step of the draft."""
    step, draft = _step(visit), await console.application.builder.drafts.draft(visit.path("connector"))
    document = await _document(console, draft.source)
    return await _page(console, visit, step, draft, _texts(step, document), ())


async def post_step(console: Console, visit: Visit) -> Response:
    """Save a step and go on to the next."""
    step, connector_id = _step(visit), visit.path("connector")
    drafts = console.application.builder.drafts
    draft = await drafts.draft(connector_id)
    revision = _revision(visit)
    try:
        text = await _edited(console, step, draft, visit.form.texts)
        await console.application.edit_connector.read(text)
        if revision != draft.revision:
            raise VersionConflict
        if text != draft.source:
            await drafts.save(connector_id, text, revision, visit.actor)
    except VersionConflict:
        return await show_merge(console, visit, await drafts.draft(connector_id), text)
    except (ValidationFailed, ConnectorInvalid) as error:
        document = await _document(console, draft.source)
        given = visit.form.texts
        typed = {name: value for one in _inputs(step, document) for name, value in form_texts(one, given).items()}
        return await _page(console, visit, step, draft, typed, tuple(error.errors), status=422)
    following = step + 1 if step < len(BY_NUMBER) else step
    return console.back(
        f"/connectors/{connector_id}/edit/{following}", said="saved" if text != draft.source else "same"
    )


async def post_preview(console: Console, visit: Visit) -> Response:
    """What the form would send and say, as it stands; nothing is saved."""
    step, draft = _step(visit), await console.application.builder.drafts.draft(visit.path("connector"))
    try:
        text = await _edited(console, step, draft, visit.form.texts)
    except (ValidationFailed, ConnectorInvalid) as error:
        errors = [{"message": each.message, "line": None, "column": None} for each in error.errors]
        return JSONResponse({"requests": [], "yaml": draft.source, "findings": [], "errors": errors})
    panel = await make_panel(console, text, step)
    return JSONResponse(panel.as_json())


async def _page(
    console: Console,
    visit: Visit,
    step: int,
    draft: Draft,
    texts: Mapping[str, str],
    errors: tuple[Finding, ...],
    *,
    status: int = 200,
) -> Response:
    document = await _document(console, draft.source)
    findings = lint(draft.connector)
    inputs = _inputs(step, document)
    shown = [_shown(each, texts, errors) for each in inputs]
    known = {id(error) for each in shown for error in each.errors}
    panel = await make_panel(console, draft.source, step)
    runs = console.application.builder.trials.of_connector(draft.connector.id, visit.actor)
    with_paths = next((each for each in runs if each.test_answer_paths), None)
    return console.page(
        visit,
        "connectors/step.html",
        status=status,
        draft=draft,
        connector=draft.connector,
        step=BY_NUMBER.get(step),
        number=step,
        tasks=task_list(document, findings),
        about=problems(0, findings),
        inputs=[each for each in shown if not each.input.group],
        groups=_groups(shown),
        errors=errors,
        loose=[each for each in errors if id(each) not in known],
        anchors={each.pointer: one.input.name for one in shown for each in one.errors},
        mode="none" if value_at(document, "/refresh") == "none" else "used",
        panel=panel,
        tab=visit.query("tab", "request"),
        aside=console.application.builder.unsaved.of(draft.connector.id, visit.actor),
        run=with_paths,
        tried_url=visit.query("url"),
        verdict=_verdict(console, draft.connector, visit.query("url")) if step == 7 else "",
        may_set_client=visit.may(Permission.OPERATE),
        client_needed=draft.connector.client_authentication is not ClientAuthentication.NONE,
        client_set=step == 2 and await console.application.connectors.client(draft.connector.id) is not None,
    )


def _groups(shown: Sequence[Shown]) -> dict[str, list[Shown]]:
    """Those under headings of their own, by heading."""
    found: dict[str, list[Shown]] = {}
    for each in shown:
        if each.input.group:
            found.setdefault(each.input.group, []).append(each)
    return found


def _inputs(step: int, document: Any) -> tuple[Input, ...]:
    """The inputs of a step, and of each part that may come several times; several revoke requests are such parts."""
    several = step == 4 and isinstance(value_at(document, "/revoke"), list)
    own = () if several else INPUTS[step]
    return (*own, *(one for each in REPEATED if each.step == step for one in each.shown(document)))


def _texts(step: int, document: Any) -> dict[str, str]:
    return {name: text for one in _inputs(step, document) for name, text in texts_of(one, document).items()}


async def _document(console: Console, text: str) -> Any:
    return (await asyncio.to_thread(console.application.builder.drafts.catalogue.read, text)).value


async def _edited(console: Console, step: int, draft: Draft, form: Mapping[str, str]) -> str:
    """The draft's text as the form would have it."""
    drafts = console.application.builder.drafts
    document = await _document(console, draft.source)
    edits: dict[str, Any] = {}
    errors: list[Finding] = []
    none_before = value_at(document, "/refresh") == "none"
    if step == 3 and form.get(MODE) == "none":
        return await drafts.edited(draft.source, {} if none_before else {"/refresh": "none"})
    if step == 3 and none_before:
        edits["/refresh"] = {"rotation": "rotating"}
        document = {**document, "refresh": {"rotation": "rotating"}}
    for one in _inputs(step, document):
        try:
            edits |= edit_of(one, document, form, lambda text: drafts.catalogue.read(text).value)
        except ValidationFailed as error:
            errors += error.errors
    if errors:
        raise ValidationFailed(errors=errors)
    if edits.get("/revoke/url") is ABSENT:
        edits = {"/revoke": ABSENT}
    for each in REPEATED:
        edits = each.folded(document, edits) if each.step == step else edits
    return await drafts.edited(draft.source, edits)


def _shown(one: Input, texts: Mapping[str, str], errors: Sequence[Finding]) -> Shown:
    rows: list[Mapping[str, str]] = []
    if one.kind in (Kind.PAIRS, Kind.FIELDS, Kind.RULES):
        rows = [*rows_in(one, texts)]
        spare = 1 if one.group else SPARE_ROWS
        rows += [{}] * min(spare, max(0, MOST_ROWS - len(rows)))
    if one.kind is Kind.REMOVE:
        return Shown(one, "", rows, ())
    mine = [each for each in errors if each.pointer == one.pointer or each.pointer.startswith(f"{one.pointer}/")]
    return Shown(one, texts.get(one.name, ""), rows, mine)


def _verdict(console: Console, connector: Connector, url: str) -> str:
    """Whether a URL would be allowed, and by which rule, as a sentence; fields stand as their first choice."""
    if not url:
        return ""
    values = {each.key: next(iter(each.choices), each.default or "sample") for each in connector.fields}
    try:
        verdict = allowed_urls_for(connector, values, console.application.builder.suffixes).judge(url, "GET")
    except KeyturnError as error:
        return error.detail or error.code
    if verdict.allowed and verdict.rule is not None:
        return f"Allowed by the rule for {verdict.rule.origin.text}{verdict.rule.prefix}"
    return f"Refused: {verdict.reason.value.replace('_', ' ')}"


def _step(visit: Visit) -> int:
    text = visit.path("step")
    if text not in {str(each) for each in INPUTS}:
        raise NotFound("There is no such step.")
    return int(text)


def _revision(visit: Visit) -> int:
    text = visit.form.text("revision")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 12 else -1


_WRITE: Final = Permission.WRITE_CONNECTORS
PAGES: Final = (
    Page("GET", "/connectors/{connector}/edit/{step}", show_step, _WRITE),
    Page("POST", "/connectors/{connector}/edit/{step}", post_step, _WRITE, most_bytes=256 * 1024),
    Page("POST", "/connectors/{connector}/edit/{step}/preview", post_preview, _WRITE, most_bytes=256 * 1024),
)
