"""A challenge's questions as plain JSON, to be stored and read again, and the answers held against them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from keyturn.core.connector import Field, FieldType, Keep
from keyturn.core.errors import ValidationFailed
from keyturn.core.field_values import check_fields


def as_plain(question: Field) -> dict[str, Any]:
    """Say a question as JSON; choices as a list, as their order counts."""
    return {
        "key": question.key,
        "label": question.label,
        "type": question.type.value,
        "help": question.help,
        "choices": [[value, label] for value, label in question.choices.items()],
        "default": question.default,
        "required": question.required,
        "pattern": question.pattern,
        "min_length": question.min_length,
        "max_length": question.max_length,
        "visible_when": {key: list(values) for key, values in question.visible_when.items()},
    }


def question_of(plain: Mapping[str, Any]) -> Field:
    """Read what `as_plain` said."""
    return Field(
        key=plain["key"],
        label=plain["label"],
        type=FieldType(plain["type"]),
        help=plain["help"],
        choices=dict(plain["choices"]),
        default=plain["default"],
        required=plain["required"],
        keep=Keep.NEVER,
        pattern=plain["pattern"],
        min_length=plain["min_length"],
        max_length=plain["max_length"],
        visible_when={key: tuple(values) for key, values in plain["visible_when"].items()},
    )


def check_answers(ask: Sequence[Field], answers: Mapping[str, Any]) -> dict[str, Any]:
    """Read the answers to these questions.

    Raises:
        ValidationFailed: every wrong one at once, at `/answers/<key>`.
    """
    values, errors = check_fields(ask, answers)
    if errors:
        raise ValidationFailed(errors=[replace(each, pointer=_pointer(each.pointer)) for each in errors])
    return values


def at_answers(error: ValidationFailed, ask: Sequence[Field]) -> ValidationFailed:
    """The same error where an answer is what could not stand in the request."""
    keys = {f"/fields/{each.key}" for each in ask}
    found = [replace(one, pointer=_pointer(one.pointer)) if one.pointer in keys else one for one in error.errors]
    return ValidationFailed(errors=found)


def _pointer(pointer: str) -> str:
    return "/answers" + pointer.removeprefix("/fields") if pointer.startswith("/fields") else pointer
