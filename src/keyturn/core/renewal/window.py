"""When to renew: ahead of the end, by a margin that fits the token's life.

Source: the renewal design, "The scheduler".
"""

from __future__ import annotations

from typing import Final

LEAD_SHARE: Final = 0.1  # of the token's life
LEAD_MIN_S: Final = 30.0
LEAD_MAX_S: Final = 600.0
ON_DEMAND_BELOW_S: Final = 60.0  # a token that lives shorter is renewed by the call that needs it
JITTER_SHARE: Final = 0.25  # of the lead, so that a fleet does not renew in one second
REFRESH_LEAD_SHARE: Final = 0.1  # of the refresh token's life
REFRESH_LEAD_MAX_S: Final = 86_400.0  # a provider that is down for some hours costs no connection
APART_S: Final = 30.0  # of two renewals by the clock, whatever an answer says of lifetimes
IDLE_AFTER_S: Final = 30 * 86_400.0
EXPIRES_SOON_S: Final = 72 * 3600.0


def lead_s(life_s: float) -> float:
    """How many seconds before its end a token of this life is renewed, before jitter; at most half its life."""
    return min(max(life_s * LEAD_SHARE, LEAD_MIN_S), LEAD_MAX_S, life_s / 2)


def refresh_lead_s(life_s: float) -> float:
    """How many seconds before its end a refresh token of this life is used, before jitter; at most half its life."""
    return min(max(life_s * REFRESH_LEAD_SHARE, LEAD_MIN_S), REFRESH_LEAD_MAX_S, life_s / 2)


def kept_alive_at(
    *, issued_at: float, expires_at: float | None, refresh_expires_at: float | None, fraction: float
) -> float | None:
    """Say when a token set that nobody uses is renewed, so that what renews it doesn't end: as late as can be.

    Args:
        issued_at: when the answer came, Unix seconds.
        expires_at: the access token's end: what counts where the refresh token's end is not known.
        refresh_expires_at: the refresh token's end.
        fraction: a die in [0, 1); 1.0 gives the earliest time that any die could give.
    """
    due = None
    if refresh_expires_at is not None:
        due = refresh_expires_at - _jittered(refresh_lead_s(max(0.0, refresh_expires_at - issued_at)), fraction)
    elif expires_at is not None:
        due = expires_at - _jittered(lead_s(max(0.0, expires_at - issued_at)), fraction)
    return None if due is None else max(due, issued_at + APART_S)


def renews_at(
    *,
    issued_at: float,
    expires_at: float | None,
    renewable: bool,
    fraction: float,
    refresh_expires_at: float | None = None,
    with_token: bool = False,
) -> float | None:
    """Say when something is due for a token set, in Unix seconds.

    Args:
        issued_at: when the answer came, Unix seconds.
        expires_at: its end, or None where the provider gave no lifetime.
        renewable: whether a renewal without the person could succeed.
        fraction: a die in [0, 1), fixed for the connection's generation.
        refresh_expires_at: the end of the refresh token that a renewal would use, None where it is not known.
        with_token: the access token itself renews: once it has ended no call can do it any more.

    Returns:
        The instant to renew, 30 s after the last at the earliest; the end itself where it can't be renewed (then its
        state changes); None where only a stale answer or a call in need tells.
    """
    if not renewable:
        return expires_at
    ends = []
    life = None if expires_at is None else expires_at - issued_at
    if expires_at is not None and life is not None and (life >= ON_DEMAND_BELOW_S or with_token):
        ends.append(expires_at - _jittered(lead_s(life), fraction))
    if refresh_expires_at is not None:
        ends.append(refresh_expires_at - _jittered(refresh_lead_s(max(0.0, refresh_expires_at - issued_at)), fraction))
    return max(min(ends), issued_at + APART_S) if ends else None


def _jittered(lead: float, fraction: float) -> float:
    return lead * (1 + JITTER_SHARE * fraction) / (1 + JITTER_SHARE)
