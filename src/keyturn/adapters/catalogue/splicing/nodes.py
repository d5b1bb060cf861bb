"""Where the nodes of a YAML text begin and end, as far as their own characters go.

The library's end of a block collection is the beginning of what follows, comments included; the ends here are those of
the last character that belongs to the node.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from ruamel.yaml import YAML

_BLOCK_TEXT: Final = ("|", ">")


@dataclass(frozen=True, slots=True)
class Tree:
    """A text and its nodes. `end`: how its lines end."""

    text: str
    root: Any

    @property
    def end(self) -> str:
        """How lines end here."""
        return "\r\n" if "\r\n" in self.text else "\n"

    def line_begin(self, index: int) -> int:
        """Where the line of this character begins."""
        return self.text.rfind("\n", 0, index) + 1

    def line_end(self, index: int) -> int:
        """Where the line of this character ends, before its break."""
        found = self.text.find("\n", index)
        if found < 0:
            return len(self.text)
        return found - 1 if found > 0 and self.text[found - 1] == "\r" and found - 1 >= index else found

    def next_line(self, index: int) -> int:
        """Where the line after this character's begins."""
        found = self.text.find("\n", index)
        return len(self.text) if found < 0 else found + 1

    def begin_of(self, node: Any) -> int:
        """Its first character."""
        return int(node.start_mark.index)

    def end_of(self, node: Any, indent: int = 0, *, after: int = 0) -> int:
        """Behind its last character.

        `indent`: columns of the key or dash that a block text stands behind. `after`: behind the colon or dash, where
        a value that is not written stands.
        """
        if is_empty(node):
            return after
        if is_scalar(node):
            return self._block_text_end(node, indent) if node.style in _BLOCK_TEXT else int(node.end_mark.index)
        if node.flow_style or not node.value:
            return int(node.end_mark.index)
        column = int(node.start_mark.column)
        if is_mapping(node):
            key, value = node.value[-1]
            return self.end_of(value, column, after=self.colon_end(key))
        last = node.value[-1]
        return self.end_of(last, column, after=self.dash_of(node, last) + 1)

    def colon_end(self, key: Any) -> int:
        """Behind the colon of a key."""
        return self.text.index(":", int(key.end_mark.index)) + 1

    def dash_of(self, sequence: Any, item: Any) -> int:
        """Where the dash of an item of a block list stands."""
        column = int(sequence.start_mark.column)
        place = self.line_begin(int(item.start_mark.index))
        if is_empty(item) and self.text[place + column : place + column + 1] == "-":
            place = self.line_begin(place - 1)  # that one is the next item's
        while place > 0 and self.text[place + column : place + column + 1] != "-":
            place = self.line_begin(place - 1)
        return place + column

    def _block_text_end(self, node: Any, indent: int) -> int:
        place = self.next_line(int(node.start_mark.index))
        last = self.line_end(int(node.start_mark.index))
        while place < len(self.text):
            stop = self.line_end(place)
            line = self.text[place:stop]
            if line.strip():
                if len(line) - len(line.lstrip(" ")) <= indent and not (indent == 0 and line.startswith(" ")):
                    break
                last = stop
            place = self.next_line(place)
        return last


def compose(text: str) -> Tree:
    """Read the nodes of a text that is known to be well-formed."""
    yaml = YAML(typ="safe", pure=True)
    yaml.allow_duplicate_keys = True
    return Tree(text, yaml.compose(text))


def is_scalar(node: Any) -> bool:
    """Whether it is a single value."""
    return bool(node.id == "scalar")


def is_empty(node: Any) -> bool:
    """Whether it is a value that is not written: its place as the library gives it is that of what follows."""
    return is_scalar(node) and node.style is None and not node.value and node.start_mark.index == node.end_mark.index


def is_mapping(node: Any) -> bool:
    """Whether it is an object."""
    return bool(node.id == "mapping")
