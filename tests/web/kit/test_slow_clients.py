"""Clients that are slow on purpose, over real sockets: a head ends in time or its connection does."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, MutableMapping
from typing import Any

import pytest
import uvicorn
from structlog.testing import capture_logs

from keyturn.core.errors import RequestTimeout
from keyturn.web.kit import bounded_heads
from keyturn.web.kit.admission.body_time import in_time
from keyturn.web.kit.joined_writes import JoinedHttpProtocol
from keyturn.web.kit.problems import problem_answer
from keyturn.web.kit.refusals import Refusals

WITHIN_S = 0.3
WHOLE = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


async def application(scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
    """Reads the body, in time, and answers 204; `/slow` takes its time over it."""
    receive = in_time(receive, within_s=WITHIN_S)
    try:
        while (await receive()).get("more_body"):
            pass
    except RequestTimeout as error:
        await problem_answer(error, request_id="r").send(send)
        return
    if scope["path"] == "/slow":
        await asyncio.sleep(3 * WITHIN_S)
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})


@pytest.fixture
async def port(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[int]:
    """A server whose patience is short."""
    monkeypatch.setattr(bounded_heads, "HEAD_WITHIN_S", WITHIN_S)
    config = uvicorn.Config(application, port=0, http=JoinedHttpProtocol, lifespan="off", log_config=None, ws="none")
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110  (uvicorn has no event for it)
        await asyncio.sleep(0.01)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    await serving


async def exchange(port: int, *pieces: bytes, pause_s: float = 0.05) -> tuple[bytes, float]:
    """Send pieces with pauses, and read until the server closes; the answer, and how long that took.

    A server that closes while a piece is on its way resets the connection (RFC 9112 section 9.6): what it answered
    before that counts.
    """
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    began = time.monotonic()

    async def send_all() -> None:
        for piece in pieces:
            writer.write(piece)
            await asyncio.sleep(pause_s)

    sending = asyncio.create_task(send_all())
    answer = b""
    async with asyncio.timeout(20 * WITHIN_S):
        with contextlib.suppress(ConnectionResetError):
            while piece := await reader.read(65_536):
                answer += piece
    sending.cancel()
    writer.close()
    return answer, time.monotonic() - began


async def test_a_connection_that_says_nothing_is_closed(port: int) -> None:
    """Without a word: nobody asked for anything."""
    assert b"" == (await exchange(port))[0]


async def test_a_head_that_trickles_is_cut_with_408(port: int) -> None:
    """However regularly a byte comes: the time runs from the first."""
    answer, took_s = await exchange(port, *(bytes([each]) for each in WHOLE[:-2] + b"X: " + b"a" * 200))

    assert answer.startswith(b"HTTP/1.1 408 ")
    assert took_s >= WITHIN_S


async def test_the_second_head_is_no_better_off(port: int) -> None:
    """A connection that served one request well is cut at the next that trickles."""
    answer, _ = await exchange(port, WHOLE, b"GET / HT", pause_s=0.1)

    assert [b"204", b"408"] == [part.split(b" ", 1)[0] for part in answer.split(b"HTTP/1.1 ")[1:]]


async def test_an_answer_under_way_is_not_cut(port: int) -> None:
    """A head that trickles behind a request which is being answered waits for that answer."""
    answer, _ = await exchange(port, WHOLE.replace(b"/ ", b"/slow "), b"GET / HT")

    assert [b"204", b"408"] == [part.split(b" ", 1)[0] for part in answer.split(b"HTTP/1.1 ")[1:]]


async def test_a_body_that_trickles_is_cut_with_408(port: int) -> None:
    """And the connection is closed: what is left of the body is not waited for."""
    head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n"
    answer, took_s = await exchange(port, head, *[b"a"] * 200)

    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"request_timeout" in answer
    assert took_s >= WITHIN_S


async def test_too_many_headers_are_refused(port: int) -> None:
    """Though all together they are short."""
    fields = b"".join(b"a%d: b\r\n" % n for n in range(bounded_heads.MOST_HEADERS))
    answer, _ = await exchange(port, b"GET / HTTP/1.1\r\nHost: x\r\n" + fields + b"\r\n")

    assert answer.startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        pytest.param(b"GET /canary HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 300 + b"\r\n", "head_too_long", id="many"),
        pytest.param(b"GET / HTTP/1.1\r\nX: " + b"canary" * 20_000, "head_too_long", id="one that goes on"),
        pytest.param(b"canary\r\n\r\n", "malformed_http", id="no HTTP"),
        pytest.param(b"GET /canary HTTP/1.1\r\n", "head_too_slow", id="one that does not end"),
    ],
)
async def test_refused_heads_are_written_down(
    monkeypatch: pytest.MonkeyPatch, port: int, sent: bytes, code: str
) -> None:
    """One line, with the peer's address and nothing of the head."""
    monkeypatch.setattr(JoinedHttpProtocol, "refusals", Refusals())
    with capture_logs() as lines:
        await exchange(port, sent)

    assert [("input_refused", code, "127.0.0.1")] == [(each["event"], each["code"], each["address"]) for each in lines]
    assert "canary" not in str(lines)
