"""What a renewal may do next, and what follows from each outcome of a send: two tables and a function over them.

Rule 1: a refresh token whose fate is unknown is sent again only where the connector says that this is harmless, or
once more where its author says that otherwise all is lost.
Rule 2: a password that was refused is never sent again by itself.
Rule 3: an outcome that only waiting can mend is one connection's own; who else has it too is no business of this table.
Rule 4: nothing in here reads a clock, a store or an answer's body.

Source: the renewal design, "Outcomes other than a token" and "Settling the unknown".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from keyturn.core.answers.oauth_errors import CLIENT_NOT_AUTHORIZED
from keyturn.core.answers.token_response import Outcome, Reading
from keyturn.core.connection import Connection, IntentKind, State
from keyturn.core.connector import Connector, FailureClass, Keep, Rotation, Strategy
from keyturn.core.problems import Cause
from keyturn.core.renewal.retry import asked_to_wait_s, back_off_s, quiet_s
from keyturn.core.requests.request_encoding import request_templates
from keyturn.core.token_set import TokenSet

LOGIN_TRIES_WITHOUT_ANSWER: Final = 2
LOGIN_SECOND_TRY_AFTER_S: Final = 2.0
REFRESH_TRIES_UNCLASSIFIED: Final = 3
SCOPE_REFUSED_FOR_S: Final = 24 * 3600.0  # a scope that was not granted for so long will not be


class Step(StrEnum):
    """The next thing that a renewal does."""

    REFRESH = "refresh"
    LOGIN = "login"  # with the kept password
    HOLD = "hold"  # nothing that may be sent; the token in hand still lives
    GIVE_UP = "give_up"  # nothing that may be sent and the token has ended: the person is needed


@dataclass(frozen=True, slots=True)
class Plan:
    """A step, and why where it gives up or holds.

    `not_before`: Unix seconds. `last_resort`: the refresh token goes out once more though that may end the grant; its
    intent says so, and there is no other time.
    """

    step: Step
    cause: Cause | None = None
    not_before: float = 0.0
    last_resort: bool = False


@dataclass(frozen=True, slots=True)
class Failing:
    """The failures in a row, the newest included, and since when they are alike (Unix seconds)."""

    failures: int
    since: float


class SendOutcome(StrEnum):
    """How one send ended."""

    TOKEN = "token"  # noqa: S105
    REJECTED = "rejected"
    BLOCKED = "blocked"  # the account is locked, its password expired, the person must act
    SETUP_WRONG = "setup_wrong"  # client or grant: the connector's fault, if not this account's own application's
    SCOPE_REFUSED = "scope_refused"  # of this grant (RFC 6749 §5.2): the person may have less than was asked for
    CHALLENGE = "challenge"
    RATE_LIMITED = "rate_limited"
    UNAVAILABLE = "unavailable"  # any 5xx, whatever stands in it
    NOT_SENT = "not_sent"
    UNCLASSIFIED_SUCCESS = "unclassified_success"  # a 2xx that is cut, unreadable or too large
    UNCLASSIFIED = "unclassified"  # any other answer that nothing describes
    NO_ANSWER = "no_answer"


class Follow(StrEnum):
    """What follows from an outcome."""

    KEEP = "keep"
    TRY_PASSWORD = "try_password"  # else the grant is lost  # noqa: S105
    GRANT_LOST = "grant_lost"
    WAIT_FOR_SETUP = "wait_for_setup"  # minutes, growing; the connection stays, and no password is sent instead
    WAIT_FOR_SCOPE = "wait_for_scope"  # the same for a day, then the grant is lost
    WAIT_AS_ASKED = "wait_as_asked"  # where the provider says how long, else as BACK_OFF
    BACK_OFF = "back_off"
    UNKNOWN = "unknown"  # the refresh token may be used up: the plan settles that
    THREE_TRIES = "three_tries"  # then the grant is lost
    ONE_MORE_TRY = "one_more_try"


_O, _F = SendOutcome, Follow
FOLLOWS: Final[Mapping[IntentKind, Mapping[SendOutcome, Follow]]] = {
    IntentKind.REFRESH: {
        _O.TOKEN: _F.KEEP,
        _O.REJECTED: _F.TRY_PASSWORD,
        _O.BLOCKED: _F.GRANT_LOST,
        _O.SETUP_WRONG: _F.WAIT_FOR_SETUP,
        _O.SCOPE_REFUSED: _F.WAIT_FOR_SCOPE,
        _O.CHALLENGE: _F.GRANT_LOST,
        _O.RATE_LIMITED: _F.WAIT_AS_ASKED,
        _O.UNAVAILABLE: _F.WAIT_AS_ASKED,
        _O.NOT_SENT: _F.BACK_OFF,
        _O.UNCLASSIFIED_SUCCESS: _F.UNKNOWN,
        _O.UNCLASSIFIED: _F.THREE_TRIES,
        _O.NO_ANSWER: _F.UNKNOWN,
    },
    IntentKind.LOGIN: {
        _O.TOKEN: _F.KEEP,
        _O.REJECTED: _F.GRANT_LOST,
        _O.BLOCKED: _F.GRANT_LOST,
        _O.SETUP_WRONG: _F.WAIT_FOR_SETUP,
        _O.SCOPE_REFUSED: _F.WAIT_FOR_SCOPE,
        _O.CHALLENGE: _F.GRANT_LOST,
        _O.RATE_LIMITED: _F.WAIT_AS_ASKED,
        _O.UNAVAILABLE: _F.WAIT_AS_ASKED,
        _O.NOT_SENT: _F.BACK_OFF,
        _O.UNCLASSIFIED_SUCCESS: _F.GRANT_LOST,
        _O.UNCLASSIFIED: _F.GRANT_LOST,
        _O.NO_ANSWER: _F.ONE_MORE_TRY,
    },
}

_BLOCKS: Final[Mapping[FailureClass, Cause]] = {
    FailureClass.LOCKED: Cause.ACCOUNT_LOCKED,
    FailureClass.PASSWORD_EXPIRED: Cause.PASSWORD_EXPIRED,
    FailureClass.MUST_ACT: Cause.INTERACTION_REQUIRED,
}
_CODES: Final = frozenset({FailureClass.WRONG_CODE, FailureClass.PASSWORD_OR_CODE})
_OUTCOMES: Final[Mapping[Outcome, SendOutcome]] = {
    Outcome.TOKEN: _O.TOKEN,
    Outcome.REJECTED_CREDENTIALS: _O.REJECTED,
    Outcome.CHALLENGE: _O.CHALLENGE,
    Outcome.INVALID_CLIENT: _O.SETUP_WRONG,
    Outcome.INVALID_SCOPE: _O.SCOPE_REFUSED,
    Outcome.UNSUPPORTED_GRANT: _O.SETUP_WRONG,
    Outcome.RATE_LIMITED: _O.RATE_LIMITED,
    Outcome.TEMPORARILY_UNAVAILABLE: _O.UNAVAILABLE,
}


def classify(reading: Reading, status: int) -> SendOutcome:
    """Place a read answer in the outcome table; `status` tells a spoilt success from another bad answer."""
    if reading.failure in _BLOCKS:
        return SendOutcome.BLOCKED
    if reading.failure in _CODES:
        # nobody is there to type a code: what is refused is the login without one
        return SendOutcome.CHALLENGE
    if reading.oauth_error == CLIENT_NOT_AUTHORIZED and reading.outcome is Outcome.MALFORMED:
        return SendOutcome.SETUP_WRONG  # whatever the reason: it is the client's, and neither grant nor password is bad
    if reading.outcome is Outcome.MALFORMED:
        return SendOutcome.UNCLASSIFIED_SUCCESS if 200 <= status < 300 else SendOutcome.UNCLASSIFIED
    return _OUTCOMES[reading.outcome]


def failing(connection: Connection, kind: IntentKind, outcome: SendOutcome, code: str, now: float) -> Failing:
    """Count a failure: a back-off grows with each of any kind, all else with those of one kind.

    Args:
        connection: as it was before this failure.
        kind, outcome: what was sent, and how that ended.
        code: of the register, as it is written to `last_error`.
        now: Unix seconds.
    """
    before = connection.failures_in_a_row
    alike = before > 0 and connection.last_error == code
    grows = FOLLOWS[kind][outcome] in (Follow.BACK_OFF, Follow.WAIT_AS_ASKED)
    since = connection.failing_since if alike and connection.failing_since is not None else now
    # A clock that was set back: then the time of now is all that is known.
    return Failing(before + 1 if alike or grows else 1, min(since, now))


def what_follows(kind: IntentKind, outcome: SendOutcome, failed: Failing, now: float) -> Follow:
    """Read the table, with the end of what is not tried for ever; `now`: Unix seconds."""
    follow = FOLLOWS[kind][outcome]
    match follow:
        case Follow.THREE_TRIES if failed.failures >= REFRESH_TRIES_UNCLASSIFIED:
            return Follow.GRANT_LOST
        case Follow.WAIT_FOR_SCOPE if now - failed.since >= SCOPE_REFUSED_FOR_S:
            return Follow.GRANT_LOST
    return follow


def wait_s(outcome: SendOutcome, failures: int, asked_s: float | None, fraction: float) -> float:
    """Seconds until this connection may be tried again after an outcome without a token.

    Args:
        outcome: how the send ended.
        failures: in a row, this one included, as `failing` counts them.
        asked_s: how long the provider asks to wait, None where it doesn't say.
        fraction: a die in [0, 1).
    """
    match outcome:
        case SendOutcome.SETUP_WRONG | SendOutcome.SCOPE_REFUSED:
            return quiet_s(failures)
        case SendOutcome.RATE_LIMITED | SendOutcome.UNAVAILABLE:
            return asked_to_wait_s(asked_s, failures, fraction=fraction)
        case _:
            return back_off_s(failures, fraction=fraction)


def loss_cause(kind: IntentKind, outcome: SendOutcome, failure: FailureClass | None) -> Cause:
    """Name the reason of a grant that is lost with this outcome."""
    if failure is not None and failure in _BLOCKS:
        return _BLOCKS[failure]
    match outcome:
        case SendOutcome.CHALLENGE:
            return Cause.CHALLENGE_REQUIRED
        case SendOutcome.REJECTED:
            return Cause.CREDENTIALS_REJECTED if kind is IntentKind.LOGIN else Cause.GRANT_LOST
        case SendOutcome.SCOPE_REFUSED:
            return Cause.SCOPE_NOT_GRANTED
        case SendOutcome.NO_ANSWER:
            return Cause.NO_ANSWER
        case _:
            return Cause.ANSWER_UNKNOWN


def unknown_cause(answer: Mapping[str, Any]) -> Cause:
    """Name why it is not known what became of a refresh token: an answer that was read and is no token, or none.

    `answer`: as `answer_facts` has it. One that broke off or can't be read may have been a token.
    """
    was_read = bool(answer) and not (answer.get("cut") or answer.get("unreadable"))
    return Cause.ANSWER_UNKNOWN if was_read else Cause.OUTCOME_UNKNOWN


def password_usable(connection: Connection, connector: Connector) -> bool:
    """Whether a renewal may send the kept password."""
    kept = connection.password_kept_at is not None and not connection.password_rejected
    return kept and password_allowed(connector)


def password_allowed(connector: Connector) -> bool:
    """Whether a password that is kept may be used: it is meant to be, and nothing goes along that was not kept.

    With `login: interactive` each login needs the person, whatever is kept.
    """
    return (
        connector.refresh.strategy is not Strategy.REFRESH_ONLY
        and not connector.interactive
        and not _needs_what_is_not_kept(connector)
    )


def _needs_what_is_not_kept(connector: Connector) -> bool:
    """Whether a login takes a value that the person has to type each time."""
    once = {each.key for each in connector.fields if each.keep is Keep.NEVER and each.required}
    return bool(once) and any(
        template.uses(*once)
        for spec in (connector.token, *(each.request for each in connector.before))
        for template in request_templates(spec)
    )


def refresh_usable(connection: Connection, connector: Connector, now: float = float("-inf")) -> bool:
    """Whether there is a refresh token that a renewal may send, its fate aside.

    With `refresh.with: token` it is the access token that renews, for as long as it lives (`now`: Unix seconds).
    """
    return (
        connector.refresh.strategy is not Strategy.PASSWORD_ONLY
        and connector.refresh.honoured
        and connection.refreshable
        and not (connector.refresh.with_token and connection.token_over(now))
    )


def can_refresh(token_set: TokenSet, connector: Connector) -> bool:
    """Whether a token set, as it came, holds what a refresh request shows."""
    return connector.refresh.honoured and (connector.refresh.with_token or token_set.refresh_token is not None)


def refresh_ends(token_set: TokenSet, connector: Connector) -> float | None:
    """When what a refresh request shows ends (Unix seconds), where that is another time than the access token's end."""
    shows_token = connector.refresh.with_token or not can_refresh(token_set, connector)
    return None if shows_token else token_set.refresh_expires_at


