"""Calls, as an outsider reads the contract: what goes up, what comes back, what a stale answer causes."""

from __future__ import annotations

import base64
import contextlib
import gzip
import hashlib
import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.end_to_end.running import ADMIN_KEY, Reply, Server, running_server, wait_for
from tests.end_to_end.scripted.connectors import call, connected, connector_for, install, shown, sign_in
from tests.end_to_end.scripted.provider import Answer, Scripted, Seen, fingerprint, scripted_provider


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for this file."""
    with running_server(tmp_path_factory.mktemp("contract-calls")) as running:
        yield running


@pytest.fixture
def provider() -> Iterator[Scripted]:
    """A provider for each test."""
    with scripted_provider() as running:
        yield running


def renewals(provider: Scripted) -> list[Seen]:
    """Refreshes that the provider saw."""
    return provider.seen("/token", grant="refresh_token")


def raw_call(server: Server, request: bytes, timeout_s: float = 10) -> bytes:
    """Bytes in, bytes out, until the server closes."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=timeout_s) as wire:
        wire.sendall(request)
        found = b""
        while piece := wire.recv(65536):
            found += piece
        return found


# --- what goes up


def test_headers_up(server: Server, provider: Scripted) -> None:
    """Not sent: hop-by-hop, Connection-named, the caller's credentials and cookies, Keyturn-*; the rest is."""
    connection = connected(server, provider)

    reply = call(
        server,
        connection,
        "echo",
        headers={
            "Connection": "X-Named, keep-alive",
            "X-Named": "hop",
            "Keep-Alive": "5",
            "Proxy-Authorization": "Basic abc",
            "TE": "trailers",
            "Upgrade": "x",
            "Cookie": "session=canary",
            "Keyturn-Anything": "1",
            "X-Mine": "kept",
            "Accept": "text/x",
            "User-Agent": "mine/1",
            "Accept-Language": "de",
            "Idempotency-Key": "callers-own",
            "If-None-Match": '"abc"',
        },
    )

    up = {name.lower(): value for name, value in reply.json()["headers"]}
    for name in ("x-named", "keep-alive", "proxy-authorization", "te", "upgrade", "cookie", "keyturn-anything"):
        assert name not in up, name
    assert ADMIN_KEY not in json.dumps(up)
    assert ("kept", "text/x", "mine/1", "de") == (
        up["x-mine"],
        up["accept"],
        up["user-agent"],
        up["accept-language"],
    )
    assert ("callers-own", '"abc"') == (up["idempotency-key"], up["if-none-match"])
    assert up["authorization"].removeprefix("Bearer ") in provider.secrets
    assert f"127.0.0.1:{provider.port}" == up["host"]


def test_the_key_may_stand_in_keyturn_key(server: Server, provider: Scripted) -> None:
    """`Keyturn-Key` is the other place of an API key; a locked Authorization of the caller's doesn't go up."""
    connection = connected(server, provider)

    reply = call(
        server, connection, "echo", key=None, headers={"Keyturn-Key": ADMIN_KEY, "Authorization": "Bearer mine"}
    )

    assert 200 == reply.status
    up = {name.lower(): value for name, value in reply.json()["headers"]}
    assert "keyturn-key" not in up
    assert up["authorization"].removeprefix("Bearer ") in provider.secrets


