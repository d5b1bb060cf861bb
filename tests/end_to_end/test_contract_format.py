"""The connector format, as an outsider reads the contract: defaults, encodings, client authentication, errors."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.utils import format_datetime
from typing import Any

import pytest

from tests.end_to_end.running import Server, running_server
from tests.end_to_end.scripted.connectors import ABSENT, call, connected, connector_for, install, shown, sign_in
from tests.end_to_end.scripted.provider import (
    CLIENT_ID,
    CLIENT_SECRET,
    PASSWORD,
    USERNAME,
    Answer,
    Scripted,
    Seen,
    scripted_provider,
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for this file."""
    with running_server(tmp_path_factory.mktemp("contract-format")) as running:
        yield running


@pytest.fixture
def provider() -> Iterator[Scripted]:
    """A provider for each test."""
    with scripted_provider() as running:
        yield running


def seconds_left(connection: dict[str, Any]) -> float | None:
    """How long the access token lives."""
    if connection["expires_at"] is None:
        return None
    return (datetime.fromisoformat(connection["expires_at"]) - datetime.now(UTC)).total_seconds()


# --- defaults


def test_the_smallest_connector(server: Server, provider: Scripted) -> None:
    """The defaults of the standard: the four parameters, Basic, GET test, the token put on, the first allowed URL."""
    connection = connected(server, provider, refresh=ABSENT, revoke=ABSENT)

    (token,), (test,) = provider.seen("/token"), provider.seen("/api/me")
    assert "POST" == token.method
    assert "application/x-www-form-urlencoded" == (token.header("content-type") or "").partition(";")[0]
    assert {"grant_type": "password", "username": USERNAME, "password": PASSWORD} == token.form()
    expected = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
    assert f"Basic {expected}" == token.header("authorization")
    assert ("GET", b"") == (test.method, test.body)
    assert test.bearer() in provider.secrets
    assert 200 == call(server, connection).status


def test_an_absent_refresh_step_still_refreshes_at_the_token_url(server: Server, provider: Scripted) -> None:
    """`refresh.url` is `token.url`, its parameters those of RFC 6749 section 6."""
    connection = connected(server, provider, refresh=ABSENT)

    renewed = server.ask("POST", f"/v1/connections/{connection['id']}/renew")

    assert 200 == renewed.status, renewed.body
    form = provider.seen("/token")[1].form()
    assert "refresh_token" == form["grant_type"]
    assert {"grant_type", "refresh_token"} == set(form)


def test_a_put_on_token_elsewhere_takes_the_default_away(server: Server, provider: Scripted) -> None:
    """`Authorization: Bearer` is put on unless a value of request uses the access token."""
    provider.always["/api/me"] = Answer(200, {"id": "1"})

    connected(server, provider, request={"query": {"token": "{{ access_token }}"}})

    (test,) = provider.seen("/api/me")
    assert test.header("authorization") is None
    assert test.query["token"] in provider.secrets


def test_published_versions_are_immutable_and_numbered(server: Server, provider: Scripted) -> None:
    """A connection stays on its version; a draft changes nothing before it is published."""
    definition = connector_for(provider)
    connector = install(server, definition)
    connection = sign_in(server, connector).json()
    changed = {**definition, "request": {"headers": {"X-New": "1"}}}
    server.ask("PUT", f"/v1/connectors/{connector}", changed)
    draft = call(server, connection, "echo").json()
    published = server.ask("POST", f"/v1/connectors/{connector}/publish")
    after = call(server, connection, "echo").json()

    assert (201, 2) == (published.status, published.json()["version"])
    for told in (draft, after):
        assert "x-new" not in {name.lower() for name, _ in told["headers"]}
    assert 1 == shown(server, connection)["connector_version"]


# --- encodings


