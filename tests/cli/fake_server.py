"""A keyturn server that answers what a test tells it, over a real socket."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from keyturn.core.problems import PROBLEMS

KEY = "kt_" + "k" * 43 + "00000000"


@dataclass(frozen=True)
class Asked:
    """One request that came in."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def document(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


@dataclass(frozen=True)
class Reply:
    """One answer. `cut`: close the connection after so many bytes of the body, whatever the length said."""

    status: int = 200
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    cut: int | None = None


@dataclass
class FakeServer:
    """Answers by method and target; what it does not know gets 404 as a problem."""

    url: str = ""
    replies: dict[str, Reply] = field(default_factory=dict)
    earlier: dict[str, list[Reply]] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)

    def answer(self, request: str, document: object = None, status: int = 200) -> None:
        """Answer `METHOD target` with a JSON document."""
        body = b"" if document is None else json.dumps(document).encode()
        self.replies[request] = Reply(status, body, (("Content-Type", "application/json"),))

    def answer_first(self, request: str, *documents: object, status: int = 200) -> None:
        """Answer `METHOD target` with these, one after the other, before what `answer` says."""
        kind = (("Content-Type", "application/json"),)
        self.earlier[request] = [Reply(status, json.dumps(each).encode(), kind) for each in documents]

    def reply_to(self, request: str) -> Reply:
        """What comes next for `METHOD target`."""
        if self.earlier.get(request):
            return self.earlier[request].pop(0)
        return self.replies.get(request, problem("not_found"))

    def refuse(self, request: str, code: str, **members: object) -> None:
        """Answer `METHOD target` with a problem of the register."""
        self.replies[request] = problem(code, **members)

    def stream(self, request: str, body: bytes, *, status: int = 200, cut: int | None = None) -> None:
        """Answer as the API behind the proxy."""
        headers = (("Keyturn-Source", "upstream"), ("Content-Type", "application/octet-stream"))
        self.replies[request] = Reply(status, body, headers, cut)

    @property
    def last(self) -> Asked:
        """The newest request."""
        return self.asked[-1]


def problem(code: str, **members: object) -> Reply:
    """A problem document as the server writes it."""
    row = PROBLEMS[code]
    document = {
        "type": f"/problems/{code}",
        "title": row.title,
        "status": row.status,
        "detail": row.title,
        "code": code,
        "request_id": "req_1",
        "retryable": row.retryable,
        "retry_after": None,
        "next_action": {"who": row.who.value, "text": row.action, "url": None},
        **members,
    }
    headers = (("Content-Type", "application/problem+json"), ("Keyturn-Source", "broker"))
    return Reply(row.status, json.dumps(document).encode(), headers)


@contextmanager
def running() -> Iterator[FakeServer]:
    """Serve on a free port of loopback."""
    fake = FakeServer()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _handle(self) -> None:
            body = self._chunks() if self.headers.get("Transfer-Encoding") else self._sized()
            fake.asked.append(Asked(self.command, self.path, dict(self.headers.items()), body))
            reply = fake.reply_to(f"{self.command} {self.path}")
            self.send_response(reply.status)
            for name, value in reply.headers:
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body if reply.cut is None else reply.body[: reply.cut])
            self.close_connection = True

        do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = _handle  # noqa: N815  (the names that the library looks for)

        def _sized(self) -> bytes:
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))

        def _chunks(self) -> bytes:
            found = b""
            while size := int(self.rfile.readline(), 16):
                found += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return found

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    fake.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield fake
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