def test_headers_down(server: Server, provider: Scripted) -> None:
    """Not handed back: Keyturn-*, Set-Cookie, Clear-Site-Data, HSTS, hop-by-hop; the source is said."""
    connection = connected(server, provider)
    extra = {
        "Set-Cookie": "a=b",
        "Clear-Site-Data": '"*"',
        "Strict-Transport-Security": "max-age=1",
        "Keyturn-Source": "broker",
        "Keyturn-Code": "not_found",
        "Connection": "X-Hop",
        "X-Hop": "1",
        "Proxy-Authenticate": "Basic",
        "X-Api": "yes",
        "ETag": '"e"',
        "X-RateLimit-Remaining": "3",
    }
    provider.then("/api/x", Answer(203, b"body", extra, extra=(("Set-Cookie", "c=d"), ("X-Two", "1"), ("X-Two", "2"))))

    reply = call(server, connection, "x")

    assert (203, b"body", "upstream") == (reply.status, reply.body, reply.headers["keyturn-source"])
    for name in (
        "set-cookie",
        "clear-site-data",
        "strict-transport-security",
        "keyturn-code",
        "x-hop",
        "proxy-authenticate",
    ):
        assert name not in reply.headers, name
    assert ("yes", '"e"', "3") == (
        reply.headers["x-api"],
        reply.headers["etag"],
        reply.headers["x-ratelimit-remaining"],
    )


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_handed_on(server: Server, provider: Scripted, status: int) -> None:
    """As they are, never followed."""
    connection = connected(server, provider)
    provider.then("/api/x", Answer(status, b"", {"Location": f"{provider.url}/api/other"}))

    reply = call(server, connection, "x")

    assert (status, f"{provider.url}/api/other") == (reply.status, reply.headers["location"])
    assert [] == provider.seen("/api/other")


@pytest.mark.parametrize("status", [200, 201, 204, 304, 400, 403, 404, 409, 418, 429, 500, 503])
def test_statuses_are_handed_on(server: Server, provider: Scripted, status: int) -> None:
    """The API's answer is the API's, and is not repeated."""
    connection = connected(server, provider)
    provider.then("/api/x", Answer(status, b"" if status in (204, 304) else b"abc"))

    reply = call(server, connection, "x")

    assert (status, "upstream") == (reply.status, reply.headers["keyturn-source"])
    assert 1 == len(provider.seen("/api/x"))
    assert [] == renewals(provider)


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "QUERY"])
def test_any_method(server: Server, provider: Scripted, method: str) -> None:
    """`ANY /v1/proxy/...`."""
    connection = connected(server, provider)
    body = b"payload" if method not in ("GET", "DELETE", "OPTIONS") else None

    reply = call(server, connection, "echo?a=1&a=2&b=%20+", method, body=body)

    assert 200 == reply.status, reply.body
    assert method == reply.json()["method"]
    assert "/api/echo?a=1&a=2&b=%20+" == reply.json()["target"]
    assert (body or b"") == base64.b64decode(reply.json()["body"])


def test_head_has_headers_and_no_body(server: Server, provider: Scripted) -> None:
    """The length of the API's answer is told, no byte of it sent; the connection can be used again."""
    connection = connected(server, provider)
    wire = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    for method in ("HEAD", "GET", "HEAD"):
        wire.request(method, f"/v1/proxy/{connection['id']}/me", headers={"Authorization": f"Bearer {ADMIN_KEY}"})
        answer = wire.getresponse()
        body = answer.read()

        assert 200 == answer.status
        assert (method == "GET") == bool(body)
        assert int(answer.headers["content-length"]) > 0
    wire.close()


def test_range_goes_through(server: Server, provider: Scripted) -> None:
    """Range up, 206 and Content-Range down."""
    connection = connected(server, provider)
    provider.then("/api/x", Answer(206, b"cd", {"Content-Range": "bytes 2-3/10", "Accept-Ranges": "bytes"}))

    reply = call(server, connection, "x", headers={"Range": "bytes=2-3"})

    assert (206, b"cd", "bytes 2-3/10") == (reply.status, reply.body, reply.headers["content-range"])
    assert "bytes=2-3" == provider.seen("/api/x")[0].header("range")


def test_gzip_is_untouched(server: Server, provider: Scripted) -> None:
    """The bytes that the API sent, with its encoding; the caller's Accept-Encoding goes up as it is."""
    connection = connected(server, provider)
    packed = gzip.compress(b"hello" * 1000)
    provider.then("/api/x", Answer(200, packed, {"Content-Encoding": "gzip", "Content-Type": "text/plain"}))
    provider.then("/api/y", Answer(200, b"plain"))

    reply = call(server, connection, "x", headers={"Accept-Encoding": "gzip;q=0.5"})
    call(server, connection, "y", headers={"Accept-Encoding": "identity"})

    assert packed == reply.body
    assert "gzip" == reply.headers["content-encoding"]
    assert "gzip;q=0.5" == provider.seen("/api/x")[0].header("accept-encoding")
    assert "identity" == provider.seen("/api/y")[0].header("accept-encoding")


