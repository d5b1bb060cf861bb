"""What an error page says to whoever sits before it, where the register speaks to programs.

Rule: code, status and request id are the register's; only the sentence on what to do differs, and the wait is told as a
span and a time instead of a header that no browser shows.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from keyturn.core.errors import KeyturnError
from keyturn.core.problems import Problem

_ACTIONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "rate_limited": "Wait, then load the page again. Nothing was done meanwhile.",
        "login_budget_spent": "Wait: one more failure could lock the account.",
        "login_spraying": "Wait. If nobody tries a password on many accounts here, tell the operator.",
        "quiet_hours": "Wait, or change the connector's quiet hours.",
        "version_conflict": "Open the page anew and make the change once more.",
        "idempotency_in_progress": "Wait a moment and try again.",
        "unsupported_media_type": "Open the page anew and send its form.",
        "method_not_allowed": "Open the page from the menu.",
        "payload_too_large": "Send less at once.",
        "validation_failed": "Go back and mend what is said here.",
    }
)


def action_for(problem: Problem) -> str:
    """What to do, for a person."""
    return _ACTIONS.get(problem.code, problem.action_here())


def waits_until(error: KeyturnError, now: float) -> float | None:
    """When it is worth trying again, Unix seconds; None where nobody knows."""
    return now + error.retry_after_s if error.retry_after_s else None
