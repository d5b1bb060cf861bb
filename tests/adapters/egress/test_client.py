"""The control plane's client against servers that say exactly what a test wants, byte by byte."""

from __future__ import annotations

import asyncio
import gzip
import time
from ipaddress import ip_network
from pathlib import Path

import pytest

from keyturn.adapters.egress.client import HttpEgress
from keyturn.adapters.egress.dialling import EgressAllowances
from keyturn.adapters.egress.resolver import SystemResolver
from keyturn.adapters.egress.tls_contexts import system_tls_context
from keyturn.core.errors import (
    AddressNotAllowed,
    KeyturnError,
    ProviderTimeout,
    ProviderTlsFailed,
    ProviderUnreachable,
    UrlNotAllowed,
)
from keyturn.core.messages import Answer, OutgoingRequest
from keyturn.ports.egress import MAX_ANSWER_BYTES, EgressPolicy
from tests.adapters.egress.certificates import Authority
from tests.adapters.egress.lookups import ScriptedResolver
from tests.adapters.egress.raw_server import RawServer, Script, Talk, answering, raw_server, whole
from tests.fakes.clock import FakeClock

LOOPBACK = EgressAllowances((ip_network("127.0.0.0/8"),), insecure_http=True)
POLICY = EgressPolicy(insecure_http=True, timeout_s=5.0)
HURRIED = EgressPolicy(insecure_http=True, timeout_s=0.5)
JSON = b'{"access_token": "abc"}'


def client(operator: EgressAllowances = LOOPBACK) -> HttpEgress:
    """May reach loopback."""
    return HttpEgress(SystemResolver(), operator, FakeClock(1_000.0))


