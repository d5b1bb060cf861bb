"""The key that wraps data keys, wherever it lives. Promises: `tests/contracts/key_provider_contract.py`."""

from __future__ import annotations

from typing import Protocol


class KeyProvider(Protocol):
    """Wraps and unwraps data keys (32 bytes each); the wrapping key itself never leaves it."""

    @property
    def key_id(self) -> str:
        """The id of the current key; a wrapped data key names the one that wrapped it."""
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
