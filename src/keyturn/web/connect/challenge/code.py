"""The page of a challenge: a code to type, something to choose, or a confirmation on another device.

Rule 1: an answer goes to the engine and nowhere else; what is no secret and has to wait for a further question rests in
the session. No code and no password is in a page, an address or a cookie.
Rule 2: a form is good for the challenge that it was shown for. One that was answered meanwhile leads to where that led.
Rule 3: what is being checked or approved is looked after by the server; the page only looks, with or without script.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from keyturn.core.connector import Field, FieldType
from keyturn.core.errors import (
    ChallengeExpired,
    ChallengeUsed,
    Finding,
    KeyturnError,
    NotFound,
    OtpInvalid,
    SessionUsed,
    ValidationFailed,
)
from keyturn.core.field_values import check_fields
from keyturn.engine.login.challenged import Challenged
from keyturn.ports.challenges import ChallengeState
from keyturn.ports.store import ConnectSession
from keyturn.web.connect.attempts import CHALLENGE
from keyturn.web.connect.browser import Browser
from keyturn.web.connect.challenge.following import back_to_sign_in, followed, go_on
from keyturn.web.connect.challenge.questions import Part, part_to_ask, parts_of
from keyturn.web.connect.connector_view import ConnectorView
from keyturn.web.connect.inputs import inputs_for, messages_of, secret_names, summary_of, values_of
from keyturn.web.connect.rendering import Pages, asker_of, back_link, request_id_of, wording_of
from keyturn.web.connect.texts.wording import Wording
from keyturn.web.kit.posts import Form, read_form

RESEND_EVERY_S: Final = 30.0
LOOK_AGAIN_S: Final = 5
_SAID: Final[Mapping[str, str]] = {
    "sent": "code.resent", "soon": "code.too_soon", "failed": "code.resend_failed", "stale": "code.form"
}  # fmt: skip
_ANSWERS: Final = "/answers/"


@dataclass(frozen=True, slots=True)
class _Visit:
    """One request to the page: whose, and which challenge it is about."""

    pages: Pages
    request: Request
    session: ConnectSession
    browser: Browser
    view: ConnectorView
    challenged: Challenged

    @property
    def given(self) -> dict[str, Any]:
        """What was answered on earlier pages of this challenge."""
        return dict(self.session.facts.get("answers") or {})

    def elsewhere(self, page: str) -> Response:
        """Lead the browser to another page of the session."""
        return RedirectResponse(f"/connect/{self.session.id}/{page}", 303)


async def show_code(pages: Pages, request: Request) -> Response:
    """GET /connect/{session}/code."""
    visit = await _visit(pages, request)
    if isinstance(visit, Response):
        return visit
    if visit.challenged.state is ChallengeState.PENDING:
        return _waiting_page(visit)
    if "change" in request.query_params:
        return _page(visit, parts_of(visit.challenged.ask)[0])
    return _page(visit, part_to_ask(visit.challenged.ask, visit.given))


async def post_code(pages: Pages, request: Request) -> Response:
    """POST /connect/{session}/code: take an answer; with the last one, send them all."""
    pages.own_place.check(request)
    visit = await _visit(pages, request)
    if isinstance(visit, Response):
        return visit
    if visit.challenged.state is ChallengeState.PENDING:
        return visit.elsewhere("code")
    ask = visit.challenged.ask
    form = await read_form(request, secret=secret_names(ask))
    if not _is_good(visit, form, "code"):
        answered = _is_good(visit, form, "code", visit.session.facts.get("challenge_before"))
        return visit.elsewhere("code" if answered else "code?said=stale")
    part = _part_in(ask, form, visit.given)
    typed = values_of(part.fields, form)
    values, findings = check_fields(part.fields, typed)
    if findings:
        return _page(visit, part, form=form, findings=findings)
    given = {**visit.given, **{each.key: values.get(each.key, "") for each in part.fields}}
    if not part.last and any(field.key not in given for one in parts_of(ask) for field in one.fields):
        await pages.attempts.change(visit.session, {"answers": given})
        return visit.elsewhere("code")
    return await _send(visit, part, form, given)


async def post_resend(pages: Pages, request: Request) -> Response:
    """POST /connect/{session}/resend: ask the provider for another code."""
    pages.own_place.check(request)
    visit = await _visit(pages, request)
    if isinstance(visit, Response):
        return visit
    form = await read_form(request)
    now = pages.application.clock.now()
    if visit.challenged.state is ChallengeState.PENDING or not _is_good(visit, form, "resend"):
        return visit.elsewhere("code?said=stale")
    if now < visit.session.facts.get("resent_at", 0.0) + RESEND_EVERY_S:
        return visit.elsewhere("code?said=soon")
    try:
        found = await pages.application.connect_sessions.resend(
            visit.session,
            visit.challenged.id,
            request_id=request_id_of(request),
            client_address=pages.client_address(request),
        )
    except (ChallengeUsed, ChallengeExpired, NotFound):
        return visit.elsewhere("code")
    except KeyturnError:
        return visit.elsewhere("code?said=failed")
    await pages.attempts.change(visit.session, {CHALLENGE: found.id, "resent_at": now})
    return visit.elsewhere("code?said=sent")


async def post_again(pages: Pages, request: Request) -> Response:
    """POST /connect/{session}/again: leave the challenge, and go to the sign-in."""
    pages.own_place.check(request)
    session, browser = await pages.browser(request)
    form = await read_form(request, secret=("password",))
    if session.state == "claimed" and browser.nonce_of(form.text("form"), "again") is None:
        return pages.notice(request, "foreign_form", 403, session=session)
    try:
        current = await pages.attempts.settled(session)
        left = [*current.facts.get("left", ()), *filter(None, [current.facts.get(CHALLENGE)])]
        facts: dict[str, Any] = {CHALLENGE: None, "answers": {}, "ended": None, "exists": None, "left": left}
        await pages.attempts.change(current, facts)
    except SessionUsed:
        return RedirectResponse(f"/connect/{session.id}/done", 303)
    return RedirectResponse(f"/connect/{session.id}/sign-in", 303)


async def show_state(pages: Pages, request: Request) -> Response:
    """GET /connect/{session}/state: whether the page still has to wait, for its script."""
    session, browser = await pages.browser(request)
    found = await followed(pages, request, session, browser, wait_s=0)
    waits = not isinstance(found, Response) and found[1].state is ChallengeState.PENDING
    return JSONResponse({"waits": waits})


async def _visit(pages: Pages, request: Request) -> _Visit | Response:
    session, browser = await pages.browser(request)
    found = await followed(pages, request, session, browser)
    if isinstance(found, Response):
        return found
    current, challenged = found
    try:
        view = await pages.view(current)
    except KeyturnError as error:
        return pages.refused(request, error, current)
    return _Visit(pages, request, current, browser, view, challenged)


def _is_good(visit: _Visit, form: Form, purpose: str, challenge_id: str | None = None) -> bool:
    shown = challenge_id or visit.challenged.id
    return visit.browser.nonce_of(form.text("form"), purpose, shown) is not None


def _part_in(ask: tuple[Field, ...], form: Form, given: Mapping[str, Any]) -> Part:
    """The page that a form is of, by the questions that it holds; one that holds none is of the page to be shown."""
    for part in parts_of(ask):
        names = secret_names(part.fields) | {f"field.{each.key}" for each in part.fields}
        if names & (form.texts.keys() | form.secrets.keys()):
            return part
    return part_to_ask(ask, given)


async def _send(visit: _Visit, part: Part, form: Form, given: Mapping[str, Any]) -> Response:
    pages, session = visit.pages, visit.session
    answers = {key: value for key, value in given.items() if value != ""}
    try:
        led_to = await pages.application.connect_sessions.answer(
            session,
            visit.challenged.id,
            answers,
            cookie=visit.browser.cookie,
            request_id=request_id_of(visit.request),
            client_address=pages.client_address(visit.request),
        )
    except ValidationFailed as error:
        return _page(visit, part, form=form, findings=[_at_field(each) for each in error.errors])
    except (ChallengeUsed, SessionUsed):
        return visit.elsewhere("code")
    except KeyturnError as error:
        return await back_to_sign_in(pages, session, error)
    if isinstance(led_to, Challenged):
        await go_on(pages, session, led_to.id)
        return visit.elsewhere("code")
    return visit.elsewhere("done")


def _at_field(found: Finding) -> Finding:
    """The pointer that the inputs of a page go by."""
    return replace(found, pointer="/fields/" + found.pointer.removeprefix(_ANSWERS))


def _page(visit: _Visit, part: Part, *, form: Form | None = None, findings: list[Finding] | None = None) -> Response:
    say, provider, challenged = wording_of(visit.request), visit.view.connector.title, visit.challenged
    messages = messages_of(findings or [], part.fields, say, provider=provider)
    said = _SAID.get(visit.request.query_params.get("said", ""))
    wrong = challenged.error == OtpInvalid.code and not findings and said is None
    if wrong:
        messages = {f"/fields/{each.key}": say.plain("code.wrong", provider=provider) for each in part.fields[-1:]}
    inputs = inputs_for(part.fields, form, messages, before=visit.given)
    entropy = visit.pages.application.entropy
    return visit.pages.render(
        visit.request,
        "code.html",
        status=422 if findings else 200,
        asker=asker_of(visit.session, say),
        session_id=visit.session.id,
        provider=provider,
        part=part,
        inputs=inputs,
        lines=summary_of(messages, inputs),
        wrong=wrong,
        tries_left=challenged.tries_left if wrong else None,
        said=said,
        left=say.duration(challenged.expires_at - visit.pages.application.clock.now()),
        resends=challenged.resends and part.last,
        resend_in=_resend_in(visit),
        resend_words=_resend_words(say),
        lead=_lead(part, sent=challenged.resends),
        asked_for=next((each.label for each in part.fields if each.type is FieldType.OTP), ""),
        token=visit.browser.token("code", entropy, challenged.id),
        resend_token=visit.browser.token("resend", entropy, challenged.id),
        again_token=visit.browser.token("again", entropy),
        cancel_token=visit.browser.token("cancel", entropy),
        back=back_link(visit.session, error="cancelled"),
    )


def _lead(part: Part, *, sent: bool) -> str:
    """Which sentence says what kind of thing is asked. `sent`: the provider sends its codes, as it can send another."""
    types = {each.type for each in part.fields}
    if FieldType.OTP in types:
        return "code.lead_sent" if sent else "code.lead_otp"
    return "code.lead_choice" if types == {FieldType.CHOICE} else "code.lead"


def _resend_in(visit: _Visit) -> int:
    """Seconds until another code may be asked for, rounded up; 0 for now."""
    now = visit.pages.application.clock.now()
    resent_at = float(visit.session.facts.get("resent_at", 0.0))
    return max(0, math.ceil(resent_at + RESEND_EVERY_S - now))


def _resend_words(say: Wording) -> dict[str, str]:
    """The sentence about the wait with `#` for the seconds, for the script that counts them down."""
    one, other = (say.texts[f"duration.seconds.{each}"] for each in ("one", "other"))
    return {
        "one": say.plain("code.resend_in", duration=one),
        "other": say.plain("code.resend_in", duration=other.replace("{count}", "#")),
    }


def _waiting_page(visit: _Visit) -> Response:
    """Approve elsewhere, or an answer that is being checked."""
    entropy = visit.pages.application.entropy
    return visit.pages.render(
        visit.request,
        "waiting.html",
        asker=asker_of(visit.session, wording_of(visit.request)),
        session_id=visit.session.id,
        provider=visit.view.connector.title,
        approves=visit.challenged.polls,
        looked="looked" in visit.request.query_params,
        look_again_s=LOOK_AGAIN_S,
        again_token=visit.browser.token("again", entropy),
        cancel_token=visit.browser.token("cancel", entropy),
        back=back_link(visit.session, error="cancelled"),
    )
