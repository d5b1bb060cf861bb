"""Regular expressions of connectors, which can't be made to run for long.

Rule 1: a repeat of what itself repeats or has alternatives is refused (that is what takes exponential time), unless
each round begins or ends with a character that nothing else in the round can match.
Rule 2: at most three open-ended repeats stand in one pattern; look-around, back-references, conditions and inline
flags are refused.
Rule 3: what remains takes polynomial time, so the text is bounded by the number of repeats: see `MAX_TEXT`.

Python's engine has no time limit of its own, so the rules are the limit.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

MAX_PATTERN: Final = 500
MAX_REPEATS: Final = 3
# Characters of a text that are looked at, by open-ended repeats (one more where it may begin anywhere).
MAX_TEXT: Final = (65_536, 8_192, 2_048, 512, 200)
_OPEN_ENDED: Final = 32  # a repeat that may go this far counts as open-ended
_QUANTIFIER = re.compile(r"[*+?]|\{(\d*)(,?)(\d*)\}")
_CLASS = re.compile(r"\[\^?(\]?(?:\\.|[^\]\\])*)\]", re.DOTALL)
_SET_OPERATOR = re.compile(r"(?<!\\)\[|--|&&|\|\||~~")
_NUMERIC_ESCAPES: Final = {"x": 2, "u": 4, "U": 8}
_PROBES: Final = [chr(n) for n in range(256)]


class PatternError(ValueError):
    """The pattern can't be used; the message says why, in words of ours. `unsafe`: it could run for long."""

    def __init__(self, message: str, *, unsafe: bool = False) -> None:
        super().__init__(message)
        self.unsafe = unsafe


@dataclass(slots=True)
class _Group:
    """One group on its way: what it is made of."""

    atoms: list[str] = field(default_factory=list)  # the source of each simple atom, in order
    repeats: int = 0  # open-ended ones, nested ones included
    wild: bool = False  # holds a repeat, alternatives or a group with either
    first_is_plain: bool = False  # the first or last atom is one that is there exactly once
    last_is_plain: bool = False


def check_pattern(pattern: str) -> None:
    """Refuse a pattern that is none, or that could run for long.

    Raises:
        PatternError: with `unsafe` where it is the running time that is refused.
    """
    if len(pattern) > MAX_PATTERN:
        raise PatternError(f"a regular expression has at most {MAX_PATTERN} characters")
    _check_classes(pattern)
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError):
        raise PatternError("expected a regular expression as Python's re module reads it") from None
    if _repeats(pattern) > MAX_REPEATS:
        raise PatternError(f"at most {MAX_REPEATS} open-ended repeats may stand in one pattern", unsafe=True)


def _check_classes(pattern: str) -> None:
    """Refuse what a later Python will read as sets of sets, and warns of today."""
    at = 0
    while at < len(pattern):
        if pattern[at] == "[":
            inside = _CLASS.match(pattern, at)
            if inside is None:
                raise PatternError("a bracket of the regular expression is not closed")
            if _SET_OPERATOR.search(inside.group(1)):
                raise PatternError("inside the brackets of a regular expression [, --, &&, || and ~~ need a backslash")
            at = inside.end()
        else:
            at += 2 if pattern[at] == "\\" else 1


def matches_whole(pattern: str, text: str) -> bool:
    """Say whether all of `text` matches a checked pattern. A text longer than `MAX_TEXT` allows does not."""
    compiled, repeats = _compiled(pattern)
    return len(text) <= MAX_TEXT[repeats] and compiled.fullmatch(text) is not None


def found_in(pattern: str, text: str) -> bool:
    """Say whether a checked pattern is found anywhere in the first characters of `text` (see `MAX_TEXT`)."""
    compiled, repeats = _compiled(pattern)
    return compiled.search(text[: MAX_TEXT[repeats + 1 if repeats else 0]]) is not None


@lru_cache(maxsize=512)
def _compiled(pattern: str) -> tuple[re.Pattern[str], int]:
    check_pattern(pattern)
    return re.compile(pattern), _repeats(pattern)


