"""Tests of who writes the host of a connector's URLs."""

from __future__ import annotations

from typing import Any

import pytest

from keyturn.core.reading.host_rules import label_names, sample_url, whole_host_name
from keyturn.core.templates import Template
from tests.core.connector_files import SMALLEST, changed, faults

FIELDS: list[dict[str, Any]] = [
    {"key": "sub", "label": "Subdomain"},
    {"key": "env", "label": "Environment", "type": "choice", "choices": {"eu": "EU", "us.east": "US"}},
    {"key": "odd", "label": "Odd", "type": "choice", "choices": {"a_b": "A"}},
    {"key": "own", "label": "Host", "type": "host", "self_hosted": True},
    {"key": "theirs", "label": "Host", "type": "host", "hosts": ["*.my.example.com"]},
    {"key": "key", "label": "Key", "type": "secret"},
    {"key": "page", "label": "Page", "type": "url"},
    {"key": "mail", "label": "Mail", "type": "email"},
]
START = changed(("fields", FIELDS), ("token.response", {"keep": {"host": "host"}}))


@pytest.mark.parametrize(
    ("url", "code"),
    [
        pytest.param("https://login.example.com/t", None, id="written out"),
        pytest.param("HTTPS://LOGIN.example.com:8443/t?a=b", None, id="capitals, port, query"),
        pytest.param("https://192.0.2.1/t", None, id="an address is for the linter"),
        pytest.param("https://[2001:db8::1]:443/t", None, id="an IPv6 address"),
        pytest.param("https://{{ sub }}.example.com/t", None, id="one label"),
        pytest.param("https://{{ sub | lower }}.api-{{ env }}.example.com", None, id="labels and parts of labels"),
        pytest.param("https://{{ sub }}.example.co.uk", None, id="below a domain under a long suffix"),
        pytest.param("https://{{ sub }}.co.uk", "host_not_written", id="below a public suffix"),
        pytest.param("https://{{ sub }}.github.io", "host_not_written", id="below a private suffix"),
        pytest.param("https://{{ sub }}.com", "host_not_written", id="below a top-level domain"),
        pytest.param("https://{{ sub }}example.com", "host_not_written", id="no dot after the template"),
        pytest.param("https://{{ sub }}", "host_not_written", id="the whole host from a text"),
        pytest.param("https://api.{{ sub }}", "host_not_written", id="the end from a text"),
        pytest.param("https://api.{{ sub }}/.example.com", "host_not_written", id="a domain that is in the path"),
        pytest.param("https://{{ sub }}.192.0.2.1", "host_not_written", id="left of an address"),
        pytest.param("https://{{ sub | base64 }}.example.com", "host_not_written", id="a filter that makes no label"),
        pytest.param("https://{{ odd }}.example.com", "host_not_written", id="a choice that is no label"),
        pytest.param("https://{{ page }}.example.com", "host_not_written", id="a URL as label"),
        pytest.param("https://{{ mail }}.example.com", "host_not_written", id="an address of mail as label"),
        pytest.param("https://{{ username }}.example.com", "host_not_written", id="the username as label"),
        pytest.param("https://{{ key }}.example.com", "secret_in_url", id="a secret as label"),
        pytest.param("{{ page }}/token", "host_not_written", id="a whole URL from the person"),
        pytest.param("https://{{ own }}/t", None, id="a host of their own"),
        pytest.param("https://{{ own }}:8443/t", None, id="with a port"),
        pytest.param("https://{{ theirs }}/t", None, id="a host from a list"),
        pytest.param("https://{{ own | lower }}/t", "host_not_written", id="a whole host with a filter"),
        pytest.param("https://{{ own }}.example.com", "host_not_written", id="a whole host as a label"),
        pytest.param("https://x{{ own }}", "host_not_written", id="a whole host with something before it"),
        pytest.param("https://{{ own }}{{ own }}", "host_not_written", id="twice"),
        pytest.param("http://login.example.com/t", "https_required", id="plain http"),
        pytest.param("ftp://login.example.com/t", "url_invalid", id="another scheme"),
        pytest.param("login.example.com", "url_invalid", id="no scheme"),
        pytest.param("https://", "url_invalid", id="no host"),
        pytest.param("https:///t", "url_invalid", id="an empty host"),
        pytest.param("https://a@login.example.com/t", "url_invalid", id="a user"),
        pytest.param("https://{{ sub }}@login.example.com/t", "url_invalid", id="a user from a field"),
        pytest.param("https://login.example.com:x/t", "url_invalid", id="a port that is none"),
        pytest.param("https://login.example.com:{{ sub }}/t", "host_not_written", id="a port from a field"),
        pytest.param("https://login.example.com\\@x.example/t", "url_invalid", id="a backslash"),
        pytest.param("https://login.example.com/a b", "url_invalid", id="a blank"),
        pytest.param("https://login.example.com/#f", "url_invalid", id="a fragment"),
        pytest.param("https://*.example.com/t", "url_invalid", id="a wildcard"),
        pytest.param("https://exa_mple.com/t", "url_invalid", id="no host name"),
    ],
)
def test_the_host_of_a_request(url: str, code: str | None) -> None:
    """The author writes the registrable domain; what a person adds is a label, or a whole host that is bounded."""
    # refresh has an URL of its own, so that the token URL is judged once
    found = [each for _, each in faults(changed(("token.url", url), start=START))]

    assert ([code] if code else []) == found


