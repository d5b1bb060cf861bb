"""Back-off: how long to wait before a provider is asked again.

Source: the renewal design, the outcome table ("full jitter, first wait ≤ 2 s, cap 60 s").
"""

from __future__ import annotations

from typing import Final

FIRST_S: Final = 2.0
CAP_S: Final = 60.0
RETRY_AFTER_CAP_S: Final = 3600.0
REVOCATION_CAP_S: Final = 3600.0
WRITE_FIRST_S: Final = 0.1
WRITE_CAP_S: Final = 5.0
ON_DEMAND_AGAIN_S: Final = 5.0  # a caller waits no longer for a provider that was down
STALE_QUIET_CAP_S: Final = 15 * 60.0


def back_off_s(failures: int, *, fraction: float, cap_s: float = CAP_S) -> float:
    """Seconds to wait after so many failures in a row (1 or more), with full jitter; never less than a tenth.

    `fraction`: a die in [0, 1).
    """
    ceiling = min(cap_s, FIRST_S * float(1 << min(max(failures, 1) - 1, 20)))
    return max(ceiling * fraction, ceiling / 10)


def asked_to_wait_s(retry_after_s: float | None, failures: int, *, fraction: float) -> float:
    """Seconds to wait where the provider may have said how long: at most an hour; back-off where that is none."""
    if retry_after_s is None or retry_after_s <= 0:
        return back_off_s(failures, fraction=fraction)
    return min(retry_after_s, RETRY_AFTER_CAP_S)


def quiet_s(refusals: int) -> float:
    """How long a stale answer causes no renewal after so many renewals did not cure it: 1, 2, 4 … 15 min."""
    return min(60.0 * float(1 << min(max(refusals, 1) - 1, 20)), STALE_QUIET_CAP_S)


def write_again_s(failures: int) -> float:
    """Seconds until the database is asked once more to take what a provider answered: 0.1, 0.2 … 5 s."""
    return min(WRITE_CAP_S, WRITE_FIRST_S * float(1 << min(max(failures, 1) - 1, 20)))
