"""How hard a provider may be asked: few renewals at once, none while it is down, none while it asks to wait.

Rule: this is one process's own view. Nothing depends on it but politeness and speed; what has to hold across
processes stands in the store.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

from keyturn.core.errors import ProviderRateLimited, ProviderUnavailable
from keyturn.core.renewal.retry import RETRY_AFTER_CAP_S, quiet_s
from keyturn.ports.clock import Clock

AT_ONCE: Final = 8  # renewals per host
OPENS_AFTER: Final = 5  # failures in a row
HALF_OPEN_AFTER_S: Final = 5.0
HOSTS_KEPT: Final = 4096


@dataclass(slots=True)
class _Host:
    slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))
    failures: int = 0
    closed_until: float = 0.0  # monotonic; the breaker is open until then
    held_until: float = 0.0  # monotonic; the provider asked to wait
    probing: bool = False
    inside: int = 0  # that have a place or wait for one

    def plain(self, now: float) -> bool:
        """Whether forgetting it would lose nothing."""
        return not self.inside and not self.failures and now >= max(self.held_until, self.closed_until)


@dataclass(slots=True)
class _Alarm:
    code: str
    since: float  # Unix seconds
    times: int
    quiet_until: float  # monotonic


class ProviderGate:
    """Limits, breaker and holds by host; alarms by connector."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._hosts: dict[str, _Host] = {}
        self._alarms: dict[str, _Alarm] = {}

    @property
    def hosts_known(self) -> int:
        """How many hosts there is something to remember of."""
        return len(self._hosts)

    def closed(self, most: int) -> Sequence[tuple[str, str]]:
        """Hosts that are not asked now, `most` of them, and why: `down` or `wait`."""
        now = self._clock.monotonic()
        why = {
            name: "wait" if now < each.held_until else "down"
            for name, each in self._hosts.items()
            if now < max(each.held_until, each.closed_until)
        }
        return tuple(why.items())[:most]

    def alarms(self) -> Sequence[str]:
        """The connectors that have an alarm."""
        return tuple(self._alarms)

    @asynccontextmanager
    async def slot(self, host: str) -> AsyncIterator[None]:
        """Hold a place for one request to this host.

        Raises:
            ProviderUnavailable: the breaker is open, or another request is trying whether it may close.
            ProviderRateLimited: the provider asked to wait; both with the seconds left.
        """
        self.check(host)
        known = self._known(host)
        trial = False
        known.inside += 1
        try:
            async with known.slots:
                self.check(host)  # again: much may have happened while this one waited
                known.probing = trial = known.failures >= OPENS_AFTER
                yield
        finally:
            known.inside -= 1
            if trial:
                known.probing = False
            if known.plain(self._clock.monotonic()):
                self._hosts.pop(host, None)

    def check(self, host: str) -> None:
        """Raise as `slot` would, without taking a place."""
        known = self._hosts.get(host)
        if known is None:
            return
        now = self._clock.monotonic()
        if now < known.held_until:
            raise ProviderRateLimited(retry_after_s=known.held_until - now)
        if now < known.closed_until:
            raise ProviderUnavailable(retry_after_s=known.closed_until - now)
        if known.probing:
            raise ProviderUnavailable(retry_after_s=1.0)

    def answered(self, host: str) -> None:
        """The host gave an answer that shows it is up."""
        if known := self._hosts.get(host):
            known.failures = 0

    def failed(self, host: str) -> None:
        """The host could not be reached, did not answer, or said that it can't."""
        known = self._known(host)
        known.failures += 1
        if known.failures >= OPENS_AFTER:
            known.closed_until = self._clock.monotonic() + HALF_OPEN_AFTER_S

    def hold(self, host: str, seconds: float) -> None:
        """The provider asked everybody to wait; a shorter wait does not end a longer one."""
        known = self._known(host)
        known.held_until = max(known.held_until, self._clock.monotonic() + min(seconds, RETRY_AFTER_CAP_S))

    def _known(self, host: str) -> _Host:
        """The host's entry; the table is bounded, and those that nobody waits for go first, the oldest of them."""
        known = self._hosts.pop(host, None) or _Host()
        self._hosts[host] = known
        if len(self._hosts) > HOSTS_KEPT:
            idle = next((name for name, each in self._hosts.items() if not each.inside and name != host), None)
            if idle is not None:
                del self._hosts[idle]
        return known

    def alarm(self, connector_id: str, code: str) -> float:
        """The connector's own set-up is wrong; returns the seconds until it is tried again (1, 2, 4 … 15 min).

        Sends that are refused side by side count once.
        """
        earlier = self._alarms.get(connector_id)
        now = self._clock.monotonic()
        if earlier is not None and now < earlier.quiet_until:
            return earlier.quiet_until - now
        times = earlier.times + 1 if earlier is not None else 1
        wait = quiet_s(times)
        since = earlier.since if earlier is not None else self._clock.now()
        self._alarms[connector_id] = _Alarm(code, since, times, now + wait)
        return wait

    def alarmed(self, connector_id: str) -> tuple[str, float, float] | None:
        """The alarm's code, since when (Unix seconds), and the seconds until the next try (0 if it may be tried)."""
        found = self._alarms.get(connector_id)
        if found is None:
            return None
        return found.code, found.since, max(0.0, found.quiet_until - self._clock.monotonic())

    def end_alarm(self, connector_id: str, *, changed_at: float | None = None) -> None:
        """The set-up works again, or was changed.

        `changed_at`: Unix seconds, where the change was only heard of: an alarm that began later is one of what it was
        changed to, and stays.
        """
        found = self._alarms.get(connector_id)
        if found is not None and (changed_at is None or found.since <= changed_at):
            del self._alarms[connector_id]
