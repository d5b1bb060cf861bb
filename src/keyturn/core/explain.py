"""Why a connection is as it is: state, cause, whose move, and what is tried next and when.

Rule 1: one answer for each state and cause; what stands first in `explain` outweighs what follows.
Rule 2: the code is one of the register, of `Cause`, or `expires_soon`; None where nothing is amiss.
Rule 3: it says what a call would get now, and what the provider answered; what a call would be refused with is a code.
Rule 4: nothing in here reads a clock; `now` is handed in.

Source: the product's table of states; the renewal design, "Outcomes other than a token".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final

from keyturn.core.answers.test_verdict import TestCause
from keyturn.core.connection import Connection, State, TestRecord
from keyturn.core.connector import Connector
from keyturn.core.errors import RowUnreadable
from keyturn.core.problems import PROBLEMS, Cause, Who
from keyturn.core.renewal.attention import ends_soon, fixed_end, left_to_end, unused, ways_of
from keyturn.core.renewal.last_answer import answer_words, rejected_when, rejected_when_text
from keyturn.core.renewal.plan import keeps_alive, last_resort_left, refresh_usable, renewable

RETIRES_SOON_S: Final = 90 * 86_400.0

TOMBSTONE_S: Final = 30 * 86_400.0
TOLD_WITHIN_S: Final = 24 * 3600.0
EXPIRES_SOON: Final = "expires_soon"
NEEDS_RECONNECT: Final = "connection_needs_reconnect"


@dataclass(frozen=True, slots=True)
class Alarm:
    """The connector's own set-up is wrong. `next_try_at`: Unix seconds; `code`: of the register."""

    code: str
    since: float
    next_try_at: float


@dataclass(frozen=True, slots=True)
class NextStep:
    """What happens or has to be done next.

    `at`: Unix seconds, None where no time is set. `at_is`: what happens then, where it is not this step itself.
    """

    text: str
    at: float | None = None
    at_is: str = ""


@dataclass(frozen=True, slots=True)
class Explanation:
    """A connection's state as people read it, its cause as a code and in words, whose move it is and what follows.

    `provider`: what it answered to the last renewal that brought no token, as `answer_facts` has it.
    """

    state: str
    code: str | None
    text: str
    who: Who
    next_step: NextStep
    provider: Mapping[str, Any] = field(default_factory=dict)


_RECONNECT: Final = "Send the person a reconnect link."
# Why the person is needed, and what the person does; by the connection's `reason`.
_LOST: Final[Mapping[str, tuple[str, str]]] = {
    Cause.CREDENTIALS_REJECTED: (
        "The provider refused the kept password; it is not sent again by itself.",
        "Send the person a reconnect link, to sign in with the current password.",
    ),
    Cause.CHALLENGE_REQUIRED: (
        "The provider asked for a second step, which only the person can do.",
        "Send the person a reconnect link, to sign in and answer the provider.",
    ),
    Cause.SCOPE_NOT_GRANTED: (
        "The provider has refused the scope for a day: this account may have less than the connector asks for.",
        "The author compares the scope with what the account may have; then send the person a reconnect link.",
    ),
    Cause.ANSWER_UNKNOWN: (
        "The provider answered something that is no token, nor a refusal that the connector describes.",
        "Send the person a reconnect link; the author should compare the connector with the provider's answer.",
    ),
    Cause.OUTCOME_UNKNOWN: (
        "A renewal was sent, no answer that can be read came, and sending the refresh token twice could end the grant.",
        _RECONNECT,
    ),
    Cause.GRANT_LOST: ("The provider no longer accepts the refresh token.", _RECONNECT),
    Cause.TOKEN_ENDED: ("The token has ended and nothing is kept that could renew it.", _RECONNECT),
    Cause.ACCOUNT_LOCKED: (
        "The provider has locked the account.",
        "The person unlocks the account at the provider, then opens a reconnect link.",
    ),
    Cause.PASSWORD_EXPIRED: (
        "The provider wants the password changed first.",
        "The person changes the password at the provider, then opens a reconnect link.",
    ),
    Cause.INTERACTION_REQUIRED: (
        "The provider wants a sign-in on its own site first.",
        "The person signs in at the provider once, then opens a reconnect link.",
    ),
    Cause.ACCESS_DENIED: (
        "The account may not use the provider's API.",
        "The person asks the provider's administrator for access, then opens a reconnect link.",
    ),
    Cause.KEY_LOST: (
        "The key that sealed its tokens is lost, and the operator gave them up; the provider was not told.",
        _RECONNECT,
    ),
    Cause.SESSION_ENDED: (
        "The provider allows few sessions, so this one was ended for a new login, and that login did not succeed.",
        _RECONNECT,
    ),
    Cause.NO_ANSWER: ("The kept password was sent twice and no answer came; it is not sent a third time.", _RECONNECT),
}


