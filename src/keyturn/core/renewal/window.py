"""When to renew: ahead of the end, by a margin that fits the token's life.

Source: the renewal design, "When to renew".
"""

from __future__ import annotations

from typing import Final

LEAD_SHARE: Final = 0.1  # of the token's life
LEAD_MIN_S: Final = 30.0
LEAD_MAX_S: Final = 600.0
ON_DEMAND_BELOW_S: Final = 60.0  # a token that lives shorter is renewed by the call that needs it
JITTER_SHARE: Final = 0.25  # of the lead, so that a fleet does not renew in one second
IDLE_AFTER_S: Final = 30 * 86_400.0
EXPIRES_SOON_S: Final = 72 * 3600.0


def lead_s(life_s: float) -> float:
    """How many seconds before its end a token of this life is renewed, before jitter; at most half its life."""
    return min(max(life_s * LEAD_SHARE, LEAD_MIN_S), LEAD_MAX_S, life_s / 2)


def renews_at(*, issued_at: float, expires_at: float | None, renewable: bool, fraction: float) -> float | None:
    """Say when something is due for a token set, in Unix seconds.

    Args:
        issued_at: when the answer came, Unix seconds.
        expires_at: its end, or None where the provider gave no lifetime.
        renewable: whether a renewal without the person could succeed.
        fraction: a die in [0, 1), fixed for the connection's generation.

    Returns:
        The instant to renew; the end itself where it can't be renewed (then its state changes); None where only
        a stale answer or a call in need tells.
    """
    if expires_at is None:
        return None
    if not renewable:
        return expires_at
    life = expires_at - issued_at
    if life < ON_DEMAND_BELOW_S:
        return None
    return expires_at - lead_s(life) * (1 + JITTER_SHARE * fraction) / (1 + JITTER_SHARE)
