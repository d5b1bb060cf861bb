"""On the warm path nothing is read from the store, opened, validated by a framework or formatted for a log."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest
import structlog

from keyturn.core import secret
from tests.engine.story import ACTOR
from tests.fakes.database import FakeDatabase
from tests.fakes.egress import UpstreamReply
from tests.web.dataplane.asgi_caller import KEY, call
from tests.web.dataplane.story import OK, Story


async def test_a_warm_call_touches_no_store_no_secret_and_no_log(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counting fakes see one call when it is cold, and none when it is warm."""
    seen: list[str] = []
    read, reveal = FakeDatabase.read, secret.Secret.reveal

    async def counted_read(self: FakeDatabase) -> None:
        seen.append("store")
        await read(self)

    def counted_reveal(self: secret.Secret) -> str:
        seen.append("secret")
        return reveal(self)

    monkeypatch.setattr(FakeDatabase, "read", counted_read)
    monkeypatch.setattr(secret.Secret, "reveal", counted_reveal)
    with structlog.testing.capture_logs() as logged:
        story.world.upstream.will_reply(OK, OK, OK)
        await call(story.app, "POST", f"{story.path}/x", body=b"{}")
        cold = set(seen)
        seen.clear()
        await call(story.app, "POST", f"{story.path}/x", body=b"{}")
        await call(story.app, "GET", f"{story.path}/x?a=1")

    assert {"store", "secret"} == cold
    assert [] == seen
    assert [] == logged


async def test_a_warm_key_is_not_looked_up(story: Story) -> None:
    """A key that was verified once is known."""
    _, text = await story.world.application.api_keys.create("test", ["call"], ACTOR)
    key = (KEY[0], b"Bearer " + text.reveal().encode())
    story.world.upstream.will_reply(OK, OK)
    await call(story.app, "GET", f"{story.path}/x", key=key)
    story.world.stores.database.gone = True
    got = await call(story.app, "GET", f"{story.path}/x", key=key)

    assert 200 == got.status


@pytest.mark.parametrize(("written", "status"), [("cxn_other", 200), ("", 503)], ids=["another", "its own"])
async def test_a_write_while_a_route_is_made(story: Story, written: str, status: int) -> None:
    """A fleet that renews all the time must not send every call to the store; a route that is outdated is not kept."""
    calls, connections = story.world.application.calls, story.world.stores.connections
    opened, real = 0, connections.open

    async def open_and_write(connection_id: str, *, project: str = "default") -> object:
        nonlocal opened
        opened += 1
        found = await real(connection_id, project=project)
        assert found is not None
        if opened == 1:
            calls.written(replace(found[0], id=written or connection_id))
        return found

    connections.open = open_and_write  # type: ignore[method-assign,assignment]
    story.world.upstream.will_reply(OK, OK)
    first = await call(story.app, "GET", f"{story.path}/x")
    if not written:
        assert 2 == opened
        calls.written(story.world.stores.connections.rows[story.connection_id][0])
    story.world.stores.database.gone = True
    got = await call(story.app, "GET", f"{story.path}/x")

    assert (200, status) == (first.status, got.status)


def test_the_data_plane_loads_no_framework() -> None:
    """Neither pydantic nor a web framework is there to be called."""
    code = (
        "import sys, keyturn.web.dataplane.application\n"
        "print([m for m in ('pydantic', 'fastapi', 'starlette', 'sqlalchemy', 'aiohttp') if m in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert "[]" == shown.stdout.strip()


async def test_uses_are_written_down_in_batches(story: Story) -> None:
    """A thousand calls are one note: when, and that this generation's token works."""
    story.world.upstream.will_reply(*[OK] * 100)
    for _ in range(100):
        await call(story.app, "GET", f"{story.path}/x")
    await story.world.application.calls.flush_uses()
    connection, _ = story.world.stores.connections.rows[story.connection_id]

    assert (story.world.clock.now(), 1) == (connection.last_used_at, connection.worked_generation)


@pytest.mark.parametrize(("status", "worked"), [(204, 1), (302, 1), (404, None), (500, None)])
async def test_what_shows_that_a_token_works(story: Story, status: int, worked: int | None) -> None:
    """An answer that is no error; the use is noted whatever the answer."""
    row, secrets = story.world.stores.connections.rows[story.connection_id]
    story.world.stores.connections.rows[story.connection_id] = (replace(row, worked_generation=None), secrets)
    story.world.upstream.will_reply(UpstreamReply(status))
    await call(story.app, "GET", f"{story.path}/x")
    await story.world.application.calls.flush_uses()
    connection, _ = story.world.stores.connections.rows[story.connection_id]

    assert (story.world.clock.now(), worked) == (connection.last_used_at, connection.worked_generation)
