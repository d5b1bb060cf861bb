"""`docs/reference/metrics.md`: every metric, from the tables that the exposition is made of."""

from __future__ import annotations

from typing import Final

from keyturn.bootstrap.observing.metrics import TABLES
from keyturn.web.kit.metric import BUCKETS_S, Kind, Metric

HEAD: Final = """\
# Metrics

<!-- Made by `python -m scripts.write_pages` from the tables of the metrics; a test holds it equal. -->

`GET /metrics` answers in Prometheus' text format. It needs no API key and shows ids of connectors, names of providers'
hosts and numbers; keep it from the outside ([Run behind a proxy](../how-to/behind-a-proxy.md)). No label holds a name,
an owner, a connection's id, a path or a text of a provider's, and each has a bounded number of values.

Counters and histograms are of one process and begin at nil with it. Gauges of the database are read for a scrape, at
most every five seconds; where the database can't be read, they are absent and `keyturn_database_up` is 0.

What to watch: [Alerts](../how-to/alerts.md). Beside these stand `process_*` and `python_info` of the process itself.

"""


def metrics_page() -> str:
    """The page: a heading for each metric, in alphabetical order."""
    return HEAD + "\n".join(_section(each) for each in sorted(TABLES, key=lambda each: each.name))


def _section(metric: Metric) -> str:
    kind = "Histogram of seconds" if metric.kind is Kind.HISTOGRAM else metric.kind.value.capitalize()
    name = f"{metric.name}_total" if metric.kind is Kind.COUNTER else metric.name
    lines = [f"## `{name}`\n", f"{kind}. {metric.help}\n"]
    if metric.kind is Kind.HISTOGRAM:
        bounds = ", ".join(f"{each:g}" for each in BUCKETS_S)
        lines.append(f"Samples end in `_bucket` (up to {bounds} and any number of seconds), `_count` and `_sum`.\n")
    if metric.labels:
        lines += ["| label | values |", "|---|---|"]
        lines += [f"| `{label}` | {values} |" for label, values in metric.labels] + [""]
    return "\n".join(lines)
