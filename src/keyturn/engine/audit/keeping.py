"""What happens to the audit log by itself: its head is anchored every hour and at the end, its records sent to a sink.

Rule 1: what can't be anchored or sent is tried again and said in the log; it stops nobody's work.
Rule 2: of several processes one sends at a time, and each record at least once: a sink tells doubles by their number.
Rule 3: a sink that is new gets what is written from then on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from keyturn.core.audit.checkpoint import Checkpoint, Kind
from keyturn.core.errors import KeyturnError
from keyturn.ports.audit import AnchorFile, AuditChain, AuditFilter, RecordSink
from keyturn.ports.clock import Clock
from keyturn.ports.lease import Lease

ANCHOR_EVERY_S: Final = 3600.0
SEND_EVERY_S: Final = 1.0
AGAIN_S: Final = 10.0
AT_ONCE: Final = 500
LEASE_S: Final = 60.0
SINK: Final = "syslog"
CHAIN_STARTED: Final = "audit.chain_started"  # a new key signs from here on, over records that were there before
_LEASE: Final = "audit sink"

log = structlog.get_logger("keyturn.audit")


class AuditKeeper:
    """The loops of one process."""

    def __init__(
        self,
        chain: AuditChain,
        clock: Clock,
        lease: Lease,
        *,
        anchor_file: AnchorFile | None = None,
        sink: RecordSink | None = None,
    ) -> None:
        self._chain = chain
        self._clock = clock
        self._lease = lease
        self._anchor_file = anchor_file
        self._sink = sink
        self._anchored: tuple[int, int] | None = None
        self._loops: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin what is set; needs a running event loop."""
        if self._anchor_file is not None:
            self._loops.append(asyncio.create_task(self._every(ANCHOR_EVERY_S, self.anchor), name="audit anchor"))
        if self._sink is not None:
            self._loops.append(asyncio.create_task(self._every(SEND_EVERY_S, self.send), name="audit sink"))

    async def stop(self) -> None:
        """End the loops; write down the last head, and send what is left."""
        for loop in self._loops:
            loop.cancel()
        await asyncio.gather(*self._loops, return_exceptions=True)
        self._loops = []
        for last in (self.send, self.anchor):
            await self._tried(last)
        if self._sink is not None:
            await self._sink.close()

    async def head(self) -> Checkpoint:
        """The newest record, signed."""
        bounds = await self._chain.bounds()
        return await self._chain.sign(Checkpoint(Kind.HEAD, *bounds.head, at=self._clock.now()))

    async def signing_key(self) -> tuple[bytes, float | None]:
        """The public key of the log's signatures, and since when it signs; None where nothing was recorded yet.

        Of a log that was cut off it signs at least as long as its first record is old.
        """
        head = await self.head()
        begun, _ = await self._chain.page(AuditFilter(action=CHAIN_STARTED), cursor=None, limit=1)
        first = [record.at for _, record in begun]
        if not first:
            found = await self._chain.entries((await self._chain.bounds()).start[0], limit=1)
            first = [each.record.at for each in found]
        return head.public_key, first[0] if first else None

    @property
    def anchors(self) -> bool:
        """Whether heads are written down outside the database."""
        return self._anchor_file is not None

    async def anchored(self) -> Checkpoint | None:
        """The newest head that is written down outside; None where there is none. Raises StoreUnavailable."""
        return await self._anchor_file.newest() if self._anchor_file is not None else None

    async def anchor(self) -> None:
        """Write both chains' heads down outside the database, if one moved since this process did so last."""
        if self._anchor_file is None:
            return
        head, routine = await self.head(), (await self._chain.routine_bounds()).head
        if (head.seq, routine[0]) != self._anchored:
            if routine[0]:
                said = Checkpoint(Kind.ROUTINE_HEAD, *routine, at=self._clock.now())
                await self._anchor_file.append(await self._chain.sign(said))
            await self._anchor_file.append(head)  # last: the newest line is the head that pages and commands show
            self._anchored = (head.seq, routine[0])

    async def send(self) -> None:
        """Send what the sink has not got; nothing where another process is sending."""
        if self._sink is None:
            return
        token = await self._lease.acquire(_LEASE, for_s=LEASE_S)
        if token is None:
            return
        try:
            await self._send_all(self._sink, token)
        finally:
            await self._lease.release(_LEASE, token)

    async def _send_all(self, sink: RecordSink, token: str) -> None:
        sent = await self._chain.sent(SINK)
        if sent is None:
            sent = max((await self._chain.bounds()).head[0], (await self._chain.routine_bounds()).head[0])
            await self._chain.note_sent(SINK, sent, at=self._clock.now())
        while entries := await self._chain.both(sent, limit=AT_ONCE):
            await sink.send(entries)
            sent = entries[-1].seq
            await self._chain.note_sent(SINK, sent, at=self._clock.now())
            if not await self._lease.extend(_LEASE, token, for_s=LEASE_S):
                return

    async def _every(self, seconds: float, work: Callable[[], Awaitable[None]]) -> None:
        while True:
            done = await self._tried(work)
            await self._clock.sleep(seconds if done else max(seconds, AGAIN_S))

    async def _tried(self, work: Callable[[], Awaitable[None]]) -> bool:
        try:
            await work()
        except KeyturnError as error:
            log.warning("audit_work_failed", work=work.__name__, code=error.code, detail=error.detail)
        except Exception:
            log.exception("audit_work_crashed", work=work.__name__)
        else:
            return True
        return False
