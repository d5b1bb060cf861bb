"""Times as people say them."""

from __future__ import annotations

from typing import Final

_STEPS: Final = ((86_400.0, "day"), (3600.0, "hour"), (60.0, "minute"), (1.0, "second"))
_NEARLY: Final = 0.98  # of a unit, is one


def ago(at: float | None, now: float) -> str:
    """How long ago something was, or how long it is until then; both in Unix seconds.

    "never" where it has no time; "now" within a second.
    """
    if at is None:
        return "never"
    distance, past = abs(now - at), at < now
    for length, word in _STEPS:
        # What is to come is rounded: a link of thirty minutes that was made this second ends in thirty.
        if distance >= (length if past else _NEARLY * length):
            count = int(distance // length) if past else round(distance / length)
            span = f"{count} {word}{'' if count == 1 else 's'}"
            return f"{span} ago" if past else f"in {span}"
    return "now"


def span_words(seconds: float) -> str:
    """A span that an author set, in its largest whole unit: "15 minutes"."""
    for length, word in _STEPS:
        count = seconds / length
        if count >= 1 and count == int(count):
            return f"{int(count)} {word}{'' if count == 1 else 's'}"
    return f"{seconds:g} seconds"
