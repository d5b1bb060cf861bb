"""How many calls went through, by connector and outcome: added up without a lock, read when a scraper asks.

Rule 1: the labels are bounded: a connector's id, and one of the outcomes below.
Rule 2: counting is one addition in memory; it belongs to the event loop's thread.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Final

from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

REFUSED: Final = "refused"  # the broker's own answer
CUT_OFF: Final = "cut_off"  # ended after the answer had begun
CALLER_GONE: Final = "caller_gone"
NO_CONNECTOR: Final = "none"  # refused before the connection was known
_CLASSES: Final = ("", "1xx", "2xx", "3xx", "4xx", "5xx")


class CallCounts(Collector):
    """Counts by connector and outcome; register it with a Prometheus registry."""

    def __init__(self) -> None:
        self._counts: defaultdict[tuple[str, str], int] = defaultdict(int)

    def answered(self, connector: str, status: int) -> None:
        """An API's answer was handed on; `status` is 200 to 599."""
        self._counts[connector, _CLASSES[status // 100]] += 1

    def ended(self, connector: str, outcome: str) -> None:
        """A call ended without one."""
        self._counts[connector, outcome] += 1

    def count(self, connector: str, outcome: str) -> int:
        """How many so far."""
        return self._counts.get((connector, outcome), 0)

    def collect(self) -> Iterator[CounterMetricFamily]:
        """For Prometheus."""
        family = CounterMetricFamily(
            "keyturn_proxied_calls", "Calls through the proxy.", labels=["connector", "outcome"]
        )
        for labels, count in sorted(self._counts.items()):
            family.add_metric(labels, count)
        yield family
