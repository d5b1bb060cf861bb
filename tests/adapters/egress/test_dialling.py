"""Only checked addresses are connected to, and what fails here failed before anything was sent."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from contextlib import suppress
from ipaddress import ip_network
from pathlib import Path

import pytest

from keyturn.adapters.egress.dialling import Dialler, EgressAllowances, connect_tcp
from keyturn.adapters.egress.tls_contexts import system_tls_context
from keyturn.core.errors import (
    AddressNotAllowed,
    KeyturnError,
    ProviderTlsFailed,
    ProviderUnreachable,
    TlsCheck,
    UrlNotAllowed,
)
from keyturn.ports.egress import EgressPolicy
from tests.adapters.egress.certificates import Authority
from tests.adapters.egress.lookups import ScriptedResolver
from tests.adapters.egress.raw_server import Talk, raw_server

PUBLIC = "93.184.216.34"
LOOPBACK = EgressAllowances((ip_network("127.0.0.0/8"), ip_network("::1/128")), insecure_http=True)
WISHES_PRIVATE = EgressPolicy(private_network=True)
WISHES_HTTP = EgressPolicy(insecure_http=True)


class RecordedConnect:
    """Connects to nothing; refuses what it is told to refuse, hangs where told to hang."""

    def __init__(self, *, hangs: frozenset[str] = frozenset(), refuses: frozenset[str] = frozenset()) -> None:
        self._hangs = hangs
        self._refuses = refuses
        self.dialled: list[str] = []
        self.others: list[socket.socket] = []

    async def __call__(self, address: str, port: int) -> socket.socket:
        """One end of a pair."""
        self.dialled.append(address)
        if address in self._hangs:
            await asyncio.Event().wait()
        if address in self._refuses:
            raise ConnectionRefusedError
        ours, other = socket.socketpair()
        ours.setblocking(False)
        self.others.append(other)
        return ours

    def close(self) -> None:
        """The other ends."""
        for other in self.others:
            other.close()


async def dialled(
    resolver: ScriptedResolver,
    host: str = "api.example.com",
    *,
    operator: EgressAllowances = LOOPBACK,
    policy: EgressPolicy = WISHES_HTTP,
    connect: RecordedConnect | None = None,
    connect_s: float = 5.0,
) -> list[str]:
    """Where one dialling over plain http connected to."""
    connect = connect or RecordedConnect()
    allowances = EgressAllowances(operator.networks, insecure_http=True)
    wish = EgressPolicy(private_network=policy.private_network, insecure_http=True)
    dialler = Dialler(resolver, allowances, connect=connect, connect_s=connect_s)
    try:
        transport, _ = await dialler.dial(asyncio.Protocol, "http", host, 80, wish)
        transport.abort()
        await asyncio.sleep(0)
    finally:
        connect.close()
    return connect.dialled


async def test_a_name_that_turns_private_after_the_check_is_not_followed() -> None:
    """Rebinding: there is one lookup, and the connection goes to the address that it gave."""
    resolver = ScriptedResolver([PUBLIC], ["127.0.0.1"])

    found = await dialled(resolver, operator=EgressAllowances())

    assert [PUBLIC] == found
    assert ["api.example.com"] == resolver.asked


@pytest.mark.parametrize(
    ("addresses", "expected"),
    [
        pytest.param(["10.0.0.1", PUBLIC], [PUBLIC], id="a private one beside it"),
        pytest.param([PUBLIC, "169.254.169.254"], [PUBLIC], id="metadata beside it"),
        pytest.param(["not an address", PUBLIC], [PUBLIC], id="an unreadable one beside it"),
        pytest.param(["64:ff9b::5db8:d822"], ["64:ff9b::5db8:d822"], id="NAT64 of a public one"),
    ],
)
async def test_only_allowed_addresses_are_connected_to(addresses: list[str], expected: list[str]) -> None:
    """Of several addresses those that may not be reached are left out."""
    found = await dialled(ScriptedResolver(addresses), operator=EgressAllowances())

    assert expected == found


@pytest.mark.parametrize(
    "addresses",
    [
        pytest.param([], id="none"),
        pytest.param(["127.0.0.1"], id="loopback"),
        pytest.param(["10.0.0.1", "fd00::1"], id="private"),
        pytest.param(["::ffff:93.184.216.34"], id="mapped, also of a public one"),
        pytest.param(["fe80::1%eth0"], id="zoned"),
        pytest.param(["nonsense"], id="unreadable"),
    ],
)
async def test_without_an_allowed_address_nothing_is_dialled(addresses: list[str]) -> None:
    """None left is a refusal."""
    connect = RecordedConnect()

    with pytest.raises(AddressNotAllowed):
        await dialled(ScriptedResolver(addresses), operator=EgressAllowances(), connect=connect)

    assert [] == connect.dialled


@pytest.mark.parametrize(
    ("networks", "policy", "allowed"),
    [
        pytest.param(["10.0.0.0/8"], EgressPolicy(private_network=True, insecure_http=True), True, id="both"),
        pytest.param(["10.0.0.0/8"], EgressPolicy(insecure_http=True), True, id="insecure_http asks as well"),
        pytest.param(["10.1.0.0/16"], EgressPolicy(private_network=True, insecure_http=True), False, id="just outside"),
        pytest.param([], EgressPolicy(private_network=True, insecure_http=True), False, id="operator silent"),
    ],
)
async def test_a_private_network_needs_operator_and_connector(
    networks: list[str], policy: EgressPolicy, allowed: bool
) -> None:
    """The operator's network has to hold the address, and the connector has to ask."""
    operator = EgressAllowances(tuple(ip_network(network) for network in networks), insecure_http=True)
    connect = RecordedConnect()
    dialler = Dialler(ScriptedResolver(["10.0.0.9"]), operator, connect=connect)

    try:
        transport, _ = await dialler.dial(asyncio.Protocol, "http", "intra.example", 80, policy)
        transport.abort()
        reached = True
    except AddressNotAllowed:
        reached = False
    connect.close()

    assert allowed is reached
    assert (["10.0.0.9"] if allowed else []) == connect.dialled


