"""Where a value ends in a text, what it looks like, and what may be left of it.

Rule 1: a value whose end is not to be seen (a cut text) ends with the text.
Rule 2: quotes are matched with their backslashes, so that JSON inside a string inside a string is read rightly.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Final

from keyturn.core.redaction.names import Naming, judge_name

MASK: Final = "***"  # shorter than six letters, so that it is never half of anybody's secret

_QUOTE: Final = re.compile(r"(\\*)([\"'`])")
_OPENING: Final = re.compile(r"(?:[bBuUrRfF]{1,2}(?=\\*[\"']))?(\\*)([\"'`])")
_BRACKETS: Final = re.compile(r"\\*[\"'`]|[()\[\]{}]")
_PARTNER: Final = {")": "(", "]": "[", "}": "{"}
_MASKED: Final = re.compile(r"[*•●…xX.]{3,}|<?\[?\(?(?:redacted|masked|hidden|filtered|removed)\)?\]?>?", re.IGNORECASE)
_NO_VALUE: Final = re.compile(
    r"(?:str|int|bytes|bool|float|object|Any|Secret|SecretStr|SecretBytes|None|null|nil|true|false|undefined|yes|no|"
    r"missing|required|expired|invalid|unset|empty|unchanged|rotated|revoked|present|absent|rejected|failed|"
    r"wrong|incorrect|hashed|sealed|encrypted|accepted|verified|unknown|changed|updated|deleted|disabled|enabled|"
    r"valid|active|allowed|denied|granted)"
    r"(?:\s*\|\s*None)?",
    re.IGNORECASE,
)
_PROSE: Final = re.compile(
    r"(?:this |the )?(?:value |field |string |input |password |token |secret )?"
    r"(?:is |was |must |"
    r"should |may |can(?:not|'t)? |has |required|missing|invalid|expired|too (?:short|long|common|weak)|not |wrong|"
    r"rejected|ensure this|please |"
    r"at least|unknown|none |no longer |no (?:digit|letter|symbol|upper|lower|special))[A-Za-z0-9 ,.'_()-]*",
    re.IGNORECASE,
)
_UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_PLAIN: Final = re.compile(
    r"[0-9a-fA-F]{32,}|(?:sha\d+|md5)[:=-].*|\d{4}-\d\d-\d\d.*|\w+://.*|/.*|[\w-]+(?:\.[\w-]+)+(?::\d+)?|"
    r"[A-Za-z]{1,12}[-_]?\d{1,4}"
)
_COOKIE_ATTRIBUTES: Final = frozenset(
    ["path", "domain", "max-age", "expires", "samesite", "secure", "httponly", "partitioned", "priority", "version"]
)


def is_masked(value: str) -> bool:
    """Say whether nothing is left to hide in `value`."""
    return not value or _MASKED.fullmatch(value) is not None


def is_no_value(value: str) -> bool:
    """Say whether `value` is a type, a truth value or nothing at all."""
    return is_masked(value) or _NO_VALUE.fullmatch(value) is not None


def is_prose(value: str) -> bool:
    """Say whether `value` speaks about a secret ("must have 12 letters") rather than being one."""
    return " " in value and len(value) < 200 and _PROSE.fullmatch(value) is not None


def looks_random(value: str) -> bool:
    """Say whether `value`, met without a name of its own, is more likely a secret than a word, id, time or address."""
    value = value.strip("\"'`“”‘’.,;:!?()[]{}<>")
    if len(value) < 8 or len(value) > 4096 or not any(map(str.isdigit, value)) or not any(map(str.isalpha, value)):
        return False
    if _UUID.fullmatch(value) or _PLAIN.fullmatch(value):
        return False
    mixed = any(map(str.isupper, value)) and any(map(str.islower, value))
    return mixed or len(value) >= 20 or any(not (c.isalnum() or c in "-_.:/") for c in value)


def quoted_end(text: str, at: int, limit: int | None = None) -> tuple[int, int, int] | None:
    """Read a quoted value at `at`: (start of its inside, end of it, end of the quotes); None where none starts."""
    opening = _OPENING.match(text, at)
    if opening is None:
        return None
    depth, quote, begin = len(opening.group(1)), opening.group(2), opening.end()
    if text.startswith(quote * 2, begin) and not depth and quote != "`":
        closing = text.find(quote * 3, begin + 2)
        closing = len(text) if closing < 0 else closing
        return begin + 2, closing, min(closing + 3, len(text))
    end = len(text) if limit is None else min(len(text), at + limit)
    for found in _QUOTE.finditer(text, begin, end):
        slashes = len(found.group(1))
        if slashes < depth:  # the text around this value ends here, so the value was cut
            return begin, found.start(), found.start()
        if found.group(2) == quote and slashes % (2 * (depth + 1)) == depth:
            return begin, found.end() - depth - 1, found.end()
    return begin, end, end


def bracket_end(text: str, at: int, limit: int | None = None) -> int:
    """Find where the bracket that opens at `at` is closed; the end of the text (or `limit` letters on) if never."""
    end = len(text) if limit is None else min(len(text), at + limit)
    open_brackets: list[str] = []
    place = at
    while (found := _BRACKETS.search(text, place, end)) is not None:
        sign = found.group()
        if sign[-1] in "\"'`":
            quoted = quoted_end(text, found.start(), None if limit is None else limit)
            place = quoted[2] if quoted and quoted[2] > found.start() else found.end()
            continue
        place = found.end()
        if sign in "([{":
            open_brackets.append(sign)
            continue
        while open_brackets and open_brackets[-1] != _PARTNER[sign]:
            open_brackets.pop()
        if open_brackets:
            open_brackets.pop()
        if not open_brackets:
            return place
    return end


def _is_remark(value: str) -> bool:
    """Say whether a header's value speaks about it (`authorization: required scope read`)."""
    return is_prose(value) and not any(map(looks_random, value.split()))


