"""Whoever has no key can still send: what the server holds of it is bounded."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator

import pytest

from keyturn.web.kit.bounded_heads import LONGEST_HEAD
from tests.end_to_end.running import ADMIN_KEY, Server, running_server

PIECE = 65_536
# What the kernel alone holds of a connection on loopback, in both directions' buffers, is up to 10 MiB.
FAR_TOO_MUCH = 32 * 1_048_576
START = b"POST /v1/connections HTTP/1.1\r\nHost: x\r\n"
CHUNKED = START + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One for this file."""
    with running_server(tmp_path_factory.mktemp("heads")) as running:
        yield running


def exchange(server: Server, sent: bytes, more: bytes = b"") -> tuple[bytes, int]:
    """Send, then more again and again until the server has had enough; its answer, and how much it took."""
    taken = 0
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        with contextlib.suppress(OSError):
            connection.sendall(sent)
            while more and taken < FAR_TOO_MUCH:
                connection.sendall(more)
                taken += len(more)
        answer = b""
        with contextlib.suppress(OSError):
            answer = connection.recv(65_536)
        return answer, taken


@pytest.mark.parametrize(
    ("sent", "more"),
    [
        pytest.param(START, b"X-A: b\r\n" * (PIECE // 8), id="header after header"),
        pytest.param(START + b"X: ", b"a" * PIECE, id="a value without an end"),
        pytest.param(START, b"a" * PIECE, id="a name without an end"),
        pytest.param(b"GET /", b"a" * PIECE, id="a target without an end"),
        pytest.param(CHUNKED + b"0\r\nX: ", b"a" * PIECE, id="a trailer without an end"),
        pytest.param(CHUNKED + b"1;", b"a" * PIECE, id="an extension without an end"),
    ],
)
def test_what_never_ends_is_cut_off(server: Server, sent: bytes, more: bytes) -> None:
    """Long before it has cost memory that anybody would miss."""
    _, taken = exchange(server, sent, more)

    assert taken < FAR_TOO_MUCH


def test_a_head_that_is_too_long_is_refused_even_if_it_ends(server: Server) -> None:
    """In one piece too; one that is just short enough is read."""
    key = b"GET /v1/connections HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + ADMIN_KEY.encode() + b"\r\nX: "
    long, _ = exchange(server, key + b"a" * LONGEST_HEAD + b"\r\n\r\n")
    short, _ = exchange(server, key + b"a" * (LONGEST_HEAD - 1024) + b"\r\n\r\n")

    assert long.startswith(b"HTTP/1.1 400 ")
    assert short.startswith(b"HTTP/1.1 200 ")


def test_a_long_body_is_no_long_head(server: Server) -> None:
    """Though all of it comes at once."""
    body = b'{"name": "' + b"x" * 200_000 + b'"}'
    head = b"POST /v1/api-keys HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + ADMIN_KEY.encode()
    head += b"\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
    answer, _ = exchange(server, head + body)

    assert answer.startswith(b"HTTP/1.1 422 ")


@pytest.mark.parametrize("name", [b"Authorization: Bearer ", b"Keyturn-Key: "])
@pytest.mark.parametrize("target", [b"POST /v1/api-keys", b"POST /v1/proxy/cxn_none/x", b"POST /v1/forward-auth"])
def test_a_key_in_a_trailer_is_nobodys(server: Server, name: bytes, target: bytes) -> None:
    """RFC 9110 section 6.5.1: the request stands as its head was, at each door; its neighbour on the connection too."""
    head = target + b" HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    trailed = head + b"2\r\n{}\r\n0\r\n" + name + ADMIN_KEY.encode() + b"\r\n\r\n"
    one_piece, _ = exchange(server, trailed)
    key = b"GET /v1/connections HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + ADMIN_KEY.encode() + b"\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(key)
        before = connection.recv(65_536)
        connection.sendall(b"GET /v1/connections HTTP/1.1\r\nHost: x\r\n\r\n")
        after = connection.recv(65_536)

    assert one_piece.startswith(b"HTTP/1.1 401 ")
    assert (b"HTTP/1.1 200 ", b"HTTP/1.1 401 ") == (before[:13], after[:13])
