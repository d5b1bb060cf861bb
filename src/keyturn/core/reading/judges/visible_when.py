"""Fields that are asked only with certain values of others: which others, and which values.

Source: the connector format, "Values and templates".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from keyturn.core.connector import FieldType
from keyturn.core.reading.codes import Fault
from keyturn.core.reading.document import child_pointer, given_objects
from keyturn.core.reading.fields import SECRET_TYPES, fits
from keyturn.core.reading.names import Names
from keyturn.core.reading.shapes import Reading, meant


def judge_visibility(reading: Reading, _names: Names, _tree: Mapping[str, Any]) -> None:
    """A field depends only on fields that stand before it, so that no two wait for each other."""
    before: dict[str, Mapping[str, Any]] = {}
    for index, one in enumerate(given_objects(reading.document, "fields")):
        conditions = one.get("visible_when")
        for key, values in conditions.items() if isinstance(conditions, Mapping) else ():
            pointer = child_pointer(f"/fields/{index}/visible_when", key)
            if key not in before:
                message = f"expected the key of a field that stands before this one; {meant(key, list(before))}"
                reading.fault(pointer, Fault.UNKNOWN_NAME, message, at_key=True)
            else:
                judge_values(reading, pointer, before[key], values)
        if isinstance(one.get("key"), str):
            before[one["key"]] = one


def judge_values(reading: Reading, pointer: str, other: Mapping[str, Any], values: object) -> None:
    """The values that another field is to have are some that it can have, and no secrets."""
    try:
        kind = FieldType(other.get("type") or FieldType.TEXT)
    except (TypeError, ValueError):
        return  # said already
    if kind in SECRET_TYPES or other.get("keep") == "sealed":
        reading.fault(pointer, Fault.CONTRADICTION, "a secret decides nothing about the form", at_key=True)
        return
    choices = other.get("choices")
    for value in values if isinstance(values, list | tuple) else (values,):
        if not fits(kind, value):
            reading.fault(pointer, Fault.WRONG_TYPE, f"a field of type {kind} has values of that type")
        elif kind is FieldType.CHOICE and isinstance(choices, Mapping) and value not in choices:
            reading.fault(pointer, Fault.WRONG_VALUE, "expected one of that field's choices")
