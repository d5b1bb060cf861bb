"""Seeing, before the first row is read, that every key is at hand that anything is wrapped by.

Rule 1: what is missing or wrong refuses the start, and then nothing was changed.
Rule 2: a key that is named for the first time is a standby; of the first start, and of a database of an older release,
the first that is named or fits is current.
Rule 3: what the database says is current is current, whatever is named first.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from keyturn.adapters.store.database.engine import Database
from keyturn.adapters.store.database.meta import FINGERPRINT
from keyturn.adapters.store.database.schema import meta
from keyturn.adapters.store.database.wrapping_keys import wrapping_keys
from keyturn.adapters.store.keys.wrapped_columns import count_by_key
from keyturn.core.errors import WrongKey
from keyturn.ports.key_custody import KeyState
from keyturn.ports.keys import KeyProvider, KeyRing

_NOT_THE_ONE: Final = "the key at hand is not the one that sealed this database: put the right key in place"
_k = wrapping_keys.c


async def admit_keys(database: Database, ring: KeyRing, now: float, *, lost: str | None = None) -> None:
    """Check all keys, take in the new ones, and let the ring wrap with the current one.

    Args:
        database: migrated already.
        ring: the keys at hand.
        now: Unix seconds.
        lost: a key that is being given up, and so is not needed.

    Raises:
        WrongKey: a key that is needed is not at hand, or is another than the database knows by its id.
        StoreUnavailable: the database can't be used.
    """
    held = ring.held()
    current, is_known = await database.read(lambda tx: _checked(tx, held, ring.key_id, lost))
    if not is_known:
        current = await database.write(lambda tx: _taken_in(tx, held, ring.key_id, now, lost))
    await ring.use(current)


def current_key(tx: sa.Connection) -> str | None:
    """The id of the current key; None before the first start has ended."""
    found: str | None = tx.execute(sa.select(_k.id).where(_k.state == KeyState.CURRENT.value)).scalar()
    return found


def row_of(key: KeyProvider, state: KeyState, at: float) -> dict[str, Any]:
    """A key as the table has it."""
    return {
        "id": key.key_id,
        "provider": key.provider,
        "fingerprint": key.fingerprint(),
        "state": state.value,
        "added_at": at,
        "current_at": at if state is KeyState.CURRENT else None,
        "retired_at": None,
    }


def _checked(tx: sa.Connection, held: Mapping[str, KeyProvider], first: str, lost: str | None) -> tuple[str, bool]:
    """The current key, and whether every key at hand is in the table already; changes nothing."""
    known = {row.id: row.fingerprint for row in tx.execute(sa.select(_k.id, _k.fingerprint))}
    for key_id, fingerprint in known.items():
        if key_id in held and not hmac.compare_digest(held[key_id].fingerprint(), fingerprint):
            raise WrongKey(_NOT_THE_ONE)
    # Once the table has any, it has all that ever wrapped something: another name is a damaged row's, and it alone is
    # out of use.
    needed = sorted(each for each in count_by_key(tx).items() if not known or each[0] in known or each[0] in held)
    absent = [(key_id, count) for key_id, count in needed if key_id not in held and key_id != lost]
    current = current_key(tx) or _current_of_before(tx, held) or first
    if absent:
        said = " and ".join(f"{key_id} wraps {count} data keys" for key_id, count in absent)
        if not any(key_id in held for key_id, _ in needed):
            raise WrongKey(f"{_NOT_THE_ONE} ({said})")
        raise WrongKey(f"a key is absent, and the database holds what it sealed: {said}; put the key back")
    if current not in held:
        raise WrongKey(f"the current key, {current}, is absent: put the key back, or name it in KEYTURN_KEYS")
    return current, held.keys() <= known.keys() and current_key(tx) is not None


def _current_of_before(tx: sa.Connection, held: Mapping[str, KeyProvider]) -> str | None:
    """The key of a database that an older release has sealed under the only key that it knew."""
    found = tx.execute(sa.select(meta.c.value).where(meta.c.name == FINGERPRINT)).scalar()
    if found is None:
        return None
    fits = [key_id for key_id, each in held.items() if hmac.compare_digest(each.fingerprint().encode(), found)]
    if not fits:
        raise WrongKey(_NOT_THE_ONE)
    return fits[0]


def _taken_in(tx: sa.Connection, held: Mapping[str, KeyProvider], first: str, now: float, lost: str | None) -> str:
    """Add the keys that are new; of two starts at once the second finds the first one's current key."""
    current, _ = _checked(tx, held, first, lost)
    rows = [row_of(each, KeyState.STANDBY, now) for each in held.values() if each.key_id != current]
    rows.append(row_of(held[current], KeyState.CURRENT, now))
    tx.execute(insert(wrapping_keys).on_conflict_do_nothing(), rows)
    return current
