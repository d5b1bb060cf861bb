"""A pasted text → the words of each curl command in it, as a POSIX shell would split them.

Rule 1: nothing is run, expanded or looked up; a variable stays as it is written.
Rule 2: an error says where in the text it is, and never repeats the text.

Source: POSIX.1-2024 shell command language, sections 2.2 (quoting) and 2.3; bash's `$'…'` as browsers copy it.
"""

from __future__ import annotations

import re
from typing import Final

_BEGIN: Final = re.compile(r"(?:^|(?<=\n))[ \t]*(?:\$[ \t]+)?curl(?:\.exe)?(?=\s)")
_ENDS: Final = frozenset("\n|;&")
_ESCAPES: Final = {"n": "\n", "t": "\t", "r": "\r", "'": "'", '"': '"', "\\": "\\"}


class CurlUnreadable(ValueError):
    """The text is no curl command that can be read. `line` and `column` count from 1."""

    def __init__(self, message: str, line: int = 1, column: int = 1) -> None:
        super().__init__(message)
        self.line = line
        self.column = column


def commands(text: str) -> list[list[str]]:
    """The words behind each `curl` that begins a line.

    Raises:
        CurlUnreadable: there is none, or a quotation mark is not closed.
    """
    text = text.replace("\r\n", "\n")
    found = [_Words(text, begin.end()).read() for begin in _BEGIN.finditer(text)]
    if not found:
        raise CurlUnreadable("A line that begins with “curl” is expected.")
    return found


class _Words:
    """One walk over the words of a command."""

    def __init__(self, text: str, place: int) -> None:
        self._text = text
        self._place = place
        self._words: list[str] = []
        self._word: list[str] | None = None  # in pieces: a word may be as long as the text

    def read(self) -> list[str]:
        """Read to the end of the command."""
        while self._place < len(self._text):
            letter = self._text[self._place]
            if letter in _ENDS:
                break
            self._take(letter)
        self._finish()
        return self._words

    def _take(self, letter: str) -> None:
        following = self._text[self._place + 1 : self._place + 2]
        if letter == "\\" and following == "\n":
            self._place += 2
        elif letter == "\\":
            self._add(following)
            self._place += 2
        elif letter in " \t":
            self._finish()
            self._place += 1
        elif letter == "'":
            self._add(self._until("'", self._place + 1))
        elif letter == '"':
            self._add(self._quoted(self._place + 1))
        elif letter == "$" and following == "'":
            self._add(self._escaped(self._place + 2))
        else:
            self._add(letter)
            self._place += 1

    def _finish(self) -> None:
        if self._word is not None:
            self._words.append("".join(self._word))
        self._word = None

    def _add(self, piece: str) -> None:
        if self._word is None:
            self._word = []
        self._word.append(piece)

    def _until(self, mark: str, begin: int) -> str:
        end = self._text.find(mark, begin)
        if end < 0:
            raise self._open(begin - 1)
        self._place = end + 1
        return self._text[begin:end]

    def _quoted(self, begin: int) -> str:
        found, place = [], begin
        while place < len(self._text) and self._text[place] != '"':
            if self._text[place] == "\\" and self._text[place + 1 : place + 2] in ('"', "\\", "$", "`", "\n"):
                place += 1
                found.append("" if self._text[place] == "\n" else self._text[place])
            else:
                found.append(self._text[place])
            place += 1
        if place >= len(self._text):
            raise self._open(begin - 1)
        self._place = place + 1
        return "".join(found)

    def _escaped(self, begin: int) -> str:
        found, place = [], begin
        while place < len(self._text) and self._text[place] != "'":
            if self._text[place] != "\\":
                found.append(self._text[place])
                place += 1
                continue
            coded = re.compile(r"\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2}))").match(self._text, place)
            if coded:
                found.append(chr(int(coded.group(1) or coded.group(2), 16)))
                place = coded.end()
            else:
                escape = self._text[place + 1 : place + 2]
                found.append(_ESCAPES.get(escape, f"\\{escape}"))
                place += 2
        if place >= len(self._text):
            raise self._open(begin - 2)
        self._place = place + 1
        return "".join(found)

    def _open(self, place: int) -> CurlUnreadable:
        line = self._text.count("\n", 0, place) + 1
        column = place - (self._text.rfind("\n", 0, place) + 1) + 1
        return CurlUnreadable("A quotation mark that begins here is not closed.", line, column)
