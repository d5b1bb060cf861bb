"""A key provider that a test can take away."""

from __future__ import annotations

import hashlib
import hmac

from keyturn.adapters.sealing.wrapped_key import key_id_of
from keyturn.core.errors import KeyUnavailable, SealBroken, WrongKey

_TAG_BYTES = 32


class FakeKeyProvider:
    """Wraps by masking and a MAC: good enough to notice every change, and to count who asks."""

    def __init__(self, name: str = "fake-key-1") -> None:
        self._id = hashlib.sha256(b"id" + name.encode()).digest()[:8]
        self._key = hashlib.sha256(name.encode()).digest()
        self.gone = False
        self.calls = 0

    @property
    def key_id(self) -> str:
        """Follows from the name that it was made with."""
        return key_id_of(self._id)

    @property
    def provider(self) -> str:
        """None that there is."""
        return "fake"

    def fingerprint(self) -> str:
        """A hash of the key."""
        return hashlib.sha256(b"fingerprint" + self._key).hexdigest()

    async def wrap(self, data_key: bytes, context: bytes) -> bytes:
        """Wrap, unless `gone`."""
        self._answer()
        body = b"\x7f" + self._id + self._masked(data_key, context)
        return body + self._tag(body, context)

    async def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        """Undo it, unless `gone`."""
        self._answer()
        if wrapped[1:9] != self._id:
            raise WrongKey("another key wrapped this")
        body, tag = wrapped[:-_TAG_BYTES], wrapped[-_TAG_BYTES:]
        if not hmac.compare_digest(tag, self._tag(body, context)):
            raise SealBroken("the wrapped data key was altered")
        return self._masked(body[9:], context)

    def _answer(self) -> None:
        self.calls += 1
        if self.gone:
            raise KeyUnavailable("the key provider can't be reached")

    def _masked(self, data: bytes, context: bytes) -> bytes:
        mask = hmac.digest(self._key, b"mask" + context, "sha256")
        return bytes(a ^ b for a, b in zip(data, mask, strict=True))

    def _tag(self, body: bytes, context: bytes) -> bytes:
        return hmac.digest(self._key, b"tag" + len(context).to_bytes(8) + context + body, "sha256")
