"""An operator's colour and logo, checked before anybody sees them.

Rule 1: a colour in which people can't read is refused at the start, with one near it in which they can.
Rule 2: a ground of light and one of dark need two colours, so the one for dark is the given one, made lighter.
Rule 3: a logo is a small PNG: no markup, nothing that runs, and within what a page may weigh.

Sources: WCAG 2.2, success criterion 1.4.3 and its definitions of contrast ratio and relative luminance; PNG (Third
Edition), section 5.2 and 11.2.1.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from keyturn.core.urls.usable_url import usable_url

LEAST_CONTRAST: Final = 4.5
MOST_LOGO_BYTES: Final = 8 * 1024
MOST_LOGO_PIXELS: Final = 1024
LIGHT_GROUND: Final = (0xF6, 0xF6, 0xF3)  # white is lighter, so what can be read here can be read there
DARK_SHEET: Final = (0x1D, 0x1F, 0x22)
_WHITE: Final = (0xFF, 0xFF, 0xFF)
_BLACK: Final = (0, 0, 0)
_COLOR: Final = re.compile(r"#[0-9a-fA-F]{6}")
_PNG: Final = b"\x89PNG\r\n\x1a\n"
_STEPS: Final = 100

Rgb = tuple[int, int, int]


class BrandUnusable(ValueError):
    """This colour or logo can't be used; the message says why, and what could."""


@dataclass(frozen=True, slots=True)
class Brand:
    """How an operator's pages look. `color`: `#rrggbb`; `logo`: the bytes of a PNG; `help_url`: where help is."""

    color: str | None = None
    logo: bytes | None = None
    help_url: str | None = None

    def style_sheet(self) -> bytes | None:
        """The rules that put the colour in place of the usual one; None where there is none."""
        if self.color is None:
            return None
        light = _rgb(self.color)
        dark = _towards(light, _WHITE, DARK_SHEET)
        return (
            f":root {{ --accent: {_text(light)}; --on-accent: #ffffff; }}\n"
            f"@media (prefers-color-scheme: dark) {{ :root {{ --accent: {_text(dark)}; "
            f"--on-accent: {_text(DARK_SHEET)}; }} }}\n"
        ).encode("ascii")


@dataclass(frozen=True, slots=True)
class Contrast:
    """How well one colour reads on another. `what`: where they meet; both as `#rrggbb`."""

    what: str
    color: str
    ground: str
    ratio: float

    @property
    def enough(self) -> bool:
        """Whether people can read it."""
        return self.ratio >= LEAST_CONTRAST


def contrasts(color: str) -> tuple[Contrast, ...]:
    """Where the colour meets another one on the pages, in the light theme and in the dark one.

    BrandUnusable: it is written in another way than `#rrggbb`.
    """
    if not _COLOR.fullmatch(color):
        raise BrandUnusable("a colour is written #rrggbb, such as #14508c")
    light = _rgb(color)
    dark = _towards(light, _WHITE, DARK_SHEET)
    places = (
        ("links, light theme", light, LIGHT_GROUND),
        ("buttons, light theme", _WHITE, light),
        ("links, dark theme", dark, DARK_SHEET),
        ("buttons, dark theme", DARK_SHEET, dark),
    )
    return tuple(Contrast(what, _text(one), _text(other), contrast(one, other)) for what, one, other in places)


def check_color(given: str) -> str:
    """Take a colour that can be read as text on the pages' light ground, and that white can be read on.

    Raises:
        BrandUnusable: no `#rrggbb`, or too little contrast.
    """
    if not _COLOR.fullmatch(given):
        raise BrandUnusable("a colour is written #rrggbb, such as #14508c")
    color = _rgb(given)
    ratio = contrast(color, LIGHT_GROUND)
    if ratio < LEAST_CONTRAST:
        near = _text(_towards(color, _BLACK, LIGHT_GROUND))
        shown = int(ratio * 10) / 10  # rounded down, so that 4.49 is not said to be 4.5
        raise BrandUnusable(
            f"its contrast with the page is {shown} to 1; text needs {LEAST_CONTRAST} (WCAG 2.2, 1.4.3), as {near} has"
        )
    return given.lower()


def check_help_url(given: str) -> str:
    """Take the address of a page where people get help.

    Raises:
        BrandUnusable: no https URL.
    """
    if not usable_url(given, plain=False):
        raise BrandUnusable("where people get help is an https URL")
    return given


def read_logo(path: Path) -> bytes:
    """Read a logo.

    Raises:
        BrandUnusable: not to be read, no PNG, or too large.
    """
    try:
        with path.open("rb") as file:
            found = file.read(MOST_LOGO_BYTES + 1)
    except OSError:
        raise BrandUnusable("the file can't be read") from None
    if not found.startswith(_PNG) or found[12:16] != b"IHDR":
        raise BrandUnusable("the logo is a PNG file; make one of an SVG first")
    if len(found) > MOST_LOGO_BYTES:
        raise BrandUnusable(f"the logo has more than {MOST_LOGO_BYTES} bytes")
    sides = int.from_bytes(found[16:20], "big"), int.from_bytes(found[20:24], "big")
    if not all(0 < side <= MOST_LOGO_PIXELS for side in sides):
        raise BrandUnusable(f"the logo has 1 to {MOST_LOGO_PIXELS} pixels each way")
    return found


def contrast(one: Rgb, other: Rgb) -> float:
    """The contrast ratio of two colours, 1 to 21."""
    dark, light = sorted((_luminance(one), _luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def _towards(color: Rgb, end: Rgb, ground: Rgb) -> Rgb:
    """The first colour on the way from one to another that can be read on a ground."""
    for step in range(_STEPS + 1):
        parts = [round(a + (b - a) * step / _STEPS) for a, b in zip(color, end, strict=True)]
        found = (parts[0], parts[1], parts[2])
        if contrast(found, ground) >= LEAST_CONTRAST:
            return found
    return end


def _luminance(color: Rgb) -> float:
    parts = [each / 255 for each in color]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _rgb(text: str) -> Rgb:
    return int(text[1:3], 16), int(text[3:5], 16), int(text[5:7], 16)


def _text(color: Rgb) -> str:
    return "#{:02x}{:02x}{:02x}".format(*color)
