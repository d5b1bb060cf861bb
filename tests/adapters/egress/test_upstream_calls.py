"""The proxy's client: what it sends, how often, and over which connection."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from keyturn.adapters.egress.dialling import EgressAllowances
from keyturn.adapters.egress.resolver import SystemResolver
from keyturn.adapters.egress.tls_contexts import system_tls_context
from keyturn.adapters.egress.upstream import PooledUpstream, UpstreamLimits
from keyturn.core.errors import (
    AddressNotAllowed,
    BadRequest,
    KeyturnError,
    ProviderTimeout,
    ProviderTlsFailed,
    ProviderUnavailable,
    ProviderUnreachable,
    UrlNotAllowed,
)
from keyturn.ports.egress import EgressPolicy, UpstreamRequest
from tests.adapters.egress.certificates import Authority
from tests.adapters.egress.lookups import ScriptedResolver
from tests.adapters.egress.raw_server import Script, Talk, body_of, raw_server, serving, whole
from tests.contracts.upstream_contract import POLICY, call, collect, pieces

LOOPBACK = EgressAllowances((ip_network("127.0.0.0/8"),), insecure_http=True)
POST_BODY: dict[str, Any] = {"has_body": True}


@pytest.fixture
async def upstream() -> AsyncIterator[PooledUpstream]:
    """May reach loopback."""
    made = PooledUpstream(SystemResolver(), LOOPBACK)
    yield made
    await made.close()


async def get(
    upstream: PooledUpstream, request: UpstreamRequest, body: AsyncIterator[bytes] | bytes | None = None
) -> bytes:
    """The whole body of an answer."""
    answer = await upstream.open(request, body, POLICY)
    try:
        return b"".join([piece async for piece in answer.body()])
    finally:
        await answer.close()


@pytest.mark.parametrize(
    ("method", "body", "length", "expected"),
    [
        pytest.param(b"GET", None, None, b"\r\n", id="nothing"),
        pytest.param(b"POST", None, None, b"content-length: 0\r\n\r\n", id="POST of nothing"),
        pytest.param(b"GET", None, 0, b"content-length: 0\r\n\r\n", id="GET that states 0"),
        pytest.param(b"PUT", b"held", None, b"content-length: 4\r\n\r\nheld", id="held"),
        pytest.param(b"PUT", b"held", 4, b"content-length: 4\r\n\r\nheld", id="held and stated"),
        pytest.param(b"POST", (b"ab", b"", b"c"), 3, b"content-length: 3\r\n\r\nabc", id="streamed with a length"),
        pytest.param(
            b"POST",
            (b"ab", b"", b"c"),
            None,
            b"transfer-encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n",
            id="streamed in chunks",
        ),
        pytest.param(b"POST", (), None, b"transfer-encoding: chunked\r\n\r\n0\r\n\r\n", id="an empty stream"),
        pytest.param(b"POST", (), 0, b"content-length: 0\r\n\r\n", id="an empty stream that says so"),
    ],
)
async def test_a_call_goes_out_as_it_was_given(
    upstream: PooledUpstream, method: bytes, body: bytes | tuple[bytes, ...] | None, length: int | None, expected: bytes
) -> None:
    """Request line, Host, headers in order, one framing."""
    sent = pieces(*body) if isinstance(body, tuple) else body
    headers = ((b"x-b", b"1"), (b"x-a", b"\xc3\xbc, \t2"), (b"x-b", b""))
    request_parts = {"target": b"/v1/x%2Fy?a=b%20c", "headers": headers, "content_length": length, "has_body": True}
    async with raw_server(serving(whole(b""))) as server:
        await get(upstream, call(server.port, method, **request_parts), sent)

    assert (
        b"%b /v1/x%%2Fy?a=b%%20c HTTP/1.1\r\nhost: 127.0.0.1:%d\r\nx-b: 1\r\nx-a: \xc3\xbc, \t2\r\nx-b: \r\n%b"
        % (method, server.port, expected)
    ) == server.received[0]


@pytest.mark.parametrize(
    "parts",
    [
        {"method": b"CONNECT"},
        {"method": b"get"},
        {"method": b"GET / HTTP/1.1\r\nx:"},
        {"target": b""},
        {"target": b"http://other.example/"},
        {"target": b"/a b"},
        {"target": b"/a\r\nx: y"},
        {"target": b"/a\x7f"},
        {"target": b"/a\x00"},
        {"headers": ((b"x", b"a\r\nb: c"),)},
        {"headers": ((b"x", b"a\nb"),)},
        {"headers": ((b"x", b"a\x00"),)},
        {"headers": ((b"x", b"a\r\n"), (b"y", b"b"))},
        {"headers": ((b"x y", b"a"),)},
        {"headers": ((b"x:", b"a"),)},
        {"headers": ((b"", b"a"),)},
        {"headers": ((b"X-Upper", b"a"),)},
        {"headers": ((b"host", b"other.example"),)},
        {"headers": ((b"content-length", b"5"),)},
        {"headers": ((b"transfer-encoding", b"chunked"),)},
        {"headers": ((b"connection", b"close"),)},
        {"headers": ((b"upgrade", b"websocket"),)},
        {"content_length": 3},
    ],
)
async def test_nothing_smuggles_itself_into_a_call(upstream: PooledUpstream, parts: dict[str, Any]) -> None:
    """Control characters, names that frame, methods and targets that are none: refused before anything is dialled."""
    async with raw_server(serving(whole(b""))) as server:
        with pytest.raises(BadRequest):
            await get(upstream, call(server.port, **parts))

    assert 0 == server.connections


async def test_connections_are_used_again_and_last_used_first(upstream: PooledUpstream) -> None:
    """Calls one after the other share one connection; calls at once have one each."""
    async with raw_server(serving(*[whole(b"x")] * 9)) as server:
        for _ in range(3):
            await get(upstream, call(server.port))
        one_after_the_other = server.connections
        await asyncio.gather(*(get(upstream, call(server.port)) for _ in range(3)))

    assert (1, 3) == (one_after_the_other, server.connections)


async def test_a_connection_serves_only_the_allowances_it_was_made_under(upstream: PooledUpstream) -> None:
    """A call whose connector did not ask for the private network does not find a way there in the pool."""
    async with raw_server(serving(*[whole(b"x")] * 3)) as server:
        await get(upstream, call(server.port))
        with pytest.raises(UrlNotAllowed):
            await upstream.open(call(server.port), None, EgressPolicy())
        again = await get(upstream, call(server.port))

    assert (b"x", 1, 2) == (again, server.connections, len(server.received))


@pytest.mark.parametrize(
    ("resolver", "host", "error"),
    [
        pytest.param(ScriptedResolver(["127.0.0.1"]), "api.example.com", AddressNotAllowed, id="a private address"),
        pytest.param(ScriptedResolver(["127.0.0.1"]), "0x7f.1", UrlNotAllowed, id="an odd literal"),
        pytest.param(ScriptedResolver(["127.0.0.1"]), "169.254.169.254", AddressNotAllowed, id="metadata"),
        pytest.param(ScriptedResolver(OSError()), "api.example.com", ProviderUnreachable, id="unknown"),
        pytest.param(ScriptedResolver(None), "api.example.com", ProviderUnreachable, id="a lookup that hangs"),
    ],
)
async def test_what_may_not_or_cannot_be_reached(
    resolver: ScriptedResolver, host: str, error: type[KeyturnError]
) -> None:
    """The check of addresses is that of every way out, and a failed host leaves nothing behind."""
    upstream = PooledUpstream(resolver, EgressAllowances(insecure_http=True), limits=UpstreamLimits(connect_s=0.2))
    request = UpstreamRequest(b"GET", "http", host, 80, b"/", ())

    with pytest.raises(error):
        await upstream.open(request, None, POLICY)
    await upstream.close()

    assert {} == upstream._pools


async def test_tls_is_spoken_to_the_hosts_name(tmp_path: Path) -> None:
    """With a trusted certificate; with another nothing is sent. The Host line has no default port."""
    authority = Authority(tmp_path)
    policy = EgressPolicy(private_network=True)
    names = ScriptedResolver(["127.0.0.1"])
    trusting = PooledUpstream(names, LOOPBACK, authority.trusted_by(system_tls_context()))
    doubting = PooledUpstream(names, LOOPBACK)
    script = serving(whole(b"1"), whole(b"2"), whole(b"3"))
    async with raw_server(script, tls=authority.server_context("api.example.com")) as server:
        request = UpstreamRequest(b"POST", "https", "api.example.com", server.port, b"/", ())
        found = [(await trusting.open(request, b"x" * 100_000, policy)).whole for _ in range(2)]
        with pytest.raises(ProviderTlsFailed):
            await doubting.open(request, None, policy)
        await trusting.close()
        await doubting.close()

    assert [b"1", b"2"] == found
    assert 2 == len(server.received)


# --- what is sent again, and what is not


def closing_after(first: bytes, then: Script) -> tuple[Script, Script]:
    """A server that answers once and closes on the second request unanswered; its next connection plays `then`."""

    async def script(talk: Talk) -> None:
        await talk.request()
        await talk.send(first)
        await talk.request()

    return script, then


@pytest.mark.parametrize(
    ("method", "body", "again"),
    [
        pytest.param(b"GET", None, True, id="GET"),
        pytest.param(b"DELETE", None, True, id="DELETE"),
        pytest.param(b"PUT", b"held", True, id="PUT, its body held"),
        pytest.param(b"PUT", (b"streamed",), False, id="PUT, its body streamed"),
        pytest.param(b"POST", None, False, id="POST"),
        pytest.param(b"PATCH", b"held", False, id="PATCH"),
    ],
)
async def test_a_stale_connection_is_replaced_where_that_is_safe(
    upstream: PooledUpstream, method: bytes, body: bytes | tuple[bytes, ...] | None, again: bool
) -> None:
    """Only idempotent calls of which nothing was taken from the caller are sent twice."""
    sent = pieces(*body) if isinstance(body, tuple) else body
    async with raw_server(*closing_after(whole(b"1"), serving(whole(b"2")))) as server:
        await get(upstream, call(server.port))
        try:
            found: bytes | type = await get(upstream, call(server.port, method, has_body=True), sent)
        except ProviderTimeout:
            found = ProviderTimeout

    assert (b"2" if again else ProviderTimeout) == found
    assert (3 if again else 2) == len(server.received)


async def test_a_call_is_sent_twice_at_most(upstream: PooledUpstream) -> None:
    """A new connection that breaks as well ends it."""

    async def close(talk: Talk) -> None:
        await talk.request()

    async with raw_server(*closing_after(whole(b"1"), close)) as server:
        await get(upstream, call(server.port))
        with pytest.raises(ProviderTimeout):
            await get(upstream, call(server.port))

    assert (2, 3) == (server.connections, len(server.received))


async def test_a_first_connection_that_breaks_is_not_replaced(upstream: PooledUpstream) -> None:
    """A connection that was never idle is not stale; the API took the call and gave no answer."""

    async def close(talk: Talk) -> None:
        await talk.request()

    async with raw_server(close) as server:
        with pytest.raises(ProviderTimeout):
            await get(upstream, call(server.port))

    assert 1 == len(server.received)


async def test_an_answer_that_began_is_not_asked_for_again(upstream: PooledUpstream) -> None:
    """One byte of an answer says that the call arrived."""

    async def script(talk: Talk) -> None:
        await talk.request()
        await talk.send(whole(b"1"))
        await talk.request()
        await talk.send(b"H")

    async with raw_server(script) as server:
        await get(upstream, call(server.port))
        with pytest.raises(ProviderTimeout):
            await get(upstream, call(server.port))

    assert 2 == len(server.received)


async def test_a_post_does_not_go_to_a_connection_that_the_api_has_closed(upstream: PooledUpstream) -> None:
    """Even where the event loop has not heard of the end yet, the kernel is asked."""

    async def once(talk: Talk) -> None:
        await talk.request()
        await talk.send(whole(b"x"))

    async with raw_server(once) as server:
        for _ in range(5):
            await get(upstream, call(server.port))
            await asyncio.sleep(0.01)
            found = await get(upstream, call(server.port, b"POST"), b"x")

    assert b"x" == found
    assert (10, 10) == (server.connections, len(server.received))


# --- bodies that stream


async def test_a_streamed_body_is_read_as_fast_as_the_api_takes_it(upstream: PooledUpstream) -> None:
    """Back-pressure: of an endless body no more is asked for than the high-water mark and what sockets hold."""
    asked = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal asked
        while True:
            asked += 65_536
            yield bytes(65_536)

    async def never_reads(talk: Talk) -> None:
        talk.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await asyncio.sleep(10)

    async with raw_server(never_reads) as server:
        opening = asyncio.create_task(upstream.open(call(server.port, b"POST", has_body=True), endless(), POLICY))
        await asyncio.sleep(0.3)
        stopped_at = asked
        await asyncio.sleep(0.1)
        later = asked
        opening.cancel()
        await asyncio.gather(opening, return_exceptions=True)

    assert stopped_at == later
    assert 0 < stopped_at < 16_000_000


async def test_an_early_answer_is_handed_on_while_the_body_is_still_coming(upstream: PooledUpstream) -> None:
    """An API may refuse before it has read; the connection is not used again, the caller's body is let go."""
    let_go = asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        try:
            yield b"first"
            await asyncio.sleep(30)
        finally:
            let_go.set()

    async def refuse(talk: Talk) -> None:
        await talk.reader.readuntil(b"first\r\n")
        await talk.send(whole(b"too large", b"413 No"))
        await talk.gone()

    async with raw_server(refuse, serving(whole(b"next"))) as server, asyncio.timeout(5):
        answer = await upstream.open(call(server.port, b"POST", has_body=True), slow(), POLICY)
        refused = answer.status, answer.whole
        await let_go.wait()
        after = await get(upstream, call(server.port))

    assert ((413, b"too large"), b"next", 2) == (refused, after, server.connections)


