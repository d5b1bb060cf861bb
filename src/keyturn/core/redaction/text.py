"""Secrets that show themselves in a text by their shape or by where they stand.

Rule 1: a text without any of the words or signs of `may_hold_secrets` is returned untouched, and quickly.
Rule 2: each pattern is anchored on a rare sign and takes whole runs, so that no text costs more than its length.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from typing import Final

from keyturn.core.redaction.columns import mask_columns
from keyturn.core.redaction.names import PROSE_NAMES
from keyturn.core.redaction.pairs import mask_pairs
from keyturn.core.redaction.places import mask_echoes, mask_places
from keyturn.core.redaction.values import MASK, basic_parts, looks_random

_HINTS: Final = (
    "pass",
    "pw",
    "secret",
    "token",
    "otp",
    "key",
    "authoriz",
    'auth"',
    "auth'",
    "auth=",
    "auth:",
    "auth ",
    "-a ",
    "-u=",
    "cookie",
    "cred",
    "jwt",
    "bearer",
    "basic",
    "eyj",
    "pin",
    "code",
    "seed",
    "phrase",
    "assertion",
    "verifier",
    "answer",
    "input",
    "validat",
    "mnemonic",
    "kty",
    "kennwort",
    "senha",
    "contra",
    "parola",
    "hasło",
    "haslo",
    "wachtwoord",
    "пароль",
    "密码",
    "パスワード",
    "-u ",
    "--user",
    "rejectedvalue",
    "@",
    "%40",
    "%6",  # an escaped letter: a name may hold it
    "%7",
    "kt_",
    "lösenord",
    "psw",
    "tok",
    "private",
)

_HARMLESS_HINTS: Final = ("keyturn", "status_code", "error_code", "status code")

_PRIVATE_KEY: Final = re.compile(
    r"-----BEGIN(?P<gap>(?:[ +]|%20|\\u0020)+)(?:[A-Z0-9]+(?P=gap))*PRIVATE(?P=gap)KEY(?:(?P=gap)BLOCK)?-----"
)
_KEY_END: Final = re.compile(r"-----END[ +%0-9A-Zu\\]{1,40}?-----")
_LOOSE_KEY: Final = re.compile(r"AGE-SECRET-KEY-1[0-9A-Z]+|(?<![A-Za-z0-9_])kt_[A-Za-z0-9_-]{20,}+")
_PUTTY_KEY: Final = re.compile(r"(?<=Private-Lines: )\d{1,4}(?:\s+[A-Za-z0-9+/=]{20,}+)+(?:\s+[A-Za-z0-9+/=]+=(?!\S))?")
_JWT: Final = re.compile(
    r"(?<![A-Za-z0-9_-])e(?:yJ|yA|wo|w0)[A-Za-z0-9_-]{5,}+(?:(?:\.|%2[eE])[A-Za-z0-9_-]*+){1,4}={0,2}"
    r"(?:(?:\r?\n|\\n|\\r\\n)[ \t]*[A-Za-z0-9_-]{12,}+(?:\.[A-Za-z0-9_-]*+){0,4})*"
)
_WRAPPED_JWT: Final = re.compile(
    r"(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{5,}+(?:\s+[A-Za-z0-9_-]++){0,40}\s*\.\s*[A-Za-z0-9_-]{6,}+(?:\s+[A-Za-z0-9_-]{6,}+){0,200}"
    r"(?:\s*\.\s*[A-Za-z0-9_-]++(?:\s+[A-Za-z0-9_-]{12,}+){0,20})?"
)
_USER_PART: Final = re.compile(
    r"(?<=:)(?P<slashes>\\*/\\*/)(?P<user>[^\s/?#\"'<>\\]{1,2048}@|[^\s/?#:@\"'<>\[]{0,256}:(?!\d+[/?#\s\"'])[^\s\"'<>@]{1,512}@)"
)
_LOOSE_USER_PART: Final = re.compile(
    r"(?<![\w@/.+%-])(?P<user>[\w.+-]{1,64}):(?P<value>[^\s:@/\"'<>\\]{6,128})@(?=[A-Za-z0-9-]{1,63}[.:\s]|\[|localhost)"
)
_ENCODED_USER_PART: Final = re.compile(
    r"(?P<slashes>%(?P<level>(?:25)*)3A%(?P=level)2F%(?P=level)2F)"
    r"(?:[^%\s&\"'<>/]|%(?!(?:25)*(?:2F|3F|23|40))){1,1024}%(?P=level)40",
    re.IGNORECASE,
)
_SCHEMED: Final = re.compile(
    r"\b(?P<scheme>bearer|basic|dpop|token)(?P<blank>[ \t]+)(?P<value>[A-Za-z0-9._~+/-]{6,}+=*)", re.IGNORECASE
)
_PROSE: Final = re.compile(
    rf"(?:(?<![A-Za-z0-9])|(?-i:(?<=[a-z])(?=[A-Z])))(?P<name>{PROSE_NAMES})"
    r"(?P<blank>(?:[ \t]++(?:is|was|of|to|=>|->))?[ \t]++[\"'`“‘(]{0,2})"
    r"(?P<value>[^\s\"'`”’]{4,})",
    re.IGNORECASE,
)
_ONE_TIME: Final = re.compile(
    r"(?:otp|pin|mfa code|one.time.*|verification code|pass.?code|recovery code)", re.IGNORECASE
)
_BLOB: Final = re.compile(r"(?<![A-Za-z0-9+/_=-])[A-Za-z0-9+/_-]{16,}+={0,2}")


def may_hold_secrets(text: str) -> bool:
    """Say whether any word or sign of a secret is in `text`; a cheap question."""
    lower = text.lower()
    for harmless in _HARMLESS_HINTS:
        if harmless in lower:
            lower = lower.replace(harmless, "")
    return any(hint in lower for hint in _HINTS)


def mask_shapes(text: str, found: list[str]) -> str:
    """Hide what a name, a shape or a place in `text` announces as secret; `found` learns it. Never raises."""
    text = _mask_private_keys(text)
    if "e" in text:
        text = _JWT.sub(lambda m: _jwt(m, found), text)
        if "eyJ" in text:
            text = _WRAPPED_JWT.sub(lambda m: _jwt(m, found), text)
    text = _LOOSE_KEY.sub(MASK, text)
    if "Private-Lines: " in text:
        text = _PUTTY_KEY.sub(MASK, text)
    if "@" in text:
        text = _USER_PART.sub(lambda m: _user_part(m, found), text)
        text = _LOOSE_USER_PART.sub(lambda m: _loose_user_part(m, found), text)
    if "%40" in text or "%2540" in text:
        text = _ENCODED_USER_PART.sub(lambda m: f"{m['slashes']}{MASK}%{m['level']}40", text)
    if "input" in text or "rejected" in text or "instance" in text:
        text = mask_echoes(text)
    text = mask_columns(text, found)
    text = mask_places(text, found)
    text = mask_pairs(text, found)
    text = _SCHEMED.sub(lambda m: _schemed(m, found), text)
    return _PROSE.sub(lambda m: _prose(m, found), text)


def _mask_private_keys(text: str) -> str:
    if "PRIVATE" not in text:
        return text
    pieces: list[str] = []
    done = 0
    while (begin := _PRIVATE_KEY.search(text, done)) is not None:
        end = _KEY_END.search(text, begin.end())
        pieces += [text[done : begin.end()], MASK]
        done = end.start() if end is not None else len(text)
    return "".join([*pieces, text[done:]])


def _jwt(match: re.Match[str], found: list[str]) -> str:
    header = re.split(r"[.%\s]", match.group(), maxsplit=1)[0]
    try:
        shown = base64.urlsafe_b64decode(header + "=" * (-len(header) % 4))
    except (binascii.Error, ValueError):
        shown = b"{" if header.startswith("eyJ") else b""
    if not shown.lstrip().startswith(b"{"):
        return match.group()
    found.append(match.group())
    return MASK


def _user_part(match: re.Match[str], found: list[str]) -> str:
    user, _, password = match["user"][:-1].partition(":")
    found.append(password or user)
    return f"{match['slashes']}{MASK}@"


def _loose_user_part(match: re.Match[str], found: list[str]) -> str:
    """`ana:password@host` without a scheme; an address behind a colon (`mailto:ana@host`) stays."""
    if not looks_random(match["value"]):
        return match.group()
    found.append(match["value"])
    return f"{match['user']}:{MASK}@"


def _schemed(match: re.Match[str], found: list[str]) -> str:
    scheme, value = match["scheme"].lower(), match["value"]
    parts = basic_parts(value) if scheme == "basic" else []
    if not parts and not looks_random(value):
        return match.group()
    found += [value, *parts]
    return f"{match['scheme']}{match['blank']}{MASK}"


def _prose(match: re.Match[str], found: list[str]) -> str:
    value = match["value"]
    bare = value.rstrip(".,;:!?)]}>")
    one_time = _ONE_TIME.fullmatch(match["name"]) is not None and bare.isdigit() and len(bare) >= 4
    if not one_time and not looks_random(value):
        return match.group()
    found.append(bare)
    return f"{match['name']}{match['blank']}{MASK}{value[len(bare) :]}"


def mask_blobs(text: str, redact: Callable[[str], str]) -> str:
    """Hide base64 that holds a text from which `redact` would take something."""

    def masked(match: re.Match[str]) -> str:
        blob = match.group().rstrip("=").translate({45: 43, 95: 47})
        if len(blob) % 4 == 1 or blob.islower():
            return match.group()
        try:
            inside = base64.b64decode(blob + "=" * (-len(blob) % 4)).decode("utf-8")
        except (binascii.Error, ValueError):
            return match.group()
        if sum(not c.isprintable() and not c.isspace() for c in inside):
            return match.group()
        return match.group() if redact(inside) == inside else MASK

    return _BLOB.sub(masked, text)