async def send(script: Script, policy: EgressPolicy = POLICY, method: str = "POST") -> tuple[Answer, RawServer]:
    """Send one request to a server that plays the script."""
    async with raw_server(script) as server:
        return await client().send(OutgoingRequest(method, server.url(), body=b"x=1"), policy), server


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(whole(JSON), id="with a length"),
        pytest.param(b"HTTP/1.1 200 OK\r\n\r\n" + JSON, id="ended by the close"),
        pytest.param(b"HTTP/1.0 200 OK\r\nContent-Length: 23\r\n\r\n" + JSON, id="HTTP/1.0"),
        pytest.param(b"HTTP/1.1 200\r\nContent-Length: 23\r\n\r\n" + JSON, id="no reason"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: CHUNKED\r\n\r\n17;a=b\r\n%b\r\n0\r\nX: y\r\n\r\n" % JSON,
            id="chunks",
        ),
        pytest.param(b"HTTP/1.1 100 Continue\r\n\r\n" + whole(JSON), id="100 before it"),
        pytest.param(b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" * 3 + whole(JSON), id="103 before it"),
        pytest.param(whole(gzip.compress(JSON), b"200 OK", b"Content-Encoding: gzip"), id="compressed unasked"),
        pytest.param(whole(JSON, b"200 OK", b"X: " + b"y" * 16_000), id="a long header"),
        pytest.param(whole(JSON, b"200 OK", *[b"X: y"] * 200), id="many headers"),
    ],
)
async def test_what_http_allows_is_read(raw: bytes) -> None:
    """Every way to end a body, interim answers before it, and room for what real servers send."""
    answer, server = await send(answering(raw))

    assert (200, JSON, True, 1_000.0) == (answer.status, answer.body, answer.complete, answer.received_at)
    assert 1 == server.connections


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 24\r\n\r\n" + JSON, 200, id="body cut"),
        pytest.param(b"HTTP/1.1 400 Bad\r\nContent-", 400, id="head cut"),
        pytest.param(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 400 Bad\r\nA", 400, id="head cut after an interim one"),
        pytest.param(b"HTTP/1.1 200 OK\r\nA: b\r\n c\r\nContent-Length: 2\r\n\r\n{}", 200, id="folded line"),
        pytest.param(b"HTTP/1.1 200 OK\r\nA: b\0c\r\nContent-Length: 2\r\n\r\n{}", 200, id="NUL in a value"),
        pytest.param(b"HTTP/1.1 200 OK\r\nA: b\rc\r\nContent-Length: 2\r\n\r\n{}", 200, id="CR in a value"),
        pytest.param(b"HTTP/1.1 200 OK\r\nA : b\r\nContent-Length: 2\r\n\r\n{}", 200, id="blank before the colon"),
        pytest.param(b"HTTP/1.1 200 OK\r\nfoo\r\nContent-Length: 2\r\n\r\n{}", 200, id="no colon"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}!", 200, id="two lengths"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 2, 3\r\n\r\n{}!", 200, id="two lengths in one"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\n{}", 200, id="negative length"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\n{}", 200, id="signed length"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
            200,
            id="length beside chunks",
        ),
        pytest.param(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n{}", 200, id="another transfer coding"),
        pytest.param(
            b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", 200, id="chunks in HTTP/1.0"
        ),
        pytest.param(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n", 200, id="bad chunk size"),
        pytest.param(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n", 200, id="no last chunk"),
        pytest.param(b"HTTP/1.1 503 No\r\nX: " + b"y" * 100_000, 503, id="endless header"),
        pytest.param(b"HTTP/1.1 503 No\r\n" + b"X: y\r\n" * 10_000, 503, id="endless headers"),
        pytest.param(b"HTTP/1.1 999 What\r\nContent-Length: 2\r\n\r\n{}", 999, id="status out of range"),
        pytest.param(b"HTTP/1.1 101 Switch\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", 101, id="another protocol"),
        pytest.param(whole(bytes(MAX_ANSWER_BYTES + 1)), 200, id="a byte too large"),
        pytest.param(
            whole(gzip.compress(bytes(MAX_ANSWER_BYTES + 1)), b"200 OK", b"Content-Encoding: gzip"), 200, id="bomb"
        ),
        pytest.param(whole(JSON, b"200 OK", b"Content-Encoding: br"), 200, id="a coding that is not read"),
    ],
)  # fmt: skip
async def test_what_goes_wrong_after_the_status_is_incomplete(raw: bytes, status: int) -> None:
    """The status is kept, whatever is wrong behind it, and the body is dropped."""
    answer, server = await send(answering(raw))

    assert (status, b"", False) == (answer.status, answer.body, answer.complete)
    assert 1 == server.connections


async def test_an_answer_of_the_limit_is_whole() -> None:
    """The limit itself is allowed."""
    answer, _ = await send(answering(whole(bytes(MAX_ANSWER_BYTES))))

    assert (MAX_ANSWER_BYTES, True) == (len(answer.body), answer.complete)


@pytest.mark.parametrize("method", ["POST", "GET", "PUT", "DELETE", "HEAD", "OPTIONS"])
@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"hello\r\n\r\n", id="no HTTP"),
        pytest.param(b"HTTP/2 200 OK\r\n\r\n", id="another version"),
        pytest.param(b"HTTP/1.1 20", id="half a status"),
        pytest.param(b"HTTP/1.1 100 Continue\r\n\r\n", id="only an interim answer"),
    ],
)
async def test_no_status_line_is_a_timeout_and_no_second_try(raw: bytes, method: str) -> None:
    """Something was sent and its outcome is unknown; it is never sent again, also where HTTP would allow it."""
    async with raw_server(answering(raw)) as server:
        with pytest.raises(ProviderTimeout):
            await client().send(OutgoingRequest(method, server.url(), body=b"x=1"), POLICY)

    assert (1, 1) == (server.connections, len(server.received))


async def test_a_reset_is_a_timeout_and_no_second_try() -> None:
    """A reset before the answer leaves the outcome unknown."""

    async def reset(talk: Talk) -> None:
        await talk.request()
        await talk.reset()

    async with raw_server(reset) as server:
        with pytest.raises(ProviderTimeout):
            await client().send(OutgoingRequest("GET", server.url()), POLICY)

    assert 1 == server.connections


async def _silent(talk: Talk) -> None:
    await talk.request()
    await talk.gone()


async def _drip(talk: Talk) -> None:
    await talk.request()
    for byte in whole(JSON):
        await talk.send(bytes([byte]))
        await asyncio.sleep(0.02)


async def _drip_a_body(talk: Talk) -> None:
    await talk.request()
    await talk.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        await talk.send(b"1\r\nx\r\n")
        await asyncio.sleep(0.05)


async def _endless_trailers(talk: Talk) -> None:
    await talk.request()
    await talk.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n")
    while True:
        await talk.send(b"X: y\r\n" * 100)
        await asyncio.sleep(0.01)


