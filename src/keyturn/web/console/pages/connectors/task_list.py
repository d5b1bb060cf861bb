"""How far each of the nine steps is: not started, optional, done, or with how many problems."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from keyturn.core.building.steps import STEPS, Step
from keyturn.core.lint import LintFinding, Severity

PLACEHOLDER: Final = ".provider.example"  # the hosts that a blank file begins with


@dataclass(frozen=True, slots=True)
class Task:
    """A step and its state. `kind`: the class of its mark."""

    step: Step
    kind: str
    words: str


def task_list(document: Any, findings: Sequence[LintFinding]) -> tuple[Task, ...]:
    """The state of each step of a file (as plain data) with these findings."""
    return tuple(_task(step, document, findings) for step in STEPS)


def problems(step: int, findings: Sequence[LintFinding]) -> tuple[LintFinding, ...]:
    """The findings of a step."""
    return tuple(each for each in findings if each.step == step)


def _task(step: Step, document: Any, findings: Sequence[LintFinding]) -> Task:
    given = {key: document[key] for key in step.keys if isinstance(document, dict) and key in document}
    bad = [each for each in findings if each.step == step.number and each.severity is not Severity.INFO]
    if PLACEHOLDER in str(given):
        return Task(step, "todo", "not started")
    if bad:
        return Task(step, "bad", "1 problem" if len(bad) == 1 else f"{len(bad)} problems")
    if not given:
        return Task(step, "todo" if step.required else "optional", "not started" if step.required else "optional")
    return Task(step, "good", "done")
