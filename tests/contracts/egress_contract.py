"""What every Egress promises. Subclass, give the fixtures `egress` and `provider`, write nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

import pytest

from keyturn.core.errors import ProviderTimeout, UrlNotAllowed
from keyturn.core.messages import OutgoingRequest
from keyturn.ports.egress import Egress, EgressPolicy

POLICY = EgressPolicy(insecure_http=True, timeout_s=5.0)


class ProviderStub(Protocol):
    """The other side, as far as the suite has to steer it. `url` reaches it; `bodies` are those of its requests."""

    @property
    def url(self) -> str:
        """Plain http, allowed by the operator."""
        ...

    @property
    def bodies(self) -> Sequence[bytes]:
        """The body of each request that came, in order."""
        ...

    def will_answer(self, status: int, headers: tuple[tuple[str, str], ...], body: bytes) -> None:
        """To the next request."""
        ...

    def will_break_off_after_status(self, status: int) -> None:
        """A status line, half a body, and an end."""
        ...

    def will_say_nothing(self) -> None:
        """Take the request and close."""
        ...


class EgressContract:
    """The promises of the port."""

    async def test_an_answer_is_handed_over_as_it_came(self, egress: Egress, provider: ProviderStub) -> None:
        """Status, header names as written, repeated headers and the body arrive unchanged."""
        headers = (("X-Odd-CASE", "1"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"))
        provider.will_answer(418, headers, b'{"a": 1}')

        answer = await egress.send(OutgoingRequest("POST", provider.url, body=b"x=1"), POLICY)

        assert (418, b'{"a": 1}', True) == (answer.status, answer.body, answer.complete)
        assert headers == tuple(pair for pair in answer.headers if pair[0] != "Content-Length")
        assert ["a=1", "b=2"] == list(answer.all_values("set-cookie"))

    async def test_each_request_goes_out_once_with_its_body(self, egress: Egress, provider: ProviderStub) -> None:
        """What is sent is what was asked for, in order, each once."""
        provider.will_answer(200, (), b"")
        provider.will_answer(200, (), b"")

        await egress.send(OutgoingRequest("POST", provider.url, body=b"first"), POLICY)
        await egress.send(OutgoingRequest("POST", provider.url, body=b"second"), POLICY)

        assert [b"first", b"second"] == list(provider.bodies)

    @pytest.mark.parametrize("method", ["POST", "GET", "PUT", "DELETE"])
    async def test_silence_is_a_timeout_and_nothing_is_sent_again(
        self, egress: Egress, provider: ProviderStub, method: str
    ) -> None:
        """A provider that closes without a status line was asked once, whatever the method."""
        provider.will_say_nothing()

        with pytest.raises(ProviderTimeout):
            await egress.send(OutgoingRequest(method, provider.url, body=b"x"), POLICY)

        assert [b"x"] == list(provider.bodies)

    async def test_an_answer_cut_after_its_status_is_incomplete(self, egress: Egress, provider: ProviderStub) -> None:
        """The status is kept, the half body is not."""
        provider.will_break_off_after_status(201)

        answer = await egress.send(OutgoingRequest("POST", provider.url, body=b"x"), POLICY)

        assert (201, b"", False) == (answer.status, answer.body, answer.complete)

    async def test_a_redirect_is_an_answer(self, egress: Egress, provider: ProviderStub) -> None:
        """It is handed over and not followed, also to the same place."""
        provider.will_answer(307, (("Location", provider.url),), b"")

        answer = await egress.send(OutgoingRequest("GET", provider.url), POLICY)

        assert (307, provider.url) == (answer.status, answer.value("location"))
        assert 1 == len(provider.bodies)

    async def test_plain_http_needs_the_connectors_wish(self, egress: Egress, provider: ProviderStub) -> None:
        """The operator's allowance alone sends nothing."""
        provider.will_answer(200, (), b"")

        with pytest.raises(UrlNotAllowed):
            await egress.send(OutgoingRequest("GET", provider.url), EgressPolicy(private_network=True))

        assert [] == list(provider.bodies)

    async def test_sends_do_not_wait_for_each_other(self, egress: Egress, provider: ProviderStub) -> None:
        """Two at once are both answered."""
        provider.will_answer(200, (), b"a")
        provider.will_answer(200, (), b"b")

        answers = await asyncio.gather(
            *(egress.send(OutgoingRequest("POST", provider.url, body=b"x"), POLICY) for _ in range(2))
        )

        assert {b"a", b"b"} == {answer.body for answer in answers}

    async def test_how_it_travelled_is_said_where_it_is_asked_for(self, egress: Egress, provider: ProviderStub) -> None:
        """Plain http has no TLS to tell of; who asks for nothing is told nothing."""
        provider.will_answer(200, (), b"")
        provider.will_answer(200, (), b"")

        told = await egress.send(OutgoingRequest("GET", provider.url), replace(POLICY, transport_facts=True))
        untold = await egress.send(OutgoingRequest("GET", provider.url), POLICY)

        assert told.transport is not None
        assert ("IPv4", False, None) == (told.transport.family, told.transport.by_proxy, told.transport.tls)
        assert untold.transport is None
