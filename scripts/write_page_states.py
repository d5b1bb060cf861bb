"""`docs/explanation/states.md`: the life of a connection, drawn from the table that the engine obeys."""

from __future__ import annotations

from collections import defaultdict
from typing import Final

from scripts.reference_sources import TRANSITIONS, Event, State

STATES: Final = {
    State.ACTIVE: "A token set is kept. Its last renewal may have failed for a passing reason.",
    State.UNCERTAIN: "A renewal was sent, and what became of it is not known. The token in hand is used until it ends.",
    State.NEEDS_RECONNECT: "Only the person can help. `reason` says why.",
    State.DISCONNECTING: "Ended here, secrets destroyed; the provider is still being told, for a day at most.",
    State.DISCONNECTED: "A tombstone without secrets, for 30 days.",
    State.UNREADABLE: "Its row can't be read: damage, or a newer release's words. Disconnect it, or sign in again.",
}
EVENTS: Final = {
    Event.TOKEN_KEPT: "a renewal's answer was stored",
    Event.LOGGED_IN: "the person signed in again, or the kept password did",
    Event.ANSWER_LOST: "a renewal was sent and no readable answer came",
    Event.GRANT_LOST: "the provider refused the refresh token or the kept password, or the token ended for good",
    Event.DISCONNECT: "somebody ended the connection",
    Event.PROVIDER_TOLD: "the provider has revoked the tokens, there was nothing to revoke, or a day has passed",
}

HEAD: Final = """\
# The states of a connection

<!-- Made by `python -m scripts.write_pages` from the table of transitions; a test holds it equal. -->

A connection is in one of five states, or its row can't be read. Nothing changes its state but the events below. “Being
renewed” is no state: a renewer that dies leaves nothing stuck.

"""

TAIL: Final = """
A token that arrives while a connection is `disconnecting` or `disconnected` is revoked, not kept: a disconnect wins
over a renewal that is under way.

## Two flags beside the state

They are shown in place of the state, and the state goes on underneath.

| flag | set | taken away | what it does |
|---|---|---|---|
| `paused` | `keyturn connection pause` | `keyturn connection resume` | refuses calls, `connection_paused` |
| `unconfirmed` | by a connect link with a return URL | by the confirmation | refuses calls, `connection_unconfirmed` |

Neither is renewed meanwhile. With `refresh.keep_alive` in its connector its refresh token is kept from ending.

What to do in each state: [When a connection breaks](../how-to/when-a-connection-breaks.md).
"""


def states_page() -> str:
    """Write the page; raises where a state or an event has no sentence."""
    rows = [f"| `{state}` | {STATES[state]} |" for state in State]
    events = [f"| `{event}` | {EVENTS[event]} |" for event in Event]
    steps = ["| in state | event | next state |", "|---|---|---|"]
    for state, row in TRANSITIONS.items():
        steps += [f"| `{state}` | `{event}` | `{following}` |" for event, following in row.items()]
    return "\n".join(
        [
            f"{HEAD}```mermaid",
            *_picture(),
            "```",
            "",
            "The same as text:",
            "",
            *steps,
            "",
            "## What each state means",
            "",
            "| state | meaning |",
            "|---|---|",
            *rows,
            "",
            "## What each event is",
            "",
            "| event | it happened that |",
            "|---|---|",
            *events,
            TAIL,
        ]
    )


def _picture() -> list[str]:
    arrows: dict[tuple[State, State], list[Event]] = defaultdict(list)
    for state, row in TRANSITIONS.items():
        for event, following in row.items():
            arrows[state, following].append(event)
    lines = [
        "stateDiagram-v2",
        "    accTitle: The states of a connection",
        "    accDescr: The table below says the same as text.",
        f"    [*] --> {State.ACTIVE}: first login",
    ]
    for (state, following), events in arrows.items():
        lines.append(f"    {state} --> {following}: {', '.join(events)}")
    return [*lines, f"    {State.DISCONNECTED} --> [*]: after 30 days"]