async def test_a_private_network_is_not_reached_by_a_connector_that_does_not_ask() -> None:
    """Over https the operator's network alone opens nothing."""
    operator = EgressAllowances((ip_network("10.0.0.0/8"),))
    connect = RecordedConnect()

    with pytest.raises(AddressNotAllowed):
        await Dialler(ScriptedResolver(["10.0.0.9"]), operator, connect=connect).dial(
            asyncio.Protocol, "https", "intra.example", 443, EgressPolicy()
        )

    assert [] == connect.dialled


@pytest.mark.parametrize(
    ("network", "allowed"),
    [
        pytest.param("169.254.0.0/16", False, id="a range that holds it"),
        pytest.param("169.254.169.254/31", False, id="the smallest range that holds it"),
        pytest.param("169.254.169.254/32", True, id="itself"),
    ],
)
async def test_cloud_metadata_is_reached_by_its_own_entry_only(network: str, allowed: bool) -> None:
    """No range of the operator holds a metadata endpoint."""
    connect = RecordedConnect()
    operator = EgressAllowances((ip_network(network),), insecure_http=True)

    with suppress(AddressNotAllowed):
        await dialled(ScriptedResolver(["169.254.169.254"]), operator=operator, connect=connect)

    assert (["169.254.169.254"] if allowed else []) == connect.dialled


@pytest.mark.parametrize(
    "host",
    ["2130706433", "0x7f000001", "127.1", "017700000001", "127.0.0.1.", "0177.0.0.1", "[::1%lo]", "", "a b", "1.2.3"],
)
async def test_odd_spellings_of_addresses_are_refused_before_a_lookup(host: str) -> None:
    """Only four decimal numbers are an IPv4 address; no resolver is asked what else they could mean."""
    resolver = ScriptedResolver(["127.0.0.1"])
    connect = RecordedConnect()

    with pytest.raises(UrlNotAllowed):
        await dialled(resolver, host, connect=connect)

    assert [] == resolver.asked + connect.dialled


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "::1", "[::ffff:127.0.0.1]", "0.0.0.0", "[::]"])
async def test_literals_are_checked_without_a_lookup(host: str) -> None:
    """A literal never reaches a resolver, and is judged all the same."""
    resolver = ScriptedResolver([PUBLIC])
    connect = RecordedConnect()

    with pytest.raises(AddressNotAllowed):
        await dialled(resolver, host, operator=EgressAllowances(), connect=connect)

    assert [] == resolver.asked + connect.dialled


