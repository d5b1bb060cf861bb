"""API keys: made once, shown once, stored as a hash; checked from memory.

Rule: what a check writes is a time in memory; it goes to the store later, in one write for all keys.

Source: the threat model, A1.
"""

from __future__ import annotations

import binascii
import hashlib
import hmac
import re
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from keyturn.core.audit_record import AuditRecord
from keyturn.core.errors import ApiKeyExpired, Finding, ForbiddenScope, NotFound, Unauthenticated, ValidationFailed
from keyturn.core.field_values import check_owner
from keyturn.core.secret import Secret
from keyturn.engine.actor import Actor
from keyturn.ports.access.api_keys import ApiKey, ApiKeyStore
from keyturn.ports.clock import Clock, Entropy

PREFIX: Final = "kt_"
SCOPES: Final = ("read", "call", "token", "connect", "login", "admin")
ADMIN: Final = "admin"
CREATED: Final = "api_key.created"
REVOKED: Final = "api_key.revoked"
ROLLED: Final = "api_key.rolled"
NOTED_EVERY_S: Final = 60.0
LONGEST: Final = 512
KEPT: Final = 4096
_FORM: Final = re.compile(r"kt_[A-Za-z0-9_-]{43}[0-9a-f]{8}")


@dataclass(frozen=True, slots=True)
class Principal:
    """Who calls: an API key's id, its scopes, the connectors and owners that it is limited to (none: all), its end.

    `expires_at`: Unix seconds; None where it has none.
    """

    id: str
    scopes: frozenset[str]
    connectors: frozenset[str] = frozenset()
    project: str = "default"
    expires_at: float | None = None
    owners: frozenset[str] = frozenset()

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

    def sees_owner(self, owner: str) -> bool:
        """Whether the key may know of this owner, and of what is the owner's."""
        return not self.owners or owner in self.owners

    @property
    def limited(self) -> bool:
        """Whether there is anything that the key may not know of."""
        return bool(self.connectors or self.owners)

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
        self._used: dict[str, float] = {}  # key → when, as far as it was not written down
        self._noted: dict[str, float] = {}  # key → the time that was
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
            raise Unauthenticated(logged={"why": "absent" if text is None else "doubtful"})
        if (known := self.recall(text)) is not None:
            return known
        if not _FORM.fullmatch(text) or _checksum(text[: -len("00000000")]) != text[-8:]:
            raise Unauthenticated(logged={"why": "malformed"})
        while True:
            forgotten = self._forgotten
            key = await self._store.find(_digest(text))
            if key is None:
                raise Unauthenticated(logged={"why": "unknown"})
            if key.revoked_at is not None:
                raise Unauthenticated(logged={"why": "revoked", "key": key.id})
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
        owners: Iterable[str] = (),
        expires_at: float | None = None,
    ) -> tuple[ApiKey, Secret]:
        """Make a key; the second part of the result is the only time that it can be read.

        `connectors`, `owners`: what it is limited to; none: all. `expires_at`: Unix seconds. Raises ValidationFailed.
        """
        scopes, owners = list(scopes), list(owners)
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
        for n, owner in enumerate(owners):
            errors += [replace(each, pointer=f"/owners/{n}") for each in check_owner(owner)]
        if errors:
            raise ValidationFailed(errors=errors)
        text = self._new_text()
        key = ApiKey(
            self._entropy.identifier("key"),
            name.strip(),
            _digest(text),
            frozenset(scopes),
            self._clock.now(),
            frozenset(connectors),
            expires_at,
            owners=frozenset(owners),
            created_by=actor.name,
        )
        await self._store.add(key, records=[self._record(CREATED, key.id, actor)])
        return key, Secret(text)

    async def roll(
        self, key_id: str, actor: Actor, *, overlap_s: float, ends_by: float | None = None
    ) -> tuple[ApiKey, Secret]:
        """Make a key that takes this one's place: the same name, scopes and limits, and as long a life.

        The old one goes on for `overlap_s` seconds, or to its own end, if that comes before; with 0 it ends at once.
        `ends_by`: the new one lives no longer, Unix seconds.

        Raises:
            NotFound: there is none, or it has ended.
        """
        old, now = await self._store.load(key_id), self._clock.now()
        if old is None:
            raise NotFound("There is no such API key.")
        lives_s = None if old.expires_at is None else old.expires_at - old.created_at
        ends = [each for each in (None if lives_s is None else now + lives_s, ends_by) if each is not None]
        text = self._new_text()
        new = replace(
            old,
            id=self._entropy.identifier("key"),
            digest=_digest(text),
            created_at=now,
            expires_at=min(ends, default=None),
            created_by=actor.name,
            last_used_at=None,
        )
        records = [self._record(ROLLED, old.id, actor, to=new.id, overlap_s=round(overlap_s))]
        if not await self._store.roll(old.id, new, ends_at=now + overlap_s, records=records):
            raise NotFound("There is no such API key.")
        self.forget(old.id)
        return new, Secret(text)

    async def list(self) -> list[ApiKey]:
        """All that are not revoked."""
        return list(await self._store.list())

    async def load(self, key_id: str) -> ApiKey:
        """One that is not revoked; NotFound."""
        found = await self._store.load(key_id)
        if found is None or found.revoked_at is not None:
            raise NotFound("There is no such API key.")
        return found

    async def known(self, key_id: str) -> ApiKey | None:
        """One that a record names, also if revoked since; None where there never was one."""
        return await self._store.load(key_id)

    async def flush_uses(self) -> None:
        """Write down when keys were last used: each once a minute at most.

        Raises:
            StoreUnavailable: nothing was; it is the next time.
        """
        now = self._clock.now()
        due = {key: at for key, at in self._used.items() if now - self._noted.get(key, 0.0) >= NOTED_EVERY_S}
        if not due:
            return
        await self._store.note_uses(due)
        for key, at in due.items():
            if self._used.get(key) == at:
                del self._used[key]
        self._noted = {key: at for key, at in self._noted.items() if now - at < NOTED_EVERY_S} | dict.fromkeys(due, now)

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
        now = self._clock.now()
        if key.expires_at is not None and now >= key.expires_at:
            raise ApiKeyExpired(logged={"key": key.id})
        self._used[key.id] = now
        return Principal(key.id, key.scopes, key.connectors, key.project, key.expires_at, key.owners)

    def _new_text(self) -> str:
        body = PREFIX + self._entropy.token(32)
        return body + _checksum(body)

    def _record(self, action: str, key_id: str, actor: Actor, **facts: str | int) -> AuditRecord:
        about = {"api_key": key_id, **facts}
        return AuditRecord(self._clock.now(), action, actor.name, request_id=actor.request_id, facts=about)


def _digest(text: str) -> str:
    """SHA-256 is enough for 256 random bits; the operator's own admin key is never stored."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _checksum(body: str) -> str:
    """Lets a scanner tell a leaked key from a random text, and a typing error from an unknown key."""
    return f"{binascii.crc32(body.encode()):08x}"
