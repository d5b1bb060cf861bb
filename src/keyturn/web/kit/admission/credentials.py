"""Which API key a request carries: one rule for every door.

Rule 1: `Keyturn-Key` counts where it is sent: a proxy in between, or the caller's own client, may use `Authorization`
for something else. Otherwise it is `Authorization: Bearer`.
Rule 2: a header that counts and stands twice names nobody: which of the two is meant would be anybody's guess.

Source: the product, "Interfaces that stay as they are"; RFC 6750 section 2.1.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

NOBODY: Final = ""
_SCHEME: Final = b"bearer "


def key_among(own: Sequence[bytes], authorization: Sequence[bytes]) -> str | None:
    """The key that these header values carry: empty where it is nobody's, None where neither header was sent.

    Args:
        own: the values of `Keyturn-Key`.
        authorization: the values of `Authorization`.
    """
    if own:
        return own[0].strip().decode("latin-1") if len(own) == 1 else NOBODY
    if not authorization:
        return None
    sent = authorization[0]
    if len(authorization) > 1 or sent[: len(_SCHEME)].lower() != _SCHEME:
        return NOBODY
    return sent[len(_SCHEME) :].strip().decode("latin-1")
