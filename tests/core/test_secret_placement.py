"""Tests of where each name may stand."""

from __future__ import annotations

from typing import Any

import pytest

from tests.core.connector_files import changed, faults

FIELDS = [
    {"key": "api_key", "label": "API key", "type": "secret"},
    {"key": "pin", "label": "PIN", "type": "secret", "keep": "never"},
    {"key": "code", "label": "Code", "type": "otp"},
    {"key": "seed", "label": "Seed", "type": "totp_seed"},
    {"key": "site", "label": "Site"},
    {"key": "once", "label": "Once", "keep": "never"},
]
START = changed(
    ("fields", FIELDS),
    ("token.response", {"keep": {"account": "account", "copy": "access_token", "whole": "@"}}),
    ("revoke", {"url": "https://login.example.com/revoke"}),
    ("request", {}),
    ("refresh", {"url": "https://login.example.com/refresh"}),
    (
        "challenges",
        [{"when": {"status": [400]}, "ask": [{"key": "sms", "label": "SMS"}], "capture": {"flow": "flow"}, "then": {}}],
    ),
)
STEPS = {
    "token": "token.params",
    "refresh": "refresh.params",
    "revoke": "revoke.params",
    "test": "test.params",
    "request": "request.headers",
    "challenge": "challenges.0.then.params",
    "name": "connection_name",
    "id": "unique_id",
    "base": "request.base_url",
    "allowed": "allowed_urls.0",
}
LOGIN = {"token", "challenge"}
WITH_TOKEN = {"refresh", "revoke", "test", "request"}
PLAIN = {"name", "id", "base", "allowed"}
# name → where it may stand
PLACES = {
    "username": LOGIN | WITH_TOKEN | PLAIN,
    "site": LOGIN | WITH_TOKEN | PLAIN,
    "client_id": LOGIN | WITH_TOKEN | PLAIN,
    "once": LOGIN | {"name", "id"},
    "password": LOGIN,
    "pin": LOGIN,
    "code": LOGIN,
    "seed": LOGIN,
    "api_key": LOGIN | WITH_TOKEN,
    "client_secret": LOGIN | WITH_TOKEN - {"test"},  # the test's parameters travel in the query
    "access_token": WITH_TOKEN,
    "refresh_token": {"refresh", "revoke"},
    "token": {"revoke"},
    "token_type_hint": {"revoke"},
    "token.account": WITH_TOKEN | PLAIN,
    "token.account.deep[0]": WITH_TOKEN | PLAIN,
    "token.copy": WITH_TOKEN,
    "token.whole": WITH_TOKEN,
    "claims.sub": WITH_TOKEN | PLAIN,
    "test.id": {"name", "id"},
    "sms": {"challenge"},
    "flow": {"challenge"},
}


def put(step: str, text: str) -> dict[str, Any]:
    """Let one template stand in one step."""
    place = STEPS[step]
    if step in ("base", "allowed"):
        return changed((place, f"https://api.example.com/{text}"), start=START)
    return changed((place if step in ("name", "id") else f"{place}.x", text), start=START)


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("name", PLACES)
@pytest.mark.parametrize("form", ["{{ %s }}", "a-{{%s|lower|sha256|base64}}", "{{ username | hmac_sha256(%s) }}"])
def test_each_name_stands_only_where_it_may(name: str, step: str, form: str) -> None:
    """Filters, and being the key of a filter, change nothing about where a name may stand."""
    assert (step in PLACES[name]) == ([] == faults(put(step, form % name)))


@pytest.mark.parametrize(
    ("place", "text", "code"),
    [
        pytest.param(
            "token.url", "https://login.example.com/?s={{ client_secret }}", "secret_in_url", id="secret in url"
        ),
        pytest.param("token.url", "https://login.example.com/{{ password }}", "secret_in_url", id="password in url"),
        pytest.param("challenges.0.then.url", "https://login.example.com/{{ sms }}", "secret_in_url", id="code in url"),
        pytest.param("request.query", {"s": "{{ client_secret }}"}, "secret_in_url", id="secret in the query of calls"),
        pytest.param("unique_id", "{{ test }}", "unknown_name", id="a whole answer"),
        pytest.param("unique_id", "{{ site.x }}", "unknown_name", id="below a field, which is a text"),
        pytest.param("unique_id", "{{ token.acount }}", "unknown_name", id="a kept value misspelt"),
    ],
)
def test_a_name_where_it_may_not_stand(place: str, text: object, code: str) -> None:
    """Each has a code of its own."""
    assert [code] == [found for _, found in faults(changed((place, text), start=START))]


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        pytest.param([("token.encoding", "query")], False, id="the password in a query is for the linter"),
        pytest.param([("token.method", "GET")], False, id="GET alike"),
        pytest.param([("token.encoding", "query"), ("client", {"authentication": "post"})], True, id="post in a query"),
        pytest.param([("token.method", "GET"), ("client", {"authentication": "post"})], True, id="post in a GET"),
        pytest.param([("token.authentication", "post")], False, id="post in a form"),
        pytest.param([("client", {"authentication": "post"})], False, id="the test carries no client authentication"),
        pytest.param([("revoke.method", "GET"), ("revoke.authentication", "post")], True, id="the revocation's own"),
        pytest.param([("token.encoding", "query"), ("token.params", {"s": "{{ client_secret }}"})], True, id="by name"),
        pytest.param(
            [("token.encoding", "query"), ("refresh.params", {"s": "{{ client_secret }}"})], True, id="taken over"
        ),
        pytest.param(
            [
                ("token.encoding", "query"),
                ("refresh.encoding", "form"),
                ("refresh.params", {"s": "{{ client_secret }}"}),
            ],
            False,
            id="not taken over",
        ),
        pytest.param(
            [("token.encoding", "query"), ("challenges.0.then.extra_params", {"s": "{{ client_secret }}"})],
            True,
            id="in a challenge",
        ),
    ],
)
def test_a_client_secret_never_travels_in_a_query(changes: list[tuple[str, Any]], wrong: bool) -> None:
    """Parameters in the query are part of the URL, whoever's encoding it is."""
    found = {code for _, code in faults(changed(*changes, start=START))}

    assert ({"secret_in_url"} if wrong else set()) == found


def test_a_field_that_is_wrong_is_still_a_name() -> None:
    """One slip gives one finding: templates that name the field are not unknown besides."""
    value = changed(("fields", [{"key": "site", "label": "Site", "typ": "text"}]), ("unique_id", "{{ site }}"))

    assert [("/fields/0/typ", "unknown_key")] == faults(value)


def test_a_renewal_takes_over_no_url_that_only_a_login_has() -> None:
    """A token URL with a value that is not kept needs another one for renewals, or none."""
    url = ("token.url", "https://login.example.com/{{ once }}")

    assert [("/token/url", "name_not_available_here")] == faults(changed(url, ("refresh", None), start=START))
    assert [] == faults(changed(url, start=START))
    assert [] == faults(changed(url, ("refresh", "none"), start=START))


def test_a_kept_value_that_is_a_token_in_one_answer_is_one_in_all() -> None:
    """The order of the answers doesn't matter."""
    refreshed = {"access_token": "new.token", "keep": {"account": "new.token"}}
    value = changed(("refresh.response", refreshed), ("unique_id", "{{ token.account }}"), start=START)
    swapped = changed(
        ("token.response", refreshed), ("refresh.response", {"keep": {"account": "account"}}), start=value
    )

    assert [("/unique_id", "secret_not_allowed_here")] == faults(value)
    assert [("/unique_id", "secret_not_allowed_here")] == faults(swapped)
