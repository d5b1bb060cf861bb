"""The suites of the ports, run on the real client and on the fake one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from ipaddress import ip_network

import pytest

from keyturn.adapters.egress.client import HttpEgress
from keyturn.adapters.egress.dialling import EgressAllowances
from keyturn.adapters.egress.resolver import SystemResolver
from keyturn.adapters.egress.upstream import PooledUpstream
from keyturn.core.errors import ProviderTimeout
from keyturn.core.messages import Answer
from keyturn.ports.egress import Egress, Upstream
from tests.adapters.egress.raw_server import RawServer, Talk, body_of, raw_server
from tests.contracts.egress_contract import EgressContract, ProviderStub
from tests.contracts.upstream_contract import ApiStub, UpstreamContract
from tests.fakes.clock import FakeClock
from tests.fakes.egress import FakeEgress, FakeUpstream, UpstreamReply

LOOPBACK = EgressAllowances((ip_network("127.0.0.0/8"),), insecure_http=True)


class ServedProvider:
    """A provider on loopback that plays its script, one answer for each connection."""

    def __init__(self) -> None:
        self._answers: list[bytes] = []
        self.server = RawServer(0)

    @property
    def url(self) -> str:
        """Where it listens."""
        return self.server.url()

    @property
    def bodies(self) -> Sequence[bytes]:
        """Of the requests that came."""
        return [request.split(b"\r\n\r\n", 1)[1] for request in self.server.received]

    def will_answer(self, status: int, headers: tuple[tuple[str, str], ...], body: bytes) -> None:
        """As scripted."""
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
        head = f"HTTP/1.1 {status} Said\r\n{lines}Content-Length: {len(body)}\r\n\r\n"
        self._answers.append(head.encode() + body)

    def will_break_off_after_status(self, status: int) -> None:
        """As scripted."""
        self._answers.append(f"HTTP/1.1 {status} Said\r\nContent-Length: 9\r\n\r\nhalf".encode())

    def will_say_nothing(self) -> None:
        """As scripted."""
        self._answers.append(b"")

    async def play(self, talk: Talk) -> None:
        """The script."""
        await talk.request()
        await talk.send(self._answers.pop(0))


class ScriptedProvider:
    """A provider that exists only inside a fake."""

    url = "http://provider.example/token"

    def __init__(self, egress: FakeEgress) -> None:
        self._egress = egress

    @property
    def bodies(self) -> Sequence[bytes]:
        """Of the requests that came."""
        return [request.body for request in self._egress.requests]

    def will_answer(self, status: int, headers: tuple[tuple[str, str], ...], body: bytes) -> None:
        """As scripted."""
        self._egress.will_reply(Answer(status, headers, body))

    def will_break_off_after_status(self, status: int) -> None:
        """As scripted."""
        self._egress.will_reply(Answer(status, complete=False))

    def will_say_nothing(self) -> None:
        """As scripted."""
        self._egress.will_reply(ProviderTimeout())


class TestHttpEgress(EgressContract):
    """The real client against a real server."""

    @pytest.fixture
    async def provider(self) -> AsyncIterator[ServedProvider]:
        """A server that plays what it is told."""
        stub = ServedProvider()
        async with raw_server(stub.play) as stub.server:
            yield stub

    @pytest.fixture
    def egress(self) -> Egress:
        """May reach loopback."""
        return HttpEgress(SystemResolver(), LOOPBACK, FakeClock())


class TestFakeEgress(EgressContract):
    """The fake that other tests lean on."""

    @pytest.fixture
    def egress(self) -> Egress:
        """Allows plain http."""
        return FakeEgress(insecure_http=True)

    @pytest.fixture
    def provider(self, egress: FakeEgress) -> ProviderStub:
        """Inside the fake."""
        return ScriptedProvider(egress)


class ServedApi:
    """An API on loopback that keeps its connections and plays its script."""

    def __init__(self) -> None:
        self._answers: list[bytes] = []
        self.server = RawServer(0)

    @property
    def port(self) -> int:
        """Where it listens."""
        return self.server.port

    @property
    def bodies(self) -> Sequence[bytes]:
        """Of the calls that came."""
        return [body_of(request) for request in self.server.received]

    def will_answer(self, status: int, headers: tuple[tuple[bytes, bytes], ...], body: bytes) -> None:
        """As scripted."""
        lines = b"".join(b"%b: %b\r\n" % (name.title(), value) for name, value in headers)
        self._answers.append(b"HTTP/1.1 %d Said\r\n%bContent-Length: %d\r\n\r\n%b" % (status, lines, len(body), body))

    def will_break_off(self, body: bytes) -> None:
        """As scripted."""
        self._answers.append(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + body)

    async def play(self, talk: Talk) -> None:
        """The script."""
        while True:
            await talk.request()
            answer = self._answers.pop(0)
            await talk.send(answer)
            if b"Length: 1000\r" in answer:
                return


class ScriptedApi:
    """An API that exists only inside a fake."""

    port = 80

    def __init__(self, upstream: FakeUpstream) -> None:
        self._upstream = upstream

    @property
    def bodies(self) -> Sequence[bytes]:
        """Of the calls that came."""
        return [sent.body for sent in self._upstream.sent]

    def will_answer(self, status: int, headers: tuple[tuple[bytes, bytes], ...], body: bytes) -> None:
        """As scripted."""
        self._upstream.will_reply(UpstreamReply(status, headers, (body,)))

    def will_break_off(self, body: bytes) -> None:
        """As scripted."""
        self._upstream.will_reply(UpstreamReply(pieces=(body,), breaks_off=True))


class TestPooledUpstream(UpstreamContract):
    """The real client against a real server."""

    @pytest.fixture
    async def api(self) -> AsyncIterator[ServedApi]:
        """A server that plays what it is told."""
        stub = ServedApi()
        async with raw_server(stub.play) as stub.server:
            yield stub

    @pytest.fixture
    async def upstream(self) -> AsyncIterator[Upstream]:
        """May reach loopback."""
        made = PooledUpstream(SystemResolver(), LOOPBACK)
        yield made
        await made.close()


class TestFakeUpstream(UpstreamContract):
    """The fake that other tests lean on."""

    @pytest.fixture
    def upstream(self) -> Upstream:
        """Nothing scripted yet."""
        return FakeUpstream()

    @pytest.fixture
    def api(self, upstream: FakeUpstream) -> ApiStub:
        """Inside the fake."""
        return ScriptedApi(upstream)
