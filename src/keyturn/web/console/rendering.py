"""From what a page has to say to the answer: templates that escape, one frame around all of them.

Rule 1: a template sees values and texts; none of them is a secret.
Rule 2: an error has its code, a sentence, the next step and the request id, the same words as on every surface.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import quote, urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from keyturn.core.access.roles import Permission
from keyturn.core.errors import KeyturnError, RateLimited
from keyturn.core.problems import PROBLEMS
from keyturn.engine.abuse.rate_limits import SIGN_IN
from keyturn.engine.application import Application
from keyturn.engine.people.openid.attempt import LIVES_S
from keyturn.engine.people.openid.relying import BEGIN, CALLBACK
from keyturn.web.console.connect_form import ConnectForm
from keyturn.web.console.elsewhere import elsewhere
from keyturn.web.console.instance import Instance
from keyturn.web.console.person_words import action_for, waits_until
from keyturn.web.console.spans import ago
from keyturn.web.console.visit import SessionCookie, Visit
from keyturn.web.kit.admission.addresses import Network, client_address
from keyturn.web.kit.guarded_pages import REQUEST_ID
from keyturn.web.kit.posts import OwnPlace
from keyturn.web.kit.static_files import StaticFiles

_TEMPLATES: Final = Path(__file__).parent / "templates"
_FILES: Final = Path(__file__).parent / "static"
KEYS_COOKIE: Final = "-keys"  # behind the session cookie's name; what stands in it where keys are switched off:
KEYS_OFF: Final = "off"
_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})
# Shape and word of each state as shown; never colour alone.
GLYPHS: Final = {
    "active": "●",
    "uncertain": "◐",
    "needs_reconnect": "■",
    "paused": "‖",
    "unconfirmed": "◌",
    "disconnecting": "○",
    "disconnected": "○",
    "unreadable": "✗",
    "attention": "▲",
}
WORDS: Final = {
    "active": "active",
    "uncertain": "uncertain",
    "needs_reconnect": "needs reconnect",
    "paused": "paused",
    "unconfirmed": "not confirmed",
    "disconnecting": "disconnecting",
    "disconnected": "disconnected",
    "unreadable": "unreadable",
    "attention": "attention",
}
# Heading, address and the permission without which it is not shown.
MENU: Final = (
    ("Overview", "/", Permission.VIEW),
    ("Connectors", "/connectors", Permission.VIEW),
    ("Connections", "/connections", Permission.VIEW),
    ("Links", "/links", Permission.VIEW),
    ("Jobs", "/jobs", Permission.VIEW),
    ("Audit", "/audit", Permission.VIEW),
    ("Webhooks", "/webhooks", Permission.ADMINISTER),
    ("Keys", "/keys", Permission.ADMINISTER),
    ("API keys", "/api-keys", Permission.ADMINISTER),
    ("People", "/people", Permission.ADMINISTER),
    ("Settings", "/settings", Permission.ADMINISTER),
    ("API", "/api/docs", Permission.VIEW),
)


class Console:
    """What every page needs: the use cases, the templates, where this instance is reached."""

    def __init__(
        self,
        application: Application,
        *,
        version: str,
        instance: Instance,
        trusted_proxies: tuple[Network, ...] = (),
        connect_form: ConnectForm | None = None,
    ) -> None:
        self.connect_form = connect_form
        self._trusted_proxies = trusted_proxies
        self.application = application
        self.instance = instance
        self.own_place = OwnPlace.of(application.public_url)
        self.cookie = SessionCookie(secure=self.own_place.scheme == "https")
        self.openid_cookie = SessionCookie(self.cookie.secure, "keyturn-openid", LIVES_S)
        more = {"connect-form.css": connect_form.style} if connect_form is not None else {}
        self.files = StaticFiles(_FILES, "/assets", more=more)
        self.version = version
        self.paths: frozenset[str] = frozenset()  # of all GET pages, as routes; the menu shows only what is there
        self._environment = Environment(
            loader=FileSystemLoader(_TEMPLATES),
            autoescape=True,
            undefined=StrictUndefined,
            auto_reload=False,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.globals.update(
            glyphs=GLYPHS,
            state_words=WORDS,
            problems=PROBLEMS,
            Permission=Permission,
            static=self.files.url,
            ways=self._ways,
            query=_query,
            openid_name=application.openid.settings.name if application.openid else "",
            links=application.people.links,
            segment=lambda text: quote(str(text), safe=""),
        )
        self._environment.filters.update(utc=_utc, iso=_iso, code=_code)

    def _ways(self, command: str, path: str, asked: Mapping[str, str] = _NOTHING) -> tuple[tuple[str, str], ...]:
        return elsewhere(self.application.public_url, command, path, asked)

    def now(self) -> float:
        """The time, Unix seconds."""
        return self.application.clock.now()

    def count_sign_in(self, request: Request) -> None:
        """Count a sign-in by the browser's address. RateLimited: with the seconds to wait."""
        address = client_address(request.scope, self._trusted_proxies)
        standing = self.application.guards.rate_limits.take(SIGN_IN, f"console:{address}") if address else None
        if standing is not None and standing.wait_s > 0:
            raise RateLimited(retry_after_s=standing.wait_s)

    def page(self, visit: Visit, template: str, *, status: int = 200, **context: Any) -> Response:
        """Answer somebody who is signed in with a page."""
        return self._answer(
            template,
            status,
            who=visit.who.person,
            may=visit.may,
            token=visit.token,
            mark=visit.who.form_mark,
            here=visit.request.url.path,
            said=visit.query("said"),
            back=visit.request.url.path if visit.request.method == "GET" else "/",
            keys_on=visit.request.cookies.get(self.cookie.name + KEYS_COOKIE) != KEYS_OFF,
            **context,
        )

    def part(self, visit: Visit, template: str, **context: Any) -> Response:
        """Answer a script of ours with a part of a page: the same template that the whole page includes."""
        return self.page(visit, template, **context)

    def open_page(self, template: str, *, status: int = 200, **context: Any) -> Response:
        """Answer anybody with a page."""
        return self._answer(template, status, visit=None, who=None, may=_nothing, token="", here="", said="", **context)

    async def page_for(self, request: Request, template: str, *, status: int = 200, **context: Any) -> Response:
        """Answer anybody; who is signed in keeps the menu and the session."""
        cookie = self.cookie.value(request)
        who = await self.application.people.of_cookie(cookie) if cookie else None
        if who is None:
            return self.open_page(template, status=status, **context)
        return self.page(Visit(request, who, cookie), template, status=status, **context)

    def back(self, path: str, *, said: str = "") -> Response:
        """Send the browser on after a form; `said`: the word by which the next page tells what was done."""
        joint = "&" if "?" in path else "?"
        return RedirectResponse(f"{path}{joint}{urlencode({'said': said})}" if said else path, 303)

    def error(self, request: Request, error: KeyturnError, visit: Visit | None) -> Response:
        """Answer with what went wrong and what to do."""
        problem = PROBLEMS.get(error.code, PROBLEMS[KeyturnError.code])
        context = {
            "problem": problem,
            "detail": error.detail,
            "request_id": str(request.scope[REQUEST_ID]),
            "action": action_for(problem),
            "until": waits_until(error, self.now()),
            "found": error.errors,
        }
        if self.application.openid is not None and request.url.path in (BEGIN, CALLBACK):
            response = self.open_page("openid_error.html", status=problem.status, **context)
            self.openid_cookie.drop(response)  # whatever went wrong: that try is over
            return response
        if visit is not None:
            return self.page(visit, "error.html", status=problem.status, **context)
        return self.open_page("error.html", status=problem.status, **context)

    def _answer(self, template: str, status: int, **context: Any) -> Response:
        may, now = context["may"], self.now()
        text = self._environment.get_template(template).render(
            menu=[each for each in MENU if each[1] in self.paths and may(each[2])],
            operator=self.application.operator_name,
            version=self.version,
            ago=lambda at: ago(at, now),
            **context,
        )
        return HTMLResponse(text, status)


def _nothing(permission: Permission) -> bool:
    return False


def _query(**pairs: Any) -> str:
    """A query of what is given; empty values are left out."""
    given = {name: value for name, value in pairs.items() if value not in (None, "")}
    return f"?{urlencode(given, doseq=True)}" if given else ""


def _code(text: str) -> Markup:
    """A sentence of ours whose code stands in backticks, as a page shows it."""
    parts = text.split("`")
    if len(parts) % 2 == 0:
        return escape(text)
    return Markup("").join(Markup("<code>%s</code>") % each if n % 2 else escape(each) for n, each in enumerate(parts))


def _utc(at: float | None) -> str:
    return "" if at is None else datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _iso(at: float | None) -> str:
    return "" if at is None else datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
