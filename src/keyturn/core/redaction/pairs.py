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
    r"(?<![\w.\-$])-{0,2}+(?P<name>[\w$][\w.\-$]*+(?:\[[\\\"']{0,8}[\w.\-]{0,80}[\\\"']{0,8}\]|%5[Bb][\w.\-]{0,80}%5[Dd])*+)"
    r"(?P<close>\\*+[\"'`]?\]?)"
    r"(?P<sep>[ \t]*+(?:=>|:=|===?|!=|->|=|:(?![/\\]*/)|\\u003[dD]|&#61;)[ \t]*+"
    r"(?:[\r\n]\s*+(?=[\\\"'\[{(])|[|>][+-]?[ \t]*\r?\n[ \t]+)?"
    r"(?:(?:await|not|yield)[ \t]++(?=[A-Za-z_][\w.]{0,80}[(\[]))?)"
)
_BARE: Final = re.compile(
    r"(?:[^\s&,;|\"'<)\]}\\#]"
    r"|&(?!(?:amp;)?[\w.\-\[\]%]{1,80}=)"
    r"|[,;](?!\s|$|[\w.\-\"'\\]{1,80}\s?[=:]|[\"'])"
    r"|\|(?!\s|$|[\w.\-]{1,80}=)"
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
_SOURCE_NAME: Final = re.compile(r"[A-Za-z_][\w.]*(?:\(\)|\[[\w.\"']*\])*")
_NEGATED: Final = re.compile(r"\b(?:no|missing|without)[ \t]+(?:[a-z]{1,20}[ \t]+)?$", re.IGNORECASE)
_PHRASE: Final = re.compile(r"(?:[ \t]++[A-Za-z0-9-]++){2,12}+(?=[ \t]*(?:$|[\r\n,;.)\"']))")
_SMALL_WORDS: Final = re.compile(
    r"[ \t](?:an?|and|are|as|at|be|because|before|but|by|for|from|ha[ds]|have|if|in|is|its?|not?|of|on|or|since|so|"
    r"than|that|the|then|this|to|user|via|was|when|while|will|with|after|again|later)(?![\w-])",
    re.IGNORECASE,
)
_SCOPE: Final = re.compile(r"(?:read|write|admin|create|update|delete|list|manage|revoke|rotate|issue|all|introspect)")
_COUNT: Final = re.compile(r"\d{1,3} of \d{1,3}(?!\S)")
_PORT: Final = re.compile(r"\d{1,5}(?:[/?#]|(?=[\s\"'<>)]|$))")
_PATH_BEFORE: Final = re.compile(r"(?:(?<![^\s\"'])|//)[^\s\"'=]*/[^\s\"'=]*;$")
_QUERY_AFTER: Final = re.compile(r"\?(?=[\w.\-]{1,80}=)")
_FRAME: Final = re.compile(r"[ \t|]*File \"[^\"\n]*\", line \d+")
_BEFORE: Final = re.compile(r"([A-Za-z0-9]{1,20}[ \t_+-]{1,3}){1,2}$")
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
    return "".join([*pieces, text[done:]]) if pieces else text


def _judge(text: str, match: re.Match[str]) -> Naming:
    name = match.group("name")
    naming = judge_name(name)
    if match.group("sep") == ":" and _PORT.match(text, match.end()) and naming is not Naming.UNKNOWN:
        is_host = text.endswith("//", 0, match.start())
        if is_host or (naming is Naming.MAYBE and "." in name):  # a host and its port
            return Naming.UNKNOWN
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
        if _is_enum_member(text, match, text[begin:inner_end], end):
            return None
        shown = _shown(text[begin:inner_end], naming, match.group("name"), found)
        return None if shown is None else (begin, inner_end, shown)
    call = _CALL.match(text, at)
    if text[at : at + 1] in ("[", "{", "(") or call is not None:
        return _read_brackets(text, at, (call.end() - 1) if call else at, naming, found)
    if naming is Naming.AUTHORIZATION or naming is Naming.COOKIE:
        return _read_header(text, match, naming, found)
    return _read_bare(text, match, naming, found)


def _is_enum_member(text: str, match: re.Match[str], value: str, end: int) -> bool:
    """`<GrantType.PASSWORD: 'password'>` says a word, no secret."""
    _, dot, member = match.group("name").rpartition(".")
    in_brackets = text[match.start() - 1 : match.start()] == "<" and text.startswith(">", end)
    return bool(dot) and in_brackets and member.lower() == value.lower()


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
        if _SOURCE_NAME.fullmatch(text, at, end) or _is_lookup(text[at:opening], text[opening:end]):
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


def _is_lookup(function: str, arguments: str) -> bool:
    """`token = data.get('token')` in a line of source says where the value is."""
    method = function.rpartition(".")[2]
    argument = arguments[1:-1].strip("\"'")
    return method[:1].islower() and argument.islower() and judge_name(argument) is not Naming.UNKNOWN


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
    if bare is None or _is_source(text, match, bare.end()):
        return None
    end = _bare_end(text, match, bare.end())
    if end is None:
        return None
    shown = _shown(text[at:end], naming, match.group("name"), found)
    if shown is None:
        return None
    quote = match.group("close").rstrip("]")
    return at, end, f"{quote}{shown}{quote}" if quote else shown


def _bare_end(text: str, match: re.Match[str], end: int) -> int | None:
    """Where a value without quotes ends, that goes on to `end` at least; None where it is no value but a sentence."""
    at = match.end()
    form = _FORM_REST.match(text, end)
    if form is not None:
        return form.end()
    quoted = _quoted_rest(text, match, at)
    if quoted > end:
        return quoted
    before = text[max(0, match.start() - 200) : match.start()]
    if before.endswith(";") and _PATH_BEFORE.search(before):  # a parameter in a path; a query may follow
        query = _QUERY_AFTER.search(text, at, end)
        return query.start() if query is not None else end
    if match.group("close"):
        return end
    phrase = _PHRASE.match(text, end) if text[at:end].isalpha() else None
    if phrase is not None and _SMALL_WORDS.search(phrase.group()) is None:
        end = phrase.end()
    if ":" not in match.group("sep"):
        return end
    line = text[at : _line_end(text, at)]
    if _COUNT.match(text, at) or (text[at:end].isdigit() and is_plural(match.group("name"))):
        return None
    is_scope = match.group("sep") == ":" and _SCOPE.fullmatch(text, at, end) is not None
    if is_scope or is_prose(line.rstrip()) or (text[at:end].isalpha() and _NEGATED.search(before)):
        return None
    rest = _LINE_REST.match(text, end) if _at_line_start(text, match) else None
    return rest.end() if rest is not None else end


def _quoted_rest(text: str, match: re.Match[str], at: int) -> int:
    """Where the quotes end that hold name and value both, as in `--data "password=a b"`; 0 where none do."""
    quote = text[match.start() - 1 : match.start()]
    if quote not in ("'", '"') or match.group("close"):
        return 0
    end = text.find(quote, at, at + _LOOK_AHEAD)
    return 0 if end < 0 or any(sign in text[at:end] for sign in "&=\n") else end


def _is_source(text: str, match: re.Match[str], end: int) -> bool:
    """`password=form.password` in a line of source says where the value is, not what it is."""
    at = match.end()
    source = _SOURCE_NAME.match(text, at)
    if source is None or text[source.end() : end].strip("),"):
        return False
    name = source.group().rstrip("()")
    if (name.islower() or "[" in name) and judge_name(name) is not Naming.UNKNOWN:
        return True
    line = text.rfind("\n", max(0, at - 300), at)
    frame = text.rfind("\n", max(0, line - 400), max(0, line)) + 1
    return line >= 0 and "=" in match.group("sep") and _FRAME.match(text, frame) is not None


def _line_end(text: str, at: int) -> int:
    found = text.find("\n", at, at + 300)
    return min(len(text), at + 300) if found < 0 else found