def test_a_stream_of_events_is_live(server: Server, provider: Scripted) -> None:
    """Each event arrives when it was sent, not when the stream ends."""
    connection = connected(server, provider)
    pieces = ((b"data: 1\n\n", 0.7), (b"data: 2\n\n", 0.7), (b"data: 3\n\n", 0))
    provider.then("/api/x", Answer(200, b"", {"Content-Type": "text/event-stream"}, pieces=pieces))
    wire = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    started = time.monotonic()
    wire.request("GET", f"/v1/proxy/{connection['id']}/x", headers={"Authorization": f"Bearer {ADMIN_KEY}"})
    answer = wire.getresponse()
    first = answer.read1(100)
    at = time.monotonic() - started
    rest = answer.read()
    wire.close()

    assert b"data: 1\n\n" == first
    assert at < 0.6
    assert b"data: 2\n\ndata: 3\n\n" == rest


def test_an_upload_is_live(server: Server, provider: Scripted) -> None:
    """A chunked body goes up as it comes, whole."""
    connection = connected(server, provider)

    def pieces() -> Iterator[bytes]:
        for number in range(5):
            yield f"piece-{number};".encode()
            time.sleep(0.05)

    wire = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    head = {"Authorization": f"Bearer {ADMIN_KEY}", "Transfer-Encoding": "chunked"}
    wire.request("POST", f"/v1/proxy/{connection['id']}/echo", pieces(), head, encode_chunked=True)
    answer = wire.getresponse()
    told = json.loads(answer.read())
    wire.close()

    assert b"piece-0;piece-1;piece-2;piece-3;piece-4;" == base64.b64decode(told["body"])


def test_expect_100_continue(server: Server, provider: Scripted) -> None:
    """The caller that waits gets its 100, and then the answer."""
    connection = connected(server, provider)
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as wire:
        head = (
            f"PUT /v1/proxy/{connection['id']}/echo HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {ADMIN_KEY}\r\n"
            "Content-Length: 5\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n"
        )
        wire.sendall(head.encode())
        first = wire.recv(4096)
        wire.sendall(b"hello")
        rest = b""
        while piece := wire.recv(65536):
            rest += piece

    assert first.startswith(b"HTTP/1.1 100")
    assert b"HTTP/1.1 200" in first + rest
    assert base64.b64encode(b"hello") in rest


