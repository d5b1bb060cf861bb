"""The suites of the ports, run on the real client and on the fake one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from ipaddress import ip_network

import pytest

from keyturn.adapters.egress.client import AiohttpEgress
from keyturn.adapters.egress.dialling import EgressAllowances
from keyturn.adapters.egress.resolver import SystemResolver
from keyturn.core.errors import ProviderTimeout
from keyturn.core.messages import Answer
from keyturn.ports.egress import Egress
from tests.adapters.egress.raw_server import RawServer, Talk, raw_server
from tests.contracts.egress_contract import EgressContract, ProviderStub
from tests.fakes.clock import FakeClock
from tests.fakes.egress import FakeEgress

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


class TestAiohttpEgress(EgressContract):
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
        return AiohttpEgress(SystemResolver(), LOOPBACK, FakeClock())


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
