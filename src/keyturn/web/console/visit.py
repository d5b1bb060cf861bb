"""Who is at the browser, and the one request that is being answered.

Rule 1: the cookie is `__Host-`, HttpOnly and SameSite=Lax: a link from elsewhere may lead in, a form may not.
Rule 2: a form's token is a MAC under the hash of the session's own cookie; together with Host, Origin and
Sec-Fetch-Site it proves that the form is ours and this browser's. Behind it stands a mark of the person: whose the form
is, when its session has ended. The mark alone lets nothing be done.
Rule 3: a form that was open while its person signed in again is still theirs: nothing that was typed is lost.

Source: the threat model, A2; RFC 6265bis section 4.1.3.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass, field
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from keyturn.core.access.roles import Permission
from keyturn.core.secret import Secret
from keyturn.engine.actor import Actor
from keyturn.engine.people.people import SESSION_LIVES_S, SignedIn
from keyturn.web.kit.guarded_pages import REQUEST_ID
from keyturn.web.kit.posts import Form

TOKEN_INPUT: Final = "form"  # noqa: S105  (the hidden input's name)
_MAC_DIGITS: Final = 64
_TOKEN: Final = re.compile(r"[0-9a-f]{128}")


@dataclass(frozen=True, slots=True)
class SessionCookie:
    """The cookie's name and flags: `__Host-` and Secure where the instance is reached by https.

    `stem`: of the name. `lives_s`: how long the browser keeps it.
    """

    secure: bool
    stem: str = "keyturn-console"
    lives_s: float = SESSION_LIVES_S

    @property
    def name(self) -> str:
        """The name; without TLS, as on loopback, a browser would not take one with the prefix."""
        return f"__Host-{self.stem}" if self.secure else self.stem

    def value(self, request: Request) -> str:
        """What this browser holds; empty where it holds none."""
        return request.cookies.get(self.name, "")

    def put(self, response: Response, value: Secret) -> None:
        """Give it to the browser."""
        response.set_cookie(
            self.name,
            value.reveal(),
            max_age=int(self.lives_s),
            path="/",
            secure=self.secure,
            httponly=True,
            samesite="lax",
        )

    def drop(self, response: Response) -> None:
        """Take it away."""
        response.delete_cookie(self.name, path="/", secure=self.secure, httponly=True, samesite="lax")


@dataclass(frozen=True, slots=True)
class Visit:
    """One request of somebody who is signed in. `form`: of a POST, token checked; empty for a GET."""

    request: Request
    who: SignedIn
    cookie: str = field(repr=False)
    form: Form = field(default_factory=lambda: Form({}, {}))

    @property
    def actor(self) -> Actor:
        """Who does what this request asks for."""
        return Actor(self.who.actor_name, self.request_id)

    @property
    def request_id(self) -> str:
        """The request's id."""
        return str(self.request.scope[REQUEST_ID])

    def may(self, permission: Permission) -> bool:
        """Whether this person may."""
        return self.who.may(permission)

    @property
    def token(self) -> str:
        """What this browser's forms carry."""
        return form_token(self.who, self.who.session.digest)

    def path(self, name: str) -> str:
        """A part of the path."""
        return str(self.request.path_params[name])

    def query(self, name: str, otherwise: str = "") -> str:
        """A parameter of the query."""
        return self.request.query_params.get(name, otherwise)


def form_token(who: SignedIn, digest: str) -> str:
    """The token that the forms of this person's session with this digest carry."""
    return hmac.new(digest.encode("ascii"), b"console form", hashlib.sha256).hexdigest() + who.form_mark


def token_holds(who: SignedIn, token: str) -> bool:
    """Whether a form carries the token of this session, or of the one whose place it took."""
    digests = (who.session.digest, who.session.before)
    return token.isascii() and any(hmac.compare_digest(form_token(who, each), token) for each in digests if each)


def is_token(token: str) -> bool:
    """Whether this looks like the token of a session, whosever."""
    return _TOKEN.fullmatch(token) is not None


def marks(who: SignedIn, token: str) -> bool:
    """Whether a form was this person's, in whichever session it was opened."""
    return is_token(token) and hmac.compare_digest(who.form_mark, token[_MAC_DIGITS:])
