"""The proxy between real sockets: what only bytes can show."""

from __future__ import annotations

import asyncio
import os
import re
from pathlib import Path

import pytest

from tests.engine.story import ACTOR
from tests.web.dataplane.served import read_head, served

PIECE = b"0123456789abcdef" * 4096  # 64 KiB
LARGE = 200 * 1024 * 1024
GROWTH_AT_MOST = 30 * 1024 * 1024


def resident_bytes() -> int:
    """What this process holds in memory: caller, proxy and API together."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


async def small_api(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers each request with its own head as the body."""
    while True:
        head = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head)
        body = await reader.readexactly(int(length[1])) if length else b""
        answer = head + body
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\nx-api: yes\r\n\r\n%b" % (len(answer), answer))


async def test_a_call_and_its_answer() -> None:
    """What the API sees is the target's host, the token, and nothing of the key."""
    async with served(small_api) as proxy:
        got = await proxy.exchange(proxy.head("GET", "/a%20b?c=d", "Connection: close", "Accept: x/y"))
        head, _, body = got.partition(b"\r\n\r\n")

    assert b"HTTP/1.1 200 OK" == head.split(b"\r\n")[0]
    assert b"x-api: yes" in head
    assert b"keyturn-source: upstream" in head
    assert [b"GET /a%20b?c=d HTTP/1.1", b"accept: x/y", b"authorization: Bearer access-1"] == [
        line for line in body.split(b"\r\n") if line and not line.startswith(b"host: 127.0.0.1:")
    ]


async def test_a_connection_serves_many_calls() -> None:
    """Bodies, refusals and answers leave the connection where the next request begins."""
    async with served(small_api) as proxy:
        reader, writer = await proxy.open()
        statuses = []
        for head, body in (
            (proxy.head("POST", "/x", "Content-Length: 3"), b"abc"),
            (proxy.head("GET", "/../x"), b""),
            (b"GET /v1/proxy/x/y HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n", b"hello"),
            (proxy.head("GET", "/y"), b""),
        ):
            writer.write(head + body)
            first, headers = await read_head(reader)
            await reader.readexactly(int(headers["content-length"]))
            statuses.append(first.split()[1])
        writer.close()

    assert ["200", "403", "401", "200"] == statuses


@pytest.mark.parametrize(
    "head",
    [
        pytest.param("GET {path} HTTP/1.1\r\nHost: a\r\nHost: b\r\n{key}\r\n", id="two hosts"),
        pytest.param("GET {path} HTTP/1.1\r\n{key}\r\n", id="no host"),
        pytest.param(
            "POST {path} HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n{key}\r\n3\r\nabc\r\n0\r\n\r\n",
            id="chunks in HTTP/1.0",
        ),
        pytest.param(
            "POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n{key}\r\n"
            "3\r\nabc\r\n0\r\n\r\n",
            id="two framings",
        ),
    ],
)
async def test_doubtful_messages_are_refused_and_the_connection_closed(head: str) -> None:
    """The server's parser lets some of them through; the proxy does not."""
    asked: list[bytes] = []

    async def api(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.read(1))
        writer.close()

    async with served(api) as proxy:
        key = proxy.head("GET", "/").split(b"\r\n")[2].decode() + "\r\n"
        got = await proxy.exchange(head.format(path=f"/v1/proxy/{proxy.connection_id}/x", key=key).encode())

    assert got.startswith(b"HTTP/1.1 400 ")
    assert [] == asked


