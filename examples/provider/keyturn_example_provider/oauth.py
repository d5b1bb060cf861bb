"""The token endpoint (RFC 6749 sections 4.3 and 6) and the revocation endpoint (RFC 7009).

Own choices: the old access token stays good over a refresh; revoking a refresh token ends its family, revoking an
access token only that one; `mfa_required` with an `mfa_token` comes before a second factor.
"""

from __future__ import annotations

from dataclasses import replace

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from .accounts import Account, LoginRefusedError, Refusal
from .oauth_request import NO_STORE, OAuthError, authenticate_client, read_form
from .provider import SCOPES, Provider, provider_of
from .request_log import Entry
from .tokens import End, Kind, Pair, ScopeTooWideError, Token, TokenRefusedError, digest_of

MFA_GRANT = "urn:acme:mfa-otp"
KNOWN_GRANTS = ("password", "refresh_token", MFA_GRANT)

# The connector examples/connectors/acme-example.yaml tells the refusals apart by these very words.
REFUSALS = {
    Refusal.WRONG_PASSWORD: "wrong username or password",
    Refusal.LOCKED: "account locked: too many wrong passwords, wait a minute",
    Refusal.WRONG_CODE: "wrong one-time code",
    Refusal.MFA_TOKEN_DEAD: "unknown or expired mfa_token",
}
TOO_MANY_SESSIONS = "too many sessions: end one of them first"
DEAD_REFRESH_TOKEN = {
    End.UNKNOWN: "unknown refresh token",
    End.EXPIRED: "the refresh token has expired",
    End.REVOKED: "the refresh token was revoked",
    End.ROTATED: "the refresh token was used before",
    End.REUSED: "the refresh token was used before; all tokens of this login are revoked",
}


async def token(request: Request) -> Response:
    """Answer `POST /oauth/token`."""
    provider = provider_of(request)
    entry = Entry("token", "")
    try:
        form = await read_form(request)
        entry = entry_of(form)
        authenticate_client(request, form, provider.settings)
        grant = form.get("grant_type")
        if grant is None:
            raise OAuthError("invalid_request", "grant_type is missing")
        if grant not in KNOWN_GRANTS:
            raise OAuthError("unsupported_grant_type", "use password, refresh_token or urn:acme:mfa-otp")
        if grant == "refresh_token":
            answer, entry = _refresh(provider, form, entry)
        elif grant == "password":
            answer, entry = _password(provider, form, entry)
        else:
            answer, entry = _second_factor(provider, form, entry)
    except OAuthError as error:
        answer, entry = error.answer(), replace(entry, outcome=error.outcome or error.error)
    except _RefusedError as refused:
        answer, entry = refused.error.answer(), replace(refused.entry, outcome=refused.error.outcome)
    provider.record(request, entry)
    return answer


async def revoke(request: Request) -> Response:
    """Answer `POST /oauth/revoke`: 200 with an empty body, also for a token that nobody knows (RFC 7009 2.2)."""
    provider = provider_of(request)
    entry = Entry("revoke", "")
    try:
        form = await read_form(request)
        authenticate_client(request, form, provider.settings)
        if "token" not in form:
            raise OAuthError("invalid_request", "token is missing")
    except OAuthError as error:
        provider.record(request, replace(entry, outcome=error.error))
        return error.answer()
    found = provider.tokens.revoke(form["token"], client_id=provider.settings.client_id)
    provider.record(
        request, _about(found, entry, f"{found.kind}_revoked") if found else replace(entry, outcome="unknown")
    )
    return Response(status_code=200, headers=NO_STORE)


class _RefusedError(Exception):
    """A refusal that also has something to say to the log."""

    def __init__(self, error: OAuthError, entry: Entry) -> None:
        super().__init__(error.error)
        self.error = error
        self.entry = entry


def _password(provider: Provider, form: dict[str, str], entry: Entry) -> tuple[Response, Entry]:
    if "username" not in form or "password" not in form:
        raise OAuthError("invalid_request", "username or password is missing")
    scope = _read_scope(form) or " ".join(SCOPES)
    now = provider.clock()
    try:
        account = provider.accounts.check_password(form["username"], form["password"], now=now)
    except LoginRefusedError as refused:
        raise _refused_login(refused, entry) from None
    if account.totp_seed is not None:
        mfa_token = provider.accounts.start_challenge(account, scope, now=now)
        error = OAuthError(
            "mfa_required", "a one-time code is needed", outcome="mfa_required", extra={"mfa_token": mfa_token}
        )
        raise _RefusedError(error, replace(entry, account=account.username))
    return _start(provider, account, scope, entry)


