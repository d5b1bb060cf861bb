"""What reader and linter say, in the words of the forms: an input's label in the place of a key, with a way to it.

Rule 1: nothing is left out and nothing added: what no input holds is said as the file has it.
Rule 2: a place beside a form is an input and its row; lines and columns are for whoever sees the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Final

from keyturn.core.building.steps import step_of
from keyturn.core.errors import Finding
from keyturn.core.lint import LintFinding
from keyturn.core.reading.document import pointer_steps
from keyturn.web.console.pages.connectors.forms.inputs import (
    FIELD_PARTS,
    RULE_PARTS,
    TABLES,
    Input,
    Kind,
    first_part,
    is_unnamed,
    rows_in,
    texts_of,
)
from keyturn.web.console.pages.connectors.forms.repeated import REPEATED
from keyturn.web.console.pages.connectors.forms.step_inputs import INPUTS, MODE, MODE_LABEL

NO_STEP: Final = -1  # in view
# `a.key: value` in backticks; an a.key that stands bare; a “key” of the place that the message is about.
_SPOKEN: Final = re.compile(
    r"`(?P<code>[^`]+)`|key “(?P<own>\w+)”"
    r"|(?<![\w.])(?P<bare>[a-z_]+(?:\.[a-z_]+)+|insecure_http|refresh)(?P<is>: \w+)?"
)
_FIRST: Final[Mapping[str, str]] = {"/trust": "/trust/reason"}  # of what is missing as a whole: where it begins
_NO_TEXTS: Final[Mapping[str, str]] = MappingProxyType({})
_ROW_LABELS: Final[Mapping[str, str]] = {
    "url": "URL", "methods": "methods", "deny": "rule", "key": "key", "label": "label", "type": "type", "help": "hint",
    "choices": "choices", "choices_from": "choices of the answer", "required": "needed?", "default": "default",
    "keep": "kept", "pattern": "pattern", "min_length": "least characters", "max_length": "most characters",
    "visible_when": "asked only when", "hosts": "hosts", "self_hosted": "any public host?",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a sentence. `kind`: plain where empty, else `code` or `link`."""

    text: str
    kind: str = ""
    href: str = ""

    def as_json(self) -> dict[str, str]:
        """For a script of ours."""
        return {"text": self.text, "kind": self.kind, "href": self.href}


@dataclass(frozen=True, slots=True)
class Told:
    """A finding or an error, at an input or none.

    `label`: of the input, with its row. `href`: leads to it. `name`: of an input of the step in view, `anchor`: its id,
    or that of the input in its row. `spoken`: names of inputs that are spoken of.
    """

    code: str
    severity: str
    label: str
    href: str
    message: tuple[Piece, ...]
    remedy: tuple[Piece, ...] = ()
    name: str = ""
    anchor: str = ""
    spoken: frozenset[str] = frozenset()

    def as_json(self) -> dict[str, Any]:
        """For a script of ours."""
        return {
            "code": self.code,
            "severity": self.severity,
            "label": self.label,
            "href": self.href,
            "message": [each.as_json() for each in self.message],
            "remedy": [each.as_json() for each in self.remedy],
        }


