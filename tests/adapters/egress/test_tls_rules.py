"""The rules of the product for certificates: the same on every Python, strict for the machine's authorities only."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Awaitable, Callable
from contextlib import closing
from ipaddress import ip_network
from pathlib import Path

import pytest

from keyturn.adapters.egress.certificate import certificate_ends_at
from keyturn.adapters.egress.client import HttpEgress
from keyturn.adapters.egress.dialling import EgressAllowances
from keyturn.adapters.egress.mail import MailServer, SmtpMailer
from keyturn.adapters.egress.tls_contexts import system_tls_context
from keyturn.adapters.keys.vault_transit import VaultTransitKey
from keyturn.adapters.tls_rules import certificate_fault, machine_context, own_context
from keyturn.bootstrap.client_settings import read_client_settings
from keyturn.cli.api_client import ApiClient
from keyturn.cli.failures import Failure
from keyturn.core.errors import (
    RFC_5280_FAULTS,
    KeyUnavailable,
    MailUnavailable,
    ProviderTlsFailed,
    TlsCheck,
)
from keyturn.core.messages import OutgoingRequest, TlsIdentity
from keyturn.ports.egress import EgressPolicy
from keyturn.ports.mail import Mail
from tests.adapters.egress.certificates import Authority, Lack
from tests.adapters.egress.lookups import ScriptedResolver
from tests.adapters.egress.raw_server import answering, raw_server, whole
from tests.fakes.clock import FakeClock

HOST = "api.example.com"
LOOPBACK = EgressAllowances((ip_network("127.0.0.0/8"),))
POLICY = EgressPolicy(private_network=True, timeout_s=5.0)
LACKING = [
    (Lack.AUTHORITY_KEY, TlsCheck.NO_AUTHORITY_KEY_ID),
    (Lack.SUBJECT_KEY, TlsCheck.NO_SUBJECT_KEY_ID),
    (Lack.CONSTRAINTS, TlsCheck.UNMARKED_AUTHORITY),
    (Lack.CRITICAL_CONSTRAINTS, TlsCheck.UNMARKED_AUTHORITY),
    (Lack.KEY_USAGE, TlsCheck.NO_KEY_USAGE),
    (Lack.SUBJECT, TlsCheck.EMPTY_NAME),
]


def refusal(server: ssl.SSLContext, client: ssl.SSLContext, host: str = HOST) -> str:
    """What the client has against the server's certificate, in the product's words; empty if it has nothing."""
    ours, theirs = socket.socketpair()

    def serve() -> None:
        try:
            server.wrap_socket(theirs, server_side=True).close()
        except OSError:
            theirs.close()

    serving = threading.Thread(target=serve)
    serving.start()
    try:
        with closing(ours), client.wrap_socket(ours, server_hostname=host):
            return ""
    except ssl.SSLCertVerificationError as error:
        return certificate_fault(error)
    finally:
        serving.join()


def test_the_flags_are_the_products(tmp_path: Path) -> None:
    """Equal on every Python, for the machine's authorities and for named ones."""
    chain = ssl.VERIFY_X509_TRUSTED_FIRST | ssl.VERIFY_X509_PARTIAL_CHAIN
    machine, own = machine_context(), own_context(pem=Authority(tmp_path).pem)

    assert (chain | ssl.VERIFY_X509_STRICT, chain) == (machine.verify_flags, own.verify_flags)
    for each in (machine, own):
        assert (ssl.CERT_REQUIRED, True) == (each.verify_mode, each.check_hostname)
        assert ssl.TLSVersion.TLSv1_2 == each.minimum_version


def test_an_authority_has_to_be_named() -> None:
    """Nothing named would trust the machine's authorities without the strict check."""
    for nothing in (None, ""):
        with pytest.raises(ValueError, match="no authority"):
            own_context(pem=nothing)


@pytest.mark.parametrize(("lack", "check"), LACKING)
def test_what_the_strict_check_adds(tmp_path: Path, lack: Lack, check: TlsCheck) -> None:
    """Under the machine's authorities it is refused with what is missing; under a named one it is accepted."""
    authority = Authority(tmp_path, lack)
    server = authority.server_context(HOST)

    assert RFC_5280_FAULTS[check] == refusal(server, authority.trusted_by(machine_context()))
    assert "" == refusal(server, own_context(pem=authority.pem))


