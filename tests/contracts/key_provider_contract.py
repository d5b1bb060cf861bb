"""What every KeyProvider promises."""

from __future__ import annotations

import pytest

from keyturn.core.errors import SealBroken, WrongKey
from keyturn.ports.keys import KeyProvider

DATA_KEY = bytes(range(32))


class KeyProviderContract:
    """Subclass, give `keys` and `other_keys` (the same kind of provider with another key)."""

    async def test_what_was_wrapped_is_unwrapped(self, keys: KeyProvider) -> None:
        """For the same context, and without the data key showing."""
        wrapped = await keys.wrap(DATA_KEY, b"context")

        assert DATA_KEY == await keys.unwrap(wrapped, b"context")
        assert DATA_KEY not in wrapped

    async def test_a_wrapped_key_names_what_wrapped_it(self, keys: KeyProvider) -> None:
        """At the same place whatever wrapped it, so that a database can count by it."""
        wrapped = await keys.wrap(DATA_KEY, b"context")

        assert keys.key_id == f"key_{wrapped[1:9].hex()}"
        assert keys.provider

    @pytest.mark.parametrize("context", [b"", b"contex", b"context\x00", b"Context"])
    async def test_a_context_is_not_another(self, keys: KeyProvider, context: bytes) -> None:
        """A data key of one object can't be put under another."""
        wrapped = await keys.wrap(DATA_KEY, b"context")

        with pytest.raises(SealBroken):
            await keys.unwrap(wrapped, context)

    async def test_any_change_is_noticed(self, keys: KeyProvider) -> None:
        """Whatever byte is altered; a changed key id reads as another key's."""
        wrapped = await keys.wrap(DATA_KEY, b"context")
        for at in range(len(wrapped)):
            altered = bytearray(wrapped)
            altered[at] ^= 1

            with pytest.raises((SealBroken, WrongKey)):
                await keys.unwrap(bytes(altered), b"context")

    @pytest.mark.parametrize("length", [0, 1, 16, -1])
    async def test_a_cut_one_is_noticed(self, keys: KeyProvider, length: int) -> None:
        """Whatever is missing."""
        wrapped = await keys.wrap(DATA_KEY, b"context")

        with pytest.raises((SealBroken, WrongKey)):
            await keys.unwrap(wrapped[:length], b"context")

    async def test_another_key_is_named_as_such(self, keys: KeyProvider, other_keys: KeyProvider) -> None:
        """A data key that another key wrapped is no broken seal."""
        wrapped = await other_keys.wrap(DATA_KEY, b"context")

        with pytest.raises(WrongKey):
            await keys.unwrap(wrapped, b"context")

    async def test_keys_are_told_apart(self, keys: KeyProvider, other_keys: KeyProvider) -> None:
        """By id and by fingerprint, which stay the same."""
        assert keys.fingerprint() == keys.fingerprint()
        assert keys.fingerprint() != other_keys.fingerprint()
        assert keys.key_id != other_keys.key_id
