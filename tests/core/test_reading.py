"""Tests of what a connector file means: defaults, what is taken over, what contradicts itself."""

from __future__ import annotations

from typing import Any

import pytest

from keyturn.adapters.catalogue.yaml_reader import read_document
from keyturn.core.connector import (
    ClientAuthentication,
    Connector,
    Encoding,
    ExpiryUnit,
    Failure,
    FailureClass,
    Field,
    FieldType,
    Keep,
    Lifetime,
    LoginLimits,
    OnDuplicate,
    PasswordInput,
    SessionRules,
    Strategy,
    TokenKind,
    TrustReason,
    UsernameInput,
    When,
)
from keyturn.core.format.writing import digest, dump_connector
from keyturn.core.reading import Fault, read_connector
from keyturn.core.reading.codes import MEANINGS
from keyturn.core.templates import Template
from tests.core.connector_files import FILES, SMALLEST, SUFFIXES, changed, faults, read

KEPT = {"keep": "required", "reason": "There are no refresh tokens."}
BEARER = Template.parse("Bearer {{ access_token }}")


def template(text: str) -> Template:
    """A parsed template."""
    return Template.parse(text)


def example() -> Connector:
    """The whole example of the format."""
    return read_connector(read_document((FILES / "acme-crm.yaml").read_bytes()), suffixes=SUFFIXES)


def test_the_example_of_the_format() -> None:
    """Every key of the example arrives where the model has it."""
    acme = example()

    assert ("acme-crm", "Acme CRM") == (acme.id, acme.title)
    assert acme.trust is not None
    assert TrustReason.LEGACY is acme.trust.reason
    assert {"sandbox": "Sandbox", "production": "Production"} == acme.fields[0].choices
    assert UsernameInput("Email", FieldType.EMAIL) == acme.username
    assert template("https://{{ environment }}.acme.example/oauth/token") == acme.token.url
    assert template("read write") == acme.token.params["scope"]
    assert Lifetime("expires_in", ExpiryUnit.SECONDS) == acme.token.response.expires
    assert {"account_id": "account.id"} == acme.token.response.keep
    assert 3600.0 == acme.default_ttl_s
    assert Strategy.REFRESH_THEN_PASSWORD is acme.refresh.strategy
    assert acme.revoke is not None
    assert template("{{ token_type_hint }}") == acme.revoke.request.params["token_type_hint"]
    assert (frozenset({200}), "id") == (acme.test.expect.status, acme.test.expect.body)
    assert {"version": template("v2")} == acme.request.query
    assert {"authorization"} == acme.request.locked
    assert When(frozenset({400}), "error == 'mfa_required'") == acme.challenges[0].when
    assert Keep.NEVER is acme.challenges[0].ask[0].keep
    assert LoginLimits(5, 900.0) == acme.limits


def test_the_defaults_of_the_smallest_connector() -> None:
    """Each key that is not given has the default of the standard."""
    smallest = read(SMALLEST)

    assert UsernameInput("Username", FieldType.TEXT) == smallest.username
    assert PasswordInput("Password") == smallest.password
    assert ("POST", Encoding.FORM) == (smallest.token.method, smallest.token.encoding)
    assert ["grant_type", "username", "password"] == list(smallest.token.params)
    assert ClientAuthentication.BASIC is smallest.client_authentication
    assert ClientAuthentication.BASIC is smallest.token.authentication
    assert smallest.token.url == smallest.refresh.request.url
    assert {"grant_type": template("refresh_token"), "refresh_token": template("{{ refresh_token }}")} == dict(
        smallest.refresh.request.params
    )
    assert (Strategy.REFRESH_ONLY, True, 0.0) == (
        smallest.refresh.strategy,
        smallest.refresh.honoured,
        smallest.refresh.leeway_s,
    )
    assert smallest.revoke is None
    assert ("GET", ClientAuthentication.NONE) == (smallest.test.request.method, smallest.test.request.authentication)
    assert (frozenset(), None) == (smallest.test.expect.status, smallest.test.expect.body)
    assert template("Smallest {{ test.id }}") == smallest.connection_name
    assert smallest.allowed_urls[0].url == smallest.request.base_url
    assert {"Authorization": BEARER} == smallest.request.headers
    assert OnDuplicate.UPDATE is smallest.on_duplicate
    assert When(frozenset({401})) == smallest.stale_when
    assert smallest.default_ttl_s is None


