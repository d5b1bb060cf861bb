"""What a value of the format may look like: one declaration that reads it and writes its JSON Schema.

Rule 1: a shape never raises for what it is given; it notes a finding and gives `ABSENT`, so that all else is read on.
Rule 2: the tables made of shapes are the only place that knows keys, bounds and choices; the messages about unknown
keys and the JSON Schema are made from them.
Rule 3: a message says what was expected and never repeats what was given.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, Final, Protocol, TypeAlias

from keyturn.core.errors import Finding
from keyturn.core.reading.codes import Fault
from keyturn.core.reading.document import Document, child_pointer
from keyturn.core.templates import Template

Schema: TypeAlias = dict[str, Any]

MAX_COMPARED_NAME: Final = 64  # longer names are no typing errors, and comparing them costs
MAX_FINDINGS: Final = 200  # nobody reads more; a file made to be wrong must not cost more


class Absent:
    """The type of `ABSENT`: nothing was given, or nothing that could be read."""

    def __repr__(self) -> str:
        return "ABSENT"

    def __bool__(self) -> bool:
        return False


ABSENT: Final = Absent()


@dataclass(frozen=True, slots=True)
class Placed:
    """A template, and where it stands."""

    pointer: str
    template: Template


@dataclass(slots=True)
class Reading:
    """What one reading has found so far."""

    document: Document
    findings: list[Finding] = field(default_factory=list)
    templates: list[Placed] = field(default_factory=list)

    @property
    def full(self) -> bool:
        """Whether so much is wrong that nothing more is noted."""
        return len(self.findings) >= MAX_FINDINGS

    def fault(
        self, pointer: str, fault: Fault, message: str, *, at_key: bool = False, offset: int | None = None
    ) -> Absent:
        """Note something wrong; `offset` counts characters into the text that stands there."""
        if self.full:
            return ABSENT
        line, column = self.document.position(pointer, of_key=at_key, offset=offset)
        self.findings.append(Finding(pointer, fault.value, message, line, column))
        return ABSENT


@dataclass(frozen=True, slots=True)
class Cursor:
    """A value on its way through the shapes, with its place."""

    reading: Reading
    pointer: str
    value: object

    def child(self, step: str | int, value: object) -> Cursor:
        """Go one step down."""
        return Cursor(self.reading, child_pointer(self.pointer, step), value)

    def fault(self, fault: Fault, message: str, *, at_key: bool = False, offset: int | None = None) -> Absent:
        """Note something wrong with this value."""
        return self.reading.fault(self.pointer, fault, message, at_key=at_key, offset=offset)


class Shape(Protocol):
    """One kind of value."""

    def read(self, at: Cursor) -> object:
        """Return the value in the form that the model wants, or ABSENT after noting why not."""
        ...

    def schema(self) -> Schema:
        """Say the same as JSON Schema 2020-12."""
        ...


@dataclass(frozen=True, slots=True)
class Key:
    """One key of an object. `doc`: a sentence for authors. `default`: as JSON, for the schema only."""

    name: str
    shape: Shape
    doc: str
    required: bool = False
    default: object = None


def nearest(name: str, known: Sequence[str]) -> str | None:
    """Find the known name that was most likely meant."""
    if len(name) > MAX_COMPARED_NAME:
        return None
    close = get_close_matches(name.lower(), known, n=1, cutoff=0.6)
    return close[0] if close else None


def meant(name: str, known: Sequence[str]) -> str:
    """Say in words which name was most likely meant, else which there are."""
    found = nearest(name, known)
    if found is not None:
        return f"did you mean “{found}”?"
    return f"possible here: {', '.join(known)}" if known else "nothing is possible here"


@dataclass(frozen=True, slots=True)
class Table:
    """An object with known keys; reads to a dict of what could be read. A key that is null counts as not given."""

    what: str
    keys: tuple[Key, ...]

    def read(self, at: Cursor) -> dict[str, Any] | Absent:
        """Read each known key; note the unknown and the missing ones."""
        if not isinstance(at.value, Mapping):
            return at.fault(Fault.WRONG_TYPE, f"{self.what} is an object with keys")
        known = {key.name: key for key in self.keys}
        found: dict[str, Any] = {}
        for name, value in at.value.items():
            below = at.child(name, value)
            if name in known:
                read = known[name].shape.read(below) if value is not None else ABSENT
                if read is not ABSENT:
                    found[name] = read
            elif not at.reading.full:
                message = f"{self.what} has no such key; {meant(name, sorted(known))}"
                below.fault(Fault.UNKNOWN_KEY, message, at_key=True)
        for key in self.keys:
            if key.required and at.value.get(key.name) is None:
                at.fault(Fault.REQUIRED_KEY, f"{self.what} needs the key “{key.name}”: {key.doc}", at_key=True)
        return found

    def schema(self) -> Schema:
        """Describe the object; unknown keys are refused."""
        properties: Schema = {}
        for key in self.keys:
            one = key.shape.schema() if key.required else _nullable(key.shape.schema())
            properties[key.name] = {"description": key.doc} | one
            if key.default is not None:
                properties[key.name]["default"] = key.default
        found: Schema = {"type": "object", "properties": properties, "additionalProperties": False}
        required = [key.name for key in self.keys if key.required]
        return found | {"required": required} if required else found


def _nullable(schema: Schema) -> Schema:
    """Let null stand for absent, as the reader does."""
    if isinstance(schema.get("type"), str) and "enum" not in schema and "const" not in schema:
        return schema | {"type": [schema["type"], "null"]}
    return {"anyOf": [schema, {"type": "null"}]}


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list of one shape; reads to a tuple of what could be read."""

    shape: Shape
    what: str
    min_items: int = 0
    max_items: int = 100
    unique: bool = False

    def read(self, at: Cursor) -> tuple[Any, ...] | Absent:
        """Read each item."""
        if not isinstance(at.value, list | tuple):
            return at.fault(Fault.WRONG_TYPE, f"expected a list of {self.what}")
        if not self.min_items <= len(at.value) <= self.max_items:
            return at.fault(Fault.WRONG_LENGTH, f"expected {self.min_items} to {self.max_items} {self.what}")
        found: list[Any] = []
        for index, value in enumerate(at.value):
            below = at.child(index, value)
            read = self.shape.read(below)
            if read is ABSENT:
                continue
            if self.unique and read in found:
                below.fault(Fault.DUPLICATE, "stands in the list twice")
            found.append(read)
        return tuple(found)

    def schema(self) -> Schema:
        """Describe the list."""
        found: Schema = {"type": "array", "items": self.shape.schema(), "maxItems": self.max_items}
        if self.min_items:
            found["minItems"] = self.min_items
        return found | {"uniqueItems": True} if self.unique else found


@dataclass(frozen=True, slots=True)
class WordOr:
    """One word that stands for a whole, or another shape; reads to the word or to what the shape reads."""

    word: str
    shape: Shape

    def read(self, at: Cursor) -> object:
        """Take the word, or read on."""
        return self.word if at.value == self.word else self.shape.read(at)

    def schema(self) -> Schema:
        """Describe both."""
        return {"anyOf": [{"const": self.word}, self.shape.schema()]}


@dataclass(frozen=True, slots=True)
class ObjectOr:
    """An object with keys, where a bare value doesn't say enough; reads to what the one or the other reads."""

    table: Shape
    shape: Shape

    def read(self, at: Cursor) -> object:
        """Read an object by its keys, and all else as the bare value."""
        return (self.table if isinstance(at.value, Mapping) else self.shape).read(at)

    def schema(self) -> Schema:
        """Describe both."""
        return {"anyOf": [self.shape.schema(), self.table.schema()]}