@pytest.mark.parametrize("own", [True, False])
def test_what_is_verified_under_every_authority(tmp_path: Path, own: bool) -> None:
    """The name, the dates and who signed, also where the strict check is not made."""
    (tmp_path / "other").mkdir()
    authority, other = Authority(tmp_path), Authority(tmp_path / "other")
    client = own_context(pem=authority.pem) if own else authority.trusted_by(machine_context())

    assert "" == refusal(authority.server_context(HOST), client)
    assert "it is for another name" == refusal(authority.server_context("other.example"), client)
    assert "it has expired" == refusal(authority.server_context(HOST, ends=2021), client)
    assert "it is not valid yet" == refusal(authority.server_context(HOST, begins=2080), client)
    assert "its authority is not trusted here" == refusal(other.server_context(HOST), client)


async def test_a_connector_with_an_old_authority(tmp_path: Path) -> None:
    """As its own `ca` it is trusted; from the machine's store it is refused, with the rule in the error's words."""
    authority = Authority(tmp_path, Lack.AUTHORITY_KEY)
    resolver = ScriptedResolver(["127.0.0.1"])
    client = HttpEgress(resolver, LOOPBACK, FakeClock(), authority.trusted_by(system_tls_context()))
    async with raw_server(answering(whole(b"own")), tls=authority.server_context(HOST)) as server:
        url = server.url(host=HOST, scheme="https")
        answer = await client.send(OutgoingRequest("GET", url, tls=TlsIdentity("a", authority.pem)), POLICY)
        with pytest.raises(ProviderTlsFailed) as failed:
            await client.send(OutgoingRequest("GET", url), POLICY)

    assert b"own" == answer.body
    assert TlsCheck.NO_AUTHORITY_KEY_ID is failed.value.check
    assert failed.value.detail.endswith("it lacks the authority key identifier that RFC 5280 requires")


def _vault(port: int, more: str = "") -> VaultTransitKey:
    return VaultTransitKey(f"https://127.0.0.1:{port}/transit/k?token_env=T{more}", environ={"T": "token"})


async def _mail(port: int) -> None:
    sender, to = "keyturn@example.com", ("ops@example.com",)
    await SmtpMailer(MailServer("smtps", "127.0.0.1", port), sender, to).send(Mail("subject", "text"))


async def _ask_vault(port: int) -> None:
    vault = _vault(port)
    try:
        await vault.wrap(b"k" * 32, b"context")
    finally:
        await vault.close()


async def _ask_by_command(port: int) -> None:
    settings = read_client_settings({"KEYTURN_URL": f"https://127.0.0.1:{port}"})
    await asyncio.to_thread(ApiClient(settings).send, "GET", "/healthz", keyless=True)


async def _look_at_it(port: int) -> None:
    await asyncio.to_thread(certificate_ends_at, "127.0.0.1", port)


@pytest.fixture
def old_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Authority:
    """An authority without key identifiers that the machine trusts, by OpenSSL's own variable."""
    authority = Authority(tmp_path, Lack.AUTHORITY_KEY)
    (tmp_path / "store.pem").write_text(authority.pem)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "store.pem"))
    return authority


@pytest.mark.parametrize(
    ("ask", "failure"),
    [
        pytest.param(_mail, MailUnavailable, id="mail"),
        pytest.param(_ask_vault, KeyUnavailable, id="Vault"),
        pytest.param(_ask_by_command, Failure, id="command line"),
        pytest.param(_look_at_it, ProviderTlsFailed, id="public address"),
    ],
)
async def test_each_client_says_what_is_wrong(
    old_machine: Authority, ask: Callable[[int], Awaitable[None]], failure: type[Exception]
) -> None:
    """The rule that the certificate breaks, in the words of the closed list."""
    async with raw_server(answering(whole(b"{}")), tls=old_machine.server_context("127.0.0.1")) as server:
        with pytest.raises(failure) as failed:
            await ask(server.port)

    assert "it lacks the authority key identifier that RFC 5280 requires" in str(failed.value)
    assert [] == server.received


async def test_vaults_own_authority_may_be_old(old_machine: Authority, tmp_path: Path) -> None:
    """`ca=` names the operator's own authority, which the strict check does not hold for."""
    body = b'{"data": {"ciphertext": "vault:v1:YWJj"}}'
    async with raw_server(answering(whole(body)), tls=old_machine.server_context("127.0.0.1")) as server:
        vault = _vault(server.port, f"&ca={tmp_path}/store.pem")
        wrapped = await vault.wrap(b"k" * 32, b"context")
        await vault.close()

    assert wrapped.endswith(b"abc")
