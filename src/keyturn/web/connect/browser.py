"""Which browser is at the page: its cookie, and the tokens of the forms that it was given.

Rule 1: one cookie for all of a browser's sessions, the newest first: two tabs connect two accounts side by side.
Rule 2: a form's token is a MAC under the session's own cookie. It proves that the form is ours and this browser's,
holds the nonce that tells a double post, and covers what the page said (so that nothing else is sent than was shown).
Rule 3: SameSite=Strict: nobody is led into the middle of a session from another site; the one way in, the link,
needs no cookie. So no other site can make this browser act here, not even by a link.

Source: the threat model, L3; RFC 6265bis section 4.1.3 for the cookie's prefix.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass, field
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from keyturn.core.errors import NotFound
from keyturn.core.secret import Secret
from keyturn.engine.login.connect_sessions import ConnectSessions
from keyturn.ports.clock import Entropy
from keyturn.ports.store import ConnectSession

MOST_SESSIONS: Final = 4
COOKIE_LIVES_S: Final = 3600
_VALUE: Final = re.compile(r"[A-Za-z0-9_-]{20,100}")
_NONCE: Final = re.compile(r"[A-Za-z0-9_-]{16,64}")


@dataclass(frozen=True, slots=True)
class CookieJar:
    """The cookie's name and flags: `__Host-` and Secure where the instance is reached by https."""

    secure: bool

    @property
    def name(self) -> str:
        """The name; without TLS, as on loopback, a browser would not take one with the prefix."""
        return "__Host-keyturn-connect" if self.secure else "keyturn-connect"

    def values(self, request: Request) -> list[str]:
        """What this browser holds, newest first."""
        found = request.cookies.get(self.name, "").split(".")
        return [value for value in found if _VALUE.fullmatch(value)][:MOST_SESSIONS]

    def put(self, request: Request, response: Response, new: Secret) -> None:
        """Give the browser the value of the session that it just claimed, beside those it has."""
        values = [new.reveal(), *self.values(request)][:MOST_SESSIONS]
        response.set_cookie(
            self.name,
            ".".join(values),
            max_age=COOKIE_LIVES_S,
            path="/",
            secure=self.secure,
            httponly=True,
            samesite="strict",
        )


@dataclass(frozen=True, slots=True)
class Browser:
    """The browser that claimed a session, by its cookie's value for it."""

    session_id: str
    cookie: str = field(repr=False)

    def token(self, purpose: str, entropy: Entropy, shown: str = "") -> str:
        """A new token for a form. `shown`: what the page says that has to be true still when the form comes back."""
        nonce = entropy.token(16)
        return f"{nonce}.{self._mac(purpose, nonce, shown)}"

    def nonce_of(self, token: str, purpose: str, shown: str = "") -> str | None:
        """The nonce of a token that this browser was given for this purpose; None for any other."""
        nonce, _, mac = token.partition(".")
        if not _NONCE.fullmatch(nonce) or not mac.isascii():
            return None
        return nonce if hmac.compare_digest(mac, self._mac(purpose, nonce, shown)) else None

    def _mac(self, purpose: str, nonce: str, shown: str) -> str:
        parts = (self.session_id, purpose, nonce, shown)
        text = "".join(f"{len(part)}:{part}" for part in parts)
        return hmac.new(self.cookie.encode(), text.encode(), hashlib.sha256).hexdigest()


async def browser_of(
    request: Request, jar: CookieJar, sessions: ConnectSessions, session_id: str
) -> tuple[ConnectSession, Browser]:
    """The session that this browser claimed.

    Raises:
        NotFound: another browser's, or none. SessionExpired.
    """
    for value in jar.values(request):
        try:
            return await sessions.of_browser(session_id, value), Browser(session_id, value)
        except NotFound:
            continue
    raise NotFound
