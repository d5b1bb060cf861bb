"""Data keys: one for each object that holds secrets, wrapped by the key provider.

Rule 1: a data key is bound to its owner: project, class and object stand in the context that it is wrapped for.
Rule 2: kept passwords have keys of a class of their own, so that all of them can be destroyed and nothing else.
Rule 3: a data key that was once unwrapped stays in memory (up to a number), so that what a provider answered can be
sealed even if the key provider is gone by then.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from keyturn.adapters.sealing.sealed_value import KEY_BYTES, Place, derived, joined, seal, unseal
from keyturn.ports.keys import KeyProvider

REMEMBERED: Final = 10_000  # about 5 MB; far above the renewals that run at one time


class KeyClass(StrEnum):
    """What a data key seals."""

    DATA = "data"
    PASSWORD = "password"  # noqa: S105


@dataclass(frozen=True, slots=True)
class KeyOwner:
    """Whose key: `object` as in `Place`."""

    project: str
    object: str
    key_class: KeyClass = KeyClass.DATA

    def context(self) -> bytes:
        """Say it as the context of a wrapped key."""
        return joined(b"keyturn data key 1", self.project, self.key_class.value, self.object)


@dataclass(frozen=True, slots=True)
class DataKey:
    """A data key in memory, beside its wrapped form that may be stored."""

    wrapped: bytes
    _key: bytes = field(repr=False)

    def seal(self, place: Place, plaintext: bytes) -> bytes:
        """Seal a value for its place."""
        return seal(self._key, plaintext, place.aad())

    def unseal(self, place: Place, sealed: bytes) -> bytes:
        """Open it; SealBroken where it is not the value of this place."""
        return unseal(self._key, sealed, place.aad())

    def derive(self, purpose: bytes) -> bytes:
        """Derive a key of 32 bytes for one other purpose, such as keyed hashes."""
        return derived(self._key, purpose, KEY_BYTES)


class DataKeys:
    """Makes and unwraps data keys, and remembers the latest of them."""

    def __init__(self, provider: KeyProvider, *, remembered: int = REMEMBERED) -> None:
        self._provider = provider
        self._remembered = remembered
        self._known: OrderedDict[KeyOwner, DataKey] = OrderedDict()

    async def make(self, owner: KeyOwner) -> DataKey:
        """Make a new key; KeyUnavailable where the provider is gone."""
        key = os.urandom(KEY_BYTES)
        return self._keep(owner, DataKey(await self._provider.wrap(key, owner.context()), key))

    async def obtain(self, owner: KeyOwner, wrapped: bytes) -> DataKey:
        """Unwrap a stored key, from memory where it was unwrapped before.

        Raises:
            KeyUnavailable, WrongKey, SealBroken: as the key provider.
        """
        known = self.known(owner)
        if known is not None and known.wrapped == wrapped:
            return known
        return self._keep(owner, DataKey(wrapped, await self._provider.unwrap(wrapped, owner.context())))

    def known(self, owner: KeyOwner) -> DataKey | None:
        """Look for the owner's key in memory."""
        found = self._known.get(owner)
        if found is not None:
            self._known.move_to_end(owner)
        return found

    def forget(self, owner: KeyOwner) -> None:
        """Drop it from memory: its values were destroyed."""
        self._known.pop(owner, None)

    def _keep(self, owner: KeyOwner, key: DataKey) -> DataKey:
        self._known[owner] = key
        self._known.move_to_end(owner)
        while len(self._known) > self._remembered:
            self._known.popitem(last=False)
        return key
