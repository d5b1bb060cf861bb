"""A masked request as a curl command; what is masked stands as a variable of the environment.

Rule 1: no value of a secret is ever written, so the command may be kept and shown.
Rule 2: what a shell would read as its own is quoted; a variable alone is left to it.

Source: POSIX.1-2024 shell command language, section 2.2.3 (double quotes); curl(1).
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote_plus

from keyturn.core.requests.provider_request import Preview

_MARK: Final = re.compile(r"‹([^›]*)›")
_PROOF: Final = re.compile(r"Basic ‹base64\(([\w.]+):([\w.]+)\)›")
_SPECIAL: Final = re.compile(r'(["\\$`])')
_FORM: Final = "application/x-www-form-urlencoded"


def as_curl(preview: Preview) -> str:
    """Write the command, one option a line."""
    parts = [f"curl --request {preview.method} {_quoted(preview.url)}"]
    form = False
    for name, value in preview.headers:
        proof = _PROOF.fullmatch(value)
        if name.lower() == "authorization" and proof:
            parts.append(f'--user "${{{_variable(proof[1])}}}:${{{_variable(proof[2])}}}"')
        elif name.lower() == "content-type" and value.lower().startswith(_FORM):
            form = True
        else:
            parts.append(f"--header {_quoted(f'{name}: {value}')}")
    if form:
        pairs = [each.partition("=") for each in preview.body.split("&") if each]
        parts += [
            f"--data-urlencode {_quoted(f'{unquote_plus(name)}={unquote_plus(value)}')}" for name, _, value in pairs
        ]
    elif preview.body:
        parts.append(f"--data-raw {_quoted(preview.body)}")
    return " \\\n  ".join(parts)


def _quoted(text: str) -> str:
    """In double quotes, with each mark as a variable."""
    found, at = [], 0
    for mark in _MARK.finditer(text):
        found += [_SPECIAL.sub(r"\\\1", text[at : mark.start()]), f"${{{_variable(mark[1])}}}"]
        at = mark.end()
    return '"' + "".join([*found, _SPECIAL.sub(r"\\\1", text[at:])]) + '"'


def _variable(label: str) -> str:
    """The name of a variable for what a mark stands for."""
    return re.sub(r"[^A-Z0-9]+", "_", label.upper()).strip("_") or "SECRET"