async def _endless_interim(talk: Talk) -> None:
    await talk.request()
    while True:
        await talk.send(b"HTTP/1.1 100 Continue\r\n\r\n" * 100)
        await asyncio.sleep(0)


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        pytest.param(_silent, ProviderTimeout, id="silence"),
        pytest.param(_drip, 200, id="byte by byte"),
        pytest.param(_drip_a_body, 200, id="a body that drips"),
        pytest.param(_endless_trailers, 200, id="trailers without end"),
        pytest.param(_endless_interim, ProviderTimeout, id="interim answers without end"),
    ],
)
async def test_the_whole_exchange_has_one_deadline(script: Script, expected: int | type[KeyturnError]) -> None:
    """However busy a server looks, the limit is kept, and what came of the answer counts."""
    began = time.monotonic()
    found: int | type[KeyturnError]
    try:
        answer, _ = await send(script, HURRIED)
        found = answer.status
        assert not answer.complete
    except ProviderTimeout as error:
        found = type(error)

    assert expected == found
    assert time.monotonic() - began < 2


async def test_interim_answers_are_bounded_in_number() -> None:
    """A flood of them is ended by its size, long before the deadline."""
    async with raw_server(answering(b"HTTP/1.1 100 Continue\r\n\r\n" * 3_000 + whole(JSON))) as server:
        with pytest.raises(ProviderTimeout):
            await client().send(OutgoingRequest("GET", server.url()), POLICY)

    assert 1 == server.connections


async def test_a_lookup_that_hangs_is_bound_by_the_deadline() -> None:
    """Nothing was sent, and that is what the error says."""
    egress = HttpEgress(ScriptedResolver(None), LOOPBACK, FakeClock())

    with pytest.raises(ProviderUnreachable):
        await egress.send(OutgoingRequest("GET", "https://api.example.com/"), EgressPolicy(timeout_s=0.2))


async def test_nobody_listening_is_unreachable() -> None:
    """A refused connection sent nothing."""
    async with raw_server(_silent) as server:
        pass

    with pytest.raises(ProviderUnreachable):
        await client().send(OutgoingRequest("GET", server.url()), POLICY)


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/a/../b", "/a/../b"),
        ("/x%2fy%2Fz", "/x%2fy%2Fz"),
        ("", "/"),
        ("?x=1", "/?x=1"),
        ("/a?x=a+b%20c&d=%E2%82%AC#part", "/a?x=a+b%20c&d=%E2%82%AC"),
        ("//a//b", "//a//b"),
        ("/;a=b", "/;a=b"),
        ("/[]{}|^`", "/[]{}|^`"),
    ],
)
async def test_the_url_goes_out_as_it_was_checked(path: str, target: str) -> None:
    """Nothing is decoded, encoded or tidied up on the way."""
    async with raw_server(answering(whole(b""))) as server:
        await client().send(OutgoingRequest("GET", server.url(path)), POLICY)

    assert f"GET {target} HTTP/1.1".encode() == server.received[0].split(b"\r\n")[0]


async def test_a_request_is_what_was_asked_for_and_little_else() -> None:
    """Headers in their order and case; besides them only what HTTP needs, a name and `identity`."""
    headers = (("X-One", "1"), ("Accept", "application/json"), ("X-One", "2"))
    async with raw_server(answering(whole(b""))) as server:
        await client().send(OutgoingRequest("POST", server.url("/t"), headers, b"a=b"), POLICY)

    assert (
        f"POST /t HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nX-One: 1\r\nAccept: application/json\r\nX-One: 2\r\n"
        "User-Agent: keyturn\r\nAccept-Encoding: identity\r\nContent-Length: 3\r\nConnection: close\r\n\r\na=b"
    ).encode() == server.received[0]


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("GET", (("X", "a\r\nY: b"),)),
        ("GET", (("X", "a\nb"),)),
        ("GET", (("X", "a\0b"),)),
        ("GET", (("X\r\nY", "b"),)),
        ("GET", (("X Y", "b"),)),
        ("GET", (("", "b"),)),
        ("GET /x HTTP/1.1\r\nY:", ()),
        ("GET", (("Host", "other.example"),)),
        ("GET", (("content-length", "5"),)),
        ("GET", (("Transfer-Encoding", "chunked"),)),
        ("GET", (("Connection", "keep-alive"),)),
    ],
)
async def test_nothing_smuggles_itself_into_a_request(method: str, headers: tuple[tuple[str, str], ...]) -> None:
    """Broken or doubled framing is our own bug, found before anything is dialled, and not echoed."""
    async with raw_server(answering(whole(b""))) as server:
        with pytest.raises(ValueError, match=r"^(not a method|a header that [a-z ]+)$"):
            await client().send(OutgoingRequest(method, server.url(), headers), POLICY)

    assert 0 == server.connections


