"""Says the texts of one language, with values that can't become markup.

Rule 1: a value is escaped and kept from changing the direction of the text around it, unless it is markup of ours.
Rule 2: the person's own choice comes first, then what the browser asks for, then English.

Source: RFC 9110 section 12.5.4 and RFC 4647 section 3.4 for `Accept-Language`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from markupsafe import Markup, escape

from keyturn.web.connect.texts.english import ENGLISH
from keyturn.web.connect.texts.german import GERMAN

Value = str | int | Markup
_MOST_RANGES: Final = 20
_LONGEST_HEADER: Final = 1_000


@dataclass(frozen=True, slots=True)
class Wording:
    """The texts of a language. `language`: a BCP 47 tag, for `<html lang>`; `name`: what its speakers call it."""

    language: str
    name: str
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

    def date(self, at: float) -> str:
        """A day by its name; `at`: Unix seconds, taken in UTC."""
        day = datetime.fromtimestamp(at, UTC)
        return self.plain("date", day=day.day, month=self.texts["months"].split()[day.month - 1], year=day.year)

    def day(self, at: float) -> Markup:
        """A day by its name, with the exact time behind it."""
        return self.exact(at, self.date(at))

    def moment(self, at: float) -> Markup:
        """A day and the time of it; `at`: Unix seconds, said in UTC."""
        time = datetime.fromtimestamp(at, UTC).strftime("%H:%M")
        return self("moment", date=self.date(at), time=time)

    def exact(self, at: float, words: str | Markup) -> Markup:
        """Words about a time, with the exact one behind them; `at`: Unix seconds."""
        day = datetime.fromtimestamp(at, UTC)
        iso, full = day.strftime("%Y-%m-%dT%H:%M:%SZ"), day.strftime("%Y-%m-%d %H:%M:%S UTC")
        return Markup('<time datetime="{}" title="{}">{}</time>').format(iso, full, words)


def strong(value: str) -> Markup:
    """Foreign text that has to be seen first."""
    return Markup("<bdi><strong>{}</strong></bdi>").format(value)


def isolated(value: Value) -> Value:
    """Foreign text in an element of its own, so that no letter in it turns the sentence around."""
    return Markup("<bdi>{}</bdi>").format(value) if isinstance(value, str) and not isinstance(value, Markup) else value


LANGUAGES: Final[Mapping[str, Wording]] = {
    "en": Wording("en", "English", ENGLISH),
    "de": Wording("de", "Deutsch", GERMAN),
}


def wording_for(accept_language: str | None, chosen: str | None = None) -> Wording:
    """The texts for a browser.

    Args:
        accept_language: the header, if it was sent.
        chosen: the tag that the person picked; any but ours is passed over.
    """
    if chosen is not None and chosen in LANGUAGES:
        return LANGUAGES[chosen]
    for tag in _wanted(accept_language or ""):
        found = LANGUAGES.get(tag.partition("-")[0])
        if found is not None:
            return found
    return LANGUAGES["en"]


def _wanted(header: str) -> list[str]:
    """The tags of the header, the most wanted first; those with a weight of 0 left out."""
    found = []
    for part in header[:_LONGEST_HEADER].lower().split(",")[:_MOST_RANGES]:
        tag, _, parameter = part.strip().partition(";")
        try:
            weight = float(parameter.strip().removeprefix("q=")) if parameter else 1.0
        except ValueError:
            continue
        if weight > 0:  # not with NaN either
            found.append((-weight, tag.strip()))
    return [tag for _, tag in sorted(found, key=lambda each: each[0])]
