"""One step of the builder: its form, and what it would send.

Rule 1: a form carries the revision that its author saw; what somebody else saved meanwhile is shown, never overwritten.
Rule 2: what would not read as a connector is not saved, and stays in the form with what is wrong beside it.
Rule 3: a button that only changes the form, such as one for another row, saves nothing and loses nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final
from urllib.parse import quote

from starlette.responses import JSONResponse, Response

from keyturn.core.access.roles import Permission
from keyturn.core.building.steps import BY_NUMBER
from keyturn.core.errors import ConnectorInvalid, Finding, NotFound, ValidationFailed, VersionConflict
from keyturn.ports.catalogue import ABSENT
from keyturn.ports.store import Draft
from keyturn.web.console.page import Page
from keyturn.web.console.pages.connectors.beside import judging
from keyturn.web.console.pages.connectors.beside.last_trial import typed_outcome
from keyturn.web.console.pages.connectors.beside.panel import make_panel
from keyturn.web.console.pages.connectors.beside.progress import progress
from keyturn.web.console.pages.connectors.beside.task_list import open_step
from keyturn.web.console.pages.connectors.forms.inputs import edit_of, form_texts, value_at
from keyturn.web.console.pages.connectors.forms.repeated import REPEATED
from keyturn.web.console.pages.connectors.forms.shown import step_inputs
from keyturn.web.console.pages.connectors.forms.step_inputs import INPUTS, MODE
from keyturn.web.console.pages.connectors.forms.wording import Words
from keyturn.web.console.pages.connectors.merging import show_merge
from keyturn.web.console.pages.connectors.step_page import Typed, document_of, step_page
from keyturn.web.console.rendering import Console
from keyturn.web.console.visit import Visit

# Where a saved form may lead besides the steps.
_ELSEWHERE: Final = {
    "yaml": "/edit/yaml", "try": "/try", "review": "/review", "versions": "/versions", "overview": "",
}  # fmt: skip
_ID: Final = re.compile(r"[\w.-]{1,120}")  # of a fold


async def show_step(console: Console, visit: Visit) -> Response:
    """A step of the draft."""
    step, draft = _step(visit), await console.application.builder.drafts.draft(visit.path("connector"))
    return await step_page(console, visit, step, draft, None)


async def show_first(console: Console, visit: Visit) -> Response:
    """The first step that needs something."""
    draft = await console.application.builder.drafts.draft(visit.path("connector"))
    tasks = await progress(console, visit, draft, await document_of(console, draft.source))
    following = open_step(tasks)
    said = visit.query("said")
    return console.back(
        f"/connectors/{draft.connector.id}/edit/{1 if following is None else following}",
        said=said if said == "begun" else "",
    )


async def post_step(console: Console, visit: Visit) -> Response:
    """Save a step and go on; or only change its form, as its button says."""
    step, connector_id, do = _step(visit), visit.path("connector"), visit.form.text("do")
    drafts = console.application.builder.drafts
    draft = await drafts.draft(connector_id)
    typed = await _typed(console, visit, step, draft)
    if do.startswith("add."):
        return await step_page(console, visit, step, draft, _with_row(visit, typed, do.removeprefix("add.")))
    try:
        text = await _edited(console, step, draft, visit.form.texts)
        connector = await console.application.edit_connector.read(text)
        if do == "judge" and step == 7:
            url, method = visit.form.text("judged.url").strip(), visit.form.text("judged.method")
            judged = judging.judge(connector, url, method, console.application.builder.suffixes)
            return await step_page(console, visit, step, draft, replace(typed, judged=judged))
        if typed.revision != draft.revision:
            raise VersionConflict
        if text != draft.source:
            await drafts.save(connector_id, text, typed.revision, visit.actor)
    except VersionConflict:
        return await show_merge(console, visit, await drafts.draft(connector_id), text)
    except (ValidationFailed, ConnectorInvalid) as error:
        return await step_page(console, visit, step, draft, replace(typed, errors=tuple(error.errors)), status=422)
    console.application.builder.looked_at.note(connector_id, step)
    said = "saved" if text != draft.source else "same"
    return await _onwards(console, visit, step, said)


async def post_preview(console: Console, visit: Visit) -> Response:
    """What the form would send and say, as it stands; nothing is saved."""
    step, draft = _step(visit), await console.application.builder.drafts.draft(visit.path("connector"))
    words = Words(draft.connector.id, step, await document_of(console, draft.source), visit.form.texts)
    try:
        text = await _edited(console, step, draft, visit.form.texts)
    except (ValidationFailed, ConnectorInvalid) as error:
        errors = [words.error(each).as_json() for each in error.errors]
        return JSONResponse({"requests": [], "yaml": draft.source, "findings": [], "errors": errors})
    panel = await make_panel(console, text, step)
    return JSONResponse(panel.as_json(words) | {"last": await typed_outcome(console, visit, text, step)})


async def _onwards(console: Console, visit: Visit, step: int, said: str) -> Response:
    """Where the author goes once the step is saved: where the button says, else to what needs something."""
    connector_id, do, then = visit.path("connector"), visit.form.text("do"), visit.form.text("then")
    here, at = f"/connectors/{connector_id}", visit.form.text("at")
    if do.startswith("stay"):
        then, at = str(step), do.removeprefix("stay").removeprefix(".")
    if then in _ELSEWHERE:
        return console.back(here + _ELSEWHERE[then], said=said)
    if then in {str(each) for each in INPUTS}:
        led = quote(at) if _ID.fullmatch(at) else ""
        place = console.back(f"{here}/edit/{then}" + (f"?open={led}" if led else ""), said=said)
        if led:
            place.headers["location"] += f"#{led}"
        return place
    if step < len(BY_NUMBER):
        return console.back(f"{here}/edit/{step + 1}", said=said)
    draft = await console.application.builder.drafts.draft(connector_id)
    following = open_step(await progress(console, visit, draft, await document_of(console, draft.source)))
    if following in (None, step):
        return console.back(f"{here}/try", said=said)
    return console.back(f"{here}/edit/{following}?last=1", said=said)


async def _typed(console: Console, visit: Visit, step: int, draft: Draft) -> Typed:
    inputs = step_inputs(step, await document_of(console, draft.source))
    given = visit.form.texts
    texts = {name: value for one in inputs for name, value in form_texts(one, given).items()}
    return Typed(texts, _revision(visit), visit.form.text(MODE))


def _with_row(visit: Visit, typed: Typed, name: str) -> Typed:
    """The same form with a table of one more row than it had."""
    rows = {
        int(found[1]) for each in visit.form.texts if (found := re.match(rf"{re.escape(name)}\.(\d{{1,2}})\.", each))
    }
    return replace(typed, opened=(name,), rows={name: len(rows) + 1})


async def _edited(console: Console, step: int, draft: Draft, form: Mapping[str, str]) -> str:
    """The draft's text as the form would have it."""
    drafts = console.application.builder.drafts
    document = await document_of(console, draft.source)
    edits: dict[str, Any] = {}
    errors: list[Finding] = []
    none_before = value_at(document, "/refresh") == "none"
    if step == 3 and form.get(MODE) == "none":
        return await drafts.edited(draft.source, {} if none_before else {"/refresh": "none"})
    if step == 3 and none_before:
        edits["/refresh"] = {"rotation": "rotating"}
        document = {**document, "refresh": {"rotation": "rotating"}}
    for one in step_inputs(step, document):
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
    Page("GET", "/connectors/{connector}/edit", show_first, _WRITE),
    Page("GET", "/connectors/{connector}/edit/{step}", show_step, _WRITE),
    Page("POST", "/connectors/{connector}/edit/{step}", post_step, _WRITE, most_bytes=256 * 1024),
    Page("POST", "/connectors/{connector}/edit/{step}/preview", post_preview, _WRITE, most_bytes=256 * 1024),
)
