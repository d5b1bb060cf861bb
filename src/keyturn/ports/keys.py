"""The key that wraps data keys, wherever it lives. Promises: `tests/contracts/key_provider_contract.py`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol


class KeyProvider(Protocol):
    """Wraps and unwraps data keys (32 bytes each); the wrapping key itself never leaves it."""

    @property
    def key_id(self) -> str:
        """The id of the current key, `key_` and 16 hex digits.

        A wrapped data key names the one that wrapped it: bytes 1 to 8 are those digits.
        """
        ...

    @property
    def provider(self) -> str:
        """What kind of provider it is, for people: `file`, `env`, `awskms`, `vault`."""
        ...

    def fingerprint(self) -> str:
        """Tells one key from another without telling anything of it; stands in the database."""
        ...

    async def wrap(self, data_key: bytes, context: bytes) -> bytes:
        """Wrap for a context (which object it belongs to). KeyUnavailable if the provider can't be reached."""
        ...

    async def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        """Undo it; SealBroken if anything was altered, WrongKey if another key wrapped it."""
        ...


class KeyRing(KeyProvider, Protocol):
    """All keys that this process can use: wraps with the current one, unwraps with whichever is named."""

    def held(self) -> Mapping[str, KeyProvider]:
        """Every key at hand, by id, in the order in which they were named."""
        ...

    async def use(self, key_id: str) -> None:
        """Wrap with this key from now on; WrongKey where it is not at hand, and then nothing changes."""
        ...

    async def make(self) -> KeyProvider:
        """Make a key where keys are made here, and hold it; KeyNotMadeHere where an operator names them."""
        ...

    async def close(self) -> None:
        """Let go of connections to key services."""
        ...
