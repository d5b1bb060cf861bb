"""`call`: both bodies pass byte for byte, and the exit code says whose refusal it is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.fake_server import KEY, FakeServer
from tests.cli.running import run, run_on_terminal, run_process

ME = "GET /v1/proxy/cxn_1/me"
BYTES = bytes(range(256)) * 40


def test_answer_byte_for_byte(server: FakeServer) -> None:
    """What the API answers goes to standard output unchanged, whatever bytes it has."""
    server.stream(ME, BYTES)
    ran = run("call", "cxn_1", "get", "/me")

    assert (0, "") == (ran.code, ran.err)
    assert f"Bearer {KEY}" == server.last.headers["Authorization"]
    assert BYTES.decode("utf-8", "replace").replace("\r\n", "\n") == ran.out


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        pytest.param("/me", "/v1/proxy/cxn_1/me", id="plain"),
        pytest.param("me?a=1&b=%2F", "/v1/proxy/cxn_1/me?a=1&b=%2F", id="without a slash, with a query"),
        pytest.param("/a b/ü", "/v1/proxy/cxn_1/a%20b/%C3%BC", id="what must be quoted"),
        pytest.param("/a#b", "/v1/proxy/cxn_1/a%23b", id="a fragment is part of the path"),
        pytest.param("/../../connections", "/v1/proxy/cxn_1/../../connections", id="dots are the server's to judge"),
        pytest.param("/", "/v1/proxy/cxn_1/", id="the base itself"),
    ],
)
def test_path(server: FakeServer, path: str, expected: str) -> None:
    """The path arrives as it was meant."""
    run("call", "cxn_1", "GET", path)

    assert expected == server.last.target


def test_an_id_stays_an_id(server: FakeServer) -> None:
    """A connection's id with slashes reaches no other path."""
    run("call", "../api-keys", "GET", "/")

    assert "/v1/proxy/..%2Fapi-keys/" == server.last.target


@pytest.mark.parametrize(
    ("data", "given", "expected", "chunked"),
    [
        pytest.param("@FILE", None, BYTES, True, id="a file"),
        pytest.param("-", BYTES, BYTES, True, id="standard input"),
        pytest.param('{"text": "ü"}', None, '{"text": "ü"}'.encode(), False, id="the text itself"),
        pytest.param("", None, b"", False, id="an empty text"),
    ],
)
def test_body(
    server: FakeServer, tmp_path: Path, data: str, given: bytes | None, expected: bytes, chunked: bool
) -> None:
    """A body arrives whole, files and pipes in chunks, as JSON where nothing else is said."""
    (tmp_path / "body").write_bytes(BYTES)
    run("call", "cxn_1", "POST", "/me", "-d", data.replace("FILE", str(tmp_path / "body")), given=given)

    assert expected == server.last.body
    assert "application/json" == server.last.headers["Content-Type"]
    assert chunked == ("Transfer-Encoding" in server.last.headers)


def test_headers(server: FakeServer) -> None:
    """Headers and another base are handed on; a Content-Type of the caller's own wins."""
    run(
        "call",
        "c",
        "PUT",
        "/x",
        "-H",
        "content-type: text/csv",
        "-H",
        "X-A:1",
        "-d",
        "a",
        "--base-url",
        "https://b.example",
    )

    sent = server.last.headers
    assert ("text/csv", "1", "https://b.example") == (sent["content-type"], sent["X-A"], sent["Keyturn-Base-Url"])


@pytest.mark.parametrize(
    "header",
    [
        pytest.param("Authorization: Bearer hunter2", id="credentials"),
        pytest.param("cookie: hunter2", id="cookies"),
        pytest.param("Keyturn-Key: hunter2", id="ours"),
        pytest.param("Host: hunter2", id="host"),
        pytest.param("Transfer-Encoding: hunter2", id="framing"),
        pytest.param("hunter2", id="no colon"),
        pytest.param("X-A: hunter2\r\nX-B: 1", id="two lines"),
        pytest.param(": hunter2", id="no name"),
        pytest.param("X A: hunter2", id="a name with a blank"),
    ],
)
def test_header_that_is_not_yours(server: FakeServer, header: str) -> None:
    """Credentials and framing are not the caller's; a broken header is refused before anything is sent."""
    ran = run("call", "c", "GET", "/", "-H", header)

    assert 2 == ran.code
    assert "hunter2" not in ran.all
    assert [] == server.asked


@pytest.mark.parametrize(
    "words", [("G T", "/"), ("GET", "/", "-d", "@/nowhere"), ("GET", "/", "-H", "A: 1", "-H", "a: 2")]
)
def test_usage(server: FakeServer, words: tuple[str, ...]) -> None:
    """A method that is none, a file that is not there and a header twice are usage errors."""
    assert 2 == run("call", "c", *words).code
    assert [] == server.asked


