"""Hosts that come from an answer: who may name which, and where they stand."""

from __future__ import annotations

from typing import Any

import pytest

from keyturn.core.answers.answered_hosts import answered_host
from keyturn.core.format.writing import dump_connector
from tests.core.connector_files import SMALLEST, changed, faults, read

LISTED = ("*.my.example.com", "api.example.com")
KEEP = ("token.response", {"keep": {"site": {"from": "instance_url", "hosts": list(LISTED)}}})
CALLS = [
    ("allowed_urls", ["https://{{ token.site }}/v1"]),
    ("test", {"url": "https://{{ token.site }}/v1/me"}),
    ("request", {"base_url": "https://{{ token.site }}/v1"}),
]
ELSEWHERE = "host_not_written"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param("na1.my.example.com", "na1.my.example.com", id="a host"),
        pytest.param("https://NA1.my.example.com/", "na1.my.example.com", id="an https address"),
        pytest.param("https://api.example.com:443", "api.example.com", id="the default port"),
        pytest.param(" api.example.com ", "api.example.com", id="blanks around it"),
        pytest.param("my.example.com", None, id="the wildcard's own domain"),
        pytest.param("evil.example", None, id="another host"),
        pytest.param("https://api.example.com@evil.example/", None, id="a user"),
        pytest.param("https://api.example.com.evil.example", None, id="a longer host"),
        pytest.param("https://evil.example/?api.example.com", None, id="a query"),
        pytest.param("http://api.example.com", None, id="plain http"),
        pytest.param("https://api.example.com:8443", None, id="a port"),
        pytest.param("https://api.example.com/v2", None, id="a path"),
        pytest.param("https://[::1", None, id="no URL"),
        pytest.param("", None, id="empty"),
        pytest.param(None, None, id="absent"),
        pytest.param(["api.example.com"], None, id="a list"),
    ],
)
def test_only_listed_hosts_are_taken(value: Any, expected: str | None) -> None:
    """All else is as if the provider had named none."""
    assert expected == answered_host(value, LISTED)


def test_it_reads_and_writes_back() -> None:
    """Where it stands and what it may be are both kept; a plain kept value stays a text."""
    value = changed(KEEP, *CALLS, ("token.response.keep.account", "account.id"))
    connector = read(value)

    assert {"site": "instance_url", "account": "account.id"} == dict(connector.token.response.keep)
    assert {"site": LISTED} == dict(connector.token.response.hosts)
    assert connector == read(dump_connector(connector))
    assert "account.id" == dump_connector(connector)["token"]["response"]["keep"]["account"]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param([KEEP, *CALLS], [], id="test, base and allowed URLs"),
        pytest.param(
            [
                KEEP,
                ("refresh", {"url": "https://{{ token.site }}/r"}),
                ("revoke", {"url": "https://{{ token.site }}/x"}),
            ],
            [],
            id="refresh and revoke",
        ),
        pytest.param(
            [KEEP, ("token.url", "https://{{ token.site }}/token")],
            [("/token/url", "name_not_available_here")],
            id="the login itself",
        ),
        pytest.param(
            [KEEP, ("test", {"url": "https://x.{{ token.site }}/me"})],
            [("/test/url", ELSEWHERE)],
            id="a part of a host",
        ),
        pytest.param(
            [KEEP, ("test", {"url": "https://{{ token.site | lower }}/me"})], [("/test/url", ELSEWHERE)], id="filtered"
        ),
        pytest.param(
            [KEEP, ("test", {"url": "https://api.example.com/{{ token.site }}"})],
            [("/test/url", ELSEWHERE)],
            id="a path",
        ),
        pytest.param(
            [KEEP, ("test", {"url": "https://{{ token.site }}/{{ token.site }}"})],
            [("/test/url", ELSEWHERE)],
            id="host and path",
        ),
        pytest.param(
            [KEEP, ("refresh", {"params": {"a": "{{ token.site }}"}})],
            [("/refresh/params/a", ELSEWHERE)],
            id="a parameter",
        ),
        pytest.param(
            [("token.response", {"keep": {"site": "instance_url"}}), ("test", {"url": "https://{{ token.site }}/me"})],
            [("/test/url", "host_rule_missing")],
            id="no list",
        ),
        pytest.param(
            [("token.response", {"keep": {"site": {"from": "a", "hosts": ["*.co.uk"]}}})],
            [("/token/response/keep/site/hosts/0", "wrong_value")],
            id="a public suffix",
        ),
        pytest.param(
            [("token.response", {"keep": {"site": {"from": "a"}}})],
            [("/token/response/keep/site", "required_key")],
            id="no hosts",
        ),
    ],
)
def test_where_it_may_stand(changes: list[tuple[str, Any]], expected: list[tuple[str, str]]) -> None:
    """As the whole host of what is sent after the login, and nowhere else."""
    found = faults(changed(*changes))
    assert set(expected) <= set(found)
    assert bool(expected) == bool(found)


def test_none_leaves_the_canonical_form_as_it_was() -> None:
    """So that the digest of every older connector stays."""
    assert {"keep": {}} == dump_connector(read(SMALLEST))["token"]["response"]
