"""Start a peer for a test and stop it again: `with running_peer("authlib") as peer: ...`.

The scripts beside this file do the work. What is added here: a free port that no parallel worker uses at the same
time, files inside the checkout, and settings that come from the test alone.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from pathlib import Path

HERE = Path(__file__).resolve().parent
CHECKOUT = HERE.parents[1]
QUICK_NAMES = ("authlib", "django-oauth-toolkit")  # installed in seconds: part of `make test`
NAMES = (*QUICK_NAMES, "node-oauth2-server", "synapse", "directus")
SETTINGS = frozenset({
    "ACCESS_TTL", "REFRESH_TTL", "ROTATE", "BASIC_ONLY", "GRACE", "REUSE_PROTECTION", "KEEP_OLD_ACCESS", "PUBLIC",
    "RATE_LIMIT", "LOGIN_STALL_TIME",
})  # fmt: skip
FIRST_START_S = 1200  # an install from a cold cache on a busy machine; Directus compiles two modules
PORTS_TRIED = 5


@dataclass(frozen=True, slots=True)
class Peer:
    """A running peer: the line of JSON that start.sh prints. What a peer has not is None."""

    name: str
    base_url: str
    token_url: str
    refresh_url: str | None
    revoke_url: str | None
    me_url: str | None
    client_id: str | None
    client_secret: str | None = field(repr=False)
    username: str
    password: str = field(repr=False)
    second_username: str | None
    second_password: str | None = field(repr=False)
    scope: str | None
    pid: int
    notes: str | None = field(repr=False)  # it names further clients and their secrets


class PeerNotStartedError(Exception):
    """A peer did not start; the message ends with what its script said."""


@contextlib.contextmanager
def running_peer(name: str, *, port: int | None = None, **env: str) -> Iterator[Peer]:
    """Start the peer `name` with empty data, give it, and stop it in any case.

    Args:
        name: one of NAMES.
        port: of 127.0.0.1; None picks a free one.
        env: settings as start.sh of the peer lists them, such as `ACCESS_TTL="5"`. Those of the surrounding
            environment do not count; `PEERS_HOME` there does, and is `.cache/peers` in the checkout by default.

    Raises:
        PeerNotStartedError: the install failed, the port is in use, or the server did not answer in time.
    """
    if name not in NAMES:
        raise ValueError(f"no such peer; there are {', '.join(NAMES)}")
    surroundings = _environment(env)
    home = Path(surroundings["PEERS_HOME"])
    with contextlib.ExitStack() as stack:
        for left in reversed(range(PORTS_TRIED if port is None else 1)):
            reserved = stack.enter_context(reserve_port(home, port))
            started = _start(name, reserved, surroundings)
            if started.returncode == 0:
                stack.callback(_run, name, "stop.sh", reserved, surroundings)
                break
            # Between our look and its start another program may have taken the port: that alone is tried again.
            if not left or "is taken by another program" not in started.stderr:
                raise PeerNotStartedError(f"{name} on port {reserved}: {started.stderr.strip()[-2000:]}")
        found = json.loads(started.stdout)
        yield Peer(**{one.name: found[one.name] for one in fields(Peer)})


@contextlib.contextmanager
def reserve_port(home: Path, port: int | None = None) -> Iterator[int]:
    """Give a free port of 127.0.0.1 that no other process with the same `home` is given until the end.

    A bare "bind to 0, close, use the number" can give two parallel workers one number, and start.sh, which answers
    to a second start with the first one's line, would let them share a server that either may stop.

    Raises:
        PeerNotStartedError: `port` is reserved by someone else.
    """
    folder = home / "ports"
    folder.mkdir(parents=True, exist_ok=True)
    while True:
        number = _free_port() if port is None else port
        with (folder / f"{number}.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if port is not None:
                    raise PeerNotStartedError(f"port {port} is in use by another test") from None
                continue
            yield number
            return


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        number: int = sock.getsockname()[1]
        return number


def _environment(env: dict[str, str]) -> dict[str, str]:
    inherited = {key: value for key, value in os.environ.items() if key not in SETTINGS}
    inherited.setdefault("PEERS_HOME", str(CHECKOUT / ".cache" / "peers"))
    inherited.setdefault("PEERS_PYTHON", sys.executable)
    return inherited | env


def _start(name: str, port: int, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    try:
        started = _run(name, "start.sh", port, env)
    except BaseException:  # a timeout or Ctrl-C in the middle must not leave a server behind
        _run(name, "stop.sh", port, env)
        raise
    if "already running on port" in started.stderr:
        # Someone started it by hand: it is not ours to use, nor to stop.
        raise PeerNotStartedError(f"{name} runs on port {port} already")
    return started


def _run(name: str, script: str, port: int, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [str(HERE / name / script), str(port)]
    return subprocess.run(
        command, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=FIRST_START_S, check=False
    )
