"""How far each step is: not started, optional, done, or with how many problems.

Rule 1: a step that stands as a blank file begins it is not started, until somebody has saved it or it has been shown to
work; nobody is told that something is done which nobody has looked at.
Rule 2: an information is no problem.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from keyturn.core.building.steps import STEPS, Step
from keyturn.core.lint import LintFinding, Severity

ABOUT: Final = Step(
    0,
    "About",
    "What it is called, and why a password is acceptable here.",
    ("title", "trust", "docs_url", "register_url", "notes", "links", "retires"),
    True,
)
GLYPHS: Final[Mapping[str, str]] = {"good": "✓", "bad": "▲", "todo": "○", "optional": "–"}


@dataclass(frozen=True, slots=True)
class Task:
    """A step and its state. `kind`: the class of its mark. `problems`: errors and warnings. `blocks`: whether one of
    them is an error."""

    step: Step
    kind: str
    words: str
    problems: int = 0
    blocks: bool = False

    @property
    def glyph(self) -> str:
        """Its mark."""
        return GLYPHS[self.kind]

    @property
    def open(self) -> bool:
        """Whether it needs something of its author."""
        return self.kind in ("bad", "todo")


def task_list(
    document: Any, findings: Sequence[LintFinding], blank: Any, settled: Callable[[int], bool]
) -> tuple[Task, ...]:
    """The state of each step of a file, the connector itself before the nine.

    Args:
        document: the file as plain data.
        findings: the linter's.
        blank: what a new file of this id says, as plain data.
        settled: whether what a step says was looked at, or has been shown to work.
    """
    return tuple(_task(step, document, findings, blank, settled) for step in (ABOUT, *STEPS))


def problems(step: int, findings: Sequence[LintFinding]) -> tuple[LintFinding, ...]:
    """The findings of a step."""
    return tuple(each for each in findings if each.step == step)


def open_step(tasks: Sequence[Task], after: int = -1) -> int | None:
    """The next step that needs something: behind this one, else from the beginning; None where none does."""
    waiting = [each.step.number for each in tasks if each.open]
    return next((each for each in waiting if each > after), waiting[0] if waiting else None)


def missing_step(tasks: Sequence[Task]) -> int | None:
    """The first step without which nothing can be published; None where only warnings are left, which may be meant."""
    return next((each.step.number for each in tasks if each.blocks or each.kind == "todo"), None)


def _task(
    step: Step, document: Any, findings: Sequence[LintFinding], blank: Any, settled: Callable[[int], bool]
) -> Task:
    given = _given(step, document)
    bad = sum(each.severity is not Severity.INFO for each in problems(step.number, findings))
    blocks = any(each.severity is Severity.ERROR for each in problems(step.number, findings))
    if given == _given(step, blank) and given and not settled(step.number):
        return Task(step, "todo", "not started", bad)
    if bad:
        return Task(step, "bad", "1 problem" if bad == 1 else f"{bad} problems", bad, blocks)
    if not given:
        return Task(step, "todo" if step.required else "optional", "not started" if step.required else "optional")
    return Task(step, "good", "done")


def _given(step: Step, document: Any) -> dict[str, Any]:
    return {key: document[key] for key in step.keys if isinstance(document, Mapping) and key in document}
