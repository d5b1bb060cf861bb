"""Strike one system call of a running process, from outside it: strace attaches, counts, and kills or refuses.

Rule 1: strace counts the calls of each thread separately. `Trace.struck_number` counts those of the whole process, so
that a point whose calls were made by two threads is noticed and made again.
Rule 2: the main thread is left alone. It writes to sockets and to the log; the data directory is written by the
others.
Rule 3: a killed process dies before the call, and a refused call is not executed either: strace skips it.

Source: strace(1), "Tampering".
"""

from __future__ import annotations

import os
import re
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

# Kind of call → its system calls; which of them exists depends on the machine.
KINDS: Final = {
    "pwrite": "pwrite64",
    "datasync": "fdatasync",
    "write": "write",
    "sync": "fsync",
    "rename": "?rename,?renameat,?renameat2",
    "link": "?link,?linkat",
    "unlink": "?unlink,?unlinkat",
    "truncate": "ftruncate",
}
ATTACHES_WITHIN_S: Final = 15.0
_LINE: Final = re.compile(r"(?P<thread>\d+) +(?P<call>\w+)\(")
_INJECTED: Final = "(INJECTED)"
_NO_FILE: Final = ("<anon_inode:", "<socket:", "<pipe:", "</dev/")


@dataclass(frozen=True, slots=True)
class Blow:
    """What happens to a struck call. `refused_s`: seconds for which all later calls of its kind are refused too."""

    name: str
    how: str
    refused_s: float = 0.0

    @property
    def kills(self) -> bool:
        """True if the process dies of it."""
        return self.how == "signal=KILL"


KILLED: Final = Blow("killed", "signal=KILL")
BLOWS: Final = (
    KILLED,
    Blow("EIO once", "error=EIO"),
    Blow("ENOSPC once", "error=ENOSPC"),
    Blow("EIO for 3 s", "error=EIO", 3.0),
    Blow("ENOSPC for 3 s", "error=ENOSPC", 3.0),
)


@dataclass(slots=True)
class Trace:
    """The calls that strace saw, one line each; complete once the context has ended."""

    log: Path
    kind: str | None = None
    number: int = 0
    kills: bool = False
    lines: list[str] = field(default_factory=list)

    def read(self) -> None:
        """Read the lines that are there by now."""
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        self.lines = [each for each in lines if not any(word in each for word in _NO_FILE)]

    @property
    def killed(self) -> bool:
        """True if the process was killed; strace may be gone before it can report that, but the call is written."""
        return self.kills and bool(self.struck_number)

    @property
    def struck(self) -> str:
        """The first call that was struck; empty if there was none."""
        return self._calls()[self.struck_number - 1][1] if self.struck_number else ""

    @property
    def struck_number(self) -> int:
        """The number of the struck call among all calls of its kind in the process, from 1; 0 if there was none."""
        of_thread: dict[str, int] = {}
        for number, (thread, line) in enumerate(self._calls(), 1):
            of_thread[thread] = of_thread.get(thread, 0) + 1
            if (self.kills and of_thread[thread] == self.number) or (not self.kills and _INJECTED in line):
                return number
        return 0

    def made(self, kind: str) -> int:
        """Return the number of calls of this kind."""
        return len(self._calls(kind))

    def _calls(self, kind: str | None = None) -> list[tuple[str, str]]:
        """Return thread and line of each call of a kind, in the order of the calls."""
        names = set(KINDS[kind or self.kind or "pwrite"].replace("?", "").split(","))
        found = [(_LINE.match(each), each) for each in self.lines]
        return [(match["thread"], line) for match, line in found if match is not None and match["call"] in names]


def strace() -> str:
    """Return the path of strace.

    Raises:
        AssertionError: it is not installed; the message says what to do.
    """
    found = shutil.which("strace")
    assert found, "these tests need strace: `make test-faults` installs it as root (Debian: apt-get install strace)"
    return found


def threads_of(pid: int) -> list[int]:
    """Return the threads of a process without its main thread, oldest first."""
    return sorted(int(each) for each in os.listdir(f"/proc/{pid}/task") if int(each) != pid)


@contextmanager
def traced(
    pid: int, log: Path, *, kind: str | None = None, number: int = 0, blow: Blow | None = None
) -> Iterator[Trace]:
    """Trace the calls of a process that change files, and strike one of them.

    Args:
        pid: the process; its main thread is left alone.
        log: the file for the trace; it is replaced.
        kind: the kind of call to strike, a key of `KINDS`; None strikes nothing.
        number: which call of this kind, from 1.
        blow: what happens to it.

    Raises:
        AssertionError: strace is not installed, or the system does not let it attach.
    """
    log.unlink(missing_ok=True)
    threads = threads_of(pid)
    command = [strace(), "-y", "-s", "0", "-o", str(log), "-e", f"trace={','.join(KINDS.values())}"]
    command += ["-e", "signal=none"]
    if kind == "write":  # the loop is woken by a write too; what names a path and no descriptor would be left out
        command += ["-e", f"trace-fds=!{','.join(str(each) for each in _no_files(pid))}"]
    if kind is not None and blow is not None:
        when = f"{number}+" if blow.refused_s else str(number)
        command += ["-e", f"inject={KINDS[kind]}:{blow.how}:when={when}"]
    for each in threads:
        command += ["-p", str(each)]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    trace = Trace(log, kind, number, blow is not None and blow.kills)
    try:
        _wait_until_attached(process, len(threads))
        yield trace
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)  # strace detaches
        process.wait(10)
        assert process.stderr is not None
        process.stderr.close()
        trace.read()


def _no_files(pid: int) -> list[int]:
    """Return the descriptors that are no files of a disk: they are not what is struck."""
    found = []
    for each in os.listdir(f"/proc/{pid}/fd"):
        try:
            path = os.readlink(f"/proc/{pid}/fd/{each}")
        except FileNotFoundError:
            continue
        if path.startswith(("socket:", "pipe:", "anon_inode:", "/dev/")) or int(each) <= 2:
            found.append(int(each))
    return sorted(found)


def _wait_until_attached(process: subprocess.Popen[bytes], threads: int) -> None:
    assert process.stderr is not None
    said, deadline = b"", time.monotonic() + ATTACHES_WITHIN_S
    while said.count(b" attached") < threads:
        left_s = deadline - time.monotonic()
        ready = select.select([process.stderr], [], [], max(0.0, left_s))[0]
        piece = os.read(process.stderr.fileno(), 65_536) if ready else b""
        said += piece
        assert piece, f"strace can't attach to the server; it needs root, or a system that permits ptrace: {said!r}"
