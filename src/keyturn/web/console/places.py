"""Addresses of lists that show exactly what a number counts."""

from __future__ import annotations

from urllib.parse import urlencode

from keyturn.core.events.event import time_text


def connections_of(*, ends_before: float | None = None, renews_before: float | None = None, **asked: str) -> str:
    """The list of connections with this filter; times in Unix seconds, what is empty left out."""
    times = {"ends_before": ends_before, "renews_before": renews_before}
    return _place("/connections", asked | {name: time_text(at) for name, at in times.items() if at is not None})


def audit_of(since: float | None = None, until: float | None = None, **asked: str) -> str:
    """The audit log from a moment on and before another, Unix seconds, with this filter."""
    times = {"since": since, "until": until}
    return _place("/audit", asked | {name: time_text(at) for name, at in times.items() if at is not None})


def _place(path: str, asked: dict[str, str]) -> str:
    given = {name: value for name, value in asked.items() if value}
    return f"{path}?{urlencode(given)}" if given else path
