"""`keyturn problem list | explain`: what a code means and whose move it is, without a server."""

from __future__ import annotations

import difflib

import click

from keyturn.cli.command import command
from keyturn.cli.failures import NOT_FOUND, Failure
from keyturn.cli.options import json_option
from keyturn.cli.output import details, say_json, table


@command("problem list")
@json_option
def list_problems(as_json: bool) -> None:
    """By code; those of this release."""
    from keyturn.core.problems import PROBLEMS

    rows = [PROBLEMS[code] for code in sorted(PROBLEMS)]
    if as_json:
        say_json({"data": [each.as_json() for each in rows]})
        return
    table(
        ("CODE", "STATUS", "EXIT", "WHOSE MOVE", "MEANS"),
        [(each.code, each.status, each.exit_code, each.who.value.replace("_", " "), each.title) for each in rows],
    )


@command("problem explain")
@click.argument("code", metavar="CODE")
@json_option
def explain(code: str, as_json: bool) -> None:
    """Any code that a page, an answer or a log shows."""
    from keyturn.core.problems import PROBLEMS, WHOSE_MOVE

    found = PROBLEMS.get(code)
    if found is None:
        near = difflib.get_close_matches(code, PROBLEMS, n=1)
        words = f"did you mean {near[0]}?" if near else "“keyturn problem list” has all."
        raise Failure(f"There is no such code; {words}", NOT_FOUND)
    if as_json:
        say_json(found.as_json())
        return
    again = "the same request may succeed later" if found.retryable else "not before something has changed"
    details(
        [
            ("code", found.code),
            ("means", found.title),
            ("what to do", found.action),
            ("whose move", WHOSE_MOVE[found.who]),
            ("again", again),
            ("HTTP status", found.status),
            ("exit code", found.exit_code),
        ]
    )
