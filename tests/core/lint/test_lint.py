"""Tests of the linter: what each rule finds, and the neighbour that it leaves alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from keyturn.core.lint import RULES, Severity, blocks_publishing, lint, lint_reference
from keyturn.core.lint.challenge_rules import CHALLENGE_RULES
from keyturn.core.lint.login_rules import LOGIN_RULES
from tests.core.connector_files import changed, read
from tests.core.reading_strategies import CONNECTOR_FILES, PEM

CLEAN: dict[str, Any] = changed(
    ("trust.note", "There is nothing else."),
    ("docs_url", "https://docs.example.com"),
    ("register_url", "https://docs.example.com/apps"),
    ("fields", [{"key": "site", "label": "Site"}]),
    ("token.default_ttl", 3600),
    (
        "token.params",
        {"username": "{{ username }}", "password": "{{ password }}", "site": "{{ site }}", "scope": "read"},
    ),
    ("token.response", {"keep": {"csrf_token": "csrf", "account": "account"}}),
    ("revoke", {"url": "https://login.example.com/revoke"}),
    ("test.expect", {"body": "id"}),
)
CHALLENGE = {
    "when": {"status": [400]},
    "ask": [{"key": "otp", "label": "Code", "type": "otp"}],
    "then": {"extra_params": {"code": "{{ otp }}"}},
}
KEPT = {"keep": "offer", "reason": "No refresh tokens."}
HOST_FIELD = {"key": "host", "label": "Host", "type": "host", "self_hosted": True}


def codes_of(value: dict[str, Any]) -> list[tuple[str, str]]:
    """Lint a connector file that reads without errors; give code and pointer of each finding."""
    return [(each.code, each.pointer) for each in lint(read(value))]


def test_a_good_connector_has_no_findings() -> None:
    """So that the cases below are about what they change."""
    assert [] == codes_of(CLEAN)


def fields(*more: dict[str, Any]) -> tuple[str, Any]:
    """Further fields, all of which the token request uses by `params`."""
    return ("fields", [{"key": "site", "label": "Site"}, *more])


def param(template: str) -> tuple[str, Any]:
    """One more parameter of the token request."""
    return ("token.params.more", template)


def denied(url: str, *methods: str) -> tuple[str, Any]:
    """The one allowed URL, and one that is denied."""
    limit = {"methods": list(methods)} if methods else {}
    return ("allowed_urls", ["https://api.example.com/v1", {"url": url, "deny": True, **limit}])


LITERAL = {"X-Api-Key": "a1b2c3d4e5f6a1b2c3d4e5f6a1b2c3d4"}

FOUND = [
    ("K001", "/trust", [("trust", None)]),
    ("K002", "/trust", [("trust.note", " ")]),
    ("K003", "/docs_url", [("docs_url", None)]),
    ("K004", "/stale_when", [("stale_when", {})]),
    ("K005", "/register_url", [("register_url", None)]),
    ("K006", "/private_network", [("private_network", True)]),
    ("K007", "/insecure_http", [("insecure_http", True)]),
    ("K009", "/retires/on", [("retires", {"on": "2027-01-31"})]),
    ("K010", "/client_address_header", [("client_address_header", "X-Forwarded-For")]),
    ("K008", "/tls/ca", [("tls", {"ca": PEM})]),
    ("K011", "/docs_url", [("docs_url", "https://developer.provider.example/auth")]),
    ("K011", "/token/url", [("token.url", "https://login.provider.example/oauth/token")]),
    ("K011", "/revoke/url", [("revoke.url", "https://login.PROVIDER.example:8443/oauth/revoke")]),
    ("K101", "/fields/1", [fields({"key": "more", "label": "More"})]),
    (
        "K101",
        "/challenges/0/ask/0",
        [("challenges", [CHALLENGE]), ("challenges.0.then", {"extra_params": {"code": "1"}})],
    ),
    ("K102", "/fields/1", [fields({"key": "api_key", "label": "Key of the API"}), param("{{ api_key }}")]),
    ("K103", "/fields/1/label", [fields({"key": "more", "label": " password"}), param("{{ more }}")]),
    ("K103", "/fields/1/label", [fields({"key": "more", "label": "Value"}), param("{{ more }}")]),
    (
        "K104",
        "/fields",
        [fields(*({"key": f"f{n}", "label": f"F{n}"} for n in range(4))), param("{{ f0 }}{{ f1 }}{{ f2 }}{{ f3 }}")],
    ),
    (
        "K105",
        "/fields/1/choices",
        [fields({"key": "more", "label": "More", "type": "choice", "choices": {"a": "A"}}), param("{{ more }}")],
    ),
    (
        "K106",
        "/fields/0/required",
        [
            ("fields.0.required", False),
            ("allowed_urls", ["https://api.example.com/v1", "https://{{ site }}.example.com"]),
        ],
    ),
    (
        "K106",
        "/fields/1/required",
        [
            fields({"key": "more", "label": "More", "visible_when": {"site": "a"}}),
            ("allowed_urls", ["https://api.example.com/v1", "https://{{ more }}.example.com"]),
        ],
    ),
    ("K107", "/password/keep", [("password", KEPT), ("refresh", {"strategy": "refresh_only"})]),
    ("K107", "/password/keep", [("password", KEPT), ("login", "interactive")]),
    ("K108", "/password/keep", [("password", KEPT)]),
    ("K202", "/token/url", [("token.url", "https://{{ site }}.example.com/t")]),
    ("K202", "/token/url", [fields(HOST_FIELD), ("token.url", "https://{{ host }}/t")]),
    ("K203", "/token", [("token.default_ttl", None)]),
    ("K204", "/token/params/password", [("token.encoding", "query")]),
    ("K204", "/request/query/t", [("request.query", {"t": "{{ access_token }}"})]),
    ("K204", "/revoke/url", [("revoke.url", "https://login.example.com/{{ token }}")]),
    ("K205", "/token/url", [("token.url", "https://192.0.2.1/t")]),
    ("K205", "/revoke/url", [("revoke.url", "https://[2001:db8::1]/t")]),
    ("K206", "/client/authentication", [("client", {"authentication": "basic_raw"})]),
    ("K207", "/token", [("token.params.scope", None)]),
    ("K208", "/limits/logins", [("limits", {"logins": 11})]),
    (
        "K209",
        "/token/params/more",
        [("password", KEPT), fields({"key": "more", "label": "More", "keep": "never"}), param("{{ more }}")],
    ),
    ("K301", "/refresh", [("refresh", "none")]),
    ("K302", "/token/response", [("token.response.access_token", "data.token")]),
    ("K303", "/refresh/strategy", [("refresh", {"strategy": "refresh_then_password"})]),
    ("K401", "/revoke", [("revoke", None)]),
    ("K402", "/revoke", [("revoke.params", {"all": True})]),
    ("K501", "/test/method", [("test.method", "POST")]),
    ("K502", "/test/url", [("test.url", "https://api.example.com/v2/me")]),
    ("K503", "/test", [("test.expect", {})]),
    ("K602", "/connection_name", [("connection_name", "The one")]),
    ("K603", "/connection_name", [("connection_name", "{{ token.csrf_token }}")]),
    ("K603", "/unique_id", [("unique_id", "{{ test.api_key }}")]),
    (
        "K701",
        "/allowed_urls/0",
        [("allowed_urls", ["https://*.example.com/v1"]), ("request.base_url", "https://api.example.com/v1")],
    ),
    ("K704", "/allowed_urls/1", [("allowed_urls", ["https://api.example.com/v1", "https://other.example.com"])]),
    ("K706", "/allowed_urls", [("token.url", "https://api.example.com/v1/token")]),
    (
        "K707",
        "/allowed_urls/0",
        [("allowed_urls", ["https://api.example.com"]), ("request.base_url", "https://api.example.com/v1")],
    ),
    ("K801", "/unique_id", [("unique_id", "{{ test.user.email | lower }}")]),
    ("K801", "/unique_id", [("unique_id", "{{ site }}:{{ test.display_name }}")]),
    ("K803", "/unique_id", [("unique_id", "account")]),
    ("K804", "/unique_id", [("unique_id", "{{ site }}")]),
    ("K901", "/request/headers/X-Api-Key", [("request.headers", {"X-Api-Key": "a8f5f167f44f4964e6c998de"})]),
    (
        "K901",
        "/request/headers/authorization",
        [("request.headers", {"authorization": "Basic YWJjOmRlZg=="}), ("request.query", {"t": "{{ token.account }}"})],
    ),
    ("K901", "/request/query/key", [("request.query", {"key": "0123456789abcdef0123456789abcdef"})]),
    ("K901", "/request/query/k", [("request.query", {"k": "AbCdEf0123456789GhIjKl"})]),
    ("K901", "/token/headers/X-A", [("token.headers", {"X-A": "Bearer eyJhbGciOiJIUzI1NiJ9.e30.x"})]),
    ("K901", "/token/params/client_secret", [("token.params.client_secret", "hunter2hunter2")]),
    ("K901", "/test/url", [("test.url", "https://api.example.com/v1/0123456789abcdef0123456789abcdef")]),
    ("K902", "/request/headers/Host", [("request.headers", {"Host": "x.example.com"})]),
    ("K902", "/token/headers/content-length", [("token.headers", {"content-length": "3"})]),
    ("K903", "/request/base_url", [("request", {"base_url": "https://www.example.com/v1"})]),
    ("K904", "/request/headers", [("request.headers", {"Authorization": "Basic {{ site }}"})]),
    ("K905", "/request/encoded_slashes", [("request", {"encoded_slashes": "allow"})]),
    ("K708", "/allowed_urls/1", [denied("https://api.example.com/v2")]),
    ("K708", "/allowed_urls/1", [denied("https://www.example.com/v1")]),
    ("K709", "/allowed_urls/0", [denied("https://api.example.com")]),
    ("K901", "/request/only/0/headers/X-Api-Key", [("request", {"only": [{"paths": ["/v1"], "headers": LITERAL}]})]),
]


@pytest.mark.parametrize(("code", "pointer", "changes"), FOUND, ids=[f"{code} {pointer}" for code, pointer, _ in FOUND])
def test_what_each_rule_finds(code: str, pointer: str, changes: list[tuple[str, Any]]) -> None:
    """One change to a good connector, and the rule finds it at the right place."""
    assert (code, pointer) in codes_of(changed(*changes, start=CLEAN))


def test_each_rule_is_tested() -> None:
    """A rule without a case could be broken without anybody seeing it."""
    others = {rule.code for rule in (*CHALLENGE_RULES, *LOGIN_RULES)}
    assert set(RULES) - others == {code for code, _, _ in FOUND}


@pytest.mark.parametrize(
    ("code", "changes"),
    [
        pytest.param("K004", [("stale_when", {"body": "expired"})], id="stale by its body"),
        pytest.param(
            "K005", [("register_url", None), ("client", {"authentication": "none"})], id="nothing to register"
        ),
        pytest.param("K101", [param("{{ username | hmac_sha256(site) }}"), ("token.params.site", None)], id="as a key"),
        pytest.param("K101", [("challenges", [CHALLENGE])], id="an answer that is sent"),
        pytest.param(
            "K101",
            [fields({"key": "seed", "label": "Seed", "type": "totp_seed"}), ("challenges", [CHALLENGE])],
            id="a seed that answers",
        ),
        pytest.param(
            "K101",
            [
                fields(
                    {"key": "more", "label": "More", "type": "boolean"},
                    {"key": "most", "label": "Most", "visible_when": {"more": True}},
                ),
                param("{{ most }}"),
            ],
            id="a field that another waits for",
        ),
        pytest.param(
            "K102", [fields({"key": "token_type", "label": "Kind"}), param("{{ token_type }}")], id="no token"
        ),
        pytest.param("K102", [fields({"key": "keyboard", "label": "Keyboard"}), param("{{ keyboard }}")], id="no key"),
        pytest.param("K104", [fields(*({"key": f"f{n}", "label": f"F{n}"} for n in range(3)))], id="four fields"),
        pytest.param("K203", [("token.default_ttl", None), ("token.response.expires", {"from": "e"})], id="expires"),
        pytest.param("K204", [("token.headers", {"X-A": "{{ client_secret }}"})], id="a secret in a header"),
        pytest.param("K204", [("request.query", {"site": "{{ site }}", "t": "{{ token.account }}"})], id="no secret"),
        pytest.param(
            "K205",
            [("insecure_http", True), ("private_network", True), ("token.url", "http://192.0.2.1/t")],
            id="no certificate would speak for it",
        ),
        pytest.param(
            "K207", [("token.params.scope", None), ("token.encoding", "json")], id="a login that is not OAuth's"
        ),
        pytest.param("K208", [("limits", {"logins": 10})], id="ten logins"),
        pytest.param(
            "K209", [("password", KEPT), fields({"key": "more", "label": "More"}), param("{{ more }}")], id="kept"
        ),
        pytest.param(
            "K209",
            [
                ("password", KEPT),
                fields({"key": "more", "label": "More", "keep": "never"}),
                ("challenges", [{**CHALLENGE, "then": {"extra_params": {"code": "{{ otp }}{{ more }}"}}}]),
            ],
            id="in a challenge, where the person is",
        ),
        pytest.param("K301", [("refresh", "none"), ("password", KEPT)], id="the kept password renews"),
        pytest.param(
            "K402", [("revoke.params", {}), ("revoke.headers", {"A": "{{ access_token }}"})], id="in a header"
        ),
        pytest.param(
            "K704", [("allowed_urls", ["https://api.example.com/v1", "https://api.example.com/v2"])], id="same host"
        ),
        pytest.param("K707", [("allowed_urls", ["https://api.example.com"])], id="the base is the whole host"),
        pytest.param("K801", [("unique_id", "{{ test.name }}:{{ test.id }}")], id="a stable part"),
        pytest.param("K801", [("unique_id", "{{ test.tenant }}")], id="no name"),
        pytest.param("K804", [("unique_id", "{{ claims.sub }}")], id="a claim"),
        pytest.param("K901", [("request.headers", {"Accept": "application/vnd.example.v2+json"})], id="a media type"),
        pytest.param("K901", [("request.headers", {"X-Token-Type": "abc123"})], id="a type"),
        pytest.param("K901", [("request.query", {"version": "2024-06-01"})], id="a date"),
        pytest.param("K901", [param("urn:ietf:params:oauth:grant-type:token-exchange2")], id="a URN"),
        pytest.param("K901", [("token.params.scope", "openid profile https://a.example/v1/Read2")], id="scopes"),
        pytest.param("K901", [("request.headers", {"X-Api-Key": "{{ site }}"})], id="a template"),
        pytest.param("K902", [("request.headers", {"X-Host": "a"})], id="a header that ends like one"),
        pytest.param("K903", [("request", {"base_url": "https://api.example.com"})], id="above the allowed path"),
        pytest.param("K904", [("request.headers", {"X-Auth": "{{ token.account }}"})], id="a kept value"),
        pytest.param("K708", [denied("https://api.example.com/v1/keys")], id="below what is allowed"),
        pytest.param("K709", [denied("https://api.example.com", "DELETE")], id="one method of all"),
        pytest.param("K704", [denied("https://api.example.com/v1/keys")], id="what is denied is not called"),
    ],
)
def test_the_neighbour_is_left_alone(code: str, changes: list[tuple[str, Any]]) -> None:
    """Each rule has an edge, and this is just beyond it."""
    assert code not in {each for each, _ in codes_of(changed(*changes, start=CLEAN))}


def test_what_is_taken_over_is_found_once() -> None:
    """A password in the token request's query is not found again in each challenge."""
    value = changed(("token.encoding", "query"), ("challenges", [CHALLENGE]), start=CLEAN)

    assert [
        ("K204", "/challenges/0/then/params/code"),
        ("K204", "/refresh/params/refresh_token"),
        ("K204", "/token/params/password"),
    ] == codes_of(value)


