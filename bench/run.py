"""Measure the proxy's cost in CPU per call, as a ratio to nginx passing the same request through.

Starts the upstream and keyturn, connects an account, loads both in turn, and prints a table. Rule: ratios of one run
are compared, never times of two.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
CHECKOUT = HERE.parent
sys.path.insert(0, str(HERE / "upstream"))

from serve import Nginx, free_port  # noqa: E402

SIZES = ("1k", "100k")
HEADERS = ("Accept: application/json", "Accept-Encoding: gzip", "User-Agent: bench/1")
CONNECTOR = """
keyturn: 1
connector: bench
title: Bench
trust: {{reason: first_party, note: The upstream of the bench.}}
insecure_http: true
private_network: true
client: {{authentication: none}}
token: {{url: "http://127.0.0.1:{port}/oauth/token"}}
test: {{url: "http://127.0.0.1:{port}/auth/1k"}}
allowed_urls: ["http://127.0.0.1:{port}/"]
unique_id: "{{{{ test.id }}}}"
"""


@dataclass(frozen=True, slots=True)
class Running:
    """A keyturn that serves, and its key."""

    port: int
    pid: int
    key: str

    def ask(self, method: str, path: str, body: str | dict[str, Any]) -> Any:
        """One request to its control plane; ends the run where it is refused."""
        text = body if isinstance(body, str) else json.dumps(body)
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        headers = {
            "Authorization": f"Bearer {self.key}",
            "Content-Type": "application/yaml" if isinstance(body, str) else "application/json",
        }
        connection.request(method, path, text.encode(), headers)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        if answer.status >= 300:
            raise SystemExit(f"{method} {path}: {answer.status} {content.decode(errors='replace')[:500]}")
        return json.loads(content) if content else None


@contextmanager
def keyturn(folder: Path, **settings: str) -> Iterator[Running]:
    """Serve with an empty data directory and these settings, until the block ends."""
    port, key = free_port(), secrets.token_urlsafe(32)
    environment = {k: v for k, v in os.environ.items() if not k.startswith("KEYTURN_")} | {
        "KEYTURN_ADMIN_API_KEY": key,
        "KEYTURN_EGRESS_ALLOW": "127.0.0.0/8",
        "KEYTURN_INSECURE_HTTP": "1",
        "KEYTURN_LOG_LEVEL": "warning",
        **settings,
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "keyturn", "serve", "--data", str(folder / "data"), "--listen", f"127.0.0.1:{port}"],
        env=environment,
        cwd=CHECKOUT,
    )
    try:
        _wait_until_ready(port, process)
        yield Running(port, process.pid, key)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def _wait_until_ready(port: int, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 30
    while time.monotonic() < end and process.poll() is None:
        with suppress(OSError):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/readyz")
            if connection.getresponse().status == 200:
                return
        time.sleep(0.1)
    raise SystemExit("keyturn did not start")


def connect(running: Running, upstream_port: int) -> str:
    """Publish the bench's connector and connect an account; returns the connection's id."""
    running.ask("PUT", "/v1/connectors/bench", CONNECTOR.format(port=upstream_port))
    running.ask("POST", "/v1/connectors/bench/publish", {})
    login = {"connector": "bench", "owner": "bench", "fields": {}, "username": "bench", "password": "bench"}
    made = running.ask("POST", "/v1/connections", login)
    connection_id: str = made["id"]
    return connection_id


def measure(running: Running, connection_id: str, size: str, upstream_port: int, args: argparse.Namespace) -> Any:
    """One size, in rounds that alternate with nginx."""
    command = [
        sys.executable,
        str(HERE / "proxy_cpu.py"),
        *("--target", f"http://127.0.0.1:{running.port}/v1/proxy/{connection_id}/auth/{{size}}"),
        *("--target-pid", str(running.pid), "--upstream-port", str(upstream_port)),
        *("--size", size, "--rounds", str(args.rounds), "--seconds", str(args.seconds)),
        *(part for header in (f"Keyturn-Key: {running.key}", *HEADERS) for part in ("--header", header)),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == 2 or not done.stdout:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout)


def main() -> int:
    """Measure and print; 1 where a ratio is above `--max-ratio` or a call failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--max-ratio", type=float, help="fail where the median for 1k is above this")
    args = parser.parse_args()
    upstream_port, failed = free_port(), False
    with tempfile.TemporaryDirectory() as folder, Nginx.upstream(upstream_port), keyturn(Path(folder)) as running:
        connection_id = connect(running, upstream_port)
        print("| answer | x nginx, median (min..max) | CPU us/call | nginx | p50 ms | p99 ms | errors | other cores |")
        print("|---|---|---|---|---|---|---|---|")
        for size in SIZES:
            found = measure(running, connection_id, size, upstream_port, args)
            ratio, target, base = found["ratio"], found["target"], found["baseline"]
            print(
                f"| {size} | {ratio['median']} ({ratio['min']}..{ratio['max']}) | {target['cpu_us_per_request']} "
                f"| {base['cpu_us_per_request']} | {target['p50_ms']} | {target['p99_ms']} | {target['errors']} "
                f"| {max(target['other_cores'] or 0, base['other_cores'] or 0)} |",
                flush=True,
            )
            failed |= target["errors"] > 0
            failed |= size == "1k" and args.max_ratio is not None and ratio["median"] > args.max_ratio
    return int(failed)


if __name__ == "__main__":
    raise SystemExit(main())