def parsed_multipart(seen: Seen) -> dict[str, str]:
    """The parts of a multipart body."""
    whole = b"Content-Type: " + (seen.header("content-type") or "").encode() + b"\r\n\r\n" + seen.body
    parts = message_from_bytes(whole).get_payload()
    assert isinstance(parts, list)
    return {
        str(part.get_param("name", header="content-disposition")): part.get_payload(decode=True).decode()  # type: ignore[union-attr]
        for part in parts
    }


@pytest.mark.parametrize("encoding", ["form", "json", "multipart", "query"])
def test_each_encoding_carries_odd_values(server: Server, provider: Scripted, encoding: str) -> None:
    """Escaped for where they stand: the password arrives byte for byte."""
    odd = 'p&s=+ %41"\\/é€\r\n--x'
    provider.always["/token"] = lambda _: provider.issue("id-1", "f")
    connector = install(server, connector_for(provider, token={"url": f"{provider.url}/token", "encoding": encoding}))

    reply = sign_in(server, connector, password=odd)

    assert 201 == reply.status, reply.body
    (seen,) = provider.seen("/token")
    readers: dict[str, Callable[[], Any]] = {
        "form": seen.form,
        "json": lambda: json.loads(seen.body),
        "multipart": lambda: parsed_multipart(seen),
        "query": lambda: seen.query,
    }
    read = readers[encoding]()
    assert {"grant_type": "password", "username": USERNAME, "password": odd} == read


def test_nested_json(server: Server, provider: Scripted) -> None:
    """Params nested; a template is replaced in place, other scalars stay what they are."""
    provider.always["/token"] = lambda _: provider.issue("id-1", "f")
    params = {"auth": {"user": "{{ username }}", "secret": ["{{ password }}", 5, True]}, "n": 1}
    token = {"url": f"{provider.url}/token", "encoding": "json", "params": params}

    connected(server, provider, token=token)

    sent = json.loads(provider.seen("/token")[0].body)
    assert {"auth": {"user": USERNAME, "secret": [PASSWORD, 5, True]}, "n": 1} == sent


def test_method_and_headers_of_a_request(server: Server, provider: Scripted) -> None:
    """Any request has `method` and `headers`."""
    provider.always["/token"] = lambda _: provider.issue("id-1", "f")
    token = {"url": f"{provider.url}/token?keep=1", "method": "PUT", "headers": {"X-User": "{{ username | upper }}"}}
    bad = server.ask(
        "PUT", "/v1/connectors/unknown-filter", {**connector_for(provider, token=token), "connector": "unknown-filter"}
    )
    token["headers"] = {"X-User": "{{ username | base64 }}", "Accept": "application/json"}

    connected(server, provider, token=token)

    assert 422 == bad.status
    (seen,) = provider.seen("/token")
    assert ("PUT", {"keep": "1"}) == (seen.method, seen.query)
    assert base64.b64encode(USERNAME.encode()).decode() == seen.header("x-user")


def test_an_absent_optional_value_is_left_out(server: Server, provider: Scripted) -> None:
    """A parameter whose whole value is one template that names an absent optional value, or an empty one."""
    fields = [
        {"key": "tenant", "label": "Tenant", "type": "text", "required": False},
        {"key": "realm", "label": "Realm", "type": "text", "required": False},
    ]
    params = {
        "grant_type": "password",
        "username": "{{ username }}",
        "password": "{{ password }}",
        "tenant": "{{ tenant }}",
        "realm": "{{ realm }}",
    }
    connector = install(
        server, connector_for(provider, fields=fields, token={"url": f"{provider.url}/token", "params": params})
    )

    reply = sign_in(server, connector, fields={"realm": ""})

    assert 201 == reply.status, reply.body
    assert {"grant_type", "username", "password"} == set(provider.seen("/token")[0].form())


# --- client authentication


