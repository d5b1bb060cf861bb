"""What a picture is: a title, one sentence that says what it shows, a drawing, and the same figures as a table.

Rule 1: a drawing has presentation attributes and classes only, no style and no script: the pages' policy forbids both.
Rule 2: colour never stands alone: what differs in colour differs in pattern or shape as well.
Rule 3: a drawing holds no text; words and numbers stand beside it, at the size of the page's own.
Rule 4: where nothing was recorded there is no drawing but a sentence.
Rule 5: what is clicked in a drawing is a link in its table as well; those of the drawing are for a pointer alone, so
that nobody has to tab through thirty columns.

Source: the interfaces, "Operator dashboard".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape


@dataclass(frozen=True, slots=True)
class Picture:
    """`drawing`: None where there is nothing to draw; then `summary` says so. `axis`: its two ends, in words.

    `more`: where what it shows is listed, and in words what is.
    """

    id: str
    title: str
    summary: str
    drawing: Markup | None = None
    head: tuple[str, ...] = ()
    rows: tuple[tuple[object, ...], ...] = ()
    axis: tuple[str, str] = ("", "")
    key: tuple[tuple[str, str], ...] = ()  # class of a part, what it means
    more: tuple[str, str] = ("", "")


def element(name: str, content: Markup | str = "", **attributes: object) -> Markup:
    """One SVG element; `_` in names stands for `-`, a trailing one for nothing. Values are escaped."""
    given = Markup("").join(
        Markup(' {}="{}"').format(key.rstrip("_").replace("_", "-"), value)
        for key, value in attributes.items()
        if value is not None
    )
    start = Markup("<{}{}").format(name, given)
    return Markup("{}/>").format(start) if not content else Markup("{}>{}</{}>").format(start, content, name)


def svg(
    label: str, width: float, height: float, content: Markup, *, kind: str, stretch: bool = True, role: str = "img"
) -> Markup:
    """The drawing; `label` is its text alternative. `stretch`: it fills its place, whatever the place's shape.

    `role`: `group` where there is something to click in it.
    """
    return Markup(
        '<svg xmlns="http://www.w3.org/2000/svg" role="{}" class="{}" viewBox="0 0 {} {}" preserveAspectRatio="{}">'
        "<title>{}</title>{}</svg>"
    ).format(role, kind, number(width), number(height), "none" if stretch else "xMinYMid meet", label, content)


def link(href: str, words: object) -> Markup:
    """A link in a table's cell."""
    return Markup('<a href="{}">{}</a>').format(href, words)


def number(value: float) -> str:
    """A coordinate, short."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


def joined(pieces: Sequence[Markup]) -> Markup:
    """Pieces of a drawing, one after the other."""
    return Markup("").join(pieces)


def text(value: object) -> Markup:
    """Any text, escaped."""
    return escape(value)
