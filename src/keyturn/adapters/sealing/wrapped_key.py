"""Which key wrapped a data key, and the form of what a key service elsewhere wrapped.

    version (1 byte) ‖ key name (8) ‖ what follows

Rule 1: every wrapped data key names its key in the same place, so that keys and formats stand side by side and a
database can count what each key still wraps. Version 1 is a sealed value under a key that is held here.
Rule 2: version 2 is what a key service answered, after a digest of it (16). Its seal is the service's; the context
goes along as its associated data. The digest seals nothing: it tells what a disk has damaged from a service that
refuses, which says the same of both.
"""

from __future__ import annotations

import hashlib
from typing import Final

from keyturn.adapters.sealing.sealed_value import KEY_NAME_BYTES
from keyturn.core.errors import SealBroken, WrongKey

SERVICE_VERSION: Final = 2
_PREFIX: Final = "key_"
_DIGEST_BYTES: Final = 16
_HEADER_BYTES: Final = 1 + KEY_NAME_BYTES


def key_id_in(wrapped: bytes) -> str:
    """Read which key wrapped it; empty where it is too short to name one."""
    name = wrapped[1:_HEADER_BYTES]
    return key_id_of(name) if len(name) == KEY_NAME_BYTES else ""


def key_id_of(name: bytes) -> str:
    """Write a key's name as people and the database know it."""
    return f"{_PREFIX}{name.hex()}"


def key_name_of(key_id: str) -> bytes:
    """Undo it; ValueError where it is no key's id."""
    name = bytes.fromhex(key_id.removeprefix(_PREFIX))
    if len(name) != KEY_NAME_BYTES or key_id != key_id_of(name):
        raise ValueError("no key's id")
    return name


def service_key_name(address: str) -> bytes:
    """Name a key that never leaves its service, by where it is."""
    return hashlib.sha256(b"keyturn key name " + address.encode()).digest()[:KEY_NAME_BYTES]


def service_key_fingerprint(address: str) -> str:
    """Tell such a key from another: 128 bits, hex."""
    return hashlib.sha256(b"keyturn key fingerprint " + address.encode()).hexdigest()[:32]


def from_service(name: bytes, answered: bytes) -> bytes:
    """Put a key's name before what its service answered."""
    return bytes([SERVICE_VERSION]) + name + _digest(answered) + answered


def for_service(name: bytes, wrapped: bytes) -> bytes:
    """Undo it.

    Raises:
        WrongKey: it names another key.
        SealBroken: it is of another form.
    """
    if len(wrapped) <= _HEADER_BYTES:
        raise SealBroken("a wrapped data key can't be opened")
    if wrapped[1:_HEADER_BYTES] != name:
        raise WrongKey("this data was sealed under another key")
    digest, answered = wrapped[_HEADER_BYTES:][:_DIGEST_BYTES], wrapped[_HEADER_BYTES + _DIGEST_BYTES :]
    if wrapped[0] != SERVICE_VERSION or digest != _digest(answered):
        raise SealBroken("a wrapped data key can't be opened")
    return answered


def _digest(answered: bytes) -> bytes:
    return hashlib.sha256(answered).digest()[:_DIGEST_BYTES]