@pytest.mark.parametrize("how", ["basic", "basic_raw", "post", "none"])
def test_client_authentication(server: Server, provider: Scripted, how: str) -> None:
    """Exactly one, never two at once; Basic percent-encodes, a blank as %20; raw doesn't."""
    client = {"client_id": "my id+1", "client_secret": "s%c r+é"}
    connector = install(server, connector_for(provider, client={"authentication": how}), client=client)

    assert 201 == sign_in(server, connector).status

    (seen,) = provider.seen("/token")
    form, header = seen.form(), seen.header("authorization")
    if how in ("basic", "basic_raw"):
        told = base64.b64decode((header or "").removeprefix("Basic ")).decode()
        assert ("my%20id%2B1:s%25c%20r%2B%C3%A9" if how == "basic" else "my id+1:s%c r+é") == told
        assert not {"client_id", "client_secret"} & set(form)
    else:
        assert header is None
        assert "my id+1" == form["client_id"]
        assert ("s%c r+é" if how == "post" else None) == form.get("client_secret")


def test_refresh_and_revoke_authenticate_as_well(server: Server, provider: Scripted) -> None:
    """Revoke takes the client authentication of the token request; a request's own wins."""
    own = {"url": f"{provider.url}/revoke", "params": {"token": "{{ token }}"}, "authentication": "post"}
    connection = connected(server, provider, revoke=own)

    server.ask("POST", f"/v1/connections/{connection['id']}/renew")
    server.ask("DELETE", f"/v1/connections/{connection['id']}")

    assert provider.seen("/token")[1].header("authorization") == provider.seen("/token")[0].header("authorization")
    assert [CLIENT_SECRET] * 2 == [seen.form()["client_secret"] for seen in provider.seen("/revoke")]
    assert {None} == {seen.header("authorization") for seen in provider.seen("/revoke")}


# --- reading the answer


@pytest.mark.parametrize(
    ("expires", "value", "expected"),
    [
        pytest.param({"from": "expires_in", "unit": "s"}, 900, 900, id="s"),
        pytest.param({"from": "ttl", "unit": "ms"}, 900_000, 900, id="ms"),
        pytest.param({"from": "ttl", "unit": "minutes"}, "15", 900, id="minutes"),
        pytest.param({"from": "ttl", "unit": "absolute_s"}, "now+900", 900, id="absolute_s"),
        pytest.param({"from": "ttl", "unit": "absolute_ms"}, "now_ms+900", 900, id="absolute_ms"),
        pytest.param({"from": "ttl", "unit": "iso8601"}, "iso", 900, id="iso8601"),
        pytest.param({"from": "ttl", "unit": "http_date"}, "http", 900, id="http_date"),
        pytest.param({"from": "access_token", "unit": "jwt_exp"}, "jwt", 900, id="jwt_exp"),
        pytest.param({"from": "header:X-Ttl", "unit": "s"}, "header", 900, id="header"),
        pytest.param(None, None, None, id="nothing said"),
        pytest.param(None, "900", 900, id="default, a string"),
        pytest.param(None, True, None, id="a boolean"),
    ],
)
def test_expiry_forms(server: Server, provider: Scripted, expires: Any, value: Any, expected: float | None) -> None:
    """Every unit; nothing said is no expiry."""
    now = time.time()

    def answer(_: Seen) -> Answer:
        body: dict[str, Any] = {"access_token": "tok", "refresh_token": "ref"}
        headers = {}
        later = datetime.now(UTC) + timedelta(seconds=900)
        if value == "jwt":
            claims = base64.urlsafe_b64encode(json.dumps({"exp": int(now + 900)}).encode()).decode().rstrip("=")
            body["access_token"] = f"e30.{claims}.sig"
        elif value == "header":
            headers["X-Ttl"] = "900"
        elif expires is None:
            body |= {} if value is None else {"expires_in": value}
        else:
            forms = {
                "now+900": int(now + 900), "now_ms+900": int((now + 900) * 1000), "iso": later.isoformat(),
                "http": format_datetime(later, usegmt=True),
            }  # fmt: skip
            body[expires["from"]] = forms.get(value, value) if isinstance(value, str) else value
        return Answer(200, body, headers)

    provider.then("/token", answer)
    provider.then("/api/me", Answer(200, {"id": "1"}))
    response = {} if expires is None else {"expires": expires}
    connection = connected(server, provider, token={"url": f"{provider.url}/token", "response": response})

    left = seconds_left(connection)

    assert (left is None) == (expected is None)
    if expected is not None and left is not None:
        assert abs(left - expected) < 5


