"""Metrics: counted where things happen, with few values for each label, and each one in the table."""

from __future__ import annotations

from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from structlog.testing import capture_logs

from keyturn.adapters.store.figures.figures import Figures
from keyturn.bootstrap.observing.metrics import TABLES, Exposition, Gauges
from keyturn.bootstrap.observing.record_counts import CountedStore, RecordCounts, metric_of
from keyturn.core.audit_record import AuditRecord
from keyturn.core.errors import StoreUnavailable
from keyturn.core.observing.spread import Spread
from keyturn.web.control.door import REQUESTS
from keyturn.web.dataplane.call_counts import CallCounts
from keyturn.web.kit.metric import BUCKETS_S, OTHERS, ConnectorLabels, Kind, buckets_of
from keyturn.web.kit.refusals import INPUT, MALFORMED, Refusals
from tests.engine.told import set_up_refused, told_to_wait
from tests.fakes.application import make_world

SOME = Figures(
    connections={("acme", "active"): 2, ("zeta", "needs_reconnect"): 1},
    overdue=1,
    oldest_overdue_s=70.0,
    jobs={("key.rewrap", "running"): 1},
    audit_head=9,
    audit_verified_at=5.0,
    key_since=1.0,
)


class Reading:
    """A database that answers, or does not."""

    def __init__(self) -> None:
        self.gone = False
        self.times = 0

    async def __call__(self, now: float) -> Figures:
        """Read."""
        self.times += 1
        if self.gone:
            raise StoreUnavailable("gone")
        return SOME


def record(
    action: str, outcome: str = "ok", connector: str | None = "acme", connection: str | None = "c"
) -> AuditRecord:
    """A record of that."""
    return AuditRecord(1.0, action, "scheduler", outcome=outcome, connector=connector, connection=connection)


def exposition(tmp_path: Path, reading: Reading) -> Exposition:
    """All that is exposed of a fresh world in which everything happened once."""
    labels = ConnectorLabels()
    application = make_world().application
    set_up_refused(application.gate, "acme")
    told_to_wait(application.gate, "api.example", 60)
    calls, records = CallCounts(labels), RecordCounts(labels)
    calls.answered("acme", 200, 0.02, 0.021)
    calls.ended("acme", "cut_off")
    calls.answered_here("none", 401)
    calls.answered_here("acme", 204, "forward_auth")
    records.count([record("refresh.answered", "provider_timeout"), record("connection.renewed")])
    records.count([record("login.answered", connection=None), record("revocation.tried"), record("connection.tested")])
    records.count([record("connection.needs_reconnect", "grant_lost")])
    return Exposition(reading, Gauges(application, labels, tmp_path, "1.2.3"), records, calls, (refused_once(),))


def refused_once() -> Refusals:
    """Refusals of which there was one."""
    refusals = Refusals()
    with capture_logs():
        refusals.note_as(INPUT, MALFORMED, {"client": ("192.0.2.1", 1), "headers": ()})
    refusals.tell()
    return refusals


def samples(text: bytes) -> dict[tuple[str, ...], float]:
    """Name and label values → number, of keyturn's own."""
    return {
        (each.name, *(each.labels[name] for name in sorted(each.labels))): each.value
        for family in text_string_to_metric_families(text.decode())
        for each in family.samples
        if each.name.startswith("keyturn_")
    }


async def test_every_metric_is_in_the_table_and_exposed(tmp_path: Path) -> None:
    """The table that the page is made from has all that is exposed, with its labels, and nothing else."""
    text = (await exposition(tmp_path, Reading())()).decode()
    exposed = {
        family.name: {label for each in family.samples for label in each.labels} - {"le"}
        for family in text_string_to_metric_families(text)
        if family.name.startswith("keyturn_")
    }

    assert {each.name: {label for label, _ in each.labels} for each in TABLES if each is not REQUESTS} == exposed


async def test_the_numbers(tmp_path: Path) -> None:
    """What happened stands under its name and labels."""
    found = samples(await exposition(tmp_path, Reading())())

    expected = {
        ("keyturn_renewals_total", "acme", "provider_timeout"): 1,
        ("keyturn_renewals_total", "acme", "ok"): 1,
        ("keyturn_logins_total", "acme", "ok"): 1,
        ("keyturn_connections_lost_total", "acme", "grant_lost"): 1,
        ("keyturn_calls_total", "acme", "proxy", "upstream", "2xx"): 1,
        ("keyturn_calls_total", "acme", "proxy", "upstream", "cut_off"): 1,
        ("keyturn_calls_total", "none", "proxy", "broker", "4xx"): 1,
        ("keyturn_calls_total", "acme", "forward_auth", "broker", "2xx"): 1,
        ("keyturn_connections", "acme", "active"): 2,
        ("keyturn_provider_closed", "api.example", "wait"): 1,
        ("keyturn_connector_alarm", "acme"): 1,
        ("keyturn_jobs", "key.rewrap", "running"): 1,
        ("keyturn_renewals_overdue",): 1,
        ("keyturn_database_up",): 1,
    }
    assert expected == {each: found.get(each) for each in expected}


