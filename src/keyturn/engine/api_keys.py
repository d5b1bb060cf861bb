"""API keys: made once, shown once, stored as a hash; checked from memory.

Source: the threat model, A1.
"""

from __future__ import annotations

import binascii
import hashlib
import hmac
import re
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from keyturn.core.audit_record import AuditRecord
from keyturn.core.errors import ApiKeyExpired, Finding, ForbiddenScope, NotFound, Unauthenticated, ValidationFailed
from keyturn.core.secret import Secret
from keyturn.engine.actor import Actor
from keyturn.ports.clock import Clock, Entropy
from keyturn.ports.store import ApiKey, ApiKeyStore

PREFIX: Final = "kt_"
SCOPES: Final = ("read", "call", "token", "connect", "login", "admin")
ADMIN: Final = "admin"
REVOKED: Final = "api_key.revoked"
LONGEST: Final = 512
KEPT: Final = 4096
_FORM: Final = re.compile(r"kt_[A-Za-z0-9_-]{43}[0-9a-f]{8}")


@dataclass(frozen=True, slots=True)
class Principal:
    """Who calls: an API key's id, its scopes, the connectors that it is limited to (none: all), and its end.

    `expires_at`: Unix seconds; None where it has none.
    """

    id: str
    scopes: frozenset[str]
    connectors: frozenset[str] = frozenset()
    project: str = "default"
    expires_at: float | None = None

    def allows(self, scope: str) -> bool:
        """Whether the key has this scope; `admin` has all."""
        return scope in self.scopes or ADMIN in self.scopes

    def require(self, scope: str) -> None:
        """Raise ForbiddenScope, naming the scope, where the key has not got it."""
        if not self.allows(scope):
            raise ForbiddenScope(extensions={"required_scope": scope})

    def sees(self, connector: str) -> bool:
        """Whether the key may know of this connector and its connections."""
        return not self.connectors or connector in self.connectors

    @property
    def actor_name(self) -> str:
        """As the audit log names it."""
        return f"key:{self.id}"


class ApiKeys:
    """Makes, checks and revokes API keys."""

    def __init__(self, store: ApiKeyStore, clock: Clock, entropy: Entropy, admin: Secret | None = None) -> None:
        self._store = store
        self._clock = clock
        self._entropy = entropy
        self._admin = _digest(admin.reveal()) if admin is not None else None
        self._known: OrderedDict[str, ApiKey] = OrderedDict()
        self._forgotten = 0  # how often something was; a key read before that is not remembered after it

    def recall(self, text: str) -> Principal | None:
        """The caller, if memory is enough to tell."""
        if len(text) > LONGEST:
            return None
        digest = _digest(text)
        if self._admin is not None and hmac.compare_digest(digest, self._admin):
            return Principal("environment", frozenset({ADMIN}))
        key = self._known.get(digest)
        return self._principal(key) if key is not None else None

    async def authenticate(self, text: str | None) -> Principal:
        """Say who calls.

        Raises:
            Unauthenticated: none, malformed, unknown or revoked.
            ApiKeyExpired: it was good once.
        """
        if not text:
            raise Unauthenticated
        if (known := self.recall(text)) is not None:
            return known
        if not _FORM.fullmatch(text) or _checksum(text[: -len("00000000")]) != text[-8:]:
            raise Unauthenticated
        while True:
            forgotten = self._forgotten
            key = await self._store.find(_digest(text))
            if key is None or key.revoked_at is not None:
                raise Unauthenticated
            principal = self._principal(key)
            if forgotten == self._forgotten:
                break  # else one was revoked while this was read: perhaps this one
        self._known[key.digest] = key
        if len(self._known) > KEPT:
            self._known.popitem(last=False)
        return principal

    async def create(
        self,
        name: str,
        scopes: Iterable[str],
        actor: Actor,
        *,
        connectors: Iterable[str] = (),
        expires_at: float | None = None,
    ) -> tuple[ApiKey, Secret]:
        """Make a key; the second part of the result is the only time that it can be read.

        `expires_at`: Unix seconds. Raises ValidationFailed.
        """
        scopes = list(scopes)
        errors = [
            Finding(f"/scopes/{n}", "unknown_scope", f"The scopes are: {', '.join(SCOPES)}.")
            for n, scope in enumerate(scopes)
            if scope not in SCOPES
        ]
        if not scopes:
            errors.append(Finding("/scopes", "required", f"Give one or more of: {', '.join(SCOPES)}."))
        if not name.strip() or len(name) > 100 or not name.isprintable():
            errors.append(
                Finding("/name", "invalid", "A name has 1 to 100 characters, none of them a control character.")
            )
        if expires_at is not None and expires_at <= self._clock.now():
            errors.append(Finding("/expires_at", "invalid", "The expiry lies in the past."))
        if errors:
            raise ValidationFailed(errors=errors)
        body = PREFIX + self._entropy.token(32)
        text = body + _checksum(body)
        key = ApiKey(
            self._entropy.identifier("key"),
            name.strip(),
            _digest(text),
            frozenset(scopes),
            self._clock.now(),
            frozenset(connectors),
            expires_at,
        )
        await self._store.add(key, records=[self._record("api_key.created", key.id, actor)])
        return key, Secret(text)

    async def list(self) -> list[ApiKey]:
        """All that are not revoked."""
        return list(await self._store.list())

    async def revoke(self, key_id: str, actor: Actor) -> None:
        """Revoke one at once, in this process from the moment it has committed; NotFound if there is none."""
        record = self._record(REVOKED, key_id, actor)
        if not await self._store.revoke(key_id, at=self._clock.now(), records=[record]):
            raise NotFound("There is no such API key.")
        self.forget(key_id)

    def forget(self, key_id: str) -> None:
        """Ask the store again for this key: it was revoked, here or by another process."""
        self._forgotten += 1
        for digest, key in list(self._known.items()):
            if key.id == key_id:
                del self._known[digest]

    def forget_all(self) -> None:
        """Ask the store again for every key."""
        self._forgotten += 1
        self._known.clear()

    def _principal(self, key: ApiKey) -> Principal:
        if key.expires_at is not None and self._clock.now() >= key.expires_at:
            raise ApiKeyExpired
        return Principal(key.id, key.scopes, key.connectors, key.project, key.expires_at)

    def _record(self, action: str, key_id: str, actor: Actor) -> AuditRecord:
        return AuditRecord(
            self._clock.now(), action, actor.name, request_id=actor.request_id, facts={"api_key": key_id}
        )


def _digest(text: str) -> str:
    """SHA-256 is enough for 256 random bits; the operator's own admin key is never stored."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _checksum(body: str) -> str:
    """Lets a scanner tell a leaked key from a random text, and a typing error from an unknown key."""
    return f"{binascii.crc32(body.encode()):08x}"
