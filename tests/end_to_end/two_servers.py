"""Two servers of one data directory, started at the same moment, and what tests of them look at."""

from __future__ import annotations

import contextlib
import http.client
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.end_to_end.running import Reply, Server
from tests.end_to_end.scripted.connectors import call
from tests.end_to_end.scripted.provider import Answer, Scripted, Seen

# The promise is a second. These processes share a machine with others, so what is held is twice that; where nothing is
# heard at all, what the tests wait for comes after ten times that, or never.
SOON_S = 2.0
EVENTS_S = 20.0


@contextlib.contextmanager
def two_servers(where: Path, **first: Any) -> Iterator[tuple[Server, Server]]:
    """Both on one directory that neither finds there; `first`: what is different about the first of them."""
    servers = (Server(where / "data", where / "log-a", **first), Server(where / "data", where / "log-b"))
    try:
        for each in servers:
            each.start(wait=False)
        for each in servers:
            each.wait_until_ready()
        yield servers
    finally:
        for each in servers:
            with contextlib.suppress(Exception):
                each.stop()


def refreshes(provider: Scripted) -> list[Seen]:
    """Each refresh request that came, in order."""
    return [seen for seen in provider.seen("/token") if b"grant_type=refresh_token" in seen.body]


def late(provider: Scripted, seconds: float) -> Any:
    """An honest answer that comes late."""

    def answer(seen: Seen) -> Answer:
        found = provider.honest(seen)
        found.after_s = seconds
        return found

    return answer


def renew(server: Server, connection: dict[str, Any]) -> Reply:
    """POST …/renew."""
    return server.ask("POST", f"/v1/connections/{connection['id']}/renew")


@dataclass(slots=True)
class Stream:
    """A call of a stream that says something every tenth of a second. `ended_at`: monotonic."""

    thread: threading.Thread
    ended_at: float | None = None


def open_stream(server: Server, provider: Scripted, connection: dict[str, Any], **more: Any) -> Stream:
    """Begin to listen, and wait until the provider has been asked."""
    pieces = tuple((b"data: x\n\n", 0.1) for _ in range(int(EVENTS_S * 10)))
    provider.always["/api/events"] = Answer(200, b"", {"Content-Type": "text/event-stream"}, pieces=pieces)
    before = len(provider.seen("/api/events"))

    def listen() -> None:
        with contextlib.suppress(http.client.HTTPException, OSError):
            call(server, connection, "events", **more)
        stream.ended_at = time.monotonic()

    stream = Stream(threading.Thread(target=listen, daemon=True))
    stream.thread.start()
    while len(provider.seen("/api/events")) == before:
        assert stream.ended_at is None
        time.sleep(0.02)
    time.sleep(0.3)  # its first events are under way
    assert stream.ended_at is None
    return stream