def keeps_alive(connection: Connection, connector: Connector, now: float) -> bool:
    """Whether it is renewed though nobody uses it, and while it is paused or unconfirmed: by refresh only."""
    lives = connection.state in (State.ACTIVE, State.UNCERTAIN)
    return lives and connector.refresh.keep_alive and refresh_usable(connection, connector, now)


def renewable(connection: Connection, connector: Connector, now: float = float("-inf")) -> bool:
    """Whether a renewal without the person could succeed, at this time (Unix seconds)."""
    if connection.state not in (State.ACTIVE, State.UNCERTAIN):
        return False
    step = plan(connection, connector, now=now).step
    ended = connection.refresh_expires_at is not None and now >= connection.refresh_expires_at
    if step is Step.REFRESH and ended:
        return password_usable(connection, connector)
    return step in (Step.REFRESH, Step.LOGIN)


def last_resort_left(connection: Connection, connector: Connector, now: float) -> bool:
    """Whether a refresh token of unknown fate may go out once more, once its access token has ended."""
    intent = connection.intent
    unknown = intent is not None and intent.generation == connection.generation and intent.kind is IntentKind.REFRESH
    spent = intent is not None and intent.last_resort
    return unknown and not spent and connector.refresh.last_resort and refresh_usable(connection, connector, now)