def test_default_ttl(server: Server, provider: Scripted) -> None:
    """Where the provider says nothing."""
    provider.token_extra = {"expires_in": None}

    connection = connected(server, provider, token={"url": f"{provider.url}/token", "default_ttl": 1200})

    assert abs((seconds_left(connection) or 0) - 1200) < 5


@pytest.mark.parametrize(
    ("answer", "response"),
    [
        pytest.param(
            Answer(200, {"data": {"t": "tok-1", "r": "ref-1"}}),
            {"access_token": "data.t", "refresh_token": "data.r"},
            id="nested",
        ),
        pytest.param(
            Answer(200, b"access_token=tok-1&refresh_token=ref-1", {"Content-Type": "text/html"}), {}, id="form"
        ),
        pytest.param(Answer(200, b"tok-1\n"), {"access_token": "@"}, id="bare text"),
        pytest.param(Answer(200, b'"tok-1"'), {"access_token": "@"}, id="a JSON string"),
        pytest.param(Answer(200, {}, {"X-Auth": "tok-1"}), {"access_token": "header:X-Auth"}, id="header"),
        pytest.param(Answer(201, {}, {"Set-Cookie": "sid=tok-1; Path=/"}), {"access_token": "cookie:sid"}, id="cookie"),
        pytest.param(
            Answer(200, b"\xef\xbb\xbf" + b'{"access_token": "tok-1"}', {"Content-Type": "text/plain"}),
            {},
            id="byte-order mark",
        ),
    ],
)
def test_where_the_token_stands(server: Server, provider: Scripted, answer: Answer, response: dict[str, str]) -> None:
    """By looking at the body, never at its Content-Type."""
    provider.then("/token", answer)
    provider.then("/api/me", Answer(200, {"id": "1"}))

    connected(server, provider, token={"url": f"{provider.url}/token", "response": response})

    assert "tok-1" == provider.seen("/api/me")[0].bearer()


def test_kept_values_of_an_answer(server: Server, provider: Scripted) -> None:
    """`response.keep` gives `{{ token.account_id }}`."""
    provider.token_extra = {"account": {"id": 17}}
    token = {"url": f"{provider.url}/token", "response": {"keep": {"account_id": "account.id"}}}
    request = {"headers": {"Authorization": "Bearer {{ access_token }}", "X-Account": "{{ token.account_id }}"}}

    connection = connected(server, provider, token=token, request=request)

    up = {name.lower(): value for name, value in call(server, connection, "echo").json()["headers"]}
    assert "17" == up["x-account"]


def test_a_refresh_token_that_is_not_repeated_is_kept(server: Server, provider: Scripted) -> None:
    """With `rotation: stable`, and an answer without a refresh token, the old one is sent the next time."""
    provider.rotating = False
    connection = connected(
        server,
        provider,
        refresh={
            "rotation": "stable",
            "params": {"grant_type": "refresh_token", "refresh_token": "{{ refresh_token }}"},
        },
    )
    provider.token_extra = {"refresh_token": None}

    for _ in range(2):
        assert 200 == server.ask("POST", f"/v1/connections/{connection['id']}/renew").status

    refreshes = provider.seen("/token", grant="refresh_token")
    assert 2 == len(refreshes)
    assert 1 == len({seen.refresh for seen in refreshes})


def test_refresh_none_ignores_the_refresh_token(server: Server, provider: Scripted) -> None:
    """Handed out but not honoured."""
    connection = connected(server, provider, refresh="none")

    renewed = server.ask("POST", f"/v1/connections/{connection['id']}/renew")

    assert (409, "renewal_not_possible") == (renewed.status, renewed.code)
    assert 1 == len(provider.seen("/token"))


