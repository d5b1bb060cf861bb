"""A step's inputs as they stand in the page: with what is in them, what is wrong with it, and which folds are open."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from keyturn.web.console.pages.connectors.forms.inputs import (
    MOST_ROWS,
    SPARE_ROWS,
    TABLES,
    Input,
    Kind,
    rows_in,
    value_at,
)
from keyturn.web.console.pages.connectors.forms.repeated import REPEATED
from keyturn.web.console.pages.connectors.forms.step_inputs import INPUTS
from keyturn.web.console.pages.connectors.forms.wording import Told


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a table of inputs. `errors`: by the id of the input in it."""

    texts: Mapping[str, str] = field(default_factory=dict)
    errors: Mapping[str, Sequence[Told]] = field(default_factory=dict)

    def get(self, part: str) -> str:
        """What stands in one of its inputs."""
        return self.texts.get(part, "")

    @property
    def any(self) -> bool:
        """Whether anything does."""
        return bool(self.texts)


@dataclass(frozen=True, slots=True)
class Shown:
    """An input with what stands in it. `rows`: of a table, spare ones included. `more_rows`: whether it may have more.

    `errors`: those of no row of it.
    """

    input: Input
    value: str
    rows: Sequence[Row] = ()
    errors: Sequence[Told] = ()
    more_rows: bool = False

    @property
    def wrong(self) -> bool:
        """Whether anything of it is."""
        return bool(self.errors) or any(each.errors for each in self.rows)

    @property
    def filled(self) -> bool:
        """Whether anything stands in it."""
        return bool(self.value) or any(each.any for each in self.rows)


@dataclass(frozen=True, slots=True)
class Fold:
    """Inputs under a heading of their own. `rest`: those that are seldom needed."""

    id: str
    title: str
    hint: str
    inputs: Sequence[Shown]
    rest: Sequence[Shown]
    open: bool
    rest_open: bool


def step_inputs(step: int, document: Any) -> tuple[Input, ...]:
    """The inputs of a step, and of each part that may come several times; several revoke requests are such parts."""
    several = step == 4 and isinstance(value_at(document, "/revoke"), list)
    own = () if several else INPUTS[step]
    return (*own, *(one for each in REPEATED if each.step == step for one in each.shown(document)))


def shown(
    inputs: Sequence[Input], texts: Mapping[str, str], errors: Sequence[Told], rows_of: Mapping[str, int]
) -> list[Shown]:
    """The inputs with these texts.

    Args:
        inputs: of the step.
        texts: what stands in them, by name.
        errors: each stands at the input that it leads to.
        rows_of: how many rows a table is to have, where somebody has asked for more; by the input's name.
    """
    return [_shown(each, texts, errors, rows_of.get(each.name, 0)) for each in inputs]


def folds(inputs: Sequence[Shown], opened: Collection[str]) -> Iterator[Fold]:
    """Those under headings of their own. `opened`: names of inputs that somebody is led to, and ids of folds."""
    found: dict[str, list[Shown]] = {}
    for each in inputs:
        if each.input.group:
            found.setdefault(each.input.group, []).append(each)
    for title, members in found.items():
        name = f"fold.{members[0].input.name}"
        rest = [each for each in members if each.input.more]
        led = name in opened or any(_led(each, opened) for each in members)
        rest_open = any(each.filled or _led(each, opened) for each in rest)
        plain = [each for each in members if not each.input.more]
        yield Fold(name, title, members[0].input.group_hint, plain, rest, led, rest_open)


def more_fold(inputs: Sequence[Shown], opened: Collection[str]) -> Fold | None:
    """What is seldom needed of the step's own; None where there is nothing."""
    rest = [each for each in inputs if each.input.more and not each.input.group]
    if not rest:
        return None
    is_open = "fold.more" in opened or any(each.filled or _led(each, opened) for each in rest)
    return Fold("fold.more", "More", "", rest, (), is_open, False)


def _led(one: Shown, opened: Collection[str]) -> bool:
    return one.wrong or one.input.name in opened


def _shown(one: Input, texts: Mapping[str, str], errors: Sequence[Told], least_rows: int) -> Shown:
    mine = [each for each in errors if each.name == one.name]
    if one.kind is Kind.REMOVE:
        return Shown(one, "")
    if one.kind not in TABLES:
        return Shown(one, texts.get(one.name, ""), (), mine)
    rows = [Row(each, _at(mine, f"{one.name}.{n}.")) for n, each in enumerate(rows_in(one, texts))]
    spare = 1 if one.group else SPARE_ROWS
    wanted = min(max(len(rows) + spare, least_rows), max(MOST_ROWS, len(rows)))
    rows += [Row()] * (wanted - len(rows))
    placed = {each.anchor for row in rows for every in row.errors.values() for each in every}
    return Shown(one, "", rows, [each for each in mine if each.anchor not in placed], wanted < MOST_ROWS)


def _at(errors: Sequence[Told], start: str) -> dict[str, list[Told]]:
    found: dict[str, list[Told]] = {}
    for each in errors:
        if each.anchor.startswith(start):
            found.setdefault(each.anchor, []).append(each)
    return found
