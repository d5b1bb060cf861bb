"""Write docs/reference/problems.md and the list of calls in docs/reference/rest.md from the code's own tables.

Usage: python scripts/write_reference.py [--check]. With --check nothing is written, and the exit code is 1 if a page is
not what the code says.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from keyturn.core.problems import PROBLEMS, Cause, Problem
from keyturn.web.control.application import OPERATIONS
from keyturn.web.control.operations import PUBLIC, Operation, Takes
from keyturn.web.dataplane.openapi import OPENAPI_PATHS, TAG

REFERENCE: Final = Path(__file__).resolve().parent.parent / "docs" / "reference"
MARK: Final = "<!-- From here on written by scripts/write_reference.py; change the code instead. -->\n"
PROBLEMS_HEAD: Final = """\
# Problem codes

Every failure is answered as `application/problem+json` (RFC 9457) with one of these codes. A code never changes its
meaning. `next_action` says whose move it is, what that move is and, where there is one, the address at which it is
done; `retryable` is true where waiting is all that is needed.

This page is written from the register in `src/keyturn/core/problems.py` by `scripts/write_reference.py`.

| code | status | whose move |
|---|---|---|
"""
CAUSES_HEAD: Final = """\

# Reasons of a connection

What `reason` of a connection says, where it is not plainly active:

"""


def problems_page() -> str:
    """The page of the register: one heading for each code, in the order of the register."""
    rows = [f"| [`{each.code}`](#{each.code}) | {each.status} | {each.who} |\n" for each in PROBLEMS.values()]
    sections = [_problem(each) for each in PROBLEMS.values()]
    causes = "".join(f"- `{each.value}`\n" for each in Cause)
    return PROBLEMS_HEAD + "".join(rows) + "".join(sections) + CAUSES_HEAD + causes


def calls() -> str:
    """The calls of the control plane, by what they are about; then those of the data plane."""
    parts = []
    for tag in dict.fromkeys(each.tag for each in OPERATIONS):
        parts.append(f"\n## {tag[0].upper()}{tag[1:]}\n")
        parts += [_call(each) for each in OPERATIONS if each.tag == tag]
    parts.append(f"\n## {TAG[0].upper()}{TAG[1:]}\n")
    parts += [_described(path, *each) for path, methods in OPENAPI_PATHS.items() for each in methods.items()]
    return "".join(parts)


def with_calls(page: str) -> str:
    """The page with its list of calls written anew; what stands above the mark is kept."""
    return page.partition(MARK)[0] + MARK + calls()


def _problem(problem: Problem) -> str:
    retry = " The same request may succeed later." if problem.retryable else ""
    return (
        f"\n## `{problem.code}`\n\n{problem.status}. {problem.title}{retry}\n\n"
        f"Next, by {problem.who.value.replace('_', ' ')}: {problem.action}\n"
    )


def _call(operation: Operation) -> str:
    title, _, rest = (operation.endpoint.__doc__ or "").strip().partition("\n\n")
    scope = "no key" if operation.scope == PUBLIC else f"scope `{operation.scope}`"
    answers = ", ".join(f"{status}{_kind(operation, status)}" for status in operation.answers)
    lines = [f"\n### {operation.method} {operation.path}\n", f"\n{title} {' '.join(rest.split())}".rstrip() + "\n"]
    lines.append(f"\nNeeds {scope}. Answers {answers}.")
    honoured = [*operation.headers, *(["Idempotency-Key"] if operation.replayable else [])]
    if honoured:
        lines.append(f" Honours {' and '.join(f'`{each}`' for each in honoured)}.")
    lines.append("\n")
    if operation.takes is Takes.CONNECTOR:
        lines.append("\nTakes a connector, as `application/yaml` or `application/json`.\n")
    elif operation.example is not None:
        lines.append(f"\n```json\n{json.dumps(operation.example, ensure_ascii=False)}\n```\n")
    if operation.problems:
        own = ", ".join(f"[`{code}`](problems.md#{code})" for code in operation.problems)
        lines.append(f"\nProblems: {own}.\n")
    return "".join(lines)


def _described(path: str, method: str, call: Mapping[str, Any]) -> str:
    """A call that is known by its description in the OpenAPI document alone."""
    answers = ", ".join(status for status in call["responses"] if status[0] == "2")
    codes = [code for answer in call["responses"].values() for code in answer.get("x-codes", ())]
    lines = [f"\n### {method.upper()} {path}\n", f"\n{call['summary']}. {call['description']}\n"]
    lines.append(f"\nNeeds scope `{call['x-required-scope']}`. Answers {answers}.\n")
    for content in call.get("requestBody", {}).get("content", {}).values():
        lines.append(f"\n```json\n{json.dumps(content['example'], ensure_ascii=False)}\n```\n")
    lines.append(f"\nProblems: {', '.join(f'[`{code}`](problems.md#{code})' for code in codes)}.\n")
    return "".join(lines)


def _kind(operation: Operation, status: int) -> str:
    model = operation.answers[status]
    return f" `{model.__name__.strip('_')}`" if model else ""


def main(arguments: list[str]) -> int:
    """Write the pages, or say that they are not up to date."""
    rest = REFERENCE / "rest.md"
    wanted = {REFERENCE / "problems.md": problems_page(), rest: with_calls(rest.read_text(encoding="utf-8"))}
    stale = [path for path, text in wanted.items() if not path.is_file() or path.read_text(encoding="utf-8") != text]
    for path in stale:
        if "--check" in arguments:
            print(f"{path.name} is not what the code says; run scripts/write_reference.py", file=sys.stderr)
        else:
            path.write_text(wanted[path], encoding="utf-8")
    return 1 if stale and "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