def reason_in_words(reason: str) -> tuple[str, str] | None:
    """What a connection's `reason` means, and what the person does; None where it is none."""
    return _LOST.get(reason)


_BEFORE: Final = "The person has to reconnect it before it ends."
_TOKEN_ENDS: Final = "the token ends"  # noqa: S105
_LOST_OTHERWISE: Final = ("Only the person can get another token.", _RECONNECT)
_TOLD: Final[Mapping[str, str]] = {
    "done": "The provider has revoked its tokens.",
    "given_up": "The provider could not be told within a day; its tokens end by themselves.",
    "not_possible": "The provider could not be told, and no later try would change that; its tokens end by themselves.",
    "not_supported": "The provider has no way to revoke tokens; they end by themselves.",
    "nothing_to_revoke": "There was no token to revoke.",
}


_NOT_AS_EXPECTED: Final[Mapping[str, str]] = {
    TestCause.STATUS: ": the API answered with another status than step 5 expects",
    TestCause.INCOMPLETE: ": the answer was cut short",
    TestCause.EMPTY: ": the answer was empty",
    TestCause.BODY: ": the answer is not what step 5 expects",
}
QUIET: Final = "These are the provider's quiet hours: what can wait is renewed after them."


def explain(
    connection: Connection,
    connector: Connector | None,
    now: float,
    alarm: Alarm | None,
    quiet_until: float | None = None,
) -> Explanation:
    """Explain a connection.

    Args:
        connection: as it is stored.
        connector: the version that it is pinned to; None where that is gone, which counts as not renewable.
        now: Unix seconds.
        alarm: the connector's, if it has one.
        quiet_until: when the connector's quiet hours of this moment are over, Unix seconds; None outside of them.
    """
    found = replace(_explained(connection, connector, now, alarm), provider=connection.last_answer)
    well = found.who is Who.NOBODY and found.code is None and _renewable(connection, connector, now)
    if quiet_until is not None and well:
        found = replace(found, text=f"{found.text} {QUIET}")
    hint = retirement_hint(connector, now)
    return found if hint is None or connection.ended else replace(found, text=f"{found.text} {hint}")


def cause_text(reason: str | None) -> str:
    """Why a connection needs its person, in words, by its `reason`."""
    return _LOST.get(reason or "", _LOST_OTHERWISE)[0]


def code_text(code: str) -> str | None:
    """What a code of an event or of the log means, in a sentence: one of the register, or a connection's reason."""
    known = PROBLEMS.get(code)
    words = _LOST.get(code)
    return known.title if known is not None else words[0] if words is not None else None


def retirement_at(connector: Connector) -> float | None:
    """When the provider ends this way of connecting: the begin of that day in UTC, Unix seconds; None: not known."""
    if connector.retires is None:
        return None
    day = connector.retires.on
    return datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()


