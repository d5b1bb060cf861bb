"""Reading a request to the token or revocation endpoint: the form, and who the client is.

Source: RFC 6749 sections 2.3.1 (client password), 3.2 (parameters without a value are absent, none may come twice),
5.2 (errors) and appendix B (form encoding).
"""

from __future__ import annotations

import base64
import binascii
import hmac
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote_plus

from starlette.requests import Request
from starlette.responses import JSONResponse

from .settings import Settings

LARGEST_FORM = 64 * 1024
NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}  # RFC 6749 section 5.1 asks for both
REALM = "acme-example"


@dataclass(eq=False)
class OAuthError(Exception):
    """An error answer of RFC 6749 section 5.2.

    `description` is one of this server's own sentences. `outcome` is the word for the log, by default `error`;
    `extra` joins the JSON object.
    """

    error: str
    description: str
    status: int = 400
    outcome: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    extra: dict[str, str] = field(default_factory=dict)

    def answer(self) -> JSONResponse:
        """Make the response."""
        content = {"error": self.error, "error_description": self.description, **self.extra}
        return JSONResponse(content, self.status, headers={**NO_STORE, **self.headers})


async def read_form(request: Request) -> dict[str, str]:
    """Read the parameters of a form body.

    Raises:
        OAuthError: invalid_request, when it isn't a form in UTF-8 of at most 64 KiB, when a parameter comes twice, or
            when the URL has a query (secrets in a URL end up in logs).
    """
    media_type = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if media_type != "application/x-www-form-urlencoded":
        raise OAuthError("invalid_request", "the body must be application/x-www-form-urlencoded")
    if request.url.query:
        raise OAuthError("invalid_request", "parameters belong in the body, not in the URL")
    body = await request.body()
    if len(body) > LARGEST_FORM:
        raise OAuthError("invalid_request", "the body is too large", status=413)
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=50)
    except ValueError:
        raise OAuthError("invalid_request", "the body is not a form in UTF-8") from None
    names = [name for name, _ in pairs]
    if len(names) != len(set(names)):
        raise OAuthError("invalid_request", "a parameter is repeated")
    return {name: value for name, value in pairs if value}


def authenticate_client(request: Request, form: dict[str, str], settings: Settings) -> None:
    """Check the client, by Basic or in the body.

    Raises:
        OAuthError: invalid_client (401, with a challenge) when it is absent or wrong; invalid_request when it comes
            in two ways at once.
    """
    header = request.headers.get("authorization")
    if header is None:
        found = (form.get("client_id", ""), form.get("client_secret", ""))
    else:
        found = _read_basic(header)
        if "client_secret" in form or form.get("client_id", found[0]) != found[0]:
            raise OAuthError("invalid_request", "the client authenticates in two ways at once")
    wanted = (settings.client_id, settings.client_secret)
    same = [
        hmac.compare_digest(ours.encode(), theirs.encode("utf-8", "surrogatepass"))
        for ours, theirs in zip(wanted, found, strict=True)
    ]
    if not all(same):
        raise _invalid_client()


def _read_basic(header: str) -> tuple[str, str]:
    scheme, _, credentials = header.partition(" ")
    if scheme.lower() != "basic":
        raise _invalid_client()
    try:
        text = base64.b64decode(credentials.strip(), validate=True).decode()
        client_id, colon, secret = text.partition(":")
        if not colon:
            raise _invalid_client()
        # Each half is form-encoded first, section 2.3.1: a plus is a space.
        return unquote_plus(client_id, errors="strict"), unquote_plus(secret, errors="strict")
    except (binascii.Error, ValueError):
        raise _invalid_client() from None


def _invalid_client() -> OAuthError:
    challenge = {"WWW-Authenticate": f'Basic realm="{REALM}", charset="UTF-8"'}
    return OAuthError("invalid_client", "unknown client or wrong client secret", status=401, headers=challenge)
