"""Many callers at once, some of which hang up: plain HTTP over asyncio, as threads in such numbers would only wait."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.end_to_end.running import ADMIN_KEY

REFUSED, CUT, HUNG_UP = "refused", "cut", "hung up"
PATIENCE_S = 60.0


@dataclass(frozen=True, slots=True)
class Caller:
    """One request. `hang_up_after_s`: None waits for the answer."""

    port: int
    method: str
    path: str
    hang_up_after_s: float | None = None


@dataclass(slots=True)
class Callers:
    """A crowd in a thread of its own. `answers`: port → what each got, a status or one of the words above."""

    callers: Sequence[Caller]
    answers: dict[int, list[int | str]] = field(default_factory=dict)
    _thread: threading.Thread = field(default_factory=threading.Thread)

    def start(self) -> Callers:
        """Begin."""
        self._thread = threading.Thread(target=lambda: asyncio.run(self._all()), daemon=True)
        self._thread.start()
        return self

    def join(self) -> bool:
        """Wait for every answer; False where some never come."""
        self._thread.join(PATIENCE_S + 5)
        return not self._thread.is_alive()

    async def _all(self) -> None:
        got = await asyncio.gather(*(_one(each) for each in self.callers))
        for caller, answer in zip(self.callers, got, strict=True):
            self.answers.setdefault(caller.port, []).append(answer)


async def _one(caller: Caller) -> int | str:
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", caller.port)
    except OSError:
        return REFUSED
    try:
        head = f"{caller.method} {caller.path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n"
        writer.write(f"{head}Authorization: Bearer {ADMIN_KEY}\r\n\r\n".encode())
        if caller.hang_up_after_s is not None:
            await asyncio.sleep(caller.hang_up_after_s)
            return HUNG_UP
        whole = await asyncio.wait_for(reader.read(-1), PATIENCE_S)
        return int(whole.split(b" ", 2)[1]) if whole else CUT
    except (OSError, TimeoutError):
        return CUT
    finally:
        writer.transport.abort()