def retirement_hint(connector: Connector | None, now: float) -> str | None:
    """Say that the provider ends this way of connecting, from 90 days before on."""
    if connector is None or connector.retires is None:
        return None
    day, left_s = connector.retires.on, (retirement_at(connector) or 0.0) - now
    if left_s > RETIRES_SOON_S:
        return None
    tense = "ends" if left_s > 0 else "said that it would end"
    return f"The provider {tense} this way of connecting on {day.isoformat()}."


def _explained(connection: Connection, connector: Connector | None, now: float, alarm: Alarm | None) -> Explanation:
    if connection.ended:
        return _ended(connection)
    if connection.state is State.UNREADABLE or connection.parked_at is not None:
        return _set_aside(connection)
    if connection.paused or connection.unconfirmed:
        return _held(connection, connector, now)
    match connection.state:
        case State.NEEDS_RECONNECT:
            return _lost(connection, connector, now)
        case State.UNCERTAIN:
            return _uncertain(connection, connector, now)
        case _:
            return _active(connection, connector, now, alarm)


def expires_soon(connection: Connection, connector: Connector | None, now: float) -> bool:
    """Whether it ends within 72 hours, and can't renew itself or is left to do so by a use that doesn't come."""
    return ends_soon(connection, ways_of(connector), now)


def _renewable(connection: Connection, connector: Connector | None, now: float) -> bool:
    return connector is not None and renewable(connection, connector, now)


def _lives(connection: Connection, now: float) -> bool:
    return not connection.token_over(now)


def _set_aside(connection: Connection) -> Explanation:
    """Its row can't be read, or its seal does not open: nothing of others changes, and it can be got rid of."""
    problem = PROBLEMS.get(connection.reason or "") if connection.state is State.UNREADABLE else None
    problem = problem or PROBLEMS.get(connection.parked_why or "") or PROBLEMS[RowUnreadable.code]
    text = f"{problem.title} Calls are refused and nothing is renewed."
    return Explanation(connection.shown_state, problem.code, text, problem.who, NextStep(problem.action))


def _ended(connection: Connection) -> Explanation:
    ended = connection.disconnected_at
    if connection.state is State.DISCONNECTING:
        until = None if ended is None else ended + TOLD_WITHIN_S
        text = "It was disconnected here: calls are refused, and the provider is still being told to revoke its tokens."
        step = NextStep("The provider is told again, until it hears or a day is over.", until, "that day is over")
        return Explanation(connection.state.value, "connection_disconnected", text, Who.NOBODY, step)
    told = _TOLD.get(str(connection.revocation.get("result")), "")
    text = f"It was disconnected here. {told}".strip()
    gone = None if ended is None else ended + TOMBSTONE_S
    step = NextStep("Connect the account anew.", gone, "this entry is taken away")
    return Explanation(connection.state.value, "connection_disconnected", text, Who.END_USER, step)


def _held(connection: Connection, connector: Connector | None, now: float) -> Explanation:
    code = "connection_paused" if connection.paused else "connection_unconfirmed"
    problem = PROBLEMS[code]
    kept_alive = connector is not None and keeps_alive(connection, connector, now)
    renewed = "only what keeps it alive is renewed" if kept_alive else "nothing is renewed"
    text = f"{problem.title} Calls are refused and {renewed}."
    if connection.state is State.NEEDS_RECONNECT:
        text += " Afterwards the person is needed: " + _LOST.get(connection.reason or "", _LOST_OTHERWISE)[0]
    return Explanation(connection.shown_state, code, text, problem.who, NextStep(problem.action_here()))


def _lost(connection: Connection, connector: Connector | None, now: float) -> Explanation:
    text, action = _LOST.get(connection.reason or "", _LOST_OTHERWISE)
    ends = connection.expires_at if _lives(connection, now) else None
    text = _sentences(text, answer_words(connection.last_answer), _calls(connection, now, NEEDS_RECONNECT))
    if connection.reason == Cause.ANSWER_UNKNOWN.value:
        action = _sentences(action, _hint(connection, connector))
    return _because(connection, connection.reason, text, action, ends)


