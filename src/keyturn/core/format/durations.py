"""Spans of time as authors write them: `15m`, `90s`, `2h`, `500ms`, `7d`, or plain seconds."""

from __future__ import annotations

import re
from typing import Final

_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
DURATION: Final = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,3})?)(ms|s|m|h|d)")


def parse_duration(value: object) -> float | None:
    """Return the seconds that a number or a text such as `15m` means; None where it is neither."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return float(value)
    found = DURATION.fullmatch(value) if isinstance(value, str) else None
    return round(float(found.group(1)) * _UNITS[found.group(2)], 6) if found else None
