"""The faults, where they strike, and which ends of a connection each of them allows: as tables.

Rule 1: what a fault does to the *fate of a send* decides; which end that allows depends on the provider's grant.
Rule 2: an end that is allowed is either the newest token set or a state that says truthfully why not (I4).
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from enum import StrEnum
from itertools import product

CROWD = 500
FLEETS = (100, 200)
ACCOUNTS = 10  # of the provider that is struck, and of each of its two neighbours


class Grant(StrEnum):
    """What the provider gives, and what keyturn may use."""

    STRICT = "strict"  # rotates, ends the family at a second use; no password is kept
    KEPT = "kept"  # the same, with a kept password
    LAST_RESORT = "last_resort"  # as strict, and an old token whose fate is unknown is sent once more in the end
    STABLE = "stable"  # the refresh token stays the same, and the connector says so
    PASSWORD = "password"  # no refresh: each renewal logs in with the kept password


class Fate(StrEnum):
    """What can be known of the send that a fault struck."""

    NOT_SENT = "not_sent"  # nothing left, or a plain refusal came: the next try is as good as the first
    KEPT = "kept"  # the answer is stored, spilled or still in memory
    LOST = "lost"  # it may have left, and no answer can be had
    UNREADABLE = "unreadable"  # a 2xx came, and nothing can be read in it
    OPEN = "open"  # either of NOT_SENT and LOST: other connections were struck at other steps, or a process slept
    GRANT_OVER = "grant_over"  # the provider ended it
    PASSWORD_OVER = "password_over"  # and the password is another
    DISCONNECTED = "disconnected"
    REPLACED = "replaced"  # a person logged in anew meanwhile


class End(StrEnum):
    """How a connection ends a run."""

    NEWEST = "newest"  # active, and calls carry the newest token set that the provider issued and did not end
    LOGIN = "login"  # active, with the token set of the login that came in between
    UNKNOWN = "renewal_outcome_unknown"  # uncertain, or needs_reconnect once its token ended
    GRANT_LOST = "grant_lost"
    REJECTED = "provider_credentials_rejected"
    ANSWER_UNKNOWN = "provider_answer_unknown"
    ENDED = "disconnected"


TRUTHFUL = frozenset({End.UNKNOWN, End.GRANT_LOST, End.REJECTED, End.ANSWER_UNKNOWN, End.ENDED})
_N, _U = frozenset({End.NEWEST}), frozenset({End.UNKNOWN})
# The whole of what may come out. A row or a grant that is not named: the newest token set.
ALLOWED: dict[tuple[Fate, Grant], frozenset[End]] = {
    (Fate.LOST, Grant.STRICT): _U,
    (Fate.UNREADABLE, Grant.STRICT): _U,  # it may have been a token
    (Fate.UNREADABLE, Grant.PASSWORD): frozenset({End.ANSWER_UNKNOWN}),
    (Fate.OPEN, Grant.STRICT): _N | _U,
    # The provider never acted: kept. It did: it ends a grant whose tokens nobody has.
    (Fate.LOST, Grant.LAST_RESORT): _N | frozenset({End.GRANT_LOST}),
    (Fate.UNREADABLE, Grant.LAST_RESORT): _N | frozenset({End.GRANT_LOST}),
    (Fate.OPEN, Grant.LAST_RESORT): _N | frozenset({End.GRANT_LOST}),
    (Fate.GRANT_OVER, Grant.LAST_RESORT): frozenset({End.GRANT_LOST}),
    (Fate.PASSWORD_OVER, Grant.LAST_RESORT): frozenset({End.GRANT_LOST}),
    (Fate.GRANT_OVER, Grant.STRICT): frozenset({End.GRANT_LOST}),
    (Fate.GRANT_OVER, Grant.STABLE): frozenset({End.GRANT_LOST}),
    (Fate.PASSWORD_OVER, Grant.STRICT): frozenset({End.GRANT_LOST}),
    (Fate.PASSWORD_OVER, Grant.STABLE): frozenset({End.GRANT_LOST}),
    (Fate.PASSWORD_OVER, Grant.KEPT): frozenset({End.REJECTED}),
    (Fate.PASSWORD_OVER, Grant.PASSWORD): frozenset({End.REJECTED}),
    **{(Fate.DISCONNECTED, grant): frozenset({End.ENDED}) for grant in Grant},
    **{(Fate.REPLACED, grant): frozenset({End.LOGIN}) for grant in Grant},
}


def allowed(fate: Fate, grant: Grant) -> frozenset[End]:
    """The ends that a run may have."""
    return ALLOWED.get((fate, grant), _N)


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault at one step. `family`: how its runs are counted together in the report."""

    family: str
    name: str
    step: str
    fate: Fate
    workloads: tuple[str, ...] = ("renew", "stale", "ended", "crowd")
    grants: tuple[Grant, ...] = tuple(Grant)

    @property
    def title(self) -> str:
        """As it stands in ids and tables."""
        return f"{self.name}@{self.step}"