async def test_a_broken_connection_lets_the_callers_body_go(upstream: PooledUpstream) -> None:
    """Nobody waits for a piece that could not be sent."""
    let_go = asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        try:
            yield b"first"
            await asyncio.sleep(30)
        finally:
            let_go.set()

    async def breaks(talk: Talk) -> None:
        await talk.reader.readuntil(b"first\r\n")
        await talk.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab")

    async with raw_server(breaks) as server, asyncio.timeout(5):
        answer = await upstream.open(call(server.port, b"POST", has_body=True), slow(), POLICY)
        with pytest.raises(ProviderTimeout):
            await collect(answer, [])
        await let_go.wait()

    assert (200, None) == (answer.status, answer.whole)


async def test_both_directions_stream_at_once(upstream: PooledUpstream) -> None:
    """An API that answers while it reads gets its body piece by piece, driven by its own answers."""
    turns: asyncio.Queue[bytes] = asyncio.Queue()

    async def body() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield await turns.get()

    async def echo(talk: Talk) -> None:
        await talk.reader.readuntil(b"\r\n\r\n")
        await talk.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(3):
            await talk.reader.readuntil(b"\r\n")
            piece = (await talk.reader.readuntil(b"\r\n"))[:-2]
            await talk.send(b"%x\r\n%b\r\n" % (len(piece), piece))
        await talk.reader.readuntil(b"0\r\n\r\n")
        await talk.send(b"0\r\n\r\n")
        await talk.gone()

    async with raw_server(echo) as server, asyncio.timeout(5):
        answer = await upstream.open(call(server.port, b"POST", has_body=True), body(), POLICY)
        found = []
        for piece in (b"one", b"two", b"three"):
            turns.put_nowait(piece)
            found.append(await anext(answer.body()))
        rest = [piece async for piece in answer.body()]

    assert ([b"one", b"two", b"three"], []) == (found, rest)


