"""Tables in a text: a line of column names, and below it lines whose cells are told by their column.

Rule 1: a line is a head only if it is made of short names and nothing else, one of which is a secret's.
Rule 2: a line belongs to the table as long as it has as many cells as the head.
"""

from __future__ import annotations

import re
from typing import Final

from keyturn.core.redaction.names import Naming, judge_name
from keyturn.core.redaction.values import MASK, is_no_value

_HEAD: Final = re.compile(
    r"(?:^|(?<=\n))(?P<names>\"?[\w.-]{1,40}\"?(?:(?P<sign>[,;\t|])(?:\"?[\w .-]{1,40}\"?))"
    r"(?:(?P=sign)\"?[\w .-]{1,40}\"?){0,63})(?=\r?\n)"
)
_CELLS: Final = {sign: re.compile(rf"\"(?:[^\"]|\"\")*+\"?|[^{sign}\r\n]*+") for sign in (",", ";", "\\t", "\\|")}


def mask_columns(text: str, found: list[str]) -> str:
    """Hide the cells below the names of secrets; `found` learns them. Never raises."""
    if "\n" not in text:
        return text
    pieces: list[str] = []
    done = place = 0
    while (head := _HEAD.search(text, place)) is not None:
        sign = head["sign"]
        place = head.end()
        names = [name.strip(' "') for name in head["names"].split(sign)]
        hidden = [judge_name(name) is Naming.SECRET for name in names]
        if not any(hidden):
            continue
        cell = _CELLS[{"\t": "\\t", "|": "\\|"}.get(sign, sign)]
        while (row := _row(text, place, sign, cell, len(names))) is not None:
            for is_hidden, (begin, end) in zip(hidden, row, strict=True):
                value = text[begin:end].strip(' "')
                if is_hidden and value and not is_no_value(value):
                    found.append(value)
                    pieces += [text[done:begin], MASK]
                    done = end
            place = row[-1][1]
    return "".join([*pieces, text[done:]])


def _row(text: str, at: int, sign: str, cell: re.Pattern[str], count: int) -> list[tuple[int, int]] | None:
    """The cells of the line after `at`; None where it is no line of the table."""
    at += text.startswith("\r", at)
    if not text.startswith("\n", at):
        return None
    at += 1
    cells: list[tuple[int, int]] = []
    while len(cells) < count:
        span = cell.match(text, at)
        if span is None:
            return None
        cells.append(span.span())
        at = span.end()
        if len(cells) < count:
            if not text.startswith(sign, at):
                return None
            at += 1
    ends = at == len(text) or text[at] in "\r\n"
    return cells if ends else None