@pytest.mark.parametrize("unit", ["s", "ms", "minutes"])
def test_response_retry_after(server: Server, provider: Scripted, unit: str) -> None:
    """Where the provider says how long to wait, with its unit."""
    value = {"s": 120, "ms": 120_000, "minutes": 2}[unit]
    response = {"retry_after": {"from": "wait", "unit": unit}}
    connector = install(server, connector_for(provider, token={"url": f"{provider.url}/token", "response": response}))
    provider.then("/token", Answer(429, {"wait": value}))

    reply = sign_in(server, connector)

    assert 429 == reply.status
    assert 117 <= int(reply.headers["retry-after"]) <= 120


@pytest.mark.parametrize(("form", "low", "high"), [("7", 5, 7), ("date", 50, 60), ("-5", 0, 60), ("soon", 0, 60)])
def test_retry_after_forms(server: Server, provider: Scripted, form: str, low: int, high: int) -> None:
    """Seconds or an HTTP date; what is neither is none."""
    value = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True) if form == "date" else form
    connector = install(server, connector_for(provider))
    provider.then("/token", Answer(429, {}, {"Retry-After": value}))

    reply = sign_in(server, connector)

    assert 429 == reply.status
    assert low <= int(reply.headers.get("retry-after", 0)) <= high


# --- revocation requests


def test_revoke_tokens_and_hints(server: Server, provider: Scripted) -> None:
    """By default the refresh token, then the access token, each with its hint."""
    connection = connected(server, provider)

    server.ask("DELETE", f"/v1/connections/{connection['id']}")

    sent = [seen.form() for seen in provider.seen("/revoke")]
    assert ["refresh_token", "access_token"] == [form["token_type_hint"] for form in sent]
    assert sent[0]["token"].startswith("rt-")
    assert sent[1]["token"].startswith("at-")


def test_revoke_as_the_connector_says(server: Server, provider: Scripted) -> None:
    """Its own tokens, method and headers."""
    revoke = {
        "url": f"{provider.url}/logout",
        "method": "DELETE",
        "tokens": ["access_token"],
        "params": {},
        "headers": {"Authorization": "Bearer {{ token }}"},
        "authentication": "none",
    }
    connection = connected(server, provider, revoke=revoke)
    provider.then("/logout", Answer(204))

    ended = server.ask("DELETE", f"/v1/connections/{connection['id']}")

    assert "disconnected" == ended.json()["state"]
    (seen,) = provider.seen("/logout")
    assert "DELETE" == seen.method
    assert seen.bearer().startswith("at-")


# --- errors of the file


