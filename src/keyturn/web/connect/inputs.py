"""The inputs of a form as templates draw them, and what was wrong with each.

Rule 1: what was typed comes back, but no secret does: neither the password nor any secret field.
Rule 2: an error stands at its input and, in the same words, in the summary.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

from keyturn.core.connector import Field, FieldType
from keyturn.core.errors import Finding
from keyturn.core.secret import Secret
from keyturn.web.connect.connector_view import SECRET_TYPES
from keyturn.web.connect.texts.wording import Wording
from keyturn.web.kit.posts import Form

MOST_RADIOS: Final = 6
PREFIX: Final = "field."
_CLASSES: Final = re.compile(r"\\[dDsSbB]")  # parts of a pattern that are letters and allow none
_KINDS: Final[Mapping[FieldType, str]] = {
    FieldType.BOOLEAN: "checkbox",
    FieldType.SECRET: "password",
    FieldType.TOTP_SEED: "password",
}
_MODES: Final[Mapping[FieldType, str]] = {
    FieldType.NUMBER: "decimal",
    FieldType.EMAIL: "email",
    FieldType.URL: "url",
    FieldType.HOST: "url",
    FieldType.OTP: "numeric",
}
_AUTOCOMPLETE: Final[Mapping[FieldType, str]] = {
    FieldType.EMAIL: "email",
    FieldType.OTP: "one-time-code",
    FieldType.SECRET: "off",
    FieldType.TOTP_SEED: "off",
}


@dataclass(frozen=True, slots=True)
class Input:
    """One input. `kind`: text, password, checkbox, radio or select. `notes`: choice → where it leads."""

    name: str
    id: str
    label: str
    kind: str
    hint: str
    optional: bool
    value: str
    error: str
    choices: Mapping[str, str]
    notes: Mapping[str, Markup]
    inputmode: str | None
    autocomplete: str | None

    @property
    def described_by(self) -> str:
        """The ids of what describes it, for `aria-describedby`."""
        parts = [(self.hint, "hint"), (self.error, "error")]
        return " ".join(f"{self.id}-{name}" for there, name in parts if there)


def inputs_for(
    fields: Sequence[Field],
    typed: Form | None,
    errors: Mapping[str, str],
    *,
    before: Mapping[str, object] | None = None,
    notes: Mapping[str, Markup] | None = None,
) -> list[Input]:
    """Draw declared fields.

    Args:
        fields: as declared.
        typed: what came in, on the way back from an error.
        errors: message by pointer.
        before: values that were chosen earlier.
        notes: for choices, what follows from each.
    """
    return [_input(each, typed, errors.get(f"/fields/{each.key}", ""), before or {}, notes or {}) for each in fields]


def _input(
    field: Field, typed: Form | None, error: str, before: Mapping[str, object], notes: Mapping[str, Markup]
) -> Input:
    name = PREFIX + field.key
    kind = _KINDS.get(field.type, "text")
    if field.type is FieldType.CHOICE:
        kind = "radio" if len(field.choices) <= MOST_RADIOS else "select"
    value = ""
    if field.type not in SECRET_TYPES:
        value = typed.text(name) if typed else _written(before.get(field.key, field.default))
    return Input(
        name=name,
        id=f"field-{field.key}",
        label=field.label,
        kind=kind,
        hint=field.help,
        optional=not field.required,
        value=value,
        error=error,
        choices=field.choices,
        notes=notes,
        inputmode=None if field.type is FieldType.OTP and may_have_letters(field) else _MODES.get(field.type),
        autocomplete=_AUTOCOMPLETE.get(field.type),
    )


def may_have_letters(code: Field) -> bool:
    """Whether a one-time code may hold more than digits: then a keyboard of digits would lock people out."""
    return code.pattern is not None and bool(re.search(r"[A-Za-z.]|\[\^", _CLASSES.sub("", code.pattern)))


def _written(value: object) -> str:
    return "" if value is None else "true" if value is True else "false" if value is False else str(value)


def values_of(fields: Sequence[Field], form: Form) -> dict[str, str | Secret]:
    """What was typed into declared fields; an unticked box is a no, as browsers send nothing for it."""
    found: dict[str, str | Secret] = {}
    for each in fields:
        name = PREFIX + each.key
        if name in form.secrets:
            found[each.key] = form.secrets[name]
        elif name in form.texts:
            found[each.key] = form.texts[name]
        elif each.type is FieldType.BOOLEAN:
            found[each.key] = "false"
    return found


def secret_names(fields: Sequence[Field]) -> frozenset[str]:
    """The inputs whose values are secrets."""
    return frozenset({"password"} | {PREFIX + each.key for each in fields if each.type in SECRET_TYPES})


def messages_of(
    findings: Sequence[Finding],
    fields: Sequence[Field],
    wording: Wording,
    labelled: Mapping[str, str] | None = None,
    *,
    provider: str,
) -> dict[str, str]:
    """What is wrong, by pointer, in the page's words.

    Args:
        findings: as the checks give them.
        fields: of the form.
        wording: of the page's language.
        labelled: pointer → label of other inputs.
        provider: the connector's title.
    """
    labelled = labelled or {}
    labels = {f"/fields/{each.key}": each for each in fields}
    found: dict[str, str] = {}
    for each in findings:
        message, field = _said(each, wording, provider), labels.get(each.pointer)
        if each.code == "required" and field is not None:
            key = "field.choose" if field.type is FieldType.CHOICE else "field.required"
            message = wording.plain(key, label=field.label)
        elif each.code == "required" and each.pointer in labelled:
            message = wording.plain("field.required", label=labelled[each.pointer])
        found.setdefault(each.pointer, message)
    return found


def _said(found: Finding, wording: Wording, provider: str) -> str:
    """What a finding says; one that names no rule is said in English as it is, and in other languages in general."""
    if wording.has(f"rule.{found.rule}"):
        limit = "" if found.limit is None else found.limit
        return wording.plain(f"rule.{found.rule}", limit=limit, provider=provider)
    return found.message if wording.language == "en" else wording.plain("rule.other")


def summary_of(messages: Mapping[str, str], inputs: Sequence[Input]) -> list[tuple[str, str]]:
    """The lines of the error summary: where each leads, and what it says."""
    ids = {f"/fields/{each.name.removeprefix(PREFIX)}": each for each in inputs}
    found = []
    for pointer, message in messages.items():
        each = ids.get(pointer)
        anchor = pointer[1:] if each is None else f"{each.id}-0" if each.kind == "radio" else each.id
        found.append((anchor, message))
    return found
