"""Names and values that are percent-encoded: forms in queries, JSON in forms, names with an escape in them.

Rule 1: the text is changed where a value is hidden, and stays as it was written everywhere else.
Rule 2: each letter is read once for each layer of encoding.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final
from urllib.parse import quote, unquote, unquote_plus

from keyturn.core.redaction.names import Naming, judge_name
from keyturn.core.redaction.values import MASK, is_no_value, looks_random

_PAIR: Final = re.compile(
    r"(?:%(?:25)*(?:26|3[FfBb]|23|20|22|7[Bb]|2[Cc]|0[AaDd])|[?&#\s\"'=]|^)(?P<name>[\w.\-]++)%(?P<level>(?:25)*)3[Dd]"
)
_VALUES: Final = tuple(
    re.compile(rf"(?:[^%&\s\"'<>#]|%(?!{level}(?:26|22|23|20|0[AaDd]|7[Dd])))*+") for level in ("", "25", "2525")
)
_ODD_NAME: Final = re.compile(
    r"(?:^|[?&;#\s\"'])(?P<name>[\w.+-]{0,80}+(?:%[0-9A-Fa-f]{2}[\w.+-]{0,80}+){1,40})="
    r"(?P<value>[^&#\s\"'<>;]++)"
)
_QUOTING_RUN: Final = re.compile(r"[\w.~!*()+/:,;-]*+(?:%[0-9A-Fa-f]{2}[\w.~!*()+/:,;-]*+)+")
_QUOTE_SIGN: Final = re.compile(r"%(?:25)*(?:22|27)")


def mask_encoded(text: str, redact: Callable[[str], str], found: list[str]) -> str:
    """Hide the values of secret names where names or values are percent-encoded; `found` learns them."""
    if "%" not in text:
        return text
    if "%3" in text or "%25" in text:
        text = _mask_pairs(text, found)
    if "=" in text:
        text = _ODD_NAME.sub(lambda m: _odd_name(m, found), text)
    return _QUOTING_RUN.sub(lambda m: _quoting_run(m.group(), redact), text) if _QUOTE_SIGN.search(text) else text


def _mask_pairs(text: str, found: list[str]) -> str:
    """Forms and queries that are encoded as a whole: `to=https%3A%2F%2Fa%2F%3Ftoken%3Dx%26lang%3Den`."""
    pieces: list[str] = []
    done = place = 0
    while (match := _PAIR.search(text, place)) is not None:
        place = match.end()
        naming = judge_name(match.group("name"))
        if naming in (Naming.UNKNOWN, Naming.HARMLESS, Naming.CONTAINER):
            continue
        value = _VALUES[min(len(match.group("level")) // 2, 2)].match(text, place)
        if value is None or not value.group() or is_no_value(value.group()):
            continue
        if naming is Naming.MAYBE and not looks_random(value.group()):
            continue
        found.append(value.group())
        pieces += [text[done:place], MASK]
        done = place = value.end()
    return "".join([*pieces, text[done:]]) if pieces else text


def _odd_name(match: re.Match[str], found: list[str]) -> str:
    """A name of which some letters are escaped: `pass%77ord=`."""
    naming, value = judge_name(unquote_plus(match["name"])), match["value"]
    if naming is Naming.MAYBE and looks_random(value):
        naming = Naming.SECRET
    if naming is not Naming.SECRET or is_no_value(value):
        return match.group()
    found.append(unquote(value))
    return match.group()[: -len(value)] + MASK


def _quoting_run(run: str, redact: Callable[[str], str]) -> str:
    """JSON or a repr inside a form: it is read as what it says, and written again only where something was hidden."""
    if _QUOTE_SIGN.search(run) is None:
        return run
    plain = unquote_plus(run)
    shown = redact(plain)
    return run if shown == plain else quote(shown, safe="*~!()/:,;")
