"""Token sets that could not be stored: sealed files, one for each connection and generation.

Rule 1: a file has all that is needed to open it but the wrapping key: the connection's wrapped data key stands in it.
Rule 2: writing one needs neither database nor key provider, once the connection was opened in this process.
Rule 3: a file that does not open is set aside, not deleted and not handed out: one damaged file must not keep the
others from being applied.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import quote

from keyturn.adapters.sealing.data_keys import DataKeys
from keyturn.adapters.sealing.private_files import remove_left, replace_file, sync_directory
from keyturn.adapters.sealing.sealed_value import Place
from keyturn.adapters.sealing.secret_json import decoded, encoded
from keyturn.adapters.sealing.wrapped_key import key_id_in
from keyturn.adapters.store.rows.connection_seals import ConnectionSeals, data_owner, object_of
from keyturn.adapters.store.rows.token_sets import parts_of, token_set_from
from keyturn.core.connection import Connection
from keyturn.core.errors import SealBroken, StoreUnavailable
from keyturn.core.token_set import TokenSet

_SUFFIX: Final = ".spill"
_SET_ASIDE: Final = ".refused"
_FORMAT: Final = 1
Result = TypeVar("Result")


class FileSpill:
    """Promises: the port's."""

    def __init__(self, folder: Path, keys: DataKeys, seals: ConnectionSeals) -> None:
        self._folder = folder
        self._keys = keys
        self._seals = seals

    async def write(self, connection: Connection, token_set: TokenSet) -> None:
        """Keep the set that follows this generation."""
        key = await self._seals.data_key(connection.id, connection.project)
        if key is None:
            raise StoreUnavailable("the connection was ended or removed by another")
        place = _place(connection.project, connection.id, connection.generation)
        content = {
            "format": _FORMAT,
            "project": connection.project,
            "connection": connection.id,
            "generation": connection.generation,
            "data_key": base64.b64encode(key.wrapped).decode(),
            "sealed": base64.b64encode(key.seal(place, encoded(parts_of(token_set)))).decode(),
        }
        await _in_thread(replace_file, self._path(connection.id, connection.generation), json.dumps(content).encode())

    async def pending(self) -> Sequence[tuple[str, int, TokenSet]]:
        """What is to be applied."""
        found = []
        await _in_thread(remove_left, self._folder, f"*{_SUFFIX}")
        for path, text in await _in_thread(_read_all, self._folder):
            try:
                content = json.loads(text)
                found.append((content["connection"], content["generation"], await self._opened(content)))
            except (SealBroken, ValueError, KeyError, TypeError):
                await _in_thread(path.replace, path.with_name(path.name + _SET_ASIDE))
        return tuple(found)

    async def forget(self, connection_id: str, generation: int) -> None:
        """Drop a set that was applied or is outdated."""
        await _in_thread(_remove, self._path(connection_id, generation))

    async def wrapped_by(self) -> Mapping[str, int]:
        """How many files each wrapping key is needed for, by its id."""
        found: Counter[str] = Counter()
        for _, text in await _in_thread(_read_all, self._folder):
            with suppress(ValueError, KeyError, TypeError):
                found[key_id_in(base64.b64decode(json.loads(text)["data_key"], validate=True))] += 1
        return found

    async def _opened(self, content: dict[str, Any]) -> TokenSet:
        if content["format"] != _FORMAT:
            raise SealBroken("a spill file of another format")
        project, connection_id = content["project"], content["connection"]
        wrapped = base64.b64decode(content["data_key"], validate=True)
        key = await self._keys.obtain(data_owner(connection_id, project), wrapped)
        place = _place(project, connection_id, content["generation"])
        return token_set_from(decoded(key.unseal(place, base64.b64decode(content["sealed"], validate=True))))

    def _path(self, connection_id: str, generation: int) -> Path:
        return self._folder / f"{quote(connection_id, safe='')}.{generation}{_SUFFIX}"


def _place(project: str, connection_id: str, generation: int) -> Place:
    return Place(project, object_of(connection_id), "spill", generation)


def _read_all(folder: Path) -> list[tuple[Path, bytes]]:
    return [(path, path.read_bytes()) for path in sorted(folder.glob(f"*{_SUFFIX}"))]


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)
    sync_directory(path.parent)


async def _in_thread(work: Callable[..., Result], *arguments: Any) -> Result:
    try:
        # Shielded: a file operation can't be stopped half way, and whoever asks next must find it done.
        return await asyncio.shield(asyncio.to_thread(work, *arguments))
    except OSError as error:
        raise StoreUnavailable(f"the spill file can't be used: {os.strerror(error.errno or 0)}") from None
