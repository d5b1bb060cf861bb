"""The life of a connection, as one table.

Rule 1: a state changes only through `advance`; the table is the whole truth.
Rule 2: nothing in here knows the time, the store or the provider.
"Being renewed" is a lease, not a state: a renewer that dies must leave nothing stuck.
`paused` and `unconfirmed` are flags beside the state: a paused connection still goes through all of this.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from keyturn.core.errors import IllegalTransition
from keyturn.core.secret import Secret
from keyturn.core.token_set import TokenSet


class State(StrEnum):
    """Where a connection stands."""

    ACTIVE = "active"  # a token set is kept; its last renewal may have failed for a passing reason
    UNCERTAIN = "uncertain"  # a renewal was sent, and what became of it is not known
    NEEDS_RECONNECT = "needs_reconnect"  # only the person can help
    DISCONNECTING = "disconnecting"  # ended here; the provider is still being told
    DISCONNECTED = "disconnected"  # a tombstone without secrets
    UNREADABLE = "unreadable"  # its row can't be read; stored nowhere, and left by being written anew


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
    _S.UNREADABLE: {_E.LOGGED_IN: _S.ACTIVE, _E.DISCONNECT: _S.DISCONNECTING},
}

ENDED: Final = frozenset({State.DISCONNECTING, State.DISCONNECTED})
AT_ONCE: Final = 0.0  # a look that no clock puts off


def advance(state: State, event: Event) -> State:
    """Return the state that follows.

    Raises:
        IllegalTransition: the table has no such step; nothing changes.
    """
    try:
        return TRANSITIONS[state][event]
    except KeyError:
        raise IllegalTransition(state, event) from None


class IntentKind(StrEnum):
    """What was about to be sent."""

    REFRESH = "refresh"
    LOGIN = "login"  # with the kept password


@dataclass(frozen=True, slots=True)
class Intent:
    """ "At this time this was about to be sent", committed before the bytes leave.

    An intent whose attempt is no longer running means that nobody knows the outcome. `sent_at`: Unix seconds; of a
    refresh token that is sent again, when it was sent first: the provider counts from there. `tries`: how often it was
    sent without an outcome, this time included. `last_resort`: one of them was the one more time that the connector's
    `refresh.last_resort` allows, so that there is no other.
    """

    kind: IntentKind
    generation: int
    attempt: str
    sent_at: float
    tries: int = 1
    last_resort: bool = False


@dataclass(frozen=True, slots=True)
class TestRecord:
    """The verdict of the last test call. `at`: Unix seconds; `status`: None where no answer came.

    `cause`: why it did not pass: a code of the register, or the part of the answer that was not as expected.
    """

    __test__ = False  # not for pytest to collect

    at: float
    passed: bool
    status: int | None = None
    code: str | None = None
    cause: str | None = None


@dataclass(frozen=True, slots=True)
class Connection:
    """One account of one owner at one connector; everything about it that is no secret.

    Times are Unix seconds. `revision` grows with every write (compare-and-set, ETag), `generation` with every new
    token set. `hosts`: where token, refresh, revoke and challenge requests of this connection may go, pinned at its
    login. `refreshable`: a refresh token is kept and honoured, or the live token renews itself; when the refresh
    token ends stands in `refresh_expires_at`, where that is known; `refresh_end_fixed`: the last refresh did not move
    it. `password_rejected`: the kept password was refused once and is never sent again by itself.
    `worked_generation`: the newest generation that an API accepted. `failures_in_a_row`: renewals that failed for a
    passing reason since the last that did not; `failing_since`: since when they are alike. `last_answer`: what the
    provider answered to the last send of a renewal that brought no token, as `answer_facts` has it. `totp_step`: the
    last time step (RFC 6238 §4.2) whose code may have been sent; none is ever used twice. `state_since`: when state or
    reason last changed, which the store sees to; None where that is not known. `account`: a keyed hash of where and
    with which username its last login was made, for providers that allow few sessions; None for all others.
    `renews_at`: when this generation is due; it is written with it, and by pause and resume. `retry_at`: this
    connection's own back-off, which callers wait for too; `retry_asked`: the provider said how long. `parked_at`,
    `parked_why`: since when and by which class of error its row could not be read.
    """

    id: str
    connector: str
    connector_version: int
    owner: str
    name: str
    unique_id: str
    created_at: float
    updated_at: float
    project: str = "default"
    state: State = State.ACTIVE
    reason: str | None = None
    paused: bool = False
    unconfirmed: bool = False
    revision: int = 0
    generation: int = 1
    token_issued_at: float | None = None
    expires_at: float | None = None
    renews_at: float | None = None
    refreshable: bool = False
    password_kept_at: float | None = None
    password_rejected: bool = False
    fields: Mapping[str, Any] = field(default_factory=dict)  # those with keep: plain
    sealed_fields: tuple[str, ...] = ()  # the keys of those with keep: sealed
    hosts: tuple[str, ...] = ()
    unique: bool = True  # False with on_duplicate: allow
    intent: Intent | None = None
    last_error: str | None = None
    last_error_at: float | None = None
    failures_in_a_row: int = 0
    failing_since: float | None = None
    last_answer: Mapping[str, Any] = field(default_factory=dict)
    last_test: TestRecord | None = None
    last_used_at: float | None = None
    worked_generation: int | None = None
    disconnected_at: float | None = None
    revocation: Mapping[str, Any] = field(default_factory=dict)  # what the provider answered to revocations
    totp_step: int | None = None
    refresh_expires_at: float | None = None
    refresh_end_fixed: bool = False
    state_since: float | None = None
    account: str | None = None
    retry_at: float | None = None
    retry_asked: bool = False
    parked_at: float | None = None
    parked_why: str | None = None

    @property
    def ended(self) -> bool:
        """Whether the connection was disconnected."""
        return self.state in ENDED

    def token_over(self, now: float) -> bool:
        """Whether the token is known to be over, at this time (Unix seconds).

        One that the provider gave no end counts as alive, whatever else is wrong, until the API refuses it: then that
        is its end.
        """
        return self.expires_at is not None and now >= self.expires_at

    @property
    def shown_state(self) -> str:
        """The state as people read it: the flags stand before it."""
        if self.ended or self.state is State.UNREADABLE:
            return self.state.value
        return "paused" if self.paused else "unconfirmed" if self.unconfirmed else self.state.value


def looked_at_next(connection: Connection) -> float | None:
    """When the scheduler has something to do for it, Unix seconds; None: never, until it is written anew.

    Not before it is due, nor within its own back-off; one whose send has no outcome yet, as soon as nobody has its
    lease, whatever else the row or a clock that was set back since says.
    One that may not be called is only kept from ending, which a refresh token alone can do.
    """
    if connection.ended or connection.parked_at is not None:
        return None
    if is_untold(connection):
        return AT_ONCE
    held = connection.paused or connection.unconfirmed
    open_still = connection.intent if connection.state is State.ACTIVE else None
    due = connection.renews_at if open_still is None else open_still.sent_at
    if due is None or (held and not connection.refreshable):
        return None
    return max(due, connection.retry_at or due)


def is_untold(connection: Connection) -> bool:
    """Whether nothing was written down yet of what came of its intent's send."""
    intent = connection.intent
    told = connection.last_error_at is not None and intent is not None and connection.last_error_at >= intent.sent_at
    return intent is not None and connection.state is State.ACTIVE and not told


@dataclass(frozen=True, slots=True)
class ConnectionSecrets:
    """What a connection keeps sealed. `username` is kept only where the password is."""

    token_set: TokenSet | None = None
    username: Secret | None = None
    password: Secret | None = None
    fields: Mapping[str, Secret] = field(default_factory=dict, repr=False)