def put(server: Server, definition: Any) -> Any:
    """PUT as JSON or, where it is text, as YAML; the answer."""
    name = "errors-of-the-file"
    if isinstance(definition, str):
        return server.ask("PUT", f"/v1/connectors/{name}", definition, headers={"Content-Type": "application/yaml"})
    return server.ask("PUT", f"/v1/connectors/{name}", {**definition, "connector": name})


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"connection_name": "{{ password }}"}, id="password in the name"),
        pytest.param({"unique_id": "{{ access_token }}"}, id="access token in the unique id"),
        pytest.param({"allowed_urls": ["https://api.example.com/{{ password }}"]}, id="password in allowed_urls"),
        pytest.param({"test": {"url": "https://api.example.com/{{ password }}"}}, id="password in the test"),
        pytest.param({"request": {"headers": {"X": "{{ password }}"}}}, id="password in request"),
        pytest.param({"request": {"headers": {"X": "{{ refresh_token }}"}}}, id="refresh token in request"),
        pytest.param(
            {"test": {"url": "https://api.example.com/", "params": {"x": "{{ refresh_token }}"}}},
            id="refresh token in the test",
        ),
        pytest.param(
            {"revoke": {"url": "https://api.example.com/r", "params": {"p": "{{ password }}"}}}, id="password in revoke"
        ),
        pytest.param({"token": {"url": "https://api.example.com/{{ client_secret }}"}}, id="client secret in a URL"),
        pytest.param({"request": {"base_url": "https://api.example.com/{{ access_token }}"}}, id="token in base_url"),
    ],
)
def test_secrets_in_wrong_places_cannot_be_saved(server: Server, provider: Scripted, changes: dict[str, Any]) -> None:
    """The rules of where a secret may stand."""
    assert 422 == put(server, connector_for(provider, **changes)).status


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"tokn": {}}, id="unknown key"),
        pytest.param({"on_duplicate": "merge"}, id="unknown word"),
        pytest.param({"unique_id": "{{ nobody }}"}, id="unknown name"),
        pytest.param({"unique_id": "{{ test.id | rot13 }}"}, id="unknown filter"),
        pytest.param({"unique_id": "{{ test.id"}, id="open template"),
        pytest.param({"allowed_urls": []}, id="nothing allowed"),
        pytest.param({"allowed_urls": ["https://*.com/x"]}, id="public suffix"),
        pytest.param({"allowed_urls": ["https://u:p@api.example.com"]}, id="userinfo"),
        pytest.param({"keyturn": 2}, id="another format"),
        pytest.param({"password": {"label": "P", "keep": "offer"}}, id="keep without a reason"),
        pytest.param({"limits": {"logins": 0, "per": "15m"}}, id="no logins"),
        pytest.param({"test": {"url": "https://api.example.com", "expect": {"body": "a ||"}}}, id="JMESPath"),
        pytest.param({"fields": [{"key": "password", "label": "x", "type": "text"}]}, id="a taken name"),
        pytest.param(
            {"fields": [{"key": "host", "label": "x", "type": "host"}], "token": {"url": "https://{{ host }}/t"}},
            id="a host without hosts",
        ),
        pytest.param(
            {"fields": [{"key": "a", "label": "x", "type": "text"}, {"key": "a", "label": "y", "type": "text"}]},
            id="a key twice",
        ),
        pytest.param(
            {"fields": [{"key": "tld", "label": "x", "type": "text"}], "token": {"url": "https://api.{{ tld }}/t"}},
            id="template as the domain",
        ),
        pytest.param({"token": {"url": "ftp://api.example.com"}}, id="scheme"),
    ],
)
def test_errors_of_a_file(server: Server, provider: Scripted, changes: dict[str, Any]) -> None:
    """422 with where and what; nothing is saved."""
    reply = put(server, connector_for(provider, **changes))

    assert (422, "connector_invalid") == (reply.status, reply.code), reply.body
    assert all({"pointer", "code", "message"} <= set(each) for each in reply.json()["errors"])
    assert 404 == server.ask("GET", "/v1/connectors/errors-of-the-file").status


def test_errors_have_their_line_and_column(server: Server) -> None:
    """Every error at once, each at its place, with the nearest known key."""
    text = (
        "keyturn: 1\n"
        "connector: errors-of-the-file\n"
        "title: T\n"
        "trust: {reason: because, note: n}\n"
        "token:\n"
        "  url: https://api.example.com/token\n"
        "  encodng: form\n"
        "test: {url: https://api.example.com/me}\n"
        "allowed_urls: [https://api.example.com]\n"
        "unique_id: '{{ test.id | shout }}'\n"
        "on_duplicate: sometimes\n"
    )

    reply = put(server, text)

    assert 422 == reply.status
    errors = {(each["line"], each["column"]): each["message"] for each in reply.json()["errors"]}
    assert {4, 7, 10, 11} == {line for line, _ in errors}
    assert (7, 3) in errors
    assert "encoding" in errors[7, 3]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("keyturn: 1\nkeyturn: 1\n", id="a key twice"),
        pytest.param("a: &x 1\nb: *x\n", id="alias"),
        pytest.param("a: !!python/object:os.system 1\n", id="tag"),
        pytest.param("[" * 40 + "]" * 40, id="depth"),
        pytest.param("a: [", id="syntax"),
        pytest.param("", id="empty"),
        pytest.param("- 1", id="list"),
        pytest.param("a: 1\n---\nb: 1\n", id="two documents"),
        pytest.param("title: '" + "x" * (256 * 1024) + "'\n", id="too large"),
        pytest.param("<<: {a: 1}\n", id="merge key"),
    ],
)
def test_yaml_tricks(server: Server, text: str) -> None:
    """YAML 1.2 without aliases, tags and duplicate keys; 256 KiB, depth 32."""
    reply = put(server, text)

    assert reply.status in (413, 422), reply.body
    assert reply.code in ("connector_invalid", "payload_too_large"), reply.body


