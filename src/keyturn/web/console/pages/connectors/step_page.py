"""The page of one step: its form as it is saved or as it was typed, and what stands beside it."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from starlette.responses import Response

from keyturn.core.access.roles import Permission
from keyturn.core.building.changes import Change
from keyturn.core.building.steps import BY_NUMBER
from keyturn.core.connector import ClientAuthentication
from keyturn.core.errors import Finding
from keyturn.core.lint.field_uses import field_uses
from keyturn.ports.store import Draft
from keyturn.web.console.pages.connectors.beside import judging
from keyturn.web.console.pages.connectors.beside.judging import Judged
from keyturn.web.console.pages.connectors.beside.last_trial import last_trial
from keyturn.web.console.pages.connectors.beside.panel import make_panel
from keyturn.web.console.pages.connectors.beside.progress import progress
from keyturn.web.console.pages.connectors.beside.task_list import ABOUT, open_step
from keyturn.web.console.pages.connectors.forms.inputs import Input, offered, texts_of, value_at
from keyturn.web.console.pages.connectors.forms.shown import folds, more_fold, shown, step_inputs
from keyturn.web.console.pages.connectors.forms.step_inputs import MODE_LABEL
from keyturn.web.console.pages.connectors.forms.wording import Words
from keyturn.web.console.pages.connectors.hosts import by_host, host_map
from keyturn.web.console.pages.connectors.merging import pack
from keyturn.web.console.rendering import Console
from keyturn.web.console.visit import Visit


@dataclass(frozen=True, slots=True)
class Typed:
    """A form as its author left it, where that is not what is saved.

    `revision`: of the draft that its author saw; what somebody else has saved since must not pass for seen. `base`:
    the text of that draft, where it came along; what the form changes is held against it.
    `opened`: names of inputs, or ids of folds, that are to be open. `rows`: how many rows a table is to have.
    """

    texts: Mapping[str, str]
    revision: int
    base: str | None = None
    mode: str = ""
    errors: tuple[Finding, ...] = ()
    opened: Collection[str] = ()
    rows: Mapping[str, int] = field(default_factory=dict)
    judged: Judged = judging.NOT_ASKED


@dataclass(frozen=True, slots=True)
class Together:
    """A save that was put onto somebody else's.

    `changed`: by them, in sentences. `go_on`: where the author was going, if not here.
    """

    changed: Sequence[Change] | None
    go_on: str = ""


async def step_page(
    console: Console,
    visit: Visit,
    step: int,
    draft: Draft,
    typed: Typed | None,
    *,
    status: int = 200,
    together: Together | None = None,
) -> Response:
    """Show a step; `typed`: the form as its author left it, None for what is saved."""
    document = await document_of(console, draft.source)
    begun = document if typed is None or typed.base is None else await document_of(console, typed.base)
    inputs = step_inputs(step, begun)
    as_typed = typed or Typed(
        {name: text for one in inputs for name, text in texts_of(one, document).items()},
        draft.revision,
        opened=(visit.query("open"),),
        judged=_asked(console, visit, step, draft),
    )
    words = Words(draft.connector.id, step, begun, as_typed.texts)
    tasks = await progress(console, visit, draft, document)
    panel = await make_panel(console, draft.source, step)
    newest = await console.application.connectors.version(draft.connector.id)
    return console.page(
        visit,
        "connectors/step.html",
        status=status,
        draft=draft,
        revision=as_typed.revision,
        base=pack(draft.source if as_typed.base is None else as_typed.base),
        together=together,
        newest=newest,
        connector=draft.connector,
        step=BY_NUMBER.get(step),
        about=ABOUT,
        number=step,
        tasks=tasks,
        problems_in_all=sum(each.problems for each in tasks),
        first_open=open_step([each for each in tasks if each.problems]),
        unsaved="" if typed is None else "wrong" if typed.errors else "typed",
        was_last=bool(visit.query("last")),
        panel=panel,
        told=[words.finding(each) for each in panel.findings],
        tab=visit.query("tab", "request"),
        aside=console.application.builder.unsaved.of(draft.connector.id, visit.actor),
        last=await last_trial(console, visit, draft.connector, step),
        connect_form=console.connect_form(draft.connector) if step == 1 and console.connect_form else None,
        uses=field_uses(draft.connector) if step == 1 else {},
        steps=BY_NUMBER,
        added=sorted(name.lower() for name in draft.connector.request.headers),
        ways=by_host(host_map(draft.connector)),
        judged=as_typed.judged,
        methods=judging.METHODS,
        may_set_client=visit.may(Permission.OPERATE),
        client_needed=draft.connector.client_authentication is not ClientAuthentication.NONE,
        client_set=step == 2 and await console.application.connectors.client(draft.connector.id) is not None,
        **_form(inputs, begun, as_typed, words),
    )


def _form(inputs: Sequence[Input], begun: Any, typed: Typed, words: Words) -> dict[str, Any]:
    """The step's form: its inputs with what stands in them, and what is wrong with it."""
    errors = [words.error(each) for each in typed.errors]
    members = shown(inputs, typed.texts, errors, typed.rows)
    opened = {*typed.opened, *(name for each in errors for name in each.spoken)}
    return {
        "inputs": [each for each in members if not each.input.group and not each.input.more],
        "more": more_fold(members, opened),
        "folds": list(folds(members, opened)),
        "errors": errors,
        "mode_label": MODE_LABEL,
        "mode": typed.mode or ("none" if value_at(begun, "/refresh") == "none" else "used"),
        "offered": offered,
    }


def _asked(console: Console, visit: Visit, step: int, draft: Draft) -> Judged:
    """What the address of the page asks of step 7."""
    if step != 7 or not visit.query("url"):
        return judging.NOT_ASKED
    suffixes = console.application.builder.suffixes
    return judging.judge(draft.connector, visit.query("url"), visit.query("method", "GET"), suffixes)


async def document_of(console: Console, text: str) -> Any:
    """A text as plain data."""
    return (await asyncio.to_thread(console.application.builder.drafts.catalogue.read, text)).value
