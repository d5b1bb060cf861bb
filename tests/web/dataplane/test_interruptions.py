"""What ends a call early: its caller, a pause, a disconnect, a key that is revoked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

import pytest

from keyturn.engine.calls import calls as calls_module
from keyturn.ports.egress import EgressPolicy, UpstreamAnswer, UpstreamRequest
from keyturn.web.dataplane import interruption
from keyturn.web.dataplane.application import DataPlane
from keyturn.web.dataplane.call import CutOff
from tests.engine.story import ACTOR
from tests.fakes.egress import json_answer
from tests.web.dataplane.asgi_caller import Exchange
from tests.web.dataplane.story import Story


class SlowAnswer:
    """An answer whose head is here and whose body comes when a test says so."""

    def __init__(self, headers: Sequence[tuple[bytes, bytes]] = ()) -> None:
        self.status = 200
        self.headers = headers
        self.whole = None
        self.go_on = asyncio.Event()
        self.closed = False

    async def body(self) -> AsyncIterator[bytes]:
        """One piece, and later another."""
        yield b"first"
        await self.go_on.wait()
        yield b"second"

    async def close(self) -> None:
        """Remember it."""
        self.closed = True


class SlowUpstream:
    """An API that answers when a test says so."""

    def __init__(self, headers: Sequence[tuple[bytes, bytes]] = ()) -> None:
        self.asked = asyncio.Event()
        self.answer_now = asyncio.Event()
        self.answer = SlowAnswer(headers)
        self.cancelled = False
        self.body_read = b""

    async def open(
        self, request: UpstreamRequest, body: AsyncIterator[bytes] | bytes | None, policy: EgressPolicy
    ) -> UpstreamAnswer:
        """As `Upstream.open`."""
        self.asked.set()
        try:
            if body is not None and not isinstance(body, bytes):
                async for piece in body:
                    self.body_read += piece
            await self.answer_now.wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        return self.answer

    async def close(self, grace_s: float = 0.0) -> None:
        """Nothing to close."""


def with_upstream(story: Story, upstream: SlowUpstream) -> DataPlane:
    """The same story over another API."""
    story.app = DataPlane(replace(story.world.application, upstream=upstream))
    return story.app


async def test_a_caller_that_hangs_up_ends_its_call(story: Story) -> None:
    """Nobody waits for it: the call to the API is given up."""
    upstream = SlowUpstream()
    exchange = Exchange(with_upstream(story, upstream), "GET", f"{story.path}/x")
    await upstream.asked.wait()
    exchange.hang_up()
    await asyncio.wait_for(exchange.done(), 2)

    assert upstream.cancelled
    assert [] == exchange.messages
    assert 1 == story.app.counts.count("acme", "caller_gone")


async def test_a_caller_that_hangs_up_while_it_reads_ends_its_stream(story: Story) -> None:
    """A stream to nobody would go on for ever."""
    upstream = SlowUpstream()
    exchange = Exchange(with_upstream(story, upstream), "GET", f"{story.path}/x")
    upstream.answer_now.set()
    await exchange.begun.wait()
    exchange.hang_up()
    await asyncio.wait_for(exchange.done(), 2)

    assert upstream.answer.closed
    assert not exchange.complete


async def test_a_caller_that_hangs_up_while_it_sends(story: Story) -> None:
    """A body that ends before its end is not passed off as a whole one."""
    upstream = SlowUpstream()
    app = with_upstream(story, upstream)
    headers = [(b"transfer-encoding", b"chunked")]
    exchange = Exchange(app, "POST", f"{story.path}/x", headers, [b"half"], more_comes=True)
    await upstream.asked.wait()
    exchange.hang_up()
    await asyncio.wait_for(exchange.done(), 2)

    assert (b"half", []) == (upstream.body_read, exchange.messages)


async def test_the_server_that_shuts_down_is_obeyed(story: Story) -> None:
    """A cancellation that is not ours goes on its way."""
    upstream = SlowUpstream()
    exchange = Exchange(with_upstream(story, upstream), "GET", f"{story.path}/x")
    await upstream.asked.wait()
    exchange.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await exchange.done()

    assert upstream.cancelled


@pytest.mark.parametrize("ending", ["pause", "disconnect"])
async def test_an_ordinary_call_gets_its_grace(story: Story, ending: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may end by itself within the grace, though new calls are refused at once."""
    monkeypatch.setattr(calls_module, "ENDING_GRACE_S", 5.0)
    upstream = SlowUpstream()
    app = with_upstream(story, upstream)
    exchange = Exchange(app, "GET", f"{story.path}/x")
    await upstream.asked.wait()
    if ending == "pause":
        await story.world.application.pause(story.connection_id, ACTOR, paused=True)
    else:
        story.world.egress.will_reply(json_answer("{}"), json_answer("{}"))
        await story.world.application.disconnect(story.connection_id, ACTOR, forget_now=True)
    refused = await Exchange(app, "GET", f"{story.path}/x").done()
    upstream.answer_now.set()
    upstream.answer.go_on.set()
    await exchange.done()

    assert (409 if ending == "pause" else 410) == refused.status
    assert (200, b"firstsecond", True) == (exchange.status, exchange.body, exchange.complete)


