#!/usr/bin/env python3
# ruff: noqa
# Kept as it came, so that figures stay comparable; see README.md for its origin.
"""Start the bench's upstream (an nginx with fixed answers), and nginx baselines in front of it.

By hand:   python upstream/serve.py --port 9401        (Ctrl-C or SIGTERM stops it)
In code:   with Nginx.upstream(9401) as up, Nginx.proxy(9402, 9401) as base: ...

Paths: /1k (1,024 bytes of JSON), /100k (102,400 bytes), /10m (10,485,760 bytes); the same under /auth/
for requests with `Authorization: Bearer ...` only (401 otherwise); POST /sink; POST /oauth/token.
No root needed.
"""

from __future__ import annotations

import argparse
import getpass
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
BYTES = {"1k": 1024, "100k": 100 * 1024, "10m": 10 * 1024 * 1024}


def nginx_binary() -> str:
    path = os.environ.get("KEYTURN_BENCH_NGINX") or shutil.which("nginx")
    if not path:
        for cand in ("/usr/sbin/nginx", "/usr/local/sbin/nginx", "/usr/local/nginx/sbin/nginx"):
            if os.access(cand, os.X_OK):
                path = cand
    if not path:
        raise SystemExit(
            "nginx not found. Install it (Debian: `apt-get update && apt-get install --no-install-recommends nginx`;"
            " the service need not run), put it on PATH, or set KEYTURN_BENCH_NGINX to the binary."
        )
    return path


def json_1k() -> str:
    doc = {"id": "bench", "ok": True, "pad": ""}
    doc["pad"] = "x" * (1024 - len(json.dumps(doc, separators=(",", ":"))))
    body = json.dumps(doc, separators=(",", ":"))
    assert len(body) == 1024
    return body


def port_open(port: int) -> bool:
    with socket.socket() as s:
        s.settimeout(0.5)
        return s.connect_ex(("127.0.0.1", port)) == 0


def wait_port(port: int, proc: subprocess.Popen | None = None, seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if port_open(port):
            return
        if proc is not None and proc.poll() is not None:
            raise RuntimeError(f"process {proc.args!r} ended with {proc.returncode} before listening on {port}")
        time.sleep(0.05)
    raise RuntimeError(f"nothing listens on port {port}")


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def _state(port: int) -> Path:
    return Path(tempfile.gettempdir()) / f"keyturn-bench-upstream-{port}.json"


class Nginx:
    """One nginx (master and one worker) that this process owns (or, by attach(), only looks at)."""

    state: Path | None = None
    attached_pid: int | None = None

    def __init__(self, template: str, fields: dict[str, str], port: int):
        self.port = port
        self.dir = Path(tempfile.mkdtemp(prefix="keyturn-bench-nginx-"))
        fields = dict(
            fields, PORT=str(port), DIR=str(self.dir), USER=f"user {getpass.getuser()};" if os.geteuid() == 0 else ""
        )
        text = (HERE / template).read_text()
        for key, value in fields.items():
            text = text.replace(f"@{key}@", value)
        self.conf = self.dir / "nginx.conf"
        self.conf.write_text(text)
        if port_open(port):
            raise RuntimeError(f"port {port} is already in use")
        for size in ("100k", "10m"):
            if template.startswith("upstream"):
                (self.dir / f"{size}.bin").write_bytes(b"0123456789abcde\n" * (BYTES[size] // 16))
        self.proc = subprocess.Popen(
            [nginx_binary(), "-c", str(self.conf), "-p", str(self.dir), "-e", str(self.dir / "start.log")],
            stdin=subprocess.DEVNULL,
        )
        wait_port(port, self.proc)

    @classmethod
    def upstream(cls, port: int) -> "Nginx":
        up = cls("upstream.conf.in", {"JSON1K": json_1k()}, port)
        up.state = _state(port)
        up.state.write_text(json.dumps({"pid": up.pid, "dir": str(up.dir)}))
        return up

    @classmethod
    def attach(cls, port: int) -> "Nginx | None":
        """The upstream that another serve.py runs on this port, to read its pid and error count."""
        try:
            doc = json.loads(_state(port).read_text())
            os.kill(doc["pid"], 0)
        except (OSError, ValueError, KeyError):
            return None
        self = cls.__new__(cls)
        self.port, self.dir, self.proc, self.attached_pid = port, Path(doc["dir"]), None, doc["pid"]
        return self

    @classmethod
    def proxy(
        cls, port: int, upstream: int, auth_port: int | None = None, cached: bool = False, name: str = "baseline"
    ) -> "Nginx":
        """Plain pass-through; with auth_port, auth_request to that port's /forward-auth, whose answer's
        Authorization header is put on the upstream request (cached: that answer is kept 10 s per caller key)."""
        guard = cache = ""
        if auth_port:
            guard = (
                "auth_request /_auth; auth_request_set $tok $upstream_http_authorization; "
                "proxy_set_header Authorization $tok;"
            )
            if cached:
                cache = (
                    'proxy_cache auth; proxy_cache_key "$http_x_api_key"; proxy_cache_valid 200 10s; '
                    "proxy_cache_lock on; proxy_cache_use_stale updating; proxy_cache_background_update on;"
                )
        return cls(
            "nginx.conf.in",
            {
                "NAME": name,
                "UPSTREAM": str(upstream),
                "AUTHPORT": str(auth_port or upstream),
                "GUARD": guard,
                "CACHE": cache,
            },
            port,
        )

    @property
    def pid(self) -> int:
        return self.proc.pid if self.proc else self.attached_pid

    def failures(self) -> int:
        log = self.dir / "upstream-fail.log"
        return log.read_bytes().count(b"\n") if log.exists() else 0

    def stop(self) -> None:
        if self.proc is None:
            return
        if self.state:
            self.state.unlink(missing_ok=True)
        if self.proc.poll() is None:
            self.proc.send_signal(signal.SIGTERM)
            try:
                self.proc.wait(10)
            except subprocess.TimeoutExpired:
                self.proc.kill()
                self.proc.wait()
        shutil.rmtree(self.dir, ignore_errors=True)

    def __enter__(self) -> "Nginx":
        return self

    def __exit__(self, *exc) -> None:
        self.stop()


def main() -> int:
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--port", type=int, default=9401)
    args = ap.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with Nginx.upstream(args.port) as up:
        print(json.dumps({"upstream": f"http://127.0.0.1:{args.port}", "pid": up.pid}), flush=True)
        try:
            return up.proc.wait()
        except KeyboardInterrupt:
            return 0


if __name__ == "__main__":
    raise SystemExit(main())
