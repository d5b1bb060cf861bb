"""Requests that run before a login: whom they ask nothing of, and what each of them can know already.

Source: the connector format, `token.before`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from keyturn.core.reading.codes import Fault
from keyturn.core.reading.document import child_pointer, given_objects, pointer_steps
from keyturn.core.reading.judges.visible_when import judge_values
from keyturn.core.reading.names import Kind, Names
from keyturn.core.reading.shapes import Reading, meant


def judge_before(reading: Reading, names: Names, _tree: Mapping[str, Any]) -> None:
    """Each has a name of its own, hangs on fields only, and uses what those before it have found."""
    given = _given(reading)
    fields = {one["key"]: one for one in given_objects(reading.document, "fields") if isinstance(one.get("key"), str)}
    known: set[str] = set()
    for index, one in enumerate(given):
        pointer = f"/token/before/{index}"
        name = one.get("name")
        if isinstance(name, str) and name in known:
            reading.fault(f"{pointer}/name", Fault.DUPLICATE, "another request before the login has this name")
        known |= {name} if isinstance(name, str) else set()
        _judge_when(reading, f"{pointer}/when", one.get("when"), fields)
    _judge_order(reading, names, given)


def _given(reading: Reading) -> list[Mapping[str, Any]]:
    whole = reading.document.value
    token = whole.get("token") if isinstance(whole, Mapping) else None
    given = token.get("before") if isinstance(token, Mapping) else None
    return [one if isinstance(one, Mapping) else {} for one in given] if isinstance(given, list) else []


def _judge_when(reading: Reading, pointer: str, when: object, fields: Mapping[str, Mapping[str, Any]]) -> None:
    for key, values in when.items() if isinstance(when, Mapping) else ():
        at = child_pointer(pointer, key)
        if key in fields:
            judge_values(reading, at, fields[key], values)
        else:
            message = f"expected the key of a field: nothing has been answered yet; {meant(key, list(fields))}"
            reading.fault(at, Fault.UNKNOWN_NAME, message, at_key=True)


def _judge_order(reading: Reading, names: Names, given: list[Mapping[str, Any]]) -> None:
    """What a request captures exists for those after it only."""
    for placed in reading.templates:
        steps = pointer_steps(placed.pointer)
        if steps[:2] != ("token", "before"):
            continue
        found = {name for one in given[: int(steps[2])] for name in one.get("capture") or ()}
        for path in sorted({leaf for each in placed.template.names() for leaf in names.leaves(each)}):
            root = path.partition(".")[0].partition("[")[0]
            if names.kind_of(path) is Kind.FOUND_BEFORE and root not in found:
                message = "no request before this one captures it; they run in the order of the list"
                reading.fault(placed.pointer, Fault.NAME_NOT_AVAILABLE_HERE, message)