def plan(connection: Connection, connector: Connector, *, now: float, stale: bool = False, alone: bool = False) -> Plan:
    """Decide what a renewal does next.

    Args:
        connection: as just read, while no living process has its lease: its intent is of a process that runs no more.
        connector: the version that the connection is pinned to.
        now: Unix seconds.
        stale: the API refused the token: there is nothing to hold, and one without a known end has ended.
        alone: no other living connection has the account, so that a grant that a repetition ends is this one's only.
    """
    intent = connection.intent
    if intent is None or intent.generation != connection.generation:
        return _plan_afresh(connection, connector, now=now, stale=stale)
    if intent.kind is IntentKind.LOGIN:
        if password_usable(connection, connector) and intent.tries < LOGIN_TRIES_WITHOUT_ANSWER:
            return Plan(Step.LOGIN, not_before=intent.sent_at + LOGIN_SECOND_TRY_AFTER_S)
        if connection.password_kept_at is None:  # the person's, for which the session was to be ended
            again = refresh_usable(connection, connector, now)
            return Plan(Step.REFRESH) if again else Plan(Step.GIVE_UP, Cause.SESSION_ENDED)
        return Plan(Step.GIVE_UP, Cause.NO_ANSWER)
    leeway_s = connector.refresh.leeway_s
    # A clock that was set back makes an old intent look like one of the future: then nobody knows how old it is.
    in_leeway = leeway_s > 0 and intent.sent_at <= now <= intent.sent_at + leeway_s
    harmless = connector.refresh.rotation is Rotation.STABLE or in_leeway
    if harmless and refresh_usable(connection, connector, now):
        return Plan(Step.REFRESH)
    if password_usable(connection, connector):
        return Plan(Step.LOGIN)
    if last_resort_left(connection, connector, now):
        return _last_resort(connection, now=now, stale=stale, alone=alone)
    return _hold_or_give_up(connection, _unknown(connection), now=now, stale=stale)


