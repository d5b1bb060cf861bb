"""A JWT's claims, read as data: nothing is verified, and nothing may rest on it but a name.

Source: RFC 7519 §3; the connector format, `claims.*`.
"""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any, Final

from keyturn.core.secret import Secret

MAX_CLAIMS_CHARS: Final = 65_536


def claims_of(token: Secret) -> dict[str, Any]:
    """The payload of a compact JWT; empty where the text is none."""
    parts = token.reveal().split(".")
    if len(parts) != 3 or not parts[1] or len(parts[1]) > MAX_CLAIMS_CHARS:
        return {}
    try:
        found = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (ValueError, binascii.Error, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
