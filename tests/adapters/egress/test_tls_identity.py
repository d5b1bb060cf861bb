"""A connector's own authorities and certificate, against real TLS servers, through both clients."""

from __future__ import annotations

import os
import ssl
import tempfile
from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import ip_network
from pathlib import Path

import pytest

from keyturn.adapters.egress.client import HttpEgress
from keyturn.adapters.egress.dialling import EgressAllowances
from keyturn.adapters.egress.tls_contexts import TlsContexts, failed_check, system_tls_context
from keyturn.adapters.egress.upstream import PooledUpstream
from keyturn.core.errors import KeyturnError, ProviderTimeout, ProviderTlsFailed, TlsCheck
from keyturn.core.messages import OutgoingRequest, TlsIdentity
from keyturn.core.secret import Secret
from keyturn.ports.egress import EgressPolicy, UpstreamRequest
from tests.adapters.egress.certificates import Authority
from tests.adapters.egress.lookups import ScriptedResolver
from tests.adapters.egress.raw_server import answering, raw_server, serving, whole
from tests.fakes.clock import FakeClock

HOST = "api.example.com"
LOOPBACK = EgressAllowances((ip_network("127.0.0.0/8"),))
POLICY = EgressPolicy(private_network=True, timeout_s=5.0)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """Signs what this test trusts."""
    return Authority(tmp_path)


def egress() -> HttpEgress:
    """Trusts what the machine trusts, where a request says nothing."""
    return HttpEgress(ScriptedResolver(["127.0.0.1"]), LOOPBACK, FakeClock())


async def test_an_authority_of_its_own(authority: Authority, tmp_path: Path) -> None:
    """With it the answer comes; without it, with another one, or with what is none, nothing is sent."""
    (tmp_path / "other").mkdir()
    other = Authority(tmp_path / "other")
    async with raw_server(answering(whole(b"own")), tls=authority.server_context(HOST)) as server:
        url = server.url(host=HOST, scheme="https")
        client = egress()
        answer = await client.send(OutgoingRequest("GET", url, tls=TlsIdentity("a", authority.pem)), POLICY)
        for identity in (None, TlsIdentity("b", other.pem), TlsIdentity("c", ""), TlsIdentity("d", "canary")):
            with pytest.raises(ProviderTlsFailed) as failed:
                await client.send(OutgoingRequest("GET", url, body=b"x", tls=identity), POLICY)
            assert "canary" not in str(failed.value)

    assert b"own" == answer.body
    assert 1 == len(server.received)


@pytest.mark.parametrize("own", [True, False])
async def test_what_was_agreed_is_told(authority: Authority, own: bool) -> None:
    """Version, cipher, both names of the certificate, its end, and whether the connector's authorities were trusted."""
    tls = authority.server_context(HOST, called="line\nend")
    identity = TlsIdentity("a", authority.pem) if own else None
    trusting = authority.trusted_by(system_tls_context())
    client = HttpEgress(ScriptedResolver(["127.0.0.1"]), LOOPBACK, FakeClock(), None if own else trusting)
    async with raw_server(answering(whole(b"own")), tls=tls) as server:
        request = OutgoingRequest("GET", server.url(host=HOST, scheme="https"), tls=identity)
        answer = await client.send(request, replace(POLICY, transport_facts=True))

    assert answer.transport is not None
    found = answer.transport.tls
    assert found is not None
    assert ("IPv4", True, False) == (answer.transport.family, answer.transport.private, answer.transport.by_proxy)
    assert "TLSv1.3" == found.version
    assert found.cipher.startswith("TLS_")
    assert ("line?end", "tests' own authority") == (found.subject, found.issuer)
    assert datetime(2090, 1, 1, tzinfo=UTC).timestamp() == found.ends_at
    assert own is found.own_authorities


