"""The system's name lookup, in threads of its own.

Rule 1: a lookup that hangs costs one thread of this file's few, never one of the event loop's common pool.
Rule 2: the threads are daemons: a lookup that hangs does not hold up the end of the process.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Sequence
from contextlib import suppress

MAX_LOOKUPS = 32


class SystemResolver:
    """Asks `getaddrinfo`, so hosts file, search domains and address order are those of the machine.

    At most `max_lookups` run at once; further ones wait their turn, as long as their caller does.
    """

    def __init__(self, max_lookups: int = MAX_LOOKUPS) -> None:
        self._turns = asyncio.Semaphore(max_lookups)

    async def resolve(self, host: str) -> Sequence[str]:
        """The host's addresses in the order in which to try them. Raises OSError where the lookup fails."""
        await self._turns.acquire()
        loop = asyncio.get_running_loop()
        found: asyncio.Future[list[str]] = loop.create_future()

        def settle(addresses: list[str] | None, error: OSError | None) -> None:
            self._turns.release()  # only now: a caller that gave up has not freed the thread
            if found.done():
                return
            if error is not None:
                found.set_exception(error)
            else:
                found.set_result(addresses or [])

        def look_up() -> None:
            outcome: tuple[list[str] | None, OSError | None]
            try:
                outcome = _addresses(host), None
            except OSError as error:
                outcome = None, error
            except ValueError:  # a label that the machine's own encoding refuses
                outcome = None, OSError("not a name")
            with suppress(RuntimeError):  # the loop ended meanwhile
                loop.call_soon_threadsafe(settle, *outcome)

        try:
            threading.Thread(target=look_up, name="keyturn-lookup", daemon=True).start()
        except RuntimeError:
            self._turns.release()
            raise OSError("no thread to look it up with") from None
        return await found


def _addresses(host: str) -> list[str]:
    infos = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    return list(dict.fromkeys(str(info[4][0]) for info in infos))
