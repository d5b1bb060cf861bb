"""Replies that may be asked for again, for a day.

A reply may hold what is shown once (an API key, a link), so it is sealed; the caller's key is kept as a keyed hash.
"""

from __future__ import annotations

import base64
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from keyturn.adapters.sealing.sealed_value import Place
from keyturn.adapters.sealing.secret_json import decoded, encoded
from keyturn.adapters.store.database.engine import Database
from keyturn.adapters.store.database.meta import StoreKeys
from keyturn.adapters.store.database.schema import idempotency
from keyturn.ports.access.idempotency import StoredReply

REPLY_LIFE_S: Final = 86_400.0
CLAIM_LIFE_S: Final = 120.0
_c = idempotency.c


class SqlIdempotencyStore:
    """Promises: the port's."""

    def __init__(self, database: Database, store_keys: StoreKeys) -> None:
        self._database = database
        self._store_keys = store_keys

    async def begin(self, key: str, request_digest: str, *, now: float) -> StoredReply | None:
        """Claim the key, or read what it stands for already."""
        key_hash = self._hash(key)
        claim = {
            "key_hash": key_hash,
            "request_digest": request_digest,
            "claimed_at": now,
            "status": None,
            "sealed_reply": None,
        }
        lapsed = sa.and_(_c.status.is_(None), _c.claimed_at <= now - CLAIM_LIFE_S)

        def body(tx: sa.Connection) -> sa.Row[Any] | None:
            tx.execute(sa.delete(idempotency).where(_c.claimed_at <= now - REPLY_LIFE_S))
            claiming = insert(idempotency).values(claim)
            claiming = claiming.on_conflict_do_update(index_elements=["key_hash"], set_=claim, where=lapsed)
            if tx.execute(claiming).rowcount == 1:
                return None
            return tx.execute(sa.select(idempotency).where(_c.key_hash == key_hash)).one()

        row = await self._database.write(body)
        return None if row is None else self._reply_in(row)

    async def finish(self, key: str, reply: StoredReply) -> None:
        """Store the reply, for the request that holds the claim."""
        key_hash = self._hash(key)
        content = {
            "body": None if reply.body is None else base64.b64encode(reply.body).decode(),
            "headers": reply.headers,
        }
        sealed = self._store_keys.replies.seal(_place(key_hash, reply.request_digest), encoded(content))
        storing = (
            sa.update(idempotency)
            .where(_c.key_hash == key_hash, _c.request_digest == reply.request_digest, _c.status.is_(None))
            .values(status=reply.status, sealed_reply=sealed)
        )
        await self._database.write(lambda tx: tx.execute(storing))

    async def abandon(self, key: str) -> None:
        """Give the claim back."""
        giving = sa.delete(idempotency).where(_c.key_hash == self._hash(key), _c.status.is_(None))
        await self._database.write(lambda tx: tx.execute(giving))

    async def purge(self, *, claimed_before: float) -> int:
        """Take away what is older."""
        old = sa.delete(idempotency).where(_c.claimed_at < claimed_before)
        return await self._database.write(lambda tx: tx.execute(old).rowcount)

    def _hash(self, key: str) -> bytes:
        return self._store_keys.hash_of("idempotency key", key)

    def _reply_in(self, row: sa.Row[Any]) -> StoredReply:
        if row.sealed_reply is None:
            return StoredReply(row.request_digest, None, None)
        place = _place(row.key_hash, row.request_digest)
        content = decoded(self._store_keys.replies.unseal(place, row.sealed_reply))
        return StoredReply(
            request_digest=row.request_digest,
            status=row.status,
            body=None if content["body"] is None else base64.b64decode(content["body"]),
            headers=tuple((name, value) for name, value in content["headers"]),
        )


def _place(key_hash: bytes, request_digest: str) -> Place:
    return Place("", f"reply:{key_hash.hex()}", request_digest)
