"""A link as a QR code."""

from __future__ import annotations

import re

from keyturn.web.kit.drawing.qr_code import QUIET, qr_code, qr_lines

LINK = "https://keyturn.example/c/" + "A" * 43


def test_the_picture_is_a_code() -> None:
    """4 n + 17 modules and the quiet zone; the three corners that cameras look for, and nothing around them."""
    code = qr_code(LINK)
    dark = {(int(x), int(y)) for x, y in re.findall(r"M(\d+) (\d+)h1v1h-1z", code.path)}
    last = code.size - QUIET - 7
    corner = {(x, y) for x in range(7) for y in range(7) if x in (0, 6) or y in (0, 6) or (2 <= x <= 4 and 2 <= y <= 4)}

    assert (code.size - 2 * QUIET - 17) % 4 == 0
    for left, top in ((QUIET, QUIET), (last, QUIET), (QUIET, last)):
        assert corner == {(x - left, y - top) for x, y in dark if left <= x < left + 7 and top <= y < top + 7}
    assert all(QUIET <= each < code.size - QUIET for place in dark for each in place)


def test_a_terminal_shows_the_same() -> None:
    """Two modules in a character, the dark ones as what is not drawn."""
    code, lines = qr_code(LINK), qr_lines(LINK)
    drawn = {
        (x, 2 * n + half)
        for n, line in enumerate(lines)
        for x, character in enumerate(line)
        for half in (0, 1)
        if character == " " or character == "▄▀"[half]
    }
    dark = {(int(x), int(y)) for x, y in re.findall(r"M(\d+) (\d+)h1v1h-1z", code.path)}

    assert dark == drawn
    assert {code.size} == {len(line) for line in lines}


def test_another_link_is_another_code() -> None:
    """It is the text that is drawn."""
    assert qr_code(LINK) != qr_code(LINK + "B")
