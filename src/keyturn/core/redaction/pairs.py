"""Names with values in running text: JSON, repr, forms, queries, headers, command lines, source lines.

Rule 1: the text keeps its shape; only values are replaced.
Rule 2: each letter is read once, whatever the text: patterns take whole runs and give nothing back.
Rule 3: a value that a form, a quote or a line ends is taken to that end, and no further.
"""

from __future__ import annotations

import re
from typing import Final

from keyturn.core.redaction.names import Naming, is_plural, judge_name
from keyturn.core.redaction.values import (
    MASK,
    bracket_end,
    is_no_value,
    is_prose,
    looks_random,
    mask_cookies,
    mask_credentials,
    mask_inside,
    mask_user_pair,
    quoted_end,
)

_NAME: Final = re.compile(
    r"(?<![\w.\-$])-{0,2}+(?P<name>[\w$][\w.\-$]*+(?:\[[\\\"']{0,8}[\w.\-]{1,80}[\\\"']{0,8}\]|%5[Bb][\w.\-]{1,80}%5[Dd])*+)"
    r"(?P<close>\\*+[\"'`]?\]?)"
    r"(?P<sep>[ \t]*+(?:=>|:=|===?|!=|->|=|:(?![/\\]*/)|\\u003[dD]|&#61;)[ \t]*+(?:[\r\n]\s*+(?=[\\\"'\[{(]))?)"
)
_ENCODED: Final = re.compile(
    r"(?:%(?:25)*(?:26|3[FfBb]|23|20|22|7[Bb]|2[Cc]|0[AaDd])|[?&#\s\"'=]|^)(?P<name>[\w.\-]++)%(?P<level>(?:25)*)3[Dd]"
)
_BARE: Final = re.compile(
    r"(?:[^\s&,;\"'<)\]}\\#]"
    r"|&(?!(?:amp;)?[\w.\-\[\]%]{1,80}=)"
    r"|[,;](?!\s|$|[\w.\-\"'\\]{1,80}\s?[=:]|[\"'])"
    r"|[\"'](?![\s,;)\]}&:\\]|$)"
    r"|[)\]}](?![\s,;.)\]}\"':&]|$)"
    r"|<(?![/!a-zA-Z])"
    r"|\\(?!r\\n|n[\w-]{1,40}[:=]|[\"'](?:[\s,;)\]}]|$)|u00(?:26|22|3[cC]))"
    r"|\#(?![\w.\-]{1,80}=|/))+"
)
_FORM_REST: Final = re.compile(r"(?:[ \t]++[^&=?\s]++){1,12}(?=&[\w.%\[\]-]{1,80}=)")
_LINE_REST: Final = re.compile(r"(?:[ \t]++(?![\w.\-]{1,80}[=:])[^\s\"'\\]++){1,40}")
_HEADER_LINE: Final = re.compile(r"(?:[^\r\n\\\"'`]|\\(?![rn\"'])|[\"'`](?![\s,;)\]}]|$))*(?:\r?\n[ \t]+[^\r\n]+)*")
_HEADER_PARAMETERS: Final = re.compile(r"(?:[^\r\n\\]|\\(?![rn]))*(?:\r?\n[ \t]+[^\r\n]+)*")
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,20}[ \t]+(?=\S)")
_COOKIE_RUN: Final = re.compile(r"(?:[\w.\-$]{1,80}=[^;\s\"']*+(?:;[ \t]*)?)+")
_CALL: Final = re.compile(r"[A-Za-z_][\w.]{0,80}\(")
_SOURCE_NAME: Final = re.compile(r"[A-Za-z_][\w.]*(?:\(\)|\[[\w\"']*\])*")
_BEFORE: Final = re.compile(r"([A-Za-z0-9]{1,20}[ \t_-]{1,3}){1,2}$")
_BROKEN_NAMES: Final = frozenset({"key", "keys", "word", "code", "codes", "phrase", "seed"})
_LOOK_AHEAD: Final = 192


