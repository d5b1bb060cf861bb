"""The root of the errors, and their families."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing wrong with an input: where, and what would be right.

    `pointer`: RFC 6901 into the input. `line` and `column` count from 1, where the input was a text. `rule`, `limit`:
    what is said, for pages that have words of their own (`field_values.RULES`); they are no part of the JSON.
    """

    pointer: str
    code: str
    message: str
    line: int | None = None
    column: int | None = None
    rule: str = ""
    limit: int | None = None

    def as_json(self) -> dict[str, Any]:
        """Say it as a member of `errors[]`."""
        found: dict[str, Any] = {"pointer": self.pointer, "code": self.code, "message": self.message}
        if self.line is not None:
            found |= {"line": self.line, "column": self.column}
        return found


class KeyturnError(Exception):
    """Base of all. `str()` of it is safe to show to anybody."""

    code: ClassVar[str] = "internal_error"

    def __init__(
        self,
        detail: str = "",
        *,
        errors: Sequence[Finding] = (),
        retry_after_s: float | None = None,
        extensions: Mapping[str, Any] | None = None,
        logged: Mapping[str, str] | None = None,
    ) -> None:
        """`logged`: what the log is told besides, and nobody else: words of closed lists and ids of our own."""
        super().__init__(detail or self.code)
        self.detail = detail
        self.errors = tuple(errors)
        self.retry_after_s = retry_after_s
        self.extensions: dict[str, Any] = dict(extensions or {})
        self.logged: dict[str, str] = dict(logged or {})


class CallerError(KeyturnError):
    """The request was wrong; unchanged, it will fail again."""


class OwnerError(KeyturnError):
    """The connection needs the person it belongs to."""


class ProviderError(KeyturnError):
    """The provider answered badly or not at all."""


class OperatorError(KeyturnError):
    """keyturn or a connector is set up wrongly; the operator must act."""