@pytest.mark.parametrize(
    ("body", "length"),
    [
        pytest.param((b"abcd",), 3, id="longer"),
        pytest.param((b"ab",), 3, id="shorter"),
    ],
)
async def test_a_body_of_another_length_ends_the_call(
    upstream: PooledUpstream, body: tuple[bytes, ...], length: int
) -> None:
    """The connection is closed before the API could take the next call's bytes for this one's."""

    async def read_on(talk: Talk) -> None:
        await talk.gone()

    async with raw_server(read_on) as server, asyncio.timeout(5):
        with pytest.raises(BadRequest):
            await upstream.open(call(server.port, b"POST", content_length=length, has_body=True), pieces(*body), POLICY)
        await asyncio.sleep(0.05)

        assert 0 == server.open_connections


async def test_what_a_body_raises_passes_through_and_closes_the_connection(upstream: PooledUpstream) -> None:
    """A caller that went away ends its call, and the API sees an end too early, not a whole body."""

    class GoneAway(Exception):
        pass

    async def breaks() -> AsyncIterator[bytes]:
        yield b"some"
        raise GoneAway

    async def read_on(talk: Talk) -> None:
        talk.received.append(await talk.reader.read())

    async with raw_server(read_on) as server, asyncio.timeout(5):
        with pytest.raises(GoneAway):
            await upstream.open(call(server.port, b"POST", has_body=True), breaks(), POLICY)
        await asyncio.sleep(0.05)

    assert not server.received or not server.received[0].endswith(b"0\r\n\r\n")