@pytest.mark.parametrize("shape", ["as it is", "on one line", "without line ends"])
async def test_a_certificate_that_is_shown(authority: Authority, shape: str) -> None:
    """A form without line ends loses nothing; no file ever holds the key."""
    pem = authority.client_pem("keyturn")
    pem = {"as it is": pem, "on one line": pem.replace("\n", " "), "without line ends": pem.replace("\n", "")}[shape]
    before = set(os.listdir(tempfile.gettempdir()))
    tls = authority.server_context(HOST, asks_client=True)
    async with raw_server(answering(whole(b"shown")), tls=tls) as server:
        url = server.url(host=HOST, scheme="https")
        client = egress()
        shown = TlsIdentity("a", authority.pem, Secret(pem))
        answer = await client.send(OutgoingRequest("GET", url, tls=shown), POLICY)
        with pytest.raises((ProviderTlsFailed, ProviderTimeout)):
            await client.send(OutgoingRequest("GET", url, tls=TlsIdentity("b", authority.pem)), POLICY)

    assert b"shown" == answer.body
    assert 1 == len(server.received)
    assert not {each for each in set(os.listdir(tempfile.gettempdir())) - before if each.endswith(".pem")}


@pytest.mark.parametrize("missing", ["CERTIFICATE", "PRIVATE KEY", "both", "pair"])
def test_what_cannot_be_read_makes_no_context(authority: Authority, missing: str) -> None:
    """A half, a key of another certificate, or nothing."""
    one, other = authority.client_pem("a"), authority.client_pem("b")
    at, there = one.index("-----BEGIN CERT"), other.index("-----BEGIN CERT")
    halves = {"CERTIFICATE": one[:at], "PRIVATE KEY": one[at:], "both": "canary"}
    text = halves.get(missing, one[:at] + other[there:])

    with pytest.raises(ProviderTlsFailed) as failed:
        TlsContexts().of(TlsIdentity("x", None, Secret(text)))

    assert TlsCheck.OWN_UNREADABLE is failed.value.check


async def test_no_connection_is_shared_between_identities(authority: Authority) -> None:
    """A kept connection proves who the first caller was; another identity makes its own."""
    pem = Secret(authority.client_pem("keyturn"))
    tls = authority.server_context(HOST)
    async with raw_server(serving(*[whole(b"ok")] * 4), tls=tls) as server:
        upstream = PooledUpstream(ScriptedResolver(["127.0.0.1"]), LOOPBACK)
        request = UpstreamRequest(b"GET", "https", HOST, server.port, b"/", ())
        made: list[int] = []
        first = TlsIdentity("a", authority.pem)
        for identity in (first, first, TlsIdentity("b", authority.pem, pem)):
            answer = await upstream.open(request, None, EgressPolicy(private_network=True, tls=identity))
            async for _ in answer.body():
                pass
            made.append(server.connections)
        refused: KeyturnError | None = None
        try:
            await upstream.open(request, None, EgressPolicy(private_network=True))
        except KeyturnError as error:
            refused = error
        await upstream.close()

    assert [1, 1, 2] == made
    assert isinstance(refused, ProviderTlsFailed)


def test_a_context_is_made_once(authority: Authority) -> None:
    """By the identity's name, as long as it is used."""
    contexts = TlsContexts()
    identity = TlsIdentity("a", authority.pem)

    assert contexts.of(identity) is contexts.of(identity) is not contexts.of(None)
    assert "canary" not in repr(TlsIdentity("a", "canary", Secret("canary")))


@pytest.mark.parametrize(
    ("reason", "check"),
    [
        ("TLSV1_ALERT_PROTOCOL_VERSION", TlsCheck.OLD_VERSION),
        ("SSLV3_ALERT_HANDSHAKE_FAILURE", TlsCheck.NO_COMMON_CIPHER),
        ("TLSV1_UNRECOGNIZED_NAME", TlsCheck.UNKNOWN_HOST),
        ("TLSV13_ALERT_CERTIFICATE_REQUIRED", TlsCheck.CLIENT_CERTIFICATE),
        ("A_REASON_OF_TOMORROW", TlsCheck.OTHER),
        (None, TlsCheck.OTHER),
    ],
)
def test_what_a_server_says_of_a_handshake(reason: str | None, check: TlsCheck) -> None:
    """By the TLS library's word for it; one that is not known is no check that is known."""
    error = ssl.SSLError()
    error.reason = reason or ""

    assert check is failed_check(error)
