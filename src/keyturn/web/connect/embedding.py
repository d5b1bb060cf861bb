"""A link in a popup: which page opened it, and how that one hears how it went.

Rule 1: messages go to the one origin that the session names, carry a word and the session's id, and nothing else. What
is true is read from the session, by the embedder's backend.
Rule 2: only pages of such a session let the page that opened them hold on to the window; redirects count as pages
there. All others cut that off, and no page can be framed.
Rule 3: the embedder's script is one file at a lasting address, for any site to load; it holds no secret.

Source: the interfaces, "Embedding"; the HTML standard, "Cross-origin opener policies".
"""

from __future__ import annotations

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from keyturn.ports.store import ConnectSession
from keyturn.web.kit.static_files import StaticFiles

SCRIPT: Final = "connect.embed.js"
SCRIPT_KEPT_S: Final = 3600
_SESSION: Final = "keyturn.popup_session"


def noted(request: Request, session: ConnectSession) -> ConnectSession:
    """Remember whose page this request is for; returns the session."""
    if session.origin is not None:
        request.scope[_SESSION] = session
    return session


def popup_of(request: Request) -> ConnectSession | None:
    """The session that was opened in a popup; None for any other page."""
    found: ConnectSession | None = request.scope.get(_SESSION)
    return found


def opened(request: Request, response: Response) -> Response:
    """Let the opener hold on to the window, where the session is one of a popup."""
    if popup_of(request) is not None:
        response.headers["cross-origin-opener-policy"] = "unsafe-none"
    return response


def script_of(files: StaticFiles) -> Response:
    """Answer with the embedder's script."""
    headers = {
        "cache-control": f"public, max-age={SCRIPT_KEPT_S}",
        "cross-origin-resource-policy": "cross-origin",
        "access-control-allow-origin": "*",  # for `integrity`, which needs a request with CORS
    }
    return Response(files.body(SCRIPT), media_type="text/javascript; charset=utf-8", headers=headers)
