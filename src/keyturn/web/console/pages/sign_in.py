"""Signing in by a one-time link, and out.

Rule 1: opening a link shows whom it lets in and changes nothing (mail scanners open links); its button lets in, once.
Rule 2: where to go afterwards is a path of this instance or nothing.
"""

from __future__ import annotations

import re
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from keyturn.core.access.roles import Permission
from keyturn.engine.people.people import AskingBrowser
from keyturn.web.console.page import OpenPage, Page
from keyturn.web.console.rendering import Console
from keyturn.web.console.visit import Visit, form_token
from keyturn.web.kit.guarded_pages import REQUEST_ID
from keyturn.web.kit.posts import read_form

# What the browser forgets at the end (https://w3c.github.io/webappsec-clear-site-data; OWASP ASVS 5.0, 14.3.1).
# Not "cookies", which would sign people out of every other host of the domain; ours is deleted by name.
CLEARED: Final = '"cache", "storage"'
SIGNED_IN: Final = "/signed-in"
_OWN_PATH: Final = re.compile(r"/(?![/\\])[^\x00-\x20\\]*")


def asking(console: Console, request: Request) -> AskingBrowser:
    """The browser that wants in."""
    agent, request_id = request.headers.get("user-agent", ""), str(request.scope[REQUEST_ID])
    return AskingBrowser(agent, console.cookie.value(request), request_id)


async def show_login(console: Console, request: Request) -> Response:
    """Say how one signs in."""
    cookie, after = console.cookie.value(request), own_path(request.query_params.get("next", ""))
    if cookie and await console.application.people.of_cookie(cookie) is not None:
        return console.back(after)
    return console.open_page("login.html", out=request.query_params.get("out") == "1", after=after)


async def show_signed_in(console: Console, request: Request) -> Response:
    """Say to a script of ours whether this browser is signed in: by the token of its forms, empty where it is not.

    Only pages of this origin can read it, as they can every page. Asking is no use of the session.
    """
    cookie = console.cookie.value(request)
    who = await console.application.people.of_cookie(cookie, used=False) if cookie else None
    return JSONResponse({"token": form_token(who, who.session.digest) if who is not None else ""})


async def show_link(console: Console, request: Request) -> Response:
    """Show whom a link lets in."""
    person = await console.application.people.look(request.path_params["link"])
    return console.open_page("sign_in.html", person=person)


async def post_link(console: Console, request: Request) -> Response:
    """Let this browser in."""
    console.own_place.check(request)
    await read_form(request)
    _, cookie = await console.application.people.sign_in(request.path_params["link"], asking(console, request))
    response = console.back("/")
    console.cookie.put(response, cookie)
    return response


async def post_logout(console: Console, visit: Visit) -> Response:
    """Sign this browser out."""
    await console.application.people.end_session(visit.who.session.id, visit.who.person, visit.actor)
    response = console.back("/login?out=1")
    console.cookie.drop(response)
    response.headers["clear-site-data"] = CLEARED
    return response


def own_path(text: str) -> str:
    """The path, where it is one of this instance; else the overview."""
    return text if _OWN_PATH.fullmatch(text) else "/"


PAGES: Final = (
    OpenPage("GET", "/login", show_login),
    OpenPage("GET", SIGNED_IN, show_signed_in),
    OpenPage("GET", "/sign-in/{link}", show_link),
    OpenPage("POST", "/sign-in/{link}", post_link),
    Page("POST", "/logout", post_logout, Permission.VIEW),
)
