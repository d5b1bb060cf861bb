"""A provider that does what a test tells it to: strict rotation, reuse detection, and every odd answer by hand.

It speaks HTTP over plain sockets, so that an answer may be cut, dripped or malformed. Every request is logged before
it is answered, and the log is what tests judge by: never the product's own view of itself.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import itertools
import json
import secrets
import socket
import socketserver
import struct
import threading
import time
import urllib.parse
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

CLIENT_ID = "scripted-client"
CLIENT_SECRET = "scripted-client-secret-canary"
USERNAME = "ann"
PASSWORD = "correct-password-canary"


def fingerprint(value: str) -> str:
    """What stands for a secret in the log."""
    return hashlib.sha256(value.encode()).hexdigest()[:16]


@dataclass(slots=True)
class Seen:
    """One request, as it came."""

    number: int
    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes
    started: float
    ended: float | None = None
    outcome: str = ""
    grant: str = ""
    refresh: str = ""

    @property
    def path(self) -> str:
        """The target without its query."""
        return self.target.partition("?")[0]

    @property
    def query(self) -> dict[str, str]:
        """The query, the last value of each name."""
        return dict(urllib.parse.parse_qsl(self.target.partition("?")[2], keep_blank_values=True))

    def header(self, name: str) -> str | None:
        """A header's first value."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)

    def form(self) -> dict[str, str]:
        """The body as a form."""
        return dict(urllib.parse.parse_qsl(self.body.decode("utf-8"), keep_blank_values=True))

    def bearer(self) -> str:
        """The bearer token that it carries."""
        return (self.header("authorization") or "").removeprefix("Bearer ")


@dataclass(slots=True)
class Answer:
    """One answer. `cut`: bytes of the body to send before closing; `pieces`: a body sent with pauses."""

    status: int = 200
    body: Any = b""
    headers: dict[str, str] = field(default_factory=dict)
    after_s: float = 0
    cut: int | None = None
    reset: bool = False
    pieces: tuple[tuple[bytes, float], ...] = ()
    raw: bytes | None = None
    extra: tuple[tuple[str, str], ...] = ()
    outcome: str = "scripted"

    def encoded(self) -> tuple[bytes, dict[str, str]]:
        """The body as bytes, and the headers with its type."""
        if isinstance(self.body, bytes):
            return self.body, dict(self.headers)
        if isinstance(self.body, str):
            return self.body.encode(), {"Content-Type": "text/plain", **self.headers}
        return json.dumps(self.body).encode(), {"Content-Type": "application/json", **self.headers}


Handler = Callable[[Seen], Answer]


class Scripted:
    """The provider: its accounts, its grants and its script."""

    def __init__(self, *, ttl: Any = 3600, rotating: bool = True) -> None:
        self.ttl = ttl
        self.rotating = rotating
        self.accounts = {USERNAME: (PASSWORD, "id-1"), "bob": (PASSWORD, "id-2")}
        self.log: list[Seen] = []
        self.secrets: set[str] = set()
        self.access: dict[str, tuple[str, str, float]] = {}
        self.refresh: dict[str, tuple[str, str, bool]] = {}
        self.dead_families: set[str] = set()
        self._queued: dict[str, deque[Answer | Handler]] = defaultdict(deque)
        self.always: dict[str, Answer | Handler] = {}
        self.client_authentication = "basic"
        self.token_extra: dict[str, Any] = {}
        self.lock = threading.RLock()
        self._numbers = itertools.count()
        self._server = _Listener(("127.0.0.1", 0), _Connection)
        self._server.provider = self
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()

    def then(self, path: str, *answers: Answer | Handler) -> None:
        """The next answers of a path, in this order."""
        with self.lock:
            self._queued[path].extend(answers)

    def seen(self, path: str, **which: str) -> list[Seen]:
        """The requests to a path, oldest first."""
        with self.lock:
            return [row for row in self.log if row.path == path and all(getattr(row, k) == v for k, v in which.items())]

    def end_access_tokens(self) -> None:
        """Every access token ends now."""
        with self.lock:
            self.access.clear()

    def arrived(self, request: Seen, wire: socket.socket) -> None:
        """A request is about to be answered; for those that keep a journal, or watch who hangs up."""

    def over(self, request: Seen) -> None:
        """The answer was sent, or could not be."""

    def answer(self, request: Seen) -> Answer:
        """What the script says, else what an honest provider says."""
        with self.lock:
            scripted = self._queued[request.path].popleft() if self._queued[request.path] else None
            scripted = scripted or self.always.get(request.path)
        if scripted is not None:
            return scripted(request) if callable(scripted) else scripted
        return self.honest(request)

    def honest(self, request: Seen) -> Answer:
        """The honest answer, whatever is scripted."""
        if request.path == "/token":
            return self.token(request)
        if request.path == "/revoke":
            return self.revoke(request)
        if request.path == "/api/me":
            return self.me(request)
        return self.echo(request) if request.path.startswith("/api") else Answer(404, {"error": "no such place"})

    def token(self, request: Seen) -> Answer:
        """The token endpoint of RFC 6749."""
        form = request.form()
        request.grant = form.get("grant_type", "")
        if request.grant == "refresh_token":
            return self._refreshed(request, form.get("refresh_token", ""))
        password, account = self.accounts.get(form.get("username", ""), (None, ""))
        if password is None or form.get("password") != password:
            return Answer(400, {"error": "invalid_grant"}, outcome="rejected")
        return self.issue(account, secrets.token_hex(4))

    def _refreshed(self, request: Seen, value: str) -> Answer:
        request.refresh = fingerprint(value)
        with self.lock:
            family, account, used = self.refresh.get(value, ("", "", True))
            if used and family:
                self.dead_families.add(family)
            if not family or family in self.dead_families:
                return Answer(400, {"error": "invalid_grant"}, outcome="reuse" if used and family else "rejected")
            if self.rotating:
                self.refresh[value] = (family, account, True)
        return self.issue(account, family)

    def issue(self, account: str, family: str, **more: Any) -> Answer:
        """A token answer."""
        access, refresh = f"at-{secrets.token_hex(12)}", f"rt-{secrets.token_hex(12)}"
        with self.lock:
            life = float(self.ttl) if isinstance(self.ttl, int | float) else 3600.0
            self.access[access] = (family, account, time.time() + life)
            self.refresh[refresh] = (family, account, False)
            self.secrets |= {access, refresh}
        body = {"access_token": access, "token_type": "Bearer", "refresh_token": refresh, "expires_in": self.ttl}
        return Answer(200, {**body, **self.token_extra, **more}, outcome="token")

    def revoke(self, request: Seen) -> Answer:
        """RFC 7009: always 200."""
        value = request.form().get("token", "")
        request.refresh = fingerprint(value)
        with self.lock:
            if value in self.refresh:
                self.dead_families.add(self.refresh[value][0])
            self.access.pop(value, None)
        return Answer(200, outcome="revoked")

    def account_of(self, request: Seen) -> str | None:
        """Whose token the request carries."""
        with self.lock:
            family, account, ends = self.access.get(request.bearer(), ("", "", 0.0))
            return account if family and family not in self.dead_families and ends > time.time() else None

    def me(self, request: Seen) -> Answer:
        """Who the token belongs to."""
        account = self.account_of(request)
        if account is None:
            return Answer(401, {"error": "invalid_token"}, outcome="stale")
        return Answer(200, {"id": account, "name": f"Name of {account}"}, outcome="ok")

    def echo(self, request: Seen) -> Answer:
        """What came, as JSON; 401 without a good token."""
        if self.account_of(request) is None:
            return Answer(401, {"error": "invalid_token"}, outcome="stale")
        told = {"method": request.method, "target": request.target, "headers": request.headers}
        body = base64.b64encode(request.body).decode() if len(request.body) < 1_000_000 else None
        digest = hashlib.sha256(request.body).hexdigest()
        return Answer(200, {**told, "body": body, "length": len(request.body), "sha256": digest}, outcome="ok")