async def _goes_on(talk: Talk) -> None:
    head = await talk.reader.readuntil(b"\r\n\r\n")
    assert b"expect: 100-continue" in head
    await talk.send(b"HTTP/1.1 100 Continue\r\n\r\n")
    talk.received.append(head + await talk.reader.readuntil(b"0\r\n\r\n"))
    await talk.send(whole(b"taken"))


async def _refuses(talk: Talk) -> None:
    talk.received.append(await talk.reader.readuntil(b"\r\n\r\n"))
    await talk.send(whole(b"refused", b"417 No"))
    await talk.gone()


async def _knows_no_expect(talk: Talk) -> None:
    await talk.request()
    await talk.send(whole(b"taken"))


@pytest.mark.parametrize(
    ("script", "answer", "sent"),
    [
        pytest.param(_goes_on, b"taken", b"body", id="go on"),
        pytest.param(_refuses, b"refused", b"", id="refused"),
        pytest.param(_knows_no_expect, b"taken", b"body", id="silent for a second"),
    ],
)
async def test_expect_holds_the_body_back(upstream: PooledUpstream, script: Script, answer: bytes, sent: bytes) -> None:
    """The body is asked for when the API says so, or has said nothing for a while, and not where it refuses."""
    asked = False

    async def body() -> AsyncIterator[bytes]:
        nonlocal asked
        asked = True
        yield b"body"

    expecting = {"headers": ((b"expect", b"100-continue"),), "has_body": True}
    async with raw_server(script) as server, asyncio.timeout(5):
        found = await get(upstream, call(server.port, b"POST", **expecting), body())

    assert answer == found
    assert (sent, sent != b"") == (body_of(server.received[0]), asked)


