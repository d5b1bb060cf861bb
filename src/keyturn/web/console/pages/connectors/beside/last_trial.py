"""What the last trial has to say beside a step's form: its exchange, the answer's paths, what templates make of it.

Rule 1: it is the trial's own masked rows; another author's trials are not looked at.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from keyturn.core.connector import Connector
from keyturn.core.errors import ConnectorInvalid
from keyturn.engine.builder.last_answer import ID_STEP, NAME_STEP, Outcome, outcome_of, values_of
from keyturn.engine.builder.trial_trace import Row, TrialRun
from keyturn.web.console.rendering import Console
from keyturn.web.console.visit import Visit


@dataclass(frozen=True, slots=True)
class LastTrial:
    """`rows`: of the step, of the newest run that has any. `values`: path and value of the newest test's answer.

    `run`, `answered`: which runs these are. `outcome`: what the step's template makes of that answer.
    """

    run: TrialRun | None
    rows: tuple[Row, ...]
    answered: TrialRun | None = None
    values: tuple[tuple[str, str], ...] = ()
    outcome: Outcome | None = None

    def as_json(self) -> dict[str, Any]:
        """What changes while one types."""
        if self.outcome is None:
            return {}
        return {"text": self.outcome.text, "notes": list(self.outcome.notes), "same": self.outcome.same}


async def last_trial(console: Console, visit: Visit, connector: Connector, step: int) -> LastTrial:
    """Look; `connector`: the text whose templates are meant, saved or not."""
    builder = console.application.builder
    runs = builder.trials.of_connector(connector.id, visit.actor)
    run = next((each for each in runs if any(row.step == step for row in each.rows)), None)
    rows = tuple(row for row in run.rows if row.step == step) if run else ()
    answered = next((each for each in runs if each.test_answer_paths), None)
    if answered is None or step not in (NAME_STEP, ID_STEP):
        return LastTrial(run, rows)
    outcome = await outcome_of(connector, answered, step, console.application.connections)
    return LastTrial(run, rows, answered, values_of(answered), outcome)


async def typed_outcome(console: Console, visit: Visit, text: str, step: int) -> dict[str, Any]:
    """What the template in an unsaved text makes of the last answer; nothing where the text reads as no connector."""
    if step not in (NAME_STEP, ID_STEP):
        return {}
    try:
        connector = await console.application.edit_connector.read(text)
    except ConnectorInvalid:
        return {}
    return (await last_trial(console, visit, connector, step)).as_json()