@pytest.mark.parametrize(
    ("changes", "strategy", "honoured"),
    [
        pytest.param([], Strategy.REFRESH_ONLY, True, id="never kept"),
        pytest.param([("password", KEPT)], Strategy.REFRESH_THEN_PASSWORD, True, id="kept"),
        pytest.param([("refresh", "none")], Strategy.REFRESH_ONLY, False, id="not honoured, never kept"),
        pytest.param([("refresh", "none"), ("password", KEPT)], Strategy.PASSWORD_ONLY, False, id="not honoured, kept"),
        pytest.param([("refresh.strategy", "password_only")], Strategy.PASSWORD_ONLY, True, id="as the author says"),
    ],
)
def test_the_strategy(changes: list[tuple[str, Any]], strategy: Strategy, honoured: bool) -> None:
    """What a renewal uses follows from what is kept, where the author says nothing."""
    refresh = read(changed(*changes)).refresh

    assert (strategy, honoured) == (refresh.strategy, refresh.honoured)


def test_a_renewal_takes_over_the_token_request() -> None:
    """Each absent key but the parameters; of the headers none that holds what only a login has."""
    value = changed(
        ("token.method", "PUT"),
        ("token.encoding", "json"),
        ("token.authentication", "post"),
        ("token.headers", {"X-A": "a", "X-User": "{{ username }}:{{ password }}"}),
        ("token.response", {"access_token": "data.token"}),
        ("token.failures", [{"when": {"body": "locked"}, "class": "locked"}]),
        ("token.rejected_when", {"status": [403]}),
    )
    token, refresh = read(value).token, read(value).refresh.request
    other = read(changed(("refresh.headers", {}), ("refresh.response", {}), ("refresh.method", "GET"), start=value))

    assert (token.url, token.method, token.encoding, token.authentication) == (
        refresh.url,
        refresh.method,
        refresh.encoding,
        refresh.authentication,
    )
    assert {"X-A": template("a")} == refresh.headers
    assert token.response == refresh.response
    assert token.failures == refresh.failures == (Failure(When(body="locked"), FailureClass.LOCKED),)
    assert When(frozenset({403})) == refresh.rejected_when
    assert {} == other.refresh.request.headers
    assert other.refresh.request.response.access_token is None
    assert ("GET", Encoding.JSON) == (other.refresh.request.method, other.refresh.request.encoding)


def test_a_revocation_takes_over_the_client_authentication_only() -> None:
    """It is another endpoint, with the shape of RFC 7009 unless the author says otherwise."""
    value = changed(
        ("client", {"authentication": "none"}),
        ("token.encoding", "json"),
        ("token.authentication", "basic"),
        ("revoke", {"url": "https://login.example.com/r", "tokens": ["access_token"], "on_replace": False}),
    )
    revoke = read(value).revoke

    assert revoke is not None
    assert (Encoding.FORM, ClientAuthentication.NONE) == (revoke.request.encoding, revoke.request.authentication)
    assert ["token", "token_type_hint"] == list(revoke.request.params)
    assert ((TokenKind.ACCESS_TOKEN,), False) == (revoke.tokens, revoke.on_replace)


@pytest.mark.parametrize(
    ("then", "params"),
    [
        pytest.param({}, ["grant_type", "username", "password"], id="the same again"),
        pytest.param(
            {"extra_params": {"totp": "{{ otp }}"}}, ["grant_type", "username", "password", "totp"], id="more"
        ),
        pytest.param({"params": {"a": "b"}}, ["a"], id="others"),
        pytest.param({"params": {"a": "b"}, "extra_params": {"c": 1}}, ["a", "c"], id="others and more"),
        pytest.param({"params": {}}, [], id="none"),
    ],
)
def test_the_request_of_a_challenge(then: dict[str, Any], params: list[str]) -> None:
    """It is the token request, with its parameters replaced, or added to."""
    ask = [{"key": "otp", "label": "Code", "type": "otp"}]
    challenge = read(changed(("challenges", [{"when": {"status": [400]}, "ask": ask, "then": then}]))).challenges[0]

    assert challenge.then is not None
    assert params == list(challenge.then.params)
    assert template("https://login.example.com/oauth/token") == challenge.then.url


