"""Step 1: what is asked of the person."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final

from keyturn.core.challenges.steps import asked_of_seed, seed_field
from keyturn.core.connector import FieldType
from keyturn.core.lint.findings import LintFinding, found
from keyturn.core.lint.subject import Subject

_EMPTY_LABELS: Final = frozenset({"key", "value", "field", "input", "text", "data", "name", "label"})
_MANY: Final = 4


def lint_inputs(subject: Subject) -> Iterator[LintFinding]:
    """Look at the fields and at what challenges ask."""
    connector = subject.connector
    used = {path for _, template in subject.templates() for path in template.names()}
    used |= {key for each in connector.fields for key in each.visible_when}
    seed = seed_field(connector)
    if seed is not None and any(asked_of_seed(each.ask) for each in connector.challenges):
        used.add(seed.key)
    in_hosts = subject.host_names()
    labels = [connector.username.label, connector.password.label, *(each.label for each in connector.fields)]
    counts = Counter(label.strip().lower() for label in labels)
    for index, field in enumerate(connector.fields):
        pointer = f"/fields/{index}"
        if field.key not in used:
            yield found("K101", pointer)
        label = field.label.strip().lower()
        if counts[label] > 1 or label in _EMPTY_LABELS:
            yield found("K103", f"{pointer}/label")
        if field.type is FieldType.CHOICE and len(field.choices) == 1:
            yield found("K105", f"{pointer}/choices")
        may_be_absent = bool(field.visible_when) or (not field.required and field.default is None)
        if field.key in in_hosts and may_be_absent:
            yield found("K106", f"{pointer}/required")
    if len(connector.fields) > _MANY:
        yield found("K104", "/fields")
    for number, challenge in enumerate(connector.challenges):
        for index, asked in enumerate(challenge.ask):
            if asked.key not in used:
                yield found("K101", f"/challenges/{number}/ask/{index}")
