"""The page that asks for the password, and what happens with it.

Rule 1: who asks, where the password goes and what is kept stand above the form; set-up errors come instead of it.
Rule 2: values are checked before a login is begun: what is mistyped costs no try.
Rule 3: where a challenge stopped the login, the person is at that; one that failed leads back here, saying why.
Rule 4: a form is good for what its page said: if host or version changed since, nothing is sent and the page says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from keyturn.core.connector import Field, FieldType, PasswordKeep
from keyturn.core.errors import (
    ConnectionExists,
    CredentialsRejected,
    IdentityMismatch,
    KeyturnError,
    ProviderRateLimited,
    SessionUsed,
    ValidationFailed,
)
from keyturn.core.field_values import check_fields, is_visible
from keyturn.core.secret import Secret
from keyturn.engine.login.challenged import Challenged
from keyturn.engine.login.connect_sessions import Finished
from keyturn.engine.login.login_request import LoginRequest
from keyturn.ports.store import ConnectSession
from keyturn.web.connect.attempts import CHALLENGE, OldForm, error_in
from keyturn.web.connect.browser import Browser
from keyturn.web.connect.choose import may_make_another
from keyturn.web.connect.connector_view import ConnectorView, ShownHost, web_address
from keyturn.web.connect.inputs import inputs_for, messages_of, secret_names, summary_of, values_of
from keyturn.web.connect.outcomes import links_of, outcome_of, status_of
from keyturn.web.connect.rendering import Pages, asker_of, back_link, request_id_of, wording_of
from keyturn.web.kit.posts import Form, read_form
from keyturn.web.kit.refusals import STALE_FORM


@dataclass(frozen=True, slots=True)
class _Visit:
    """One request to the page: whose, for which connector, with which host decided."""

    pages: Pages
    request: Request
    session: ConnectSession
    browser: Browser
    view: ConnectorView
    details: Mapping[str, Any] = field(repr=False)
    host: ShownHost
    repaired: str | None = None  # the name of the connection that the link is for

    @property
    def fields(self) -> tuple[Field, ...]:
        """What is asked for beside the password, with the details that were given."""
        return tuple(each for each in self.view.further_fields if is_visible(each, self.details))

    @property
    def shown(self) -> str:
        """What the page says that must hold still when the form comes back."""
        return f"{self.view.version}|{self.host.text}|{self.host.encrypted}"


async def show_sign_in(pages: Pages, request: Request) -> Response:
    """GET /connect/{session}/sign-in."""
    visit = await _visit(pages, request)
    if isinstance(visit, Response):
        return visit
    wait, ended = pages.attempts.wait_s(visit.session), visit.session.facts.get("ended")
    if ended and "ended" in request.query_params:
        return _page(visit, error=error_in(ended))
    return _page(visit, error=ProviderRateLimited(retry_after_s=wait) if wait > 0 else None)


async def post_sign_in(pages: Pages, request: Request) -> Response:
    """POST /connect/{session}/sign-in: log in once, then go on to the end or show the form again."""
    pages.own_place.check(request)
    visit = await _visit(pages, request)
    if isinstance(visit, Response):
        return visit
    form = await read_form(request, secret=secret_names(visit.view.connector.fields))
    nonce = visit.browser.nonce_of(form.text("form"), "sign-in", visit.shown)
    if nonce is None:
        return _page(visit, form=form, stale=True)
    try:
        await _log_in(visit, form, nonce)
    except SessionUsed:
        pass
    except OldForm:
        return _page(visit, form=form, stale=True)
    except KeyturnError as error:
        if isinstance(error, ConnectionExists) and error.extensions.get("connection_id"):
            return RedirectResponse(f"/connect/{visit.session.id}/choose", 303)
        return _page(visit, form=form, error=error)
    return RedirectResponse(f"/connect/{visit.session.id}/done", 303)


async def _visit(pages: Pages, request: Request) -> _Visit | Response:
    """The visit; or where this browser has to go instead."""
    session, browser = await pages.browser(request)
    if session.state == "failed":
        return RedirectResponse(f"/connect/{session.id}/failed", 303)
    if session.state != "claimed":
        return RedirectResponse(f"/connect/{session.id}/done", 303)
    if session.facts.get(CHALLENGE):
        return RedirectResponse(f"/connect/{session.id}/code", 303)
    try:
        await pages.refuse_stopped(session)
        view = await pages.view(session)
        details, findings = check_fields(view.deciding_fields, session.facts.get("details", {}))
        if view.deciding_fields and (findings or "details" not in session.facts):
            return RedirectResponse(f"/connect/{session.id}/details", 303)
        host = view.token_host(details)
    except KeyturnError as error:
        return pages.refused(request, error, session)
    repaired = await pages.application.connections.shown(session.reconnects or "", project=session.project)
    name = repaired.name if repaired is not None and not session.makes_another else None
    return _Visit(pages, request, session, browser, view, details, host, name)


async def _log_in(visit: _Visit, form: Form, nonce: str) -> None:
    connector, session = visit.view.connector, visit.session
    sessions, connect = visit.pages.application.connect_sessions, visit.pages.application.connect
    values = {**visit.details, **values_of(visit.fields, form)}
    username, password = form.text("username"), form.secrets.get("password", Secret(""))
    keep = connector.password.keep is PasswordKeep.OFFER and form.text("keep_password") == "on"
    keep_seed = form.text("keep_totp_seed") == "on"
    asked = LoginRequest(session.connector, session.owner, username, password, values, keep, keep_totp_seed=keep_seed)
    await connect.check(asked)
    visit.pages.count(visit.request, "login", session.owner)

    async def log_in(begun: ConnectSession) -> Finished | Challenged:
        return await sessions.log_in(
            begun,
            username=username,
            password=password,
            fields=values,
            keep_password=keep,
            keep_totp_seed=keep_seed,
            cookie=visit.browser.cookie,
            request_id=request_id_of(visit.request),
            address=visit.pages.address(visit.request),
            client_address=visit.pages.client_address(visit.request),
        )

    await visit.pages.attempts.run(session, nonce, log_in)


def _page(
    visit: _Visit, *, form: Form | None = None, error: KeyturnError | None = None, stale: bool = False
) -> Response:
    if error is not None:
        visit.pages.note(visit.request, error)
    elif stale:
        visit.pages.note_form(visit.request, STALE_FORM)
    wording = wording_of(visit.request)
    connector, entropy = visit.view.connector, visit.pages.application.entropy
    fields, provider = visit.fields, connector.title
    findings = error.errors if isinstance(error, ValidationFailed) else ()
    labelled = {"/username": connector.username.label, "/password": connector.password.label}
    messages = messages_of(findings, connector.fields, wording, labelled, provider=provider)
    seed = next((each for each in fields if each.type is FieldType.TOTP_SEED), None)
    if seed is not None and "/keep_totp_seed" in messages:
        messages["/keep_totp_seed"] = wording.plain("form.keep_seed_missing", label=seed.label)
    # At the input as well; it does not say which of the two was wrong.
    if isinstance(error, CredentialsRejected) and not error.extensions.get("retry"):
        messages["/password"] = wording.plain("provider_credentials_rejected.title", provider=provider)
    inputs = inputs_for(fields, form, messages)
    failed = _failure(visit, error, messages, summary_of(messages, inputs), form) if error else None
    return visit.pages.render(
        visit.request,
        "sign_in.html",
        status=status_of(error) if error else 403 if stale else 200,
        wait_s=error.retry_after_s if error else None,
        asker=asker_of(visit.session, wording),
        session_id=visit.session.id,
        tells="failed" if failed and not failed.form and not failed.again else "ready",
        repairs=visit.session.reconnects is not None and not visit.session.makes_another,
        provider=provider,
        connector=connector,
        host=visit.host,
        api_hosts=visit.view.api_hosts(visit.details),
        kept_labels=visit.view.kept_labels,
        alternative=connector.trust.alternative if connector.trust else None,
        safer=web_address(connector.trust.alternative) if connector.trust else None,
        details=bool(visit.view.deciding_fields),
        inputs=inputs,
        messages=messages,
        username=form.text("username") if form else "",
        username_mode="email" if connector.username.type is FieldType.EMAIL else None,
        keep_password=bool(form and form.text("keep_password") == "on"),
        seed=seed,
        keep_totp_seed=bool(form and form.text("keep_totp_seed") == "on"),
        another_token=_another(visit, error),
        repaired=visit.repaired,
        failed=failed,
        stale=stale,
        token=visit.browser.token("sign-in", entropy, visit.shown),
        cancel_token=visit.browser.token("cancel", entropy),
        back=back_link(visit.session, error="cancelled"),
    )


def _another(visit: _Visit, error: KeyturnError | None) -> str | None:
    """The token of the form that makes a new connection; None where that makes no sense, or may not be."""
    if not isinstance(error, IdentityMismatch) or not may_make_another(visit.session):
        return None
    return visit.browser.token("another", visit.pages.application.entropy)


@dataclass(frozen=True, slots=True)
class _Failure:
    """What the summary says. `lines`: anchor and message of each wrong input."""

    texts: list[Any]
    lines: list[tuple[str, str]]
    links: list[tuple[str, str]]
    form: bool
    again: bool
    support: list[str] | None


def _failure(
    visit: _Visit, error: KeyturnError, messages: Mapping[str, str], lines: list[tuple[str, str]], form: Form | None
) -> _Failure:
    say, connector = wording_of(visit.request), visit.view.connector
    outcome = outcome_of(error, connector)
    values = {
        "provider": connector.title,
        "host": visit.host.markup,
        "api_host": visit.view.test_host(visit.details),
        **asker_of(visit.session, say),
    }
    at_input = "/password" in messages and isinstance(error, CredentialsRejected)
    texts: list[Any] = [] if at_input else [say(f"{outcome.text}.title", **values)]
    if isinstance(error, IdentityMismatch) and form is not None and form.text("username").strip():
        # What this person typed, in the answer to it; what the provider called the account is told to nobody.
        texts.append(say("mismatch.signed_in", username=form.text("username").strip()))
    if isinstance(error, IdentityMismatch) and visit.repaired:
        texts.append(say("mismatch.for", account=visit.repaired))
    if say.has(f"{outcome.text}.next"):
        texts.append(say(f"{outcome.text}.next", **values))
    if help_text := error.extensions.get("help"):
        texts.append(str(help_text))
    if outcome.setup and connector.notes.setup:
        texts.append(say("setup_note", note=connector.notes.setup, **values))
    if error.retry_after_s is not None:
        texts.append(say("wait", duration=say.duration(error.retry_after_s)))
    left = error.extensions.get("tries_left")
    if isinstance(left, int) and left > 0 and (error.extensions.get("failures", 0) > 1 or left == 1):
        texts.append(say.count("tries", left))
    if left == 0:
        texts.append(say("tries.none"))
    return _Failure(
        texts,
        lines,
        links_of(outcome, connector),
        outcome.form and left != 0,
        outcome.again,
        visit.pages.support(visit.request, error.code) if outcome.support else None,
    )