def test_an_extra_parameter_replaces_one_of_its_name() -> None:
    """So that a code is put behind the password."""
    extra = {"password": "{{ password }}:{{ otp }}"}
    ask = [{"key": "otp", "label": "Code"}]
    value = changed(("challenges", [{"when": {"status": [400]}, "ask": ask, "then": {"extra_params": extra}}]))
    then = read(value).challenges[0].then

    assert then is not None
    assert template("{{ password }}:{{ otp }}") == then.params["password"]


@pytest.mark.parametrize(
    ("request_part", "headers", "locked"),
    [
        pytest.param({}, ["Authorization"], ["authorization"], id="nothing said"),
        pytest.param({"headers": {"X-A": "1"}}, ["X-A", "Authorization"], ["authorization"], id="a header besides"),
        pytest.param({"headers": {"X-T": "{{ access_token }}"}}, ["X-T"], ["x-t"], id="another header for it"),
        pytest.param({"headers": {"X-T": "{{ token.sid }}"}}, ["X-T"], ["x-t"], id="a kept value"),
        pytest.param({"query": {"Auth": "{{ access_token }}"}}, [], ["auth"], id="in the query"),
        pytest.param({"headers": {"X-K": "{{ key }}"}}, ["X-K", "Authorization"], ["authorization", "x-k"], id="a key"),
        pytest.param(
            {"body": {"a": {"b": ["{{ key }}"]}, "c": 1}}, ["Authorization"], ["a", "authorization"], id="in the body"
        ),
        pytest.param(
            {"headers": {"X-S": "{{ username | hmac_sha256(client_secret) }}"}},
            ["X-S", "Authorization"],
            ["authorization", "x-s"],
            id="a hash",
        ),
        pytest.param(
            {"headers": {"X-A": "1"}, "locked": ["X-a"]},
            ["X-A", "Authorization"],
            ["authorization", "x-a"],
            id="as the author says",
        ),
        pytest.param(
            {"headers": {"authorization": "Basic {{ key }}"}}, ["authorization"], ["authorization"], id="their own"
        ),
        pytest.param(
            {"headers": {"X-A": "{{ username }}"}}, ["X-A", "Authorization"], ["authorization"], id="no secret"
        ),
    ],
)
def test_what_is_put_on_every_call(request_part: dict[str, Any], headers: list[str], locked: list[str]) -> None:
    """The bearer token unless the author says how it travels; what uses a secret is locked in any case."""
    value = changed(
        ("fields", [{"key": "key", "label": "Key", "type": "secret"}]),
        ("token.response", {"keep": {"sid": "sid"}}),
        ("request", request_part),
    )
    parameters = read(value).request

    assert headers == list(parameters.headers)
    assert locked == sorted(parameters.locked)