def test_plain_scalars_are_yaml_12(server: Server, provider: Scripted) -> None:
    """`no` and `on` are words."""
    choices = "fields: [{key: c, label: C, type: choice, choices: {no: No, on: On}, default: no}]\n"
    text = json.dumps(connector_for(provider, connector="yaml-words"))[1:-1]
    reply = server.ask("PUT", "/v1/connectors/yaml-words", choices + "\n".join(
        f"{key}: {json.dumps(value)}" for key, value in json.loads("{" + text + "}").items()
    ) + "\n", headers={"Content-Type": "application/yaml"})  # fmt: skip

    assert reply.status in (200, 201), reply.body


def test_the_persons_address_is_passed_on_where_the_provider_asks(server: Server, provider: Scripted) -> None:
    """In the login alone, as the caller's server said it; it rests nowhere, and another header than that is refused."""
    name = install(server, connector_for(provider, client_address_header="X-Forwarded-For"))
    connection = sign_in(server, name, client_address="2001:DB8:77:0::7").json()

    renewed = server.ask("POST", f"/v1/connections/{connection['id']}/renew")
    refused = put(server, connector_for(provider, client_address_header="Cookie"))

    assert 200 == renewed.status, renewed.body
    assert ["2001:db8:77::7", None] == [each.header("x-forwarded-for") for each in provider.seen("/token")]
    assert [None] == [each.header("x-forwarded-for") for each in provider.seen("/api/me")]
    assert (422, ["/client_address_header"]) == (refused.status, [e["pointer"] for e in refused.json()["errors"]])
    files = [server.log, *(each for each in server.data.rglob("*") if each.is_file())]
    assert files
    assert [] == [each.name for each in files if b"2001:db8:77" in each.read_bytes().lower()]


def test_advice_is_corrected_in_place(server: Server, provider: Scripted) -> None:
    """Only advice differs: the same version, whose connections are told at once; more is refused, or a new version."""
    definition = connector_for(provider)
    path = f"/v1/connectors/{definition['connector']}"
    connection = connected(server, provider, **definition)
    retires = {"on": "2020-01-31", "source": "https://provider.example/news"}

    server.ask("PUT", path, {**definition, "retires": retires})
    corrected = server.ask("POST", f"{path}/publish")
    why = server.ask("GET", f"/v1/connections/{connection['id']}/why")
    server.ask("PUT", path, {**definition, "title": "Another"})
    refused = server.ask("POST", f"{path}/publish", {"corrects": 1})
    published = server.ask("POST", f"{path}/publish")

    assert (201, 1, "corrected", ["retires"]) == (
        corrected.status, *(corrected.json()[name] for name in ("version", "result", "corrected"))
    )  # fmt: skip
    assert "2020" in why.body.decode()
    assert (409, "version_immutable") == (refused.status, refused.code)
    assert "/title" in [each["pointer"] for each in refused.json()["errors"]]
    assert (2, "published") == (published.json()["version"], published.json()["result"])


def test_lint_findings_come_with_the_draft(server: Server, provider: Scripted) -> None:
    """A missing revoke, an unused field, insecure_http, private_network: findings, no errors; security first."""
    definition = connector_for(
        provider,
        connector="linted",
        revoke=ABSENT,
        fields=[{"key": "unused", "label": "Unused", "type": "text"}],
    )

    reply = server.ask("PUT", "/v1/connectors/linted", definition)

    assert 201 == reply.status, reply.body
    findings = json.dumps(reply.json())
    assert "revoke" in findings
    assert "unused" in findings
    assert "insecure_http" in findings or "http" in findings


