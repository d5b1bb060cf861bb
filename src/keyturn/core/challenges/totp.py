"""Time-based one-time codes, as every authenticator app makes them: HMAC-SHA-1, six digits, steps of 30 seconds.

Rule 1: the seed goes in as a Secret and the code comes out as one; neither is ever in an error or a repr.
Rule 2: a step is used once: who has the code of a step that was used may be somebody who looked over a shoulder.
Rule 3: what an app would make other codes of (another digest, length or step) is refused, never guessed.

Sources: RFC 6238 §4 and appendix B; RFC 4226 §5.3; RFC 4648 §6; the Key URI format of authenticator apps.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
import struct
from typing import Final
from urllib.parse import parse_qs, urlsplit

from keyturn.core.secret import Secret

STEP_S: Final = 30.0
DIGITS: Final = 6
MIN_SEED_CHARS: Final = 16  # 80 bits, which is what many providers hand out (RFC 4226 §4 asks for 128)
MAX_SEED_CHARS: Final = 256
_MAX_URI_CHARS: Final = 2_000
_BASE32: Final = re.compile(r"[A-Z2-7]+")
_BETWEEN: Final = re.compile(r"[\s-]+")  # seeds are shown in groups
_WHOLE_LENGTHS: Final = frozenset({0, 2, 4, 5, 7})  # characters of a last group of eight that make whole bytes
_URI: Final = re.compile(r"otpauth://totp/", re.IGNORECASE)


class SeedInvalid(ValueError):
    """This is no seed of the codes that are made here; the message says what is expected, never what was given."""


def read_seed(given: Secret) -> Secret:
    """Take a seed as it is shown or scanned: base32 in any case, with spaces, dashes and padding, or an otpauth URI.

    Returns:
        The seed in capital letters and digits only.

    Raises:
        SeedInvalid: it is no base32 of 16 to 256 characters, or the URI is about other codes than these.
    """
    text = given.reveal().strip()
    if _URI.match(text):
        text = _seed_of_uri(text)
    text = _BETWEEN.sub("", text).rstrip("=").upper()
    if not _BASE32.fullmatch(text) or len(text) % 8 not in _WHOLE_LENGTHS:
        raise SeedInvalid("A seed consists of the letters A to Z and the digits 2 to 7.")
    if not MIN_SEED_CHARS <= len(text) <= MAX_SEED_CHARS:
        raise SeedInvalid(f"A seed has {MIN_SEED_CHARS} to {MAX_SEED_CHARS} characters.")
    return Secret(text)


def step_at(now: float) -> int:
    """Number the step that an instant is in; `now` is Unix seconds (RFC 6238 §4.2)."""
    return int(now // STEP_S)


def starts_at(step: int) -> float:
    """Say when a step begins, in Unix seconds."""
    return step * STEP_S


def code_at(seed: Secret, step: int) -> Secret:
    """Make the code of a step (RFC 4226 §5.3).

    Args:
        seed: as `read_seed` gives it, or as a person would type it.
        step: as `step_at` gives it; never one that was used already.

    Raises:
        SeedInvalid: as `read_seed`.
    """
    text = read_seed(seed).reveal()
    try:
        key = base64.b32decode(text + "=" * (-len(text) % 8))
    except binascii.Error:
        raise SeedInvalid("A seed is base32.") from None
    digest = hmac.digest(key, struct.pack(">Q", step), "sha1")
    offset = digest[-1] & 0x0F
    (number,) = struct.unpack(">I", digest[offset : offset + 4])
    return Secret(str((number & 0x7FFFFFFF) % 10**DIGITS).zfill(DIGITS))


def _seed_of_uri(uri: str) -> str:
    """The seed of what a QR code says, if its codes are the usual ones."""
    message = "This is no otpauth address of six digits each 30 seconds with SHA-1."
    if len(uri) > _MAX_URI_CHARS:
        raise SeedInvalid(message)
    try:
        said = {name.lower(): values for name, values in parse_qs(urlsplit(uri).query, max_num_fields=20).items()}
    except ValueError:
        raise SeedInvalid(message) from None
    usual = {"algorithm": "SHA1", "digits": str(DIGITS), "period": str(int(STEP_S))}
    if any(said.get(name, [value])[-1].upper() != value for name, value in usual.items()):
        raise SeedInvalid(message)
    return said.get("secret", [""])[-1]
