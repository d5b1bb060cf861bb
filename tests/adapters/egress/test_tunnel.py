"""The operator's proxy: asked for the checked address, told no host, spoken through with the host's certificate."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path

import pytest

from keyturn.adapters.egress.client import HttpEgress
from keyturn.adapters.egress.dialling import EgressAllowances
from keyturn.adapters.egress.tls_contexts import system_tls_context
from keyturn.adapters.egress.tunnel import EgressProxy, egress_proxy
from keyturn.adapters.egress.upstream import PooledUpstream
from keyturn.core.errors import AddressNotAllowed, ProviderTlsFailed, ProviderUnreachable
from keyturn.core.messages import OutgoingRequest, TransportFacts
from keyturn.core.secret import Secret
from keyturn.ports.egress import EgressPolicy, UpstreamRequest
from tests.adapters.egress.certificates import Authority
from tests.adapters.egress.lookups import ScriptedResolver
from tests.adapters.egress.raw_server import RawServer, Talk, answering, raw_server, whole
from tests.fakes.clock import FakeClock

HOST = "api.example.com"
LOOPBACK = EgressAllowances((ip_network("127.0.0.1/32"),), insecure_http=True)
POLICY = EgressPolicy(private_network=True, insecure_http=True, timeout_s=5.0)


@asynccontextmanager
async def proxy(answer: bytes | None = None) -> AsyncIterator[RawServer]:
    """A proxy that does as it is asked; with `answer` it says that, and no more."""

    async def play(talk: Talk) -> None:
        head = (await talk.request()).decode("ascii")
        if answer is not None:
            await talk.send(answer)
            return
        host, _, port = head.split(" ")[1].rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        await talk.send(b"HTTP/1.1 200 Connection established\r\nVia: x\r\n\r\n")
        back = asyncio.create_task(_pass_on(reader, talk))
        try:
            while piece := await talk.reader.read(4096):
                writer.write(piece)
        except ConnectionError:
            pass
        finally:
            writer.transport.abort()
        writer.close()
        back.cancel()
        with suppress(ConnectionError, asyncio.CancelledError):
            await back
        with suppress(ConnectionError):
            await writer.wait_closed()

    async with raw_server(play) as server:
        yield server


async def _pass_on(reader: asyncio.StreamReader, talk: Talk) -> None:
    with suppress(ConnectionError):
        while piece := await reader.read(4096):
            await talk.send(piece)


def through(server: RawServer, addresses: Sequence[str] = ("127.0.0.1",), **more: object) -> HttpEgress:
    """A client whose operator names this proxy."""
    named = egress_proxy(Secret(f"http://jo:p%40ss@127.0.0.1:{server.port}"))
    return HttpEgress(ScriptedResolver(addresses), LOOPBACK, FakeClock(), proxy=named, **more)  # type: ignore[arg-type]


async def test_the_proxy_is_asked_for_the_checked_address() -> None:
    """By CONNECT, with the operator's credentials, for plain http as well; the host stands in the request inside."""
    async with proxy() as between, raw_server(answering(whole(b"through"))) as server:
        answer = await through(between).send(OutgoingRequest("GET", server.url(host=HOST)), POLICY)

    assert b"through" == answer.body
    asked = f"CONNECT 127.0.0.1:{server.port} HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n"
    assert f"{asked}Proxy-Authorization: Basic am86cEBzcw==\r\n\r\n".encode() == between.received[0]
    assert f"host: {HOST}:{server.port}".encode() in server.received[0].lower()
    assert b"proxy-authorization" not in server.received[0].lower()


