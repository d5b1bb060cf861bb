"""Who may ask a provider now, and what its answers mean for others.

Rule 1: this is one process's own view. Nothing depends on it but politeness and speed; what has to hold across
processes stands in the store.
Rule 2: what holds whom, and on which evidence, is the table in `core/renewal/isolation.py`.
Rule 3: what asks the way and what tells an answer costs the same however much is known.

Source: the renewal design, "Isolation: who may hold whom".
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final, Protocol

import structlog

from keyturn.core.errors import KeyturnError, ProviderRateLimited, ServerStopping
from keyturn.core.renewal.isolation import Held, RequestKind, Told, Widened, own_wait_s, rule_of, told_by
from keyturn.core.renewal.plan import SendOutcome
from keyturn.engine.provider_gate.alarms import Alarms
from keyturn.engine.provider_gate.asking import REVOCATION_PLACES, Asking
from keyturn.engine.provider_gate.lane import Hang, Lane
from keyturn.engine.provider_gate.places import Place
from keyturn.ports.clock import Clock

HOSTS_KEPT: Final = 4096
ACCOUNTS_KEPT: Final = 4096
RECOVERIES_KEPT: Final = 4096
NUMBER_KEPT_S: Final = 60.0
SET_UP: Final = "set-up"
_WITH_PLACES: Final = frozenset({RequestKind.REFRESH, RequestKind.LOGIN, RequestKind.REVOKE})

log = structlog.get_logger("keyturn.gate")


@dataclass(frozen=True, slots=True)
class Trouble:
    """A host that may not be refreshed at as usual. `room`: how many more may be begun; `opens_in_s`: 0 is now."""

    host: str
    room: int
    opens_in_s: float
    connectors: frozenset[str]


class Stops(Protocol):
    """The stop of the process."""

    def refuse(self) -> None:
        """Raise ServerStopping once it has begun."""
        ...

    def listen(self, told: Callable[[], None]) -> None:
        """Have this called when it begins."""
        ...


class ProviderGate:
    """Places by host and class; holds, breakers and hangs of hosts; holds of accounts; alarms of connectors."""

    def __init__(
        self,
        clock: Clock,
        stopping: Stops | None = None,
        *,
        living: Callable[[], int] = lambda: 1,
        number: Callable[[str], Awaitable[int]] | None = None,
    ) -> None:
        """`living`: how many processes share the places. `number`: of a connector's connections that are renewed."""
        self._clock = clock
        self._stopping = stopping
        if stopping is not None:
            stopping.listen(self._stop)
        self._living = living
        self._number = number
        self._numbers: dict[str, tuple[float, int]] = {}  # by connector: when it was read (monotonic), and what
        self._asking_numbers: dict[str, asyncio.Task[None]] = {}
        self._lanes: dict[tuple[str, RequestKind], Lane] = {}
        self._accounts: dict[tuple[str, str], float] = {}  # by account and host: held until, monotonic
        self._alarms = Alarms()
        self._recovered: dict[tuple[str, str], float] = {}  # a host's class, or a connector's set-up: Unix seconds

    @property
    def hosts_known(self) -> int:
        """How many hosts and classes there is something to remember of."""
        return len(self._lanes)

    @asynccontextmanager
    async def place(self, asking: Asking, *, on_demand: bool, forced: bool = False) -> AsyncIterator[Place]:
        """Hold a place for one request; say `sending` on it when the request leaves. Waits for one.

        `on_demand`: a call waits for it. `forced`: a person asks: an alarm does not hold it up.

        Raises:
            ServerStopping: the stop has begun.
            ProviderUnavailable, ProviderRateLimited: the host is not asked now, or another tries whether it may be.
            ConnectorClientRejected and its kin: the connector has an alarm. All with the seconds to wait.
        """
        self._refuse_stopped()
        if asking.kind not in _WITH_PLACES:
            yield Place(asking, _unnoticed, forced=forced)
            return
        if (error := self.refusal(asking, forced=forced)) is not None:
            raise error
        lane = self._known(asking)
        place = Place(asking, lambda each: lane.sent(each, self._clock.monotonic()), forced=forced)
        await self._enter(lane, place, on_demand=on_demand)
        try:
            self._refuse_stopped()
            yield place
        finally:
            self._leave(lane, place)

    def refusal(self, asking: Asking, *, forced: bool = False) -> KeyturnError | None:
        """Why a request may not be sent now, as `place` would raise it; without waiting, and without a place."""
        now = self._clock.monotonic()
        if asking.kind is RequestKind.LOGIN and (until := self._accounts.get(_account(asking), 0.0)) > now:
            return ProviderRateLimited(retry_after_s=until - now)
        if not asking.counts:
            return None
        if not forced and (error := self._alarms.refusal(asking, now)) is not None:
            return error
        lane = self._lanes.get((asking.host, asking.kind))
        return None if lane is None else lane.refusal(asking, now)

    def heard(self, asking: Asking, outcome: SendOutcome, *, code: str | None = None, asked_s: float | None) -> None:
        """Take in what was answered, of every kind of request.

        Args:
            asking: who was answered.
            outcome: of a revocation: a token where it is done with.
            code: the error's, where it is one.
            asked_s: the wait that the answer asks for.
        """
        told, now = told_by(outcome, asked_s), self._clock.monotonic()
        rule = rule_of(asking.kind, told)
        if rule.held is Held.ACCOUNT and asking.account:
            self._hold_account(_account(asking), now + own_wait_s(asked_s), now)
        if asking.kind not in _WITH_PLACES:
            return
        lane = self._lanes.get((asking.host, asking.kind))
        if lane is None and told in (Told.WAIT, Told.FAILED, Told.NO_ANSWER):
            lane = self._known(asking)
        number = self._number_of(asking)
        if lane is not None:
            was = lane.why()
            if lane.heard(asking, told, asked_s, now, number if lane.connectors <= {asking.connector} else None):
                self._note_recovery(asking.host, asking.kind.value)
            self._tell(asking, lane, was)
        if told is Told.TOKEN and self._alarms.token(asking):
            self._note_recovery(asking.connector, SET_UP)
        elif rule.widened is Widened.ALARM and asking.counts and code is not None:
            self._alarms.refused(asking, told, code, now=now, at=self._clock.now(), of=number)
        self._ask_number(asking, lane)
        if lane is not None:
            self._after_change(asking, lane)

    def recovered(self, asking: Asking, since: float) -> bool:
        """Whether what a wait was for has passed: host or set-up were closed, and are well since this Unix time."""
        if not self._recovered:
            return False
        at = self._recovered.get((asking.host, asking.kind.value), 0.0)
        return max(at, self._recovered.get((asking.connector, SET_UP), 0.0)) > since

    def look(self) -> None:
        """Notice hosts that hang, and turn away who waits for them; called each second."""
        now = self._clock.monotonic()
        for (host, kind), lane in list(self._lanes.items()):
            was = lane.why()
            lane.look(now)
            if lane.why() is not was:
                log.warning("host_closed", host=host, requests=kind.value, why=lane.why())
            if lane.closed:
                lane.places.turn_away(lambda place: self._refusal_of(place))
                lane.places.serve(self._admit)

    def probes_due(self) -> Sequence[tuple[str, Hang]]:
        """The hosts that hang and are to be probed now; each counts as begun until `probed`."""
        now, found = self._clock.monotonic(), []
        for (host, _), lane in self._lanes.items():
            if lane.hang is not None and (hang := lane.probe_due(now)) is not None:
                found.append((host, hang))
        return found

    def probed(self, host: str, *, answered: bool | None) -> None:
        """Say how a probe ended: a whole answer, none; or None where no probe can be made for this host."""
        if lane := self._lanes.get((host, RequestKind.REFRESH)):
            lane.probed(self._clock.monotonic(), answered=answered)

    def troubles(self) -> Sequence[Trouble]:
        """The hosts at which fewer may be refreshed than usual, or none."""
        now, found = self._clock.monotonic(), []
        for (host, kind), lane in self._lanes.items():
            if kind is RequestKind.REFRESH and (lane.closed or lane.places.room is not None):
                room = lane.room(now)
                if room is not None:
                    found.append(Trouble(host, room, lane.opens_in_s(now), frozenset(lane.connectors)))
        return found

    def quiet_alarms(self, connector: str) -> tuple[int, float]:
        """How many versions and clients of a connector an alarm keeps from refreshes, and for how many seconds."""
        now = self._clock.monotonic()
        number, until = self._alarms.quiet(connector, now)
        return number, until - now

    def closed(self, most: int) -> Sequence[tuple[str, str]]:
        """Hosts that are not asked now, `most` of them, and why: `down`, `wait` or `hangs`."""
        now, why = self._clock.monotonic(), dict[str, str]()
        for (host, _), lane in self._lanes.items():
            reason = lane.why() if lane.closed and lane.opens_in_s(now) > 0 else None
            if reason is not None:
                why.setdefault(host, reason.value)
        return tuple(why.items())[:most]

    def alarms(self) -> Sequence[str]:
        """The connectors that have an alarm."""
        return self._alarms.connectors()

    def alarmed(self, connector_id: str) -> tuple[str, float, float] | None:
        """The alarm's code, since when (Unix seconds), and the seconds until the next try (0 if it may be tried)."""
        found = self._alarms.of(connector_id)
        if found is None:
            return None
        return found.code, found.since, max(0.0, found.quiet_until - self._clock.monotonic())

    def end_alarm(self, connector_id: str, *, changed_at: float | None = None) -> None:
        """The set-up was changed.

        `changed_at`: Unix seconds, where the change was only heard of: an alarm that began later is one of what it was
        changed to, and stays.
        """
        if self._alarms.end(connector_id, changed_at=changed_at):
            self._note_recovery(connector_id, SET_UP)

    async def _enter(self, lane: Lane, place: Place, *, on_demand: bool) -> None:
        connector = place.asking.connector
        if lane.places.enter(connector, self._share(place.asking)):
            self._entered(lane, place)
            return
        granted = lane.places.wait(place, on_demand=on_demand)
        lane.places.serve(self._admit)
        try:
            await granted
        except BaseException:
            if granted.done() and not granted.cancelled() and granted.exception() is None:
                self._leave(lane, place)  # it was had, and whoever waited was cancelled at that moment
            else:
                if granted.cancelled():
                    lane.places.turn_away(_never)
                self._forget_if_plain(place.asking, lane)
            raise

    def _admit(self, place: Place) -> KeyturnError | None:
        """Say why one that waited may not be sent now; else it is about to have its place."""
        error = self._refusal_of(place)
        if error is None:
            self._entered(self._lanes[place.asking.host, place.asking.kind], place)
        return error

    def _refusal_of(self, place: Place) -> KeyturnError | None:
        return self.refusal(place.asking, forced=place.forced)

    def _entered(self, lane: Lane, place: Place) -> None:
        lane.entered(place, self._clock.monotonic())
        self._alarms.entered(place)

    def _leave(self, lane: Lane, place: Place) -> None:
        lane.left(place)
        self._alarms.left(place)
        lane.places.leave(place.asking.connector)
        lane.places.serve(self._admit)
        self._forget_if_plain(place.asking, lane)

    def _after_change(self, asking: Asking, lane: Lane) -> None:
        """Those that wait for a place hear at once that the host is not asked any more, or is again."""
        if lane.closed:
            lane.places.turn_away(self._refusal_of)
        lane.places.serve(self._admit)
        self._forget_if_plain(asking, lane)

    def _share(self, asking: Asking) -> int:
        most = REVOCATION_PLACES if asking.kind is RequestKind.REVOKE else asking.limit
        return max(1, -(-most // max(1, self._living())))

    def _known(self, asking: Asking) -> Lane:
        """The lane; the table is bounded, and those that nobody waits for go first, the oldest of them."""
        key = (asking.host, asking.kind)
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = Lane(asking.kind)
            if len(self._lanes) > HOSTS_KEPT:
                idle = next((name for name, each in self._lanes.items() if each.places.unused and name != key), None)
                if idle is not None:
                    del self._lanes[idle]
        return lane

    def _forget_if_plain(self, asking: Asking, lane: Lane) -> None:
        key = (asking.host, asking.kind)
        if self._lanes.get(key) is lane and lane.plain(self._clock.monotonic()):
            del self._lanes[key]

    def _hold_account(self, account: tuple[str, str], until: float, now: float) -> None:
        if until <= now:
            return
        self._accounts[account] = max(until, self._accounts.pop(account, 0.0))  # a shorter wait ends no longer one
        if len(self._accounts) > ACCOUNTS_KEPT:
            over = next((each for each, ends in self._accounts.items() if ends <= now), next(iter(self._accounts)))
            del self._accounts[over]

    def _note_recovery(self, whose: str, what: str) -> None:
        self._recovered.pop((whose, what), None)
        self._recovered[whose, what] = self._clock.now()
        if len(self._recovered) > RECOVERIES_KEPT:
            del self._recovered[next(iter(self._recovered))]

    def _tell(self, asking: Asking, lane: Lane, was: object) -> None:
        why = lane.why()
        if why is not None and why is not was:
            log.warning("host_closed", host=asking.host, requests=asking.kind.value, why=why.value)
        elif why is None and was is not None:
            log.info("host_open", host=asking.host, requests=asking.kind.value)

    def _number_of(self, asking: Asking) -> int | None:
        at, number = self._numbers.get(asking.connector, (0.0, 0))
        fresh = asking.connector in self._numbers and self._clock.monotonic() - at < NUMBER_KEPT_S
        return number if fresh else None

    def _ask_number(self, asking: Asking, lane: Lane | None) -> None:
        """Read how many connections there are, where only that decides whether what failed is evidence enough."""
        if self._number is None or asking.connector in self._asking_numbers or self._number_of(asking) is not None:
            return
        if self._alarms.undecided(asking) or (lane is not None and lane.undecided):
            task = asyncio.get_running_loop().create_task(self._decide(asking, self._number), name="fleet counted")
            self._asking_numbers[asking.connector] = task
            task.add_done_callback(lambda _: self._asking_numbers.pop(asking.connector, None))

    async def _decide(self, asking: Asking, number: Callable[[str], Awaitable[int]]) -> None:
        try:
            of = await number(asking.connector)
        except KeyturnError as error:
            log.info("fleet_not_counted", connector=asking.connector, code=error.code)
            return
        now = self._clock.monotonic()
        self._numbers = {name: each for name, each in self._numbers.items() if now - each[0] < NUMBER_KEPT_S}
        self._numbers[asking.connector] = (now, of)
        self._alarms.decide(asking, now=now, at=self._clock.now(), of=of)
        lane = self._lanes.get((asking.host, asking.kind))
        if lane is not None and lane.undecided and lane.connectors <= {asking.connector}:
            was = lane.why()
            lane.decide(now, of)
            self._tell(asking, lane, was)
            self._after_change(asking, lane)

    def _refuse_stopped(self) -> None:
        if self._stopping is not None:
            self._stopping.refuse()

    def _stop(self) -> None:
        for lane in list(self._lanes.values()):
            lane.places.turn_away(_stopping)


def _account(asking: Asking) -> tuple[str, str]:
    return asking.account, asking.host


def _unnoticed(_: Asking) -> None:
    """Say nothing of a class that takes no places."""


def _never(_: Place) -> None:
    """Turn nobody away: only those that were cancelled go."""


def _stopping(_: Place) -> KeyturnError:
    return ServerStopping()
