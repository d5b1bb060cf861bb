"""Connect links that wait for their person: made, looked at, taken back."""

from __future__ import annotations

from typing import Final

from starlette.responses import Response

from keyturn.core.access.roles import Permission
from keyturn.core.errors import Finding, KeyturnError, ValidationFailed
from keyturn.core.problems import PROBLEMS
from keyturn.engine.login.connect_sessions import OpenLink, SessionRequest
from keyturn.ports.overview import SessionFilter
from keyturn.web.console.page import Page
from keyturn.web.console.rendering import Console
from keyturn.web.console.shown_once import link_text
from keyturn.web.console.visit import Visit
from keyturn.web.kit.drawing.qr_code import qr_code

SHOWN: Final = 50
LONGEST: Final = 255
STATES: Final = {"open": "nobody has opened it", "claimed": "opened"}
SOON_S: Final = 600.0  # one that ends within this time and was never opened is marked
INPUTS: Final = ("connector", "owner", "owner_label", "app_name", "return_url")


async def show_links(console: Console, visit: Visit) -> Response:
    """Those that wait, newest first, and the form for another."""
    typed = {name: visit.query(name) for name in INPUTS}
    return await _page(console, visit, typed)


async def post_link(console: Console, visit: Visit) -> Response:
    """Make one and show it, this once."""
    typed = {name: visit.form.text(name).strip() for name in INPUTS}
    request = SessionRequest(
        typed["connector"], typed["owner"], typed["return_url"] or None, typed["app_name"], typed["owner_label"]
    )
    try:
        if not typed["connector"]:
            raise ValidationFailed(errors=[Finding("/connector", "required", "Choose a connector.")])
        made = await console.application.connect_sessions.create(request, visit.actor)
    except ValidationFailed as error:
        return await _page(console, visit, typed, status=422, errors=tuple(error.errors))
    except KeyturnError as error:
        problem = PROBLEMS[error.code]
        told = Finding(
            _AT.get(error.code, "/connector"), error.code, f"{problem.title} {error.detail or problem.action}"
        )
        return await _page(console, visit, typed, status=problem.status, errors=(told,))
    return await _page(console, visit, dict.fromkeys(INPUTS, ""), made=made)


async def post_revoke(console: Console, visit: Visit) -> Response:
    """Take one back."""
    await console.application.revoke_session(visit.path("session"), visit.actor)
    return console.back("/links", said="revoked")


async def _page(
    console: Console,
    visit: Visit,
    typed: dict[str, str],
    *,
    status: int = 200,
    errors: tuple[Finding, ...] = (),
    made: OpenLink | None = None,
) -> Response:
    application = console.application
    cursor = visit.query("cursor") or None
    asked = {name: visit.query(f"only_{name}").strip()[:LONGEST] for name in ("connector", "owner", "state")}
    if asked["state"] not in ("", *STATES):
        raise ValidationFailed(errors=[Finding("/only_state", "invalid", f"The states are: {', '.join(STATES)}.")])
    which = SessionFilter(*(asked[name] or None for name in ("connector", "owner", "state")))
    now = console.now()
    rows, following = await application.overview.open_sessions(now, which=which, cursor=cursor, limit=SHOWN)
    every = await application.connectors.list()
    return console.page(
        visit,
        "links/list.html",
        status=status,
        rows=rows,
        asked=asked,
        states=STATES,
        soon=now + SOON_S,
        every=every,
        next_cursor=following,
        connectors=[each for each in every if each.latest_version is not None],
        typed=typed,
        errors=errors,
        link=link_text(made) if made is not None else None,
        code=qr_code(link_text(made)) if made is not None else None,
        made=made.session if made is not None else None,
    )


_AT: Final = {"return_url_not_allowed": "/return_url"}
PAGES: Final = (
    Page("GET", "/links", show_links, Permission.VIEW),
    Page("POST", "/links", post_link, Permission.OPERATE),
    Page("POST", "/links/{session}/revoke", post_revoke, Permission.OPERATE),
)