@pytest.mark.parametrize(
    ("field", "keep"),
    [
        ({}, Keep.PLAIN),
        ({"type": "secret"}, Keep.SEALED),
        ({"type": "secret", "keep": "never"}, Keep.NEVER),
        ({"type": "otp"}, Keep.NEVER),
        ({"keep": "sealed"}, Keep.SEALED),
    ],
)
def test_how_long_a_field_lives(field: dict[str, Any], keep: Keep) -> None:
    """A secret is sealed, a code forgotten, all else plain, where the author says nothing."""
    found = read(changed(("fields", [{"key": "a", "label": "A", **field}]))).fields[0]

    assert keep is found.keep
    assert found.required


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        pytest.param({"type": "choice"}, ("", "required_key"), id="a choice without choices"),
        pytest.param({"type": "choice", "choices": {}}, ("choices", "wrong_length"), id="no choices"),
        pytest.param(
            {"type": "choice", "choices": {"a": "A"}, "default": "b"}, ("default", "wrong_value"), id="another"
        ),
        pytest.param(
            {"type": "choice", "choices": {"a": "A"}, "pattern": "a"}, ("pattern", "contradiction"), id="pattern"
        ),
        pytest.param({"type": "number", "default": "1"}, ("default", "wrong_type"), id="a text for a number"),
        pytest.param({"type": "number", "default": True}, ("default", "wrong_type"), id="true for a number"),
        pytest.param({"type": "boolean", "default": 1}, ("default", "wrong_type"), id="one for true"),
        pytest.param({"default": 1}, ("default", "wrong_type"), id="a number for a text"),
        pytest.param({"type": "secret", "default": "x"}, ("default", "contradiction"), id="a secret's default"),
        pytest.param({"keep": "sealed", "default": "x"}, ("default", "contradiction"), id="a sealed value's default"),
        pytest.param({"type": "secret", "keep": "plain"}, ("keep", "contradiction"), id="a secret in the clear"),
        pytest.param({"type": "otp", "keep": "sealed"}, ("keep", "contradiction"), id="a code that is kept"),
        pytest.param({"type": "boolean", "min_length": 1}, ("min_length", "contradiction"), id="length of a boolean"),
        pytest.param({"min_length": 3, "max_length": 2}, ("min_length", "contradiction"), id="lengths crossed"),
        pytest.param({"type": "host"}, ("", "host_rule_missing"), id="any host"),
        pytest.param({"type": "host", "self_hosted": False}, ("", "host_rule_missing"), id="no host at all"),
        pytest.param(
            {"type": "host", "self_hosted": True, "hosts": ["a.example.com"]},
            ("self_hosted", "contradiction"),
            id="both",
        ),
        pytest.param({"self_hosted": True}, ("self_hosted", "contradiction"), id="a text that is a host"),
        pytest.param({"hosts": ["a.example.com"]}, ("hosts", "contradiction"), id="hosts of a text"),
        pytest.param(
            {"type": "totp_seed", "required": True}, ("required", "contradiction"), id="a seed from everybody"
        ),
        pytest.param({"type": "totp_seed", "keep": "never"}, ("keep", "contradiction"), id="a seed for one login"),
        pytest.param({"type": "totp_seed", "keep": "plain"}, ("keep", "contradiction"), id="a seed in the clear"),
        pytest.param({"type": "totp_seed", "pattern": "a"}, ("pattern", "contradiction"), id="the form of a seed"),
        pytest.param({"type": "totp_seed", "default": "A"}, ("default", "contradiction"), id="a seed for everybody"),
        pytest.param({"type": "choice"}, ("", "required_key"), id="nothing to choose from"),
        pytest.param(
            {"type": "choice", "choices_from": "a"}, ("choices_from", "contradiction"), id="choices of no answer"
        ),
        pytest.param({"visible_when": {}}, ("visible_when", "wrong_length"), id="a condition without a part"),
        pytest.param({"visible_when": "x"}, ("visible_when", "wrong_type"), id="a condition that is a text"),
    ],
)
def test_a_field_that_contradicts_itself(field: dict[str, Any], expected: tuple[str, str]) -> None:
    """What means nothing, or two things, is an error at the key that is too much."""
    key, code = expected

    assert [(f"/fields/0/{key}".rstrip("/"), code)] == faults(
        changed(("fields", [{"key": "a", "label": "A", **field}]))
    )


@pytest.mark.parametrize(
    "field",
    [
        {"type": "choice", "choices": {"a": "A"}, "default": "a"},
        {"type": "number", "default": 1.5},
        {"type": "boolean", "default": False},
        {"min_length": 2, "max_length": 2, "pattern": "[a-z]+", "default": "ab"},
        {"type": "host", "hosts": ["*.example.com"]},
        {"type": "url", "default": "https://a.example"},
    ],
)
def test_a_field_that_is_fine(field: dict[str, Any]) -> None:
    """The neighbours of what contradicts itself."""
    assert [] == faults(changed(("fields", [{"key": "a", "label": "A", **field}])))


