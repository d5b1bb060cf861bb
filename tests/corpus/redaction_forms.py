"""The forms in which a secret must not be seen, worked out independently of the redactor."""

from __future__ import annotations

import base64
import html
import json
from urllib.parse import quote, quote_plus


def forms_of(secret: str) -> set[str]:
    """Return `secret` as text, escapes, base64 at each alignment and hex may show it."""
    forms = {secret, "".join(secret.split()), repr(secret)[1:-1], html.escape(secret)}
    forms |= {json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}
    octets = {secret.encode()} | ({secret.encode("latin-1")} if max(secret) <= "\xff" else set())
    for run in octets:
        forms |= {quote(run, safe=""), quote_plus(run), quote(quote(run, safe=""), safe=""), run.hex()}
        forms.add("".join(f"%{octet:02X}" for octet in run))
        for lead in range(3):
            core = base64.b64encode(b"\0" * lead + run)[(0, 2, 3)[lead] : (lead + len(run)) * 8 // 6].decode()
            forms |= {core, core.replace("+", "-").replace("/", "_")}
    return forms


def leaks(output: str, secret: str) -> list[str]:
    """Return the forms of `secret`, or of half of it, that `output` shows."""
    half = max(6, len(secret) // 2)
    parts = {secret} | {secret[i : i + half] for i in range(max(1, len(secret) - half + 1))}
    squeezed = "".join(output.split())
    return [
        form
        for part in parts
        for form in forms_of(part)
        if len(form) >= min(6, len(secret))
        and (form in output or form in squeezed or ("%" in form and form.lower() in squeezed.lower()))
    ]
