"""One thing that the linter looks for, and how grave it is."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How grave a finding is."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class LintRule:
    """One thing that the linter looks for.

    `message`: what was found. `remedy`: what to do. `security`: whether it stands before all others.
    """

    code: str
    name: str
    severity: Severity
    message: str
    remedy: str
    security: bool = False

    @property
    def step(self) -> int:
        """The step of the connector, 1 to 9; 0 for the connector as a whole."""
        return int(self.code[1])
