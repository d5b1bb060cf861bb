"""What a row of the table of verbs is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Verb:
    """One command. `words`: noun and verb as they are typed; `place`: `module:attribute` below `cli.commands`."""

    words: str
    summary: str
    place: str
    examples: tuple[str, ...]

    @property
    def name(self) -> str:
        """The last word."""
        return self.words.rpartition(" ")[2]

    @property
    def noun(self) -> str:
        """The word before it, or an empty text."""
        return self.words.rpartition(" ")[0]
