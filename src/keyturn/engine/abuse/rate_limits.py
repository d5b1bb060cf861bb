"""How many requests each caller may make: counted in memory, and once a second with what other processes counted.

Rule 1: a request costs no question to the database; what is not limited costs a look into an empty table.
Rule 2: the bound: in any window all processes together let through what the quota says, and besides at most what
arrives at the others in the second (or, while the database is gone, in the time) between two exchanges. A caller that
was quiet here for a while is not asked after until it comes again: then that second is counted from its first request.
Rule 3: what can't be exchanged is counted here and exchanged later; nobody is refused for want of a database.

Source: the product's rules for limits; the threat model, D1.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from keyturn.core.access.rates import Counted, Rate, left, wait_s
from keyturn.ports.access.abuse import RateCounts, Slot
from keyturn.ports.clock import Clock

API: Final = "api"
PROXY: Final = "proxy"
CONNECTION: Final = "connection"
TOKEN: Final = "token"  # noqa: S105
SIGN_IN: Final = "signin"
POLICIES: Final = (API, PROXY, CONNECTION, TOKEN, SIGN_IN)
KEPT: Final = 100_000
PURGED_EVERY_S: Final = 300.0
ASKED_FOR_S: Final = 10.0  # after a caller's last request here


@dataclass(frozen=True, slots=True)
class Standing:
    """How a caller stands with a policy after this request.

    `left`: requests. `resets_in_s`: when the window that runs is over. `wait_s`: 0 where the request may go on.
    """

    rate: Rate
    left: int
    resets_in_s: float
    wait_s: float = 0.0


@dataclass(slots=True)
class _Count:
    """One bucket: two windows, and what of the one that runs was not exchanged yet."""

    begins_at: int
    window_s: int
    current: int = 0  # all processes, as far as known
    previous: int = 0
    fresh: int = 0  # counted here since the last exchange
    fresh_before: int = 0  # the same, of the window before
    came_at: float = 0.0

    @property
    def before(self) -> int:
        """When the window before began."""
        return self.begins_at - self.window_s


class RateLimits:
    """Counts by policy and subject."""

    def __init__(self, rates: Iterable[Rate], store: RateCounts, clock: Clock) -> None:
        self._rates = {each.name: each for each in rates}
        self._store = store
        self._clock = clock
        self._counts: OrderedDict[tuple[str, str], _Count] = OrderedDict()
        self._purged_at = clock.now()

    def take(self, policy: str, subject: str) -> Standing | None:
        """Count one request; None where the policy has no limit.

        `subject`: who is counted: a key's or connection's id, an address. One that is refused is not counted.
        """
        rate = self._rates.get(policy)
        if rate is None:
            return None
        now = self._clock.now()
        count = self._count(rate, subject, now)
        count.came_at = now
        elapsed = now - count.begins_at
        counted = Counted(count.current, count.previous, elapsed)
        wait = wait_s(rate, counted)
        if wait > 0:
            return Standing(rate, 0, rate.window_s - elapsed, wait)
        count.current += 1
        count.fresh += 1
        after = Counted(count.current, count.previous, elapsed)
        return Standing(rate, left(rate, after), rate.window_s - elapsed)

    async def exchange(self) -> None:
        """Tell the others what was counted here, and learn what they counted.

        Raises:
            StoreUnavailable: nothing was told; it is told the next time.
        """
        if not self._counts:
            return
        now = self._clock.now()
        self._forget_old(now)
        told: dict[Slot, int] = {}
        asked: dict[Slot, _Count] = {}
        longest = max(each.window_s for each in self._rates.values())
        for (policy, subject), count in self._counts.items():
            if not count.fresh and not count.fresh_before and abs(now - count.came_at) > ASKED_FOR_S:
                continue
            bucket, before = f"{policy}:{subject}", count.before
            if count.fresh:
                told[bucket, count.begins_at] = count.fresh
            if count.fresh_before:
                told[bucket, before] = count.fresh_before
            asked[bucket, count.begins_at] = asked[bucket, before] = count
        sums = await self._store.exchange(told, tuple(asked), keep_until=int(now) + 3 * longest) if asked else {}
        for slot, number in told.items():
            _told(asked[slot], slot, number)
        for slot, count in asked.items():
            _learn(count, slot, sums[slot])
        if now - self._purged_at >= PURGED_EVERY_S:
            self._purged_at = now
            await self._store.purge(now=now)

    def _count(self, rate: Rate, subject: str, now: float) -> _Count:
        key = (rate.name, subject)
        begins_at = int(now) // rate.window_s * rate.window_s
        count = self._counts.get(key)
        if count is None:
            count = self._counts[key] = _Count(begins_at, rate.window_s)
            if len(self._counts) > KEPT:
                self._counts.popitem(last=False)
        elif count.begins_at != begins_at:
            follows = begins_at == count.begins_at + rate.window_s
            count.previous, count.fresh_before = (count.current, count.fresh) if follows else (0, 0)
            count.begins_at, count.current, count.fresh = begins_at, 0, 0
        return count

    def _forget_old(self, now: float) -> None:
        old = [
            key
            for key, count in self._counts.items()
            if not (count.fresh or count.fresh_before) and now >= count.begins_at + 2 * self._rates[key[0]].window_s
        ]
        for key in old:
            del self._counts[key]


def _told(count: _Count, slot: Slot, number: int) -> None:
    """What was told is not told again; the window may have moved on meanwhile."""
    if slot[1] == count.begins_at:
        count.fresh -= number
    elif slot[1] == count.before:
        count.fresh_before -= number


def _learn(count: _Count, slot: Slot, total: int) -> None:
    """What all have counted, and what came here since the question."""
    if slot[1] == count.begins_at:
        count.current = total + count.fresh
    elif slot[1] == count.before:
        count.previous = max(count.previous, total + count.fresh_before)
