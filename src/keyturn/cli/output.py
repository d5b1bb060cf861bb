"""What is written, and where: data on standard output, all else on standard error.

Rule 1: nothing that came from elsewhere reaches a terminal with control characters in it: they could move the cursor,
change the window's title or turn the reading direction.
Rule 2: colour only on a terminal, and never as the only sign.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Final, TextIO

from keyturn.bootstrap.client_settings import colors_are_off

# C0 without tab and line end, DEL, C1, and what turns or hides text (Unicode TR 36, "Bidirectional Text Spoofing").
_CONTROL: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")
_BREAKS: Final = re.compile(r"[\t\n]+")
_STYLES: Final = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}
_MARKS: Final[Mapping[str, tuple[str, str]]] = {
    "active": ("●", "green"),
    "attention": ("▲", "yellow"),
    "uncertain": ("◐", "yellow"),
    "needs_reconnect": ("■", "red"),
    "disconnecting": ("○", "dim"),
    "disconnected": ("○", "dim"),
    "paused": ("‖", "yellow"),
    "unconfirmed": ("◌", "yellow"),
    "queued": ("○", "dim"),
    "running": ("▶", "cyan"),
    "done": ("●", "green"),
    "failed": ("■", "red"),
    "cancelled": ("○", "yellow"),
    "pending": ("○", "dim"),
    "delivered": ("●", "green"),
    "dropped": ("○", "yellow"),
}


class Styled(str):
    """A text that `styled` made, whose escapes are ours; of any other text every escape is taken out."""

    __slots__ = ()


def clean(text: str) -> str:
    """Take out what a terminal would obey; line ends and tabs stay."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)


def one_line(value: object) -> str:
    """A value as one clean line; a dash for what is absent."""
    if value is None or value == "":
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return clean(_BREAKS.sub(" ", str(value)))


def say(text: str = "", *, stream: TextIO | None = None) -> None:
    """Write a line of data."""
    print(clean(text), file=stream or sys.stdout, flush=True)


def tell(text: str) -> None:
    """Write a line that is no data."""
    say(text, stream=sys.stderr)


def say_json(value: object, *, stream: TextIO | None = None) -> None:
    """Write one JSON document; what a terminal would obey is written as escapes."""
    text = json.dumps(value, ensure_ascii=False, indent=2)
    escaped = _CONTROL.sub(lambda found: f"\\u{ord(found.group()):04x}", text)
    print(escaped, file=stream or sys.stdout, flush=True)


def in_color(stream: TextIO) -> bool:
    """Whether colour may be used there."""
    return stream.isatty() and not colors_are_off()


def styled(text: str, style: str, *, stream: TextIO | None = None) -> Styled:
    """The text in bold or a colour, on a terminal; clean already, and to be written with `write_styled`."""
    where = stream or sys.stdout
    return Styled(f"\x1b[{_STYLES[style]}m{clean(text)}\x1b[0m" if in_color(where) else clean(text))


def write_styled(line: str, *, stream: TextIO | None = None) -> None:
    """Write a line that `styled` made; its parts are clean."""
    print(line, file=stream or sys.stdout, flush=True)


def state_words(state: str) -> Styled:
    """A connection's state with its mark: shape and word, so that colour is never needed."""
    mark, style = _MARKS.get(state, ("?", "dim"))
    return styled(f"{mark} {one_line(state)}", style)


def table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Write an aligned table: as wide as the terminal, or as wide as it needs where nobody looks."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    terminal = sys.stdout.isatty()
    console = Console(
        file=sys.stdout,
        width=None if terminal else 10_000,
        no_color=not in_color(sys.stdout),
        highlight=False,
        markup=False,
        emoji=False,
    )
    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold" if in_color(sys.stdout) else "")
    for place, name in enumerate(columns):
        # The first column is what the next command needs: never cut.
        least = max((len(one_line(row[0])) for row in rows), default=0) if place == 0 else None
        made.add_column(name, no_wrap=True, overflow="ellipsis", min_width=least)
    for row in rows:
        made.add_row(*(Text.from_ansi(cell) if isinstance(cell, Styled) else Text(one_line(cell)) for cell in row))
    console.print(made)


def details(pairs: Sequence[tuple[str, object]]) -> None:
    """Write names and values, one pair a line, aligned."""
    width = max((len(name) for name, _ in pairs), default=0)
    for name, value in pairs:
        shown = value if isinstance(value, Styled) else one_line(value)
        write_styled(f"{name:<{width}}  {shown}")


def picked(document: Mapping[str, Any], *names: str) -> list[object]:
    """Some members of a document, in order."""
    return [document.get(name) for name in names]


def show_request(preview: Mapping[str, Any]) -> None:
    """Write a request whose secrets are masked: its line, headers and body."""
    say(f"{one_line(preview.get('method'))} {one_line(preview.get('url'))}")
    for header in preview.get("headers") or ():
        name, value = (header.get("name"), header.get("value")) if isinstance(header, Mapping) else header
        say(f"{one_line(name)}: {one_line(value)}")
    if preview.get("body"):
        say()
        say(str(preview["body"]))
