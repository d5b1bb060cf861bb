"""`keyturn proxy`: a port that signs, for programs of this machine and for no page."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from keyturn.cli.api_client import connect
from keyturn.cli.commands.proxy import HELD_AT_MOST, SigningServer
from tests.cli.fake_server import KEY, FakeServer, Reply, problem
from tests.cli.running import PROGRAM, run

ID = "cxn_1"


@contextmanager
def signing() -> Iterator[int]:
    """The port, served in this process."""
    server = SigningServer(0, connect(), f"/v1/proxy/{ID}")
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def port(server: FakeServer) -> Iterator[int]:
    """A port that signs for the fake server."""
    with signing() as found:
        yield found


def exchange(port: int, request: bytes) -> bytes:
    """Send bytes and read until the end."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(request)
        found = b""
        while piece := connection.recv(65_536):
            found += piece
    return found


def head(port: int, line: str = "GET /me HTTP/1.1", *headers: str, host: str = "127.0.0.1:{port}") -> bytes:
    """A request's head; the connection ends after the answer."""
    return "\r\n".join([line, f"Host: {host.format(port=port)}", "Connection: close", *headers, "", ""]).encode()


def test_a_request_is_signed(server: FakeServer, port: int) -> None:
    """It goes to the proxy of the connection with the key of this machine's owner, and with no other credentials."""
    server.stream(f"GET /v1/proxy/{ID}/v2/me?a=%20", b"hello")
    asked = http.client.HTTPConnection("127.0.0.1", port)
    asked.request("GET", "/v2/me?a=%20", headers={"authorization": "Bearer mine", "cookie": "a=b", "X-Own": "kept"})
    answer = asked.getresponse()
    sent = server.last.headers

    assert (200, b"hello", "upstream") == (answer.status, answer.read(), answer.getheader("Keyturn-Source"))
    assert f"Bearer {KEY}" == sent["Authorization"]
    assert "kept" == sent["X-Own"]
    assert [] == [name for name in sent if name.lower() in ("cookie", "keyturn-key")]
    assert f"127.0.0.1:{port}" != sent["Host"]
    asked.close()


def test_one_connection_serves_several_requests(server: FakeServer, port: int) -> None:
    """Bodies are told apart."""
    for n in (1, 2):
        server.stream(f"POST /v1/proxy/{ID}/{n}", b"answer %d" % n)
    asked = http.client.HTTPConnection("127.0.0.1", port)
    got = []
    for n in (1, 2):
        asked.request("POST", f"/{n}", body=b"body %d" % n)
        got.append(asked.getresponse().read())
    asked.close()

    assert [b"answer 1", b"answer 2"] == got
    assert [b"body 1", b"body 2"] == [each.body for each in server.asked]


@pytest.mark.parametrize(
    ("headers", "body", "framing"),
    [
        pytest.param([f"Content-Length: {HELD_AT_MOST}"], b"x" * HELD_AT_MOST, "Content-Length", id="held"),
        pytest.param(
            [f"Content-Length: {HELD_AT_MOST * 3}"], b"y" * HELD_AT_MOST * 3, "Content-Length", id="of known length"
        ),
        pytest.param(
            ["Transfer-Encoding: chunked"],
            b"4\r\nWiki\r\n5;a=b\r\npedia\r\n0\r\nX-T: 1\r\n\r\n",
            "Transfer-Encoding",
            id="chunked",
        ),
    ],
)
def test_bodies(server: FakeServer, port: int, headers: list[str], body: bytes, framing: str) -> None:
    """A body arrives whole, and says its length where that was known."""
    server.stream(f"PUT /v1/proxy/{ID}/f", b"ok")
    got = exchange(port, head(port, "PUT /f HTTP/1.1", *headers) + body)
    wanted = b"Wikipedia" if framing == "Transfer-Encoding" else body

    assert got.startswith(b"HTTP/1.1 200 ")
    assert wanted == server.last.body
    assert framing in server.last.headers


