"""The audit log's own keys: one for the MACs, one for the signatures.

Rule 1: both are derived from a data key of the log's own, wrapped like all others; rotating the wrapping key leaves
them as they are, so that old MACs and signatures stay good.
Rule 2: neither is handed out; only the public key is.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final

import sqlalchemy as sa
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from keyturn.adapters.sealing.data_keys import DataKeys, KeyOwner
from keyturn.adapters.store.database.engine import Database
from keyturn.adapters.store.database.schema import meta
from keyturn.core.audit.checkpoint import Checkpoint

_NAME: Final = "audit_key"
_OWNER: Final = KeyOwner("", "store:audit")


@dataclass(frozen=True, slots=True)
class AuditKeys:
    """`mac_key`, `routine_key`: 32 bytes each for HMAC-SHA256, of the main chain and of the routine one."""

    mac_key: bytes = field(repr=False)
    routine_key: bytes = field(repr=False)
    _signing: Ed25519PrivateKey = field(repr=False)

    @property
    def public_key(self) -> bytes:
        """The public key of the signatures, 32 bytes."""
        return self._signing.public_key().public_bytes_raw()

    def signed(self, checkpoint: Checkpoint) -> Checkpoint:
        """Put public key and signature on it."""
        return replace(checkpoint, public_key=self.public_key, signature=self._signing.sign(checkpoint.signed_text()))


def is_signed_by(public_key: bytes, checkpoint: Checkpoint) -> bool:
    """Whether this key signed it; what the checkpoint says of its key does not count."""
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(checkpoint.signature, checkpoint.signed_text())
    except (InvalidSignature, ValueError):
        return False
    return True


async def audit_keys(database: Database, keys: DataKeys) -> AuditKeys:
    """Read the log's data key, or make it where this is the first start that has one.

    Raises:
        KeyUnavailable, StoreUnavailable, SealBroken, WrongKey.
    """
    query = sa.select(meta.c.value).where(meta.c.name == _NAME)
    wrapped: bytes | None = await database.read(lambda tx: tx.execute(query).scalar())
    if wrapped is None:
        made = (await keys.make(_OWNER)).wrapped

        def body(tx: sa.Connection) -> bytes:
            there: bytes | None = tx.execute(query).scalar()
            if there is None:
                tx.execute(sa.insert(meta).values(name=_NAME, value=made))
                return made
            return there

        wrapped = await database.write(body)
    key = await keys.obtain(_OWNER, wrapped)
    signing = Ed25519PrivateKey.from_private_bytes(key.derive(b"audit signatures"))
    return AuditKeys(key.derive(b"audit chain"), key.derive(b"audit routine chain"), signing)
