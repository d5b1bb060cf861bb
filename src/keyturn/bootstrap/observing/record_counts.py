"""What was done, counted where it is written down: each audit record that was committed by this process counts once.

Rule 1: a record counts once its write has committed; one that lost against another writer does not.
Rule 2: no store knows of it: whatever carries `records=` is passed through and counted after it.
Rule 3: labels are a connector and an outcome of the register, never a text of a provider's.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Final, TypeVar, cast

from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from keyturn.bootstrap.assembly import Ports
from keyturn.core.audit_record import AuditRecord
from keyturn.core.problems import PROBLEMS, Cause
from keyturn.web.kit.metric import CONNECTOR, ConnectorLabels, Kind, Metric

Store = TypeVar("Store")

_OUTCOME: Final = ("outcome", "`ok`, `unknown`, `not_sent`, or a problem's code; anything else is `other`")
LOGINS: Final = Metric(
    "keyturn_logins", Kind.COUNTER, "Logins of people that were answered, or not.", (CONNECTOR, _OUTCOME)
)
RENEWALS: Final = Metric(
    "keyturn_renewals",
    Kind.COUNTER,
    "Renewals that were sent, by the refresh token or the kept password, and what came of them.",
    (CONNECTOR, _OUTCOME),
)
LOST: Final = Metric(
    "keyturn_connections_lost",
    Kind.COUNTER,
    "Connections that from then on needed their person.",
    (CONNECTOR, ("reason", "a reason as connections have it; anything else is `other`")),
)
REVOCATIONS: Final = Metric(
    "keyturn_revocations", Kind.COUNTER, "Tries to revoke tokens at the provider.", (CONNECTOR, _OUTCOME)
)
TESTS: Final = Metric("keyturn_tests", Kind.COUNTER, "Tests of connections.", (CONNECTOR, _OUTCOME))
METRICS: Final = (LOGINS, RENEWALS, LOST, REVOCATIONS, TESTS)

_OUTCOMES: Final = frozenset({"ok", "unknown", "not_sent", *PROBLEMS})
_REASONS: Final = frozenset(each.value for each in Cause)
_OF_ACTION: Final = {
    "connection.renewed": RENEWALS,
    "refresh.answered": RENEWALS,
    "connection.needs_reconnect": LOST,
    "revocation.tried": REVOCATIONS,
    "connection.tested": TESTS,
}
# The ports whose writes carry records of these actions.
_WRITERS: Final = ("connections", "renewals", "revocations", "logins", "audit", "challenges")


def metric_of(record: AuditRecord) -> Metric | None:
    """What a record counts as; None for nothing. A renewal that succeeded is written twice, and counts once."""
    if record.action == "login.answered":
        metric = LOGINS if record.connection is None else RENEWALS
    else:
        found = _OF_ACTION.get(record.action)
        if found is None:
            return None
        metric = found
    answered = record.action.endswith(".answered")
    return None if metric is RENEWALS and answered and record.outcome == "ok" else metric


class RecordCounts(Collector):
    """The counters over records; register it with a Prometheus registry."""

    def __init__(self, labels: ConnectorLabels) -> None:
        self.labels = labels
        self._counts: defaultdict[Metric, defaultdict[tuple[str, ...], float]] = defaultdict(lambda: defaultdict(float))

    def count(self, records: Iterable[AuditRecord]) -> None:
        """Count records that were committed."""
        for record in records:
            metric = metric_of(record)
            if metric is not None:
                known = _REASONS if metric is LOST else _OUTCOMES
                outcome = record.outcome if record.outcome in known else "other"
                self._counts[metric][self.labels.of(record.connector or "none"), outcome] += 1

    def collect(self) -> Iterator[Family]:
        """For Prometheus; metrics that counted nothing yet are there without samples."""
        for metric in METRICS:
            yield metric.family(tuple(self._counts[metric].items()))


def counted(ports: Ports, counts: RecordCounts) -> Ports:
    """The same ports, whose writes are counted."""
    return replace(ports, **{name: CountedStore.over(getattr(ports, name), counts) for name in _WRITERS})


class CountedStore:
    """A store whose methods are another's; those that carry records are counted after they returned."""

    def __init__(self, store: Any, counts: RecordCounts) -> None:
        self._store = store
        self._counts = counts

    @classmethod
    def over(cls, store: Store, counts: RecordCounts) -> Store:
        """Made so that the types say what it stands for."""
        return cast("Store", cls(store, counts))

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._store, name)
        if name.startswith("_") or not callable(found):
            return found
        made = self._after(found)
        setattr(self, name, made)  # found at once the next time
        return made

    async def append(self, records: Sequence[AuditRecord]) -> None:
        """See the port of the audit log: the one write whose records are its only argument."""
        await self._store.append(records)
        self._counts.count(records)

    def _after(self, method: Callable[..., Awaitable[Any]]) -> Callable[..., Any]:
        def called(*args: Any, records: Sequence[AuditRecord] | None = None, **more: Any) -> Any:
            if not records:
                return method(*args, **more) if records is None else method(*args, records=records, **more)
            return self._noted(method(*args, records=records, **more), records)

        return called

    async def _noted(self, write: Awaitable[Any], records: Sequence[AuditRecord]) -> Any:
        done = await write
        self._counts.count(records)
        return done
