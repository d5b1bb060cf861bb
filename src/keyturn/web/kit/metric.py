"""What a metric is: a row that the exposition, the page of metrics and its test are all made from.

Rule 1: every metric has a row; nothing is exposed beside the tables.
Rule 2: a label takes few values: a closed list, a route's template, or a connector's id out of the first hundred.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric as Family

from keyturn.core.observing.spread import BOUNDS_S, Spread

MOST_CONNECTORS: Final = 100
OTHERS: Final = "other"
# Seconds. Few, as each is a series for each connector: quick, felt, slow, given up.
BUCKETS_S: Final = (0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10.0, 30.0)
# Each bucket's name, and how many of a spread's counts it takes in.
_ENDS: Final = (*((str(each), bisect_left(BOUNDS_S, each) + 1) for each in BUCKETS_S), ("+Inf", None))


class Kind(StrEnum):
    """How a metric is read."""

    COUNTER = "counter"  # its samples end in `_total`
    GAUGE = "gauge"
    HISTOGRAM = "histogram"  # of seconds; its samples end in `_bucket`, `_count`, `_sum`


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric. `name`: without the ending of its samples. `labels`: label → what its values are."""

    name: str
    kind: Kind
    help: str
    labels: tuple[tuple[str, str], ...] = ()

    def family(self, samples: Iterable[tuple[tuple[str, ...], float]]) -> Family:
        """The metric with its samples, as a registry takes it; of a counter or a gauge."""
        kinds: Mapping[Kind, Callable[..., Any]] = {Kind.COUNTER: CounterMetricFamily, Kind.GAUGE: GaugeMetricFamily}
        made = kinds[self.kind](self.name, self.help, labels=[name for name, _ in self.labels])
        for labels, value in sorted(samples):
            made.add_metric(labels, value)
        family: Family = made
        return family

    def histogram(self, samples: Iterable[tuple[tuple[str, ...], Spread]]) -> Family:
        """The same of a histogram."""
        made = HistogramMetricFamily(self.name, self.help, labels=[name for name, _ in self.labels])
        for labels, spread in sorted(samples, key=lambda each: each[0]):
            made.add_metric(labels, buckets=list(buckets_of(spread)), sum_value=spread.total_s)
        return made


def buckets_of(spread: Spread) -> Iterator[tuple[str, float]]:
    """Upper bound → how many took no longer; fewer bounds than the spread's own."""
    for name, end in _ENDS:
        yield name, float(sum(spread.counts[:end]))


class ConnectorLabels:
    """Which connectors have a label of their own: the first hundred that were counted; the rest is `other`.

    Once given, a label stays, so that no counter ever falls.
    """

    def __init__(self, most: int = MOST_CONNECTORS) -> None:
        self._most = most
        self._given: set[str] = set()

    def of(self, connector: str) -> str:
        """The label of this connector."""
        if connector in self._given:
            return connector
        if len(self._given) >= self._most:
            return OTHERS
        self._given.add(connector)
        return connector


CONNECTOR: Final = ("connector", f"a connector's id; from the {MOST_CONNECTORS}th on `{OTHERS}`; `none` where unknown")
