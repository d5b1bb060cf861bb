"""A mount namespace for one test: small disks and other files of the kernel, seen by the servers that enter it alone.

Nothing of the machine is changed, and all of it is gone with the test. It needs root, or user namespaces. What is
mounted in it is read from outside below `/proc/PID/root`.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.end_to_end.running import Server

_AS_ROOT = () if os.geteuid() == 0 else ("--map-root-user",)
_ENTER_AS_ROOT = () if os.geteuid() == 0 else ("--user", "--preserve-credentials")


@dataclass(slots=True)
class World:
    """A namespace, as long as `holder` lives."""

    holder: subprocess.Popen[bytes]

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command in it."""
        whole = [*self.enter, *command]
        return subprocess.run(whole, capture_output=True, text=True, timeout=60, check=True)

    @property
    def enter(self) -> tuple[str, ...]:
        """What a command begins with that is to run in it."""
        return ("nsenter", "--target", str(self.holder.pid), "--mount", *_ENTER_AS_ROOT)

    def seen(self, path: Path) -> Path:
        """Where a path of it is reached from outside."""
        return Path(f"/proc/{self.holder.pid}/root") / path.relative_to("/")

    def disk(self, at: Path, mebibytes: int) -> None:
        """Mount an empty disk of this size."""
        at.mkdir(parents=True, exist_ok=True)
        self.run("mount", "-t", "tmpfs", "-o", f"size={mebibytes}m,mode=0700", "tmpfs", str(at))

    def server(self, data: Path, log: Path, **more: object) -> Server:
        """A server in it."""
        command = (*self.enter, sys.executable, "-m", "keyturn", "serve")
        return Server(data, log, command=command, **more)  # type: ignore[arg-type]


@contextlib.contextmanager
def world() -> Iterator[World]:
    """A namespace of one test."""
    held = subprocess.Popen(
        ["unshare", *_AS_ROOT, "--mount", "--propagation", "private", "sh", "-c", "echo here; read _"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert held.stdin is not None
    assert held.stdout is not None
    try:
        assert b"here\n" == held.stdout.readline()
        yield World(held)
    finally:
        held.stdin.close()
        held.stdout.close()
        held.wait(10)


def fill(folder: Path) -> Path:
    """Leave no byte free on the disk that a folder is on; gives the file that takes the room."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"\0" * 65_536)
    with filler.open("ab", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"\0")
    return filler
