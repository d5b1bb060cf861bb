"""What may be said of a mistake of ours: its kind, and the places that it went through.

Rule 1: neither a message nor a variable is said: both may hold what a caller sent or a provider gave, and the redactor
knows only the secrets that are in flight.
"""

from __future__ import annotations

import traceback
from typing import Any, Final

DEEPEST: Final = 12
MOST_CAUSES: Final = 5


def crash_facts(error: BaseException) -> dict[str, Any]:
    """Say of an exception its kind, the kinds of those that led to it, and its innermost places, as facts of a log."""
    frames = traceback.extract_tb(error.__traceback__)[-DEEPEST:]
    places = [f"{each.filename.rpartition('/')[2]}:{each.lineno} {each.name}" for each in frames]
    facts: dict[str, Any] = {"error": type(error).__name__, "places": places}
    if causes := _causes(error):
        facts["because"] = causes
    return facts


def _causes(error: BaseException) -> list[str]:
    found: list[str] = []
    while len(found) < MOST_CAUSES:
        cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
        if cause is None:
            break
        found.append(type(cause).__name__)
        error = cause
    return found
