"""A name that changes what it means, with a real name server and real sockets, through both clients."""

from __future__ import annotations

from collections.abc import AsyncIterator
from ipaddress import ip_network

import pytest

from keyturn.adapters.egress.client import HttpEgress
from keyturn.adapters.egress.dialling import EgressAllowances
from keyturn.adapters.egress.upstream import PooledUpstream
from keyturn.core.errors import AddressNotAllowed
from keyturn.core.messages import OutgoingRequest
from keyturn.ports.egress import EgressPolicy, UpstreamRequest
from tests.adapters.egress.dns_server import WireResolver, dns_server
from tests.adapters.egress.raw_server import RawServer, answering, raw_server, serving, whole
from tests.fakes.clock import FakeClock

NAME = "api.rebound.example"
ONE_ADDRESS = EgressAllowances((ip_network("127.0.0.1/32"),), insecure_http=True)
POLICY = EgressPolicy(private_network=True, insecure_http=True, timeout_s=5.0)


@pytest.fixture
async def server() -> AsyncIterator[RawServer]:
    """The address that was allowed; its connections are kept."""
    async with raw_server(serving(*[whole(b"allowed")] * 3)) as made:
        yield made


@pytest.mark.parametrize(
    "second",
    [
        pytest.param("127.0.0.2", id="another address of this machine"),
        pytest.param("10.0.0.1", id="a private one"),
        pytest.param("169.254.169.254", id="cloud metadata"),
        pytest.param("::1", id="of the other family"),
    ],
)
async def test_a_request_goes_where_the_one_lookup_said(server: RawServer, second: str) -> None:
    """The name means something else from the second lookup on: the first request has made none, the next is refused."""
    async with dns_server({NAME: [["127.0.0.1"], [second]]}) as dns:
        egress = HttpEgress(WireResolver(dns.address), ONE_ADDRESS, FakeClock())
        request = OutgoingRequest("GET", server.url(host=NAME))
        answer = await egress.send(request, POLICY)
        asked = list(dns.asked)
        with pytest.raises(AddressNotAllowed):
            await egress.send(request, POLICY)

    assert (b"allowed", [NAME], [NAME] * 2) == (answer.body, asked, dns.asked)
    assert 1 == server.connections
    assert f"host: {NAME}:{server.port}".encode() in server.received[0].lower()


async def test_a_kept_connection_is_the_checked_one(server: RawServer) -> None:
    """The proxy asks once for each connection, not for each call; a new one is judged anew."""
    async with dns_server({NAME: [["127.0.0.1"], ["10.0.0.1"]]}) as dns:
        upstream = PooledUpstream(WireResolver(dns.address), ONE_ADDRESS)
        request = UpstreamRequest(b"GET", "http", NAME, server.port, b"/", ())
        bodies = []
        for _ in range(2):
            answer = await upstream.open(request, None, POLICY)
            bodies.append(b"".join([piece async for piece in answer.body()]))
        asked = list(dns.asked)
        for connection in upstream._connections():
            connection.abort()
        with pytest.raises(AddressNotAllowed):
            await upstream.open(request, None, POLICY)
        await upstream.close()

    assert ([b"allowed"] * 2, [NAME], 1) == (bodies, asked, server.connections)


async def test_of_several_answers_only_allowed_ones_are_dialled() -> None:
    """One answer that names both a good and a bad address leads to the good one."""
    async with (
        raw_server(answering(whole(b"good"))) as server,
        dns_server({NAME: [["169.254.169.254", "127.0.0.1", "10.0.0.1"]]}) as dns,
    ):
        egress = HttpEgress(WireResolver(dns.address), ONE_ADDRESS, FakeClock())
        answer = await egress.send(OutgoingRequest("GET", server.url(host=NAME)), POLICY)

    assert b"good" == answer.body