@pytest.mark.parametrize(
    "url",
    [
        "/only/a/path",
        "ftp://api.example.com/",
        "https://",
        "https:///path",
        "https://user:secret@api.example.com/",
        "https://@api.example.com/",
        "https://api.example.com:99999/",
        "https://api.example.com:port/",
        "https://api.example.com/a b",
        "https://api.example.com/\r\nX: y",
        "https://api.example.com/ü",
        "https://2130706433/",
        "https://0x7f.1/",
        "https://[::1%25lo]/",
        "https://%31%32%37.0.0.1/",
    ],
)
async def test_urls_that_are_none_are_refused_before_a_lookup(url: str) -> None:
    """Also hosts in odd forms and URLs with a user; the message does not repeat the URL."""
    resolver = ScriptedResolver(["127.0.0.1"])

    with pytest.raises(UrlNotAllowed) as refused:
        await HttpEgress(resolver, LOOPBACK, FakeClock()).send(OutgoingRequest("GET", url), POLICY)

    assert [] == resolver.asked
    assert "example" not in str(refused.value)


async def test_a_redirect_to_a_private_address_is_not_followed() -> None:
    """The address that it names sees no connection."""
    async with raw_server(answering(whole(b"secret"))) as inner:
        location = b"Location: " + inner.url().encode()
        answer, outer = await send(answering(whole(b"", b"302 Found", location)))

    assert (302, 0, 1) == (answer.status, inner.connections, outer.connections)


async def test_loopback_is_refused_where_the_operator_is_silent() -> None:
    """Plain http allowed, the network not."""
    async with raw_server(answering(whole(b""))) as server:
        with pytest.raises(AddressNotAllowed):
            await client(EgressAllowances(insecure_http=True)).send(OutgoingRequest("GET", server.url()), POLICY)

    assert 0 == server.connections


async def test_the_environment_has_no_say(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither its proxies nor its netrc."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login canary password canary\n")
    async with raw_server(answering(whole(b"proxy"))) as proxy, raw_server(answering(whole(b"direct"))) as server:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url(""))
        monkeypatch.setenv("no_proxy", "")
        monkeypatch.setenv("NETRC", str(netrc))
        answer = await client().send(OutgoingRequest("GET", server.url()), POLICY)

    assert (b"direct", 0) == (answer.body, proxy.connections)
    assert b"authorization" not in server.received[0].lower()


async def test_cookies_are_handed_over_and_not_kept() -> None:
    """The second request to the same host carries none."""
    async with raw_server(answering(whole(b"", b"200 OK", b"Set-Cookie: a=1"))) as server:
        egress = client()
        for _ in range(2):
            answer = await egress.send(OutgoingRequest("GET", server.url()), POLICY)

    assert "a=1" == answer.value("set-cookie")
    assert b"cookie" not in server.received[1].lower()


async def test_each_send_has_a_connection_of_its_own_and_leaves_none() -> None:
    """Also where the server would keep it."""

    async def keep(talk: Talk) -> None:
        while True:
            await talk.request()
            await talk.send(whole(b""))

    async with raw_server(keep) as server:
        egress = client()
        for _ in range(3):
            await egress.send(OutgoingRequest("GET", server.url()), POLICY)
        await asyncio.sleep(0.05)
        left = server.open_connections

    assert (3, 0) == (server.connections, left)


async def test_a_cancelled_send_closes_its_connection() -> None:
    """Nobody waits, so nothing stays open."""
    async with raw_server(_silent) as server:
        sending = asyncio.create_task(client().send(OutgoingRequest("POST", server.url(), body=b"x"), POLICY))
        await server.arrived.wait()
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        await asyncio.sleep(0.05)

        assert 0 == server.open_connections


async def test_tls_from_end_to_end(tmp_path: Path) -> None:
    """Over https with a trusted certificate an answer comes; with another nothing is sent."""
    authority = Authority(tmp_path)
    policy = EgressPolicy(private_network=True)
    names = ScriptedResolver(["127.0.0.1"])
    trusting = HttpEgress(names, LOOPBACK, FakeClock(), authority.trusted_by(system_tls_context()))
    doubting = HttpEgress(names, LOOPBACK, FakeClock())
    async with raw_server(answering(whole(JSON)), tls=authority.server_context("api.example.com")) as server:
        request = OutgoingRequest("POST", server.url(host="api.example.com", scheme="https"), body=b"password=x")
        answer = await trusting.send(request, policy)
        with pytest.raises(ProviderTlsFailed):
            await doubting.send(request, policy)

    assert JSON == answer.body
    assert 1 == len(server.received)
