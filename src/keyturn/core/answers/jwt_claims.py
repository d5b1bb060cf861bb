"""A JWT's claims, read as data: nothing is verified, and nothing may rest on it but a name.

Source: RFC 7519 §3; the connector format, `claims.*`.
"""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any, Final

from keyturn.core.answers.answer_body import is_too_deep
from keyturn.core.secret import Secret

MAX_CLAIMS_CHARS: Final = 65_536


def claims_of(token: Secret) -> dict[str, Any]:
    """The payload of a compact JWT; empty where the text is none."""
    parts = token.reveal().split(".")
    if len(parts) != 3 or not parts[1] or len(parts[1]) > MAX_CLAIMS_CHARS:
        return {}
    try:
        raw = base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4))
        text = raw.decode(json.detect_encoding(raw), "surrogatepass")  # as the parser reads bytes
        found = {} if is_too_deep(text) else json.loads(text)
    except (ValueError, binascii.Error):
        return {}
    return found if isinstance(found, dict) else {}
