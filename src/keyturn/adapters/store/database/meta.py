"""What the database says about itself, and the data keys that belong to no single row.

Rule 1: the fingerprint of the current wrapping key stands here from the first start on: it says that something was
sealed. Which keys there are, and which is current, stands in a table of their own (`admit_keys`).
Rule 2: keyed hashes (accounts, idempotency keys) and stored replies have a data key each, wrapped like all others.
"""

from __future__ import annotations

import hmac
import sqlite3
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from keyturn.adapters.sealing.data_keys import DataKey, DataKeys, KeyOwner
from keyturn.adapters.sealing.sealed_value import joined
from keyturn.adapters.store.database.engine import Database
from keyturn.adapters.store.database.schema import meta, plain
from keyturn.core.errors import StoreUnavailable
from keyturn.ports.keys import KeyProvider

FINGERPRINT: Final = "key_fingerprint"
LOOKUP_KEY: Final = "lookup_key"
REPLIES_KEY: Final = "replies_key"
_LOOKUP_OWNER: Final = KeyOwner("", "store:lookup")
_REPLIES_OWNER: Final = KeyOwner("", "store:replies")
BACKUP_MADE_AT: Final = "backup_made_at"  # of a copy, and of the database that it was made of
AUDIT_KEY: Final = "audit_key"  # the log's own, made by its chain
STORE_KEYS: Final = (LOOKUP_KEY, REPLIES_KEY, AUDIT_KEY)


@dataclass(frozen=True, slots=True)
class StoreKeys:
    """The data keys of the store as a whole."""

    lookup: DataKey
    replies: DataKey
    _derived: dict[str, bytes] = field(default_factory=dict, repr=False, compare=False)  # by purpose

    def hash_of(self, purpose: str, *parts: str) -> bytes:
        """Hash parts under the lookup key (HMAC-SHA256); who has only the database can't try names against it."""
        key = self._derived.get(purpose)
        if key is None:
            key = self._derived[purpose] = self.lookup.derive(purpose.encode())
        return hmac.digest(key, joined(*(plain(part) for part in parts)), "sha256")


async def store_keys(database: Database, keys: DataKeys, provider: KeyProvider) -> StoreKeys:
    """Read the store's keys, or make them where this is the first start.

    Raises:
        WrongKey, SealBroken: another key sealed them; `admit_keys` has seen to that before.
        KeyUnavailable, StoreUnavailable: as the provider and the database.
    """
    found = await database.read(_read)
    if not found.keys() >= {FINGERPRINT, LOOKUP_KEY, REPLIES_KEY}:
        made = {
            FINGERPRINT: provider.fingerprint().encode(),
            LOOKUP_KEY: (await keys.make(_LOOKUP_OWNER)).wrapped,
            REPLIES_KEY: (await keys.make(_REPLIES_OWNER)).wrapped,
        }
        found = await database.write(lambda tx: _add(tx, made))
    return StoreKeys(
        lookup=await keys.obtain(_LOOKUP_OWNER, found[LOOKUP_KEY]),
        replies=await keys.obtain(_REPLIES_OWNER, found[REPLIES_KEY]),
    )


def owner_of_store_key(name: str) -> KeyOwner:
    """Whose a data key of the store is, by the name of its row."""
    return KeyOwner("", f"store:{name.removesuffix('_key')}")


def holds_sealed_rows(path: Path) -> bool:
    """Say whether a database exists that something was sealed in; makes and changes nothing.

    Raises:
        StoreUnavailable: there is a file, and it can't be read as a database.
    """
    if not path.exists():
        return False
    try:
        # A reader of a WAL database takes part in its shared memory, so this can't be opened read-only.
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=5.0)
        try:
            if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'meta'").fetchone():
                return False
            return connection.execute("SELECT 1 FROM meta WHERE name = ?", (FINGERPRINT,)).fetchone() is not None
        finally:
            connection.close()
    except sqlite3.Error as error:
        name = getattr(error, "sqlite_errorname", type(error).__name__)
        raise StoreUnavailable(f"the database can't be used: {name}") from None


def _read(tx: sa.Connection) -> dict[str, bytes]:
    return {row.name: row.value for row in tx.execute(sa.select(meta))}


def _add(tx: sa.Connection, made: dict[str, bytes]) -> dict[str, bytes]:
    rows = [{"name": name, "value": value} for name, value in made.items()]
    tx.execute(insert(meta).on_conflict_do_nothing(), rows)
    return _read(tx)
