"""Try it: one login for real, step by step, with what is typed there and then.

Rule 1: password, fields that hide what is typed and codes are secrets from the moment the form is read.
Rule 2: the page works without a script by looking again; with one, rows come as they are made.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any, Final

from starlette.responses import Response, StreamingResponse

from keyturn.core.access.roles import Permission
from keyturn.core.building.fixtures import SUFFIX
from keyturn.core.building.steps import BY_NUMBER
from keyturn.core.connector import ClientAuthentication, Connector, Field, FieldType
from keyturn.core.errors import (
    BadRequest,
    ConnectorClientMissing,
    Finding,
    LoginsStopped,
    TrialNotHeld,
    ValidationFailed,
)
from keyturn.core.format.writing import digest
from keyturn.core.secret import Secret
from keyturn.engine.builder.trial_trace import Phase, Row, TrialRun
from keyturn.engine.builder.typed import Typed, hosts_of
from keyturn.web.console.page import Page
from keyturn.web.console.rendering import Console
from keyturn.web.console.spans import span_words
from keyturn.web.console.visit import Visit

WATCHED_S: Final = 20.0
LONGEST_STREAM: Final = 60  # turns of so many seconds


class _AllInputs(tuple[str, ...]):
    """Every name: which fields are secret is the connector's to say, so all of them are read as such."""

    __slots__ = ()

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.startswith(("field.", "answer.", "username", "password"))


async def show_try(console: Console, visit: Visit) -> Response:
    """The form, with who gets what, and the runs of the last day."""
    return await _form(console, visit)


async def post_try(console: Console, visit: Visit) -> Response:
    """Begin a run."""
    draft = await console.application.builder.drafts.draft(visit.path("connector"))
    typed = Typed(
        visit.form.secrets.get("username", Secret("")).reveal(),
        visit.form.secrets.get("password", Secret("")),
        _typed(draft.connector.fields, visit, "field."),
    )
    try:
        run = await console.application.builder.trials.begin(draft.connector, typed, visit.actor, hold=True)
    except ValidationFailed as error:
        return await _form(console, visit, tuple(error.errors))
    except LoginsStopped:
        message = "An operator has stopped the logins of this connector; nothing was sent."
        return await _form(console, visit, (Finding("/connector", "logins_stopped", message),))
    except ConnectorClientMissing:
        message = "The application's id and secret are not set; nothing was sent."
        return await _form(console, visit, (Finding("/client", "missing", message),))
    return console.back(f"/connectors/{draft.connector.id}/try/{run.id}")


async def show_run(console: Console, visit: Visit) -> Response:
    """A run as far as it is."""
    return await _run(console, visit, _look(console, visit))


async def post_answer(console: Console, visit: Visit) -> Response:
    """Answer what a run asks."""
    run = _look(console, visit)
    try:
        console.application.builder.trials.answer(run.id, _typed(run.ask, visit, "answer."), visit.actor)
    except ValidationFailed as error:
        return await _run(console, visit, run, tuple(error.errors))
    return console.back(_path(run))


async def post_resend(console: Console, visit: Visit) -> Response:
    """Have the provider asked for another code."""
    run = _look(console, visit)
    try:
        console.application.builder.trials.resend(run.id, visit.actor)
    except ValidationFailed as error:
        return await _run(console, visit, run, tuple(error.errors))
    return console.back(_path(run))


async def post_go_on(console: Console, visit: Visit) -> Response:
    """Go on from the step that failed, with the draft as it is now."""
    run = _look(console, visit)
    draft = await console.application.builder.drafts.draft(run.connector)
    try:
        await console.application.builder.trials.go_on(run.id, draft.connector, visit.actor)
    except TrialNotHeld:
        return console.back(_path(run), said="over")
    except ValidationFailed as error:
        return await _run(console, visit, run, tuple(error.errors))
    return console.back(_path(run))


async def post_end(console: Console, visit: Visit) -> Response:
    """Have the tokens revoked now."""
    run = _look(console, visit)
    with suppress(TrialNotHeld):
        console.application.builder.trials.end(run.id, visit.actor)
    return console.back(_path(run))


async def get_fixture(console: Console, visit: Visit) -> Response:
    """The recording of a run, as a file."""
    run = _look(console, visit)
    text = json.dumps(console.application.builder.trials.fixture(run.id, visit.actor), indent=2, ensure_ascii=False)
    headers = {"content-disposition": f'attachment; filename="{run.connector}{SUFFIX}"'}
    return Response(f"{text}\n", media_type="application/json", headers=headers)


async def post_apply(console: Console, visit: Visit) -> Response:
    """Make the edit that a row suggests, and save it."""
    run, drafts = _look(console, visit), console.application.builder.drafts
    text = visit.form.text("row")
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 5 else len(run.rows)
    row = run.rows[number] if number < len(run.rows) else None
    if row is None or row.suggestion is None:
        raise BadRequest
    filled = visit.form.text("blank").strip()
    if row.suggestion.blank is not None and not filled:
        message = f"Type “{row.suggestion.blank.label}”, then add it."
        return await _run(console, visit, run, (Finding(f"/rows/{text}", "required", message),))
    draft = await drafts.draft(run.connector)
    edited = await drafts.edited(draft.source, {row.suggestion.pointer: row.suggestion.filled(filled)})
    await drafts.save(run.connector, edited, draft.revision, visit.actor)
    place = _path(run) if run.phase is Phase.HELD else f"/connectors/{run.connector}/try"
    return console.back(place, said="applied")