@pytest.mark.parametrize(
    ("operator", "wish", "scheme", "port"),
    [
        pytest.param(False, True, "http", 80, id="only the connector"),
        pytest.param(True, False, "http", 80, id="only the operator"),
        pytest.param(True, True, "ftp", 80, id="another scheme"),
        pytest.param(True, True, "http", 0, id="port 0"),
        pytest.param(True, True, "http", 65536, id="port too high"),
    ],
)
async def test_plain_http_needs_both_allowances(operator: bool, wish: bool, scheme: str, port: int) -> None:
    """Refused before a lookup."""
    resolver = ScriptedResolver([PUBLIC])
    dialler = Dialler(resolver, EgressAllowances(insecure_http=operator), connect=RecordedConnect())

    with pytest.raises(UrlNotAllowed):
        await dialler.dial(asyncio.Protocol, scheme, "api.example.com", port, EgressPolicy(insecure_http=wish))

    assert [] == resolver.asked


async def test_a_slow_address_does_not_keep_the_next_from_being_tried() -> None:
    """A dead family costs a quarter of a second; families take turns."""
    connect = RecordedConnect(hangs=frozenset({"2600::1", "2600::2"}))

    found = await dialled(ScriptedResolver(["2600::1", "2600::2", PUBLIC]), connect=connect)

    assert ["2600::1", PUBLIC] == found


async def test_a_refused_address_is_followed_by_the_next_at_once() -> None:
    """The first that answers wins, and no address is tried after it."""
    connect = RecordedConnect(refuses=frozenset({PUBLIC}))
    began = time.monotonic()

    found = await dialled(ScriptedResolver([PUBLIC, "93.184.216.35", "93.184.216.36"]), connect=connect)

    assert [PUBLIC, "93.184.216.35"] == found
    assert time.monotonic() - began < 0.2


@pytest.mark.parametrize(
    ("resolver", "connect"),
    [
        pytest.param(ScriptedResolver(None), RecordedConnect(), id="lookup hangs"),
        pytest.param(ScriptedResolver(OSError()), RecordedConnect(), id="lookup fails"),
        pytest.param(ScriptedResolver([PUBLIC]), RecordedConnect(hangs=frozenset({PUBLIC})), id="connection hangs"),
        pytest.param(ScriptedResolver([PUBLIC]), RecordedConnect(refuses=frozenset({PUBLIC})), id="refused"),
        pytest.param(
            ScriptedResolver([PUBLIC, "2600::1"]), RecordedConnect(refuses=frozenset({PUBLIC, "2600::1"})), id="all"
        ),
    ],
)
async def test_no_connection_is_an_unreachable_provider(resolver: ScriptedResolver, connect: RecordedConnect) -> None:
    """Lookup and connection together have one limit."""
    began = time.monotonic()

    with pytest.raises(ProviderUnreachable):
        await dialled(resolver, connect=connect, connect_s=0.2)

    assert time.monotonic() - began < 2


async def test_a_real_connection_is_made_to_the_checked_address() -> None:
    """With sockets and no fake: a name that means loopback, allowed by the operator."""

    async def greet(talk: Talk) -> None:
        await talk.send(b"hello")

    async with raw_server(greet) as server:
        dialler = Dialler(ScriptedResolver(["127.0.0.2", "127.0.0.1"]), LOOPBACK, connect=connect_tcp)
        transport, _ = await dialler.dial(asyncio.Protocol, "http", "local.example", server.port, WISHES_HTTP)
        peer = transport.get_extra_info("peername")
        transport.abort()

    assert ("127.0.0.1", server.port) == peer