_REFRESHED = (Grant.STRICT, Grant.LAST_RESORT, Grant.KEPT, Grant.STABLE)
_KILLS = {
    "read.after": Fate.NOT_SENT,
    "claim.before": Fate.NOT_SENT,
    "claim.mid": Fate.NOT_SENT,
    "claim.after": Fate.LOST,  # nothing left, but nobody who could say so lives
    "send.before": Fate.LOST,
    "held": Fate.LOST,
    "send.after": Fate.LOST,
    "settle.before": Fate.LOST,
    "settle.mid": Fate.LOST,
    "settle.after": Fate.KEPT,
    "spill.before": Fate.LOST,
    "spill.after": Fate.KEPT,
}
_SLEEPS = {
    "read.after": Fate.NOT_SENT,
    "claim.after": Fate.OPEN,
    "held": Fate.KEPT,
    "send.after": Fate.KEPT,
    "settle.mid": Fate.KEPT,
    "settle.after": Fate.KEPT,
}
_DATABASE = {
    "read.before": Fate.NOT_SENT,
    "claim.before": Fate.NOT_SENT,
    "claim.after": Fate.NOT_SENT,  # it was made, and reported as failed
    "settle.before": Fate.KEPT,
    "settle.after": Fate.KEPT,
}
_WIRE = {
    "lost": Fate.LOST,
    "reset": Fate.LOST,
    "hang": Fate.LOST,
    "hang_after": Fate.LOST,
    "drip": Fate.UNREADABLE,
    "half": Fate.UNREADABLE,
    "endless": Fate.UNREADABLE,
    "garbage": Fate.UNREADABLE,
    "slow": Fate.KEPT,
    "error500": Fate.NOT_SENT,
    "plain500": Fate.NOT_SENT,
    "scope": Fate.NOT_SENT,
    "client": Fate.NOT_SENT,
    "unreadable400": Fate.NOT_SENT,
    "unavailable": Fate.NOT_SENT,
    "limited": Fate.NOT_SENT,
}
_MIDDLE = ("claim.after", "held", "send.after")

FAULTS: tuple[Fault, ...] = (
    *(Fault("killed", "kill", step, fate) for step, fate in _KILLS.items()),
    *(Fault("asleep past its lease", "sleep", step, fate) for step, fate in _SLEEPS.items()),
    *(Fault("database gone", "database", step, fate) for step, fate in _DATABASE.items()),
    Fault("disk full", "disk_full", "settle.before", Fate.KEPT),
    Fault("disk full", "disk_full_kill", "settle.before", Fate.LOST),
    *(Fault("SIGTERM", "term", step, Fate.KEPT) for step in ("claim.after", "held", "send.after")),
    *(Fault("provider and wire", name, "answer", fate) for name, fate in _WIRE.items()),
    Fault("provider and wire", "refused", "connect", Fate.NOT_SENT, ("renew", "ended")),
    *(Fault("disconnect", "disconnect", step, Fate.DISCONNECTED) for step in _MIDDLE),
    *(Fault("pause", "pause", step, Fate.KEPT) for step in _MIDDLE),
    *(Fault("reconnect", "reconnect", step, Fate.REPLACED) for step in _MIDDLE),
    Fault("callers", "many", "ended", Fate.KEPT, ("crowd",)),
    Fault("callers", "hang_up", "held", Fate.KEPT, ("crowd",)),
    Fault("grant over", "grant_over", "before", Fate.GRANT_OVER, ("renew", "stale"), _REFRESHED),
    Fault("password changed", "password_over", "before", Fate.PASSWORD_OVER, ("renew", "stale")),
    *(Fault("clock steps", f"clock{way}1h", step, Fate.KEPT) for way in "+-" for step in ("before", "held")),
    Fault("mass expiry", "none", "fleet", Fate.NOT_SENT, ("fleet",)),
    Fault("mass expiry", "kill", "fleet", Fate.OPEN, ("fleet",)),
    Fault("mass expiry", "database", "fleet", Fate.KEPT, ("fleet",)),
)


CELLS: tuple[tuple[Fault, int], ...] = tuple(product(FAULTS, (1, 2)))


@dataclass(frozen=True, slots=True)
class Run:
    """One run, drawn from its seed alone."""

    seed: int
    fault: Fault
    processes: int
    workload: str
    grant: Grant
    callers: int
    connections: int
    latency_s: float
    event_after_s: float
    first: int  # which server is asked first

    @classmethod
    def drawn(cls, seed: int) -> Run:
        """The seed counts through the cells, so that as many runs as there are cells meet each; the rest is dice."""
        fault, processes = CELLS[seed % len(CELLS)]
        dice = random.Random(seed)
        workload = dice.choice(fault.workloads)
        grant = dice.choices(fault.grants, [3 if each is Grant.STRICT else 1 for each in fault.grants])[0]
        if grant is Grant.LAST_RESORT and "ended" in fault.workloads:
            workload = "ended"  # an API's refusal alone is no end of a token that lives by the clock
        crowds = {"crowd": CROWD if fault.name == "many" else dice.choice((20, 60, 120))}
        return cls(
            seed,
            fault,
            processes,
            workload,
            grant,
            callers=crowds.get(workload, 1),
            connections=dice.choice(FLEETS) if workload == "fleet" else ACCOUNTS,
            latency_s=dice.choice((0.0, 0.05, 0.15)),
            event_after_s=dice.choice((0.0, 0.1, 0.4)),
            first=dice.randrange(processes),
        )

    @property
    def fleet(self) -> bool:
        """Whether the fault strikes all connections, not the first alone."""
        return self.workload == "fleet"

    @property
    def title(self) -> str:
        """As pytest shows it."""
        many = f"{self.workload}{self.callers}" if self.callers > 1 else self.workload
        return f"{self.seed}-{self.fault.title}-{self.processes}p-{many}-{self.grant}"
