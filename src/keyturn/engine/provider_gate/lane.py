"""What is known of one class of requests to one host: whether it may be asked now, and by how many.

Rule 1: what is closed has a time; after that one tries, and the others wait for what comes of it.
Rule 2: a host that hangs gets no fresh refresh token: first a probe has to be answered, then one is tried.
Rule 3: a host that was closed begins anew with one place, then 2, 4, 8.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from keyturn.core.errors import KeyturnError, ProviderRateLimited, ProviderUnavailable
from keyturn.core.renewal.isolation import (
    HANGS_AFTER_S,
    PROBED_EVERY_S,
    TRIED_AGAIN_AFTER_S,
    WITHIN_S,
    RequestKind,
    Told,
    hangs,
    host_wait_s,
    own_wait_s,
    rule_of,
)
from keyturn.core.renewal.retry import quiet_s
from keyturn.engine.provider_gate.asking import Asking
from keyturn.engine.provider_gate.places import Place, Places

ANSWERED: Final = frozenset({Told.TOKEN, Told.ANSWER, Told.SET_UP_WRONG, Told.SCOPE_REFUSED})  # and none of it a wait
TRIAL_AGAIN_S: Final = 1.0  # when to ask again where another tries


class Why(StrEnum):
    """Why a host is not asked."""

    WAIT = "wait"
    DOWN = "down"
    HANGS = "hangs"


@dataclass(slots=True)
class Hang:
    """A host that lets requests wait. Times are monotonic. `until`: when a fresh refresh token may be sent.

    `hung`: how many of those that were tried since were not answered either.
    """

    asking: Asking
    probe_at: float
    until: float = math.inf
    probing_since: float | None = None
    hung: int = 0

    def admits(self, asking: Asking, now: float) -> bool:
        """Whether this one may be sent."""
        harmless = asking.harmless and self.probing_since is None and now >= self.probe_at
        return now >= self.until or harmless

    def left_s(self, now: float) -> float:
        """When to ask again."""
        return max(TRIAL_AGAIN_S, min(self.until, max(self.probe_at, now + TRIAL_AGAIN_S)) - now)


class Lane:
    """One class of requests to one host."""

    def __init__(self, kind: RequestKind) -> None:
        self.places = Places()
        self.connectors: set[str] = set()
        self.trial: Place | None = None
        self.hang: Hang | None = None
        self._kind = kind
        self._held_until: float | None = None  # the host asked several to wait
        self._down_until: float | None = None
        self._failures = 0
        self._failed: set[str] = set()
        self._failed_last: Asking | None = None
        self._unanswered = False  # the last failure was a request that was sent
        self._waits: dict[str, tuple[float, float]] = {}  # connection or row: when it was told, and until when
        self._flying: dict[str, tuple[float, Asking]] = {}  # by connection: when it was sent; the oldest is the first
        self._answered_at: float | None = None

    @property
    def closed(self) -> bool:
        """Whether it is closed, or tried by one at a time."""
        return self.hang is not None or self._held_until is not None or self._down_until is not None

    def plain(self, now: float) -> bool:
        """Whether forgetting it would lose nothing."""
        if self.closed or self._failures or self.places.room is not None or not self.places.unused:
            return False
        return all(now - told >= WITHIN_S for told, _ in self._waits.values())

    def why(self) -> Why | None:
        """Why it is closed."""
        if self.hang is not None:
            return Why.HANGS
        if self._held_until is not None:
            return Why.WAIT
        return Why.DOWN if self._down_until is not None else None

    def opens_in_s(self, now: float) -> float:
        """How long until one may try; 0: now."""
        until = [each - now for each in (self._held_until, self._down_until) if each is not None]
        if self.hang is not None:
            until.append(self.hang.left_s(now) if now < self.hang.until else 0.0)
        return max(0.0, *until, 0.0)

    def room(self, now: float) -> int | None:
        """How many more may be begun; None: as many as there are places."""
        if self.closed:
            return 0 if self.trial is not None or self.opens_in_s(now) > 0 else 1
        return None if self.places.room is None else max(0, self.places.room - self.places.in_use)

    def refusal(self, asking: Asking, now: float) -> KeyturnError | None:
        """Why a request may not be sent now, if so."""
        self.look(now)
        own = self._waits.get(asking.connection, (0.0, 0.0))[1] if self._waits else 0.0
        if self._kind is RequestKind.REVOKE and own > now:  # no row but this one says so before its next request
            return ProviderRateLimited(retry_after_s=own - now)
        if not self.closed:
            return None
        if self._held_until is not None and (left := max(self._held_until, own) - now) > 0:
            return ProviderRateLimited(retry_after_s=left)
        if self._down_until is not None and now < self._down_until:
            return ProviderUnavailable(retry_after_s=self._down_until - now)
        if self.hang is not None and not self.hang.admits(asking, now):
            return ProviderUnavailable(retry_after_s=self.hang.left_s(now))
        if self.trial is None:
            return None
        kind = ProviderRateLimited if self.why() is Why.WAIT else ProviderUnavailable
        return kind(retry_after_s=TRIAL_AGAIN_S)

    def entered(self, place: Place, now: float) -> None:
        """One was given a place: while it is closed, that is the one that tries."""
        self.connectors.add(place.asking.connector)
        if self.closed:
            self.trial = place
            if self.hang is not None and now < self.hang.until:
                self.hang.probe_at = now + PROBED_EVERY_S  # one whose repetition is harmless

    def left(self, place: Place) -> None:
        """One gave its place back."""
        self._flying.pop(place.asking.connection, None)
        if self.trial is place:
            self.trial = None

    def sent(self, asking: Asking, now: float) -> None:
        """A request left."""
        self._flying.pop(asking.connection, None)
        self._flying[asking.connection] = (now, asking)

    def look(self, now: float) -> None:
        """Notice a host that lets the oldest in flight wait while it answers none."""
        if self.hang is None and self._flying and self._kind is RequestKind.REFRESH:
            sent_at, asking = next(iter(self._flying.values()))
            if hangs(sent_at, self._answered_at, now):
                self._begin_hang(asking, now)

    def heard(self, asking: Asking, told: Told, asked_s: float | None, now: float, of: int | None) -> bool:
        """Take in what was answered; returns whether a host that was closed is well again."""
        was_closed = self.closed
        sent_at, _ = self._flying.pop(asking.connection, (None, asking))
        match told:
            case Told.TOKEN:
                self._well(now)
            case Told.ANSWER | Told.SET_UP_WRONG | Told.SCOPE_REFUSED:
                self._answered(now)
            case Told.WAIT:
                self._answered(now)
                self._asked_to_wait(asking, own_wait_s(asked_s), now)
            case Told.FAILED | Told.NO_ANSWER if asking.counts and rule_of(self._kind, told).widened:
                self._has_failed(asking, told, sent_at, now, of)
            case _:
                pass
        recovered = was_closed and not self.closed
        if recovered:
            self.places.room = 1
        elif told in ANSWERED and not self.closed:
            self.places.grow()
        return recovered

    @property
    def undecided(self) -> bool:
        """Whether it failed often enough, and only the number of its connections decides what that means."""
        rule = rule_of(self._kind, Told.FAILED)
        return rule.or_all and self._failures >= rule.in_a_row and not self.closed

    def decide(self, now: float, of: int | None) -> None:
        """Open the breaker where what failed is evidence enough; `of`: how many connections the host has."""
        rule = rule_of(self._kind, Told.FAILED)
        if self._failed_last is None or not rule.enough(len(self._failed), self._failures, of):
            return
        if self._unanswered and self._kind is RequestKind.REFRESH:
            self._begin_hang(self._failed_last, now)
        else:
            self._down_until = now + TRIED_AGAIN_AFTER_S

    def probe_due(self, now: float) -> Hang | None:
        """The hang that is to be probed now; counts as begun."""
        hang = self.hang
        if hang is None or hang.until != math.inf or hang.probing_since is not None or self.trial is not None:
            return None
        if now < hang.probe_at:
            return None
        hang.probing_since = now
        return hang

    def probed(self, now: float, *, answered: bool | None) -> None:
        """Say how a probe ended; None: none can be made for this host."""
        hang = self.hang
        if hang is None or hang.probing_since is None:
            return
        if answered:
            self._answered_at, self._down_until, self._failures = now, None, 0
            self._failed.clear()
            hang.until = now
        elif answered is None:
            hang.until = hang.probing_since + (quiet_s(1) if not hang.hung else 0.0)
        else:
            hang.probe_at = max(now, hang.probing_since + PROBED_EVERY_S)
        hang.probing_since = None

    def _answered(self, now: float) -> None:
        self._answered_at, self._failures, self._down_until = now, 0, None
        self._failed.clear()

    def _well(self, now: float) -> None:
        self._answered(now)
        self._held_until = self.hang = None
        self._waits.clear()

    def _asked_to_wait(self, asking: Asking, wait_s: float, now: float) -> None:
        rule = rule_of(self._kind, Told.WAIT)
        if rule.widened is None or rule.within_s is None or not asking.counts:
            return
        self._waits.pop(asking.connection, None)
        self._waits[asking.connection] = (now, now + wait_s)
        if len(self._waits) > rule.witnesses and self._held_until is None:  # those that say nothing any more
            kept = {who: each for who, each in self._waits.items() if now - each[0] < rule.within_s}
            self._waits = kept
        lately = [until - told for told, until in self._waits.values() if now - told < rule.within_s]
        if self._held_until is not None or rule.enough(len(lately), len(lately), None):
            self._held_until = now + host_wait_s(lately)

    def _has_failed(self, asking: Asking, told: Told, sent_at: float | None, now: float, of: int | None) -> None:
        self._failures += 1
        self._failed.add(asking.connection)
        self._failed_last = asking
        self._unanswered = told is Told.NO_ANSWER
        if self.hang is not None:
            if self.trial is not None and self.trial.asking.connection == asking.connection:
                self._tried_in_vain(self.hang, now, hung=self._unanswered and not asking.harmless)
        elif self._unanswered and self._kind is RequestKind.REFRESH and self._let_wait(sent_at, now):
            self._begin_hang(asking, now)
        elif self._down_until is not None:
            self._down_until = now + TRIED_AGAIN_AFTER_S
        else:
            self.decide(now, of)

    def _let_wait(self, sent_at: float | None, now: float) -> bool:
        """Whether one that was not answered was let wait, and not cut off, while no other was answered."""
        if sent_at is None:  # nobody said when it left
            return self._answered_at is None or now - self._answered_at >= HANGS_AFTER_S
        return hangs(sent_at, self._answered_at, now)

    def _begin_hang(self, asking: Asking, now: float) -> None:
        self.hang = Hang(asking, probe_at=now)
        self._down_until = None

    def _tried_in_vain(self, hang: Hang, now: float, *, hung: bool) -> None:
        hang.until = math.inf
        if hung:
            hang.hung += 1
            hang.probe_at = now + quiet_s(hang.hung)
        else:
            hang.probe_at = max(hang.probe_at, now + PROBED_EVERY_S)
