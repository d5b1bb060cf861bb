"""Values in places of their own: command options, elements, form parts, pairs in lists, echoes of refused input.

Rule: as in all readers of text, each letter is read once and only values are replaced.
"""

from __future__ import annotations

import re
from typing import Final

from keyturn.core.redaction.names import Naming, judge_name
from keyturn.core.redaction.values import MASK, basic_parts, bracket_end, is_no_value, looks_random, quoted_end

_ECHO: Final = re.compile(
    r"\b(?:input_value|input|rejectedValue|rejected value|instance)(?P<close>\\*[\"']?)[ \t]*[=:][ \t]*"
)
_USER_OPTION: Final = re.compile(
    r"(?<!\S)(?P<option>-u|-U|--user|--proxy-user|-a|--auth)"
    r"(?P<blank>[ \t=]+[\"']?)(?P<user>[^\s:\"']{1,200}):(?P<value>[^\s\"']++)"
)
_OPTION: Final = re.compile(
    r"(?<![\w-])--?(?P<name>[A-Za-z][\w.-]*+)(?P<blank>[ \t]++)(?!-)"
    r"(?P<value>(?:\"(?:[^\"\\]|\\.)*+\"?|'[^']*+'?|\\.|[^\s\"'\\])++)"
)
_PASSWORD_OPTION: Final = re.compile(
    r"(?<!\S)(?P<lead>(?:(?:-u|-U|--user|--username)[ \t=]+[^\s:]{1,200}|sshpass)[ \t]+-p[ \t]*)(?P<value>[^\s\"']++)"
)
_ELEMENT: Final = re.compile(r"<(?:[\w-]{1,40}:)?(?P<name>[\w.-]{1,80})(?:\s[^<>]{0,400})?>(?P<value>[^<]++)(?=</)")
_ENCODED_ELEMENT: Final = re.compile(r"&lt;(?:[\w-]{1,40}:)?(?P<name>[\w.-]{1,80})&gt;(?P<value>[^&]++)(?=&lt;/)")
_FIELD: Final = re.compile(
    r"\bname=(?P<quote>\\*[\"'])(?P<name>[\w.\[\]-]{1,80})(?P=quote)(?P<gap>(?:[^\r\n\\]{0,200}(?:\r\n|\n|\\r\\n|\\n)){1,6}?(?:\r\n|\n|\\r\\n|\\n))"
    r"(?P<value>.*?)(?=(?:\r\n|\n|\\r\\n|\\n)--|\Z)",
    re.DOTALL,
)
_INPUT: Final = re.compile(
    r"\bname=\\*[\"'](?P<name>[\w.\[\]-]{1,80})\\*[\"'](?P<gap>[^<>\n]{0,200}?\bvalue=\\*[\"'])(?P<value>[^\"'\\<>]++)"
)
_COOKIE_REPR: Final = re.compile(r"(?P<lead><(?:Cookie |Morsel: )[^\s=<>]{1,80}=)(?P<value>[^\s<>;]++)")
_OBJECT: Final = re.compile(
    r"(?<!\w)(?P<name>[A-Z]\w{1,60})\((?P<member>(?:_?value|raw|secret_value)=)?(?=[bBuU]?\\{0,8}[\"'])"
)
_TUPLE: Final = re.compile(
    r"(?<=[(\[])(?P<open>b?\\*[\"'])(?P<name>[\w.-]{1,80})\\*[\"'](?P<gap>,[ \t]*b?(?P<quote>\\*[\"']))"
)


def mask_places(text: str, found: list[str]) -> str:
    """Hide what stands in a place of its own; `found` learns it. Never raises."""
    if "-" in text:
        text = _OPTION.sub(lambda m: _named(m, found, option=True), text)
        text = _USER_OPTION.sub(lambda m: _user_option(m, found), text)
        if "-p" in text:
            text = _PASSWORD_OPTION.sub(lambda m: m["lead"] + MASK, text)
    if "<Cookie " in text or "<Morsel: " in text:
        text = _COOKIE_REPR.sub(lambda m: _cookie(m, found), text)
    if "</" in text:
        text = _ELEMENT.sub(lambda m: _named(m, found), text)
    if "&lt;/" in text:
        text = _ENCODED_ELEMENT.sub(lambda m: _named(m, found), text)
    if "name=" in text:
        text = _INPUT.sub(lambda m: _named(m, found), text)
        if "form-data" in text:
            text = _FIELD.sub(lambda m: _named(m, found), text)
    if "('" in text or '("' in text or "['" in text or '["' in text or "(b" in text or '[\\"' in text:
        text = _mask_tuples(text, found)
        text = _mask_objects(text, found)
    elif "value=" in text or "raw=" in text:
        text = _mask_objects(text, found)
    return text


