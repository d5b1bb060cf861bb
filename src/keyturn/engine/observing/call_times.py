"""How long proxied calls take: the provider's part, keyturn's own and the whole, per connector and hour.

Rule 1: a call adds to three lists in memory, nothing else; once a minute, at the turn of an hour, before a reading and
at the end, what came since is added to the store, so that all processes' calls stand there together.
Rule 2: what can't be stored is kept and stored later; a process that dies loses the last minute's counts.
Rule 3: a write whose end is not known may count a minute twice or not at all: these are figures, no accounts.

Source: the interfaces, "Operator dashboard".
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import Final

from keyturn.core.errors import StoreUnavailable
from keyturn.core.observing.spread import BOUNDS_S, OVER, Spread, quantile_s
from keyturn.ports.clock import Clock
from keyturn.ports.observing.call_times import CallTimesStore, ConnectorHour, Counts

HOUR_S: Final = 3600
KEPT_S: Final = 168 * HOUR_S
WRITTEN_EVERY_S: Final = 60.0
MOST_WAITING: Final = 10_000  # connectors' hours that wait for the database
_US: Final = tuple(round(bound * 1e6) for bound in BOUNDS_S)
LONGER_US: Final = 1_000_000_000  # stands for "longer than any bound"
_BOUNDS_US: Final = (*_US, LONGER_US)
_INDEX: Final = {bound: index for index, bound in enumerate(_BOUNDS_US)}


@dataclass(frozen=True, slots=True)
class Quantiles:
    """Half of the calls took no longer than `p50_s`, all but one in twenty no longer than `p95_s`; both in seconds."""

    p50_s: float
    p95_s: float


@dataclass(frozen=True, slots=True)
class CallTime:
    """How long a connector's calls took in the time that begins at `start`, Unix seconds.

    `count`: calls that the API answered, `client_errors` of them with 4xx and `server_errors` with 5xx. `provider`:
    waiting for the API. `keyturn`: all else. `whole`: from a call's arrival to the head of its answer. Quantiles don't
    add up: p95 of the whole is not the sum of the parts'.
    """

    connector: str
    start: float
    count: int
    provider: Quantiles
    keyturn: Quantiles
    whole: Quantiles
    client_errors: int = 0
    server_errors: int = 0


class Times:
    """The calls of one connector in this process, since its start; the hot path adds to them by itself."""

    __slots__ = ("client_errors", "keyturn", "provider", "server_errors", "stored", "whole")

    def __init__(self) -> None:
        """`client_errors`, `server_errors`: of `whole`, the calls that the API answered with 4xx and with 5xx."""
        self.provider, self.keyturn, self.whole = Spread(), Spread(), Spread()
        self.client_errors, self.server_errors = [0] * (OVER + 1), [0] * (OVER + 1)
        self.stored = _nothing()

    def fresh(self) -> Counts:
        """What came since this was asked last."""
        spreads = (self.provider, self.keyturn, self.whole)
        now = [list(each) for each in (*(spread.counts for spread in spreads), self.client_errors, self.server_errors)]
        found = {}
        for index, bound in enumerate(_BOUNDS_US):
            provider, own, whole, refused, failed = (
                new[index] - old[index] for new, old in zip(now, self.stored, strict=True)
            )
            if provider or own or whole:
                found[bound] = (provider, own, whole, refused, failed)
        self.stored = now
        return found


class CallTimes:
    """Adds up what the proxy measures, and reads what all processes did."""

    def __init__(self, store: CallTimesStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._times: defaultdict[str, Times] = defaultdict(Times)
        self._waiting: dict[ConnectorHour, Counts] = {}
        self._hour = self._this_hour()
        self._written_at = clock.monotonic()

    def of(self, connector: str) -> Times:
        """Where the calls of this connector are added."""
        return self._times[connector]

    async def look(self) -> None:
        """Store what came, once a minute and at the turn of an hour; cheap in between.

        Raises:
            StoreUnavailable: it is kept for the next time.
        """
        if self._this_hour() != self._hour or self._clock.monotonic() - self._written_at >= WRITTEN_EVERY_S:
            await self.write()

    async def write(self) -> None:
        """Store what came; raises as `look`."""
        self._written_at = self._clock.monotonic()
        for connector, times in self._times.items():
            self._wait((connector, self._hour), times.fresh())
        self._hour = self._this_hour()
        if not self._waiting:
            return
        waiting, self._waiting = self._waiting, {}
        try:
            await self._store.add(waiting)
        except StoreUnavailable:
            for hour, counts in waiting.items():
                self._wait(hour, counts)
            raise

    async def read(self, since: float, until: float, step_s: float, *, project: str = "default") -> Sequence[CallTime]:
        """Calls by connector and step, in that order; a step without a call is not there.

        Hours are the finest there is, and the last 168 are kept. Calls of another process are up to a minute late.

        Args:
            since, until: Unix seconds; hours that began from `since` to before `until`.
            step_s: seconds; hours are counted into steps of this length, the first of which begins at `since`.

        Raises:
            StoreUnavailable.
        """
        with suppress(StoreUnavailable):
            await self.write()
        hours = await self._store.read(int(since), int(until), project=project)
        steps: defaultdict[tuple[str, int], list[Counts]] = defaultdict(list)
        for (connector, begins_at), counts in hours.items():
            steps[connector, int((begins_at - since) // step_s)].append(counts)
        return tuple(_told(connector, since + n * step_s, steps[connector, n]) for connector, n in sorted(steps))

    async def purge(self) -> int:
        """Take away what is older than 168 hours; says how many counts that were."""
        return await self._store.purge(before=self._this_hour() - KEPT_S)

    def _this_hour(self) -> int:
        return int(self._clock.now()) // HOUR_S * HOUR_S

    def _wait(self, hour: ConnectorHour, counts: Counts) -> None:
        if counts:
            self._waiting[hour] = _added(self._waiting.get(hour, {}), counts)
        if len(self._waiting) > MOST_WAITING:
            for oldest in list(islice(self._waiting, len(self._waiting) - MOST_WAITING)):
                del self._waiting[oldest]


def _added(some: Counts, more: Counts) -> Counts:
    found = dict(some)
    for bound, (provider, own, whole, refused, failed) in more.items():
        a, b, c, d, e = found.get(bound, (0, 0, 0, 0, 0))
        found[bound] = (a + provider, b + own, c + whole, d + refused, e + failed)
    return found


def _told(connector: str, start: float, hours: Sequence[Counts]) -> CallTime:
    parts = _nothing()
    for counts in hours:
        for bound, numbers in counts.items():
            for part, number in zip(parts, numbers, strict=True):
                part[_INDEX.get(bound, OVER)] += number
    provider, own, whole = (
        Quantiles(quantile_s(each, 0.5) or 0.0, quantile_s(each, 0.95) or 0.0) for each in parts[:3]
    )
    return CallTime(connector, start, sum(parts[2]), provider, own, whole, sum(parts[3]), sum(parts[4]))


def _nothing() -> list[list[int]]:
    """Noughts for each part of `Counts`."""
    return [[0] * (OVER + 1) for _ in range(5)]