FIELD = {"key": "a", "label": "A"}
WHEN = {"status": [400]}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param([("password", {"keep": "offer"})], [("/password", "required_key")], id="kept without a reason"),
        pytest.param([("fields", [FIELD, FIELD])], [("/fields/1/key", "duplicate")], id="two fields of one name"),
        pytest.param(
            [("fields", [{**FIELD, "key": "token"}])], [("/fields/0/key", "reserved_name")], id="a taken name"
        ),
        pytest.param(
            [("fields", [FIELD]), ("challenges", [{"when": WHEN, "ask": [FIELD], "then": {}}])],
            [("/challenges/0/ask/0/key", "reserved_name")],
            id="a question with a field's name",
        ),
        pytest.param(
            [("challenges", [{"when": WHEN, "ask": [FIELD, FIELD], "then": {}}])],
            [("/challenges/0/ask/1/key", "duplicate")],
            id="two questions of one name",
        ),
        pytest.param(
            [("challenges", [{"when": WHEN, "capture": {"client_id": "x"}, "then": {}}])],
            [("/challenges/0/capture/client_id", "reserved_name")],
            id="a captured value with a taken name",
        ),
        pytest.param(
            [("challenges", [{"when": WHEN, "ask": [FIELD]}])],
            [("/challenges/0", "required_key")],
            id="asked for nothing",
        ),
        pytest.param([("challenges", [{"when": WHEN}])], [], id="a challenge that can't be answered here"),
        pytest.param(
            [("challenges", [{"when": WHEN, "ask": [FIELD], "then": {}}] * 2)],
            [],
            id="the same question in two challenges",
        ),
        pytest.param(
            [("allowed_urls", ["https://*.example.com"])], [("/allowed_urls/0", "required_key")], id="no base for calls"
        ),
        pytest.param(
            [("allowed_urls", ["https://*.example.com"]), ("request.base_url", "https://a.example.com")],
            [],
            id="a base",
        ),
        pytest.param(
            [("password", KEPT), ("fields", [{**FIELD, "type": "otp"}])],
            [("/fields/0/type", "contradiction")],
            id="a code at each login, with a kept password",
        ),
        pytest.param([("fields", [{**FIELD, "type": "otp"}])], [], id="a code at each login, by the person"),
        pytest.param([("allowed_urls", ["https://a.example.com"] * 2)], [("/allowed_urls/1", "duplicate")], id="twice"),
        pytest.param(
            [("token.headers", {"X-A": "1", "x-a": "2"})], [("/token/headers/x-a", "duplicate")], id="a header twice"
        ),
        pytest.param([("title", "{{ username }}")], [("/title", "wrong_value")], id="a template in a title"),
        pytest.param([("token.params", {"a": 1e400})], [("/token/params/a", "number_not_finite")], id="infinity"),
        pytest.param([("token.params", {"a": {"b": "{{ x }}"}})], [("/token/params/a/b", "unknown_name")], id="deep"),
        pytest.param(
            [("token.params", {"": "a"})], [("/token/params/", "wrong_value")], id="a parameter without a name"
        ),
        pytest.param([("trust.alternative", "acme-2")], [], id="another connector"),
        pytest.param(
            [("trust.alternative", "Acme 2")], [("/trust/alternative", "url_invalid")], id="neither id nor URL"
        ),
        pytest.param(
            [("links", {"unlock": "http://a.example"})], [("/links/unlock", "url_invalid")], id="a link by http"
        ),
        pytest.param([("docs_url", "http://a.example:8080/x")], [], id="documentation by http"),
        pytest.param([("retires", {"on": "2027-02-30"})], [("/retires/on", "wrong_value")], id="no such day"),
        pytest.param([("retires", {"on": "20270131"})], [("/retires/on", "wrong_value")], id="a day without dashes"),
        pytest.param(
            [("retires", {"source": "x"})],
            [("/retires", "required_key"), ("/retires/source", "url_invalid")],
            id="no day",
        ),
        pytest.param([("docs_url", "https://u@a.example")], [("/docs_url", "url_invalid")], id="a user in a link"),
    ],
)
def test_what_only_the_whole_file_tells(changes: list[tuple[str, Any]], expected: list[tuple[str, str]]) -> None:
    """Keys that are right one by one, and wrong together."""
    assert expected == faults(changed(*changes))


