"""What is quiet now, as everybody asks who is about to send a provider something that can wait.

Rule 1: every process reads the same rows each second and judges by the same clock, so that they agree.
Rule 2: to ask costs no read: what was read last is asked.
Rule 3: a time zone that this machine does not know makes nothing quiet: a renewal is worth more than the quiet. The
log says so, and `keyturn doctor`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import tzinfo
from types import MappingProxyType
from typing import Final
from zoneinfo import ZoneInfo

import structlog

from keyturn.core.connection import Connection
from keyturn.core.connector import Connector
from keyturn.core.errors import InQuietHours
from keyturn.core.renewal.plan import password_usable, refresh_usable, renewable
from keyturn.core.renewal.quiet_hours import QuietHours, placed, span_at
from keyturn.ports.clock import Clock, Entropy
from keyturn.ports.operating.quiet_hours import QuietHoursStore

_NONE: Final[Mapping[tuple[str, str], tuple[QuietHours, tzinfo]]] = MappingProxyType({})

log = structlog.get_logger("keyturn.quiet_hours")


def zone_named(name: str) -> tzinfo | None:
    """The time zone of this IANA name; None where this machine has none such."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # unknown; no name of a file; a folder of names
        return None


class QuietTimes:
    """The quiet hours of all connectors, as they were read last."""

    def __init__(self, store: QuietHoursStore, clock: Clock, entropy: Entropy) -> None:
        self._store = store
        self._clock = clock
        self._entropy = entropy
        self._known = _NONE
        self._read: Mapping[tuple[str, str], QuietHours] = MappingProxyType({})

    async def look(self) -> None:
        """Read them anew. StoreUnavailable: those that are known stay."""
        found = await self._store.all()
        if found == self._read:
            return
        known = {}
        for key, hours in found.items():
            zone = zone_named(hours.zone)
            if zone is None:
                log.error("time_zone_unknown", connector=key[1], zone=hours.zone)
            else:
                known[key] = (hours, zone)
        self._known, self._read = known, found

    def of(self, connector: str, project: str = "default") -> QuietHours | None:
        """A connector's."""
        return self._read.get((project, connector))

    def until(self, connector: str, project: str = "default") -> float | None:
        """When the quiet hours of this moment are over, Unix seconds; None where there are none now."""
        found = self._known.get((project, connector))
        span = None if found is None else span_at(*found, self._clock.now())
        return None if span is None else span.ends

    def refuse(self, connector: str, project: str = "default", *, strictly: bool = False) -> None:
        """Raise InQuietHours, with the seconds left, in quiet hours; `strictly`: in those that are strict."""
        until = self.until(connector, project)
        if until is None or (strictly and not self._read[project, connector].strict):
            return
        raise InQuietHours(retry_after_s=max(1.0, until - self._clock.now()))

    def later(self, connector: str, due: float, project: str = "default") -> float:
        """When something is done that was due at this time and can wait: then, or spread after the quiet hours."""
        return self._placed(connector, project, due, due, None, None)

    def placed(self, connection: Connection, connector: Connector, due: float | None) -> float | None:
        """When a connection is renewed that would be at `due`: then, or before or after the quiet hours.

        What sends nothing (nothing renews it) and what can't wait (what became of a send is not known) stays.
        """
        if due is None or connection.intent is not None:
            return due
        if not self._known or not renewable(connection, connector, self._clock.now()):
            return due
        issued_at = connection.token_issued_at if connection.token_issued_at is not None else due
        by_refresh = refresh_usable(connection, connector)
        alone = by_refresh and not password_usable(connection, connector)
        lost_at = connection.expires_at if connector.refresh.with_token else connection.refresh_expires_at
        return self._placed(
            connection.connector, connection.project, due, issued_at, connection.expires_at, lost_at if alone else None
        )

    def _placed(
        self,
        connector: str,
        project: str,
        due: float,
        issued_at: float,
        ends_at: float | None,
        lost_at: float | None,
    ) -> float:
        found = self._known.get((project, connector))
        if found is None:
            return due
        return placed(
            *found,
            due=due,
            now=self._clock.now(),
            issued_at=issued_at,
            ends_at=ends_at,
            lost_at=lost_at,
            fraction=self._entropy.fraction(),
        )
