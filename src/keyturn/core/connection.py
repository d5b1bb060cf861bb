"""The life of a connection, as one table.

Rule 1: a state changes only through `advance`; the table is the whole truth.
Rule 2: nothing in here knows the time, the store or the provider.
"Being renewed" is a lease, not a state: a renewer that dies must leave nothing stuck.
`paused` and `unconfirmed` are flags beside the state: a paused connection still goes through all of this.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from keyturn.core.errors import IllegalTransition


class State(StrEnum):
    """Where a connection stands."""

    ACTIVE = "active"  # a token set is kept; its last renewal may have failed for a passing reason
    UNCERTAIN = "uncertain"  # a renewal was sent and its answer lost
    NEEDS_RECONNECT = "needs_reconnect"  # only the person can help
    DISCONNECTING = "disconnecting"  # ended here; the provider is still being told
    DISCONNECTED = "disconnected"  # a tombstone without secrets


class Event(StrEnum):
    """What happens to a connection."""

    TOKEN_KEPT = "token_kept"  # noqa: S105  (a renewal's answer was stored)
    LOGGED_IN = "logged_in"  # the person's login, or one with the kept password
    ANSWER_LOST = "answer_lost"
    GRANT_LOST = "grant_lost"
    DISCONNECT = "disconnect"
    PROVIDER_TOLD = "provider_told"  # or given up on


_S, _E = State, Event
TRANSITIONS: Final[Mapping[State, Mapping[Event, State]]] = {
    _S.ACTIVE: {
        _E.TOKEN_KEPT: _S.ACTIVE,
        _E.LOGGED_IN: _S.ACTIVE,
        _E.ANSWER_LOST: _S.UNCERTAIN,
        _E.GRANT_LOST: _S.NEEDS_RECONNECT,
        _E.DISCONNECT: _S.DISCONNECTING,
    },
    _S.UNCERTAIN: {
        _E.TOKEN_KEPT: _S.ACTIVE,  # a late answer: better than none while the generation is the same
        _E.LOGGED_IN: _S.ACTIVE,
        _E.ANSWER_LOST: _S.UNCERTAIN,
        _E.GRANT_LOST: _S.NEEDS_RECONNECT,
        _E.DISCONNECT: _S.DISCONNECTING,
    },
    _S.NEEDS_RECONNECT: {
        _E.TOKEN_KEPT: _S.ACTIVE,  # as above
        _E.LOGGED_IN: _S.ACTIVE,
        _E.ANSWER_LOST: _S.NEEDS_RECONNECT,
        _E.GRANT_LOST: _S.NEEDS_RECONNECT,
        _E.DISCONNECT: _S.DISCONNECTING,
    },
    _S.DISCONNECTING: {  # a token that arrives now is revoked, not kept
        _E.DISCONNECT: _S.DISCONNECTING,
        _E.PROVIDER_TOLD: _S.DISCONNECTED,
    },
    _S.DISCONNECTED: {},
}

ENDED: Final = frozenset({State.DISCONNECTING, State.DISCONNECTED})


def advance(state: State, event: Event) -> State:
    """Return the state that follows.

    Raises:
        IllegalTransition: the table has no such step; nothing changes.
    """
    try:
        return TRANSITIONS[state][event]
    except KeyError:
        raise IllegalTransition(state, event) from None