async def test_the_grace_ends(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    """A call that is still waiting for its answer then is refused with the reason."""
    monkeypatch.setattr(calls_module, "ENDING_GRACE_S", 0.01)
    upstream = SlowUpstream()
    exchange = Exchange(with_upstream(story, upstream), "GET", f"{story.path}/x")
    await upstream.asked.wait()
    await story.world.application.pause(story.connection_id, ACTOR, paused=True)
    await asyncio.wait_for(exchange.done(), 2)

    assert (409, "connection_paused") == (exchange.status, exchange.problem["code"])
    assert upstream.cancelled


@pytest.mark.parametrize(
    ("headers", "long_s", "cut"),
    [
        pytest.param(((b"content-type", b"text/event-stream"),), 10.0, True, id="events"),
        pytest.param((), 0.0, True, id="of unknown length, running for long"),
        pytest.param((), 10.0, False, id="of unknown length, just begun"),
        pytest.param(((b"content-length", b"11"),), 0.0, False, id="of known length"),
    ],
)
async def test_streams_are_cut(
    story: Story,
    headers: tuple[tuple[bytes, bytes], ...],
    long_s: float,
    cut: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An answer without an end would outlive any grace."""
    monkeypatch.setattr(interruption, "LONG_S", long_s)
    upstream = SlowUpstream(headers)
    exchange = Exchange(with_upstream(story, upstream), "GET", f"{story.path}/x")
    upstream.answer_now.set()
    await exchange.begun.wait()
    await story.world.application.pause(story.connection_id, ACTOR, paused=True)
    if cut:
        with pytest.raises(CutOff):
            await asyncio.wait_for(exchange.done(), 2)
    else:
        upstream.answer.go_on.set()
        await exchange.done()

    assert (not cut, cut) == (exchange.complete, not exchange.body.endswith(b"second"))
    assert upstream.answer.closed is cut


async def test_a_call_whose_body_is_still_read_is_refused(story: Story) -> None:
    """Nothing was sent yet, so there is nothing to be patient with."""
    upstream = SlowUpstream()
    headers = [(b"content-length", b"10")]
    exchange = Exchange(with_upstream(story, upstream), "POST", f"{story.path}/x", headers, [b"half"], more_comes=True)
    await asyncio.sleep(0.01)
    await story.world.application.pause(story.connection_id, ACTOR, paused=True)
    await asyncio.wait_for(exchange.done(), 2)

    assert 409 == exchange.status
    assert not upstream.asked.is_set()


async def test_another_process_paused_it(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was written elsewhere ends calls here too, once somebody looks."""
    monkeypatch.setattr(calls_module, "ENDING_GRACE_S", 0.0)
    upstream = SlowUpstream()
    exchange = Exchange(with_upstream(story, upstream), "GET", f"{story.path}/x")
    await upstream.asked.wait()
    calls = story.world.application.calls
    await calls.end_stopped()
    await asyncio.sleep(0.02)
    went_on = not exchange.task.done()
    row, secrets = story.world.stores.connections.rows[story.connection_id]
    story.world.stores.connections.rows[story.connection_id] = (replace(row, paused=True), secrets)
    calls.forget_all()
    await calls.end_stopped()
    await asyncio.wait_for(exchange.done(), 2)

    assert went_on
    assert 409 == exchange.status


async def test_a_revoked_key_ends_its_calls(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    """And those of no other key."""
    monkeypatch.setattr(calls_module, "ENDING_GRACE_S", 0.0)
    upstream = SlowUpstream()
    app = with_upstream(story, upstream)
    keys = story.world.application.api_keys
    made, text = await keys.create("test", ["call"], ACTOR)
    mine = Exchange(app, "GET", f"{story.path}/x", key=(b"keyturn-key", text.reveal().encode()))
    other = Exchange(app, "GET", f"{story.path}/x")
    await asyncio.sleep(0.02)
    await keys.revoke(made.id, ACTOR)
    story.world.application.calls.end_of_key(made.id)
    await asyncio.wait_for(mine.done(), 2)
    await asyncio.sleep(0.02)

    assert 401 == mine.status
    assert not other.task.done()
    other.task.cancel()
