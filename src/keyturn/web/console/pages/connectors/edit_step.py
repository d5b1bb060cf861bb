"""One step of the builder: its form, and what it would send.

Rule 1: a form carries the draft that its author saw, and what it changes is held against that; what somebody else saved
meanwhile is never overwritten: the changes are put onto theirs, and asked where both changed the same.
Rule 2: what would not read as a connector is not saved, and stays in the form with what is wrong beside it.
Rule 3: a button that only changes the form, such as one for another row, saves nothing and loses nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import quote

from starlette.responses import JSONResponse, Response

from keyturn.core.access.roles import Permission
from keyturn.core.building.steps import BY_NUMBER
from keyturn.core.errors import BadRequest, ConnectorInvalid, Finding, NotFound, ValidationFailed, VersionConflict
from keyturn.engine.builder.put_together import Choices
from keyturn.ports.catalogue import ABSENT
from keyturn.web.console.page import Page
from keyturn.web.console.pages.connectors.beside import judging
from keyturn.web.console.pages.connectors.beside.last_trial import typed_outcome
from keyturn.web.console.pages.connectors.beside.panel import make_panel
from keyturn.web.console.pages.connectors.beside.progress import progress
from keyturn.web.console.pages.connectors.beside.task_list import missing_step, open_step
from keyturn.web.console.pages.connectors.forms.inputs import edit_of, form_texts, value_at
from keyturn.web.console.pages.connectors.forms.repeated import REPEATED
from keyturn.web.console.pages.connectors.forms.shown import step_inputs
from keyturn.web.console.pages.connectors.forms.step_inputs import INPUTS, MODE
from keyturn.web.console.pages.connectors.forms.wording import Words
from keyturn.web.console.pages.connectors.merging import (
    Attempt,
    changed_meanwhile,
    choices_in,
    show_choices,
    show_merge,
    unpack,
)
from keyturn.web.console.pages.connectors.step_page import Together, Typed, document_of, step_page
from keyturn.web.console.rendering import Console
from keyturn.web.console.visit import Visit

# Where a saved form may lead besides the steps.
_ELSEWHERE: Final = {
    "yaml": "/edit/yaml", "try": "/try", "review": "/review", "versions": "/versions", "overview": "",
}  # fmt: skip
_ID: Final = re.compile(r"[\w.-]{1,120}")  # of a fold
TRIES: Final = 3  # to save onto a draft that others go on saving
_NOTHING: Final[Choices] = MappingProxyType({})


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
    draft, base = await drafts.draft(connector_id), unpack(visit.form.text("base"))
    began = draft.source if base is None else base
    typed = await _typed(console, visit, step, began, base)
    if do.startswith("add."):
        return await step_page(console, visit, step, draft, _with_row(visit, typed, do.removeprefix("add.")))
    try:
        text = await _edited(console, step, began, visit.form.texts)
        connector = await console.application.edit_connector.read(text)
        if do == "judge" and step == 7:
            url, method = visit.form.text("judged.url").strip(), visit.form.text("judged.method")
            judged = judging.judge(connector, url, method, console.application.builder.suffixes)
            return await step_page(console, visit, step, draft, replace(typed, judged=judged))
        if began != draft.source or (base is None and typed.revision != draft.revision):
            raise VersionConflict
        if text != draft.source:
            await drafts.save(connector_id, text, draft.revision, visit.actor)
    except VersionConflict:
        if base is None:
            return await show_merge(console, visit, await drafts.draft(connector_id), text)
        return await _put_on(console, visit, step, Attempt(base, text))
    except (ValidationFailed, ConnectorInvalid) as error:
        return await step_page(console, visit, step, draft, replace(typed, errors=tuple(error.errors)), status=422)
    console.application.builder.looked_at.note(connector_id, step)
    said = "saved" if text != draft.source else "same"
    return await _onwards(console, visit, step, said)


async def post_together(console: Console, visit: Visit) -> Response:
    """Save what was asked of values that two authors have changed."""
    step, base, mine = _step(visit), unpack(visit.form.text("base")), unpack(visit.form.text("mine"))
    if base is None or mine is None:
        raise BadRequest
    return await _put_on(console, visit, step, Attempt(base, mine), choices_in(visit.form.texts), asked=True)


async def _put_on(
    console: Console, visit: Visit, step: int, attempt: Attempt, chosen: Choices = _NOTHING, *, asked: bool = False
) -> Response:
    """Put what a form changed onto what somebody else has saved, and save that; or ask where both changed the same."""
    drafts, connector_id = console.application.builder.drafts, visit.path("connector")
    for _ in range(TRIES):
        theirs, text = await drafts.draft(connector_id), attempt.mine
        same = not asked or _revision(visit) == theirs.revision  # else what was chosen was of other values
        try:
            text, found = await drafts.put_together(attempt.base, text, theirs.source, chosen if same else _NOTHING)
            if found.conflicts:
                _, every = await drafts.put_together(attempt.base, attempt.mine, theirs.source, _NOTHING)
                return await show_choices(
                    console, visit, step, theirs, attempt, every.conflicts, chosen if same else _NOTHING,
                    asked=asked and same,
                )  # fmt: skip
            if text == theirs.source:
                return await _onwards(console, visit, step, "same")
            saved = await drafts.save(connector_id, text, theirs.revision, visit.actor)
        except VersionConflict:
            continue
        except ConnectorInvalid as error:
            return await show_merge(console, visit, theirs, text, error.errors)
        console.application.builder.looked_at.note(connector_id, step)
        if asked:  # what they changed has been seen
            return await _onwards(console, visit, step, "saved")
        place = (await _onwards(console, visit, step, "")).headers["location"]
        here = place.partition("?")[0].partition("#")[0] == f"/connectors/{connector_id}/edit/{step}"
        together = Together(await changed_meanwhile(console, attempt.base, theirs), "" if here else place)
        return await step_page(console, visit, step, saved.draft, None, together=together)
    return await show_merge(console, visit, theirs, attempt.mine)


async def post_preview(console: Console, visit: Visit) -> Response:
    """What the form would send and say, as it stands; nothing is saved."""
    step, draft = _step(visit), await console.application.builder.drafts.draft(visit.path("connector"))
    base = unpack(visit.form.text("base"))
    began = draft.source if base is None else base
    words = Words(draft.connector.id, step, await document_of(console, began), visit.form.texts)
    try:
        text = await _edited(console, step, began, visit.form.texts)
    except (ValidationFailed, ConnectorInvalid) as error:
        errors = [words.error(each).as_json() for each in error.errors]
        return JSONResponse({"requests": [], "yaml": began, "findings": [], "errors": errors})
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
    following = missing_step(await progress(console, visit, draft, await document_of(console, draft.source)))
    if following in (None, step):
        return console.back(f"{here}/try", said=said)
    return console.back(f"{here}/edit/{following}?last=1", said=said)


async def _typed(console: Console, visit: Visit, step: int, began: str, base: str | None) -> Typed:
    inputs = step_inputs(step, await document_of(console, began))
    given = visit.form.texts
    texts = {name: value for one in inputs for name, value in form_texts(one, given).items()}
    return Typed(texts, _revision(visit), base, visit.form.text(MODE))


def _with_row(visit: Visit, typed: Typed, name: str) -> Typed:
    """The same form with a table of one more row than it had."""
    rows = {
        int(found[1]) for each in visit.form.texts if (found := re.match(rf"{re.escape(name)}\.(\d{{1,2}})\.", each))
    }
    return replace(typed, opened=(name,), rows={name: len(rows) + 1})


async def _edited(console: Console, step: int, began: str, form: Mapping[str, str]) -> str:
    """The text that a form was loaded from, as the form would have it."""
    drafts = console.application.builder.drafts
    document = await document_of(console, began)
    edits: dict[str, Any] = {}
    errors: list[Finding] = []
    none_before = value_at(document, "/refresh") == "none"
    if step == 3 and form.get(MODE) == "none":
        return await drafts.edited(began, {} if none_before else {"/refresh": "none"})
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
    return await drafts.edited(began, edits)


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
    Page("POST", "/connectors/{connector}/edit/{step}/together", post_together, _WRITE, most_bytes=256 * 1024),
    Page("POST", "/connectors/{connector}/edit/{step}/preview", post_preview, _WRITE, most_bytes=256 * 1024),
)
