"""Says the texts of one language, with values that can't become markup.

Rule 1: a value is escaped and kept from changing the direction of the text around it, unless it is markup of ours.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from markupsafe import Markup, escape

from keyturn.web.connect.texts.english import ENGLISH

Value = str | int | Markup


@dataclass(frozen=True, slots=True)
class Wording:
    """The texts of a language. `language`: a BCP 47 tag, for `<html lang>`."""

    language: str
    texts: Mapping[str, str] = field(repr=False)

    def __call__(self, key: str, **values: Value) -> Markup:
        """A text as markup; KeyError where there is no such text or a value is missing (our bug)."""
        text = self.texts[key]
        if text.startswith("{app}") and values.get("app") == self.texts["app.unnamed"]:
            values["app"] = self.texts["app.unnamed_first"]
        shown = {name: isolated(value) for name, value in values.items()}
        return escape(text).format(**shown)

    def plain(self, key: str, **values: Value) -> str:
        """A text where no markup can stand: a title, an attribute."""
        return self.texts[key].format(**values)

    def has(self, key: str) -> bool:
        """Whether there is such a text."""
        return key in self.texts

    def count(self, key: str, count: int, **values: Value) -> Markup:
        """A text about so many things."""
        return self(f"{key}.{'one' if count == 1 else 'other'}", count=count, **values)

    def duration(self, seconds: float) -> Markup:
        """A span in words, rounded up: nobody is told to come back too early."""
        whole = max(1, math.ceil(seconds))
        for unit, length in (("hours", 3600), ("minutes", 60)):
            if whole >= 2 * length or whole == length:
                return self.count(f"duration.{unit}", math.ceil(whole / length))
        return self.count("duration.seconds", whole)


def isolated(value: Value) -> Value:
    """Foreign text in an element of its own, so that no letter in it turns the sentence around."""
    return Markup("<bdi>{}</bdi>").format(value) if isinstance(value, str) and not isinstance(value, Markup) else value


LANGUAGES: Final[Mapping[str, Wording]] = {"en": Wording("en", ENGLISH)}


def wording_for(_accept_language: str | None) -> Wording:
    """The texts for a browser: English, as long as it is the only language."""
    return LANGUAGES["en"]
