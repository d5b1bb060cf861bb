"""Every verb of the command line, in one table: help, completion of typing errors and the reference are made from it.

Rule 1: there is no command beside the table, and no line in it without a command.
Rule 2: nothing is loaded to read the table; a verb's module is loaded when the verb is used.
Rule 3: examples come first in each help text, so each verb has one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

PAGE: Final = "docs/reference/cli.md"
NOUNS: Final[Mapping[str, str]] = {
    "connector": "Describe how an API logs in: write, check, publish.",
    "connection": "Make, look at, repair and end connections.",
    "link": "Make links by which people connect their accounts.",
}


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


_ROWS: Final = (
    Verb(
        "dev",
        "Try it: the broker with an example provider beside it.",
        "dev:dev",
        ("keyturn dev", "keyturn dev --listen 127.0.0.1:9000 --provider-port 9001"),
    ),
    Verb(
        "init",
        "Make data directory, key file and a first API key.",
        "init:init",
        ("keyturn init --data /var/lib/keyturn",),
    ),
    Verb(
        "serve",
        "Run the broker.",
        "serve:serve",
        ("keyturn serve --data /var/lib/keyturn --listen 127.0.0.1:8800",),
    ),
    Verb(
        "doctor",
        "Look for what is wrong here, and say how to mend it.",
        "doctor:doctor",
        ("keyturn doctor", "keyturn doctor --data /var/lib/keyturn --json"),
    ),
)

VERBS: Final[Mapping[str, Verb]] = {row.words: row for row in _ROWS}


def verbs_of(noun: str) -> list[Verb]:
    """The verbs of a noun, or those without one, in the table's order."""
    return [row for row in _ROWS if row.noun == noun]
