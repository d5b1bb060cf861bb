"""The shapes of single values: texts, numbers, choices, durations, expressions, patterns.

Rule 1: a text is taken as it is; numbers and booleans are never turned into text, because YAML reads `1.10` as 1.1.
Rule 2: control characters stand in no text, but line ends in those that may have several lines.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from keyturn.core.format.durations import DURATION, parse_duration
from keyturn.core.format.expressions import MAX_EXPRESSION, ExpressionError, check_expression, check_place
from keyturn.core.format.patterns import MAX_PATTERN, PatternError, check_pattern
from keyturn.core.reading.codes import Fault
from keyturn.core.reading.shapes import ABSENT, Absent, Cursor, ListOf, Schema, Shape, meant

_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_LINE_END: Final = re.compile(r"[\n\t]")


def as_plain_text(at: Cursor, what: str, *, max_length: int, lines: bool = False) -> str | Absent:
    """Take a text of 1 to `max_length` characters without control characters."""
    if not isinstance(at.value, str):
        hint = "; put it in quotes" if isinstance(at.value, bool | int | float) else ""
        return at.fault(Fault.WRONG_TYPE, f"expected {what}{hint}")
    if not 1 <= len(at.value) <= max_length:
        return at.fault(Fault.WRONG_LENGTH, f"expected {what} of 1 to {max_length} characters")
    found = _CONTROL.search(at.value) or (None if lines else _LINE_END.search(at.value))
    if found:
        return at.fault(Fault.WRONG_VALUE, f"{what} holds no control characters", offset=found.start())
    return at.value


@dataclass(frozen=True, slots=True)
class Text:
    """Plain text. `pattern` with `form`: what it has to look like. `templates`: whether braces are refused."""

    what: str = "text"
    max_length: int = 200
    lines: bool = False
    empty: bool = False
    pattern: str | None = None
    form: str = ""

    def read(self, at: Cursor) -> object:
        """Take the text."""
        if self.empty and at.value == "":
            return ""
        text = as_plain_text(at, self.what, max_length=self.max_length, lines=self.lines)
        if isinstance(text, Absent):
            return ABSENT
        if self.pattern is not None and not re.fullmatch(self.pattern, text):
            return at.fault(Fault.WRONG_VALUE, f"expected {self.what}: {self.form}")
        if "{{" in text or "}}" in text:
            return at.fault(Fault.WRONG_VALUE, f"{self.what} takes no templates")
        return text

    def schema(self) -> Schema:
        """Describe the text."""
        found: Schema = {"type": "string", "minLength": 0 if self.empty else 1, "maxLength": self.max_length}
        return found | {"pattern": f"^{self.pattern}$"} if self.pattern else found


@dataclass(frozen=True, slots=True)
class Boolean:
    """True or false."""

    def read(self, at: Cursor) -> object:
        """Take it."""
        return at.value if isinstance(at.value, bool) else at.fault(Fault.WRONG_TYPE, "expected true or false")

    def schema(self) -> Schema:
        """Describe it."""
        return {"type": "boolean"}


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number between two bounds."""

    minimum: int
    maximum: int

    def read(self, at: Cursor) -> object:
        """Take the number."""
        if isinstance(at.value, bool) or not isinstance(at.value, int):
            return at.fault(Fault.WRONG_TYPE, "expected a whole number")
        if not self.minimum <= at.value <= self.maximum:
            return at.fault(Fault.OUT_OF_RANGE, f"expected a whole number from {self.minimum} to {self.maximum}")
        return at.value

    def schema(self) -> Schema:
        """Describe the number."""
        return {"type": "integer", "minimum": self.minimum, "maximum": self.maximum}


@dataclass(frozen=True, slots=True)
class Scalar:
    """A text, number or boolean, as a default may be; whether it fits its field is judged with the field."""

    def read(self, at: Cursor) -> object:
        """Take it."""
        if isinstance(at.value, bool):
            return at.value
        if isinstance(at.value, int | float):
            return finite(at)
        return as_plain_text(at, "a text, number or boolean", max_length=1_000)

    def schema(self) -> Schema:
        """Describe it."""
        return {"type": ["string", "number", "boolean"]}


def finite(at: Cursor) -> object:
    """Take a number that JSON can hold and that everybody reads alike."""
    if isinstance(at.value, int | float) and (not math.isfinite(at.value) or abs(at.value) > 2**63):
        return at.fault(Fault.NUMBER_NOT_FINITE, "expected a finite number below 2^63")
    return at.value


@dataclass(frozen=True, slots=True)
class Choice:
    """One of an enumeration's words, or of `only`."""

    words: type[StrEnum]
    only: tuple[StrEnum, ...] = ()

    @property
    def _possible(self) -> list[str]:
        return [each.value for each in self.only or self.words]

    def read(self, at: Cursor) -> object:
        """Take the word as a member of the enumeration."""
        possible = self._possible
        if isinstance(at.value, str):
            if at.value in possible:
                return self.words(at.value)
            return at.fault(Fault.WRONG_VALUE, f"no such choice; {meant(at.value, possible)}")
        return at.fault(Fault.WRONG_TYPE, f"expected one of {', '.join(possible)}")

    def schema(self) -> Schema:
        """Describe the words."""
        return {"enum": self._possible}


@dataclass(frozen=True, slots=True)
class Constant:
    """One value that stands for a version; another one is of a later or earlier format."""

    value: int

    def read(self, at: Cursor) -> object:
        """Take exactly the value."""
        if isinstance(at.value, bool) or at.value != self.value:
            return at.fault(Fault.VERSION_NOT_SUPPORTED, f"this release reads version {self.value} of the format")
        return self.value

    def schema(self) -> Schema:
        """Describe it."""
        return {"const": self.value}