def _second_factor(provider: Provider, form: dict[str, str], entry: Entry) -> tuple[Response, Entry]:
    if "mfa_token" not in form or "otp" not in form:
        raise OAuthError("invalid_request", "mfa_token or otp is missing")
    try:
        account, scope = provider.accounts.answer_challenge(form["mfa_token"], form["otp"], now=provider.clock())
    except LoginRefusedError as refused:
        raise _refused_login(refused, entry) from None
    return _start(provider, account, scope, entry)


def _refresh(provider: Provider, form: dict[str, str], entry: Entry) -> tuple[Response, Entry]:
    if "refresh_token" not in form:
        raise OAuthError("invalid_request", "refresh_token is missing")
    settings = provider.settings
    try:
        pair = provider.tokens.rotate(
            form["refresh_token"], _read_scope(form), client_id=settings.client_id, now=provider.clock()
        )
    except TokenRefusedError as refused:
        outcome = f"refresh_token_{refused.end}"
        error = OAuthError("invalid_grant", DEAD_REFRESH_TOKEN[refused.end], outcome=outcome)
        raise _RefusedError(error, _about(refused.token, entry, outcome) if refused.token else entry) from None
    except ScopeTooWideError:
        raise OAuthError("invalid_scope", "the scope is wider than the login's") from None
    return _pair_answer(settings.access_ttl_s, pair), _about_pair(pair, entry, "rotated")


def _start(provider: Provider, account: Account, scope: str, entry: Entry) -> tuple[Response, Entry]:
    settings, now = provider.settings, provider.clock()
    if 0 < settings.max_sessions <= provider.tokens.sessions_of(account.username, now=now):
        error = OAuthError("invalid_grant", TOO_MANY_SESSIONS, outcome="too_many_sessions")
        raise _RefusedError(error, replace(entry, account=account.username))
    pair = provider.tokens.start_family(account.username, settings.client_id, scope, now=now)
    return _pair_answer(settings.access_ttl_s, pair), _about_pair(pair, entry, "issued")


def _read_scope(form: dict[str, str]) -> str | None:
    scope = form.get("scope")
    if scope is None:
        return None
    wanted = scope.split(" ")
    if not set(wanted) <= set(SCOPES):
        raise OAuthError("invalid_scope", "the scopes are read and write")
    return " ".join(name for name in SCOPES if name in wanted)


def _refused_login(refused: LoginRefusedError, entry: Entry) -> _RefusedError:
    headers = {} if refused.retry_after_s is None else {"Retry-After": str(refused.retry_after_s)}
    error = OAuthError("invalid_grant", REFUSALS[refused.reason], outcome=refused.reason, headers=headers)
    return _RefusedError(error, replace(entry, account=refused.account.username if refused.account else None))


def _pair_answer(access_ttl_s: int, pair: Pair) -> Response:
    content = {
        "access_token": pair.access_token,
        "token_type": "Bearer",
        "expires_in": access_ttl_s,
        "refresh_token": pair.refresh_token,
        "scope": pair.scope,
    }
    return JSONResponse(content, headers=NO_STORE)


def entry_of(form: dict[str, str]) -> Entry:
    """Say for the log what a token request asks, without its outcome."""
    grant = form.get("grant_type")
    presented = form.get("refresh_token") if grant == "refresh_token" else None
    return Entry(
        endpoint="refresh" if grant == "refresh_token" else "token",
        outcome="",
        grant_type=grant if grant is None or grant in KNOWN_GRANTS else "other",
        refresh_token_fingerprint=digest_of(presented)[:12] if presented else None,
    )


def _about(token: Token, entry: Entry, outcome: str) -> Entry:
    refresh = token.kind is Kind.REFRESH
    return replace(
        entry,
        outcome=outcome,
        account=token.family.username,
        refresh_token_fingerprint=token.fingerprint if refresh else None,
        access_token_fingerprint=None if refresh else token.fingerprint,
        family=token.family.number,
        generation=token.generation,
    )


def _about_pair(pair: Pair, entry: Entry, outcome: str) -> Entry:
    return replace(
        entry,
        outcome=outcome,
        account=pair.family.username,
        issued_fingerprint=digest_of(pair.refresh_token)[:12],
        access_token_fingerprint=digest_of(pair.access_token)[:12],
        family=pair.family.number,
        generation=pair.generation,
    )
