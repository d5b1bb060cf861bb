"""A call of the API as somebody wrote it down, and what becomes of it on its way out.

Rule 1: one function makes what is sent, and what a preview shows is that with other values put in.
Rule 2: what the connector adds can be told from what was written; what was written and isn't sent is named.

Source: the product, "Call".
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote

from keyturn.core.errors import BodyNotMergeable, Finding, PayloadTooLarge, UrlNotAllowed, ValidationFailed
from keyturn.core.requests.caller_headers import METHOD_OVERRIDES, is_sent_on
from keyturn.core.urls.allowed_urls import Reason, Target, Verdict
from keyturn.engine.calls.request_parameters import Header, RenderedParameters
from keyturn.engine.calls.routes import Route
from keyturn.ports.egress import UpstreamRequest

METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
LARGEST_BODY: Final = 128 * 1024
JSON_TYPE: Final = "application/json"
FORM_TYPE: Final = "application/x-www-form-urlencoded"
_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_MASK_IN_URL: Final = re.compile(re.escape(quote("‹")) + r"(.*?)" + re.escape(quote("›")))
_MASK_IN_JSON: Final = re.compile(r"\\u2039(.*?)\\u203a")


@dataclass(frozen=True, slots=True)
class ApiRequest:
    """What somebody wants to send. `path`: with its query. `base_url`: None for the connector's own."""

    method: str
    path: str
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    body: str = field(default="", repr=False)
    base_url: str | None = None


@dataclass(frozen=True, slots=True)
class Outgoing:
    """What is sent. `written`: the headers that the person wrote and that go along."""

    request: UpstreamRequest
    body: bytes | None = field(repr=False)
    url: str = field(repr=False)
    written: tuple[Header, ...] = field(repr=False)
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ShownHeader:
    """A header of a preview. `added`: by the connector, not by who calls."""

    name: str
    value: str
    added: bool


@dataclass(frozen=True, slots=True)
class Shown:
    """A request as it will be sent, its secrets masked.

    `added_query`: the pairs that the connector puts on. `body_changed`: it merges parameters into the body.
    `left_out`: names of written headers that are not sent.
    """

    method: str
    url: str
    headers: tuple[ShownHeader, ...]
    body: str
    added_query: tuple[str, ...]
    body_changed: bool
    left_out: tuple[str, ...]


def read_request(method: str, path: str, headers: str, body: str, base_url: str = "") -> ApiRequest:
    """Read what was typed: headers one a line, `Name: value`. ValidationFailed tells all that is wrong."""
    findings = []
    pairs = []
    for number, line in enumerate(headers.splitlines(), 1):
        name, colon, value = line.partition(":")
        if not line.strip():
            continue
        if not colon or not _is_header(name.strip(), value.strip()):
            findings.append(Finding("/headers", "invalid", f"Line {number} is no header such as “Accept: text/plain”."))
            continue
        pairs.append((name.strip(), value.strip()))
    return _checked(ApiRequest(method, path, tuple(pairs), body, base_url or None), findings)


def request_of(method: str, path: str, headers: Mapping[str, str], body: str, base_url: str = "") -> ApiRequest:
    """The same of headers that came apart already."""
    wrong = not all(_is_header(name, value) for name, value in headers.items())
    findings = [Finding("/headers", "invalid", "A header has a name such as Accept, and a value in one line.")]
    request = ApiRequest(method, path, tuple(headers.items()), body, base_url or None)
    return _checked(request, findings if wrong else [])


def _is_header(name: str, value: str) -> bool:
    return _NAME.fullmatch(name) is not None and value.isprintable()


def _checked(asked: ApiRequest, findings: list[Finding]) -> ApiRequest:
    if asked.method not in METHODS:
        findings.append(Finding("/method", "invalid", f"The methods are: {', '.join(METHODS)}."))
    if not asked.path.startswith("/") or not asked.path.isprintable():
        findings.append(Finding("/path", "invalid", "The path begins with a slash and has no control characters."))
    if asked.body and asked.method in ("GET", "HEAD"):
        findings.append(Finding("/body", "invalid", f"{asked.method} has no body."))
    if findings:
        raise ValidationFailed(errors=findings)
    if len(asked.body.encode("utf-8", "surrogatepass")) > LARGEST_BODY:
        raise PayloadTooLarge(extensions={"limit": LARGEST_BODY})
    return asked


