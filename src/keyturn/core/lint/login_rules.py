"""The findings about what a login sends first and what becomes of its tokens; a part of the table."""

from __future__ import annotations

from typing import Final

from keyturn.core.lint.rule import LintRule, Severity

_E, _W = Severity.ERROR, Severity.WARNING

LOGIN_RULES: Final = (
    LintRule(
        "K221",
        "before_for_nothing",
        _W,
        "A request runs before each login, and nothing uses what it finds.",
        "Use each name under `capture` in a later request, or take it out.",
    ),
    LintRule(
        "K222",
        "password_to_two_hosts",
        _E,
        "The password goes to more than one host, and the person is shown one.",
        "Send it in one request only, or to one host.",
        security=True,
    ),
)