async def test_tls_is_spoken_with_the_host_of_the_url(tmp_path: Path) -> None:
    """The proxy is between, and no end of it: a certificate of another name is refused."""
    authority = Authority(tmp_path)
    tls = authority.server_context(HOST)
    trusting = authority.trusted_by(system_tls_context())
    async with proxy() as between, raw_server(answering(whole(b"in TLS")), tls=tls) as server:
        egress = through(between, ssl_context=trusting)
        answer = await egress.send(OutgoingRequest("GET", server.url(host=HOST, scheme="https")), POLICY)
        with pytest.raises(ProviderTlsFailed):
            await egress.send(OutgoingRequest("GET", server.url(host="other.example", scheme="https")), POLICY)

    assert b"in TLS" == answer.body


async def test_of_the_proxys_own_address_nothing_is_told() -> None:
    """Where a request travelled by it, its family and network are not those of the host."""
    async with proxy() as between, raw_server(answering(whole(b"through"))) as server:
        asking = replace(POLICY, transport_facts=True)
        answer = await through(between).send(OutgoingRequest("GET", server.url(host=HOST)), asking)

    assert TransportFacts("", private=False, by_proxy=True, tls=None) == answer.transport


@pytest.mark.parametrize("address", ["10.0.0.1", "169.254.169.254", "127.0.0.2"])
async def test_what_may_not_be_reached_is_not_asked_of_the_proxy(address: str) -> None:
    """The proxy has a network of its own; ours is the judge."""
    async with proxy() as between:
        with pytest.raises(AddressNotAllowed):
            await through(between, [address]).send(OutgoingRequest("GET", f"http://{HOST}/"), POLICY)

    assert 0 == between.connections


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", id="refused"),
        pytest.param(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n", id="not reached"),
        pytest.param(b"HTTP/1.1 200", id="cut"),
        pytest.param(b"HTTP/1.1 200 OK\r\nX: " + b"a" * 9_000 + b"\r\n\r\n", id="endless"),
        pytest.param(b"SSH-2.0-x\r\n\r\n", id="no HTTP"),
    ],
)
async def test_a_proxy_that_does_not_is_an_unreachable_provider(answer: bytes) -> None:
    """Nothing of the request was sent."""
    async with proxy(answer) as between:
        with pytest.raises(ProviderUnreachable):
            await through(between).send(OutgoingRequest("POST", f"http://{HOST}/", body=b"password=canary"), POLICY)

    assert b"canary" not in b"".join(between.received)


async def test_calls_go_through_it_too() -> None:
    """The pooled client keeps the tunnelled connection."""
    async with proxy() as between, raw_server(answering(whole(b"pooled"))) as server:
        named = EgressProxy("proxy.example", between.port)
        upstream = PooledUpstream(ScriptedResolver(["127.0.0.1"]), LOOPBACK, proxy=named)
        answer = await upstream.open(UpstreamRequest(b"GET", "http", HOST, server.port, b"/", ()), None, POLICY)
        body = b"".join([piece async for piece in answer.body()])
        await upstream.close()

    assert (b"pooled", 1) == (body, between.connections)
    assert b"Proxy-Authorization" not in between.received[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("http://proxy.example:3128", ("proxy.example", 3128), id="host and port"),
        pytest.param("http://[fd00::1]:8080/", ("[fd00::1]", 8080), id="an address"),
    ],
)
def test_how_it_is_named(text: str, expected: tuple[str, int]) -> None:
    """Host and port; credentials where there are some."""
    found = egress_proxy(Secret(text))

    assert (expected, None) == ((found.host, found.port), found.credentials)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("http://canary.example", id="no port"),
        pytest.param("https://canary.example:3128", id="TLS to it"),
        pytest.param("socks5://canary.example:1080", id="another kind"),
        pytest.param("http://canary.example:99999", id="no such port"),
        pytest.param("http://canary.example:3128/x", id="a path"),
        pytest.param("canary", id="nothing"),
    ],
)
def test_what_names_no_proxy(text: str) -> None:
    """One form, and an error that repeats nothing."""
    with pytest.raises(ValueError, match=r"^a proxy such as http://proxy\.example:3128$"):
        egress_proxy(Secret(text))