def mask_pairs(text: str, found: list[str]) -> str:
    """Hide the values of secret names in `text`; `found` learns them. Never raises."""
    pieces: list[str] = []
    done = place = 0
    while (match := _NAME.search(text, place)) is not None:
        place = match.end()
        naming = _judge(text, match)
        if naming in (Naming.UNKNOWN, Naming.HARMLESS):
            continue
        edit = _read_value(text, match, naming, found)
        if edit is None:
            continue
        begin, end, shown = edit
        pieces += [text[done:begin], shown]
        done = place = max(end, place)
    text = "".join([*pieces, text[done:]]) if pieces else text
    return _mask_encoded_pairs(text, found) if "%3" in text or "%25" in text else text


def _judge(text: str, match: re.Match[str]) -> Naming:
    name = match.group("name")
    naming = judge_name(name)
    if naming in (Naming.UNKNOWN, Naming.HARMLESS) and name.lower() in _BROKEN_NAMES and not match.group("close"):
        before = _BEFORE.search(text[max(0, match.start() - 46) : match.start("name")])
        if before is not None:
            return judge_name(before.group() + name)
    return naming


_Edit = tuple[int, int, str]


def _read_value(text: str, match: re.Match[str], naming: Naming, found: list[str]) -> _Edit | None:
    at = match.end()
    limit = _LOOK_AHEAD if naming in (Naming.MAYBE, Naming.CONTAINER, Naming.PAIR) else None
    quoted = quoted_end(text, at, limit)
    if quoted is not None:
        begin, inner_end, end = quoted
        while naming is Naming.SECRET and text.startswith(("\\'", '"\'"'), end):  # 'it'\''s': the shell's quoting
            _, inner_end, end = quoted_end(text, end + 2) or (0, end, len(text))
        shown = _shown(text[begin:inner_end], naming, match.group("name"), found)
        return None if shown is None else (begin, inner_end, shown)
    call = _CALL.match(text, at)
    if text[at : at + 1] in ("[", "{", "(") or call is not None:
        return _read_brackets(text, at, (call.end() - 1) if call else at, naming, found)
    if naming is Naming.AUTHORIZATION or naming is Naming.COOKIE:
        return _read_header(text, match, naming, found)
    return _read_bare(text, match, naming, found)


def _shown(value: str, naming: Naming, name: str, found: list[str]) -> str | None:
    """What stands in place of `value`; None to leave it."""
    if naming is Naming.AUTHORIZATION:
        return mask_credentials(value, found)
    if naming is Naming.COOKIE:
        return mask_cookies(value, found)
    if naming is Naming.PAIR:
        return mask_user_pair(value, found)
    if is_no_value(value) or is_prose(value) or (naming is Naming.MAYBE and not looks_random(value)):
        return None
    if value.isdigit() and is_plural(name):
        return None
    found.append(value)
    return MASK


def _read_brackets(text: str, at: int, opening: int, naming: Naming, found: list[str]) -> _Edit | None:
    if naming in (Naming.SECRET, Naming.AUTHORIZATION, Naming.COOKIE):
        end = bracket_end(text, opening)
        if _SOURCE_NAME.fullmatch(text, at, end):
            return None
        return opening, end, mask_inside(text[opening:end], found, whole=naming is Naming.COOKIE)
    end = bracket_end(text, opening, _LOOK_AHEAD)
    inside = text[opening:end]
    if naming is Naming.CONTAINER and text[opening] == "[" and not re.search(r"[{(:=]", inside):
        return opening, end, mask_inside(inside, found)
    if naming is Naming.PAIR and text[opening] in "([" and not re.search(r"[{=]", inside):
        first = quoted_end(inside, 1)
        if first is not None and inside[first[2] :].lstrip().startswith(","):
            return opening + first[2], end, mask_inside(inside[first[2] :], found)
    return None


def _at_line_start(text: str, match: re.Match[str]) -> bool:
    line = max(text.rfind("\n", max(0, match.start() - 200), match.start()), max(-1, match.start() - 200))
    before = text[line + 1 : match.start()]
    return not before.strip(" \t>|<*-") or before.endswith(("\\n", "\\r\\n"))