def outgoing(route: Route, asked: ApiRequest) -> Outgoing:
    """What is sent for this: the target as it is judged, the headers and the body with the parameters put on.

    Raises:
        UrlNotAllowed: `reason` says why. BodyNotMergeable: parameters belong into a body that can't take them.
    """
    named = [(name.lower().encode("ascii"), value.encode("utf-8")) for name, value in asked.headers]
    written = [each for each in named if is_sent_on(each[0])]
    left_out = tuple(name for name, _ in asked.headers if not is_sent_on(name.lower().encode("ascii")))
    if route.allowed.by_method and any(name in METHOD_OVERRIDES for name, _ in written):
        raise UrlNotAllowed(extensions={"reason": Reason.METHOD.value})
    target, put_on = _target(route, asked)
    body = _body(asked, written, put_on)
    headers = put_on.with_headers(_with_type(asked, written))
    path = target.path if target.query is None else f"{target.path}?{target.query}"
    request = UpstreamRequest(
        asked.method.encode("ascii"),
        target.scheme,
        target.host,
        target.port,
        path.encode("utf-8"),
        tuple(headers),
        None,
        body is not None,
        route.connection.id,
    )
    return Outgoing(request, body, target.url, tuple(written), left_out)


def shown(asked: ApiRequest, made: Outgoing) -> Shown:
    """What was made with masked values, as people read it."""
    _, _, query = asked.path.partition("?")
    before = set(query.split("&")) if query else set()
    _, _, sent_query = made.url.partition("?")
    added = tuple(readable(each) for each in sent_query.split("&") if each and each not in before)
    rest = list(made.written)
    headers = []
    for name, value in made.request.headers:
        mine = (name, value) in rest
        if mine:
            rest.remove((name, value))
        headers.append(ShownHeader(name.decode("ascii"), value.decode("utf-8", "replace"), not mine))
    body = (made.body or b"").decode("utf-8", "replace")
    return Shown(
        asked.method,
        readable(made.url),
        tuple(headers),
        readable(body),
        added,
        made.body is not None and body != asked.body,
        made.left_out,
    )


def readable(text: str) -> str:
    """Write masks as people read them, where an encoding has changed them."""
    return _MASK_IN_JSON.sub(r"‹\1›", _MASK_IN_URL.sub(r"‹\1›", text))


def _target(route: Route, asked: ApiRequest) -> tuple[Target, RenderedParameters]:
    base = route.base_for(asked.base_url)
    path, _, query = asked.path.partition("?")
    put_on = route.put_on.of(asked.method, _allowed(base.join(path, asked.method)).path)
    query = put_on.with_query(query)
    return _allowed(base.join(f"{path}?{query}" if query else path, asked.method)), put_on


def _allowed(verdict: Verdict) -> Target:
    if verdict.target is None:
        raise UrlNotAllowed(extensions={"reason": verdict.reason.value})
    return verdict.target


def _with_type(asked: ApiRequest, written: list[Header]) -> list[Header]:
    """The headers, and what kind of body it is where nobody said so."""
    if not asked.body or any(name == b"content-type" for name, _ in written):
        return written
    return [*written, (b"content-type", _kind(asked, written).encode("ascii"))]


def _kind(asked: ApiRequest, written: list[Header]) -> str:
    stated = next((value for name, value in written if name == b"content-type"), None)
    if stated is not None:
        return stated.partition(b";")[0].strip().lower().decode("latin-1")
    try:
        json.loads(asked.body)
    except (ValueError, RecursionError):
        return "text/plain"
    return JSON_TYPE


def _body(asked: ApiRequest, written: list[Header], put_on: RenderedParameters) -> bytes | None:
    if not asked.body:
        return None
    body = asked.body.encode("utf-8", "replace")
    if not put_on.body:
        return body
    kind = _kind(asked, written)
    if kind == FORM_TYPE:
        return put_on.with_form(body)
    merged = put_on.with_json(body) if kind == JSON_TYPE or kind.endswith("+json") else None
    if merged is None:
        raise BodyNotMergeable
    return merged
