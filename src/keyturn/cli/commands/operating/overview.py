"""`keyturn overview`: how everything stands, and whom it needs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import click

from keyturn.cli.api_client import connect
from keyturn.cli.command import command
from keyturn.cli.options import json_option
from keyturn.cli.output import details, one_line, say, say_json, state_words, styled, table, tell, write_styled
from keyturn.cli.times import when

RANGES: Final = ("1h", "24h", "7d", "30d")


@command("overview")
@click.option("--range", "span", type=click.Choice(RANGES), default="24h", help="How far back renewals count (24h).")
@json_option
def overview(span: str, as_json: bool) -> None:
    """Connections by state, what is due, what fails, and which connections need their person."""
    found = connect().get("/v1/overview", {"range": span})
    if as_json:
        say_json(found.document)
        return
    document = found.members
    states = document.get("states")
    for state, number in states.items() if isinstance(states, Mapping) else ():
        write_styled(f"{one_line(number):>8}  {state_words(str(state))}")
    if not states:
        tell("No connection yet.")
    say()
    details(_standing(document, span))
    for heading, columns, rows in _tables(document):
        if rows:
            say()
            write_styled(styled(heading, "bold"))
            table(columns, rows)
    if not _rows(document, "needs") and not _rows(document, "troubles"):
        tell("Nobody is needed.")


def _standing(document: Mapping[str, Any], span: str) -> list[tuple[str, object]]:
    renewals = _rows(document, "renewals")
    renewed, retried, lost = (sum(int(each.get(name) or 0) for each in renewals) for name in _OUTCOMES)
    oldest = document.get("oldest_overdue")
    waits = f", longest {oldest.get('connection')}, due {when(oldest.get('due_at'))}" if oldest else ""
    verified = document.get("audit_verified_at")
    return [
        (f"renewals in {span}", f"{renewed} renewed, {retried} failed for now, {lost} lost"),
        ("due within 1 h", document.get("due_soon")),
        ("overdue", f"{document.get('overdue')}{waits}"),
        ("attention", document.get("attention")),
        ("jobs running", document.get("jobs_running")),
        ("webhooks", document.get("webhooks_waiting")),
        ("audit verified", when(verified) if verified else "never"),
    ]


def _tables(document: Mapping[str, Any]) -> list[tuple[str, tuple[str, ...], list[tuple[object, ...]]]]:
    needs = [
        (each.get("connector"), each.get("reason"), each.get("count"), when(each.get("since")))
        for each in _rows(document, "needs")
    ]
    failing = [
        (each.get("connector"), each.get("code"), "nothing is renewed" if each.get("alarm") else "half or more fail")
        for each in _rows(document, "failing")
    ]
    endings = [
        (each.get("connector"), each.get("count"), when(each.get("first"))) for each in _rows(document, "endings")
    ]
    troubles = [
        (each.get("connector"), each.get("code"), each.get("count"), when(each.get("last")))
        for each in _rows(document, "troubles")
    ]
    return [
        ("Set-up is wrong", ("CONNECTOR", "CODE", "SENDS", "LAST"), list(troubles)),
        ("Needs a human", ("CONNECTOR", "WHY", "HOW MANY", "SINCE"), list(needs)),
        ("Failing", ("CONNECTOR", "CODE", "HOW"), list(failing)),
        ("Ends within 30 days", ("CONNECTOR", "HOW MANY", "FIRST"), list(endings)),
    ]


def _rows(document: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    found = document.get(name)
    return [each for each in found if isinstance(each, Mapping)] if isinstance(found, list) else []


_OUTCOMES: Final = ("renewed", "retried", "lost")