def _last_resort(connection: Connection, *, now: float, stale: bool, alone: bool) -> Plan:
    """Not before the token has ended, by the clock or because the API refuses it: until then there is much to lose.

    That a token is refused is proved by who says so, of a connection that was seen to be uncertain.
    """
    ended = connection.token_over(now) or (stale and connection.state is State.UNCERTAIN)
    if not ended:
        return Plan(Step.HOLD, _unknown(connection))
    return Plan(Step.REFRESH, last_resort=True) if alone else Plan(Step.GIVE_UP, _unknown(connection))


def _unknown(connection: Connection) -> Cause:
    """Why nobody knows what became of the refresh token, as it was said when that was found."""
    read = connection.state is State.UNCERTAIN and connection.reason == Cause.ANSWER_UNKNOWN.value
    return Cause.ANSWER_UNKNOWN if read else Cause.OUTCOME_UNKNOWN


def _plan_afresh(connection: Connection, connector: Connector, *, now: float, stale: bool) -> Plan:
    if refresh_usable(connection, connector, now):
        return Plan(Step.REFRESH)
    if password_usable(connection, connector):
        return Plan(Step.LOGIN)
    cause = Cause.CREDENTIALS_REJECTED if connection.password_rejected else Cause.TOKEN_ENDED
    return _hold_or_give_up(connection, cause, now=now, stale=stale)


def _hold_or_give_up(connection: Connection, cause: Cause, *, now: float, stale: bool) -> Plan:
    return Plan(Step.GIVE_UP if stale or connection.token_over(now) else Step.HOLD, cause)
