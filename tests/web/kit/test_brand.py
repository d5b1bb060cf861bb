"""An operator's colour and logo: what can be read is taken, all else is refused with what could be."""

from __future__ import annotations

import re
import struct
from pathlib import Path

import pytest

from keyturn.web.kit.brand import (
    DARK_SHEET,
    LEAST_CONTRAST,
    LIGHT_GROUND,
    MOST_LOGO_BYTES,
    Brand,
    BrandUnusable,
    check_color,
    contrast,
    contrasts,
    read_logo,
)


def png(width: int = 120, height: int = 32, *, more: int = 0) -> bytes:
    """The beginning of a PNG, which is what is looked at."""
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", width, height) + b"\0" * more


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        pytest.param((0, 0, 0), (255, 255, 255), 21.0, id="black and white"),
        pytest.param((255, 255, 255), (255, 255, 255), 1.0, id="one colour"),
        pytest.param((0x77, 0x77, 0x77), (255, 255, 255), 4.48, id="the grey that just fails"),
    ],
)
def test_contrast(one: tuple[int, int, int], other: tuple[int, int, int], expected: float) -> None:
    """As WCAG counts it, whichever colour comes first."""
    assert expected == round(contrast(one, other), 2) == round(contrast(other, one), 2)


@pytest.mark.parametrize("given", ["#14508c", "#7A1F5C", "#000000"])
def test_a_colour_that_can_be_read(given: str) -> None:
    """Both of its forms have the contrast, each on its own ground."""
    sheet = Brand(check_color(given)).style_sheet() or b""
    light, dark = (
        tuple(bytes.fromhex(found)) for found in re.findall(r"--accent: #([0-9a-f]{6})", sheet.decode("ascii"))
    )

    assert given.lower() == check_color(given)
    assert contrast((light[0], light[1], light[2]), LIGHT_GROUND) >= LEAST_CONTRAST
    assert contrast((dark[0], dark[1], dark[2]), DARK_SHEET) >= LEAST_CONTRAST


@pytest.mark.parametrize("given", ["#ffcc00", "#8fc1f5", "#ffffff"])
def test_a_colour_that_can_not_be_read_is_refused_with_one_near_it(given: str) -> None:
    """The colour that the message names is taken."""
    with pytest.raises(BrandUnusable, match="contrast") as raised:
        check_color(given)
    near = re.findall(r"#[0-9a-f]{6}", str(raised.value))

    assert near == [check_color(each) for each in near]
    assert 1 == len(near)


@pytest.mark.parametrize("given", ["red", "#fff", "#14508c; } body { display: none", ""])
def test_what_is_no_colour(given: str) -> None:
    """Nothing else gets into a style sheet."""
    with pytest.raises(BrandUnusable, match="#rrggbb"):
        check_color(given)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        pytest.param(b'<svg xmlns="http://www.w3.org/2000/svg"/>', "PNG", id="an SVG"),
        pytest.param(png(more=MOST_LOGO_BYTES), "bytes", id="too heavy"),
        pytest.param(png(5000, 32), "pixels", id="too wide"),
        pytest.param(png(0, 32), "pixels", id="no width"),
    ],
)
def test_a_logo_that_can_not_be_used(tmp_path: Path, body: bytes, words: str) -> None:
    """Said at the start, not by a broken picture."""
    path = tmp_path / "logo.png"
    path.write_bytes(body)

    with pytest.raises(BrandUnusable, match=words):
        read_logo(path)


def test_a_logo_that_is_not_there(tmp_path: Path) -> None:
    """Named as such."""
    with pytest.raises(BrandUnusable, match="can't be read"):
        read_logo(tmp_path / "none.png")


def test_a_logo(tmp_path: Path) -> None:
    """Taken as it is."""
    path = tmp_path / "logo.png"
    path.write_bytes(png())

    assert png() == read_logo(path)


def test_where_a_colour_meets_another() -> None:
    """In both themes, as text and under text; what is refused is what can't be read on the light ground."""
    good, pale = contrasts("#14508c"), contrasts("#ffcc00")

    assert all(each.enough for each in good)
    assert [False, False, True, True] == [each.enough for each in pale]
    with pytest.raises(BrandUnusable):
        contrasts("red")
