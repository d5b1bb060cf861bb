"""Which connections need attention though they are active, and which of them end without their person.

Rule 1: this is the one definition. A list of connections asks the database for it, and that query says the same: it is
handed `Ways`, as no database knows what a connector can do.
Rule 2: a renewal under way changes nothing here: within seconds it has an outcome, and that counts.
Rule 3: nothing in here reads a clock, a store or a connector's document.

Source: the interfaces, "Operator dashboard"; the renewal design, "The scheduler".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from keyturn.core.connection import Connection, State
from keyturn.core.connector import Connector, Strategy
from keyturn.core.renewal.plan import password_allowed
from keyturn.core.renewal.window import EXPIRES_SOON_S, IDLE_AFTER_S

LATE_S: Final = 60.0  # a renewal that is due is begun within seconds; after this one is late


@dataclass(frozen=True, slots=True)
class Ways:
    """How a version of a connector can renew without the person.

    `password`: a kept password may be sent; `refresh`: a refresh token; `with_token`: the access token itself renews,
    while it lives; `keep_alive`: it is renewed though nobody uses it.
    """

    password: bool = False
    refresh: bool = False
    with_token: bool = False
    keep_alive: bool = False


NO_WAY: Final = Ways()


@dataclass(frozen=True, slots=True)
class AttentionBounds:
    """What a question for connections that need attention is asked with: the time, and the ways of each version.

    `now`: Unix seconds. `ways`: by connector and version, of all that active connections are on; of one that came only
    afterwards nothing is said to end.
    """

    now: float
    ways: Mapping[tuple[str, int], Ways]

    def of(self, connection: Connection) -> Ways | None:
        """The ways of the version that a connection is pinned to."""
        return self.ways.get((connection.connector, connection.connector_version))


def ways_of(connector: Connector | None) -> Ways:
    """How this version renews; None, where it is gone: not at all."""
    if connector is None:
        return NO_WAY
    refresh = connector.refresh
    return Ways(
        password=password_allowed(connector),
        refresh=refresh.strategy is not Strategy.PASSWORD_ONLY and refresh.honoured,
        with_token=refresh.with_token,
        keep_alive=refresh.keep_alive,
    )


def needs_attention(connection: Connection, ways: Ways | None, now: float) -> bool:
    """Whether it is active, and yet its last renewal or test failed, nothing renewed a token that ended, or it ends.

    One whose seal does not open, so that it was set aside, is of no use either.
    """
    if connection.shown_state != State.ACTIVE.value:
        return False
    failed = connection.last_test is not None and not connection.last_test.passed
    ending = ways is not None and ends_soon(connection, ways, now)
    aside = connection.parked_at is not None
    return aside or connection.last_error is not None or failed or _run_out(connection, now) or ending


def ends_soon(connection: Connection, ways: Ways, now: float) -> bool:
    """Whether it ends within 72 hours, and can't renew itself or is left to do so by a use that doesn't come."""
    if connection.state is not State.ACTIVE:
        return False
    ends = connection.expires_at
    alone = ends is not None and ends - now <= EXPIRES_SOON_S and not _renews(connection, ways, now)
    return alone or left_to_end(connection, ways, now) or fixed_end(connection, ways, now) is not None


def fixed_end(connection: Connection, ways: Ways, now: float) -> float | None:
    """When, within 72 hours, no refresh can renew it any longer, as none moves that end (Unix seconds); else None."""
    ends = connection.refresh_expires_at
    if ends is None or not connection.refresh_end_fixed or ends - now > EXPIRES_SOON_S:
        return None
    return ends if _by_refresh_alone(connection, ways) else None


def left_to_end(connection: Connection, ways: Ways, now: float) -> bool:
    """Nobody uses it, nothing keeps it alive, and within 72 hours only the person can renew it."""
    if not unused(connection, now) or ways.keep_alive or not _by_refresh_alone(connection, ways):
        return False
    ends = connection.expires_at if ways.with_token else connection.refresh_expires_at
    return ends is not None and ends - now <= EXPIRES_SOON_S


def unused(connection: Connection, now: float) -> bool:
    """Whether nobody has used it for 30 days."""
    return now - max(connection.last_used_at or 0.0, connection.created_at) > IDLE_AFTER_S


def _run_out(connection: Connection, now: float) -> bool:
    """Its token has ended, and a renewal that was due did not come; one that waits for a call is none."""
    ends, due = connection.expires_at, connection.renews_at
    return ends is not None and due is not None and ends <= now - LATE_S and due <= now - LATE_S


def _renews(connection: Connection, ways: Ways, now: float) -> bool:
    if _by_password(connection, ways):
        return True
    token_ended = connection.token_over(now)
    refresh_ended = connection.refresh_expires_at is not None and now >= connection.refresh_expires_at
    usable = ways.refresh and connection.refreshable and not (ways.with_token and token_ended)
    return usable and not refresh_ended


def _by_password(connection: Connection, ways: Ways) -> bool:
    return ways.password and connection.password_kept_at is not None and not connection.password_rejected


def _by_refresh_alone(connection: Connection, ways: Ways) -> bool:
    return ways.refresh and connection.refreshable and not _by_password(connection, ways)
