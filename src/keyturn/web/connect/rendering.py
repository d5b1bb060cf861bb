"""From what a page has to say to the answer: templates that escape, one frame around all of them.

Rule 1: a template sees texts through `say`, and values; none of them is a secret.
Rule 2: the language is what the person chose, by `?lang=` once and by a cookie afterwards, else what the browser wants.
Rule 3: a notice (a link that is used up, a form that can't be read …) has a heading, a sentence and a way back.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from keyturn.core.errors import ConnectionDisconnected, KeyturnError, NotFound, RateLimited, ValidationFailed
from keyturn.engine.abuse.rate_limits import SIGN_IN
from keyturn.engine.application import Application
from keyturn.ports.store import ConnectSession
from keyturn.web.connect.attempts import Attempts
from keyturn.web.connect.browser import Browser, CookieJar, browser_of
from keyturn.web.connect.connector_view import ConnectorView, view_for
from keyturn.web.connect.embedding import noted, popup_of
from keyturn.web.connect.outcomes import ADDRESS, outcome_of, status_of
from keyturn.web.connect.texts.wording import LANGUAGES, Wording, strong, wording_for
from keyturn.web.kit.admission.addresses import Network, client_address, told_address
from keyturn.web.kit.brand import Brand
from keyturn.web.kit.guarded_pages import REQUEST_ID, route_of
from keyturn.web.kit.posts import OwnPlace
from keyturn.web.kit.refusals import FORM, Refusals
from keyturn.web.kit.static_files import StaticFiles

LANGUAGE_COOKIE: Final = "keyturn-language"
SECURE_LANGUAGE_COOKIE: Final = f"__Host-{LANGUAGE_COOKIE}"  # where the instance is reached by https
LANGUAGE_KEPT_S: Final = 31_536_000
_TEMPLATES: Final = Path(__file__).parent / "templates"


class Pages:
    """What every page needs: the use cases, the templates, where this instance is reached."""

    def __init__(
        self, application: Application, brand: Brand, trusted_proxies: tuple[Network, ...], refusals: Refusals
    ) -> None:
        self.application = application
        self._refusals = refusals
        self._trusted_proxies = trusted_proxies
        self.own_place = OwnPlace.of(application.public_url)
        self.jar = CookieJar(secure=self.own_place.scheme == "https")
        self.attempts = Attempts(application.sessions, application.clock)
        self._help = brand.help_url
        looks = {"brand.css": brand.style_sheet(), "logo.png": brand.logo}
        self.files = StaticFiles(more={name: body for name, body in looks.items() if body is not None})
        self._looks = {name: None if body is None else self.files.url(name) for name, body in looks.items()}
        self._environment = environment()

    def address(self, request: Request) -> str | None:
        """What this browser's address is counted as."""
        return client_address(request.scope, self._trusted_proxies)

    def client_address(self, request: Request) -> str | None:
        """This browser's address as a provider is told it; None where it is not known."""
        return told_address(request.scope, self._trusted_proxies)

    def note(self, request: Request, error: KeyturnError) -> None:
        """Write down that somebody was turned away, where the error says so."""
        scope = request.scope
        self._refusals.note(error, scope, route=route_of(scope), request_id=request_id_of(request), by_link=True)

    def note_form(self, request: Request, code: str) -> None:
        """The same of a form that is not this browser's, or not ours."""
        scope = request.scope
        self._refusals.note_as(FORM, code, scope, route=route_of(scope), request_id=request_id_of(request))

    def count(self, request: Request, what: str, owner: str | None = None) -> None:
        """Count a claim or a login by address, and by owner where one is given.

        Raises:
            RateLimited: with the seconds to wait.
        """
        limits, address = self.application.guards.rate_limits, self.address(request)
        for subject in (address and f"{what}:{address}", owner and f"owner:{owner}"):
            standing = limits.take(SIGN_IN, subject) if subject else None
            if standing is not None and standing.wait_s > 0:
                raise RateLimited(retry_after_s=standing.wait_s, extensions={"retry": ADDRESS})

    async def refuse_stopped(self, session: ConnectSession) -> None:
        """Raise LoginsStopped where nobody can sign in with the session's connector for now."""
        await self.application.guards.stop_logins.refuse(session.connector, project=session.project)

    async def browser(self, request: Request) -> tuple[ConnectSession, Browser]:
        """The session in the path, for the browser that claimed it; NotFound, SessionExpired."""
        session_id = request.path_params["session"]
        session, browser = await browser_of(request, self.jar, self.application.connect_sessions, session_id)
        return noted(request, session), browser

    async def view(self, session: ConnectSession) -> ConnectorView:
        """The session's connector; as `view_for`, and ConnectionDisconnected where what it repairs has ended."""
        if session.reconnects is not None and not session.makes_another:
            repaired = await self.application.connections.shown(session.reconnects, project=session.project)
            if repaired is None or repaired.ended:
                raise ConnectionDisconnected
        return await view_for(session, self.application.published, self.application.edit_connector.suffixes)

    def render(
        self,
        request: Request,
        template: str,
        *,
        status: int = 200,
        wait_s: float | None = None,
        tells: str = "ready",
        **context: Any,
    ) -> Response:
        """Answer with a page.

        Args:
            request: says which language, and whether a popup is looked at.
            template: its file.
            status: of the answer.
            wait_s: seconds until trying again makes sense, for `Retry-After`.
            tells: what the page that opened the popup hears: `ready`, `done`, `failed` or `exit`.
            context: what the template takes besides.
        """
        wording = wording_of(request)
        page_host = Markup('<bdi class="host"><strong>{}</strong></bdi>').format(
            urlsplit(self.application.public_url).netloc
        )
        text = self._environment.get_template(template).render(
            say=wording,
            page_host=page_host,
            operator=self.application.operator_name,
            help=self._help,
            style=self.files.url("connect.css"),
            script=self.files.url("connect.js"),
            more_script=self.files.url("connect.more.js"),
            brand_style=self._looks["brand.css"],
            logo=self._looks["logo.png"],
            languages=LANGUAGES.values(),
            popup=popup_of(request),
            tells=tells,
            named=_named,
            **context,
        )
        response = HTMLResponse(text, status)
        if wait_s is not None:
            response.headers["retry-after"] = str(max(1, math.ceil(wait_s)))
        if request.query_params.get("lang") in LANGUAGES:
            response.set_cookie(
                SECURE_LANGUAGE_COOKIE if self.jar.secure else LANGUAGE_COOKIE,
                wording.language,
                max_age=LANGUAGE_KEPT_S,
                secure=self.jar.secure,
                httponly=True,
                samesite="strict",
            )
        return response

    def support(self, request: Request, code: str) -> list[str]:
        """What somebody who asks for help with this answer sends along."""
        host = urlsplit(self.application.public_url).netloc
        return support_of(request, code, self.application.clock.now(), host)

    def refused(self, request: Request, error: KeyturnError, session: ConnectSession) -> Response:
        """Answer with what stands in the way before a password is asked; a connector that is gone is a wrong set-up."""
        self.note(request, error)
        stem = "set_up" if isinstance(error, NotFound | ValidationFailed) else outcome_of(error, None).text
        return self.notice(request, stem, status_of(error), session=session, code=error.code, over=True)

    def notice(
        self,
        request: Request,
        stem: str,
        status: int,
        *,
        session: ConnectSession | None = None,
        code: str | None = None,
        over: bool = False,
        wait_s: float | None = None,
    ) -> Response:
        """Answer with a page that only says something: the texts `<stem>.title` and `<stem>.next`.

        `code`: of the problem, where it is not the stem. `wait_s`: seconds until trying again makes sense.
        `over`: nothing can come of the session any more.
        """
        wording = wording_of(request)
        asker = asker_of(session, wording)
        return self.render(
            request,
            "notice.html",
            status=status,
            wait_s=wait_s,
            tells="failed" if over else "ready",
            stem=stem,
            support=self.support(request, code or stem),
            heading=wording(f"{stem}.title", **asker),
            title=wording.plain(f"{stem}.title", **asker),
            asker=asker,
            back=back_link(session, error=stem) if session else None,
        )


