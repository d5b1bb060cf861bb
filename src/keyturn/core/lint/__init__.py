"""What is questionable about a connector that reads without errors: findings with a place, words and a remedy.

Rule 1: a finding that is an error blocks publishing; nothing else does.
Rule 2: security stands first in the output.
Rule 3: one file for each group of rules; codes and words stand in `findings`, `challenge_rules` and `login_rules` only.
"""

from __future__ import annotations

from collections.abc import Iterable

from keyturn.core.connector import Connector
from keyturn.core.lint.account import lint_account
from keyturn.core.lint.challenges import lint_challenges
from keyturn.core.lint.findings import RULES, LintFinding, LintRule, Severity, in_order
from keyturn.core.lint.hosts import lint_hosts
from keyturn.core.lint.inputs import lint_inputs
from keyturn.core.lint.logins import lint_logins
from keyturn.core.lint.reference import lint_reference
from keyturn.core.lint.secrets import lint_secrets
from keyturn.core.lint.subject import Subject
from keyturn.core.lint.token_life import lint_token_life

__all__ = ["RULES", "LintFinding", "LintRule", "Severity", "blocks_publishing", "lint", "lint_reference"]

_GROUPS = (lint_secrets, lint_hosts, lint_inputs, lint_token_life, lint_logins, lint_challenges, lint_account)


def lint(connector: Connector) -> tuple[LintFinding, ...]:
    """Judge a connector.

    Returns:
        Every finding once: security first, then errors, warnings and informations, each by code and place.
    """
    subject = Subject.of(connector)
    return in_order([finding for group in _GROUPS for finding in group(subject)])


def blocks_publishing(findings: Iterable[LintFinding]) -> bool:
    """Say whether a connector with these findings can't be published."""
    return any(finding.is_error for finding in findings)
