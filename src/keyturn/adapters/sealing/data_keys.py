"""Data keys: one for each object that holds secrets, wrapped by the key provider.

Rule 1: a data key is bound to its owner: project, class and object stand in the context that it is wrapped for.
Rule 2: kept passwords have keys of a class of their own, so that all of them can be destroyed and nothing else.
Rule 3: a data key that was once unwrapped stays in memory (up to a number), so that what a provider answered can be
sealed even if the key provider is gone by then.
Rule 4: after an hour what was remembered opens nothing more before the provider has unwrapped it again: so a key
service is asked once an hour for a key in use, never for each call, and access that was taken away from keyturn ends.
For sealing it is remembered another hour, which is far longer than any renewal takes.
"""

from __future__ import annotations

import os
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from keyturn.adapters.sealing.sealed_value import KEY_BYTES, Place, derived, joined, seal, unseal
from keyturn.adapters.sealing.wrapped_key import key_id_in
from keyturn.core.errors import KeyUnavailable
from keyturn.ports.keys import KeyProvider

OPENS_FOR_S: Final = 3600.0
SEALS_FOR_S: Final = 2 * OPENS_FOR_S
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


@dataclass(frozen=True, slots=True)
class _Remembered:
    key: DataKey
    since: float


class DataKeys:
    """Makes and unwraps data keys, and remembers the latest of them."""

    def __init__(
        self,
        provider: KeyProvider,
        *,
        remembered: int = REMEMBERED,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._provider = provider
        self._remembered = remembered
        self._monotonic = monotonic
        self._known: OrderedDict[KeyOwner, _Remembered] = OrderedDict()

    async def make(self, owner: KeyOwner) -> DataKey:
        """Make a new key; KeyUnavailable where the provider is gone."""
        key = os.urandom(KEY_BYTES)
        return self._keep(owner, DataKey(await self._provider.wrap(key, owner.context()), key))

    async def obtain(self, owner: KeyOwner, wrapped: bytes) -> DataKey:
        """Unwrap a stored key, from memory where it was unwrapped within the hour.

        Raises:
            KeyUnavailable, WrongKey, SealBroken: as the key provider.
        """
        known = self._within(owner, OPENS_FOR_S)
        if known is not None and known.wrapped == wrapped:
            return known
        return self._keep(owner, DataKey(wrapped, await self._provider.unwrap(wrapped, owner.context())))

    def known(self, owner: KeyOwner) -> DataKey | None:
        """Look for the owner's key in memory, to seal with."""
        return self._within(owner, SEALS_FOR_S)

    async def wrapped_now(self, owner: KeyOwner, key: DataKey) -> bytes:
        """The key's wrapped form, to be stored once more.

        Wrapped anew if it was wrapped before the keys were rotated, or as it was where the provider is gone.
        """
        if key_id_in(key.wrapped) == self._provider.key_id:
            return key.wrapped
        try:
            return await self._provider.wrap(key._key, owner.context())
        except KeyUnavailable:
            return key.wrapped

    async def rewrapped(self, owner: KeyOwner, wrapped: bytes) -> bytes:
        """Wrap a stored key with the current wrapping key; remembers nothing.

        Raises:
            KeyUnavailable, WrongKey, SealBroken: as the key provider.
        """
        known = self._within(owner, OPENS_FOR_S)
        same = known is not None and known.wrapped == wrapped
        key = known._key if known is not None and same else await self._provider.unwrap(wrapped, owner.context())
        return await self._provider.wrap(key, owner.context())

    def replaced(self, owner: KeyOwner, before: bytes, after: bytes) -> None:
        """Remember the new wrapped form of a key that was stored in it; its age stays."""
        found = self._known.get(owner)
        if found is not None and found.key.wrapped == before:
            self._known[owner] = _Remembered(DataKey(after, found.key._key), found.since)

    def forget(self, owner: KeyOwner) -> None:
        """Drop it from memory: its values were destroyed."""
        self._known.pop(owner, None)

    def forget_class(self, key_class: KeyClass) -> None:
        """Drop every key of a class: all their values were destroyed."""
        for owner in [each for each in self._known if each.key_class is key_class]:
            del self._known[owner]

    def _within(self, owner: KeyOwner, life_s: float) -> DataKey | None:
        found = self._known.get(owner)
        if found is None:
            return None
        age = self._monotonic() - found.since
        if age >= SEALS_FOR_S:
            del self._known[owner]
        if age >= life_s:
            return None
        self._known.move_to_end(owner)
        return found.key

    def _keep(self, owner: KeyOwner, key: DataKey) -> DataKey:
        self._known[owner] = _Remembered(key, self._monotonic())
        self._known.move_to_end(owner)
        while len(self._known) > self._remembered:
            self._known.popitem(last=False)
        return key
