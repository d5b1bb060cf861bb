"""Calling the API of a connection: the request as it will be sent, then its answer.

Rule 1: GET and HEAD are sent at once; the first other method of a browser's session is asked about, once.
Rule 2: what the API answered is shown as text: escaped, its control characters made visible, to a limit.
Rule 3: nothing that was typed stands in an address, nor is it kept.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from keyturn.core.access.roles import Permission
from keyturn.core.connection import Connection, State
from keyturn.core.connector import Connector
from keyturn.core.errors import KeyturnError, NotFound, ValidationFailed
from keyturn.engine.calls.api_request import METHODS, ApiRequest, read_request
from keyturn.engine.calls.ask_api import ApiAnswer
from keyturn.web.console.page import Page
from keyturn.web.console.pages.connections.shown import connection_page, found, version_of
from keyturn.web.console.rendering import Console
from keyturn.web.console.visit import Visit

TEMPLATE: Final = "connections/call.html"
ANSWERED: Final = frozenset({"GET", "HEAD"})  # sent without asking: they change nothing (RFC 9110 section 9.2.1)
FORM_BYTES: Final = 512 * 1024
PAST: Final = 10
INPUTS: Final = ("method", "path", "base_url", "headers", "body")
AGREED: Final = "-sends"  # behind the session cookie's name
START: Final = {"method": "GET", "path": "/", "base_url": "", "headers": "Accept: application/json", "body": ""}


@dataclass(frozen=True, slots=True)
class PastCall:
    """A call of this visit; it stands in the page's own form, is sent with the next one, and is kept nowhere."""

    method: str
    path: str
    status: int

    @property
    def line(self) -> str:
        """As the form carries it."""
        return f"{self.status} {self.method} {self.path}"


async def show_call(console: Console, visit: Visit) -> Response:
    """The form, with nothing sent yet."""
    return await _page(console, visit, await found(console, visit), dict(START))


async def post_call(console: Console, visit: Visit) -> Response:
    """Show the request as it will be sent, and send it where that is what the button said."""
    connection = await found(console, visit)
    typed = {name: visit.form.text(name) for name in INPUTS}
    sent = past_calls(visit.form.text("past"))
    application = console.application
    again = visit.form.text("again")
    taken = next((each for n, each in enumerate(sent) if again == str(n)), None)
    if taken is not None:
        typed.update(method=taken.method, path=taken.path)
        return await _page(console, visit, connection, typed, sent=sent)
    try:
        asked = read_request(typed["method"], typed["path"], typed["headers"], typed["body"], typed["base_url"])
        seen = await application.ask_api.preview(connection.id, asked)
        if visit.form.text("do") != "send":
            return await _page(console, visit, connection, typed, asked=asked, seen=seen, sent=sent)
        agrees = visit.form.text("agreed") == "yes"
        if asked.method not in ANSWERED and not agrees and not _agreed(console, visit):
            return await _page(console, visit, connection, typed, asked=asked, seen=seen, asks=True, sent=sent)
        answer = await application.ask_api(connection.id, asked, visit.actor)
    except NotFound:
        raise
    except ValidationFailed as error:
        return await _page(console, visit, connection, typed, status=422, errors=error.errors, sent=sent)
    except KeyturnError as error:
        reason = str(error.extensions.get("reason", "")) if error.extensions else ""
        return await _page(console, visit, await found(console, visit), typed, failed=error, reason=reason, sent=sent)
    response = await _page(
        console, visit, await found(console, visit), typed, asked=asked, seen=seen, answer=answer,
        raw=visible(answer.body.decode("utf-8", "replace")), pretty=pretty(answer),
        sent=[PastCall(asked.method, typed["path"], answer.status), *sent][:PAST],
    )  # fmt: skip
    if agrees:
        _remember(console, visit, response)
    return response


async def _page(
    console: Console,
    visit: Visit,
    connection: Connection,
    typed: dict[str, str],
    *,
    status: int = 200,
    failed: KeyturnError | None = None,
    asked: ApiRequest | None = None,
    sent: Sequence[PastCall] = (),
    **more: Any,
) -> Response:
    connector = await version_of(console, connection)
    rules = [each.url.source for each in connector.allowed_urls if not each.deny] if connector is not None else []
    refused = not takes_calls(connection, console.now())
    past = "\n".join(each.line for each in sent)
    given: dict[str, Any] = {"errors": (), "seen": None, "asks": False, "answer": None, "reason": "", **more}
    return await connection_page(
        console, visit, connection, TEMPLATE, status=status, failed=failed, typed=typed, methods=METHODS, rules=rules,
        refused=refused, sent=sent, past=past, paths=known_paths(connector) if connector is not None else (),
        snippets=snippets(console.application.public_url, connection.id, asked) if asked is not None else (), **given,
    )  # fmt: skip