def _named(match: re.Match[str], found: list[str], *, option: bool = False) -> str:
    value = match["value"].strip("\"'") if option else match["value"]
    naming = judge_name(match["name"])
    if naming is Naming.MAYBE and looks_random(value):
        naming = Naming.SECRET
    if naming not in (Naming.SECRET, Naming.AUTHORIZATION, Naming.COOKIE, Naming.CONTAINER) or is_no_value(
        value.strip()
    ):
        return match.group()
    found.append(value.strip())
    begin, end = match.span("value")
    return match.group()[: begin - match.start()] + MASK + match.group()[end - match.start() :]


def _user_option(match: re.Match[str], found: list[str]) -> str:
    if match["value"].isdigit() or is_no_value(match["value"]):
        return match.group()
    found.append(match["value"])
    return f"{match['option']}{match['blank']}{match['user']}:{MASK}"


def _cookie(match: re.Match[str], found: list[str]) -> str:
    found.append(match["value"].strip("\"'"))
    return match["lead"] + MASK


def _mask_tuples(text: str, found: list[str]) -> str:
    """Pairs as written in a list: `[('authorization', 'Bearer …'), …]`."""
    pieces: list[str] = []
    done = place = 0
    while (match := _TUPLE.search(text, place)) is not None:
        place = match.end()
        naming = judge_name(match["name"])
        if naming not in (Naming.SECRET, Naming.AUTHORIZATION, Naming.COOKIE):
            continue
        quoted = quoted_end(text, match.start("quote"))
        if quoted is None or text[quoted[2] : quoted[2] + 1] not in (")", "]", ""):
            continue
        value = text[quoted[0] : quoted[1]]
        if naming is Naming.SECRET and (is_no_value(value) or judge_name(value) is not Naming.UNKNOWN):
            continue
        found.append(value.split(" ", 1)[-1])
        if naming is Naming.AUTHORIZATION and value.lower().startswith("basic "):
            found.extend(basic_parts(value[6:].strip()))
        pieces += [text[done : quoted[0]], MASK]
        done = place = max(quoted[1], place)
    return "".join([*pieces, text[done:]])


def _mask_objects(text: str, found: list[str]) -> str:
    """Objects of a class named as a secret: `Token(value='…')`, `SecretStr('…')`; not `InvalidToken('it expired')`."""
    pieces: list[str] = []
    done = place = 0
    while (match := _OBJECT.search(text, place)) is not None:
        place = match.end()
        quoted = quoted_end(text, place) if judge_name(match["name"]) is Naming.SECRET else None
        if quoted is None:
            continue
        value = text[quoted[0] : quoted[1]]
        if is_no_value(value) or (not match["member"] and (" " in value or judge_name(value) is not Naming.UNKNOWN)):
            continue
        found.append(value)
        pieces += [text[done : quoted[0]], MASK]
        done = place = max(quoted[1], place)
    return "".join([*pieces, text[done:]])


def mask_echoes(text: str) -> str:
    """Hide what pydantic and others print of the input that they refuse. Never raises."""
    if not (
        "input_type=" in text
        or "'loc'" in text
        or '"loc' in text
        or "'msg'" in text
        or '"msg' in text
        or "rejected" in text
    ):
        return text
    pieces: list[str] = []
    done = place = 0
    while (match := _ECHO.search(text, place)) is not None:
        at = place = match.end()
        quoted = quoted_end(text, at)
        if "input_value" in match.group():
            ending = text.find(", input_type=", quoted[2] if quoted else at)
            end = ending if ending >= 0 else len(text)
        elif quoted is not None:
            at, end = quoted[0], quoted[1]
        elif text[at : at + 1] in ("{", "[", "("):
            end = bracket_end(text, at)
        else:
            end = at + len(re.match(r"[^\s,})\]]*+", text[at : at + 4096]).group())  # type: ignore[union-attr]
        if is_no_value(text[at:end]):
            continue
        quote = match["close"] if quoted is None else ""
        pieces += [text[done:at], f"{quote}{MASK}{quote}"]
        done = place = max(end, place)
    return "".join([*pieces, text[done:]])