# --- ends


async def _silent(talk: Talk) -> None:
    await talk.request()
    await talk.gone()


async def test_a_cancelled_call_closes_its_connection(upstream: PooledUpstream) -> None:
    """Nobody waits for the answer."""
    async with raw_server(_silent) as server:
        calling = asyncio.create_task(upstream.open(call(server.port), None, POLICY))
        await server.arrived.wait()
        calling.cancel()
        await asyncio.gather(calling, return_exceptions=True)
        await asyncio.sleep(0.05)

        assert calling.cancelled()
        assert 0 == server.open_connections


async def test_an_answer_closed_early_closes_its_connection(upstream: PooledUpstream) -> None:
    """The rest is not read; the next call has a new connection."""

    async def endless(talk: Talk) -> None:
        await talk.request()
        await talk.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\nab")
        await talk.gone()

    async with raw_server(endless, serving(whole(b"next"))) as server:
        answer = await upstream.open(call(server.port), None, POLICY)
        await answer.close()
        await asyncio.sleep(0.05)
        left = server.open_connections
        found = await get(upstream, call(server.port))

    assert (0, b"next") == (left, found)


async def test_a_connection_that_speaks_unasked_is_dropped(upstream: PooledUpstream) -> None:
    """An answer without a call can't become the next caller's answer."""

    async def talkative(talk: Talk) -> None:
        await talk.request()
        await talk.send(whole(b"1"))
        await asyncio.sleep(0.02)
        await talk.send(whole(b"stale"))
        await talk.gone()

    async with raw_server(talkative, serving(whole(b"2"))) as server:
        await get(upstream, call(server.port))
        await asyncio.sleep(0.06)
        found = await get(upstream, call(server.port))

    assert (b"2", 2) == (found, server.connections)


async def test_idle_connections_are_closed_after_a_while() -> None:
    """And the watch ends with the last of them."""
    upstream = PooledUpstream(SystemResolver(), LOOPBACK, limits=UpstreamLimits(keep_alive_s=0.1))
    async with raw_server(serving(whole(b"x"), whole(b"x"))) as server:
        await get(upstream, call(server.port))
        while_fresh = server.open_connections
        await asyncio.sleep(0.3)
        later = server.open_connections

    assert (1, 0, {}) == (while_fresh, later, upstream._pools)


