"""How many sessions of an account are held here, and whether there is room for one more.

Rule 1: a session is held by a connection whose token may be good: nobody else knows of it.
Rule 2: what another connection holds is never ended for a login; its own session is, and only where no room is left.

Source: the 72 providers, requirement 61.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from keyturn.core.connection import Connection
from keyturn.core.connector import Connector, SessionRules
from keyturn.core.token_set import TokenSet


class Room(StrEnum):
    """What a login finds."""

    FREE = "free"
    END_OWN = "end_own"  # the connection's own session has to end first
    FULL = "full"  # other connections hold all that there are


def holds_session(connection: Connection, now: float) -> bool:
    """Whether a connection's token may be good at the provider, at this time (Unix seconds)."""
    if connection.ended:
        return False
    return connection.refreshable or not connection.token_over(now)


def room_for(
    connector: Connector, rules: SessionRules, own: TokenSet | None, others: Iterable[Connection], now: float
) -> Room:
    """Judge a login.

    Args:
        connector: the version that it is made with.
        rules: its `session`.
        own: the token set of the connection that logs in; None for a new one, and where its session has ended.
        others: the other connections of the same account.
        now: Unix seconds.
    """
    held = sum(holds_session(each, now) for each in others)
    if rules.limit is not None and held >= rules.limit:
        return Room.FULL
    if own is None or not has_tokens(own) or held + 1 < (rules.limit or 1):
        return Room.FREE
    # The provider that makes room by itself ends the oldest: with others there, that may be one of theirs.
    makes_room = not rules.logout_first and held == 0
    return Room.FREE if makes_room or not connector.revokes else Room.END_OWN


def has_tokens(token_set: TokenSet) -> bool:
    """Whether there is anything in a token set that a provider knows."""
    return bool(token_set.access_token) or token_set.refresh_token is not None
