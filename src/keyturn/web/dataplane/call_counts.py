"""How many calls went through each door and how long they took: added up without a lock, read when a scraper asks.

Rule 1: the labels are bounded: connectors as `ConnectorLabels` has them, and the closed lists below.
Rule 2: counting is a few additions in memory, and formats nothing; it belongs to the event loop's thread.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Final

from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from keyturn.core.observing.spread import BOUNDS_S, Spread
from keyturn.engine.observing.call_times import Times
from keyturn.web.kit.metric import CONNECTOR, ConnectorLabels, Kind, Metric

REFUSED: Final = "refused"  # the broker's own answer
CUT_OFF: Final = "cut_off"  # ended after the answer had begun
CALLER_GONE: Final = "caller_gone"
NO_CONNECTOR: Final = "none"  # refused before the connection was known
PROXY: Final = "proxy"
_CLASSES: Final = ("", "1xx", "2xx", "3xx", "4xx", "5xx")

CALLS: Final = Metric(
    "keyturn_calls",
    Kind.COUNTER,
    "Calls that ended, by the door they came through and whose answer they got.",
    (
        CONNECTOR,
        ("door", "`proxy`, `token`, `forward_auth`"),
        ("source", "`upstream`: the API's answer; `broker`: keyturn's own, as in the header `Keyturn-Source`"),
        ("status", "`2xx` to `5xx`; `cut_off`: the answer broke off; `caller_gone`: the caller hung up before it"),
    ),
)
SECONDS: Final = Metric(
    "keyturn_call_seconds",
    Kind.HISTOGRAM,
    "From a proxied call's arrival to the head of the API's answer: the API's share, all the rest, the whole.",
    (
        CONNECTOR,
        (
            "part",
            "`provider`: waiting for the API; `keyturn`: all else, renewals that it waited for included; "
            "`whole`: both (quantiles of parts don't add up)",
        ),
    ),
)
IN_FLIGHT: Final = Metric("keyturn_calls_in_flight", Kind.GAUGE, "Proxied calls under way in this process.")
METRICS: Final = (CALLS, SECONDS, IN_FLIGHT)


class _Answered:
    """The calls of one connector that the API answered."""

    __slots__ = ("classes", "times")

    def __init__(self, times: Times) -> None:
        self.classes = [0] * len(_CLASSES)
        self.times = times


class CallCounts(Collector):
    """Counts by connector, door and outcome; register it with a Prometheus registry."""

    def __init__(
        self, labels: ConnectorLabels | None = None, times_of: Callable[[str], Times] = lambda _: Times()
    ) -> None:
        """`times_of`: where a connector's calls are added; what is kept of them by the hour is made of the same."""
        self._labels = labels or ConnectorLabels()
        self._times_of = times_of
        self._answered: dict[str, _Answered] = {}
        self._others: defaultdict[tuple[str, str, str, str], int] = defaultdict(int)
        self.in_flight: Callable[[], int] = lambda: 0

    def answered(self, connector: str, status: int, provider_s: float, all_s: float) -> None:
        """An API's answer was handed on.

        Args:
            connector: whose.
            status: 200 to 599.
            provider_s: how long was waited for the API, in seconds.
            all_s: from the call's arrival to the answer's head, that included.
        """
        of_connector = self._answered.get(connector)
        if of_connector is None:
            of_connector = self._answered[connector] = _Answered(self._times_of(connector))
        of_connector.classes[status // 100] += 1
        # `Spread.add` three times, without its call: this is the hot path.
        times, own_s = of_connector.times, all_s - provider_s
        spread = times.provider
        spread.counts[bisect_left(BOUNDS_S, provider_s)] += 1
        spread.total_s += provider_s
        spread = times.keyturn
        spread.counts[bisect_left(BOUNDS_S, own_s)] += 1
        spread.total_s += own_s
        spread, index = times.whole, bisect_left(BOUNDS_S, all_s)
        spread.counts[index] += 1
        spread.total_s += all_s
        if status >= 400:
            (times.server_errors if status >= 500 else times.client_errors)[index] += 1

    def answered_here(self, connector: str, status: int, door: str = PROXY) -> None:
        """keyturn answered a call itself: refused it, or handed a token out at another door than the proxy."""
        self._others[connector, door, "broker", _CLASSES[status // 100]] += 1

    def ended(self, connector: str, outcome: str) -> None:
        """A proxied call ended without an answer, or within one."""
        self._others[connector, PROXY, "upstream" if outcome == CUT_OFF else "broker", outcome] += 1

    def count(self, connector: str, outcome: str) -> int:
        """How many proxied calls ended so: `2xx` and its like, `refused`, `cut_off`, `caller_gone`."""
        if outcome in _CLASSES:
            answered = self._answered.get(connector)
            return answered.classes[_CLASSES.index(outcome)] if answered is not None else 0
        found = [(status, number) for (of, _, _, status), number in self._others.items() if of == connector]
        wanted = _CLASSES if outcome == REFUSED else (outcome,)
        return sum(number for status, number in found if status in wanted)

    def collect(self) -> Iterator[Family]:
        """For Prometheus."""
        calls: defaultdict[tuple[str, ...], float] = defaultdict(float)
        spreads: defaultdict[tuple[str, ...], Spread] = defaultdict(Spread)
        for connector, found in tuple(self._answered.items()):
            label = self._labels.of(connector)
            for name, number in zip(_CLASSES, found.classes, strict=True):
                if number:
                    calls[label, PROXY, "upstream", name] += number
            spreads[label, "provider"].merge(found.times.provider)
            spreads[label, "keyturn"].merge(found.times.keyturn)
            spreads[label, "whole"].merge(found.times.whole)
        for (connector, *rest), number in tuple(self._others.items()):
            calls[self._labels.of(connector), *rest] += number
        yield CALLS.family(calls.items())
        yield SECONDS.histogram(spreads.items())
        yield IN_FLIGHT.family([((), float(self.in_flight()))])
