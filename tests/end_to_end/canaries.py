"""Searching for secrets where none may be: raw, in base64, percent-encoded, JSON-escaped, hex."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote, quote_plus


def forms_of(secret: str) -> set[bytes]:
    """How a secret may look in a file."""
    raw = secret.encode()
    forms = {raw, secret.encode("utf-16-le"), raw.hex().encode(), json.dumps(secret)[1:-1].encode()}
    forms |= {quote(secret, safe="").encode(), quote_plus(secret).encode(), quote(secret).encode()}
    for shift in range(3):
        # In the middle of a longer text base64 depends on the position; the inner letters are the same.
        padded = base64.b64encode(b"\0" * shift + raw)
        inner = padded[4 if shift else 0 : len(padded) - 4]
        forms |= {inner, inner.translate(bytes.maketrans(b"+/", b"-_"))}
    return {form for form in forms if len(form) >= 8}


def find_canaries(places: Iterable[Path], secrets: Iterable[str]) -> list[str]:
    """Every file that shows a secret, as `file: which form`, without the secret itself."""
    found = []
    wanted = [(n, form) for n, secret in enumerate(secrets) for form in forms_of(secret)]
    for place in places:
        files = [place] if place.is_file() else [each for each in place.rglob("*") if each.is_file()]
        for file in files:
            text = file.read_bytes()
            found += [f"{file}: secret {n} at {text.index(form)}" for n, form in wanted if form in text]
    return found