def _calls(connection: Connection, now: float, code: str | None) -> str:
    """Say what a call would get; `code`: what it is refused with once no token lives, None: it waits for a renewal."""
    if not _lives(connection, now):
        return "Calls wait for the renewal." if code is None else f"Calls get {code}."
    until = "the API refuses it" if connection.expires_at is None else "it ends or the API refuses it"
    then = f", then they get {code}" if code == NEEDS_RECONNECT else ""
    return f"Calls are sent with the token in hand until {until}{then}."


def _hint(connection: Connection, connector: Connector | None) -> str:
    """The condition that would have told a dead refresh token, where that was sent and an answer may be one's."""
    when = rejected_when(connection.last_answer)
    if when is None or connector is None or not refresh_usable(connection, connector):
        return ""
    return f"If this is how the provider refuses a dead refresh token, step 3 can say so: {rejected_when_text(when)}."


def _sentences(*texts: str) -> str:
    return " ".join(each for each in texts if each)


def _because(connection: Connection, code: str | None, text: str, action: str, at: float | None) -> Explanation:
    """The person's move, best before `at`."""
    step = NextStep(action, at, "" if at is None else _TOKEN_ENDS)
    return Explanation(connection.state.value, code, text, Who.END_USER, step)


def _uncertain(connection: Connection, connector: Connector | None, now: float) -> Explanation:
    read = connection.reason == Cause.ANSWER_UNKNOWN.value
    code = (Cause.ANSWER_UNKNOWN if read else Cause.OUTCOME_UNKNOWN).value
    seen = "its answer could not be read" if connection.last_answer else "its answer was lost"
    lost = "something that is no token came back" if read else seen
    text = f"A renewal was sent and {lost}: whether the provider has replaced the refresh token is not known."
    text = _sentences(text, answer_words(connection.last_answer))
    if _renewable(connection, connector, now):
        text = _sentences(text, _calls(connection, now, _held_code(connection, now)))
        step = NextStep("It is renewed in a way that can do no harm.", _next_try(connection, now))
        return Explanation(connection.state.value, code, text, Who.NOBODY, step)
    text = _sentences(text, _calls(connection, now, NEEDS_RECONNECT))
    action = f"{_RECONNECT} Once the token has ended, calls are refused."
    if connector is not None and last_resort_left(connection, connector, float("-inf")):
        action = f"{_RECONNECT} Else the refresh token is sent once more when the token has ended, and never again."
    return _because(connection, code, text, action, connection.expires_at)


def _held_code(connection: Connection, now: float) -> str | None:
    """What a call that needs a renewal is refused with, while the connection's own back-off lasts."""
    return connection.last_error if connection.retry_at is not None and now < connection.retry_at else None


def _next_try(connection: Connection, now: float) -> float | None:
    """When it is tried next: after the back-off, else when it is due; None: by the call that needs it."""
    times = [each for each in (connection.retry_at, connection.renews_at) if each is not None]
    return max(now, *times) if times else None


def _active(connection: Connection, connector: Connector | None, now: float, alarm: Alarm | None) -> Explanation:
    if alarm is not None:
        problem = PROBLEMS.get(alarm.code, PROBLEMS["internal_error"])
        text = f"{problem.title} Nothing of this connector is renewed until that is mended."
        text = _sentences(text, _calls(connection, now, alarm.code))
        step = NextStep(f"{problem.action_here()} It is tried again by itself.", alarm.next_try_at, "it is tried")
        return Explanation(connection.state.value, alarm.code, text, problem.who, step)
    if connection.intent is not None and connection.intent.generation == connection.generation:
        step, text = (
            NextStep("Its answer is awaited."),
            _sentences("It is being renewed.", _calls(connection, now, None)),
        )
        return Explanation(connection.state.value, "renewal_in_progress", text, Who.NOBODY, step)
    if connection.last_error is not None:
        return _failing(connection, now)
    if connection.last_test is not None and not connection.last_test.passed:
        return _untested(connection, connection.last_test)
    return _well(connection, connector, now)


