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
    """Any code that a page, an answer or a log shows, or the reason why a connection needs its person."""
    from keyturn.core.problems import PROBLEMS, WHOSE_MOVE

    found = PROBLEMS.get(code)
    if found is None:
        _explain_reason(code, as_json=as_json)
        return
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


def _explain_reason(reason: str, *, as_json: bool) -> None:
    """The same of a connection's `reason`, which is no answer's code."""
    from keyturn.core.explain import reason_in_words
    from keyturn.core.problems import PROBLEMS, WHOSE_MOVE, Cause, Who

    words = reason_in_words(reason)
    if words is None:
        near = difflib.get_close_matches(reason, [*PROBLEMS, *Cause], n=1)
        nearest = f"did you mean {near[0]}?" if near else "“keyturn problem list” has all."
        raise Failure(f"There is no such code; {nearest}", NOT_FOUND)
    means, action = words
    if as_json:
        say_json({"reason": reason, "means": means, "who": Who.END_USER.value, "action": action})
        return
    whose = WHOSE_MOVE[Who.END_USER]
    details([("reason", reason), ("means", means), ("what to do", action), ("whose move", whose)])
