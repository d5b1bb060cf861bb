"""All that holds abuse back, put together."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from keyturn.core.access.rates import Rate
from keyturn.core.errors import StoreUnavailable
from keyturn.engine.abuse.rate_limits import SIGN_IN, RateLimits
from keyturn.engine.abuse.spraying import Spraying
from keyturn.engine.abuse.stop_logins import StopLogins
from keyturn.ports.access.abuse import LoginStops, LoginWatch, RateCounts
from keyturn.ports.clock import Clock
from keyturn.ports.store import AuditLog, ConnectorStore, LoginLedger

LEAST_SIGN_INS: Final = 60  # a minute and key: no setting is tighter
DEFAULT_RATES: Final = (Rate(SIGN_IN, 600),)


@dataclass(frozen=True, slots=True)
class Guards:
    """What doors and logins ask."""

    spraying: Spraying
    stop_logins: StopLogins
    rate_limits: RateLimits


def make_guards(
    watch: LoginWatch,
    stops: LoginStops,
    counts: RateCounts,
    rates: Iterable[Rate],
    ledger: LoginLedger,
    audit: AuditLog,
    connectors: ConnectorStore,
    clock: Clock,
) -> Guards:
    """Build them over their ports."""
    return Guards(
        Spraying(watch, ledger, audit, clock), StopLogins(stops, connectors, clock), RateLimits(rates, counts, clock)
    )


def each_second(*writes: Callable[[], Awaitable[None]]) -> Callable[[], Awaitable[None]]:
    """Small writes that can wait, one after the other; what can't be written now is written the next time."""

    async def write_counts() -> None:
        for write in writes:
            with suppress(StoreUnavailable):
                await write()

    return write_counts
