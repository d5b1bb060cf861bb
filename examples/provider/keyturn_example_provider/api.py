"""The protected resources: who am I, notes, an echo.

Bearer tokens come in the Authorization header only; refusals are those of RFC 6750 section 3.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from .notes import LONGEST_NOTE
from .oauth_request import REALM
from .provider import Provider, provider_of
from .request_log import Entry
from .tokens import End, Token, TokenRefusedError

LARGEST_BODY = 1024 * 1024
NEVER_ECHOED = {"authorization", "proxy-authorization", "cookie"}
DEAD_ACCESS_TOKEN = {
    End.UNKNOWN: "unknown access token",
    End.EXPIRED: "the access token has expired",
    End.REVOKED: "the access token was revoked",
    End.REUSED: "the access token was revoked",
}


@dataclass(eq=False)
class BearerError(Exception):
    """A refusal of RFC 6750 section 3.1; `error` is None when the request held no token at all."""

    status: int
    error: str | None
    description: str
    scope: str | None = None
    token: Token | None = None

    def answer(self) -> Response:
        """Make the response."""
        parts = [f'realm="{REALM}"']
        if self.error is not None:
            parts += [f'error="{self.error}"', f'error_description="{self.description}"']
        if self.scope is not None:
            parts.append(f'scope="{self.scope}"')
        content = {"error": self.error or "unauthorized", "error_description": self.description}
        return JSONResponse(content, self.status, headers={"WWW-Authenticate": "Bearer " + ", ".join(parts)})


async def me(request: Request) -> Response:
    """Answer `GET /api/me`."""
    provider = provider_of(request)
    try:
        token = _authorize(request, provider, "read")
    except BearerError as error:
        return _refuse(request, provider, "me", error)
    account = provider.accounts.find(token.family.username)
    assert account is not None, "a token was issued to nobody"
    _record(request, provider, "me", "ok", token)
    return JSONResponse({"id": account.id, "name": account.name, "email": account.email})


async def notes(request: Request) -> Response:
    """Answer `GET` and `POST /api/notes`: list one's notes, or add one from `{"text": "..."}`."""
    provider = provider_of(request)
    adding = request.method == "POST"
    try:
        token = _authorize(request, provider, "write" if adding else "read")
    except BearerError as error:
        return _refuse(request, provider, "notes", error)
    owner = token.family.username
    if not adding:
        _record(request, provider, "notes", "ok", token)
        return JSONResponse({"notes": [{"id": note.id, "text": note.text} for note in provider.notes.of(owner)]})
    text = _read_text(await request.body())
    if text is None:
        _record(request, provider, "notes", "invalid_request", token)
        wanted = f'send {{"text": "..."}} of 1 to {LONGEST_NOTE} characters'
        return JSONResponse({"error": "invalid_request", "error_description": wanted}, 400)
    note = provider.notes.add(owner, text)
    _record(request, provider, "notes", "created", token)
    return JSONResponse({"id": note.id, "text": note.text}, 201, headers={"Location": f"/api/notes/{note.id}"})


async def note(request: Request) -> Response:
    """Answer `GET /api/notes/{id}`."""
    provider = provider_of(request)
    try:
        token = _authorize(request, provider, "read")
    except BearerError as error:
        return _refuse(request, provider, "notes", error)
    found = provider.notes.find(token.family.username, request.path_params["id"])
    _record(request, provider, "notes", "ok" if found else "not_found", token)
    if found is None:
        return JSONResponse({"error": "not_found"}, 404)
    return JSONResponse({"id": found.id, "text": found.text})


async def echo(request: Request) -> Response:
    """Answer any method at `/api/echo` with what arrived, credentials left out.

    `query` and `headers` are lists of pairs, so that order and repetition show. `body` is text, or base64 when
    `body_encoding` says so.
    """
    provider = provider_of(request)
    try:
        token = _authorize(request, provider, "read")
    except BearerError as error:
        return _refuse(request, provider, "echo", error)
    body = await request.body()
    if len(body) > LARGEST_BODY:
        _record(request, provider, "echo", "too_large", token)
        return JSONResponse({"error": "too_large"}, 413)
    try:
        text, encoding = body.decode(), "utf-8"
    except UnicodeDecodeError:
        text, encoding = base64.b64encode(body).decode(), "base64"
    _record(request, provider, "echo", "ok", token)
    return JSONResponse(
        {
            "method": request.method,
            "path": request.url.path,
            "query": [list(pair) for pair in request.query_params.multi_items()],
            "headers": [list(pair) for pair in request.headers.items() if pair[0] not in NEVER_ECHOED],
            "body": text,
            "body_encoding": encoding,
        }
    )


def _authorize(request: Request, provider: Provider, scope: str) -> Token:
    headers = request.headers.getlist("authorization")
    if not headers:
        raise BearerError(401, None, "an access token is needed")
    scheme, _, text = headers[0].partition(" ")
    if len(headers) > 1:
        raise BearerError(400, "invalid_request", "more than one Authorization header")
    if scheme.lower() != "bearer":
        raise BearerError(401, None, "an access token is needed")
    try:
        token = provider.tokens.check_access(text.strip(), now=provider.clock())
    except TokenRefusedError as refused:
        raise BearerError(401, "invalid_token", DEAD_ACCESS_TOKEN[refused.end], token=refused.token) from None
    if scope not in token.scope.split():
        raise BearerError(403, "insufficient_scope", "the access token lacks a scope", scope=scope, token=token)
    return token


def _read_text(body: bytes) -> str | None:
    try:
        found = json.loads(body)
    except ValueError:
        return None
    text = found.get("text") if isinstance(found, dict) else None
    return text if isinstance(text, str) and 1 <= len(text) <= LONGEST_NOTE else None


def _refuse(request: Request, provider: Provider, endpoint: str, error: BearerError) -> Response:
    _record(request, provider, endpoint, error.error or "no_token", error.token)
    return error.answer()


def _record(request: Request, provider: Provider, endpoint: str, outcome: str, token: Token | None) -> None:
    entry = Entry(endpoint, outcome)
    if token is not None:
        entry = Entry(
            endpoint,
            outcome,
            account=token.family.username,
            access_token_fingerprint=token.fingerprint,
            family=token.family.number,
            generation=token.generation,
        )
    provider.record(request, entry)
