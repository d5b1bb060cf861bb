"""Which steps use what the person is asked: a field that none uses is asked for nothing."""

from __future__ import annotations

from keyturn.core.building.steps import step_of
from keyturn.core.challenges.steps import asked_of_seed, seed_field
from keyturn.core.connector import Connector
from keyturn.core.lint.subject import Subject


def field_uses(connector: Connector) -> dict[str, tuple[int, ...]]:
    """By a field's key, in the fields' order: the numbers of the steps that take it in, or that depend on it."""
    found: dict[str, set[int]] = {each.key: set() for each in connector.fields}
    for pointer, template in Subject.of(connector).templates():
        for path in template.names():
            found.get(path, set()).add(step_of(pointer))
    for each in connector.fields:
        for key in each.visible_when:
            found.get(key, set()).add(1)
    for before in connector.before:
        for key in before.when:
            found.get(key, set()).add(2)
    seed = seed_field(connector)
    if seed is not None and any(asked_of_seed(each.ask) for each in connector.challenges):
        found[seed.key].add(2)
    return {key: tuple(sorted(steps)) for key, steps in found.items()}
