"""A second judge of the redaction corpus: it undoes the output's encodings instead of guessing the secret's forms."""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Iterator
from urllib.parse import unquote

_RUN64 = re.compile(r"[A-Za-z0-9+/_-]{6,}")
_RUN16 = re.compile(r"(?:[0-9A-Fa-f]{2}[:]?){4,}")
_ESCAPE = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|x([0-9A-Fa-f]{2})|(.))", re.DOTALL)
_PLAIN = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}


def seen_secrets(output: str, secrets: list[str]) -> list[str]:
    """Return the parts of `secrets` (half of one, six characters at least) that a reader of `output` can get at."""
    views = {view for first in _views(output) for view in (first, "".join(first.split()))}
    return [part for secret in secrets for part in _parts(secret) if any(part in view for view in views)]


def _parts(secret: str) -> set[str]:
    half = min(len(secret), max(6, len(secret) // 2))
    runs = {secret[start : start + half] for start in range(len(secret) - half + 1)}
    squeezed = {"".join(run.split()) for run in runs}
    return runs | {run for run in squeezed if len(run) >= min(6, len(secret))}


def _views(output: str) -> Iterator[str]:
    spread = {output, "".join(output.split())}
    for text in set(spread):
        for code in ("utf-8", "latin-1"):
            once = unquote(text, code, "replace")
            spread |= {
                once,
                unquote(once, code, "replace"),
                once.replace("+", " "),
                unquote(once.replace("+", " "), code),
            }
    for text in set(spread):
        spread |= {html.unescape(text), _unescaped(text), _unescaped(_unescaped(text))}
    yield from spread
    for text in {output, "".join(output.split()), unquote(output)}:
        yield from _decoded(text)


def _unescaped(text: str) -> str:
    def plain(found: re.Match[str]) -> str:
        short, long, octet, other = found.groups()
        if other is not None:
            return _PLAIN.get(other, other)
        number = int(short or long or octet, 16)
        return chr(number) if number < 0x110000 else ""

    units = _ESCAPE.sub(plain, text)
    joined = units.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return joined


def _decoded(text: str) -> Iterator[str]:
    for found in _RUN64.finditer(text):
        run = found[0].replace("-", "+").replace("_", "/")
        for start in range(4):
            core = run[start:]
            core = core[: len(core) - (1 if len(core) % 4 == 1 else 0)]
            octets = base64.b64decode(core + "=" * (-len(core) % 4))
            yield octets.decode("utf-8", "replace")
            yield octets.decode("latin-1")
    for found in _RUN16.finditer(text):
        digits = found[0].replace(":", "")
        for start in range(2):
            core = digits[start:]
            octets = bytes.fromhex(core[: len(core) // 2 * 2])
            yield octets.decode("utf-8", "replace")
            yield octets.decode("latin-1")
