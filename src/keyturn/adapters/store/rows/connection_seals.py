"""The sealed parts of a connection.

Rule 1: the token set is sealed for the connection's generation; username, password and fields for the generation in
which they were written, which stands beside them. An older value that is put back does not open.
Rule 2: a connection has its data key from its first row to its tombstone, and never another, unless what it sealed
can't be opened any more, or the key that wrapped it was declared lost: then the person's next login makes one.
Rule 3: username and password have a key of their own, a new one with each password; it goes when they go.
Rule 4: a password's length doesn't show: it is filled up to a multiple of 128 bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import sqlalchemy as sa

from keyturn.adapters.sealing.data_keys import DataKey, DataKeys, KeyClass, KeyOwner
from keyturn.adapters.sealing.sealed_value import Place
from keyturn.adapters.sealing.secret_json import decoded, encoded
from keyturn.adapters.sealing.wrapped_key import key_id_in
from keyturn.adapters.store.database.engine import Database
from keyturn.adapters.store.database.schema import connections
from keyturn.adapters.store.database.wrapping_keys import is_key_known
from keyturn.adapters.store.rows.connection_row import unreadable
from keyturn.adapters.store.rows.token_sets import parts_of, token_set_from
from keyturn.core.connection import ENDED, Connection, ConnectionSecrets, State
from keyturn.core.errors import SealBroken, WrongKey
from keyturn.core.token_set import TokenSet
from keyturn.ports.store import RevisionConflict, SealedChange, Unchanged

_DATA: Final = ("token_set", "fields")
_PASSWORD: Final = ("username", "password")
# What a write has to set so that nothing of a kept password is left.
NO_PASSWORD: Final[dict[str, Any]] = {
    "password_key": None,
    "password_kept_at": None,
    **{f"sealed_{name}{end}": None for name in _PASSWORD for end in ("", "_generation")},
}
_FORGET_ALL: Final = SealedChange(None, None, None, None)
_PADDING: Final = 128
_KEYS: Final[sa.Select[Any]] = sa.select(connections.c.data_key, connections.c.password_key, connections.c.state).where(
    connections.c.id == sa.bindparam("id"), connections.c.project == sa.bindparam("project")
)


class ConnectionSeals:
    """Seals and opens what a connection keeps."""

    def __init__(self, database: Database, keys: DataKeys) -> None:
        self._database = database
        self._keys = keys

    async def data_key(self, connection_id: str, project: str) -> DataKey | None:
        """Find the key of a connection, in memory or in its row; None where there is none (any more)."""
        owner = data_owner(connection_id, project)
        known = self._keys.known(owner)
        if known is not None:
            return known
        row = await self._wrapped(connection_id, project)
        return None if row is None or row.data_key is None else await self._keys.obtain(owner, row.data_key)

    async def new_columns(self, connection: Connection, secrets: ConnectionSecrets) -> dict[str, Any]:
        """Seal for a new row; it gets a data key even if it keeps nothing yet, so that it can be sealed for later."""
        change = SealedChange(secrets.token_set, secrets.username, secrets.password, dict(secrets.fields), anew=True)
        return await self.changed_columns(connection, change)

    async def changed_columns(self, connection: Connection, change: SealedChange) -> dict[str, Any]:
        """Seal what a write changes, and nothing else; a tombstone forgets all of it, and its keys.

        Raises:
            RevisionConflict: the connection has no key (any more).
            KeyUnavailable: this process does not know the key, and the provider is gone.
        """
        ended = connection.state is State.DISCONNECTED
        change = _FORGET_ALL if ended else change
        columns: dict[str, Any] = {"data_key": None} if ended else {}
        data, password = _changed(change, _DATA), _changed(change, _PASSWORD)
        key = None
        if change.anew:
            key = await self._keys.make(data_owner(connection.id, connection.project))
            columns["data_key"] = key.wrapped
        elif _any(data):
            key = await self.data_key(connection.id, connection.project)
            if key is None and await self._gave_up_its_key(connection):
                key = await self._keys.make(data_owner(connection.id, connection.project))
                columns["data_key"] = key.wrapped
            if key is None:
                raise RevisionConflict("the connection was ended or removed by another")
        columns |= _sealed(connection, data, key)
        password_key = None
        if _any(password):
            password_key, is_new = await self._password_key(connection, all_new=len(password) == len(_PASSWORD))
            if is_new:  # else the row has it, maybe rewrapped in this moment
                columns["password_key"] = password_key.wrapped
        elif len(password) == len(_PASSWORD):
            self._keys.forget(password_owner(connection.id, connection.project))
            columns["password_key"] = None
        return columns | _sealed(connection, password, password_key)

    async def opened(self, connection: Connection, row: sa.Row[Any]) -> ConnectionSecrets:
        """Open what a row keeps.

        Raises:
            SealBroken: something was altered or swapped, or no key of ours ever wrapped it.
            RowUnreadable: a newer release sealed something in it that this one does not know.
            WrongKey, KeyUnavailable: as the key provider.
        """
        if row.data_key is None:
            return ConnectionSecrets()
        key = await self._obtained(data_owner(connection.id, connection.project), row.data_key)
        token_set, fields = (_opened(connection, row, name, key) for name in _DATA)
        username = password = None
        if row.password_key is not None:
            key = await self._obtained(password_owner(connection.id, connection.project), row.password_key)
            username, password = (_opened(connection, row, name, key) for name in _PASSWORD)
        return ConnectionSecrets(
            token_set=None if token_set is None else _token_set(token_set),
            username=username,
            password=password,
            fields=fields or {},
        )

    async def _obtained(self, owner: KeyOwner, wrapped: Any) -> DataKey:
        """The key of a row; one that no wrapping key is known to have wrapped is damage, and no key that is absent."""
        if not isinstance(wrapped, bytes):
            raise SealBroken("a wrapped data key can't be opened")
        try:
            return await self._keys.obtain(owner, wrapped)
        except WrongKey:
            key_id = key_id_in(wrapped)
            if await self._database.read(lambda tx: is_key_known(tx, key_id)):
                raise
            raise SealBroken("a wrapped data key can't be opened") from None

    async def _gave_up_its_key(self, connection: Connection) -> bool:
        """Whether its data key was lost and given up: the row is there, needs the person, and has none."""
        row = await self._wrapped(connection.id, connection.project)
        return row is not None and row.data_key is None and State(row.state) not in ENDED

    async def _password_key(self, connection: Connection, *, all_new: bool) -> tuple[DataKey, bool]:
        owner = password_owner(connection.id, connection.project)
        row = None if all_new else await self._wrapped(connection.id, connection.project)
        if row is None or row.password_key is None:
            return await self._keys.make(owner), True
        return await self._keys.obtain(owner, row.password_key), False

    async def _wrapped(self, connection_id: str, project: str) -> sa.Row[Any] | None:
        values = {"id": connection_id, "project": project}
        return await self._database.read(lambda tx: tx.execute(_KEYS, values).one_or_none())


def object_of(connection_id: str) -> str:
    """Name a connection as the owner of keys and values."""
    return f"connection:{connection_id}"


def data_owner(connection_id: str, project: str) -> KeyOwner:
    """Whose the data key of a connection is."""
    return KeyOwner(project, object_of(connection_id))


def password_owner(connection_id: str, project: str) -> KeyOwner:
    """Whose the key of a connection's username and password is."""
    return KeyOwner(project, object_of(connection_id), KeyClass.PASSWORD)


