"""When many accounts that are refused look like one password tried on all of them.

Rule 1: distinct accounts are counted, never logins: somebody who mistypes five times is one account.
Rule 2: many refusals alone are a busy day. They are spraying where they are more than twice the accounts that got in:
of 60 honest logins a minute, two of three would have to fail for that.
Rule 3: logins under way count as if they would be refused, but only to make one more wait for them.

Source: the threat model, L2.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

TIMES_THE_PASSED: Final = 2


class Watched(StrEnum):
    """By what logins of a connector are counted."""

    CONNECTOR = "connector"
    API_KEY = "api_key"
    OWNER = "owner"
    ADDRESS = "address"


class Verdict(StrEnum):
    """What becomes of one more login."""

    SEND = "send"
    WAIT = "wait"  # for those under way: ask again in a moment
    HOLD = "hold"


@dataclass(frozen=True, slots=True)
class SprayLimit:
    """So many distinct accounts may be refused in so many seconds."""

    accounts: int
    per_s: float = 900.0


# One source is held before it can make the whole connector be held: others go on logging in.
LIMITS: Final = {
    Watched.CONNECTOR: SprayLimit(200),
    Watched.API_KEY: SprayLimit(100),
    Watched.OWNER: SprayLimit(100),
    Watched.ADDRESS: SprayLimit(100),
}


def judge(limit: SprayLimit, *, refused: int, under_way: int, passed: int) -> Verdict:
    """Say what becomes of one more login.

    Args:
        limit: of what is counted.
        refused, passed: distinct accounts in the window, by how their last login ended.
        under_way: accounts whose login was sent and not answered yet.
    """
    if _sprayed(limit, refused, passed):
        return Verdict.HOLD
    return Verdict.WAIT if _sprayed(limit, refused + under_way, passed) else Verdict.SEND


def _sprayed(limit: SprayLimit, refused: int, passed: int) -> bool:
    return refused >= limit.accounts and refused > TIMES_THE_PASSED * passed
