"""A link as a QR code: drawn here, so that it goes through nobody's picture service.

Rule 1: whoever can see the code can open the link: it is drawn where the link itself is shown, and nowhere else.
Rule 2: it stands on white with four modules around it, in a dark theme as well: cameras need both.

Source: ISO/IEC 18004, quiet zone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import segno

QUIET: Final = 4  # modules
_HALVES: Final = {(False, False): "█", (False, True): "▀", (True, False): "▄", (True, True): " "}


@dataclass(frozen=True, slots=True)
class QrCode:
    """`size`: modules on a side, with the quiet zone. `path`: of an SVG, one square for each dark module."""

    size: int
    path: str


def qr_code(text: str) -> QrCode:
    """Of a text that has at most some hundred characters."""
    rows = _rows(text)
    runs = [f"M{x} {y}h1v1h-1z" for y, row in enumerate(rows) for x, dark in enumerate(row) if dark]
    return QrCode(len(rows), "".join(runs))


def qr_lines(text: str) -> list[str]:
    """The same for a terminal with light text on a dark ground, two modules in each character."""
    rows = _rows(text)
    rows += [(False,) * len(rows)] * (len(rows) % 2)
    pairs = zip(rows[::2], rows[1::2], strict=True)
    return ["".join(_HALVES[pair] for pair in zip(upper, lower, strict=True)) for upper, lower in pairs]


def _rows(text: str) -> list[tuple[bool, ...]]:
    code = segno.make_qr(text, error="m")
    return [tuple(bool(module) for module in row) for row in code.matrix_iter(border=QUIET)]