@pytest.mark.parametrize(("status", "expected"), [(200, 0), (304, 0), (399, 0), (400, 22), (404, 22), (500, 22)])
def test_exit_code_of_the_api(server: FakeServer, status: int, expected: int) -> None:
    """The API's own refusal is 22, and its body is handed on all the same."""
    server.stream(ME, b"body" if status != 304 else b"", status=status)

    ran = run("call", "cxn_1", "GET", "/me")

    assert expected == ran.code
    assert ("body" if status != 304 else "") == ran.out
    assert (expected == 22) == (f"The API answered {status}." in ran.err)


def test_refused_by_keyturn(server: FakeServer) -> None:
    """A refusal of keyturn's is a problem, not the API's answer: standard output stays empty."""
    server.refuse(ME, "connection_needs_reconnect")

    ran = run("call", "cxn_1", "GET", "/me")

    assert (7, "") == (ran.code, ran.out)
    assert ran.err.startswith("connection_needs_reconnect: ")


def test_refused_by_keyturn_as_json(server: FakeServer) -> None:
    """With --json the problem is its document."""
    server.refuse(ME, "url_not_allowed")

    ran = run("call", "cxn_1", "GET", "/me", "--json")

    assert "url_not_allowed" == json.loads(ran.err)["code"]


def test_include(server: FakeServer) -> None:
    """-i says status and whose answer it is, on standard error."""
    server.stream(ME, b"x", status=404)

    lines = run("call", "cxn_1", "GET", "/me", "-i").err.splitlines()

    assert ["HTTP 404", "Keyturn-Source: upstream"] == lines[:2]


def test_an_answer_that_breaks_off(server: FakeServer) -> None:
    """Half a body is handed on, and said to be half."""
    server.stream(ME, b"x" * 1000, cut=10)

    ran = run("call", "cxn_1", "GET", "/me")

    assert (8, "x" * 10) == (ran.code, ran.out)
    assert "broke off" in ran.err


def test_binary_as_a_process(server: FakeServer, tmp_path: Path) -> None:
    """Through a real pipe the bytes are the same."""
    server.stream(ME, "ü\x1b[31m".encode())

    assert "ü\x1b[31m" == run_process("call", "cxn_1", "GET", "/me").out


def test_on_a_terminal(server: FakeServer) -> None:
    """A terminal is not given what it would obey, and the next prompt begins on a line of its own."""
    server.stream(ME, "a\x1b]0;title\x07ü\x9b31m\u202e\r\nb".encode())

    ran = run_on_terminal("call", "cxn_1", "GET", "/me")

    assert 0 == ran.code
    assert "a�]0;title�ü�31m�\nb\n" == ran.out


def test_a_dry_run_shows_the_request(server: FakeServer) -> None:
    """What the call would send is asked about, and nothing is sent to the proxy."""
    shown = {
        "method": "POST", "url": "https://api.example/notes",
        "headers": [{"name": "authorization", "value": "Bearer ‹token.access_token›", "added": True}],
        "body": "{}", "left_out": ["Cookies"],
    }  # fmt: skip
    server.answer("POST /v1/connections/cxn_1/preview", shown)
    ran = run("call", "cxn_1", "post", "/a b?c=d", "-d", "{}", "--base-url", "https://api.example", "--dry-run")
    as_json = run("call", "cxn_1", "GET", "me", "--dry-run", "--json")

    lines = ["POST https://api.example/notes", "authorization: Bearer ‹token.access_token›", "", "{}"]
    assert (0, lines) == (ran.code, ran.out.splitlines())
    assert "Not sent on: Cookies" in ran.err
    assert shown == json.loads(as_json.out)
    assert {
        "method": "POST", "path": "/a%20b?c=d", "headers": {"Content-Type": "application/json"}, "body": "{}",
        "base_url": "https://api.example",
    } == server.asked[0].document  # fmt: skip
    assert {"method": "GET", "path": "/me", "headers": {}} == server.last.document


@pytest.mark.parametrize(("size", "code"), [(1_048_576, 0), (1_048_577, 2)])
def test_a_dry_run_shows_all_of_a_body_or_none(server: FakeServer, tmp_path: Path, size: int, code: int) -> None:
    """A body is not cut off in silence: the request would be another one than is sent."""
    body = tmp_path / "body.json"
    body.write_bytes(b"1" * size)
    server.answer("POST /v1/connections/cxn_1/preview", {"method": "POST", "url": "u", "headers": [], "body": ""})
    ran = run("call", "cxn_1", "POST", "/me", "-d", f"@{body}", "--dry-run")

    assert code == ran.code
    assert [size] * (code == 0) == [len(each.document["body"]) for each in server.asked]