class _Listener(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 512
    provider: Scripted

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A caller that went away is no news."""


class _Connection(socketserver.StreamRequestHandler):
    server: _Listener
    timeout = 60

    def handle(self) -> None:
        """Answer until the other side is done."""
        with contextlib.suppress(OSError):
            while self._one():
                pass

    def _one(self) -> bool:
        line = self.rfile.readline(70_000)
        if not line.strip():
            return False
        method, target, _ = line.decode("latin-1").split(" ", 2)
        headers = []
        while (raw := self.rfile.readline(70_000)).strip():
            name, _, value = raw.decode("latin-1").partition(":")
            headers.append((name, value.strip()))
        provider = self.server.provider
        request = Seen(next(provider._numbers), method, target, headers, b"", time.monotonic())
        if (request.header("expect") or "").lower() == "100-continue":
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.body = self._body(request)
        with provider.lock:
            provider.log.append(request)
        provider.arrived(request, self.connection)
        answer = provider.answer(request)
        request.outcome = request.outcome or answer.outcome
        try:
            return self._send(request, answer)
        finally:
            request.ended = time.monotonic()
            provider.over(request)

    def _body(self, request: Seen) -> bytes:
        if "chunked" in (request.header("transfer-encoding") or ""):
            body = b""
            while size := int(self.rfile.readline().split(b";")[0], 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            while self.rfile.readline().strip():
                pass
            return body
        return self.rfile.read(int(request.header("content-length") or 0))

    def _send(self, request: Seen, answer: Answer) -> bool:
        time.sleep(answer.after_s)
        if answer.reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
            return False
        if answer.raw is not None:
            self.wfile.write(answer.raw)
            return False
        body, headers = answer.encoded()
        lines = [f"HTTP/1.1 {answer.status} Scripted"]
        if answer.pieces:
            headers["Connection"] = "close"
        elif "Content-Length" not in headers and answer.status not in (204, 304):
            headers["Content-Length"] = str(len(body))
        lines += [f"{name}: {value}" for name, value in [*headers.items(), *answer.extra]]
        self.wfile.write("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n")
        for piece, pause_s in answer.pieces:
            self.wfile.write(piece)
            self.wfile.flush()
            time.sleep(pause_s)
        if answer.pieces:
            return False
        if request.method != "HEAD":
            self.wfile.write(body if answer.cut is None else body[: answer.cut])
        return answer.cut is None


@contextlib.contextmanager
def scripted_provider(**options: Any) -> Iterator[Scripted]:
    """A provider that listens on a port of its own."""
    provider = Scripted(**options)
    try:
        yield provider
    finally:
        provider.close()
