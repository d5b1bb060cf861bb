"""What every Upstream promises. Subclass, give the fixtures `upstream` and `api`, write nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

import pytest

from keyturn.core.errors import ProviderTimeout
from keyturn.ports.egress import EgressPolicy, Upstream, UpstreamAnswer, UpstreamRequest

POLICY = EgressPolicy(insecure_http=True)


class ApiStub(Protocol):
    """The other side, as far as the suite has to steer it."""

    @property
    def port(self) -> int:
        """Where it listens on loopback."""
        ...

    @property
    def bodies(self) -> Sequence[bytes]:
        """The body of each call that came, chunking undone."""
        ...

    def will_answer(self, status: int, headers: tuple[tuple[bytes, bytes], ...], body: bytes) -> None:
        """To the next call."""
        ...

    def will_break_off(self, body: bytes) -> None:
        """Status 200, this much of a body, and an end too early."""
        ...


def call(port: int, method: bytes = b"GET", **more: object) -> UpstreamRequest:
    """A call to loopback."""
    values: dict[str, object] = {"target": b"/v1/me", "headers": ((b"accept", b"*/*"),)} | more
    return UpstreamRequest(method=method, scheme="http", host="127.0.0.1", port=port, **values)  # type: ignore[arg-type]


async def pieces(*given: bytes) -> AsyncIterator[bytes]:
    """A body that streams."""
    for piece in given:
        yield piece


async def collect(answer: UpstreamAnswer, found: list[bytes]) -> None:
    """Read the body into `found`."""
    async for piece in answer.body():
        found.append(piece)


class UpstreamContract:
    """The promises of the port."""

    async def test_an_answer_comes_with_its_head_and_body(self, upstream: Upstream, api: ApiStub) -> None:
        """Status, headers with names in lower case, body."""
        api.will_answer(404, ((b"x-one", b"1"), (b"x-one", b"2")), b"nothing here")

        answer = await upstream.open(call(api.port), None, POLICY)
        body = b"".join([piece async for piece in answer.body()])
        await answer.close()

        assert (404, b"nothing here") == (answer.status, body)
        assert [b"1", b"2"] == [value for name, value in answer.headers if name == b"x-one"]

    async def test_a_small_answer_is_there_at_once(self, upstream: Upstream, api: ApiStub) -> None:
        """What came with the head can be had without waiting."""
        api.will_answer(200, (), b"small")

        answer = await upstream.open(call(api.port), None, POLICY)
        whole = answer.whole
        await answer.close()

        assert b"small" == whole

    @pytest.mark.parametrize(
        ("body", "length"),
        [
            pytest.param(b"held", 4, id="held"),
            pytest.param((b"str", b"", b"eamed"), None, id="in chunks"),
            pytest.param((b"str", b"", b"eamed"), 8, id="with a length"),
        ],
    )
    async def test_a_body_arrives(
        self, upstream: Upstream, api: ApiStub, body: bytes | tuple[bytes, ...], length: int | None
    ) -> None:
        """Held or streamed, with a length or without."""
        api.will_answer(200, (), b"")
        sent = body if isinstance(body, bytes) else pieces(*body)

        answer = await upstream.open(call(api.port, b"POST", content_length=length, has_body=True), sent, POLICY)
        await answer.close()

        assert [body if isinstance(body, bytes) else b"".join(body)] == list(api.bodies)

    async def test_what_breaks_off_is_handed_out_and_then_said(self, upstream: Upstream, api: ApiStub) -> None:
        """The bytes that came, then ProviderTimeout; `whole` offers nothing."""
        api.will_break_off(b"half")
        answer = await upstream.open(call(api.port), None, POLICY)
        whole = answer.whole
        found: list[bytes] = []

        with pytest.raises(ProviderTimeout):
            await collect(answer, found)
        await answer.close()

        assert (None, b"half") == (whole, b"".join(found))

    async def test_one_call_after_the_other(self, upstream: Upstream, api: ApiStub) -> None:
        """Each gets its own answer."""
        found = []
        for expected in (b"first", b"second", b"third"):
            api.will_answer(200, (), expected)
            answer = await upstream.open(call(api.port), None, POLICY)
            found.append(b"".join([piece async for piece in answer.body()]))
            await answer.close()

        assert [b"first", b"second", b"third"] == found