def test_a_secret_of_the_refresh_never_goes_to_another_host(server: Server) -> None:
    """Literals in `request` that look like a secret are refused."""
    definition = {
        "keyturn": 1, "connector": "literal-secret", "title": "T", "trust": {"reason": "legacy", "note": "n"},
        "token": {"url": "https://api.example.com/t"}, "test": {"url": "https://api.example.com/me"},
        "allowed_urls": ["https://api.example.com"], "unique_id": "{{ test.id }}",
        "request": {"headers": {"X-Api-Key": "sk_live_51H8xkj3498hfkjdhf8934hfkjh"}},
    }  # fmt: skip

    saved = server.ask("PUT", "/v1/connectors/literal-secret", definition)
    published = server.ask("POST", "/v1/connectors/literal-secret/publish")

    assert 422 == saved.status or published.status in (409, 422)


def test_a_token_host_is_pinned(server: Server, provider: Scripted) -> None:
    """A later version can't send an old refresh token elsewhere; a connection stays on its version."""
    with scripted_provider() as other:
        definition = connector_for(provider)
        connector = install(server, definition)
        connection = sign_in(server, connector).json()
        install(server, {**definition, "token": {"url": f"{other.url}/token"}})

        renewed = server.ask("POST", f"/v1/connections/{connection['id']}/renew")

        assert 200 == renewed.status
        assert [] == other.log


@pytest.mark.parametrize(
    ("type_", "good", "bad"),
    [
        pytest.param("number", "12", "1e", id="number"),
        pytest.param("boolean", True, "perhaps", id="boolean"),
        pytest.param("url", "https://a.example/x", "javascript:alert(1)", id="url"),
        pytest.param("email", "a@b.example", "a@", id="email"),
    ],
)
def test_field_types(server: Server, provider: Scripted, type_: str, good: Any, bad: Any) -> None:
    """Good values are taken, others named."""
    fields = [{"key": "value", "label": "V", "type": type_}]
    connector = install(server, connector_for(provider, fields=fields, request={"headers": {"X-V": "{{ value }}"}}))

    refused = sign_in(server, connector, fields={"value": bad})
    taken = sign_in(server, connector, fields={"value": good})

    assert (422, "validation_failed") == (refused.status, refused.code)
    assert 201 == taken.status, taken.body


def test_lifetimes_of_fields(server: Server, provider: Scripted) -> None:
    """A `plain` field is shown, a `sealed` one never, a `never` one is forgotten."""
    fields = [
        {"key": "open", "label": "O", "type": "text", "keep": "plain"},
        {"key": "shut", "label": "S", "type": "text", "keep": "sealed"},
        {"key": "once", "label": "N", "type": "text", "keep": "never"},
    ]
    params = {
        "grant_type": "password",
        "username": "{{ username }}",
        "password": "{{ password }}",
        "once": "{{ once }}",
    }
    connector = install(
        server,
        connector_for(
            provider,
            fields=fields,
            token={"url": f"{provider.url}/token", "params": params},
            request={"headers": {"X-Open": "{{ open }}", "X-Shut": "{{ shut }}"}},
        ),
    )

    made = sign_in(server, connector, fields={"open": "open-1", "shut": "shut-canary", "once": "once-canary"})

    assert 201 == made.status, made.body
    assert "open-1" in made.body.decode()
    assert "shut-canary" not in made.body.decode()
    assert "once-canary" not in made.body.decode()
    assert "once-canary" == provider.seen("/token")[0].form()["once"]
    up = {name.lower(): value for name, value in call(server, made.json(), "echo").json()["headers"]}
    assert ("open-1", "shut-canary") == (up["x-open"], up["x-shut"])