def mask_credentials(value: str, found: list[str]) -> str:
    """Keep the scheme of an Authorization value, hide all behind it. `found` learns what was hidden."""
    if _is_remark(value.strip()):
        return value
    scheme, blank, rest = value.strip().partition(" ")
    if not blank or not re.fullmatch(r"[A-Za-z][A-Za-z0-9-]{0,20}", scheme):
        if is_no_value(value.strip()) or value.strip().lower() in ("basic", "bearer", "digest", "negotiate", "dpop"):
            return value
        found.append(value.strip())
        return MASK
    rest = rest.strip()
    found.append(rest)
    if scheme.lower() == "basic":
        found.extend(basic_parts(rest))
    return f"{scheme} {MASK}"


def basic_parts(encoded: str) -> list[str]:
    """The password inside Basic credentials; nothing where they are none. Source: RFC 7617."""
    try:
        octets = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except (binascii.Error, ValueError):
        return []
    _, colon, password = octets.decode("utf-8", "replace").partition(":")
    return [password] if colon else []


def mask_cookies(value: str, found: list[str]) -> str:
    """Keep the names of cookies and the attributes of Set-Cookie, hide the values."""
    if _is_remark(value.strip()):
        return value
    pieces = []
    for piece in value.split(";"):
        name, equals, cookie = piece.partition("=")
        if name.strip().lower() in _COOKIE_ATTRIBUTES:
            pieces.append(piece)
        elif equals:
            found.append(cookie.strip().strip('"'))
            pieces.append(f"{name}={MASK}")
        else:
            pieces.append(MASK if piece.strip() else piece)
    return ";".join(pieces)


def mask_user_pair(value: str, found: list[str]) -> str:
    """Hide what follows the first colon of `user:password`."""
    user, colon, password = value.partition(":")
    if not colon or not password or password.startswith("//"):
        return value
    found.append(password)
    return f"{user}:{MASK}"


_TOKENS: Final = re.compile(r"(?:[bBuUrRfF]{1,2}(?=\\*[\"']))?\\*[\"'`]|[^\s\"'`\\,:={}\[\]()]+")
_AFTER_KEY: Final = re.compile(r"\s*(?:=>|[:=])")


def mask_inside(text: str, found: list[str], *, whole: bool = False) -> str:
    """Hide each string and number in the brackets that `text` is, but those under names known as harmless.

    Args:
        text: a list, an object or a call as written, with its brackets.
        found: learns what was hidden.
        whole: hide those under harmless names, too (cookies may have any name).
    """
    pieces: list[str] = []
    place = done = 0
    name = ""
    while (token := _TOKENS.search(text, place)) is not None:
        begin, end = token.span()
        quoted = quoted_end(text, begin) if token.group()[-1] in "\"'`" else None
        if quoted is not None:
            begin, end = quoted[0], quoted[1]
        value, place = text[begin:end], max(quoted[2] if quoted else end, token.end())
        if _AFTER_KEY.match(text, place) or (quoted is None and text.startswith("(", place)):
            name = value
            continue
        number = quoted is None and not any(map(str.isdigit, value))
        if is_no_value(value) or number or (not whole and judge_name(name) is Naming.HARMLESS):
            continue
        found.append(value)
        pieces += [text[done:begin], MASK if quoted else f'"{MASK}"']
        done = end
    return "".join([*pieces, text[done:]])
