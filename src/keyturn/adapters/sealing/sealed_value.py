"""One sealed value, format 1.

    version (1 byte) ‖ key name (8) ‖ salt (32) ‖ key commitment (32) ‖ ciphertext ‖ tag (16)

Rule 1: every write draws a new salt; HKDF-SHA256 (RFC 5869) over data key and salt gives 64 bytes: the AES-256 key of
this one write, and the commitment to it. A key that seals one value only needs no nonce of its own: it is all zero.
Rule 2: opening checks version, key name, then the commitment, and decrypts only what passed. AES-GCM alone would let
one ciphertext open under two keys; the commitment does not.
Rule 3: the place of a value is authenticated with it (AAD), each part with its length before it, so that no two
places read the same. A value that is moved, or an older one that is put back, does not open.
Rule 4: whatever is wrong is SealBroken, and says no more.

Vectors: `tests/adapters/sealing/vectors/`. Source: the security design, "Cryptography".
"""

from __future__ import annotations

import hmac
import os
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from keyturn.core.errors import SealBroken

VERSION: Final = 1
KEY_BYTES: Final = 32
SALT_BYTES: Final = 32
KEY_NAME_BYTES: Final = 8
_COMMITMENT_BYTES: Final = 32
_TAG_BYTES: Final = 16
_NONCE: Final = bytes(12)
_HEADER_BYTES: Final = 1 + KEY_NAME_BYTES + SALT_BYTES + _COMMITMENT_BYTES


@dataclass(frozen=True, slots=True)
class Place:
    """Where a sealed value belongs. `object`: kind and id, such as `connection:cxn_…`; `field`: the part of it."""

    project: str
    object: str
    field: str
    generation: int = 0

    def aad(self) -> bytes:
        """Say it as associated data: (format, project, object, field, generation)."""
        return joined(b"keyturn sealed value %d" % VERSION, self.project, self.object, self.field, self.generation)


def joined(*parts: bytes | str | int) -> bytes:
    """Join parts so that no two lists of parts give the same bytes: each has its length before it (8 bytes)."""
    encoded = (part if isinstance(part, bytes) else str(part).encode("utf-8", "surrogatepass") for part in parts)
    return b"".join(len(part).to_bytes(8) + part for part in encoded)


def derived(key: bytes, purpose: bytes, length: int, *, salt: bytes | None = None) -> bytes:
    """Derive bytes for one purpose from a key (HKDF-SHA256)."""
    return HKDF(algorithm=SHA256(), length=length, salt=salt, info=b"keyturn 1 " + purpose).derive(key)


def name_of(key: bytes) -> bytes:
    """Name a key, 8 bytes: tells one key from another without telling anything of it."""
    return derived(key, b"key name", KEY_NAME_BYTES)


def key_name_in(sealed: bytes) -> bytes:
    """Read which key a sealed value names; empty where it is too short to name one."""
    return sealed[1 : 1 + KEY_NAME_BYTES] if len(sealed) >= _HEADER_BYTES + _TAG_BYTES else b""


def seal(key: bytes, plaintext: bytes, aad: bytes) -> bytes:
    """Seal under a data key of 32 bytes; no two results are alike."""
    return seal_with_salt(key, plaintext, aad, salt=os.urandom(SALT_BYTES))


def seal_with_salt(key: bytes, plaintext: bytes, aad: bytes, *, salt: bytes) -> bytes:
    """Seal with a given salt: for `seal`, and for the test vectors. A salt that is used twice breaks the seal."""
    if len(key) != KEY_BYTES or len(salt) != SALT_BYTES:
        raise ValueError("a key has 32 bytes and a salt too")
    write_key, commitment = _write_key(key, salt)
    header = bytes([VERSION]) + name_of(key) + salt + commitment
    return header + AESGCM(write_key).encrypt(_NONCE, plaintext, aad)


def unseal(key: bytes, sealed: bytes, aad: bytes) -> bytes:
    """Open what `seal` made.

    Raises:
        SealBroken: it was altered or cut, another key sealed it, or it belongs to another place.
    """
    if len(sealed) < _HEADER_BYTES + _TAG_BYTES or sealed[0] != VERSION:
        raise SealBroken("a sealed value can't be opened")
    salt = sealed[1 + KEY_NAME_BYTES : 1 + KEY_NAME_BYTES + SALT_BYTES]
    write_key, commitment = _write_key(key, salt)
    expected = name_of(key) + salt + commitment
    if not hmac.compare_digest(expected, sealed[1:_HEADER_BYTES]):
        raise SealBroken("a sealed value can't be opened")
    try:
        return AESGCM(write_key).decrypt(_NONCE, sealed[_HEADER_BYTES:], aad)
    except InvalidTag:
        raise SealBroken("a sealed value can't be opened") from None


def _write_key(key: bytes, salt: bytes) -> tuple[bytes, bytes]:
    both = derived(key, b"write key and commitment", KEY_BYTES + _COMMITMENT_BYTES, salt=salt)
    return both[:KEY_BYTES], both[KEY_BYTES:]