@cache
def environment() -> Environment:
    """The pages' templates."""
    return Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def wording_of(request: Request) -> Wording:
    """The texts in this browser's language."""
    asked = request.query_params.get("lang")
    kept = request.cookies.get(SECURE_LANGUAGE_COOKIE, request.cookies.get(LANGUAGE_COOKIE))
    chosen = asked if asked in LANGUAGES else kept
    return wording_for(request.headers.get("accept-language"), chosen)


def asker_of(session: ConnectSession | None, wording: Wording) -> dict[str, str]:
    """Who asks, and for whom, as texts take it."""
    name = session.app_name if session else ""
    return {"app": name or wording.plain("app.unnamed"), "owner": session.owner_label if session else ""}


def _named(asker: Mapping[str, str]) -> dict[str, str | Markup]:
    """Who asks and for whom, in bold, where they have names of their own."""
    unnamed = {each.texts["app.unnamed"] for each in LANGUAGES.values()}
    return {key: strong(text) if text and text not in unnamed else text for key, text in asker.items()}


def support_of(request: Request, code: str, now: float, host: str) -> list[str]:
    """What somebody who asks for help sends along, a line each: nothing of it is about an account."""
    say = wording_of(request)
    at = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    return [
        say.plain("support.code", code=code),
        say.plain("support.request", id=request_id_of(request)),
        say.plain("support.time", at=at),
        say.plain("support.place", host=host),
    ]


def back_link(session: ConnectSession, **outcome: str) -> str | None:
    """The embedder's return URL with the session's id and how it ended; None where there is no such URL."""
    if session.return_url is None:
        return None
    joint = "&" if "?" in session.return_url else "?"
    pairs: Mapping[str, str] = {"session": session.id, **outcome}
    return f"{session.return_url}{joint}{urlencode(pairs)}"


def request_id_of(request: Request) -> str:
    """The id that this request was given."""
    return str(request.scope[REQUEST_ID])