def test_a_host_from_an_answer_says_which_it_may_be() -> None:
    """The provider's word alone leads nowhere."""
    value = changed(("request.base_url", "https://{{ token.host }}/v1"), start=START)

    assert [("/request/base_url", "host_rule_missing")] == faults(value)


def test_plain_http_needs_a_word_of_the_author() -> None:
    """With `insecure_http: true` the operator's allowance decides."""
    value = changed(("token.url", "http://login.example.com/t"), ("insecure_http", True))

    assert [] == faults(value)


@pytest.mark.parametrize(
    ("url", "code"),
    [
        pytest.param("https://*.example.com/v1", None, id="a wildcard"),
        pytest.param("https://*.{{ sub }}.example.com", None, id="a wildcard left of a template"),
        pytest.param("https://{{ own }}/v1", None, id="a host of their own"),
        pytest.param("https://api.example.com/{{ sub }}/v1", None, id="a template in the path"),
        pytest.param("https://*.co.uk", "allowed_url_invalid", id="a wildcard over a public suffix"),
        pytest.param("https://api.example.com/*", "allowed_url_invalid", id="an asterisk in the path"),
        pytest.param("https://api.example.com//v1", "allowed_url_invalid", id="an empty segment"),
        pytest.param("https://api.example.com/v1/../v2", "allowed_url_invalid", id="a dot segment"),
        pytest.param("https://api.example.com/v1?a=b", "url_invalid", id="a query"),
        pytest.param("https://*.{{ sub }}.com", "host_not_written", id="a template over a suffix"),
    ],
)
def test_an_allowed_url(url: str, code: str | None) -> None:
    """Each is a rule as the guard reads it, also with templates in it."""
    value = changed(("allowed_urls", ["https://api.example.com/v9", url]), start=START)

    assert ([("/allowed_urls/1", code)] if code else []) == faults(value)


@pytest.mark.parametrize(
    ("hosts", "wrong"),
    [
        pytest.param(["*.my.example.com"], [], id="below a domain"),
        pytest.param(["login.example.com"], [], id="one host"),
        pytest.param(["*.example.com", "*.co.uk"], [1], id="a public suffix"),
        pytest.param(["*.com"], [0], id="a top-level domain"),
        pytest.param(["example.com/x"], [0], id="with a path"),
        pytest.param(["https://example.com"], [0], id="with a scheme"),
        pytest.param(["*"], [0], id="any host"),
    ],
)
def test_the_hosts_of_a_field(hosts: list[str], wrong: list[int]) -> None:
    """A list of hosts never opens a public suffix."""
    value = changed(("fields", [{"key": "host", "label": "Host", "type": "host", "hosts": hosts}]))

    assert [(f"/fields/0/hosts/{index}", "wrong_value") for index in wrong] == faults(value)


def test_which_fields_make_the_host() -> None:
    """The engine checks labels and pins whole hosts by these names."""
    assert {"sub", "env"} == label_names(Template.parse("https://{{ sub }}.{{ env | lower }}.example.com/{{ a }}"))
    assert frozenset() == label_names(Template.parse("https://{{ own }}/{{ a }}"))
    assert "own" == whole_host_name(Template.parse("https://{{ own }}:8443/{{ a }}"))
    assert whole_host_name(Template.parse("https://{{ sub }}.example.com")) is None


def test_a_sample_has_one_value_per_name() -> None:
    """So that two templates with the same names give the same host and path, and others give others."""
    fields = {one["key"]: one for one in FIELDS}
    filled = sample_url(Template.parse("https://{{ b }}.example.com/{{ a }}/{{ b }}"), fields)

    assert "https://sample1.example.com/sample0/sample1" == filled
    assert "https://sample.my.example.com/x" == sample_url(Template.parse("https://{{ theirs }}/x"), fields)
    assert [] == faults(SMALLEST)
