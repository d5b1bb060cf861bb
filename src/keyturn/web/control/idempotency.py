"""`Idempotency-Key`: a request that is sent again gets the first one's answer, and nothing is done twice.

Rule 1: a key belongs to one API key and one call; another's request can't be replayed.
Rule 2: what is stored of a request is a digest of its members that are no secret. The others (password, username,
fields, answers, codes, a call's headers and body, a pasted command) are compared under a key that only this process
has: a database that is stolen says nothing of them, and a request that comes again after a restart is told from another
by its other members.
Rule 3: an answer is stored without the members that are secret; a replay shows null in their place, or a link anew.
Rule 4: stored is what was done: answers of success, and refusals that the provider was asked for. Where nothing was
done the key is given back, so that the same request may be sent again.

Sources: draft-ietf-httpapi-idempotency-key-header-07; the threat model, I4.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from starlette.responses import Response

from keyturn.core.errors import (
    BadRequest,
    IdempotencyInProgress,
    IdempotencyKeyReused,
    KeyturnError,
    StoreUnavailable,
)
from keyturn.ports.access.idempotency import IdempotencyStore, StoredReply
from keyturn.ports.clock import Clock, Entropy

HEADER: Final = "idempotency-key"
REPLAYED: Final = "idempotency-replayed"
SECRET_MEMBERS: Final = frozenset(
    {"username", "password", "fields", "answers", "code", "client_secret", "headers", "body", "curl"}
)
KEPT_HEADERS: Final = frozenset({"content-type", "etag", "location"})
# The provider had its say, or an account would be asked about twice: the same request is not made again.
DONE: Final = frozenset(
    {
        "provider_credentials_rejected",
        "provider_mfa_unsupported",
        "provider_otp_invalid",
        "provider_account_locked",
        "provider_password_expired",
        "provider_interaction_required",
        "provider_access_denied",
        "provider_timeout",
        "provider_bad_response",
        "connection_test_failed",
        "connection_exists",
        "identity_mismatch",
        "unique_id_missing",
    }
)
_KEY: Final = re.compile(r"[\x21-\x7e]{1,255}")
_PLAIN, _TAG, _KEYED = 32, 8, 24  # hex digits of the three parts of a digest


@dataclass(frozen=True, slots=True)
class Claim:
    """A key that this request holds."""

    key: str
    digest: str


class Replays:
    """Claims keys, compares requests, stores answers."""

    def __init__(self, store: IdempotencyStore, clock: Clock, entropy: Entropy) -> None:
        self._store = store
        self._clock = clock
        self._secret = entropy.token(32).encode("ascii")
        self._tag = hashlib.sha256(entropy.token(16).encode("ascii")).hexdigest()[:_TAG]

    async def begin(self, header: str, caller: str, place: str, value: Any, raw: bytes) -> Claim | StoredReply:
        """Claim a key, or read the reply that stands under it.

        Args:
            header: the value of `Idempotency-Key`.
            caller: the API key's id.
            place: method, path and query.
            value: the JSON body, None where there is none or it is another kind of text.
            raw: the body's bytes.

        Raises:
            BadRequest: the header is no key.
            IdempotencyInProgress, IdempotencyKeyReused.
        """
        if not _KEY.fullmatch(header):
            raise BadRequest("An Idempotency-Key has 1 to 255 visible ASCII characters.")
        key = hashlib.sha256("\n".join((caller, place, header)).encode("utf-8", "surrogatepass")).hexdigest()
        digest = self._digest(value, raw)
        found = await self._store.begin(key, digest, now=self._clock.now())
        if found is None:
            return Claim(key, digest)
        if not self._same(found.request_digest, digest):
            raise IdempotencyKeyReused
        if found.status is None:
            raise IdempotencyInProgress(retry_after_s=1.0)
        return found

    async def finish(self, claim: Claim, response: Response, secret: Sequence[str]) -> None:
        """Store an answer; a database that is gone costs the replay, not the answer."""
        body = bytes(response.body)
        if secret and body:
            members = json.loads(body)
            without = {**members, **dict.fromkeys(secret)}
            body = json.dumps(without, ensure_ascii=False, separators=(",", ":")).encode()
        kept = tuple((k, v) for k, v in response.headers.items() if k in KEPT_HEADERS)
        with suppress(StoreUnavailable):
            await self._store.finish(claim.key, StoredReply(claim.digest, response.status_code, body, kept))

    async def refused(self, claim: Claim, error: KeyturnError, response: Response) -> None:
        """Store a refusal of the provider's; give the key back after any other."""
        if error.code in DONE:
            await self.finish(claim, response, ())
            return
        with suppress(StoreUnavailable):
            await self._store.abandon(claim.key)

    def _digest(self, value: Any, raw: bytes) -> str:
        plain: bytes = raw
        hidden: bytes = b""
        if isinstance(value, Mapping):
            plain = _canonical({k: v for k, v in value.items() if k not in SECRET_MEMBERS})
            hidden = _canonical({k: v for k, v in value.items() if k in SECRET_MEMBERS})
        keyed = hmac.digest(self._secret, hidden, "sha256").hex()
        return hashlib.sha256(plain).hexdigest()[:_PLAIN] + self._tag + keyed[:_KEYED]

    def _same(self, stored: str, ours: str) -> bool:
        """Whether two digests are of one request, as far as this process can tell."""
        made_here = stored[_PLAIN : _PLAIN + _TAG] == self._tag
        length = len(ours) if made_here else _PLAIN
        return hmac.compare_digest(stored[:length].encode(), ours[:length].encode())


def _canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode("ascii")
