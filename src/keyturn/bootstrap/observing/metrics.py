"""Everything that `/metrics` says beside what the control plane counts of itself.

Rule 1: the database is read for a scrape, but not more often than every few seconds, however many scrape.
Rule 2: a database that is gone takes no metric of this process with it: `keyturn_database_up` says 0, and what the
database would have told is left out, so that nothing shows a zero that nobody counted.

Source: the interfaces, "Operator dashboard".
"""

from __future__ import annotations

import platform
import shutil
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Final

import prometheus_client
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from keyturn.adapters.store.figures.figures import Figures
from keyturn.bootstrap.observing import record_counts
from keyturn.bootstrap.observing.record_counts import RecordCounts
from keyturn.core.errors import StoreUnavailable
from keyturn.engine.application import Application
from keyturn.web.control.door import REQUESTS
from keyturn.web.dataplane import call_counts
from keyturn.web.dataplane.call_counts import CallCounts
from keyturn.web.kit.metric import CONNECTOR, ConnectorLabels, Kind, Metric
from keyturn.web.kit.refusals import REFUSED

READ_EVERY_S: Final = 5.0
MOST_HOSTS: Final = 50

BUILD: Final = Metric(
    "keyturn_build_info", Kind.GAUGE, "Always 1.", (("version", "this release"), ("python", "the Python it runs on"))
)
UP: Final = Metric("keyturn_database_up", Kind.GAUGE, "1 where the database could be read for this scrape, else 0.")
READ: Final = Metric("keyturn_database_read_seconds", Kind.GAUGE, "How long the reading for these metrics took.")
CONNECTIONS: Final = Metric(
    "keyturn_connections",
    Kind.GAUGE,
    "Connections that there are.",
    (CONNECTOR, ("state", "a state as connections show it")),
)
DUE: Final = Metric("keyturn_renewals_due", Kind.GAUGE, "Renewals that are due within the next hour.")
OVERDUE: Final = Metric("keyturn_renewals_overdue", Kind.GAUGE, "Renewals that are due for over a minute.")
OLDEST: Final = Metric(
    "keyturn_renewals_oldest_overdue_seconds", Kind.GAUGE, "How long the oldest of them is due; 0 without any."
)
RUNNING: Final = Metric("keyturn_renewals_running", Kind.GAUGE, "Renewals that this process's scheduler has begun.")
OPEN: Final = Metric("keyturn_revocations_open", Kind.GAUGE, "Revocations that are still to be made.")
ASIDE: Final = Metric(
    "keyturn_rows_set_aside",
    Kind.GAUGE,
    "Rows that can't be read or opened, so that they alone are out of use.",
    (("kind", "`connections`, `revocations`"),),
)
JOBS: Final = Metric(
    "keyturn_jobs",
    Kind.GAUGE,
    "Jobs, those that ended within the days they are kept among them.",
    (("kind", "a kind of jobs"), ("state", "`queued`, `running`, `done`, `failed`, `cancelled`")),
)
HEAD: Final = Metric("keyturn_audit_head", Kind.GAUGE, "The number of the newest audit record.")
VERIFIED: Final = Metric(
    "keyturn_audit_verified_timestamp_seconds",
    Kind.GAUGE,
    "When the audit log was found right last, Unix time; absent where it never was.",
)
KEY_AGE: Final = Metric("keyturn_key_age_seconds", Kind.GAUGE, "How long the current key wraps new data keys.")
BREAKERS: Final = Metric(
    "keyturn_provider_closed",
    Kind.GAUGE,
    "1 for each provider's host that is not asked now.",
    (
        ("host", f"{MOST_HOSTS} hosts at most"),
        ("why", "`down`: it failed five times in a row; `wait`: it asked several to; `hangs`: it lets refreshes wait"),
    ),
)
WEBHOOKS: Final = Metric(
    "keyturn_webhook_tries",
    Kind.COUNTER,
    "Tries to deliver to webhooks that ended in this process.",
    (("outcome", "`delivered`, `dropped`, or a problem's code"),),
)
ALARMS: Final = Metric(
    "keyturn_connector_alarm", Kind.GAUGE, "1 for each connector whose own set-up the provider refuses.", (CONNECTOR,)
)
DISK: Final = Metric("keyturn_data_free_bytes", Kind.GAUGE, "Room on the disk of the data directory.")
METRICS: Final = (
    BUILD, UP, READ, CONNECTIONS, DUE, OVERDUE, OLDEST, RUNNING, OPEN, ASIDE, JOBS, HEAD, VERIFIED, KEY_AGE, BREAKERS,
    ALARMS, WEBHOOKS, DISK,
)  # fmt: skip
TABLES: Final = (*METRICS, *record_counts.METRICS, *call_counts.METRICS, REQUESTS, REFUSED)


