"""Reading how a token set is renewed: by the live token, and how long a refresh token lives."""

from __future__ import annotations

from typing import Any

import pytest

from keyturn.core.connector import ExpiryUnit, Lifetime, Rotation
from keyturn.core.format.writing import dump_connector
from tests.core.connector_files import SMALLEST, changed, faults, read

BY_TOKEN = {"with": "token", "headers": {"Authorization": "Bearer {{ access_token }}"}}


def test_the_live_token_renews_with_no_parameters_of_its_own() -> None:
    """There is no standard request for it, so none is assumed; what it answers may be lost like any rotation."""
    refresh = read(changed(("refresh", BY_TOKEN))).refresh

    assert (True, {}, Rotation.ROTATING) == (refresh.with_token, dict(refresh.request.params), refresh.rotation)


def test_how_long_a_refresh_token_lives() -> None:
    """In the answer, in the connector, and whether it is kept from ending."""
    value = changed(
        ("token.response", {"refresh_expires": {"from": "refresh_expires_in", "unit": "ms"}}),
        ("refresh", {"lifetime": "30d", "keep_alive": True}),
    )
    connector = read(value)

    assert Lifetime("refresh_expires_in", ExpiryUnit.MILLISECONDS) == connector.token.response.refresh_expires
    assert connector.token.response == connector.refresh.request.response
    assert (30 * 86_400.0, True) == (connector.refresh.lifetime_s, connector.refresh.keep_alive)
    assert connector == read(dump_connector(connector))


def test_a_last_resort_is_the_authors_decision() -> None:
    """It is read, written, and off where nothing is said; said to be off it leaves the canonical form as it is."""
    given = read(changed(("refresh", {"last_resort": True})))
    denied = read(changed(("refresh", {"last_resort": False})))

    assert (True, False) == (given.refresh.last_resort, read(SMALLEST).refresh.last_resort)
    assert True is dump_connector(given)["refresh"]["last_resort"]
    assert given == read(dump_connector(given))
    assert dump_connector(read(changed(("refresh", {})))) == dump_connector(denied)


def test_what_is_not_said_leaves_the_canonical_form_as_it_was() -> None:
    """So that the digest of every older connector stays."""
    written = dump_connector(read(SMALLEST))

    assert {"strategy", "rotation", "leeway"} == written["refresh"].keys() - written["token"].keys()
    assert {"keep": {}} == written["token"]["response"]


@pytest.mark.parametrize(
    ("refresh", "pointer"),
    [
        pytest.param(
            {**BY_TOKEN, "params": {"a": "{{ refresh_token }}"}}, "/refresh/params/a", id="a refresh token besides"
        ),
        pytest.param({**BY_TOKEN, "strategy": "password_only"}, "/refresh/strategy", id="only the password"),
        pytest.param({**BY_TOKEN, "lifetime": "30d"}, "/refresh/lifetime", id="a life of nothing"),
        pytest.param(
            {"strategy": "password_only", "keep_alive": True}, "/refresh/keep_alive", id="the password kept alive"
        ),
        pytest.param(
            {"strategy": "password_only", "last_resort": True}, "/refresh/last_resort", id="no refresh token to send"
        ),
        pytest.param({**BY_TOKEN, "last_resort": True}, "/refresh/last_resort", id="a token that ended renews nothing"),
    ],
)
def test_two_things_at_once(refresh: dict[str, Any], pointer: str) -> None:
    """Each is said at its place."""
    kept = ("password", {"keep": "offer", "reason": "No refresh tokens."})
    assert [(pointer, "contradiction")] == faults(changed(kept, ("refresh", refresh)))
