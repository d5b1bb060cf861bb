"""Who may hold whom: what an answer holds, and on which evidence more than the one who was told.

Rule 1: no class of requests holds another, and a test or a call holds nobody.
Rule 2: what one account, login or row was told is its own, until others were told alike.
Rule 3: nothing in here reads a clock or remembers anything: times are seconds on the caller's clock.

Source: the renewal design, "Isolation: who may hold whom"; invariant I18.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from keyturn.core.renewal.plan import SendOutcome
from keyturn.core.renewal.retry import RETRY_AFTER_CAP_S

WITNESSES: Final = 3  # of different connections or rows, told alike
WITHIN_S: Final = 60.0
HELD_AT_ONCE_S: Final = 60.0  # however long a host asked: then one asks it again
FAILURES_IN_A_ROW: Final = 5
FAILURES_OF: Final = 2  # different connections
TRIED_AGAIN_AFTER_S: Final = 5.0
HANGS_AFTER_S: Final = 10.0  # the oldest in flight has waited so long, and none was answered since
PROBED_EVERY_S: Final = 10.0


class RequestKind(StrEnum):
    """A class of requests to providers."""

    REFRESH = "refresh"
    LOGIN = "login"  # a person's, one with the kept password, a challenge's, and the requests before them
    REVOKE = "revoke"
    TEST = "test"
    CALL = "call"


class Told(StrEnum):
    """What an answer says about more than its own grant."""

    TOKEN = "token"  # noqa: S105
    ANSWER = "answer"  # the host is up; what it said is this grant's own affair
    WAIT = "wait"
    SET_UP_WRONG = "set_up_wrong"
    SCOPE_REFUSED = "scope_refused"  # a fact of one grant, unless several hear it
    FAILED = "failed"  # an error of the server's, or not reached
    NO_ANSWER = "no_answer"  # it was sent


class Held(StrEnum):
    """Who waits, being told so."""

    NONE = "none"
    CONNECTION = "connection"  # by its row's own back-off
    ACCOUNT = "account"  # a connector, a host and a user name
    ROW = "row"  # of a revocation, by its own due time


class Widened(StrEnum):
    """Who waits besides, once there is evidence."""

    HOST = "host"  # all requests of this class to the host
    ALARM = "alarm"  # those of this class with the connector version and client
    BREAKER = "breaker"  # all requests of this class to the host, for seconds at a time


@dataclass(frozen=True, slots=True)
class Rule:
    """What follows from being told something.

    `witnesses`: how many different ones have to be told alike, with nothing between that says otherwise. `within_s`:
    how old the first of them may be. `in_a_row`: how often it has to be told in all. `or_all`: where there are fewer
    than `witnesses`, all of them are enough, `at_least` so many.
    """

    held: Held
    widened: Widened | None = None
    witnesses: int = WITNESSES
    within_s: float | None = None
    in_a_row: int = 1
    or_all: bool = False
    at_least: int = 1

    def enough(self, witnesses: int, times: int, of: int | None) -> bool:
        """Whether there is evidence against more than the witnesses; `of`: how many there are, None: not known."""
        needed = self.witnesses
        if self.or_all and of is not None:
            needed = max(self.at_least, min(needed, of))
        return self.widened is not None and times >= self.in_a_row and witnesses >= needed


NOBODY: Final = Rule(Held.NONE)
_K, _T = RequestKind, Told
_ALARM: Final = Rule(Held.CONNECTION, Widened.ALARM, or_all=True)
_SCOPE_ALARM: Final = Rule(Held.CONNECTION, Widened.ALARM, or_all=True, at_least=2)  # never by one grant alone
_BREAKER: Final = Rule(Held.CONNECTION, Widened.BREAKER, FAILURES_OF, in_a_row=FAILURES_IN_A_ROW, or_all=True)
RULES: Final[Mapping[tuple[RequestKind, Told], Rule]] = {
    (_K.REFRESH, _T.WAIT): Rule(Held.CONNECTION, Widened.HOST, within_s=WITHIN_S),
    (_K.REFRESH, _T.SET_UP_WRONG): _ALARM,
    (_K.REFRESH, _T.SCOPE_REFUSED): _SCOPE_ALARM,
    (_K.REFRESH, _T.FAILED): _BREAKER,
    (_K.REFRESH, _T.NO_ANSWER): _BREAKER,
    # Who has a connect link can bring these about at will: a wait is never anybody else's, and what follows from the
    # others follows from the logins of the scheduler alone.
    (_K.LOGIN, _T.WAIT): Rule(Held.ACCOUNT),
    (_K.LOGIN, _T.SET_UP_WRONG): _ALARM,
    (_K.LOGIN, _T.SCOPE_REFUSED): _SCOPE_ALARM,
    (_K.LOGIN, _T.FAILED): _BREAKER,
    (_K.LOGIN, _T.NO_ANSWER): _BREAKER,
    (_K.REVOKE, _T.WAIT): Rule(Held.ROW, Widened.HOST, within_s=WITHIN_S),
}


def rule_of(kind: RequestKind, told: Told) -> Rule:
    """What follows where a request of this class is told this."""
    return RULES.get((kind, told), NOBODY)


def told_by(outcome: SendOutcome, asked_s: float | None) -> Told:
    """What an outcome says; `asked_s`: the wait that the answer asks for."""
    match outcome:
        case SendOutcome.TOKEN:
            return Told.TOKEN
        case SendOutcome.RATE_LIMITED:
            return Told.WAIT
        case SendOutcome.UNAVAILABLE:
            return Told.WAIT if asked_s else Told.FAILED
        case SendOutcome.NOT_SENT:
            return Told.FAILED
        case SendOutcome.NO_ANSWER:
            return Told.NO_ANSWER
        case SendOutcome.SETUP_WRONG:
            return Told.SET_UP_WRONG
        case SendOutcome.SCOPE_REFUSED:
            return Told.SCOPE_REFUSED
        case _:
            return Told.ANSWER


def own_wait_s(asked_s: float | None) -> float:
    """How long the one who was told waits: as asked, an hour at most; 0 where nothing was asked."""
    return min(max(asked_s or 0.0, 0.0), RETRY_AFTER_CAP_S)


def host_wait_s(waits_s: list[float]) -> float:
    """How long a host is held that asked each of these for a wait: the shortest, a minute at most at a time."""
    return min([HELD_AT_ONCE_S, *(each if each > 0 else TRIED_AGAIN_AFTER_S for each in waits_s)])


def hangs(oldest_sent_at: float | None, answered_at: float | None, now: float) -> bool:
    """Whether a host hangs: the oldest request in flight has waited for 10 s, and none was answered since."""
    if oldest_sent_at is None or now - oldest_sent_at < HANGS_AFTER_S:
        return False
    return answered_at is None or answered_at < oldest_sent_at
