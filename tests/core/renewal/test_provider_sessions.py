"""How many sessions of an account are held, and whether there is room for a login."""

from __future__ import annotations

from dataclasses import replace

import pytest

from keyturn.core.connection import State
from keyturn.core.connector import SessionRules
from keyturn.core.renewal.provider_sessions import Room, has_tokens, holds_session, room_for
from keyturn.core.secret import Secret
from tests.contracts.samples import NOW, connection, token_set
from tests.core.connector_files import changed, read

REVOKES = read(changed(("revoke", {"url": "https://auth.acme.example/logout"})))
FOREVER = read(changed())
LOGOUT, LIMIT = SessionRules(logout_first=True), SessionRules(limit=1)


@pytest.mark.parametrize(
    ("difference", "held"),
    [
        pytest.param({"expires_at": NOW + 1}, True, id="a token that lives"),
        pytest.param({"expires_at": NOW}, False, id="one that ends now"),
        pytest.param({"expires_at": NOW - 1, "refreshable": True}, True, id="one that can be refreshed"),
        pytest.param({}, True, id="no end"),
        pytest.param({"state": State.UNCERTAIN}, True, id="no end, uncertain"),
        pytest.param({"state": State.NEEDS_RECONNECT}, True, id="no end, and the API has not refused it"),
        pytest.param({"state": State.NEEDS_RECONNECT, "expires_at": NOW}, False, id="the API has refused it"),
        pytest.param({"state": State.NEEDS_RECONNECT, "expires_at": NOW + 1}, True, id="the person is needed soon"),
        pytest.param({"paused": True}, True, id="paused"),
        pytest.param({"state": State.DISCONNECTING, "refreshable": True}, False, id="ended here"),
    ],
)
def test_which_connection_holds_a_session(difference: dict[str, object], held: bool) -> None:
    """One whose token may be good at the provider."""
    assert held is holds_session(replace(connection(), **difference), NOW)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("rules", "own", "others", "room"),
    [
        pytest.param(LOGOUT, False, 0, Room.FREE, id="a first login"),
        pytest.param(LOGOUT, True, 0, Room.END_OWN, id="its own session is in the way"),
        pytest.param(LOGOUT, False, 3, Room.FREE, id="how many there may be is not said"),
        pytest.param(LIMIT, True, 0, Room.FREE, id="the provider ends the only one itself"),
        pytest.param(LIMIT, False, 1, Room.FULL, id="another holds the only one"),
        pytest.param(LIMIT, True, 1, Room.FULL, id="the same, whatever it holds itself"),
        pytest.param(SessionRules(True, 2), True, 0, Room.FREE, id="there is room beside its own"),
        pytest.param(SessionRules(True, 2), True, 1, Room.END_OWN, id="the last is its own"),
        pytest.param(SessionRules(True, 2), False, 1, Room.FREE, id="the last is free"),
        pytest.param(SessionRules(True, 2), True, 2, Room.FULL, id="others hold both"),
        pytest.param(SessionRules(limit=2), True, 1, Room.END_OWN, id="the oldest may be another's"),
    ],
)
def test_the_room_for_a_login(rules: SessionRules, own: bool, others: int, room: Room) -> None:
    """Another's session is never ended; its own is where no room is left and the provider makes none."""
    held = [connection(f"cxn_{n}") for n in range(others)]
    ended = replace(connection("cxn_ended"), expires_at=NOW - 1)

    assert room is room_for(REVOKES, rules, token_set() if own else None, [*held, ended], NOW)


def test_without_a_logout_nothing_can_be_ended() -> None:
    """The provider then decides."""
    assert Room.FREE is room_for(FOREVER, LOGOUT, token_set(), [], NOW)


def test_a_session_that_was_ended_is_not_ended_again() -> None:
    """What is left of its token set has no token in it."""
    left = replace(token_set(), access_token=Secret(""), refresh_token=None)

    assert not has_tokens(left)
    assert has_tokens(replace(left, refresh_token=Secret("r")))
    assert Room.FREE is room_for(REVOKES, LOGOUT, left, [], NOW)
