"""The product as its users have it: a process of its own, driven through its doors."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.end_to_end.preloaded import Process, can_fork, preloaded

CHECKOUT = Path(__file__).resolve().parents[2]
ADMIN_KEY = "admin-key-of-the-end-to-end-tests-0123456789"
STARTS_WITHIN_S = 30
ENDS_WITHIN_S = 30


@dataclass(frozen=True, slots=True)
class Reply:
    """What a door answered."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    @property
    def code(self) -> str | None:
        """The problem's code, where it is one."""
        is_problem = self.headers.get("content-type", "").startswith("application/problem+json")
        return self.json()["code"] if is_problem else None


def ask(
    port: int,
    method: str,
    path: str,
    body: Any = None,
    *,
    key: str | None = ADMIN_KEY,
    headers: dict[str, str] | None = None,
    timeout_s: float = 60,
) -> Reply:
    """Send one request to a server on this machine; a body that is no text or bytes goes as JSON."""
    sent = dict(headers or {})
    if key is not None:
        sent.setdefault("Authorization", f"Bearer {key}")
    if body is not None and not isinstance(body, bytes | str):
        body, sent["Content-Type"] = json.dumps(body), "application/json"
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout_s)
    try:
        connection.request(method, path, body.encode() if isinstance(body, str) else body, sent)
        answer = connection.getresponse()
        return Reply(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
    finally:
        connection.close()


def free_port() -> int:
    """A port that nobody has right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass(slots=True)
class Server:
    """A keyturn process, its data directory and its log. `command`: what to run, for tests that wrap ports."""

    data: Path
    log: Path
    command: Sequence[str] = (sys.executable, "-m", "keyturn", "serve")
    env: dict[str, str] = field(default_factory=dict)
    port: int = 0
    process: Process | None = None

    def start(self, *, wait: bool = True) -> Server:
        """Start it, and wait until it answers."""
        self.port = self.port or free_port()
        settings = {
            "KEYTURN_ADMIN_API_KEY": ADMIN_KEY,
            "KEYTURN_EGRESS_ALLOW": "127.0.0.0/8",
            "KEYTURN_INSECURE_HTTP": "1",
            "KEYTURN_LOG_LEVEL": "debug",
            "PYTHONPATH": os.pathsep.join([str(CHECKOUT / "src"), str(CHECKOUT)]),
            **self.env,
        }
        surroundings = {k: v for k, v in os.environ.items() if not k.startswith("KEYTURN_")}
        command = [*self.command, "--data", str(self.data), "--listen", f"127.0.0.1:{self.port}"]
        whole, cwd = surroundings | settings, self.data.parent
        if can_fork(command, self.env):
            self.process = preloaded().start(command[1:], cwd=cwd, log=self.log, env=whole)
        else:
            with self.log.open("ab") as log:
                self.process = subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=whole, cwd=cwd
                )
        if wait:
            self.wait_until_ready()
        return self

    def wait_until_ready(self) -> None:
        """Until /readyz says so."""
        deadline = time.monotonic() + STARTS_WITHIN_S
        while time.monotonic() < deadline:
            if self.process is None or self.process.poll() is not None:
                break
            with contextlib.suppress(OSError):
                if ask(self.port, "GET", "/readyz", key=None, timeout_s=5).status == 200:
                    return
            time.sleep(0.05)
        raise AssertionError(f"the server did not start:\n{self.log.read_text(errors='replace')[-3000:]}")

    def kill(self) -> None:
        """SIGKILL: nothing is tidied up."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(ENDS_WITHIN_S)

    def wait_until_dead(self, timeout_s: float = 30) -> int:
        """Wait for a process that ends by itself; gives its exit status."""
        assert self.process is not None
        return self.process.wait(timeout_s)

    def stop(self) -> int:
        """SIGTERM, and wait; gives the exit status."""
        if self.process is None or self.process.poll() is not None:
            return (self.process.returncode or 0) if self.process else 0
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(ENDS_WITHIN_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def ask(self, method: str, path: str, body: Any = None, **more: Any) -> Reply:
        """Send one request to it, as admin where nothing else is said."""
        return ask(self.port, method, path, body, **more)


@contextlib.contextmanager
def running_server(where: Path, **more: Any) -> Iterator[Server]:
    """A server with a data directory of its own, stopped in any case."""
    server = Server(where / "data", where / "server.log", **more)
    try:
        yield server.start()
    finally:
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.stop()


@dataclass(slots=True)
class Provider:
    """The example provider in its own process, with its fault knobs."""

    process: subprocess.Popen[bytes]
    port: int
    username: str = "demo"
    password: str = "correct-horse-7"

    def ask(self, method: str, path: str, body: Any = None) -> Reply:
        """One request to it."""
        return ask(self.port, method, path, body, key=None)

    def fault(self, **knobs: Any) -> None:
        """Turn a knob."""
        reply = self.ask("POST", "/debug/fault", knobs)
        assert reply.status < 300, reply.body

    def log(self) -> list[dict[str, Any]]:
        """Every request that it saw, oldest first, with fingerprints for tokens."""
        found = self.ask("GET", "/debug/log").json()
        rows: list[dict[str, Any]] = found if isinstance(found, list) else found["log"]
        return rows

    def waiting(self) -> bool:
        """Whether it holds a request back."""
        return bool(self.ask("GET", "/debug/waiting").json()["waiting"])

    def wait_until_holding(self, timeout_s: float = 20) -> None:
        """Until it holds a request back."""
        deadline = time.monotonic() + timeout_s
        while not self.waiting():
            assert time.monotonic() < deadline, "the provider never held a request"
            time.sleep(0.02)


@contextlib.contextmanager
def running_provider(*options: str) -> Iterator[Provider]:
    """The example provider on a free port."""
    process = subprocess.Popen(
        [sys.executable, "-m", "keyturn_example_provider", "--port", "0", "--debug-endpoints", "--exit-with-parent",
         *options],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT / "examples" / "provider")},
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        line = process.stdout.readline().decode()
        yield Provider(process, int(line.rsplit(":", 1)[1]))
    finally:
        process.stdin.close()
        process.terminate()
        process.wait(10)
        process.stdout.close()


def example_connector(port: int, **changes: str) -> str:
    """The example connector for a provider on this port; `changes`: text → text that takes its place."""
    text = (
        (CHECKOUT / "examples/connectors/acme-example.yaml").read_text().replace("127.0.0.1:8801", f"127.0.0.1:{port}")
    )
    for old, new in changes.items():
        assert old in text, old
        text = text.replace(old, new)
    return text


def install_connector(server: Server, text: str, client: Mapping[str, str | None] | None = None) -> str:
    """Save, publish and give a client; returns the connector's id."""
    connector = next(line.split(":")[1].strip() for line in text.splitlines() if line.startswith("connector:"))
    saved = server.ask("PUT", f"/v1/connectors/{connector}", text, headers={"Content-Type": "application/yaml"})
    assert saved.status in (200, 201), saved.body
    published = server.ask("POST", f"/v1/connectors/{connector}/publish")
    assert published.status == 201, published.body
    credentials = client or {"client_id": "acme-client", "client_secret": "acme-secret-for-trying-out-only"}
    assert server.ask("PUT", f"/v1/connectors/{connector}/client", credentials).status == 204
    return connector


def connect(server: Server, connector: str, username: str, password: str, owner: str = "owner-1", **more: Any) -> Reply:
    """POST /v1/connections."""
    body = {"connector": connector, "owner": owner, "username": username, "password": password, **more}
    return server.ask("POST", "/v1/connections", body)


def wait_for(check: Any, timeout_s: float = 15, every_s: float = 0.1) -> Any:
    """The first truthy result of `check`."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if found := check():
            return found
        time.sleep(every_s)
    raise AssertionError("it did not happen in time")
