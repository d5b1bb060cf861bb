"""What holds abuse back, in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from keyturn.core.access.spraying import LIMITS, Verdict, Watched, judge
from keyturn.core.audit_record import AuditRecord
from keyturn.ports.access.abuse import Held, LoginEnd, Slot, Source
from tests.fakes.database import FakeDatabase

_UNDER_WAY_S = 60.0
_LONGEST_S = 900.0


@dataclass(frozen=True)
class _End:
    at: float
    how: LoginEnd | None = None


class FakeLoginWatch:
    """Promises: `tests/contracts/abuse_contract.py`."""

    def __init__(self, database: FakeDatabase) -> None:
        self._database = database
        self._ends: dict[tuple[str, str], _End] = {}
        self._told: dict[str, float] = {}

    async def source_key(self, connector: str, kind: Watched, value: str, *, project: str = "default") -> str:
        """Name it."""
        return f"hash of {(project, connector, kind.value, value)!r}"

    async def admit(self, sources: Sequence[Source], account: str, *, now: float) -> Held | bool:
        """Book a login."""
        await self._database.write("login_watch.admit")
        waits = False
        for source in sources:
            limit = LIMITS[source.kind]
            own = [end for (key, _), end in self._ends.items() if key == source.key and end.at > now - limit.per_s]
            refused = sorted(each.at for each in own if each.how is LoginEnd.REFUSED)
            passed = sum(each.how is LoginEnd.PASSED for each in own)
            under_way = sum(each.how is None and each.at + _UNDER_WAY_S >= now for each in own)
            verdict = judge(limit, refused=len(refused), under_way=under_way, passed=passed)
            if verdict is Verdict.HOLD:
                begins = self._told.get(source.key, float("-inf")) <= now - limit.per_s
                if begins:
                    self._told[source.key] = now
                wait = min(refused[-limit.accounts] + limit.per_s - now, limit.per_s)
                return Held(source.kind, wait, len(refused), begins)
            waits = waits or verdict is Verdict.WAIT
        if waits:
            return False
        for source in sources:
            earlier = self._ends.get((source.key, account))
            if earlier is None or earlier.how is None or earlier.at + _LONGEST_S <= now:
                self._ends[source.key, account] = _End(now)
        return True

    async def end(self, sources: Sequence[Source], account: str, how: LoginEnd, *, now: float) -> None:
        """Say how it ended."""
        await self._database.write("login_watch.end")
        for source in sources:
            if how is not LoginEnd.NEITHER:
                self._ends[source.key, account] = _End(now, how)
            elif (found := self._ends.get((source.key, account))) is not None and found.how is None:
                del self._ends[source.key, account]

    async def purge(self, *, now: float) -> int:
        """Take away what counts no more."""
        await self._database.write("login_watch.purge")
        old = [name for name, end in self._ends.items() if end.at + _LONGEST_S <= now]
        for name in old:
            del self._ends[name]
        return len(old)


class FakeLoginStops:
    """Promises: `tests/contracts/abuse_contract.py`."""

    def __init__(self, database: FakeDatabase) -> None:
        self._database = database
        self._stopped: dict[tuple[str, str], float] = {}

    async def stopped_since(self, connector: str, *, project: str = "default") -> float | None:
        """Say since when."""
        await self._database.read()
        return self._stopped.get((project, connector))

    async def all(self, *, project: str = "default") -> Mapping[str, float]:
        """All of them."""
        await self._database.read()
        return {connector: at for (of, connector), at in self._stopped.items() if of == project}

    async def stop(
        self, connector: str, *, at: float, by: str, records: Sequence[AuditRecord] = (), project: str = "default"
    ) -> float:
        """Stop them."""
        await self._database.write("login_stops.stop")
        if (project, connector) not in self._stopped:
            self._stopped[project, connector] = at
            self._database.log(records)
        return self._stopped[project, connector]

    async def start(self, connector: str, *, records: Sequence[AuditRecord] = (), project: str = "default") -> None:
        """Let them be sent again."""
        await self._database.write("login_stops.start")
        if self._stopped.pop((project, connector), None) is not None:
            self._database.log(records)


class FakeRateCounts:
    """Promises: `tests/contracts/abuse_contract.py`."""

    def __init__(self, database: FakeDatabase) -> None:
        self._database = database
        self._sums: dict[Slot, int] = {}
        self._keep: dict[Slot, int] = {}

    async def exchange(
        self, counted: Mapping[Slot, int], asked: Sequence[Slot], *, keep_until: int
    ) -> Mapping[Slot, int]:
        """Add, and read the sums."""
        if counted:
            await self._database.write("rate_counts.exchange")
        else:
            await self._database.read()
        for slot, number in counted.items():
            self._sums[slot] = self._sums.get(slot, 0) + number
            self._keep[slot] = keep_until
        return {slot: self._sums.get(slot, 0) for slot in asked}

    async def purge(self, *, now: float) -> int:
        """Take away windows that count no more."""
        await self._database.write("rate_counts.purge")
        old = [slot for slot, until in self._keep.items() if until < now]
        for slot in old:
            del self._sums[slot], self._keep[slot]
        return len(old)