def takes_calls(connection: Connection, now: float) -> bool:
    """Whether a call would be sent at all, as the connection stands."""
    if connection.ended or connection.paused or connection.unconfirmed:
        return False
    return connection.state is not State.NEEDS_RECONNECT or not connection.token_over(now)


def known_paths(connector: Connector) -> tuple[str, ...]:
    """Paths that the connector speaks of: of its allowed URLs up to what is left open, and of its test."""
    urls = [each.url.source for each in connector.allowed_urls if not each.deny] + [connector.test.request.url.source]
    paths = (urlsplit(each.partition("{{")[0].partition("*")[0]).path for each in urls if "://" in each)
    return tuple(dict.fromkeys(each for each in paths if each not in ("", "/")))


def past_calls(text: str) -> list[PastCall]:
    """What the form carries of the calls before; a line that is none of ours is passed over."""
    lines = (line.split(" ", 2) for line in text.splitlines()[:PAST])
    return [
        PastCall(method, path, int(status))
        for status, method, path in (each for each in lines if len(each) == 3)
        if method in METHODS and status.isdecimal() and len(status) == 3 and path.isprintable()
    ]


def snippets(public_url: str, connection_id: str, asked: ApiRequest) -> tuple[tuple[str, str], ...]:
    """The same call from elsewhere, each with its name. The API key stands in the environment, never in the text."""
    url = f"{public_url}/v1/proxy/{connection_id}{asked.path}"
    headers = list(asked.headers)
    if asked.base_url:
        headers.append(("Keyturn-Base-Url", asked.base_url))
    curl = ["curl", "-X", asked.method, shlex.quote(url), "-H", '"Authorization: Bearer $KEYTURN_API_KEY"']
    command = ["keyturn", "call", connection_id, asked.method, shlex.quote(asked.path)]
    for name, value in headers:
        curl += ["-H", shlex.quote(f"{name}: {value}")]
        command += ["-H", shlex.quote(f"{name}: {value}")]
    if asked.body:
        curl += ["--data-binary", shlex.quote(asked.body)]
        command += ["-d", shlex.quote(asked.body)]
    lines = [
        "import os",
        "import urllib.request",
        "",
        f"request = urllib.request.Request({url!r}, method={asked.method!r})",
        "request.add_header('Authorization', 'Bearer ' + os.environ['KEYTURN_API_KEY'])",
        *(f"request.add_header({name!r}, {value!r})" for name, value in headers),
        *([f"request.data = {asked.body!r}.encode()"] if asked.body else []),
        "print(urllib.request.urlopen(request).read().decode())",
    ]
    return (("curl", " ".join(curl)), ("Command line", " ".join(command)), ("Python", "\n".join(lines)))


def visible(text: str) -> str:
    """The text with its control characters shown by their pictures (U+2400 and on); lines and tabs stay."""
    return "".join(_picture(each) for each in text)


def _picture(each: str) -> str:
    code = ord(each)
    if each in "\n\t" or (code >= 0x20 and each.isprintable()) or each == "\r":
        return "" if each == "\r" else each
    if code < 0x20:
        return chr(0x2400 + code)
    return "\u2421" if code == 0x7F else each if each == " " else f"\\u{code:04x}"


def pretty(answer: ApiAnswer) -> str | None:
    """JSON with its members in lines; None where it is no JSON, or not all of it."""
    if answer.cut:
        return None
    try:
        return visible(json.dumps(json.loads(answer.body), indent=2, ensure_ascii=False))
    except (ValueError, RecursionError):
        return None


def _mac(visit: Visit) -> str:
    return hmac.new(visit.cookie.encode(), b"console sends", hashlib.sha256).hexdigest()


def _agreed(console: Console, visit: Visit) -> bool:
    request: Request = visit.request
    given = request.cookies.get(console.cookie.name + AGREED, "")
    return given.isascii() and hmac.compare_digest(given, _mac(visit))


def _remember(console: Console, visit: Visit, response: Response) -> None:
    """Remember it as long as this sign-in lasts: the value follows from the session's own cookie."""
    response.set_cookie(
        console.cookie.name + AGREED, _mac(visit), path="/", secure=console.cookie.secure, httponly=True,
        samesite="strict",
    )  # fmt: skip


_ONE: Final = "/connections/{connection}/console"
PAGES: Final = (
    Page("GET", _ONE, show_call, Permission.OPERATE),
    Page("POST", _ONE, post_call, Permission.OPERATE, most_bytes=FORM_BYTES),
)
