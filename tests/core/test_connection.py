"""The life of a connection: properties of the table."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyturn.core.connection import ENDED, TRANSITIONS, Connection, Event, State, advance
from keyturn.core.errors import IllegalTransition

STEPS = [(state, event) for state, row in TRANSITIONS.items() for event in row]
LIVING = sorted(set(State) - ENDED)

# Written out a second time, so that a slip in the table is seen.
TABLE = {
    "active": {
        "token_kept": "active",
        "logged_in": "active",
        "answer_lost": "uncertain",
        "grant_lost": "needs_reconnect",
        "disconnect": "disconnecting",
    },
    "uncertain": {
        "token_kept": "active",
        "logged_in": "active",
        "answer_lost": "uncertain",
        "grant_lost": "needs_reconnect",
        "disconnect": "disconnecting",
    },
    "needs_reconnect": {
        "token_kept": "active",
        "logged_in": "active",
        "answer_lost": "needs_reconnect",
        "grant_lost": "needs_reconnect",
        "disconnect": "disconnecting",
    },
    "disconnecting": {"disconnect": "disconnecting", "provider_told": "disconnected"},
    "disconnected": {},
    "unreadable": {"logged_in": "active", "disconnect": "disconnecting"},
}


def test_the_table_is_what_was_agreed() -> None:
    """Every step that there is, and no other."""
    assert TABLE == {state.value: {e.value: s.value for e, s in row.items()} for state, row in TRANSITIONS.items()}


def test_every_state_has_a_row_and_is_entered() -> None:
    """No state is a name only, but for what is said of a row that can't be read; every event moves something."""
    entered = {after for row in TRANSITIONS.values() for after in row.values()}

    assert set(State) == set(TRANSITIONS)
    assert set(State) == entered | {State.UNREADABLE}
    assert set(Event) == {event for row in TRANSITIONS.values() for event in row}


def test_there_is_no_way_back_from_the_end() -> None:
    """A tombstone stays one; a disconnect that has begun is not undone by a late token or a login."""
    assert {} == TRANSITIONS[State.DISCONNECTED]
    assert ENDED >= set(TRANSITIONS[State.DISCONNECTING].values())


@pytest.mark.parametrize("state", LIVING)
def test_every_living_state_can_be_ended_and_repaired(state: State) -> None:
    """Disconnect always wins; the person's login always helps."""
    assert State.DISCONNECTING is advance(state, Event.DISCONNECT)
    assert State.ACTIVE is advance(state, Event.LOGGED_IN)


def test_a_lost_answer_never_makes_a_connection_look_better() -> None:
    """Only a token does."""
    assert State.NEEDS_RECONNECT is advance(State.NEEDS_RECONNECT, Event.ANSWER_LOST)
    better = {event for state, event in STEPS if state is not State.ACTIVE and advance(state, event) is State.ACTIVE}
    assert {Event.TOKEN_KEPT, Event.LOGGED_IN} == better


@pytest.mark.parametrize(
    ("state", "event"),
    [pytest.param(s, e, id=f"{s}-{e}") for s, e in itertools.product(State, Event) if (s, e) not in STEPS],
)
def test_what_the_table_does_not_have_is_refused(state: State, event: Event) -> None:
    """With a message that names both, and a code of its own."""
    with pytest.raises(IllegalTransition) as refused:
        advance(state, event)

    assert state.value in str(refused.value)
    assert event.value in str(refused.value)


@given(st.lists(st.sampled_from(list(Event)), max_size=30))
def test_whatever_happens_an_ended_connection_stays_ended(events: list[Event]) -> None:
    """Walks over the table, refused steps left out."""
    state, ended = State.ACTIVE, False
    for event in events:
        try:
            state = advance(state, event)
        except IllegalTransition:
            continue
        assert not ended or state in ENDED
        ended = state in ENDED


SHOWN = [(state, paused, unconfirmed) for state in State for paused in (False, True) for unconfirmed in (False, True)]


@pytest.mark.parametrize(("state", "paused", "unconfirmed"), SHOWN)
def test_flags_are_shown_before_the_state_of_what_lives(state: State, paused: bool, unconfirmed: bool) -> None:
    """And never hide that a connection has ended."""
    connection = Connection(
        "c", "acme", 1, "o", "n", "u", 0.0, 0.0, state=state, paused=paused, unconfirmed=unconfirmed
    )

    ended = state in (State.DISCONNECTING, State.DISCONNECTED)
    alone = ended or state is State.UNREADABLE  # of a row that can't be read the flags can't be either
    expected = state.value if alone else "paused" if paused else "unconfirmed" if unconfirmed else state.value
    assert (ended, expected) == (connection.ended, connection.shown_state)


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize(
    ("ends", "over"), [pytest.param(None, False, id="no known end"), (9.9, True), (10.0, True), (10.1, False)]
)
def test_a_token_is_over_at_its_end_and_one_without_an_end_is_not(state: State, ends: float | None, over: bool) -> None:
    """Whatever else is wrong with the connection."""
    connection = Connection("c", "acme", 1, "o", "n", "u", 0.0, 0.0, state=state, expires_at=ends)

    assert over is connection.token_over(10.0)
