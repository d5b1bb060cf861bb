"""What becomes of a secret in each form that it may be written in.

Rule 1: half of a secret, or six letters of a short one, counts as the whole.
Rule 2: base64 and hex are what the secret's octets become at each alignment, so that a secret inside something longer
is found too.
Rule 3: most texts hold nothing, and a coarse screen says so: every few letters of the text starts a group of four, and
one of those is in every part of a secret that counts.
"""

from __future__ import annotations

import base64
import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import accumulate
from operator import sub
from typing import Final

from keyturn.core.redaction.views import DROPPED, read_octets, skeleton

_SHORTEST_PART: Final = 6
_SHORTEST_BASE64: Final = 5
_MAX_STRIDE: Final = 16
_HIGH: Final = re.compile("[\x80-\xff]+")
SCREEN_WIDTH: Final = 4
# What any kind of view drops or maps, so that the screen lets through whatever one of them could find.
_SCREEN_TABLE: Final = dict.fromkeys(map(ord, f"{DROPPED}:,-_/ \t\r\n\v\f"))


@dataclass(frozen=True, slots=True)
class Pattern:
    """Letters to find in one kind of view; any `least` of them in a row count. `seeds`: (letters, their place)."""

    letters: str
    least: int
    seeds: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Traces:
    """Every form of one secret."""

    bones: tuple[Pattern, ...]
    base64: tuple[Pattern, ...]
    hex: tuple[Pattern, ...]
    short: str | None  # fewer than six letters: found as a word only
    groups: frozenset[str]  # for the screen
    stride: int  # how far apart the screen may look; 0 where it can't tell


def traces_of(value: str) -> Traces | None:
    """Work out how `value` may be written. None where it is empty or blank."""
    if not value.strip():
        return None
    spellings = {value, unicodedata.normalize("NFC", value), unicodedata.normalize("NFD", value)}
    octets = {spelling.encode("utf-8", "surrogatepass") for spelling in spellings}
    if not value.isascii():
        mangled = value.encode("utf-8", "surrogatepass").decode("latin-1")
        spellings.add(mangled)
        # `\xc3\xa1` may be two letters or the octets of one, and is read as the latter.
        spellings.add(_HIGH.sub(lambda run: read_octets(run.group().encode("latin-1")), value))
        latin = value.encode("latin-1", "ignore")
        if len(latin) == len(value):
            octets.add(latin)
    short = value.strip() if len(skeleton(value)) < _SHORTEST_PART else None
    least = max(_SHORTEST_PART, len(value) // 2)
    least_octets = max(_SHORTEST_PART, min(map(len, octets)) // 2) if short is None else min(map(len, octets))
    bones = () if short else tuple(_pattern(skeleton(s), _least_bones(s, least)) for s in spellings)
    encoded = tuple(
        _pattern(text, min(len(text), (8 * least_octets - 5) // 6))
        for text in (core for run in octets for core in _base64_cores(run))
        if len(text) >= _SHORTEST_BASE64
    )
    hexed = tuple(_pattern(run.hex(), min(2 * len(run), 2 * least_octets)) for run in octets if len(run) > 3)
    groups, stride = _screen([*bones, *encoded, *hexed])
    return Traces(bones, encoded, hexed, short, groups, stride)


def coarse(letters: str) -> str:
    """Leave of `letters` what all kinds of views have in common."""
    return letters.casefold().translate(_SCREEN_TABLE)


def _screen(patterns: list[Pattern]) -> tuple[frozenset[str], int]:
    """The groups of letters by which a text is told to hold nothing, and how far apart it has to be looked at."""
    groups: set[str] = set()
    stride = _MAX_STRIDE
    for pattern in patterns:
        letters = coarse(pattern.letters)
        groups.update(letters[i : i + SCREEN_WIDTH] for i in range(len(letters) - SCREEN_WIDTH + 1))
        stride = min(stride, _fewest(pattern.letters, pattern.least, coarse) - SCREEN_WIDTH + 1)
    return frozenset(groups), max(stride, 0)


def _fewest(letters: str, width: int, kept: Callable[[str], str]) -> int:
    """How few letters `kept` leaves of any `width` in a row."""
    if len(kept(letters)) == len(letters) and letters.isascii():
        return min(width, len(letters))  # each letter stays one letter: nothing is left out
    lengths = {letter: len(kept(letter)) for letter in set(letters)}
    sums = [0, *accumulate(map(lengths.__getitem__, letters))]
    return min(map(sub, sums[width:], sums), default=sums[-1])


def _least_bones(spelling: str, least: int) -> int:
    """How few letters may be left of a part of `least` letters once blanks and quotes are dropped."""
    return max(_fewest(spelling, least, skeleton), min(_SHORTEST_PART, len(skeleton(spelling))))


def _base64_cores(octets: bytes) -> Iterator[str]:
    """The letters that base64 makes of `octets` and of nothing around them, at each of the three alignments."""
    for lead in range(3):
        encoded = base64.b64encode(b"\0" * lead + octets).decode("ascii")
        first = (0, 2, 3)[lead]
        last = (lead + len(octets)) * 8 // 6
        yield encoded[first:last]


def _pattern(letters: str, least: int) -> Pattern:
    least = max(1, min(least, len(letters)))
    width = least // 2 + 1
    places = range(0, len(letters) - width + 1, least - width + 1)
    return Pattern(letters, least, tuple((letters[i : i + width], i) for i in places))