@pytest.mark.parametrize(
    ("session", "expected"),
    [
        pytest.param({"limit": 2}, SessionRules(limit=2), id="how many"),
        pytest.param({"logout_first": True}, SessionRules(logout_first=True), id="who makes room"),
        pytest.param({"limit": 1, "logout_first": True}, SessionRules(True, 1), id="both"),
        pytest.param({"limit": 1, "logout_first": False}, SessionRules(limit=1), id="the provider makes it"),
    ],
)
def test_few_sessions(session: dict[str, object], expected: SessionRules) -> None:
    """What is said is kept, and written back."""
    found = read(changed(("session", session)))

    assert expected == found.session
    assert {"logout_first": expected.logout_first} | session == dump_connector(found)["session"]
    assert "session" not in dump_connector(read(changed()))


@pytest.mark.parametrize(
    ("session", "expected"),
    [
        pytest.param({}, ("/session", "required_key"), id="nothing"),
        pytest.param({"logout_first": False}, ("/session", "required_key"), id="what is so anyhow"),
        pytest.param({"limit": 0}, ("/session/limit", "out_of_range"), id="none at all"),
        pytest.param({"limit": 101}, ("/session/limit", "out_of_range"), id="no limit worth the name"),
        pytest.param({"limit": "1"}, ("/session/limit", "wrong_type"), id="a text"),
        pytest.param({"limit": 1, "logout": True}, ("/session/logout", "unknown_key"), id="no such key"),
    ],
)
def test_no_sessions(session: dict[str, object], expected: tuple[str, str]) -> None:
    """What would mean nothing is no way to say it."""
    assert [expected] == faults(changed(("session", session)))


def test_not_an_object() -> None:
    """A file that is a list or a text is no connector."""
    assert [("", "wrong_type")] == faults([])
    assert [("", "wrong_type")] == faults("keyturn")


def test_null_is_not_given() -> None:
    """A key that is null counts as absent: fine where there is a default, else missing."""
    assert read(SMALLEST) == read({**SMALLEST, "docs_url": None, "refresh": None})
    assert [("", "required_key")] == faults({**SMALLEST, "title": None})


def test_each_code_has_a_meaning() -> None:
    """The register of codes says a sentence about each."""
    assert set(Fault) == set(MEANINGS)


def test_the_model_is_frozen() -> None:
    """What a version holds can't be changed by whoever reads it."""
    with pytest.raises(TypeError):
        example().token.params["scope"] = template("all")  # type: ignore[index]


def test_a_field_of_a_challenge_is_asked_as_it_is_written() -> None:
    """Required, and forgotten."""
    assert (
        Field("otp", "Code from your authenticator app", FieldType.OTP, keep=Keep.NEVER)
        == example().challenges[0].ask[0]
    )


@pytest.mark.parametrize(("more", "at_once"), [({}, 8), ({"renewals_at_once": 1}, 1), ({"renewals_at_once": 64}, 64)])
def test_how_many_renewals_may_be_under_way(more: dict[str, int], at_once: int) -> None:
    """Eight, where nothing else is said; and then a version's digest is what it was before the key was there."""
    limited = read(changed(("limits", {"logins": 3, "per": "15m", **more})))
    plain = read(changed(("limits", {"logins": 3, "per": "15m"})))

    assert at_once == limited.limits.renewals_at_once
    assert (digest(plain) == digest(limited)) is (at_once == 8)


@pytest.mark.parametrize("at_once", [0, 65])
def test_a_connector_renews_one_at_least_and_64_at_most(at_once: int) -> None:
    """What is outside is refused, at its place."""
    found = faults(changed(("limits", {"renewals_at_once": at_once})))

    assert ["/limits/renewals_at_once"] == [pointer for pointer, _ in found]