@pytest.mark.parametrize(
    ("host", "more", "status"),
    [
        pytest.param("127.0.0.1:{port}", (), 200, id="its own"),
        pytest.param("LOCALHOST:{port}", (), 200, id="its name"),
        pytest.param("127.0.0.1", (), 403, id="without the port"),
        pytest.param("127.0.0.1:1", (), 403, id="another port"),
        pytest.param("evil.example:{port}", (), 403, id="a name that was pointed here"),
        pytest.param("localhost.evil.example:{port}", (), 403, id="one that begins like ours"),
        pytest.param("127.0.0.1:{port}", ("Host: evil.example",), 403, id="two"),
        pytest.param("127.0.0.1:{port}", ("Origin: https://evil.example",), 403, id="another origin"),
        pytest.param("127.0.0.1:{port}", ("Origin: null",), 403, id="an origin without a name"),
        pytest.param("127.0.0.1:{port}", ("Sec-Fetch-Site: cross-site",), 403, id="an image on a page"),
        pytest.param("127.0.0.1:{port}", ("Sec-Fetch-Site: same-site",), 403, id="another port's page"),
        pytest.param("127.0.0.1:{port}", ("Sec-Fetch-Site: none",), 200, id="typed into the browser"),
    ],
)
def test_pages_are_refused(server: FakeServer, port: int, host: str, more: tuple[str, ...], status: int) -> None:
    """Nothing is sent on for a name that was pointed here, another origin or another site."""
    server.stream(f"GET /v1/proxy/{ID}/me", b"hello")
    got = exchange(port, head(port, "GET /me HTTP/1.1", *more, host=host))

    assert got.startswith(b"HTTP/1.1 %d " % status)
    assert (status == 200) == bool(server.asked)


@pytest.mark.parametrize(
    ("line", "more"),
    [
        pytest.param("GET http://127.0.0.1/me HTTP/1.1", (), id="a whole URL"),
        pytest.param("CONNECT 127.0.0.1:443 HTTP/1.1", (), id="a tunnel"),
        pytest.param("POST /me HTTP/1.1", ("Content-Length: 1", "Transfer-Encoding: chunked"), id="two lengths"),
        pytest.param("POST /me HTTP/1.1", ("Content-Length: 1", "Content-Length: 1"), id="a length twice"),
        pytest.param("POST /me HTTP/1.1", ("Content-Length: +1",), id="a length that is none"),
        pytest.param("POST /me HTTP/1.1", ("Transfer-Encoding: gzip",), id="another coding"),
    ],
)
def test_unclear_requests(server: FakeServer, port: int, line: str, more: tuple[str, ...]) -> None:
    """What two readers could understand differently is not sent on."""
    got = exchange(port, head(port, line, *more))

    assert got.startswith(b"HTTP/1.1 400 ")
    assert [] == server.asked


def test_a_refusal_of_the_server_is_handed_back(server: FakeServer, port: int) -> None:
    """The problem with its headers, as the server said it."""
    server.replies[f"GET /v1/proxy/{ID}/me"] = problem("connection_paused")
    got = exchange(port, head(port))

    assert got.startswith(b"HTTP/1.1 409 ")
    assert b"Keyturn-Source: broker" in got
    assert b'"connection_paused"' in got


def test_no_server(server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sentence, and nothing of the key."""
    monkeypatch.setenv("KEYTURN_URL", "http://127.0.0.1:1")
    with signing() as port:
        got = exchange(port, head(port))

    assert got.startswith(b"HTTP/1.1 502 ")
    assert b"No server answers" in got
    assert KEY.encode() not in got


def test_an_answer_that_breaks_off(server: FakeServer, port: int) -> None:
    """It breaks off here too: the length that was said is not met."""
    server.stream(f"GET /v1/proxy/{ID}/me", b"0123456789", cut=4)
    asked = http.client.HTTPConnection("127.0.0.1", port)
    asked.request("GET", "/me")
    with pytest.raises(http.client.IncompleteRead):
        asked.getresponse().read()
    asked.close()


def test_a_folded_header_and_a_raw_byte(server: FakeServer, port: int) -> None:
    """A folded header becomes one line; a raw byte of the path is sent as its escape."""
    server.replies[f"GET /v1/proxy/{ID}/%C3%B6"] = Reply(200, b"ok")
    request = head(port, "GET /ö HTTP/1.1", "X-Long: a\r\n b")
    got = exchange(port, request)

    assert got.startswith(b"HTTP/1.1 200 ")
    assert "a b" == server.last.headers["X-Long"]


def test_the_program(server: FakeServer) -> None:
    """It says its address, serves, and ends well on Ctrl-C."""
    server.stream(f"GET /v1/proxy/{ID}/me", b"hello")
    process = subprocess.Popen(
        [*PROGRAM, "proxy", ID],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ},
        start_new_session=True,
    )
    assert process.stdout is not None
    port = int(process.stdout.readline().rsplit(b":", 1)[1])
    got = exchange(port, head(port))
    process.send_signal(signal.SIGINT)
    rest, said = process.communicate(timeout=20)

    assert got.endswith(b"hello")
    assert (0, b"", b"Ctrl-C ends it.\n") == (process.returncode, rest, said)


def test_a_port_that_is_taken(server: FakeServer) -> None:
    """A sentence, and exit code 1."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ran = run("proxy", ID, "--port", str(taken.getsockname()[1]))

    assert (1, "") == (ran.code, ran.out)
    assert "can't be had" in ran.err
