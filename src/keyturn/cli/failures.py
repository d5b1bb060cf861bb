"""How a command fails: a sentence on standard error, and an exit code that says whose move it is.

Rule 1: exit codes come from the register of problems; what is no problem of the register has a row below.
Rule 2: with `--json` the problem's document goes to standard error instead, and standard output stays empty.
Rule 3: a sentence is made of our words, codes and ids; never of what was typed.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from typing import Any, Final

from keyturn.cli.output import one_line, say_json, tell
from keyturn.core.errors import SettingsInvalid

OK: Final = 0
UNEXPECTED: Final = 1
USAGE: Final = 2
NOT_FOUND: Final = 3
FINDINGS: Final = 6
UNREACHABLE: Final = 8
SOME_FAILED: Final = 9
CHALLENGED: Final = 10
NOT_VERIFIED: Final = 11
API_REFUSED: Final = 22
INTERRUPTED: Final = 130
PIPE_CLOSED: Final = 141

# The table of the reference page: code, meaning, who acts.
EXIT_CODES: Final = (
    (0, "done; also where it was so already, or the list is empty", "nobody"),
    (1, "unexpected failure, or something that the operator has to mend", "operator"),
    (2, "usage: an unknown word or option, a value that can't be, a prompt needed but no terminal", "caller"),
    (3, "not found, or disconnected", "caller"),
    (4, "API key missing, unknown, expired or without the scope", "caller"),
    (5, "conflict: state, version, somebody was faster", "caller"),
    (6, "findings: the connector has errors", "author"),
    (7, "the provider refused the person: credentials, code, locked, reconnect", "end user"),
    (8, "provider or server unreachable, rate-limited or late; trying again may help", "wait"),
    (9, "a job over many connections: some failed, or were left when it was cancelled; read its report", "caller"),
    (10, "the provider asks for something more; `connection answer` goes on", "end user"),
    (11, "`audit verify`: the log, or the export, is not what was written", "operator"),
    (22, "`call`: the API itself answered 400 or above (as curl's --fail has it)", "caller"),
    (130, "interrupted", "nobody"),
    (141, "who read our output has gone", "nobody"),
    (143, "terminated", "nobody"),
)
_BY_STATUS: Final = {401: 4, 403: 4, 404: 3, 409: 5, 410: 3, 412: 5, 422: 2, 429: 8}


class Failure(Exception):
    """A command's end with a sentence for people and an exit code."""

    def __init__(self, sentence: str, exit_code: int = UNEXPECTED) -> None:
        super().__init__(sentence)
        self.exit_code = exit_code


class ProblemAnswered(Exception):
    """The server answered with a problem document."""

    def __init__(self, document: Mapping[str, Any], status: int) -> None:
        super().__init__(str(document.get("code", "")))
        self.document = document
        self.status = status

    @property
    def exit_code(self) -> int:
        """By the code's row in the register; by the status where this release does not know the code."""
        return exit_code_of(str(self.document.get("code", "")), self.status)


def exit_code_of(code: str, status: int = 500) -> int:
    """The exit code of a problem code."""
    from keyturn.core.problems import PROBLEMS

    if (problem := PROBLEMS.get(code)) is not None:
        return problem.exit_code
    return _BY_STATUS.get(status, UNREACHABLE if status in (502, 503, 504) else UNEXPECTED)


def sentences_of(error: SettingsInvalid) -> list[str]:
    """Each setting that can't be used, with what would be right."""
    return re.split("; (?=KEYTURN_)", error.detail or "A setting can't be used.")


def show_problem(document: Mapping[str, Any], *, as_json: bool) -> None:
    """Write a problem: `code: title — action`, then what else helps; or the document itself."""
    if as_json:
        say_json(document, stream=sys.stderr)
        return
    action = document.get("next_action")
    move = action if isinstance(action, Mapping) else {}
    code = one_line(document.get("code"))
    said = [one_line(each) for each in (document.get("title"), move.get("text")) if each]
    tell(f"{code}: {' — '.join(said)}" if said else code)
    detail = document.get("detail")
    if isinstance(detail, str) and detail not in ("", document.get("title"), document.get("code")):
        tell(f"  {one_line(detail)}")
    for each in _listed(document.get("errors")):
        tell(f"  {place_of(each)}{one_line(each.get('message'))}")
    for name, words in (("tries_left", "tries left"), ("required_scope", "scope needed"), ("retry_after", "wait, s")):
        if document.get(name) is not None:
            tell(f"  {words}: {one_line(document[name])}")
    if move.get("url"):
        tell(f"  {one_line(move['url'])}")
    if code == "internal_error" and document.get("request_id"):
        tell(f"  request id: {one_line(document['request_id'])}")


def place_of(finding: Mapping[str, Any]) -> str:
    """Where a finding points to: `line:column ` or its pointer."""
    if finding.get("line") is not None:
        return f"{finding['line']}:{finding.get('column') or 1} "
    return f"{one_line(finding['pointer'])}: " if finding.get("pointer") else ""


def _listed(value: object) -> list[Mapping[str, Any]]:
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []
