"""What became of a grant, by its provider's journal alone: kept, or lost, and whether it could have been kept.

| verdict | the newest refresh token that was handed out whole | may be |
|---|---|---|
| rotated and lost | came, was answered with a new set, and that answer was not read whole | yes |
| never rotated | was not taken, or not even sent: it could have been kept, had one known | 0 with `last_resort` |
| delivered | came with an answer that was read whole, and is not what the connection has | within 1 s of a kill |
| refused | was refused by an answer that was read whole, and that ended nothing | never |
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from tests.faults.runs.journal import Asked, Journal

LOST_STATES = ("uncertain", "needs_reconnect")
KILLED_WITHIN_S = 1.0


class Verdict(StrEnum):
    """How a grant was lost."""

    ROTATED = "rotated and lost"
    NEVER_ROTATED = "never rotated"
    DELIVERED = "delivered"
    DELIVERED_AT_A_KILL = "delivered within a second of a kill"
    REFUSED = "refused"
    ENDED = "ended by the provider"  # no loss of ours


@dataclass(frozen=True, slots=True)
class Loss:
    """A connection that waits for its person, and why the journal says so."""

    account: str
    verdict: Verdict
    state: str
    reason: str | None


def losses(
    journal: Journal, seen: Mapping[str, Mapping[str, Any]], *, dead: Collection[str], killed_at: Collection[float] = ()
) -> list[Loss]:
    """One for each connection that is lost; `seen`: account → the connection as REST shows it at the end."""
    return [
        Loss(
            account,
            verdict_of(journal, account, each["generation"], dead=dead, killed_at=killed_at),
            each["state"],
            each["reason"],
        )
        for account, each in seen.items()
        if each["state"] in LOST_STATES
    ]


def verdict_of(
    journal: Journal, account: str, generation: int, *, dead: Collection[str], killed_at: Collection[float] = ()
) -> Verdict:
    """Judge the last token set of an account that was handed out; `generation`: how many the connection has taken."""
    sets = [each for each in journal.issued if each.account == account]
    newest = max(sets, key=lambda each: each.serial)
    asked = [each for each in journal.asked if each.path == "/token" and each.account == account]
    handed_out = next((each for each in asked if each.issued == newest.serial), None)
    if handed_out is not None and not handed_out.whole:
        return Verdict.ROTATED  # the last answer was cut off on its way: what it was to replace is spent, or not known
    if newest.family in dead and not any(each.outcome == "reuse" for each in asked):
        return Verdict.ENDED
    tries = [each for each in asked if each.token == newest.refresh]
    if not tries and generation >= len(sets):
        return Verdict.NEVER_ROTATED
    if not tries:
        read_at = handed_out.until if handed_out is not None else newest.at
        near = any(read_at - KILLED_WITHIN_S <= at <= read_at + KILLED_WITHIN_S for at in killed_at)
        return Verdict.DELIVERED_AT_A_KILL if near else Verdict.DELIVERED
    return _refused_or_unknown(tries)


def _refused_or_unknown(tries: list[Asked]) -> Verdict:
    """The newest token was sent, and no newer set followed."""
    if any(not each.whole for each in tries):
        return Verdict.NEVER_ROTATED
    return Verdict.REFUSED
