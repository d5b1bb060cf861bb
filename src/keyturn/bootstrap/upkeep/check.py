"""What a look at something came to."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Grade(StrEnum):
    """How well something is."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at: what was found, and what mends it (empty where nothing has to be)."""

    name: str
    grade: Grade
    found: str
    fix: str = ""
