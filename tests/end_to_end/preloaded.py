"""Starting servers quickly: a process that has loaded the product already, and forks.

Most of a server's start is loading modules. What is forked is a process of its own in all that tests look at: it can
be stopped, killed and waited for, and holds nothing of another. Run as a program, this is the process that forks; it
ends, with all that it forked, when its standard input does.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import json
import os
import runpy
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final, Protocol, TextIO

CHECKOUT: Final = Path(__file__).resolve().parents[2]
MODULE: Final = ("-m", "keyturn")


class Process(Protocol):
    """What tests do with a server's process, however it was started."""

    @property
    def pid(self) -> int:
        """Its number."""

    @property
    def returncode(self) -> int | None:
        """How it ended, as `subprocess` says it; None: it has not, as far as is known."""

    def poll(self) -> int | None:
        """Look whether it has ended."""

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end; subprocess.TimeoutExpired after `timeout` seconds."""

    def send_signal(self, sig: int, /) -> None:
        """Send one, if it has not ended."""

    def kill(self) -> None:
        """SIGKILL."""


@dataclass(slots=True)
class Forked:
    """A process that was forked."""

    pid: int
    ended: threading.Event = field(default_factory=threading.Event)
    returncode: int | None = None

    def poll(self) -> int | None:
        """Look whether it has ended."""
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end."""
        if not self.ended.wait(timeout):
            raise subprocess.TimeoutExpired("a forked server", timeout or 0.0)
        assert self.returncode is not None
        return self.returncode

    def send_signal(self, sig: int, /) -> None:
        """Send one, if it has not ended."""
        if self.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, sig)

    def kill(self) -> None:
        """SIGKILL."""
        self.send_signal(signal.SIGKILL)


class Preloaded:
    """The process that forks, seen from a test's."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).resolve())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(CHECKOUT / "src"), str(CHECKOUT)])},
        )
        self._asking = threading.Lock()
        self._said = threading.Condition()
        self._forked: dict[int, Forked] = {}
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self._asked = 0
        atexit.register(self._end)

    def start(
        self, words: Sequence[str], *, cwd: Path, log: Path, env: Mapping[str, str], errors: Path | None = None
    ) -> Forked:
        """Fork one.

        Args:
            words: what Python would be given, a script or `-m keyturn` first.
            cwd, env: where it is, and all of its environment.
            log: what it writes is added there; what it writes of errors as well, without `errors`.
        """
        with self._asking:
            self._asked += 1
            number = self._asked
            asked = {"id": number, "words": [*words], "cwd": str(cwd), "env": dict(env)}
            asked |= {"log": str(log), "errors": str(errors or log)}
            assert self._process.stdin is not None
            self._process.stdin.write(json.dumps(asked) + "\n")
            self._process.stdin.flush()
            with self._said:  # one line at a time: the other side could not see a second one in its buffer
                if not self._said.wait_for(lambda: number in self._forked, 120):
                    raise AssertionError("no server was forked")
                return self._forked[number]

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            said = json.loads(line)
            with self._said:
                if "pid" in said:
                    self._forked[said["id"]] = Forked(said["pid"])
                    self._said.notify_all()
                else:
                    forked = self._forked[said["id"]]
                    forked.returncode = said["status"]
                    forked.ended.set()

    def _end(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(30)
        self._reader.join(5)
        assert self._process.stdout is not None
        self._process.stdout.close()


@cache
def preloaded() -> Preloaded:
    """One for each worker, from its first server on."""
    return Preloaded()


def can_fork(command: Sequence[str], env: Mapping[str, str]) -> bool:
    """Whether it is this Python with the product or a script, and nothing that it would have to read as it begins."""
    program, first, *_ = *command, ""
    known = tuple(command[1:3]) == MODULE or first.endswith(".py")
    return program == sys.executable and known and not any(name.startswith("PYTHON") for name in env)


@dataclass(slots=True)
class _Forking:
    """The loop of the process that forks."""

    requests: TextIO
    reports: TextIO
    alive: dict[int, int] = field(default_factory=dict)  # the request's number, by process

    def run(self) -> dict[str, Any] | None:
        """Serve until the input ends; in a process that was forked: return what it is to be."""
        ended, wake = os.pipe()
        for end in (ended, wake):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(wake)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        while True:
            ready, _, _ = select.select([self.requests.fileno(), ended], [], [])
            if ended in ready:
                os.read(ended, 512)
                self._reap()
            if self.requests.fileno() in ready:
                line = self.requests.readline()
                if not line:
                    self._end_all()
                    return None
                asked: dict[str, Any] = json.loads(line)
                if (pid := os.fork()) == 0:
                    signal.set_wakeup_fd(-1)
                    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                    signal.signal(signal.SIGINT, signal.default_int_handler)
                    os.close(ended)
                    os.close(wake)
                    return asked
                self.alive[pid] = asked["id"]
                self._say({"id": asked["id"], "pid": pid})

    def _say(self, what: dict[str, Any]) -> None:
        self.reports.write(json.dumps(what) + "\n")
        self.reports.flush()

    def _reap(self) -> None:
        while self.alive:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            self._say({"id": self.alive.pop(pid), "status": os.waitstatus_to_exitcode(status)})

    def _end_all(self) -> None:
        for pid in self.alive:
            os.kill(pid, signal.SIGKILL)


def _become(asked: dict[str, Any]) -> None:
    """Be the process that was asked for."""
    added = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    for path, flags, wanted in ((os.devnull, os.O_RDONLY, 0), (asked["log"], added, 1), (asked["errors"], added, 2)):
        had = os.open(path, flags, 0o600)
        os.dup2(had, wanted)
        os.close(had)
    sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115  (for the life of the process)
    sys.stderr = open(2, "w", closefd=False, buffering=1)  # noqa: SIM115
    os.chdir(asked["cwd"])
    os.environ.clear()
    os.environ.update(asked["env"])
    words = asked["words"]
    if tuple(words[:2]) == MODULE:
        from keyturn.cli.main import main

        sys.argv = ["keyturn", *words[2:]]
        main()
    sys.argv = words
    runpy.run_path(words[0], run_name="__main__")


def _load() -> None:
    """Load what a server loads."""
    import alembic.command

    import keyturn.bootstrap.runtimes
    import keyturn.cli.commands.serve
    import keyturn.cli.main

    _ = alembic.command, keyturn


if __name__ == "__main__":
    _load()
    gc.freeze()  # what is forked need not look through all that for garbage
    if (what := _Forking(sys.stdin, sys.stdout).run()) is not None:
        _become(what)
