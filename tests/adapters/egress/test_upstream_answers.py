"""The proxy's client: what it takes for an answer, and what it refuses, byte by byte."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from ipaddress import ip_network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keyturn.adapters.egress.dialling import EgressAllowances
from keyturn.adapters.egress.resolver import SystemResolver
from keyturn.adapters.egress.upstream import PooledUpstream, UpstreamLimits
from keyturn.core.errors import KeyturnError, ProviderBadResponse, ProviderTimeout
from tests.adapters.egress.raw_server import Script, Talk, answering, raw_server, serving, whole
from tests.contracts.upstream_contract import POLICY, call

LOOPBACK = EgressAllowances((ip_network("127.0.0.0/8"),), insecure_http=True)
HURRIED = UpstreamLimits(first_byte_s=0.2, idle_s=0.2)
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.fixture
async def upstream() -> AsyncIterator[PooledUpstream]:
    """May reach loopback."""
    made = PooledUpstream(SystemResolver(), LOOPBACK)
    yield made
    await made.close()


async def read(
    upstream: PooledUpstream, port: int, method: bytes = b"GET"
) -> tuple[int, bytes, type[KeyturnError] | None]:
    """Status, body, and the error that ended one of them."""
    try:
        answer = await upstream.open(call(port, method), None, POLICY)
    except KeyturnError as error:
        return 0, b"", type(error)
    body = b""
    try:
        async for piece in answer.body():
            body += piece
    except KeyturnError as error:
        return answer.status, body, type(error)
    finally:
        await answer.close()
    return answer.status, body, None


OK = [
    pytest.param(b"GET", whole(b"body"), 200, b"body", True, id="with a length"),
    pytest.param(b"GET", CHUNKED + b"4;a=b\r\nbody\r\n0\r\nX: trailer\r\n\r\n", 200, b"body", True, id="chunks"),
    pytest.param(b"GET", b"HTTP/1.1 200 OK\r\n\r\nbody", 200, b"body", False, id="ended by the close"),
    pytest.param(b"GET", b"HTTP/1.0 200 OK\r\nContent-Length: 4\r\n\r\nbody", 200, b"body", False, id="HTTP/1.0"),
    pytest.param(b"GET", whole(b"body", b"200 OK", b"Connection: close"), 200, b"body", False, id="says close"),
    pytest.param(b"GET", b"HTTP/1.1 204 No\r\n\r\n", 204, b"", True, id="204"),
    pytest.param(b"GET", b"HTTP/1.1 304 Not\r\nContent-Length: 4\r\n\r\n", 304, b"", True, id="304 with a length"),
    pytest.param(b"HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n", 200, b"", True, id="HEAD with a length"),
    pytest.param(b"HEAD", CHUNKED, 200, b"", True, id="HEAD of chunks"),
    pytest.param(b"HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200, b"", True, id="HEAD of nothing"),
    pytest.param(b"GET", b"HTTP/1.1 100 Go\r\n\r\n" + whole(b"body"), 200, b"body", True, id="100 first"),
    pytest.param(b"GET", b"HTTP/1.1 103 E\r\nLink: x\r\n\r\n" * 3 + whole(b"body"), 200, b"body", True, id="103 first"),
    pytest.param(b"GET", whole(b"body", b"302 Found", b"Location: /x"), 302, b"body", True, id="a redirect"),
    pytest.param(b"GET", whole(b"body") + b"junk", 200, b"body", False, id="junk behind it"),
    pytest.param(b"GET", whole(b"body") + whole(b"evil"), 200, b"body", False, id="a second answer behind it"),
    pytest.param(b"HEAD", whole(b"body"), 200, b"", False, id="HEAD with a body"),
    pytest.param(b"GET", b"HTTP/1.1 204 No\r\nContent-Length: 4\r\n\r\nbody", 204, b"", False, id="204 with a body"),
    pytest.param(b"GET", whole(b"body", b"200 OK", b"X: " + b"y" * 65_000), 200, b"body", True, id="a large head"),
]


@pytest.mark.parametrize(("method", "raw", "status", "body", "kept"), OK)
async def test_answers_end_where_they_say(
    upstream: PooledUpstream, method: bytes, raw: bytes, status: int, body: bytes, kept: bool
) -> None:
    """In every framing; a connection is used again only where nothing is left on it."""

    async def script(talk: Talk) -> None:
        for _ in range(2):
            await talk.request()
            await talk.send(raw)
            if b"Content-Length" not in raw and status == 200 and b"chunked" not in raw:
                return
        await talk.gone()

    async with raw_server(script) as server:
        found = [await read(upstream, server.port, method) for _ in range(2)]

    assert [(status, body, None)] * 2 == found
    assert (1 if kept else 2) == server.connections


@pytest.mark.parametrize(
    "raw", [whole(b"body"), CHUNKED + b"4;a=b\r\nbody\r\n0\r\nX: t\r\n\r\n"], ids=["length", "chunks"]
)
async def test_answers_may_come_byte_by_byte(upstream: PooledUpstream, raw: bytes) -> None:
    """Interim answer, head, chunks and trailers, in reads of one byte."""

    async def script(talk: Talk) -> None:
        for _ in range(2):
            await talk.request()
            for byte in b"HTTP/1.1 103 Early\r\nLink: x\r\n\r\n" + raw:
                await talk.send(bytes([byte]))
                await asyncio.sleep(0)
        await talk.gone()

    async with raw_server(script) as server:
        found = [await read(upstream, server.port) for _ in range(2)]

    assert [(200, b"body", None)] * 2 == found
    assert 1 == server.connections


BAD = [
    pytest.param(b"hello\r\n\r\n", id="no HTTP"),
    pytest.param(b"HTTP/2 200 OK\r\n\r\n", id="another version"),
    pytest.param(b"HTTP/1.1 200 OK\r\nA: b\r\n c\r\nContent-Length: 2\r\n\r\n{}", id="folded line"),
    pytest.param(b"HTTP/1.1 200 OK\r\nA: b\0c\r\nContent-Length: 2\r\n\r\n{}", id="NUL in a value"),
    pytest.param(b"HTTP/1.1 200 OK\r\nA: b\rc\r\nContent-Length: 2\r\n\r\n{}", id="CR in a value"),
    pytest.param(b"HTTP/1.1 200 OK\r\nA : b\r\nContent-Length: 2\r\n\r\n{}", id="blank before the colon"),
    pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n{}", id="two lengths"),
    pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}!", id="two unlike lengths"),
    pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\n{}", id="two lengths in one"),
    pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\n{}", id="signed length"),
    pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", id="both"),
    pytest.param(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n0\r\n\r\n", id="both, too"
    ),
    pytest.param(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n{}", id="another transfer coding"),
    pytest.param(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", id="two codings"),
    pytest.param(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", id="two lines"
    ),
    pytest.param(b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", id="chunks in HTTP/1.0"),
    pytest.param(b"HTTP/1.1 101 Sw\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nabc", id="another protocol"),
    pytest.param(b"HTTP/1.1 101 Sw\r\n\r\n", id="101 bare"),
    pytest.param(b"HTTP/1.1 999 W\r\nContent-Length: 0\r\n\r\n", id="status too high"),
    pytest.param(b"HTTP/1.1 099 W\r\nContent-Length: 0\r\n\r\n", id="status too low"),
    pytest.param(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000, id="endless header"),
    pytest.param(whole(b"", b"200 OK", b"X: " + b"y" * 65_600), id="a head just too large"),
    pytest.param(whole(bytes(100_000), b"200 OK", b"X: " + b"y" * 65_600), id="the same with its body"),
    pytest.param(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 20_000, id="endless headers"),
    pytest.param(b"HTTP/1.1 100 Go\r\n\r\n" * 5_000, id="endless interim answers"),
]


@pytest.mark.parametrize("raw", BAD)
async def test_heads_that_leave_doubts_are_refused(upstream: PooledUpstream, raw: bytes) -> None:
    """A head in which two readers could see two things is no answer, and its connection is not used again."""
    async with raw_server(serving(raw), serving(whole(b"next"))) as server:
        found = [await read(upstream, server.port) for _ in range(2)]

    assert [(0, b"", ProviderBadResponse), (200, b"next", None)] == found
    assert 2 == server.connections


@pytest.mark.parametrize(
    ("raw", "body", "error"),
    [
        pytest.param(CHUNKED + b"2\r\nab\r\nzz\r\n", b"ab", ProviderBadResponse, id="chunk size no number"),
        pytest.param(CHUNKED + b"2\r\nab\r\n-1\r\n", b"ab", ProviderBadResponse, id="negative chunk"),
        pytest.param(CHUNKED + b"2\r\nabc\r\n", b"ab", ProviderBadResponse, id="chunk too long"),
        pytest.param(CHUNKED + b"2\r\nab\r\n0\r\n" + b"X: y\r\n" * 90_000, b"ab", ProviderBadResponse, id="trailers"),
        pytest.param(CHUNKED + b"2\r\nab\r\n1;" + b"x" * 200_000, b"ab", ProviderBadResponse, id="chunk extension"),
        pytest.param(CHUNKED + b"2\r\nab\r\n", b"ab", ProviderTimeout, id="no last chunk"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab", b"ab", ProviderTimeout, id="cut"),
    ],
)
async def test_bodies_that_go_wrong_are_handed_out_and_then_said(
    upstream: PooledUpstream, raw: bytes, body: bytes, error: type[KeyturnError]
) -> None:
    """What was received comes first, then the reason why there is no more."""
    async with raw_server(answering(raw)) as server:
        found = await read(upstream, server.port)

    assert (200, body, error) == found


async def test_a_reset_ends_a_body_that_the_close_would_end(upstream: PooledUpstream) -> None:
    """Only an orderly close is an end."""

    async def script(talk: Talk) -> None:
        await talk.request()
        await talk.send(b"HTTP/1.1 200 OK\r\n\r\nab")
        await asyncio.sleep(0.05)
        await talk.reset()

    async with raw_server(script) as server:
        found = await read(upstream, server.port)

    assert (200, b"ab", ProviderTimeout) == found


async def test_names_of_headers_come_in_lower_case_and_trailers_do_not_come(upstream: PooledUpstream) -> None:
    """Values are untouched."""
    raw = b"HTTP/1.1 200 OK\r\nX-ODD: Va Lue\r\nSet-Cookie: a\r\nset-cookie: b\r\nTransfer-Encoding: chunked\r\n\r\n"
    async with raw_server(answering(raw + b"1\r\nx\r\n0\r\nX-Trailer: t\r\n\r\n")) as server:
        answer = await upstream.open(call(server.port), None, POLICY)
        await answer.close()

    assert [
        (b"x-odd", b"Va Lue"),
        (b"set-cookie", b"a"),
        (b"set-cookie", b"b"),
        (b"transfer-encoding", b"chunked"),
    ] == list(answer.headers)


async def _silent(talk: Talk) -> None:
    await talk.request()
    await talk.gone()


async def _stalls(talk: Talk) -> None:
    await talk.request()
    await talk.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab")
    await talk.gone()


async def _drips(talk: Talk) -> None:
    await talk.request()
    await talk.send(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n")
    for _ in range(8):
        await talk.send(b"x")
        await asyncio.sleep(0.1)


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        pytest.param(_silent, (0, b"", ProviderTimeout), id="no answer"),
        pytest.param(_stalls, (200, b"ab", ProviderTimeout), id="a body that stalls"),
        pytest.param(_drips, (200, b"x" * 8, None), id="a body that drips may"),
    ],
)
async def test_silence_has_limits(script: Script, expected: tuple[int, bytes, type[KeyturnError] | None]) -> None:
    """One for the first byte, one between bytes, none for the whole."""
    upstream = PooledUpstream(SystemResolver(), LOOPBACK, limits=HURRIED)
    async with raw_server(script) as server, asyncio.timeout(5):
        found = await read(upstream, server.port)
        await upstream.close()

    assert expected == found


async def test_a_caller_may_read_slowly() -> None:
    """Nothing is timed while the answer waits for its reader."""
    upstream = PooledUpstream(SystemResolver(), LOOPBACK, limits=HURRIED)
    body = bytes(8_000_000)
    async with raw_server(serving(whole(body))) as server:
        answer = await upstream.open(call(server.port), None, POLICY)
        await asyncio.sleep(0.6)
        found = sum([len(piece) async for piece in answer.body()])
        await upstream.close()

    assert len(body) == found


async def test_an_unread_answer_stops_the_server() -> None:
    """Back-pressure: of an endless answer no more is taken in than the high-water mark and what sockets hold."""
    sent = 0

    async def flood(talk: Talk) -> None:
        nonlocal sent
        await talk.request()
        await talk.send(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            await talk.send(bytes(65_536))
            sent += 65_536

    upstream = PooledUpstream(SystemResolver(), LOOPBACK)
    async with raw_server(flood) as server:
        answer = await upstream.open(call(server.port), None, POLICY)
        await asyncio.sleep(0.3)
        stopped_at = sent
        await asyncio.sleep(0.1)
        later = sent
        taken = 0
        async for piece in answer.body():
            taken += len(piece)
            if taken > 32_000_000:
                break
        await answer.close()
        await upstream.close()

    assert stopped_at == later
    assert stopped_at < 16_000_000
    assert sent > 32_000_000


@given(st.lists(st.binary(max_size=200), max_size=8), st.integers(min_value=1, max_value=64), st.data())
@settings(max_examples=30)
def test_any_chunking_in_any_reads_gives_the_same_body(parts: list[bytes], step: int, data: st.DataObject) -> None:
    """The body does not depend on how it was cut, by the API or by the network."""
    raw = CHUNKED + b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts if part) + b"0\r\n\r\n"
    cut = data.draw(st.integers(min_value=0, max_value=len(raw)))

    async def script(talk: Talk) -> None:
        await talk.request()
        await talk.send(raw[:cut])
        for place in range(cut, len(raw), step):
            await talk.send(raw[place : place + step])
            await asyncio.sleep(0)

    async def run() -> tuple[int, bytes, type[KeyturnError] | None]:
        upstream = PooledUpstream(SystemResolver(), LOOPBACK)
        async with raw_server(script) as server:
            found = await read(upstream, server.port)
            await upstream.close()
            return found

    found = asyncio.run(run())

    assert (200, b"".join(parts), None) == found