@dataclass(frozen=True, slots=True)
class Duration:
    """A span such as `15m`, or plain seconds; reads to seconds as a float."""

    minimum_s: float
    maximum_s: float

    def read(self, at: Cursor) -> object:
        """Take the span."""
        seconds = parse_duration(at.value)
        if seconds is None or not math.isfinite(seconds):
            return at.fault(Fault.WRONG_TYPE, "expected a duration such as 90s, 15m or 2h, or plain seconds")
        if not self.minimum_s <= seconds <= self.maximum_s:
            return at.fault(
                Fault.OUT_OF_RANGE, f"expected a duration from {self.minimum_s:.0f}s to {self.maximum_s:.0f}s"
            )
        return seconds

    def schema(self) -> Schema:
        """Describe the span."""
        number: Schema = {"type": "number", "minimum": self.minimum_s, "maximum": self.maximum_s}
        return {"anyOf": [number, {"type": "string", "pattern": f"^{DURATION.pattern}$"}]}


@dataclass(frozen=True, slots=True)
class DurationOr:
    """A span, or an object that says where the answer has it; reads to seconds or to what the object reads."""

    duration: Duration
    otherwise: Shape

    def read(self, at: Cursor) -> object:
        """Take the span, or read the object."""
        return (self.otherwise if isinstance(at.value, Mapping) else self.duration).read(at)

    def schema(self) -> Schema:
        """Describe both."""
        return {"anyOf": [*self.duration.schema()["anyOf"], self.otherwise.schema()]}


@dataclass(frozen=True, slots=True)
class OneOrSeveral:
    """One value of a shape, or a list of them; reads to a tuple either way."""

    shape: Shape
    max_items: int = 50

    def read(self, at: Cursor) -> object:
        """Take the value or each of the list."""
        if isinstance(at.value, list | tuple):
            return ListOf(self.shape, "values", 1, self.max_items, unique=True).read(at)
        read = self.shape.read(at)
        return ABSENT if read is ABSENT else (read,)

    def schema(self) -> Schema:
        """Describe both."""
        one = self.shape.schema()
        several = {"type": "array", "items": one, "minItems": 1, "maxItems": self.max_items, "uniqueItems": True}
        return {"anyOf": [one, several]}


@dataclass(frozen=True, slots=True)
class Expression:
    """A JMESPath on an answer's body; with `place` also `header:NAME` and `cookie:NAME`."""

    place: bool = False

    def read(self, at: Cursor) -> object:
        """Take an expression that compiles."""
        what = "a JMESPath, header:NAME, cookie:NAME or @" if self.place else "a JMESPath expression"
        text = as_plain_text(at, what, max_length=MAX_EXPRESSION, lines=True)
        if isinstance(text, Absent):
            return ABSENT
        try:
            (check_place if self.place else check_expression)(text)
        except ExpressionError as error:
            return at.fault(Fault.EXPRESSION_INVALID, str(error))
        return text

    def schema(self) -> Schema:
        """Describe the text."""
        return {"type": "string", "minLength": 1, "maxLength": MAX_EXPRESSION}


@dataclass(frozen=True, slots=True)
class Pattern:
    """A regular expression that is safe to run."""

    def read(self, at: Cursor) -> object:
        """Take a pattern that compiles and can't run for long."""
        text = as_plain_text(at, "a regular expression", max_length=MAX_PATTERN)
        if isinstance(text, Absent):
            return ABSENT
        try:
            check_pattern(text)
        except PatternError as error:
            return at.fault(Fault.PATTERN_UNSAFE if error.unsafe else Fault.PATTERN_INVALID, str(error))
        return text

    def schema(self) -> Schema:
        """Describe the text."""
        return {"type": "string", "minLength": 1, "maxLength": MAX_PATTERN}


@dataclass(frozen=True, slots=True)
class MapOf:
    """An object with free names of one form, each with a value of one shape; reads to a dict in the author's order."""

    shape: Shape
    name: str  # what a name has to look like, as a regular expression
    form: str  # the same in words
    max_items: int = 100
    min_items: int = 0
    fold_case: bool = False  # names that differ only in case are the same

    def read(self, at: Cursor) -> dict[str, Any] | Absent:
        """Read each value; note each name that has another form."""
        if not isinstance(at.value, Mapping):
            return at.fault(Fault.WRONG_TYPE, f"expected an object: {self.form} → value")
        if not self.min_items <= len(at.value) <= self.max_items:
            return at.fault(Fault.WRONG_LENGTH, f"expected {self.min_items} to {self.max_items} entries")
        found: dict[str, Any] = {}
        folded: set[str] = set()
        for name, value in at.value.items():
            below = at.child(name, value)
            if not re.fullmatch(self.name, name):
                below.fault(Fault.WRONG_VALUE, f"expected as a name {self.form}", at_key=True)
            if self.fold_case and name.lower() in folded:
                below.fault(Fault.DUPLICATE, "the same name in another case stands here already", at_key=True)
            folded.add(name.lower())
            read = self.shape.read(below)
            if read is not ABSENT:
                found[name] = read
        return found

    def schema(self) -> Schema:
        """Describe names and values."""
        return {
            "type": "object",
            "propertyNames": {"pattern": f"^{self.name}$"},
            "additionalProperties": self.shape.schema(),
            "maxProperties": self.max_items,
        } | ({"minProperties": self.min_items} if self.min_items else {})
