"""The page at `/`, for people: what this is, who can log in, which tokens live, and buttons that end them.

Made on the server, works without JavaScript. It shows fingerprints, never a token.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response

from .accounts import TOTP_STEP_S, one_time_code
from .loopback import is_same_origin
from .oauth_request import LARGEST_FORM
from .provider import Provider, provider_of
from .tokens import Kind

HERE = Path(__file__).parent
FAMILIES_SHOWN = 20
REQUESTS_SHOWN = 30
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src data:; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    # Not "no-referrer": with it browsers send `Origin: null` from our own forms.
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
DONE = {
    "access": "That access token is revoked.",
    "family": "That family is revoked: its access tokens and its refresh token are dead.",
    "expired": "All access tokens have expired.",
    "gone": "There was nothing to end: it is gone already.",
}
_environment = Environment(
    loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
)


@dataclass(frozen=True, slots=True)
class Row:
    """One token on the page. `state` is "good" or how it ended; `expires_in_s` is None once it has."""

    fingerprint: str
    kind: Kind
    family: int
    username: str
    generation: int
    state: str
    expires_in_s: int | None


async def show(request: Request) -> Response:
    """Answer `GET /`."""
    provider = provider_of(request)
    now = provider.clock()
    people = [
        (account, one_time_code(account.totp_seed, now=now) if account.totp_seed else None)
        for account in provider.accounts.everyone
    ]
    html = _environment.get_template("page.html").render(
        done=DONE.get(request.query_params.get("done", "")),
        settings=provider.settings,
        base_url=f"http://{request.headers['host']}",
        people=people,
        code_good_for_s=TOTP_STEP_S - int(now % TOTP_STEP_S),
        rows=_rows(provider, now),
        entries=provider.log.latest(REQUESTS_SHOWN),
    )
    return HTMLResponse(html, headers=HEADERS)


async def style(request: Request) -> Response:
    """Answer `GET /style.css`."""
    return Response((HERE / "page.css").read_text(), media_type="text/css", headers={"Cache-Control": "no-cache"})


async def end_access(request: Request) -> Response:
    """Answer `POST /page/end-access`: revoke the access token with the fingerprint in the form."""
    if not is_same_origin(request):
        return _foreign()
    fingerprint = await _field(request, "fingerprint")
    return _back("access" if provider_of(request).tokens.end_access(fingerprint) else "gone")


async def end_family(request: Request) -> Response:
    """Answer `POST /page/end-family`: revoke all the tokens of the family whose number is in the form."""
    if not is_same_origin(request):
        return _foreign()
    number = await _field(request, "family")
    known = number.isascii() and number.isdecimal() and len(number) < 12
    return _back("family" if known and provider_of(request).tokens.end_family(int(number)) else "gone")


async def expire_access(request: Request) -> Response:
    """Answer `POST /page/expire-access`: let all access tokens expire now."""
    if not is_same_origin(request):
        return _foreign()
    provider = provider_of(request)
    provider.tokens.expire_access(now=provider.clock())
    return _back("expired")


def _rows(provider: Provider, now: float) -> list[Row]:
    rows = []
    for family in provider.tokens.families()[:FAMILIES_SHOWN]:
        for token in provider.tokens.newest(family, now=now):
            end = token.end_at(now)
            rows.append(
                Row(
                    token.fingerprint,
                    token.kind,
                    family.number,
                    family.username,
                    token.generation,
                    state=end or "good",
                    expires_in_s=int(token.expires_at - now) if end is None else None,
                )
            )
    return rows


async def _field(request: Request, name: str) -> str:
    async with request.form(max_files=0, max_fields=5, max_part_size=LARGEST_FORM) as form:
        value = form.get(name)
    return value if isinstance(value, str) else ""


def _back(done: str) -> Response:
    return RedirectResponse(f"/?done={done}", 303)


def _foreign() -> Response:
    return PlainTextResponse("The buttons work from this server's own page only.\n", 403)
