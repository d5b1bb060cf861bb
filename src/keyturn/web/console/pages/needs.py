"""What the overview says somebody has to do: set-ups that are wrong, people to be asked, what waits for an answer.

Rule 1: a row is one code, however many connectors have it; what keeps everybody out stands first.
Rule 2: its number leads to exactly what it counts, and there is one thing to do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from keyturn.core.explain import cause_text
from keyturn.core.problems import PROBLEMS, Who
from keyturn.engine.overview.board import Board
from keyturn.ports.overview import Need, Trouble
from keyturn.web.console.places import audit_of, connections_of

AT_ONCE: Final = 5  # rows before the rest is folded
_WHOSE: Final = {Who.OPERATOR: "an operator", Who.AUTHOR: "the author"}
# The step where an author mends it; a client is entered on the connector's page.
_STEPS: Final = {"unique_id_missing": 8}
_TOKEN_STEP: Final = 2


@dataclass(frozen=True, slots=True)
class Row:
    """One row. `state`: whose mark it has. `connectors`: id, how many, and where that leads; `since`: Unix seconds.

    `reason`: links can be made for all that need their person for it. `go`: where to do something, and in words what.
    """

    state: str
    count: int
    href: str
    code: str
    words: str
    connectors: tuple[tuple[str, int, str], ...] = ()
    since: float | None = None
    reason: str | None = None
    go: tuple[str, str] | None = None


def rows_of(board: Board, *, may_operate: bool, may_write: bool) -> tuple[Row, ...]:
    """All of them, in order."""
    troubles = [_of_trouble(each, may_operate=may_operate, may_write=may_write) for each in board.troubles]
    by_reason: dict[str, list[Need]] = {}
    for each in board.needs:
        by_reason.setdefault(each.reason, []).append(each)
    people = sorted((_of_people(reason, needs) for reason, needs in by_reason.items()), key=lambda row: -row.count)
    return (*troubles, *people, *_waiting(board.by_state))


def place_of(trouble: Trouble, *, may_operate: bool, may_write: bool) -> tuple[str, str]:
    """Where a trouble is mended by whoever may, else the connector's page; and what is done there."""
    page = f"/connectors/{trouble.connector}"
    if trouble.code.startswith("connector_client_") and may_operate:
        return f"{page}#client", "Enter id and secret"
    if PROBLEMS[trouble.code].who is Who.AUTHOR and may_write:
        step = _STEPS.get(trouble.code, _TOKEN_STEP)
        return f"{page}/edit/{step}", f"Look at step {step}"
    return page, "See the connector"


def whose(code: str) -> str:
    """Whose task it is, in words."""
    return _WHOSE.get(PROBLEMS[code].who, "somebody")


def _of_trouble(trouble: Trouble, *, may_operate: bool, may_write: bool) -> Row:
    problem = PROBLEMS[trouble.code]
    page = f"/connectors/{trouble.connector}"
    href = audit_of(trouble.first, connector=trouble.connector, outcome=trouble.code) if trouble.count else page
    return Row(
        "needs_reconnect",
        trouble.count,
        href,
        trouble.code,
        f"{problem.title} For {whose(trouble.code)}: {problem.action_here()}",
        ((trouble.connector, trouble.count, page),),
        trouble.first,
        go=place_of(trouble, may_operate=may_operate, may_write=may_write),
    )


def _of_people(reason: str, needs: Sequence[Need]) -> Row:
    lost = "needs_reconnect"
    connectors = tuple(
        (each.connector, each.count, connections_of(state=lost, connector=each.connector, reason=reason))
        for each in needs
    )
    count, since = sum(each.count for each in needs), min(each.since for each in needs)
    href = connections_of(state=lost, reason=reason)
    return Row(lost, count, href, reason or "unknown", cause_text(reason), connectors, since, reason or None)


def _waiting(by_state: Mapping[str, int]) -> list[Row]:
    words = {
        "uncertain": "A renewal was sent, and what became of it is not known; a test tells whether calls still work.",
        "unconfirmed": f"{PROBLEMS['connection_unconfirmed'].title} The application exchanges the code that came back.",
    }
    found = []
    for state, text in words.items():
        if by_state.get(state):
            href = connections_of(state=state)
            found.append(Row(state, by_state[state], href, state, text, go=(href, "See them")))
    return found
