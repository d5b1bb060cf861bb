"""The framework's complaints about an input, said in our words and without the input.

Rule 1: a pointer ends at the last part that our own models name; what a caller called something is input as well.
Rule 2: a message is one of this table, by the kind of error; the framework's own text is never used.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from keyturn.core.errors import Finding, ValidationFailed

_MESSAGES: Final[Mapping[str, tuple[str, str]]] = {
    "missing": ("required", "This is required."),
    "extra_forbidden": ("unknown_member", "There is a member here that is not known."),
    "string_type": ("invalid", "This is a text."),
    "string_too_long": ("invalid", "This text is too long."),
    "string_too_short": ("invalid", "This text is too short."),
    "string_pattern_mismatch": ("invalid", "This text does not have the form that it should."),
    "bool_type": ("invalid", "This is either true or false."),
    "bool_parsing": ("invalid", "This is either true or false."),
    "int_type": ("invalid", "This is a whole number."),
    "int_parsing": ("invalid", "This is a whole number."),
    "greater_than_equal": ("invalid", "This number is too small."),
    "less_than_equal": ("invalid", "This number is too large."),
    "list_type": ("invalid", "This is a list."),
    "too_long": ("invalid", "This list is too long."),
    "dict_type": ("invalid", "This is an object."),
    "model_type": ("invalid", "This is an object."),
    "model_attributes_type": ("invalid", "This is an object."),
    "enum": ("invalid", "This is none of the values that are allowed."),
    "literal_error": ("invalid", "This is none of the values that are allowed."),
    "moment": ("invalid", "This is a time such as 2030-01-31T12:00:00Z, or Unix seconds."),
    "instant": ("invalid", "This is a time such as 2030-01-31T12:00:00Z."),
    "address": ("invalid", "This is an IP address such as 203.0.113.7, without port and zone."),
    "control_characters": ("invalid", "This text holds control characters."),
}
_OTHERWISE: Final = ("invalid", "This value can't be used.")
MOST: Final = 50


def validation_failed(errors: Sequence[Mapping[str, Any]], names: frozenset[str]) -> ValidationFailed:
    """Make our error of the framework's.

    Args:
        errors: as `RequestValidationError.errors()` gives them; their `input` and `ctx` are not looked at.
        names: the names of members and parameters that our models know; a path stops at any other.
    """
    findings: dict[tuple[str, str], Finding] = {}
    for each in errors[:MOST]:
        code, message = _MESSAGES.get(str(each.get("type")), _OTHERWISE)
        location = list(each.get("loc", ()))[1:]  # the first part says body, query or path
        if code == "unknown_member":
            location = location[:-1]
        pointer = _pointer(location, names)
        findings.setdefault((pointer, message), Finding(pointer, code, message))
    return ValidationFailed(errors=list(findings.values()))


def _pointer(location: Sequence[Any], names: frozenset[str]) -> str:
    parts = []
    for part in location:
        if not isinstance(part, int) and part not in names:
            break
        parts.append(str(part).replace("~", "~0").replace("/", "~1"))
    return "".join(f"/{part}" for part in parts)
