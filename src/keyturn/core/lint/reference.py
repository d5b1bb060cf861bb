"""The reference page of the linter, made from its table."""

from __future__ import annotations

from keyturn.core.lint.findings import RULES, LintRule

_STEPS = (
    "The connector as a whole",
    "Step 1: fields",
    "Step 2: token",
    "Step 3: refresh",
    "Step 4: revoke",
    "Step 5: test",
    "Step 6: connection name",
    "Step 7: allowed URLs",
    "Step 8: unique id",
    "Step 9: request parameters",
)


def lint_reference() -> str:
    """Write `docs/reference/lint.md`: a heading and a table for each step, one row for each finding."""
    lines = [
        "# What the linter finds",
        "",
        "<!-- Made from the linter's own table by keyturn.core.lint.reference; a test holds it equal. -->",
        "",
        "`keyturn connector lint FILE` judges a connector that reads without errors, and so does each save. An error",
        "blocks publishing; a warning or an information doesn't. Findings about security, marked here with a *,",
        "come first.",
    ]
    for step, title in enumerate(_STEPS):
        rules = [rule for rule in RULES.values() if rule.step == step]
        if rules:
            lines += ["", f"## {title}", "", "| code | name | severity | what was found | what to do |"]
            lines += ["|---|---|---|---|---|", *(_row(rule) for rule in rules)]
    return "\n".join(lines) + "\n"


def _row(rule: LintRule) -> str:
    mark = " *" if rule.security else ""
    return f"| {rule.code} | `{rule.name}` | {rule.severity}{mark} | {rule.message} | {rule.remedy} |"