class Gauges(Collector):
    """What is read, rather than counted. `figures` None: the database could not be read."""

    def __init__(self, application: Application, labels: ConnectorLabels, data: Path, version: str) -> None:
        self._application = application
        self._labels = labels
        self._data = data
        self._version = version
        self.figures: Figures | None = None

    def collect(self) -> Iterator[Family]:
        """For Prometheus."""
        gate, running = self._application.gate, self._application.scheduler.busy
        yield BUILD.family([((self._version, platform.python_version()), 1.0)])
        yield UP.family([((), float(self.figures is not None))])
        yield RUNNING.family([((), float(running))])
        yield BREAKERS.family([(each, 1.0) for each in gate.closed(MOST_HOSTS)])
        yield ALARMS.family({(self._labels.of(each),): 1.0 for each in gate.alarms()}.items())
        tries = {"delivered": 0, **self._application.webhooks.deliver.counts}
        yield WEBHOOKS.family([((outcome,), float(number)) for outcome, number in tries.items()])
        if self._data.is_dir():
            yield DISK.family([((), float(shutil.disk_usage(self._data).free))])
        if self.figures is not None:
            yield from self._of_database(self.figures)

    def _of_database(self, figures: Figures) -> Iterator[Family]:
        connections: defaultdict[tuple[str, ...], float] = defaultdict(float)
        for (connector, state), number in sorted(figures.connections.items(), key=lambda each: -each[1]):
            connections[self._labels.of(connector), state] += number
        yield CONNECTIONS.family(connections.items())
        yield ASIDE.family([((kind,), float(number)) for kind, number in asdict(figures.set_aside).items()])
        yield JOBS.family([(each, float(number)) for each, number in figures.jobs.items()])
        now = self._application.clock.now()
        single = {
            READ: figures.read_s,
            DUE: figures.due_soon,
            OVERDUE: figures.overdue,
            OLDEST: figures.oldest_overdue_s,
            OPEN: figures.revocations_open,
            HEAD: figures.audit_head,
            VERIFIED: figures.audit_verified_at,
            KEY_AGE: None if figures.key_since is None else now - figures.key_since,
        }
        for metric, value in single.items():
            yield metric.family([] if value is None else [((), float(value))])


class Exposition:
    """The text of `/metrics`: await it."""

    def __init__(
        self,
        read: Callable[[float], Awaitable[Figures]],
        gauges: Gauges,
        records: RecordCounts,
        calls: CallCounts,
        more: tuple[Collector, ...] = (),
    ) -> None:
        """`read`: reads the database's figures as of a Unix time. `more`: other collectors of this process."""
        self._read = read
        self._gauges = gauges
        self._read_at = float("-inf")  # monotonic
        self._registry = prometheus_client.CollectorRegistry()
        for collector in (
            prometheus_client.PROCESS_COLLECTOR, prometheus_client.PLATFORM_COLLECTOR, gauges, records, calls, *more,
        ):  # fmt: skip
            self._registry.register(collector)

    async def __call__(self) -> bytes:
        """Prometheus' text format."""
        now = time.monotonic()
        if now - self._read_at >= READ_EVERY_S:
            self._read_at = now
            try:
                self._gauges.figures = await self._read(time.time())
            except StoreUnavailable:
                self._gauges.figures = None
        return prometheus_client.generate_latest(self._registry)