def test_large_bodies_both_ways(server: Server, provider: Scripted) -> None:
    """100 MB up and down, byte for byte, in flat memory."""
    connection = connected(server, provider)
    big = bytes(range(256)) * (100 * 4096)
    provider.then("/api/x", Answer(200, big))
    status_file = f"/proc/{server.process.pid}/status" if server.process else ""

    def resident_mib() -> int:
        with open(status_file) as lines:
            return next(int(line.split()[1]) // 1024 for line in lines if line.startswith("VmHWM"))

    before = resident_mib()
    down = call(server, connection, "x")
    up = call(server, connection, "echo", "POST", body=big)

    assert hashlib.sha256(big).digest() == hashlib.sha256(down.body).digest()
    assert (len(big), hashlib.sha256(big).hexdigest()) == (up.json()["length"], up.json()["sha256"])
    assert resident_mib() - before < 60


def test_a_cut_answer_is_a_cut_answer(server: Server, provider: Scripted) -> None:
    """Half a body isn't made to look whole."""
    connection = connected(server, provider)
    provider.then("/api/x", Answer(200, b"0123456789", cut=4))

    with pytest.raises((http.client.IncompleteRead, ConnectionError)):
        call(server, connection, "x")


@pytest.mark.parametrize(
    ("answer", "statuses"),
    [
        pytest.param(Answer(reset=True), {502, 504}, id="reset"),
        pytest.param(Answer(raw=b"nonsense\r\n\r\n"), {502}, id="no HTTP"),
        pytest.param(Answer(raw=b""), {502, 504}, id="closed"),
        pytest.param(
            Answer(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"), {502}, id="two lengths"
        ),
    ],
)
def test_an_api_that_talks_nonsense(server: Server, provider: Scripted, answer: Answer, statuses: set[int]) -> None:
    """502 or 504 provider_…, said by the broker, sent once where it may have been received."""
    connection = connected(server, provider)
    provider.then("/api/x", answer)

    reply = call(server, connection, "x", "POST", body=b"x")

    assert reply.status in statuses, (reply.status, reply.body)
    assert "broker" == reply.headers["keyturn-source"]
    assert (reply.code or "").startswith("provider_")
    assert 1 == len(provider.seen("/api/x"))
    assert "active" == shown(server, connection)["state"]


def test_an_api_that_is_not_there(server: Server, provider: Scripted) -> None:
    """502 provider_unreachable."""
    connection = connected(server, provider)
    provider.close()

    reply = call(server, connection)

    assert (502, "provider_unreachable") == (reply.status, reply.code)


# --- where it goes


def test_how_the_path_is_joined(server: Server, provider: Scripted) -> None:
    """With no path the base itself, with a slash the base and a slash."""
    connection = connected(server, provider)
    base = f"/v1/proxy/{connection['id']}"

    def target(path: str) -> Any:
        reply = server.ask("GET", path)
        return reply.json()["target"] if reply.status == 200 else (reply.status, reply.code)

    assert "/api" == target(base)
    assert "/api/" == target(base + "/")
    assert "/api?x=1" == target(base + "?x=1")
    assert "/api/users:batchGet" == target(base + "/users:batchGet")
    assert "/api/a%20b/@c" == target(base + "/a%20b/@c")
    assert "/api/%E2%82%AC" == target(base + "/%E2%82%AC")
    assert "/api/x?u=http://a.example/..%2f" == target(base + "/x?u=http://a.example/..%2f")


@pytest.mark.parametrize(
    "path",
    [
        "../x", "a/../../x", "%2e%2e/x", "..;/x", "%252e%252e/x", "a%2fb", "a%5cb", "a\\b", "%00", "%0d%0aX:1", "%7f",
        "//evil.example", "http://evil.example", "HTTPS:/evil.example", "ftp://a/", "%", "%zz", "%ff", "a%252fb",
        "x?%00", "x?%zz", "x" * 9000,
    ],
)  # fmt: skip
def test_odd_paths_are_refused(server: Server, provider: Scripted, path: str) -> None:
    """403 url_not_allowed (or a request that no server reads), and the API sees nothing."""
    connection = connected(server, provider)
    before = len(provider.log)
    head = f"GET /v1/proxy/{connection['id']}/{path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {ADMIN_KEY}\r\n"

    answer = raw_call(server, (head + "Connection: close\r\n\r\n").encode("latin-1"))

    assert answer.split(b" ")[1] in (b"403", b"400", b"414"), answer[:300]
    assert b"url_not_allowed" in answer or b" 403" not in answer[:20]
    assert before == len(provider.log)


@pytest.mark.parametrize(
    ("base", "status"),
    [
        pytest.param("{url}/api", 200, id="the same"),
        pytest.param("{url}/api/sub", 200, id="below"),
        pytest.param("{url}/other", 403, id="beside"),
        pytest.param("{url}/apiary", 403, id="prefix of a segment"),
        pytest.param("{url}", 403, id="above"),
        pytest.param("http://localhost:{port}/api", 403, id="another name"),
        pytest.param("http://127.1:{port}/api", 403, id="odd address"),
        pytest.param("http://u@127.0.0.1:{port}/api", 403, id="userinfo"),
        pytest.param("https://127.0.0.1:{port}/api", 403, id="scheme"),
        pytest.param("http://169.254.169.254/api", 403, id="metadata"),
        pytest.param("file:///etc", 403, id="file"),
        pytest.param("nonsense", 403, id="no URL"),
    ],
)
def test_keyturn_base_url(server: Server, provider: Scripted, base: str, status: int) -> None:
    """An allowed base takes the place of base_url; another is refused."""
    connection = connected(server, provider)
    value = base.format(url=provider.url, port=provider.port)
    before = len(provider.log)

    reply = call(server, connection, "echo", headers={"Keyturn-Base-Url": value})

    assert status == reply.status, reply.body
    if status == 403:
        assert "url_not_allowed" == reply.code
        assert before == len(provider.log)


def test_base_url_need_not_be_covered_itself(server: Server, provider: Scripted) -> None:
    """The joined URL must."""
    connection = connected(
        server,
        provider,
        request={"base_url": provider.url},
        allowed_urls=[f"{provider.url}/api"],
    )

    inside, outside = call(server, connection, "api/echo"), call(server, connection, "other")

    assert (200, 403) == (inside.status, outside.status)


# --- request parameters


def test_default_and_locked_parameters(server: Server, provider: Scripted) -> None:
    """The caller's value wins over a default, never over a locked one; a secret one is always locked."""
    fields = [{"key": "api_key", "label": "Key", "type": "secret"}]
    request = {
        "headers": {
            "Authorization": "Bearer {{ access_token }}", "X-Default": "d",
            "X-Locked": "l", "X-Secret": "{{ api_key }}",
        },
        "query": {"version": "v2", "lock": "1", "k": "{{ api_key }}"},
        "locked": ["X-Locked", "lock"],
    }  # fmt: skip
    connector = install(server, connector_for(provider, fields=fields, request=request))
    made = sign_in(server, connector, fields={"api_key": "key-canary"})
    assert made.status == 201, made.body
    connection = made.json()
    mine = {
        "X-Default": "mine",
        "X-Locked": "mine",
        "X-Secret": "mine",
        "Keyturn-Key": ADMIN_KEY,
        "authorization": "Bearer mine",
    }

    plain = call(server, connection, "echo").json()
    other = call(server, connection, "echo?version=v9&lock=9&k=9&z=1", key=None, headers=mine).json()

    up, over = ({k.lower(): v for k, v in each["headers"]} for each in (plain, other))
    assert ("d", "l", "key-canary") == (up["x-default"], up["x-locked"], up["x-secret"])
    assert {"version=v2", "lock=1", "k=key-canary"} == set(plain["target"].partition("?")[2].split("&"))
    assert ("mine", "l", "key-canary") == (over["x-default"], over["x-locked"], over["x-secret"])
    assert {"version=v9", "lock=1", "k=key-canary", "z=1"} == set(other["target"].partition("?")[2].split("&"))
    assert over["authorization"].removeprefix("Bearer ") in provider.secrets


@pytest.mark.parametrize(
    ("type_", "sent", "expected"),
    [
        pytest.param("application/json", b'{"a": 1}', {"a": 1, "tenant": "t", "lock": "1"}, id="JSON"),
        pytest.param(
            "application/json", b'{"tenant": "x", "lock": "9"}', {"tenant": "x", "lock": "1"}, id="JSON, the caller's"
        ),
        pytest.param("application/x-www-form-urlencoded", b"a=1", b"a=1&tenant=t&lock=1", id="form"),
        pytest.param(
            "application/x-www-form-urlencoded", b"tenant=x&lock=9", b"tenant=x&lock=1", id="form, the caller's"
        ),
    ],
)
def test_body_parameters(server: Server, provider: Scripted, type_: str, sent: bytes, expected: Any) -> None:
    """Merged into JSON objects and forms, everything else passes through."""
    connection = connected(server, provider, request={"body": {"tenant": "t", "lock": "1"}, "locked": ["lock"]})

    reply = call(server, connection, "echo", "POST", body=sent, headers={"Content-Type": type_})

    assert 200 == reply.status, reply.body
    body = base64.b64decode(reply.json()["body"])
    if isinstance(expected, bytes):
        assert sorted(expected.split(b"&")) == sorted(body.split(b"&"))
    else:
        assert expected == json.loads(body)


def test_a_body_too_large_to_merge_is_413(server: Server, provider: Scripted) -> None:
    """10 MiB are merged, one byte more is refused; without body parameters nothing is counted."""
    connection = connected(server, provider, request={"body": {"tenant": "t"}})
    whole = 10 * 1024 * 1024
    fits = b'{"a":"' + b"x" * (whole - 8) + b'"}'
    json_type = {"Content-Type": "application/json"}

    fine = call(server, connection, "echo", "POST", body=fits, headers=json_type)
    over = call(server, connection, "echo", "POST", body=fits[:-2] + b'x"}', headers=json_type)

    assert 200 == fine.status, fine.body[:300]
    assert (413, "payload_too_large") == (over.status, over.code)


# --- stale answers


@pytest.mark.parametrize(("method", "size"), [("GET", 0), ("POST", 10), ("POST", 65536), ("PATCH", 100), ("DELETE", 0)])
def test_a_stale_401_is_replayed_once(server: Server, provider: Scripted, method: str, size: int) -> None:
    """Any method, a body of up to 64 KiB, byte for byte; the caller sees the second answer."""
    connection = connected(server, provider)
    provider.end_access_tokens()
    body = b"z" * size

    reply = call(server, connection, "echo", method, body=body or None)

    assert 200 == reply.status, reply.body
    assert 2 == len(provider.seen("/api/echo"))
    assert [body, body] == [seen.body for seen in provider.seen("/api/echo")]
    assert 1 == len(renewals(provider))
    assert 2 == shown(server, connection)["generation"]


def test_a_larger_body_is_renewed_but_not_replayed(server: Server, provider: Scripted) -> None:
    """65,537 bytes: the 401 is handed on; the next call finds a new token."""
    connection = connected(server, provider)
    provider.end_access_tokens()

    reply = call(server, connection, "echo", "POST", body=b"z" * 65537)

    assert (401, "upstream") == (reply.status, reply.headers["keyturn-source"])
    assert 1 == len(provider.seen("/api/echo"))
    assert 200 == call(server, connection, "echo").status


@pytest.mark.parametrize(("method", "sends"), [("GET", 2), ("PUT", 2), ("DELETE", 2), ("POST", 1), ("PATCH", 1)])
def test_other_rules_replay_only_what_is_idempotent(
    server: Server, provider: Scripted, method: str, sends: int
) -> None:
    """A body rule on 200: safe and idempotent methods only."""
    connection = connected(server, provider, stale_when={"status": [200], "body": "error == 'expired'"})
    provider.then("/api/x", Answer(200, {"error": "expired"}))
    provider.then("/api/x", Answer(200, {"fine": True}))

    reply = call(server, connection, "x", method, body=b"{}" if method in ("PUT", "POST", "PATCH") else None)

    assert sends == len(provider.seen("/api/x"))
    assert ({"fine": True} if sends == 2 else {"error": "expired"}) == reply.json()


def test_a_body_rule_reads_no_more_than_64_kib(server: Server, provider: Scripted) -> None:
    """Larger, without a length, or not JSON: passes through unread."""
    connection = connected(server, provider, stale_when={"status": [200], "body": "error == 'expired'"})
    large = json.dumps({"error": "expired", "pad": "x" * 66000}).encode()
    provider.then("/api/x", Answer(200, large, {"Content-Type": "application/json"}))
    provider.then(
        "/api/x", Answer(200, pieces=((b'{"error": "expired"}', 0),), headers={"Content-Type": "application/json"})
    )

    replies = [call(server, connection, "x") for _ in range(2)]

    assert [large, b'{"error": "expired"}'] == [each.body for each in replies]
    assert [] == renewals(provider)


def test_a_refusal_of_rights_is_handed_on_and_quiet(server: Server, provider: Scripted) -> None:
    """The replay is refused too: handed on; the next calls renew nothing, on that method and base path."""
    connection = connected(server, provider)
    provider.always["/api/secret"] = Answer(401, {"error": "forbidden for you"})

    replies = [call(server, connection, "secret") for _ in range(5)]

    assert [401] * 5 == [each.status for each in replies]
    assert {"upstream"} == {each.headers["keyturn-source"] for each in replies}
    assert 1 == len(renewals(provider))
    assert 6 == len(provider.seen("/api/secret"))
    assert 200 == call(server, connection, "me").status
    assert "active" == shown(server, connection)["state"]


# --- pausing, ending, revoking keys


def test_pause_refuses_and_cuts_streams(server: Server, provider: Scripted) -> None:
    """New calls 409 connection_paused at once; a stream is cut; resume works again."""
    connection = connected(server, provider)
    pieces = tuple((b"data: x\n\n", 0.2) for _ in range(60))
    provider.then("/api/x", Answer(200, b"", {"Content-Type": "text/event-stream"}, pieces=pieces))
    ended: list[float] = []

    def listen() -> None:
        with contextlib.suppress(http.client.HTTPException, OSError):
            call(server, connection, "x")
        ended.append(time.monotonic())

    listener = threading.Thread(target=listen)
    listener.start()
    time.sleep(0.6)
    paused_at = time.monotonic()
    paused = server.ask("POST", f"/v1/connections/{connection['id']}/pause")
    refused = call(server, connection)
    listener.join(15)

    assert (200, "paused") == (paused.status, paused.json()["state"])
    assert (409, "connection_paused") == (refused.status, refused.code)
    assert ended
    assert ended[0] - paused_at < 3
    assert 200 == server.ask("POST", f"/v1/connections/{connection['id']}/resume").status
    assert 200 == call(server, connection).status


def test_an_ordinary_call_may_finish_after_a_pause(server: Server, provider: Scripted) -> None:
    """Already sent upstream: it gets 10 s."""
    connection = connected(server, provider)
    provider.then("/api/x", Answer(200, b"slow but fine", after_s=1.5))
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(call, server, connection, "x")
        wait_for(lambda: provider.seen("/api/x"), 5, 0.02)
        server.ask("POST", f"/v1/connections/{connection['id']}/pause")
        reply: Reply = running.result()

    assert (200, b"slow but fine") == (reply.status, reply.body)


def test_a_waiting_call_is_refused_by_a_disconnect(server: Server, provider: Scripted) -> None:
    """I13: one that still waits for a token gets no answer from the API; the late tokens are revoked."""
    connection = connected(server, provider)
    provider.end_access_tokens()

    def late(seen: Seen) -> Answer:
        answer = provider.token(seen)
        answer.after_s = 1.5
        return answer

    provider.then("/token", late)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(call, server, connection, "echo")
        wait_for(lambda: renewals(provider), 5, 0.02)
        before = len(provider.seen("/api/echo"))
        ended = server.ask("DELETE", f"/v1/connections/{connection['id']}")
        refused = call(server, connection, "echo")
        reply: Reply = running.result()

    assert 200 == ended.status
    assert (410, "connection_disconnected") == (refused.status, refused.code)
    assert (410, "connection_disconnected") == (reply.status, reply.code)
    assert before == len(provider.seen("/api/echo"))
    everything = {fingerprint(value) for value in provider.secrets}
    wait_for(lambda: everything <= {seen.refresh for seen in provider.seen("/revoke")}, 10)
    assert shown(server, connection)["state"] in ("disconnecting", "disconnected")


def test_a_revoked_key_is_refused_at_once_and_its_stream_cut(server: Server, provider: Scripted) -> None:
    """From the moment that the revocation commits."""
    connection = connected(server, provider)
    made = server.ask("POST", "/v1/api-keys", {"name": "brief", "scopes": ["call"]}).json()
    assert 200 == call(server, connection, key=made["key"]).status
    pieces = tuple((b"data: x\n\n", 0.2) for _ in range(40))
    provider.then("/api/x", Answer(200, b"", {"Content-Type": "text/event-stream"}, pieces=pieces))
    ended: list[float] = []

    def listen() -> None:
        with contextlib.suppress(http.client.HTTPException, OSError):
            call(server, connection, "x", key=made["key"])
        ended.append(time.monotonic())

    listener = threading.Thread(target=listen)
    listener.start()
    time.sleep(0.6)
    gone_at = time.monotonic()
    gone = server.ask("DELETE", f"/v1/api-keys/{made['id']}")
    refused = call(server, connection, key=made["key"])
    listener.join(15)

    assert 204 == gone.status
    assert (401, "unauthenticated") == (refused.status, refused.code)
    assert ended
    assert ended[0] - gone_at < 3


# --- framing


@pytest.mark.parametrize(
    "head",
    [
        pytest.param("POST {p} HTTP/1.1\r\nHost: a\r\nHost: b\r\n{k}\r\n", id="two hosts"),
        pytest.param("GET {p} HTTP/1.1\r\n{k}\r\n", id="no host"),
        pytest.param(
            "POST {p} HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n{k}\r\n0\r\n\r\n",
            id="length and chunked",
        ),
        pytest.param(
            "POST {p} HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n{k}\r\nabcd", id="two lengths"
        ),
        pytest.param(
            "POST {p} HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n{k}\r\n0\r\n\r\n", id="1.0 chunked"
        ),
        pytest.param(
            "POST {p} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n{k}\r\n0\r\n\r\n", id="odd coding"
        ),
        pytest.param("POST {p} HTTP/1.1\r\nHost: a\r\nContent-Length: +3\r\n{k}\r\nabc", id="signed length"),
        pytest.param("GET {p} HTTP/1.1\r\nHost: a\r\nX-A: 1\r\n folded\r\n{k}\r\n", id="folded"),
        pytest.param("GET {p} HTTP/1.1\r\nHost: a\r\nX A: 1\r\n{k}\r\n", id="blank in a name"),
        pytest.param("GET {p} HTTP/1.1\r\nHost: a\r\nX-A : 1\r\n{k}\r\n", id="blank before the colon"),
        pytest.param("GET {p} HTTP/1.1\r\nHost: a\r\nX-A: 1\rX-B: 2\r\n{k}\r\n", id="bare CR"),
    ],
)
def test_ambiguous_requests_are_refused(server: Server, provider: Scripted, head: str) -> None:
    """E3: 4xx, and nothing goes up."""
    connection = connected(server, provider)
    before = len(provider.log)
    key = f"Authorization: Bearer {ADMIN_KEY}\r\nConnection: close\r\n"

    answer = raw_call(server, head.format(p=f"/v1/proxy/{connection['id']}/echo", k=key).encode())

    assert not answer or answer.split(b" ")[1].startswith(b"4"), answer[:200]
    assert before == len(provider.log)


@pytest.mark.parametrize(
    ("type_", "sent"),
    [
        pytest.param("application/json", b'{"lock": "8", "lock": "9"}', id="JSON, twice"),
        pytest.param("application/json", b'{"\\u006cock": "9"}', id="JSON, escaped"),
        pytest.param("application/x-www-form-urlencoded", b"lock=8&lock=9", id="form, twice"),
        pytest.param("application/x-www-form-urlencoded", b"%6cock=9", id="form, escaped"),
    ],
)
def test_a_locked_body_value_cannot_be_outwitted(server: Server, provider: Scripted, type_: str, sent: bytes) -> None:
    """However the caller spells its name, the API sees the connector's value alone (or nothing at all)."""
    connection = connected(server, provider, request={"body": {"lock": "1"}, "locked": ["lock"]})

    reply = call(server, connection, "echo", "POST", body=sent, headers={"Content-Type": type_})

    if reply.status == 200:
        body = base64.b64decode(reply.json()["body"])
        assert body in (b'{"lock":"1"}', b'{"lock": "1"}', b"lock=1")
    else:
        assert 422 == reply.status


@pytest.mark.parametrize("query", ["lock=9", "%6cock=9", "lock=8&lock=9", "lock", "a=1&lock=", "LOCK=1&lock=2"])
def test_a_locked_query_value_cannot_be_outwitted(server: Server, provider: Scripted, query: str) -> None:
    """However the caller spells its name."""
    connection = connected(server, provider, request={"query": {"lock": "1"}, "locked": ["lock"]})

    reply = call(server, connection, f"echo?{query}")

    told = reply.json()["target"].partition("?")[2].split("&")
    assert ["lock=1"] == [each for each in told if each.startswith(("lock", "%6c"))]
