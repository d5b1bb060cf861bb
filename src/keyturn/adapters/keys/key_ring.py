"""All keys of a process: one wraps, every one of them unwraps what names it.

Rule 1: which key is current is the database's to say (`use`); until it has said so, it is the first that was named.
Rule 2: where keys are files of the data directory, one that is met and not known is looked for there once more: another
process may have made it a moment ago.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Protocol, runtime_checkable

from keyturn.adapters.sealing.wrapped_key import key_id_in
from keyturn.core.errors import KeyNotMadeHere, WrongKey
from keyturn.ports.keys import KeyProvider


@runtime_checkable
class _Closing(Protocol):
    async def close(self) -> None: ...


class KeyRing:
    """Promises: the port's. `made_file`: the key file that this start has made, which has to be backed up."""

    def __init__(
        self,
        keys: Sequence[KeyProvider],
        *,
        find: Callable[[], Sequence[KeyProvider]] | None = None,
        make: Callable[[], KeyProvider] | None = None,
        made_file: Path | None = None,
    ) -> None:
        """Hold the keys, at least one.

        Args:
            keys: as they were named.
            find: looks for all keys again; None where nothing can be added without a new start.
            make: makes a key in the data directory; None where an operator names them.
            made_file: what was made for `keys`.
        """
        self._held = {each.key_id: each for each in keys}
        self._current = keys[0].key_id
        self._find = find
        self._make = make
        self.made_file = made_file

    def __repr__(self) -> str:
        return f"KeyRing({', '.join(self._held)}; {self._current} wraps)"

    @property
    def key_id(self) -> str:
        """The current key's id."""
        return self._current

    @property
    def provider(self) -> str:
        """What kind of provider the current key has."""
        return self._held[self._current].provider

    def fingerprint(self) -> str:
        """The current key's."""
        return self._held[self._current].fingerprint()

    def held(self) -> Mapping[str, KeyProvider]:
        """Every key at hand."""
        return MappingProxyType(dict(self._held))

    async def wrap(self, data_key: bytes, context: bytes) -> bytes:
        """Wrap with the current key."""
        return await self._held[self._current].wrap(data_key, context)

    async def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        """Unwrap with the key that is named; what names none is the current key's to refuse."""
        named = key_id_in(wrapped) or self._current
        found = await self._known(named)
        if found is None:
            raise WrongKey("this data was sealed under a key that is not at hand")
        return await found.unwrap(wrapped, context)

    async def use(self, key_id: str) -> None:
        """Wrap with this key from now on."""
        if await self._known(key_id) is None:
            raise WrongKey(f"the current key, {key_id}, is not at hand: put it in place")
        self._current = key_id

    async def make(self) -> KeyProvider:
        """Make a key file in the data directory."""
        if self._make is None:
            raise KeyNotMadeHere("KEYTURN_KEYS names the keys of this server")
        made = await asyncio.to_thread(self._make)
        self._held[made.key_id] = made
        return made

    async def close(self) -> None:
        """Let go of connections to key services."""
        for each in self._held.values():
            if isinstance(each, _Closing):
                await each.close()

    async def _known(self, key_id: str) -> KeyProvider | None:
        if key_id not in self._held and self._find is not None:
            for each in await asyncio.to_thread(self._find):
                self._held.setdefault(each.key_id, each)
        return self._held.get(key_id)
