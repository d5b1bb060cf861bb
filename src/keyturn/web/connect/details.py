"""What decides where the password goes, asked before it is.

Rule 1: the values rest in the session, never in a URL; they are no secrets.
Rule 2: without script the page can't hide what an answer on it makes needless, so that is passed over.
"""

from __future__ import annotations

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from keyturn.core.connector import Field, FieldType
from keyturn.core.errors import Finding, SessionUsed, ValidationFailed
from keyturn.core.field_values import check_fields, is_visible
from keyturn.core.secret import Secret
from keyturn.ports.store import ConnectSession
from keyturn.web.connect.browser import Browser
from keyturn.web.connect.connector_view import ConnectorView, host_or_none
from keyturn.web.connect.inputs import inputs_for, messages_of, summary_of, values_of
from keyturn.web.connect.rendering import Pages, asker_of, back_link, wording_of
from keyturn.web.connect.texts.wording import Wording
from keyturn.web.kit.posts import Form, read_form


async def show_details(pages: Pages, request: Request) -> Response:
    """GET /connect/{session}/details."""
    session, browser = await pages.browser(request)
    if session.state != "claimed":
        return _elsewhere(session)
    view = await pages.view(session)
    if not view.deciding_fields:
        return _elsewhere(session)
    return _page(pages, request, session, browser, view)


async def post_details(pages: Pages, request: Request) -> Response:
    """POST /connect/{session}/details: keep the values, show the sign-in."""
    pages.own_place.check(request)
    session, browser = await pages.browser(request)
    view = await pages.view(session)
    form = await read_form(request)
    fields = view.deciding_fields
    if session.state != "claimed" or not fields:
        return _elsewhere(session)
    if browser.nonce_of(form.text("form"), "details") is None:
        return _page(pages, request, session, browser, view, form=form, stale=True)
    values, findings = check_fields(fields, _needed(fields, form))
    if not findings:
        try:
            view.token_host(values)
        except ValidationFailed as error:
            findings = list(error.errors)
    if findings:
        return _page(pages, request, session, browser, view, form=form, findings=findings)
    try:
        await pages.attempts.change(session, {"details": values})
    except SessionUsed:
        return RedirectResponse(f"/connect/{session.id}/done", 303)
    return _elsewhere(session)


def _needed(fields: tuple[Field, ...], form: Form) -> dict[str, str | Secret]:
    """What was typed, but for fields that the answers before them hide."""
    found: dict[str, str | Secret] = {}
    for number, each in enumerate(fields):
        before, _ = check_fields(fields[:number], found)
        if is_visible(each, before):
            found |= values_of([each], form)
    return found


def _elsewhere(session: ConnectSession) -> Response:
    return RedirectResponse(f"/connect/{session.id}/sign-in", 303)


def _page(
    pages: Pages,
    request: Request,
    session: ConnectSession,
    browser: Browser,
    view: ConnectorView,
    *,
    form: Form | None = None,
    findings: list[Finding] | None = None,
    stale: bool = False,
) -> Response:
    wording = wording_of(request)
    fields = view.deciding_fields
    messages = messages_of(findings or [], fields, wording, provider=view.connector.title)
    before = session.facts.get("details", {})
    inputs = inputs_for(fields, form, messages, before=before, notes=_notes(view, wording))
    return pages.render(
        request,
        "details.html",
        status=403 if stale else 422 if messages else 200,
        asker=asker_of(session, wording),
        provider=view.connector.title,
        inputs=inputs,
        summary=summary_of(messages, inputs),
        stale=stale,
        self_hosted=any(each.type is FieldType.HOST for each in fields),
        token=browser.token("details", pages.application.entropy),
        session_id=session.id,
        back=back_link(session, error="cancelled"),
        cancel_token=browser.token("cancel", pages.application.entropy),
    )


def _notes(view: ConnectorView, wording: Wording) -> dict[str, Markup]:
    """For a single choice: which host follows from each."""
    if len(view.deciding_fields) != 1 or view.deciding_fields[0].type is not FieldType.CHOICE:
        return {}
    field = view.deciding_fields[0]
    hosts = {value: host_or_none(view, {field.key: value}) for value in field.choices}
    return {value: wording("details.sent_to", host=host.markup) for value, host in hosts.items() if host}