def _tokens(pattern: str) -> Iterator[str]:
    """Cut a valid pattern into atoms, group marks and quantifiers."""
    at = 0
    while at < len(pattern):
        start = at
        quantifier = _QUANTIFIER.match(pattern, at)
        if pattern[at] == "\\":
            at += 2 + _NUMERIC_ESCAPES.get(pattern[at + 1], 0)
        elif pattern[at] == "[":
            at = _class_end(pattern, at)
        elif pattern.startswith("(?", at):
            at = _special_group(pattern, at)
        elif quantifier and (quantifier.group() in "*+?" or quantifier.group(1) or quantifier.group(3)):
            at = quantifier.end()
            if pattern[at : at + 1] in ("?", "+"):  # lazy or possessive: as many ways, or fewer
                at += 1
        else:
            at += 1
        yield pattern[start:at]


def _class_end(pattern: str, at: int) -> int:
    at += 2 if pattern.startswith("[^", at) else 1
    first = at
    while pattern[at] != "]" or at == first:
        at += 2 if pattern[at] == "\\" else 1
    return at + 1


def _special_group(pattern: str, at: int) -> int:
    for opening in ("(?:", "(?P<"):
        if pattern.startswith(opening, at):
            return at + 3 if opening == "(?:" else pattern.index(">", at) + 1
    raise PatternError("look-around, back-references, conditions and flags are not supported", unsafe=True)


def _repeats(pattern: str) -> int:
    """Count the open-ended repeats; refuse those that multiply."""
    stack = [_Group()]
    last: str | _Group | None = None
    for piece in _tokens(pattern):
        group = stack[-1]
        if piece.startswith("("):
            stack.append(_Group())
            last = None
        elif piece == ")":
            last = stack.pop()
            outer = stack[-1]
            outer.repeats += last.repeats
            outer.wild |= last.wild
            outer.last_is_plain = False
        elif piece == "|":
            group.wild = True
            group.first_is_plain = group.last_is_plain = False
            group.atoms.append("|")  # no character stands apart from the others any more
            last = None
        elif _is_quantifier(piece):
            _quantify(group, piece, last)
            last = None
        else:
            last = _atom(group, piece)
    return stack[0].repeats


def _is_quantifier(token: str) -> bool:
    return token[0] in "*+?" or (token[0] == "{" and len(token) > 1)


def _atom(group: _Group, token: str) -> str | None:
    if token in ("^", "$", "\\A", "\\Z", "\\b", "\\B"):
        return None
    if re.fullmatch(r"\\[1-9].*", token):
        raise PatternError("back-references are not supported", unsafe=True)
    group.first_is_plain |= not group.atoms and not group.wild
    group.atoms.append(token)
    group.last_is_plain = True
    return token


def _quantify(group: _Group, token: str, last: str | _Group | None) -> None:
    found = _QUANTIFIER.match(token)
    low, comma, high = (found.group(1), found.group(2), found.group(3)) if found else ("", "", "")
    most = _OPEN_ENDED if token[0] in "*+" or (comma and not high) else int(high or low or 1)
    if isinstance(last, _Group) and last.wild and most > 1 and not _rounds_stand_apart(last):
        raise PatternError("a repeat of what repeats or has alternatives could run for very long", unsafe=True)
    if len(group.atoms) == 1 and isinstance(last, str):
        group.first_is_plain = False
    group.last_is_plain = False
    group.wild = True
    if most >= _OPEN_ENDED:
        group.repeats += 1


def _rounds_stand_apart(group: _Group) -> bool:
    """Whether each round has a first or last character that nothing else in the round matches."""
    for plain, edge, others in (
        (group.first_is_plain, 0, group.atoms[1:]),
        (group.last_is_plain, -1, group.atoms[:-1]),
    ):
        if not plain or "|" in group.atoms:
            continue
        matched = [probe for probe in _PROBES if re.fullmatch(group.atoms[edge], probe)]
        if len(matched) == 1 and not any(re.fullmatch(atom, matched[0]) for atom in others):
            return True
    return False
