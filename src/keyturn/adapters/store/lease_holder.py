"""Who holds a lease, and whether that process still lives.

A holder is named by boot, process-id namespace, process id and start time, so that a process id which was given to
another process, or which means another process in another container, is not taken for the holder's.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_PROC: Final = Path("/proc")
_START_FIELD: Final = 19  # "starttime" is the 22nd field of proc(5)'s stat; the first after the name is the third
_GONE: Final = frozenset("ZXx")  # a zombie holds nothing any more


@dataclass(frozen=True, slots=True)
class Holder:
    """One process. Parts that this system doesn't tell are empty; then only time ends its leases."""

    boot_id: str
    namespace: str
    pid: int
    started: str

    def __str__(self) -> str:
        return f"{self.boot_id}/{self.namespace}/{self.pid}/{self.started}"

    @classmethod
    def parse(cls, text: str) -> Holder:
        """Read what `str` wrote."""
        boot_id, namespace, pid, started = text.split("/")
        return cls(boot_id, namespace, int(pid), started)


class Host:
    """What this process knows of itself and of the others on its machine."""

    def __init__(self) -> None:
        self.holder = Holder(_read_boot_id(), _read_namespace(), os.getpid(), _started(os.getpid()) or "")

    def monotonic(self) -> float:
        """Seconds since the boot, its sleep included where the system counts that; the same in all processes."""
        clock = getattr(time, "CLOCK_BOOTTIME", None)
        return time.monotonic() if clock is None else time.clock_gettime(clock)

    def is_dead(self, other: Holder) -> bool:
        """Whether a holder is known to live no more; False where that can't be known."""
        if not other.boot_id or other.boot_id != self.holder.boot_id:
            return other.boot_id != self.holder.boot_id
        if other.namespace != self.holder.namespace or not other.started:
            return False
        return _started(other.pid) != other.started


def _read_boot_id() -> str:
    try:
        return (_PROC / "sys/kernel/random/boot_id").read_text("ascii").strip()
    except (OSError, ValueError):
        return ""


def _read_namespace() -> str:
    try:
        return (_PROC / "self/ns/pid").readlink().name
    except OSError:
        return ""


def _started(pid: int) -> str | None:
    """When a process started, in ticks since the boot; None where none lives under this id."""
    try:
        # The name, in parentheses, may hold anything, parentheses too.
        fields = (_PROC / str(pid) / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in _GONE else fields[_START_FIELD]