def test_an_address_is_found_where_it_was_written() -> None:
    """Not again at the base URL, which is only taken from the allowed one."""
    places = ("https://192.0.2.1/v1/me", ["https://192.0.2.1/v1"])
    value = changed(("test.url", places[0]), ("allowed_urls", places[1]), start=CLEAN)

    assert [("K205", "/allowed_urls/0"), ("K205", "/test/url")] == codes_of(value)


def test_security_comes_first() -> None:
    """Then errors before warnings before informations."""
    value = changed(("docs_url", None), ("test.url", "https://x.example.com/"), ("limits", {"logins": 99}), start=CLEAN)

    assert ["K208", "K502", "K003"] == [code for code, _ in codes_of(value)]


def test_only_errors_block_publishing() -> None:
    """A connector may be published with warnings."""
    warned = lint(read(changed(("limits", {"logins": 99}), start=CLEAN)))
    refused = lint(read(changed(("trust", None), start=CLEAN)))

    assert [Severity.WARNING] == [each.severity for each in warned]
    assert not blocks_publishing(warned)
    assert blocks_publishing(refused)
    assert not blocks_publishing(())


def test_a_finding_as_json() -> None:
    """Everything that a page or a command shows, under stable names."""
    finding = lint(read(changed(("revoke", None), start=CLEAN)))[0]

    assert {
        "code": "K401",
        "name": "no_revoke",
        "severity": "warning",
        "step": 4,
        "pointer": "/revoke",
        "message": finding.message,
        "remedy": finding.remedy,
    } == finding.as_json()


@given(CONNECTOR_FILES)
def test_every_connector_can_be_linted(value: dict[str, Any]) -> None:
    """Linting never raises, and says nothing twice."""
    found = codes_of(value)

    assert len(set(found)) == len(found)
    assert (("K001", "/trust") in found) == ("trust" not in value)


def test_the_reference_page_is_made_from_the_table() -> None:
    """docs/reference/lint.md is what `lint_reference` writes."""
    page = Path(__file__).parents[3] / "docs/reference/lint.md"

    assert lint_reference() == page.read_text(encoding="utf-8")
