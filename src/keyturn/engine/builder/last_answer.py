"""What the templates of steps 6 and 8 make of the last trial's answer, before anything is tried anew.

Rule 1: the answer is the masked one that the trial kept; what a trial did not keep stands as its name in ‹marks›.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from keyturn.core.building.near_paths import nearest, template_name
from keyturn.core.connector import Connector
from keyturn.core.errors import ValueAbsent
from keyturn.core.redaction.values import MASK
from keyturn.core.templates import Template, as_text, look_up
from keyturn.engine.builder.previews import marks
from keyturn.engine.builder.trial_trace import TrialRun, shown_value
from keyturn.ports.store import ConnectionFilter, ConnectionStore

NAME_STEP: Final = 6
ID_STEP: Final = 8


@dataclass(frozen=True, slots=True)
class Outcome:
    """`text`: what came out, empty where nothing did. `notes`: what an author should look at.

    `same`: how many connections there are with this unique id; None where it is none, or is not known in full.
    """

    text: str
    notes: tuple[str, ...]
    same: int | None = None


def values_of(run: TrialRun) -> tuple[tuple[str, str], ...]:
    """The paths of the test's answer, as templates name them, with their values."""
    names = (name for path in run.test_answer_paths if (name := template_name(path)) is not None)
    found = ((name, as_text(look_up(name, {"test": run.test_answer}))) for name in names)
    return tuple((name, shown_value(text, name)) for name, text in found if text is not None)


async def outcome_of(connector: Connector, run: TrialRun, step: int, connections: ConnectionStore) -> Outcome:
    """What the template of a step makes of a run's answer; `step`: of name or unique id."""
    test = run.test_answer
    unique_id = _rendered(connector.unique_id, test, {})
    if step == NAME_STEP:
        text = _rendered(connector.connection_name, test, {"unique_id": unique_id or ""})
        return Outcome(shown_value(text or "", "name"), tuple(_absent(connector.connection_name, test)))
    notes = list(_absent(connector.unique_id, test))
    if unique_id is None or not unique_id.strip():
        return Outcome("", (*notes, *([] if notes else ["The unique id comes out empty."])))
    if MASK in unique_id:
        return Outcome(unique_id, (*notes, "A value of it is masked here: whether it is taken already is not known."))
    if "‹" in unique_id:
        return Outcome(unique_id, tuple(notes))
    which = ConnectionFilter(connector=connector.id, unique_id=unique_id, not_ended=True)
    return Outcome(shown_value(unique_id, "unique_id"), tuple(notes), await connections.count(which))


def _rendered(template: Template, test: Any, more: dict[str, Any]) -> str | None:
    own = ("test", "unique_id")
    names = [name for name in template.names() if name.partition(".")[0].partition("[")[0] not in own]
    try:
        return str(template.render({**marks(names), **more, "test": test}))
    except ValueAbsent:
        return None


def _absent(template: Template, test: Any) -> Iterator[str]:
    """A sentence for each path that the answer doesn't have."""
    for name in dict.fromkeys(template.names()):
        if name.startswith("test") and as_text(look_up(name, {"test": test})) is None:
            found = nearest(name, test)
            near = template_name(found) if found is not None else None
            yield f"{name} is not in the last trial's answer.{f' Did you mean {near}?' if near else ''}"
