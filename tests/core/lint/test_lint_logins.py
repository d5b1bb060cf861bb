"""Tests of the linter about what a login sends first and its tokens: what each rule finds, and what it leaves alone."""

from __future__ import annotations

from typing import Any

import pytest

from keyturn.core.lint.login_rules import LOGIN_RULES
from tests.core.connector_files import changed
from tests.core.lint.test_lint import CLEAN, codes_of, param

FIRST = {"name": "first", "url": "https://login.example.com/nonce", "capture": {"nonce": "n"}}
USED = param("{{ nonce }}")
BY_TOKEN = {"with": "token", "headers": {"Authorization": "Bearer {{ access_token }}"}}


def before(*each: dict[str, Any]) -> tuple[str, Any]:
    """The list of requests before the login."""
    return ("token.before", list(each))


FOUND = [
    ("K221", "/token/before/0/capture/nonce", [before(FIRST)]),
    ("K221", "/token/before/0", [before({**FIRST, "capture": {}})]),
    (
        "K222",
        "/token/before",
        [before({**FIRST, "url": "https://id.example.com/", "params": {"p": "{{ password }}"}}), USED],
    ),
    ("K304", "/refresh/with", [("refresh", BY_TOKEN), ("token.default_ttl", None)]),
    ("K305", "/refresh", [("refresh", {"with": "token"})]),
    ("K306", "/refresh/keep_alive", [("refresh", {"keep_alive": True})]),
    ("K307", "/refresh", [("refresh", {"lifetime": "30d"})]),
    ("K308", "/refresh/last_resort", [("refresh", {"last_resort": True})]),
    ("K309", "/limits/renewals_at_once", [("limits", {"renewals_at_once": 17})]),
    ("K403", "/session/logout_first", [("session", {"logout_first": True, "limit": 2}), ("revoke", None)]),
    ("K404", "/session/limit", [("session", {"limit": 2}), ("revoke", None)]),
]


@pytest.mark.parametrize(("code", "pointer", "changes"), FOUND, ids=[f"{code} {pointer}" for code, pointer, _ in FOUND])
def test_what_each_rule_finds(code: str, pointer: str, changes: list[tuple[str, Any]]) -> None:
    """One change to a good connector, and the rule finds it at the right place."""
    assert (code, pointer) in codes_of(changed(*changes, start=CLEAN))


def test_each_rule_is_tested() -> None:
    """A rule without a case could be broken without anybody seeing it."""
    assert {rule.code for rule in LOGIN_RULES} == {code for code, _, _ in FOUND}


@pytest.mark.parametrize(
    ("code", "changes"),
    [
        pytest.param("K221", [before(FIRST), USED], id="used in the token request"),
        pytest.param(
            "K221",
            [before(FIRST, {"name": "b", "url": "https://login.example.com/{{ nonce }}", "capture": {"x": "x"}})],
            id="used in a later one",
        ),
        pytest.param("K222", [before({**FIRST, "url": "https://id.example.com/"}), USED], id="without the password"),
        pytest.param("K222", [before({**FIRST, "params": {"p": "{{ password }}"}}), USED], id="one host"),
        pytest.param("K403", [("session", {"logout_first": True})], id="with a logout"),
        pytest.param("K403", [("session", {"limit": 1}), ("revoke", None)], id="the provider ends the old session"),
        pytest.param("K404", [("session", {"limit": 1})], id="few sessions, and each is ended"),
        pytest.param("K304", [("refresh", BY_TOKEN)], id="a default"),
        pytest.param("K305", [("refresh", {"with": "token", "params": {"t": "{{ token.account }}"}})], id="kept"),
        pytest.param("K306", [("refresh", {"keep_alive": True, "lifetime": "30d"})], id="a lifetime"),
        pytest.param("K306", [("refresh", {**BY_TOKEN, "keep_alive": True})], id="the token itself"),
        pytest.param("K308", [("refresh", {"last_resort": False})], id="it is said that there is none"),
        pytest.param("K309", [("limits", {"renewals_at_once": 16})], id="twice as many as by default"),
        pytest.param(
            "K309",
            [("limits", {"renewals_at_once": 64}), ("refresh", {"rotation": "stable"})],
            id="a token that is sent again does no harm",
        ),
        pytest.param("K307", [("refresh", {"keep_alive": True, "lifetime": "30d"})], id="kept alive"),
    ],
)
def test_the_neighbour_is_left_alone(code: str, changes: list[tuple[str, Any]]) -> None:
    """Each rule has an edge, and this is just beyond it."""
    found = codes_of(changed(*changes, start=CLEAN))
    if code == "K221":
        assert (code, "/token/before/0/capture/nonce") not in found
    else:
        assert code not in {each for each, _ in found}
