"""Which of a challenge's questions a page asks: one, as a person answers one thing at a time.

Rule 1: what is no secret rests in the session until all is answered; secrets never do, so they are asked last, on one
page, and sent from there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from keyturn.core.connector import Field
from keyturn.web.connect.connector_view import SECRET_TYPES


@dataclass(frozen=True, slots=True)
class Part:
    """The questions of one page. `number` and `count`: which of how many pages it is; `last`: then all is sent."""

    fields: tuple[Field, ...]
    number: int
    count: int

    @property
    def last(self) -> bool:
        """Whether nothing is left to ask afterwards."""
        return self.number == self.count


def parts_of(ask: Sequence[Field]) -> list[Part]:
    """Spread the questions of a challenge over pages."""
    pages: list[tuple[Field, ...]] = [(each,) for each in ask if each.type not in SECRET_TYPES]
    secrets = tuple(each for each in ask if each.type in SECRET_TYPES)
    if secrets:
        pages.append(secrets)
    return [Part(fields, number, len(pages)) for number, fields in enumerate(pages, 1)]


def part_to_ask(ask: Sequence[Field], given: Mapping[str, Any]) -> Part:
    """The first page with a question that has no answer in `given` (by key); the last one where all have one."""
    parts = parts_of(ask)
    unanswered = (each for each in parts if any(field.key not in given for field in each.fields))
    return next(unanswered, parts[-1] if parts else Part((), 1, 1))
