"""Signatures of Standard Webhooks, the symmetric scheme `v1`.

Rule 1: what is signed is `id.timestamp.body`, by HMAC-SHA256; a header holds one signature for each live secret, with
blanks between them, so that a receiver that knows either accepts it.
Rule 2: a secret is `whsec_` and base64 of 24 to 64 bytes.

Source: the Standard Webhooks specification, "Signature scheme" and "Symmetric signatures".
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Iterable
from typing import Final

PREFIX: Final = "whsec_"
FEWEST_BYTES: Final = 24
MOST_BYTES: Final = 64


def secret_text(key: bytes) -> str:
    """A key as receivers are given it."""
    return PREFIX + base64.b64encode(key).decode("ascii")


def key_in(secret: str) -> bytes:
    """The key of a secret; ValueError where it is none."""
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("not a webhook secret") from None
    if not secret.startswith(PREFIX) or not FEWEST_BYTES <= len(key) <= MOST_BYTES:
        raise ValueError("not a webhook secret")
    return key


def signature(key: bytes, message_id: str, timestamp: int, body: bytes) -> str:
    """One signature; `timestamp`: Unix seconds."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(key, signed, "sha256")).decode("ascii")


def headers(keys: Iterable[bytes], message_id: str, timestamp: int, body: bytes) -> tuple[tuple[str, str], ...]:
    """The headers of a signed message."""
    signed = " ".join(signature(key, message_id, timestamp, body) for key in keys)
    return (
        ("Content-Type", "application/json"),
        ("webhook-id", message_id),
        ("webhook-timestamp", str(timestamp)),
        ("webhook-signature", signed),
    )