def _read_header(text: str, match: re.Match[str], naming: Naming, found: list[str]) -> _Edit | None:
    at = match.end()
    if _at_line_start(text, match) and ":" in match.group("sep"):
        whole = _HEADER_PARAMETERS.match(text, at)
    elif text[match.start() - 1 : match.start()] in ("'", '"', "`"):
        whole = _HEADER_LINE.match(text, at)
    elif naming is Naming.COOKIE:
        whole = _COOKIE_RUN.match(text, at) or _BARE.match(text, at)
    else:
        scheme = _SCHEME.match(text, at)
        whole = _BARE.match(text, scheme.end() if scheme else at)
    if whole is None or not text[at : whole.end()].strip():
        return None
    shown = _shown(text[at : whole.end()].rstrip(), naming, match.group("name"), found)
    return None if shown is None else (at, whole.end(), shown)


def _read_bare(text: str, match: re.Match[str], naming: Naming, found: list[str]) -> _Edit | None:
    at = match.end()
    bare = _BARE.match(text, at)
    if bare is None:
        return None
    end = bare.end()
    form = _FORM_REST.match(text, end)
    colon = ":" in match.group("sep")
    quoted = _quoted_rest(text, match, at)
    if form is not None:
        end = form.end()
    elif quoted > end:
        end = quoted
    elif colon and not match.group("close"):
        line = text[at : _line_end(text, at)]
        if is_prose(line.rstrip()):
            return None
        rest = _LINE_REST.match(text, end) if _at_line_start(text, match) else None
        end = rest.end() if rest is not None else end
    value = text[at:end]
    if _names_a_value(value):
        return None
    shown = _shown(value, naming, match.group("name"), found)
    if shown is None:
        return None
    quote = match.group("close").rstrip("]")
    return at, end, f"{quote}{shown}{quote}" if quote else shown


def _quoted_rest(text: str, match: re.Match[str], at: int) -> int:
    """Where the quotes end that hold name and value both, as in `--data "password=a b"`; 0 where none do."""
    quote = text[match.start() - 1 : match.start()]
    if quote not in ("'", '"') or match.group("close"):
        return 0
    end = text.find(quote, at, at + _LOOK_AHEAD)
    return 0 if end < 0 or any(sign in text[at:end] for sign in "&=\n") else end


def _names_a_value(value: str) -> bool:
    """`password=form.password` in a line of source says where the value is, not what it is."""
    name = value.rstrip("()")
    return _SOURCE_NAME.fullmatch(value) is not None and name.islower() and judge_name(name) is not Naming.UNKNOWN


def _line_end(text: str, at: int) -> int:
    found = text.find("\n", at, at + 300)
    return min(len(text), at + 300) if found < 0 else found


def _mask_encoded_pairs(text: str, found: list[str]) -> str:
    """Forms and queries that are percent-encoded as a whole: `to=https%3A%2F%2Fa%2F%3Ftoken%3Dx%26lang%3Den`."""
    pieces: list[str] = []
    done = place = 0
    while (match := _ENCODED.search(text, place)) is not None:
        place = match.end()
        naming = judge_name(match.group("name"))
        if naming in (Naming.UNKNOWN, Naming.HARMLESS, Naming.CONTAINER):
            continue
        value = _ENCODED_VALUES[min(len(match.group("level")) // 2, 2)].match(text, place)
        if value is None or not value.group() or is_no_value(value.group()):
            continue
        if naming is Naming.MAYBE and not looks_random(value.group()):
            continue
        found.append(value.group())
        pieces += [text[done:place], MASK]
        done = place = value.end()
    return "".join([*pieces, text[done:]]) if pieces else text


_ENCODED_VALUES: Final = tuple(
    re.compile(rf"(?:[^%&\s\"'<>#]|%(?!{level}(?:26|22|23|20|0[AaDd]|7[Dd])))*+") for level in ("", "25", "2525")
)