def _untested(connection: Connection, test: TestRecord) -> Explanation:
    """What hindered the test says more than that it failed, where it has a code of its own."""
    problem = PROBLEMS.get(test.cause or "")
    if problem is not None:
        text = f"The last test call failed: {problem.title}"
        step = NextStep(f"{problem.action_here()} Then test it again.")
        return Explanation(connection.state.value, problem.code, text, problem.who, step)
    seen = _NOT_AS_EXPECTED.get(test.cause or "", "")
    text, action = f"The last test call failed{seen}.", "Test it again; if it stays, compare step 5 with the answer."
    return Explanation(connection.state.value, "connection_test_failed", text, Who.AUTHOR, NextStep(action))


def _failing(connection: Connection, now: float) -> Explanation:
    code = connection.last_error or ""
    problem = PROBLEMS.get(code, PROBLEMS["provider_unavailable"])
    ended = "" if _lives(connection, now) else "The token has ended."
    calls = _calls(connection, now, _held_code(connection, now))
    text = _sentences(f"The last renewal failed: {problem.title}", answer_words(connection.last_answer), ended, calls)
    step = NextStep("The renewal is tried again.", _next_try(connection, now))
    return Explanation(connection.state.value, code, text, problem.who, step)


def _well(connection: Connection, connector: Connector | None, now: float) -> Explanation:
    state, ends, ways = connection.state.value, connection.expires_at, ways_of(connector)
    if left_to_end(connection, ways, now):
        last = ends if connection.refresh_expires_at is None else connection.refresh_expires_at
        text = "It works. Nobody has used it for 30 days, so it is left alone, and what renews it ends."
        action = "A call before that end renews it; after it the person has to reconnect it."
        step = NextStep(action, last, "it ends")
        return Explanation(state, EXPIRES_SOON, text, Who.CALLER, step)
    if (last := fixed_end(connection, ways, now)) is not None:
        text = "It works. The provider ends its refresh token at a time that no renewal moves."
        return Explanation(state, EXPIRES_SOON, text, Who.END_USER, NextStep(_BEFORE, last, "it ends"))
    if ends is None:
        step = NextStep("It is renewed when the API refuses the token, if it can be.")
        return Explanation(state, None, "It works; the provider gave no end.", Who.NOBODY, step)
    if not _renewable(connection, connector, now):
        if now >= ends:
            text, action = _LOST[Cause.TOKEN_ENDED]
            text = _sentences(text, _calls(connection, now, NEEDS_RECONNECT))
            return _because(connection, Cause.TOKEN_ENDED.value, text, action, None)
        code = EXPIRES_SOON if expires_soon(connection, connector, now) else None
        who = Who.END_USER if code else Who.NOBODY
        step = NextStep(_BEFORE, ends, _TOKEN_ENDS)
        text = "It works, and can't be renewed without the person."
        if connector is not None and connector.interactive:
            text = "It works. The provider asks for a code at each login, so only the person can renew it."
        return Explanation(state, code, text, who, step)
    if connection.refreshable and unused(connection, now):
        if connector is not None and keeps_alive(connection, connector, now):
            step = NextStep("It is renewed in time to live on.", connection.renews_at)
            return Explanation(state, None, "Nobody has used it for 30 days; it is kept alive.", Who.NOBODY, step)
        step = NextStep("It is renewed by the next call.")
        return Explanation(state, None, "Nobody has used it for 30 days, so it is left alone.", Who.NOBODY, step)
    if connection.renews_at is None:
        step = NextStep("It is renewed by the call that needs it.")
    else:
        step = NextStep("It is renewed by itself.", max(connection.renews_at, now))
    return Explanation(state, None, "It works." if now < ends else "The token has ended.", Who.NOBODY, step)
