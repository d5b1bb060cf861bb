"""Between keyturn and a peer: writes down what was asked, and holds an answer back where a test says so.

Rule 1: what comes from the peer goes on as it came: status, reason, headers, body.
Rule 2: tokens and passwords are kept in memory only, for the tests to compare.
"""

from __future__ import annotations

import contextlib
import http.client
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from tests.peers.running import Peer

HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "host", "content-length"})
HELD_AT_MOST_S = 60


@dataclass(frozen=True, slots=True)
class Seen:
    """One request and the status that it was answered with."""

    method: str
    path: str
    body: bytes = field(repr=False)
    status: int


@dataclass(slots=True)
class Relay:
    """A relay that runs. `hold`: a word; an answer to a request whose body holds it is kept back until `release`."""

    port: int
    target: tuple[str, int]
    log: list[Seen] = field(default_factory=list)
    hold: bytes | None = None
    holding: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)

    @property
    def host(self) -> str:
        """What stands in a URL in the peer's place."""
        return f"127.0.0.1:{self.port}"

    def sent(self, method: str, path: str, word: bytes = b"") -> list[Seen]:
        """The requests to a path whose body holds a word, oldest first."""
        return [each for each in self.log if (method, path) == (each.method, each.path) and word in each.body]

    def release(self) -> None:
        """Let what is held back go."""
        self.hold = None
        self.released.set()


@contextlib.contextmanager
def relay_to(peer: Peer) -> Iterator[Relay]:
    """Run a relay before a peer, on a free port."""
    there = urlsplit(peer.base_url)
    assert there.hostname is not None
    assert there.port is not None
    listening = _Listening(("127.0.0.1", 0), _Handler)
    relay = Relay(listening.server_address[1], (there.hostname, there.port))
    listening.relay = relay  # type: ignore[attr-defined]
    thread = threading.Thread(target=listening.serve_forever, daemon=True)
    thread.start()
    try:
        yield relay
    finally:
        relay.release()
        listening.shutdown()
        listening.server_close()
        thread.join()


class _Listening(ThreadingHTTPServer):
    request_queue_size = 256  # the default of five makes fifty callers wait for seconds
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A caller that was killed says nothing of the relay."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: URLs may hold tokens."""

    def _pass_on(self) -> None:
        relay: Relay = self.server.relay  # type: ignore[attr-defined]
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {k: v for k, v in self.headers.items() if k.lower() not in HOP_BY_HOP}
        beyond = http.client.HTTPConnection(*relay.target, timeout=60)
        try:
            beyond.request(self.command, self.path, body or None, headers)
            answer = beyond.getresponse()
            content = answer.read()
        finally:
            beyond.close()
        relay.log.append(Seen(self.command, urlsplit(self.path).path, body, answer.status))
        if relay.hold is not None and relay.hold in body:
            relay.holding.set()
            relay.released.wait(HELD_AT_MOST_S)
        with contextlib.suppress(OSError):  # who asked may be dead by now
            self._answer(answer, content)

    def _answer(self, answer: http.client.HTTPResponse, content: bytes) -> None:
        self.send_response_only(answer.status, answer.reason)
        for name, value in answer.getheaders():
            if name.lower() not in HOP_BY_HOP:
                self.send_header(name, value)
        if answer.status != 204:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_DELETE = do_PUT = do_PATCH = _pass_on  # noqa: N815 - the library looks for these names