async def stream_run(console: Console, visit: Visit) -> Response:
    """Server-sent events: each row as it is made, then that the run asks something or has ended."""
    run = _look(console, visit)
    after = visit.request.headers.get("last-event-id", visit.query("after", "0"))
    begin = int(after) if after.isascii() and after.isdigit() and len(after) < 6 else 0
    headers = {"x-accel-buffering": "no"}
    return StreamingResponse(_events(console, run, begin), media_type="text/event-stream", headers=headers)


async def _events(console: Console, run: TrialRun, begin: int) -> AsyncIterator[str]:
    sent = begin
    for _ in range(LONGEST_STREAM):
        version = run.version
        while sent < len(run.rows):
            yield f"id: {sent + 1}\nevent: row\ndata: {json.dumps(_row(run.rows[sent]))}\n\n"
            sent += 1
        if run.phase is not Phase.RUNNING:
            yield f"event: {run.phase.value}\ndata: {{}}\n\n"
            return
        await console.application.builder.trials.changed(run, version, WATCHED_S)
        if run.version == version:
            yield ": still running\n\n"


def _row(row: Row) -> dict[str, Any]:
    return {
        "mark": row.mark.value,
        "step": row.step,
        "title": row.title,
        "text": row.text,
        "place": f"{row.method} {row.url}".strip(),
        "status": row.status,
        "ms": row.ms,
        "request": row.request,
        "answer": row.answer,
        "found": [list(each) for each in row.found],
        "diagnosis": row.diagnosis,
    }


async def _form(console: Console, visit: Visit, errors: tuple[Finding, ...] = ()) -> Response:
    application = console.application
    draft = await application.builder.drafts.draft(visit.path("connector"))
    connector = draft.connector
    runs = application.builder.trials.of_connector(connector.id, visit.actor)
    proves = connector.client_authentication is not ClientAuthentication.NONE
    return console.page(
        visit,
        "connectors/try.html",
        status=422 if errors else 200,
        connector=connector,
        draft=draft,
        hosts=hosts_of(connector, {}),
        runs=runs,
        waiting=next((each for each in runs if each.phase is Phase.HELD), None),
        client_missing=proves and await application.connectors.client(connector.id) is None,
        errors=errors,
        anchors=_anchors(connector) | {"/client": "client"},
        minutes=span_words(connector.limits.per_s),
    )


async def _run(console: Console, visit: Visit, run: TrialRun, errors: tuple[Finding, ...] = ()) -> Response:
    draft = await console.application.builder.drafts.draft(run.connector)
    return console.page(
        visit,
        "connectors/run.html",
        status=422 if errors else 200,
        connector=draft.connector,
        run=run,
        path=_path(run),
        running=run.phase is Phase.RUNNING,
        asking=run.phase is Phase.ASKING,
        held=run.phase is Phase.HELD,
        changed=run.digest != digest(draft.connector),
        steps=BY_NUMBER,
        errors=errors,
        anchors={f"/answers/{each.key}": f"answer.{each.key}" for each in run.ask}
        | {f"/rows/{n}": f"blank.{n}" for n in range(len(run.rows))},
    )


def _typed(asked: tuple[Field, ...], visit: Visit, prefix: str) -> dict[str, Any]:
    """What was typed, hidden kinds as they came; what was left empty is not there."""
    found: dict[str, Any] = {}
    for each in asked:
        secret = visit.form.secrets.get(f"{prefix}{each.key}")
        if not secret and each.type is not FieldType.BOOLEAN:
            continue
        if each.type is FieldType.BOOLEAN:
            found[each.key] = bool(secret)
        else:
            found[each.key] = secret.reveal() if secret else ""
    return found


def _anchors(connector: Connector) -> dict[str, str]:
    return {"/username": "username", "/password": "password"} | {
        f"/fields/{each.key}": f"field.{each.key}" for each in connector.fields
    }


def _look(console: Console, visit: Visit) -> TrialRun:
    return console.application.builder.trials.look(visit.path("run"), visit.actor)


def _path(run: TrialRun) -> str:
    return f"/connectors/{run.connector}/try/{run.id}"


_WRITE: Final = Permission.WRITE_CONNECTORS
_ONE: Final = "/connectors/{connector}/try/{run}"
PAGES: Final = (
    Page("GET", "/connectors/{connector}/try", show_try, _WRITE),
    Page("POST", "/connectors/{connector}/try", post_try, _WRITE, secret=_AllInputs()),
    Page("GET", _ONE, show_run, _WRITE),
    Page("POST", _ONE, post_answer, _WRITE, secret=_AllInputs()),
    Page("POST", f"{_ONE}/resend", post_resend, _WRITE),
    Page("POST", f"{_ONE}/continue", post_go_on, _WRITE),
    Page("POST", f"{_ONE}/end", post_end, _WRITE),
    Page("POST", f"{_ONE}/apply", post_apply, _WRITE),
    Page("GET", f"{_ONE}/fixture", get_fixture, _WRITE),
    Page("GET", f"{_ONE}/events", stream_run, _WRITE),
)
