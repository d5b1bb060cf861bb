"""A wrapping key that is held in memory, wherever it was read from."""

from __future__ import annotations

import base64
import binascii
from pathlib import Path

from keyturn.adapters.sealing.sealed_value import KEY_BYTES, derived, key_name_in, name_of, seal, unseal
from keyturn.adapters.sealing.wrapped_key import key_id_of
from keyturn.core.errors import WrongKey


class WrappingKey:
    """Wraps data keys by the same seal that they give to values.

    `source`: where the key came from, for people (`file:/…`, `env:NAME`). `made_file`: the file that was made for
    it by this start, and has to be backed up.
    """

    def __init__(self, key: bytes, *, source: str, made_file: Path | None = None) -> None:
        if len(key) != KEY_BYTES:
            raise ValueError("a wrapping key has 32 bytes")
        self._key = key
        self._name = name_of(key)
        self.source = source
        self.made_file = made_file

    def __repr__(self) -> str:
        return f"WrappingKey({self.key_id}, {self.source})"

    @property
    def key_id(self) -> str:
        """The key's name: it follows from the key, so the same key has the same id wherever it comes from."""
        return key_id_of(self._name)

    @property
    def provider(self) -> str:
        """`file` or `env`."""
        return self.source.partition(":")[0]

    def fingerprint(self) -> str:
        """128 bits, hex, derived one way from the key."""
        return derived(self._key, b"key fingerprint", 16).hex()

    async def wrap(self, data_key: bytes, context: bytes) -> bytes:
        """Wrap for a context."""
        return seal(self._key, data_key, context)

    async def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        """Undo it; WrongKey where it names another key, SealBroken where anything was altered."""
        named = key_name_in(wrapped)
        if named and named != self._name:
            raise WrongKey("this data was sealed under another key")
        return unseal(self._key, wrapped, context)


def key_from_base64(text: str) -> bytes | None:
    """Read 32 bytes of base64 (standard or URL-safe, padded or not); None where it is anything else."""
    plain = text.strip().translate(str.maketrans("-_", "+/")).rstrip("=")
    try:
        key = base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None
    return key if len(key) == KEY_BYTES else None
