"""The pieces of which a request is written: the author's text and values, each still knowing whether it is secret.

Rule 1: this is where a secret of a request becomes text, as late as can be; a masked one never does.
Rule 2: what a value breaks is said by its name, never by the value.

Source: the connector format, "Values and templates".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from keyturn.core.errors import Finding, ValidationFailed, ValueAbsent
from keyturn.core.secret import Secret
from keyturn.core.templates import Masked, Reference, Template, as_text, look_up, render_reference

Piece: TypeAlias = str | Secret | Masked

_SURROGATE: Final = re.compile(r"[\ud800-\udfff]")
_OWN_POINTERS: Final = frozenset({"username", "password"})


@dataclass(frozen=True, slots=True)
class Written:
    """A text on its way into a request: its pieces, and the value that each comes from (None: the author's own)."""

    pieces: tuple[tuple[Piece, Reference | None], ...] = field(repr=False)

    def text(self, escape: Callable[[str], str] = str) -> str:
        """Join the pieces, each escaped by itself; masked ones stand as they show themselves."""
        return "".join(
            str(piece) if isinstance(piece, Masked) else escape(plain(piece, reference))
            for piece, reference in self.pieces
        )


def written(template: Template, values: Mapping[str, object]) -> Written:
    """Put the values into a template, piece by piece; raises ValueAbsent as `Template.render`."""
    return Written(
        tuple((part, None) if isinstance(part, str) else (piece_of(part, values), part) for part in template.parts)
    )


def written_or_absent(
    template: Template, values: Mapping[str, object], optional: frozenset[str]
) -> Written | int | float | bool | None:
    """Put the values into a parameter or header.

    A template that is nothing but one reference keeps the type of a number or boolean; None means that it is left
    out: its value is empty, or absent and optional.

    Raises:
        ValueAbsent: a value is absent that is not optional, or that stands in other text.
    """
    only = template.only_reference
    if only is None:
        return written(template, values)
    try:
        piece = piece_of(only, values)
    except ValueAbsent:
        if only.path in optional or only.root in optional:
            return None
        raise
    if not isinstance(piece, Masked) and not piece:
        return None
    value = look_up(only.path, values)
    if not only.filters and isinstance(value, int | float):
        return value
    return Written(((piece, only),))


def piece_of(reference: Reference, values: Mapping[str, object]) -> Piece:
    """The value of a reference through its filters; raises ValueAbsent."""
    return render_reference(reference, values)


def scalar_text(value: Written | int | float | bool, escape: Callable[[str], str] = str) -> str:
    """Say a resolved parameter as text."""
    return value.text(escape) if isinstance(value, Written) else escape(str(as_text(value)))


def plain(piece: str | Secret | Masked, reference: Reference | None) -> str:
    """Give up the text of a piece, for the request that it belongs into; a masked one shows itself.

    Raises:
        ValidationFailed: it holds half a character (a lone surrogate), which no charset can carry.
    """
    text = piece.reveal() if isinstance(piece, Secret) else str(piece)
    if _SURROGATE.search(text):
        raise invalid_value(reference, "A value consists of whole characters.")
    return text


def invalid_value(reference: Reference | None, message: str) -> ValidationFailed:
    """The error that tells which value breaks a rule, by its name."""
    root = "" if reference is None else reference.root
    pointer = f"/{root}" if root in _OWN_POINTERS else f"/fields/{root}" if root else ""
    return ValidationFailed("A value can't be used in this request.", errors=[Finding(pointer, "invalid", message)])
