"""Every type of event, in one table: what it tells, and whether an endpoint that names no types gets it.

Rule 1: a type never changes its meaning.
Rule 2: the reference of webhooks is held to this table by a test.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

SYSTEM: Final = "system"
TEST: Final = "webhook.test"  # sent when somebody asks for it, and to one endpoint alone; no part of the catalogue


@dataclass(frozen=True, slots=True)
class EventType:
    """One type. `group`: `session`, `connection`, `connector` or `system`. `usual`: on where nothing is chosen."""

    name: str
    group: str
    meaning: str
    usual: bool = True


_ROWS: Final = (
    EventType("session.opened", "session", "A person opened a connect link."),
    EventType("session.completed", "session", "A connect page led to a connection."),
    EventType("session.failed", "session", "A try at a connect page failed, by `code`; the person may try again."),
    EventType("session.exited", "session", "The person gave up at the connect page."),
    EventType("session.expired", "session", "A connect session ended by time, without a connection."),
    EventType("connection.created", "connection", "An account was connected."),
    EventType("connection.renewed", "connection", "A token was renewed.", usual=False),
    EventType("connection.renewal_failed", "connection", "A renewal failed, by `code`."),
    EventType("connection.expiring", "connection", "It ends within 72 hours and can't renew itself."),
    EventType("connection.needs_reconnect", "connection", "Only the person can help, by `code`."),
    EventType("connection.reconnected", "connection", "The person signed in again."),
    EventType("connection.test_failed", "connection", "A test of the connection failed."),
    EventType("connection.recovered", "connection", "It works again after a failed renewal or test."),
    EventType("connection.paused", "connection", "Calls are refused until it is resumed."),
    EventType("connection.version_moved", "connection", "It uses a newer version of its connector."),
    EventType("connection.disconnected", "connection", "It has ended."),
    EventType("connection.token_vended", "connection", "A token was handed out for the first time in its generation."),
    EventType("connector.published", "connector", "A version was published."),
    EventType("connector.degraded", "connector", "Many sends to its provider fail, or its set-up is wrong: `code`."),
    EventType("connector.recovered", "connector", "Sends to its provider work again."),
    EventType("job.finished", SYSTEM, "A job that somebody asked for has ended."),
    EventType("key.rotated", SYSTEM, "Another wrapping key is current."),
    EventType("audit.verification_failed", SYSTEM, "The audit log is not what was written."),
    EventType("webhook.disabled", SYSTEM, "An endpoint was disabled: it failed for three days, or answered 410."),
)

EVENT_TYPES: Final[Mapping[str, EventType]] = {each.name: each for each in _ROWS}
GROUPS: Final = ("session", "connection", "connector", SYSTEM)


def known(choice: str) -> bool:
    """Whether an endpoint may choose this: a type, or `noun.*` for all that begin so."""
    if choice.endswith(".*"):
        return any(name.startswith(choice[:-1]) for name in EVENT_TYPES)
    return choice in EVENT_TYPES


def wants(choices: Iterable[str], name: str) -> bool:
    """Whether somebody who chose these gets events of this type; no choice at all is all usual ones.

    `noun.*` are the usual ones of that noun: what is off by default is chosen by its own name.
    """
    found = EVENT_TYPES.get(name)
    if found is None:
        return False
    choices = tuple(choices)
    if not choices:
        return found.usual
    return name in choices or (found.usual and f"{name.partition('.')[0]}.*" in choices)
