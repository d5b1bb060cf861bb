"""One try to sign in, as the browser keeps it: everything that binds the provider's answer to it comes from its secret.

Rule 1: the server keeps nothing of a try, so that nobody can fill it with them.
Rule 2: what the provider sees (state, nonce, challenge) says nothing of the secret, nor of the verifier.
Rule 3: state covers where to go afterwards: an answer fits one try as it was begun, or none.

Sources: RFC 6749 section 10.12; RFC 7636; OpenID Connect Core 1.0 section 15.5.2; RFC 9700 section 2.1.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from dataclasses import dataclass
from typing import Final

from keyturn.core.secret import Secret

LIVES_S: Final = 10 * 60.0
LONGEST_AFTER: Final = 2_000
_LONGEST: Final = 4_000


@dataclass(frozen=True, slots=True)
class Attempt:
    """`after`: the path to go to. `again`: the person has to prove anew who they are. `begun_at`: Unix seconds."""

    secret: Secret
    begun_at: float
    after: str = "/"
    again: bool = False

    @property
    def state(self) -> str:
        """What the provider sends back through the browser."""
        return self._derived(b"state" + self._told())

    @property
    def nonce(self) -> str:
        """What has to stand in the ID token."""
        return self._derived(b"nonce")

    @property
    def verifier(self) -> Secret:
        """What only we can show when the code is exchanged."""
        return Secret(self._derived(b"verifier"))

    @property
    def challenge(self) -> str:
        """The verifier's hash, S256."""
        return _text(hashlib.sha256(self._derived(b"verifier").encode("ascii")).digest())

    def is_over(self, now: float) -> bool:
        """Whether it was begun too long ago."""
        return not 0 <= now - self.begun_at < LIVES_S

    def kept(self) -> Secret:
        """What the browser keeps of it."""
        return Secret(f"{self.secret.reveal()}.{_text(self._told())}")

    def _told(self) -> bytes:
        return json.dumps([self.begun_at, self.after, self.again], separators=(",", ":")).encode("ascii")

    def _derived(self, what: bytes) -> str:
        return _text(hmac.new(self.secret.reveal().encode("ascii"), what, hashlib.sha256).digest())


def read_attempt(text: str) -> Attempt | None:
    """The try that a browser kept; None where it keeps none that can be read."""
    secret, dot, told = text.partition(".")
    if not dot or not secret or len(text) > _LONGEST or not text.isascii():
        return None
    try:
        begun_at, after, again = json.loads(base64.urlsafe_b64decode(told + "=" * (-len(told) % 4)))
    except (ValueError, TypeError, binascii.Error, RecursionError):
        return None
    if isinstance(begun_at, bool) or not isinstance(begun_at, int | float) or not isinstance(after, str):
        return None
    return Attempt(Secret(secret), float(begun_at), after, again is True)


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")