async def test_events_come_through_as_they_are_sent_and_end_with_a_pause() -> None:
    """An event is not held back for the next one; a pause cuts the stream, and the caller can tell."""

    async def api(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
        writer.write(b"9\r\ndata: 1\n\n\r\n")
        await reader.read()
        writer.close()

    async with served(api) as proxy:
        reader, writer = await proxy.open()
        writer.write(proxy.head("GET", "/events"))
        await asyncio.wait_for(read_head(reader), 5)
        event = await asyncio.wait_for(reader.readuntil(b"\n\n"), 5)
        await proxy.world.application.pause(proxy.connection_id, ACTOR, paused=True)
        rest = await asyncio.wait_for(reader.read(), 5)
        writer.close()

    assert event.endswith(b"data: 1\n\n")
    assert not rest.endswith(b"0\r\n\r\n")


@pytest.mark.parametrize(
    ("framing", "sent"),
    [
        pytest.param(b"content-length: 10", b"half", id="a length that is not reached"),
        pytest.param(b"transfer-encoding: chunked", b"4\r\nhalf\r\n", id="no last chunk"),
    ],
)
async def test_an_answer_that_breaks_off_breaks_off_here_too(framing: bytes, sent: bytes) -> None:
    """A caller must not take half an answer for a whole one."""

    async def api(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n%b\r\n\r\n%b" % (framing, sent))
        await writer.drain()
        await asyncio.sleep(0.05)
        writer.close()

    async with served(api) as proxy:
        got = await proxy.exchange(proxy.head("GET", "/x"))

    assert framing in got
    assert b"half" in got
    assert not got.endswith(b"0\r\n\r\n")


async def test_the_api_learns_that_the_caller_hung_up() -> None:
    """What nobody reads is not fetched."""
    gone = asyncio.Event()

    async def api(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await reader.read()
        gone.set()
        writer.close()

    async with served(api) as proxy:
        _, writer = await proxy.open()
        writer.write(proxy.head("GET", "/slow"))
        await asyncio.sleep(0.05)
        writer.close()
        await asyncio.wait_for(gone.wait(), 5)

    assert gone.is_set()
    assert 1 == proxy.app.counts.count("acme", "caller_gone")


@pytest.mark.parametrize("wanted", [True, False], ids=["wanted", "refused"])
async def test_expect_is_the_apis_to_answer(wanted: bool) -> None:
    """100 comes from the API by way of the proxy; where it refuses, the caller is never asked for the body."""

    async def api(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        if wanted:
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            await reader.readexactly(4)
        writer.write(b"HTTP/1.1 %d X\r\ncontent-length: 0\r\n\r\n" % (200 if wanted else 417))

    async with served(api) as proxy:
        reader, writer = await proxy.open()
        writer.write(proxy.head("PUT", "/x", "Expect: 100-continue", "Content-Length: 4"))
        first, _ = await asyncio.wait_for(read_head(reader), 5)
        if wanted:
            writer.write(b"body")
            last, _ = await asyncio.wait_for(read_head(reader), 5)
        else:
            last = first
        writer.close()

    assert ("100" if wanted else "417") == first.split()[1]
    assert ("200" if wanted else "417") == last.split()[1]


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunks"])
async def test_a_large_body_streams_both_ways_in_flat_memory(chunked: bool) -> None:
    """Two hundred megabytes go up and down through caller, proxy and API, and a slow reader makes the sender wait."""
    framing = b"transfer-encoding: chunked" if chunked else b"content-length: %d" % LARGE

    sizes: list[int] = []

    def framed(piece: bytes) -> bytes:
        return b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece

    async def send(writer: asyncio.StreamWriter) -> None:
        for n in range(LARGE // len(PIECE)):
            writer.write(framed(PIECE))
            await writer.drain()
            if n % 100 == 0:
                sizes.append(resident_bytes())
        if chunked:
            writer.write(b"0\r\n\r\n")

    async def swallow(reader: asyncio.StreamReader) -> int:
        """Read to the end of the body; with chunks the bytes of their framing are counted too."""
        size, end = 0, b""
        while not (end.endswith(b"\r\n0\r\n\r\n") if chunked else size == LARGE):
            piece = await reader.read(1 << 18)
            assert piece
            size, end = size + len(piece), end[-8:] + piece[-16:]
        return size

    async def api(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await swallow(reader)
        writer.write(b"HTTP/1.1 200 OK\r\n%b\r\n\r\n" % framing)
        await send(writer)

    async with served(api) as proxy:
        reader, writer = await proxy.open()
        await asyncio.sleep(0.05)
        before = resident_bytes()
        writer.write(proxy.head("POST", "/large", framing.decode()))
        await send(writer)
        sizes.append(resident_bytes())
        await read_head(reader)
        await asyncio.sleep(0.3)  # a reader that is slow to begin: the API has to wait
        sizes.append(resident_bytes())
        got = await asyncio.wait_for(swallow(reader), 60)
        sizes.append(resident_bytes())
        writer.close()

    assert got >= LARGE
    assert max(sizes) - before < GROWTH_AT_MOST