def _changed(change: SealedChange, names: tuple[str, ...]) -> dict[str, Any]:
    """What of these parts a write changes; an empty one is forgotten."""
    parts = {name: getattr(change, name) for name in names}
    return {name: None if part == {} else part for name, part in parts.items() if not isinstance(part, Unchanged)}


def _any(parts: Mapping[str, Any]) -> bool:
    return any(part is not None for part in parts.values())


def _sealed(connection: Connection, parts: Mapping[str, Any], key: DataKey | None) -> dict[str, Any]:
    columns: dict[str, Any] = {}
    for name, part in parts.items():
        generation = None if part is None else connection.generation
        columns[f"sealed_{name}"] = None
        if part is not None and key is not None:
            plaintext = encoded(parts_of(part) if isinstance(part, TokenSet) else part)
            if name in _PASSWORD:
                plaintext = plaintext.ljust(-(-len(plaintext) // _PADDING) * _PADDING)
            columns[f"sealed_{name}"] = key.seal(_place(connection, name, generation), plaintext)
        if name != "token_set":
            columns[f"sealed_{name}_generation"] = generation
    return columns


def _opened(connection: Connection, row: sa.Row[Any], name: str, key: DataKey) -> Any:
    sealed = getattr(row, f"sealed_{name}")
    if sealed is None:
        return None
    if not isinstance(sealed, bytes):
        raise SealBroken("a sealed value can't be opened")
    generation = connection.generation if name == "token_set" else getattr(row, f"sealed_{name}_generation")
    return decoded(key.unseal(_place(connection, name, generation), sealed))


def _token_set(parts: Mapping[str, Any]) -> TokenSet:
    try:
        return token_set_from(parts)
    except (KeyError, TypeError, AttributeError):
        raise unreadable("sealed_token_set") from None


def _place(connection: Connection, name: str, generation: int | None) -> Place:
    return Place(connection.project, object_of(connection.id), name, generation or 0)