async def test_a_database_that_is_gone_is_no_zero(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says that it could not be read; what it would have told is absent, and the rest is there."""
    monkeypatch.setattr("keyturn.bootstrap.observing.metrics.READ_EVERY_S", 0.0)
    reading = Reading()
    metrics = exposition(tmp_path, reading)
    before = samples(await metrics())
    reading.gone = True
    after = samples(await metrics())

    assert (1.0, 0.0) == (before["keyturn_database_up",], after["keyturn_database_up",])
    assert [] == [each for each in after if each[0] in ("keyturn_connections", "keyturn_renewals_overdue")]
    assert 1 == after["keyturn_renewals_total", "acme", "ok"]


async def test_the_database_is_not_read_for_every_scrape(tmp_path: Path) -> None:
    """However many scrape."""
    reading = Reading()
    metrics = exposition(tmp_path, reading)
    for _ in range(5):
        await metrics()

    assert 1 == reading.times


def test_labels_are_bounded() -> None:
    """The hundredth connector and all after it are one; a foreign word as an outcome is `other`."""
    labels = ConnectorLabels(most=2)
    records = RecordCounts(labels)
    for number in range(5):
        records.count([record("connection.renewed", connector=f"c{number}")])
    records.count([record("connection.tested", "what a provider said", connector="c0")])
    counted = {tuple(each.labels.values()) for family in records.collect() for each in family.samples}

    assert {("c0", "ok"), ("c1", "ok"), (OTHERS, "ok"), ("c0", "other")} == counted


@pytest.mark.parametrize(
    ("action", "outcome", "connection", "name"),
    [
        pytest.param("login.answered", "ok", None, "keyturn_logins", id="a person's login"),
        pytest.param("login.answered", "provider_timeout", "c", "keyturn_renewals", id="a kept password, refused"),
        pytest.param("login.answered", "ok", "c", None, id="a kept password, accepted: its renewal counts"),
        pytest.param("refresh.answered", "ok", "c", None, id="a refresh, accepted: its renewal counts"),
        pytest.param("refresh.answered", "unknown", "c", "keyturn_renewals", id="a refresh of unknown fate"),
        pytest.param("session.created", "ok", None, None, id="what nobody counts"),
    ],
)
def test_what_a_record_counts_as(action: str, outcome: str, connection: str | None, name: str | None) -> None:
    """One thing, or nothing."""
    metric = metric_of(record(action, outcome, connection=connection))

    assert name == (metric.name if metric else None)


async def test_a_write_that_failed_does_not_count() -> None:
    """Only what was committed."""
    world = make_world()
    counts = RecordCounts(ConnectorLabels())
    audit = CountedStore.over(world.stores.audit, counts)
    world.stores.database.gone = True
    with pytest.raises(StoreUnavailable):
        await audit.append([record("connection.renewed")])
    world.stores.database.gone = False
    await audit.append(records=[record("connection.renewed")])
    await audit.append([record("connection.tested")])

    total = sum(each.value for family in counts.collect() for each in family.samples)
    assert 2 == total


async def test_other_stores_are_counted_by_their_records() -> None:
    """By `records=`, after the write; what is no write passes through."""
    world = make_world()
    counts = RecordCounts(ConnectorLabels())
    revocations = CountedStore.over(world.stores.revocations, counts)
    await revocations.remove("none", records=[record("revocation.tried")])

    assert [] == list(await revocations.due(0.0, limit=1))
    assert [1.0] == [each.value for family in counts.collect() for each in family.samples]


def test_a_spread_counts_up() -> None:
    """Each bucket holds all that took no longer, its bound among it."""
    spread = Spread()
    for seconds in (0.0005, BUCKETS_S[0], 0.3, 1000.0):
        spread.add(seconds)

    assert [2.0, 2.0, 2.0, 2.0, 3.0, 3.0, 3.0, 3.0, 4.0] == [number for _, number in buckets_of(spread)]


def test_names_follow_prometheus_rules() -> None:
    """Base units, and no ending that the kind adds by itself."""
    bad = [each.name for each in TABLES if each.name.endswith(("_total", "_count", "_ms", "_bucket"))]
    unit = [each.name for each in TABLES if each.kind is Kind.HISTOGRAM and not each.name.endswith("_seconds")]

    assert ([], []) == (bad, unit)
