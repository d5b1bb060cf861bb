"""A text as others may read it: unescaped, layer by layer, without blanks, with the way back to each letter.

Rule 1: a view drops what separates or quotes (blanks, line ends, `+`, quotes, backslashes): a secret looks the same
however often it was quoted, wrapped or put into a form.
Rule 2: a letter of a view knows its span in the text, so that what is found can be cut out of the text itself.
Rule 3: the quick question ("is there anything?") needs no spans; they are computed for texts that hold something.
"""

from __future__ import annotations

import html
import re
from array import array
from collections.abc import Callable, Iterator
from typing import Final

MAX_LAYERS: Final = 4

_SHORT: Final = {"b": "", "f": "", "n": "", "r": "", "t": "", "v": "", "0": ""}
ESCAPE: Final = re.compile(
    r"(?:%[0-9A-Fa-f]{2})+|(?:\\+x[0-9A-Fa-f]{2})+|(?:\\+[0-3][0-7]{2})+|(?:\\+u[0-9A-Fa-f]{4})+"
    r"|\\+U[0-9A-Fa-f]{8}|%u[0-9A-Fa-f]{4}|\\+[\\\"'/bfnrtv]"
    r"|&#[0-9]{1,7};?|&#[xX][0-9A-Fa-f]{1,6};?|&[A-Za-z][A-Za-z0-9]{1,30};"
)
# What a view leaves out. U+200B..U+200D, U+2060, U+FEFF and U+00AD are blanks that str.split does not know.
DROPPED: Final = "+\\'\"`\u00ad\u200b\u200c\u200d\u2060\ufeff\u2018\u2019\u201c\u201d"
_DROP_TABLE: Final = dict.fromkeys(map(ord, DROPPED))
_DROP_RUNS: Final = re.compile(rf"[\s{re.escape(DROPPED)}]+")


def skeleton(text: str) -> str:
    """Leave out blanks, quotes, backslashes and `+`."""
    return "".join(text.split()).translate(_DROP_TABLE)


def has_escapes(text: str) -> bool:
    """Say whether a layer of escapes could be taken off."""
    return "%" in text or "\\" in text or "&" in text


def unescape(text: str) -> str:
    """Take one layer of percent-, backslash- and HTML-escapes off."""
    return ESCAPE.sub(lambda match: "".join(letter for letter, _, _ in _letters(match.group())), text)


def _letters(escape: str) -> Iterator[tuple[str, int, int]]:
    """Each letter of a run of escapes with its place in that run."""
    if escape[0] == "&":
        yield html.unescape(escape), 0, len(escape)
    elif escape[0] == "%" and escape[1] != "u":
        octets = bytes.fromhex(escape.replace("%", ""))
        yield from _octet_letters(octets, [3 * i for i in range(len(octets) + 1)])
    elif escape[0] == "%":
        yield chr(int(escape[2:], 16)), 0, len(escape)
    else:
        yield from _backslash_letters(escape)


def _backslash_letters(escape: str) -> Iterator[tuple[str, int, int]]:
    bare = escape.lstrip("\\")
    if bare == "" or (len(bare) == 1 and not bare.isdigit()):
        # An even number of backslashes before a letter is a quoted backslash; the letter stands for itself.
        short = _SHORT.get(bare, bare) if (len(escape) - len(bare)) % 2 else bare
        yield short, 0, len(escape)
        return
    units = list(_UNIT.finditer(escape))
    if bare[0] in "uU":
        yield from _code_units([(int(unit.group(1)[1:], 16), unit.start(), unit.end()) for unit in units])
        return
    octets = bytes(int(u[1:], 16) if u[0] == "x" else int(u, 8) for u in (unit.group(1) for unit in units))
    yield from _octet_letters(octets, [unit.start() for unit in units] + [len(escape)])


_UNIT: Final = re.compile(r"\\+(u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|x[0-9A-Fa-f]{2}|[0-3][0-7]{2})")


def _code_units(units: list[tuple[int, int, int]]) -> Iterator[tuple[str, int, int]]:
    """Put the halves of a surrogate pair together, as JSON writes letters beyond U+FFFF."""
    place = 0
    while place < len(units):
        code, start, end = units[place]
        place += 1
        if 0xD800 <= code < 0xDC00 and place < len(units) and 0xDC00 <= units[place][0] < 0xE000:
            low, _, end = units[place]
            place += 1
            code = 0x10000 + ((code - 0xD800) << 10) + low - 0xDC00
        yield chr(min(code, 0x10FFFF)), start, end


def read_octets(octets: bytes) -> str:
    """Read `octets` as a run of escapes is read: as UTF-8, and as Latin-1 what is none."""
    return "".join(letter for letter, _, _ in _octet_letters(octets, list(range(len(octets) + 1))))


def _octet_letters(octets: bytes, starts: list[int]) -> Iterator[tuple[str, int, int]]:
    """Read UTF-8; an octet that is none is read as Latin-1."""
    at = 0
    for letter in octets.decode("utf-8", "surrogateescape"):
        width = 1 if 0xDC80 <= ord(letter) <= 0xDCFF else len(letter.encode("utf-8", "surrogatepass"))
        shown = chr(ord(letter) - 0xDC00) if width == 1 and ord(letter) > 0x7F else letter
        yield shown, starts[at], starts[at + width]
        at += width


class View:
    """Letters, and for each the span of the text that it came from."""

    __slots__ = ("ends", "letters", "starts")

    def __init__(self, letters: str, starts: array[int], ends: array[int]) -> None:
        self.letters = letters
        self.starts = starts
        self.ends = ends

    @classmethod
    def of(cls, text: str) -> View:
        """The text as it stands."""
        return cls(text, array("q", range(len(text))), array("q", range(1, len(text) + 1)))

    def without(self, runs: re.Pattern[str]) -> View:
        """Leave out what `runs` matches."""
        return self._rewritten(runs, lambda _: iter(()))

    def bones(self) -> View:
        """Leave out what `skeleton` leaves out."""
        return self.without(_DROP_RUNS)

    def unescaped(self) -> View:
        """Take one layer of escapes off, as `unescape` does."""
        return self._rewritten(ESCAPE, _letters)

    def _rewritten(self, pattern: re.Pattern[str], letters_of: Callable[[str], Iterator[tuple[str, int, int]]]) -> View:
        pieces: list[str] = []
        starts, ends, at = array("q"), array("q"), 0
        for match in pattern.finditer(self.letters):
            begin, end = match.span()
            pieces.append(self.letters[at:begin])
            starts.extend(self.starts[at:begin])
            ends.extend(self.ends[at:begin])
            for letter, first, last in letters_of(match.group()):
                for single in letter:
                    pieces.append(single)
                    starts.append(self.starts[begin + first])
                    ends.append(self.ends[begin + last - 1])
            at = end
        pieces.append(self.letters[at:])
        starts.extend(self.starts[at:])
        ends.extend(self.ends[at:])
        return View("".join(pieces), starts, ends)