async def test_connections_to_a_host_are_bounded_and_taken_in_turns() -> None:
    """Calls above the limit wait for a free connection, and none is lost to a caller that gave up."""
    upstream = PooledUpstream(SystemResolver(), LOOPBACK, limits=UpstreamLimits(connections_per_host=2))
    async with raw_server(serving(*[whole(b"x")] * 50)) as server:
        calls = [asyncio.create_task(get(upstream, call(server.port))) for _ in range(20)]
        await asyncio.sleep(0)
        for given_up in calls[5:15]:
            given_up.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        found = await asyncio.gather(*(get(upstream, call(server.port)) for _ in range(20)))
        await upstream.close()

    assert [b"x"] * 20 == found
    assert server.connections <= 4


@pytest.mark.parametrize("close", [False, True], ids=["answers", "closes"])
async def test_a_place_given_up_goes_to_who_waits(close: bool) -> None:
    """Whether the connection before it gets free or ends."""
    upstream = PooledUpstream(SystemResolver(), LOOPBACK, limits=UpstreamLimits(connections_per_host=1))
    extra = (b"Connection: close",) if close else ()
    async with raw_server(serving(*[whole(b"x", b"200 OK", *extra)] * 3)) as server, asyncio.timeout(5):
        found = await asyncio.gather(*(get(upstream, call(server.port)) for _ in range(3)))
        await upstream.close()

    assert [b"x"] * 3 == found
    assert (3 if close else 1) == server.connections


async def test_a_connection_that_ends_on_its_way_to_who_waits_costs_no_call() -> None:
    """An API that closes after each answer without saying so, and a single place for many calls."""

    async def once(talk: Talk) -> None:
        await talk.request()
        await talk.send(whole(b"x"))

    upstream = PooledUpstream(SystemResolver(), LOOPBACK, limits=UpstreamLimits(connections_per_host=1))
    async with raw_server(once) as server, asyncio.timeout(10):
        found = await asyncio.gather(*(get(upstream, call(server.port)) for _ in range(30)))
        await upstream.close()

    assert [b"x"] * 30 == found


async def test_too_many_calls_are_refused_after_a_while() -> None:
    """The wait for a connection has the limit of connecting."""
    limits = UpstreamLimits(connections_per_host=1, connect_s=0.2)
    upstream = PooledUpstream(SystemResolver(), LOOPBACK, limits=limits)
    async with raw_server(_silent) as server:
        first = asyncio.create_task(upstream.open(call(server.port), None, POLICY))
        await server.arrived.wait()
        began = time.monotonic()
        with pytest.raises(ProviderUnavailable):
            await upstream.open(call(server.port), None, POLICY)
        took = time.monotonic() - began
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        await upstream.close()

    assert 0.1 < took < 1


async def test_close_lets_calls_end_and_takes_no_more() -> None:
    """Within the grace; what is idle is closed at once."""

    async def slow(talk: Talk) -> None:
        await talk.request()
        await asyncio.sleep(0.1)
        await talk.send(whole(b"last"))
        await talk.gone()

    upstream = PooledUpstream(SystemResolver(), LOOPBACK)
    async with raw_server(serving(whole(b"first")), slow) as server:
        both = asyncio.gather(get(upstream, call(server.port)), get(upstream, call(server.port)))
        await server.arrived.wait()
        began = time.monotonic()
        await upstream.close(grace_s=5)
        took = time.monotonic() - began
        found = await both
        with pytest.raises(ProviderUnavailable):
            await upstream.open(call(server.port), None, POLICY)

    assert {b"first", b"last"} == set(found)
    assert took < 2


async def test_close_without_grace_ends_what_is_under_way() -> None:
    """At once, and the call says why."""
    upstream = PooledUpstream(SystemResolver(), LOOPBACK)
    async with raw_server(_silent) as server:
        calling = asyncio.create_task(upstream.open(call(server.port), None, POLICY))
        await server.arrived.wait()
        await upstream.close()
        with pytest.raises(ProviderUnavailable):
            await calling

    assert 1 == server.connections
