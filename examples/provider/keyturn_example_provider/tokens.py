"""The tokens: families, generations, rotation and what ends them.

A login starts a family; each refresh makes its next generation. A refresh token is good once: seen again, it was
copied, and the whole family ends (RFC 9700 section 4.14.2). Access tokens of earlier generations live until they
expire. Nothing here keeps a token, only its SHA-256, so nothing here can leak one.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, field
from enum import StrEnum

FAMILIES_KEPT = 1_000  # a bound on memory; the oldest is forgotten first
ENDED_SHOWN_FOR_S = 600.0


class Kind(StrEnum):
    """Which of the two tokens."""

    ACCESS = "access"
    REFRESH = "refresh"


class End(StrEnum):
    """How a token ended, or why it is refused."""

    UNKNOWN = "unknown"
    EXPIRED = "expired"
    ROTATED = "rotated"
    REVOKED = "revoked"
    REUSED = "reused"


@dataclass(slots=True)
class Family:
    """All the tokens that came of one login. `ended` is None while it lives."""

    number: int
    username: str
    client_id: str
    scope: str
    generation: int = 1
    ended: End | None = None


@dataclass(slots=True)
class Token:
    """One token, by its digest. `expires_at` in seconds since the epoch."""

    kind: Kind
    digest: str
    family: Family
    generation: int
    scope: str
    expires_at: float
    ended: End | None = None

    @property
    def fingerprint(self) -> str:
        """The first 12 hex digits of the SHA-256 of the token."""
        return self.digest[:12]

    def end_at(self, now: float) -> End | None:
        """Say how the token has ended at `now`, or None while it is good."""
        return self.ended or self.family.ended or (End.EXPIRED if self.expires_at <= now else None)


@dataclass(frozen=True, slots=True)
class Pair:
    """What a login or a refresh hands out, the only place where the tokens themselves are."""

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    family: Family
    generation: int
    scope: str


class TokenRefusedError(Exception):
    """A token is not good; `token` is None when it was never issued here (or was long forgotten)."""

    def __init__(self, end: End, token: Token | None) -> None:
        super().__init__(end.value)
        self.end = end
        self.token = token


class ScopeTooWideError(Exception):
    """A refresh asked for more than the login was given. Nothing was used up."""


@dataclass(slots=True)
class Tokens:
    """Every token issued since the start. Times are seconds since the epoch."""

    access_ttl_s: int
    refresh_ttl_s: int
    _families: dict[int, Family] = field(default_factory=dict)
    _tokens: dict[str, Token] = field(default_factory=dict)
    _last: int = 0

    def start_family(self, username: str, client_id: str, scope: str, *, now: float) -> Pair:
        """Issue the first pair after a login."""
        self._last += 1
        family = Family(self._last, username, client_id, scope)
        self._families[family.number] = family
        self._forget(now)
        return self._issue(family, scope, now)

    def rotate(self, refresh_token: str, scope: str | None, *, client_id: str, now: float) -> Pair:
        """Spend a refresh token and issue the next generation.

        Args:
            scope: space-separated and no wider than the login's; None keeps it.

        Raises:
            TokenRefusedError: unknown, expired, revoked, another client's, or seen before (that ends the family).
            ScopeTooWideError: RFC 6749 section 6.
        """
        token = self._tokens.get(digest_of(refresh_token))
        if token is None or token.kind is not Kind.REFRESH or token.family.client_id != client_id:
            raise TokenRefusedError(End.UNKNOWN, None)
        if token.ended is End.ROTATED and token.family.ended is None:
            token.family.ended = End.REUSED
        end = token.end_at(now)
        if end is not None:
            raise TokenRefusedError(End.REUSED if token.family.ended is End.REUSED else end, token)
        if scope is not None and not set(scope.split()) <= set(token.family.scope.split()):
            raise ScopeTooWideError
        token.ended = End.ROTATED
        token.family.generation += 1
        self._forget(now)
        return self._issue(token.family, scope or token.family.scope, now)

    def check_access(self, access_token: str, *, now: float) -> Token:
        """Return the good access token; raise TokenRefusedError."""
        token = self._tokens.get(digest_of(access_token))
        if token is None or token.kind is not Kind.ACCESS:
            raise TokenRefusedError(End.UNKNOWN, None)
        end = token.end_at(now)
        if end is not None:
            raise TokenRefusedError(end, token)
        return token

    def revoke(self, text: str, *, client_id: str) -> Token | None:
        """End an access token alone, or with a refresh token the family; None when it isn't this client's."""
        token = self._tokens.get(digest_of(text))
        if token is None or token.family.client_id != client_id:
            return None
        if token.kind is Kind.REFRESH:
            token.family.ended = token.family.ended or End.REVOKED
        else:
            token.ended = token.ended or End.REVOKED
        return token

    def end_access(self, fingerprint: str) -> bool:
        """End the access token with this fingerprint; False when there is none."""
        found = [t for t in self._tokens.values() if t.kind is Kind.ACCESS and t.fingerprint == fingerprint]
        for token in found:
            token.ended = token.ended or End.REVOKED
        return bool(found)

    def end_family(self, number: int) -> bool:
        """End every token of a family; False when there is no such family."""
        family = self._families.get(number)
        if family is None:
            return False
        family.ended = family.ended or End.REVOKED
        return True

    def expire_access(self, *, now: float) -> int:
        """Let every good access token expire now, as if its time were over; return how many."""
        good = [t for t in self._tokens.values() if t.kind is Kind.ACCESS and t.end_at(now) is None]
        for token in good:
            token.expires_at = now
        return len(good)

    def sessions_of(self, username: str, *, now: float) -> int:
        """Count the families of an account that have a good token."""
        live = {
            token.family.number
            for token in self._tokens.values()
            if token.family.username == username and token.end_at(now) is None
        }
        return len(live)

    def families(self) -> list[Family]:
        """List the families, newest first."""
        return sorted(self._families.values(), key=lambda family: -family.number)

    def newest(self, family: Family, *, now: float) -> list[Token]:
        """List a family's good tokens and the latest of each kind, newest first."""
        own = [t for t in self._tokens.values() if t.family is family]
        shown = [t for t in own if t.generation == family.generation or t.end_at(now) is None]
        return sorted(shown, key=lambda token: (-token.generation, token.kind))

    def _issue(self, family: Family, scope: str, now: float) -> Pair:
        pair = Pair(
            "at_" + secrets.token_urlsafe(32), "rt_" + secrets.token_urlsafe(32), family, family.generation, scope
        )
        for kind, text, life in (
            (Kind.ACCESS, pair.access_token, self.access_ttl_s),
            (Kind.REFRESH, pair.refresh_token, self.refresh_ttl_s),
        ):
            digest = digest_of(text)
            self._tokens[digest] = Token(kind, digest, family, family.generation, scope, now + life)
        return pair

    def _forget(self, now: float) -> None:
        # A spent refresh token is remembered as long as it would have lived: that is what finds a reuse.
        while len(self._families) > FAMILIES_KEPT:
            del self._families[min(self._families)]
        self._tokens = {
            digest: token
            for digest, token in self._tokens.items()
            if token.family.number in self._families and token.expires_at + ENDED_SHOWN_FOR_S > now
        }


def digest_of(text: str) -> str:
    """Give the SHA-256 of a token, 64 hex digits; the first 12 are its fingerprint."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