class Words:
    """The forms of one file. `step`: whose form is in view: links to its inputs stay on the page.

    `texts`: what stands in that form, where that is not what the file says.
    """

    def __init__(self, connector_id: str, step: int, document: Any, texts: Mapping[str, str] = _NO_TEXTS) -> None:
        self._connector_id, self._step, self._document, self._texts = connector_id, step, document, texts
        self._inputs: dict[str, tuple[int, Input]] = {
            one.pointer: (number, one) for number, own in INPUTS.items() for one in own
        }
        for each in REPEATED:
            for one in each.shown(document):
                if one.kind is not Kind.REMOVE and one.pointer not in self._inputs:
                    several = replace(one, label=f"{one.group.partition(':')[0]}, {one.label}")
                    self._inputs[one.pointer] = (each.step, several)

    def finding(self, each: LintFinding) -> Told:
        """What the linter finds."""
        return self._told(each.code, each.severity.value, each.pointer, each.message, each.remedy)

    def error(self, each: Finding) -> Told:
        """Why a text does not read."""
        return self._told(each.code, "error", each.pointer, each.message)

    def named(self, pointer: str) -> str:
        """What a place of the file is called: its input's label with step and row, else its path."""
        return self._told("", "", pointer, "").label or pointer.removeprefix("/").replace("/", ".")

    def step_page(self, step: int) -> str:
        """Where a step's form is."""
        return f"/connectors/{self._connector_id}/edit/{step}"

    def _told(self, code: str, severity: str, pointer: str, message: str, remedy: str = "") -> Told:
        missing = re.search(r"key “(\w+)”", message)
        child = f"{pointer}/{missing.group(1)}" if missing else ""
        at = child if child in self._inputs else _FIRST.get(pointer, pointer)
        found = self._at(at)
        names: set[str] = set()
        said = (tuple(self._pieces(message, pointer, names)), tuple(self._pieces(remedy, pointer, names)))
        if found is None:
            href = self.step_page(step_of(at)) if step_of(at) != self._step else ""
            return Told(code, severity, "", href, *said, spoken=frozenset(names))
        number, one = found
        row, cell = self._row(one, at)
        anchor = cell or one.name
        href = self._href(number, one.name, anchor)
        mine = (one.name, anchor) if number == self._step else ("", "")
        step = "" if number == self._step else f"Step {number}, " if number else "About, "
        return Told(code, severity, f"{step}{one.label}{row}", href, *said, *mine, frozenset(names))

    def _at(self, pointer: str) -> tuple[int, Input] | None:
        """The input that holds a place of the file."""
        while pointer:
            if pointer in self._inputs:
                return self._inputs[pointer]
            pointer = pointer.rpartition("/")[0]
        return None

    def _href(self, step: int, name: str, anchor: str = "") -> str:
        at = anchor or name
        return f"#{at}" if step == self._step else f"{self.step_page(step)}?open={name}#{at}"

    def _row(self, one: Input, pointer: str) -> tuple[str, str]:
        rows = rows_in(one, self._texts) or rows_in(one, texts_of(one, self._document))
        return row_of(one, pointer, rows)

    def _pieces(self, text: str, pointer: str, names: set[str]) -> Iterator[Piece]:
        end = 0
        for match in _SPOKEN.finditer(text):
            piece = self._piece(match, pointer, names)
            if piece is None:
                continue
            if match.start() > end:
                yield Piece(text[end : match.start()])
            yield from piece
            end = match.end()
        if text[end:]:
            yield Piece(text[end:])

    def _piece(self, match: re.Match[str], pointer: str, names: set[str]) -> tuple[Piece, ...] | None:
        if match["own"]:
            key, value = f"{pointer}/{match['own']}", ""
        else:
            said = match["code"] or f"{match['bare']}{match['is'] or ''}"
            dotted, _, value = said.partition(": ")
            key = "/" + dotted.replace(".", "/")
        if key == "/refresh" and value == "none":
            names.add(MODE)
            return (Piece(MODE_LABEL, "link", self._href(3, MODE)), Piece(": no"))
        found = self._inputs.get(key)
        if found is None or (match["bare"] and "." not in match["bare"] and not value):
            return (Piece(match["code"], "code"),) if match["code"] else None
        step, one = found
        names.add(one.name)
        choices = one.choices or {}
        is_now = choices.get(value, value)
        return (Piece(one.label, "link", self._href(step, one.name)), *((Piece(f": {is_now}"),) if value else ()))


def row_of(one: Input, pointer: str, rows: Sequence[Mapping[str, str]]) -> tuple[str, str]:
    """Which row of a table a pointer leads into: in words, and the id of the input in it; nothing for no table."""
    below = pointer_steps(pointer.removeprefix(one.pointer)) if pointer != one.pointer else []
    if not below or one.kind not in TABLES:
        return "", ""
    if below[0] == "":
        unnamed = next((n for n, each in enumerate(rows) if is_unnamed(one, each)), 0)
        return f", row {unnamed + 1}", f"{one.name}.{unnamed}.{first_part(one)}"
    if one.kind is Kind.PAIRS:
        names = [each.get("name") for each in rows]
        return f", {below[0]}", f"{one.name}.{names.index(below[0])}.value" if below[0] in names else ""
    keys = [each.get("key") for each in rows]
    n = int(below[0]) if below[0].isdigit() else keys.index(below[0]) if below[0] in keys else None
    if n is None or n >= len(rows):
        return "", ""
    parts, first = (FIELD_PARTS, "key") if one.kind is Kind.FIELDS else (RULE_PARTS, "url")
    part = below[1] if len(below) > 1 and below[1] in parts else first
    return f", row {n + 1}: {_ROW_LABELS[part]}", f"{one.name}.{n}.{part}"