class TlsServer:
    """What the TLS cases need: an authority, a client that trusts it, and a way to dial."""

    def __init__(self, folder: Path) -> None:
        self.authority = Authority(folder)
        self.client = self.authority.trusted_by(system_tls_context())

    async def dial(self, server: ssl.SSLContext | None, host: str, *, trusted: bool = True) -> KeyturnError | str:
        """The error, or the protocol version spoken."""
        received: list[bytes] = []

        async def listen(talk: Talk) -> None:
            while piece := await talk.reader.read(4096):
                received.append(piece)

        async with raw_server(listen, tls=server) as listening:
            context = self.client if trusted else None
            dialler = Dialler(ScriptedResolver(["127.0.0.1"]), LOOPBACK, context, tls_s=0.3)
            try:
                transport, _ = await dialler.dial(asyncio.Protocol, "https", host, listening.port, WISHES_PRIVATE)
            except KeyturnError as error:
                return error
            version = transport.get_extra_info("ssl_object").version()
            transport.abort()
            return str(version)


@pytest.fixture
def tls(tmp_path: Path) -> TlsServer:
    """An authority of this test's own."""
    return TlsServer(tmp_path)


async def test_tls_speaks_the_hosts_name(tls: TlsServer) -> None:
    """The server is asked for the URL's host, and its certificate is held against it."""
    asked: list[str | None] = []
    server = tls.authority.server_context("api.example.com")
    server.sni_callback = lambda connection, name, context: asked.append(name)

    found = await tls.dial(server, "API.example.com.")

    assert "TLSv1.3" == found
    assert ["api.example.com"] == asked


async def test_tls_to_an_address_checks_the_address(tls: TlsServer) -> None:
    """A literal is held against the certificate's addresses."""
    right = await tls.dial(tls.authority.server_context("127.0.0.1"), "127.0.0.1")
    wrong = await tls.dial(tls.authority.server_context("127.0.0.2"), "127.0.0.1")

    assert "TLSv1.3" == right
    assert isinstance(wrong, ProviderTlsFailed)


async def test_tls_failures_are_told_apart_from_an_unreachable_host(tls: TlsServer) -> None:
    """Each says which check failed, in a word of a closed list."""
    name, authority = "api.example.com", tls.authority
    failures = [
        await tls.dial(authority.server_context("other.example"), name),
        await tls.dial(authority.server_context(name), name, trusted=False),
        await tls.dial(authority.server_context(name, ends=2021), name),
        await tls.dial(authority.server_context(name, begins=2080), name),
        await tls.dial(authority.server_context(name, maximum=ssl.TLSVersion.TLSv1_1), name),
        await tls.dial(None, name),
    ]

    # This server hangs up on a version that it doesn't have; others say why (test_tls_identity).
    assert ["wrong_name", "unknown_issuer", "expired", "not_yet_valid", "closed", "timed_out"] == [
        failure.check.value for failure in failures if isinstance(failure, ProviderTlsFailed)
    ]
    assert all(isinstance(each, KeyturnError) and each.detail.startswith("the TLS handshake") for each in failures)


async def test_plain_http_where_tls_is_expected_is_told(tls: TlsServer) -> None:
    """A port that answers without TLS."""

    async def plain(talk: Talk) -> None:
        await talk.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with raw_server(plain) as server:
        dialler = Dialler(ScriptedResolver(["127.0.0.1"]), LOOPBACK, tls.client)
        with pytest.raises(ProviderTlsFailed) as failed:
            await dialler.dial(asyncio.Protocol, "https", "api.example.com", server.port, WISHES_PRIVATE)

    assert TlsCheck.NO_TLS is failed.value.check


def test_the_systems_context_asks_for_what_it_should() -> None:
    """TLS 1.2 at least, names and certificates checked."""
    context = system_tls_context()

    assert ssl.TLSVersion.TLSv1_2 == context.minimum_version
    assert (True, ssl.CERT_REQUIRED) == (context.check_hostname, context.verify_mode)
