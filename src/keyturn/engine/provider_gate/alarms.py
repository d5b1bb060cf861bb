"""Alarms: a connector's own set-up is refused, its client, its grant or its scopes.

Rule 1: an alarm is of one connector version with one client, and of one class of requests.
Rule 2: one connection goes on asking, after 1, 2, 4 … 15 min; a token ends the alarm.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from keyturn.core.errors import KeyturnError, error_named
from keyturn.core.renewal.isolation import RequestKind, Told, rule_of
from keyturn.core.renewal.retry import quiet_s
from keyturn.engine.provider_gate.asking import Asking
from keyturn.engine.provider_gate.places import Place

KEPT: Final = 1024
TRIAL_AGAIN_S: Final = 1.0
Key = tuple[str, str, RequestKind]  # connector, version and client, class


@dataclass(slots=True)
class Alarm:
    """One that lasts. `since`: Unix seconds; `quiet_until`: monotonic. `trial`: who asks now."""

    code: str
    since: float
    quiet_until: float
    times: int = 1
    trial: Place | None = None


class Alarms:
    """Those of this process, and what may become one."""

    def __init__(self) -> None:
        self._lasting: dict[Key, Alarm] = {}
        self._refused: dict[Key, dict[tuple[Told, str], set[str]]] = {}  # by what and code: who was refused so

    def connectors(self) -> tuple[str, ...]:
        """The connectors that have one."""
        return tuple(dict.fromkeys(connector for connector, _, _ in self._lasting))

    def of(self, connector: str) -> Alarm | None:
        """The one of a connector that is asked again last."""
        found = [alarm for key, alarm in self._lasting.items() if key[0] == connector]
        return max(found, key=lambda each: each.quiet_until, default=None)

    def quiet(self, connector: str, now: float) -> tuple[int, float]:
        """How many versions and clients of a connector are not refreshed now, and when the first of them may be."""
        until = [
            alarm.quiet_until if now < alarm.quiet_until else now + TRIAL_AGAIN_S
            for (name, _, kind), alarm in self._lasting.items()
            if name == connector and kind is RequestKind.REFRESH and (now < alarm.quiet_until or alarm.trial)
        ]
        return len(until), min(until, default=now)

    def refusal(self, asking: Asking, now: float) -> KeyturnError | None:
        """Why a request may not be sent now, if so."""
        alarm = self._lasting.get(_key(asking)) if self._lasting else None
        if alarm is None:
            return None
        if now < alarm.quiet_until:
            return error_named(alarm.code, alarm.quiet_until - now)
        return error_named(alarm.code, TRIAL_AGAIN_S) if alarm.trial is not None else None

    def entered(self, place: Place) -> None:
        """One was given a place."""
        if self._lasting and (alarm := self._lasting.get(_key(place.asking))) is not None:
            alarm.trial = place

    def left(self, place: Place) -> None:
        """One gave its place back."""
        if self._lasting and (alarm := self._lasting.get(_key(place.asking))) is not None and alarm.trial is place:
            alarm.trial = None

    def token(self, asking: Asking) -> bool:
        """Its set-up works; returns whether an alarm ended."""
        if not self._refused and not self._lasting:
            return False
        self._refused.pop(_key(asking), None)
        return self._lasting.pop(_key(asking), None) is not None

    def refused(self, asking: Asking, told: Told, code: str, *, now: float, at: float, of: int | None) -> None:
        """One was refused with this code; `at` is `now` in Unix seconds. Refusals side by side count once."""
        key = _key(asking)
        witnesses = self._refused.pop(key, {})
        self._refused[key] = witnesses
        if len(self._refused) > KEPT:
            del self._refused[next(iter(self._refused))]
        of_code = witnesses.setdefault((told, code), set())
        if len(of_code) < rule_of(asking.kind, told).witnesses:
            of_code.add(asking.connection)
        alarm = self._lasting.get(key)
        if alarm is None:
            self.decide(asking, now=now, at=at, of=of)
        elif now >= alarm.quiet_until:
            times = alarm.times + 1
            self._lasting[key] = Alarm(code, alarm.since, now + quiet_s(times), times)

    def undecided(self, asking: Asking) -> bool:
        """Whether some were refused, and only the number of all connections decides what that means."""
        return _key(asking) in self._refused and _key(asking) not in self._lasting

    def decide(self, asking: Asking, *, now: float, at: float, of: int | None) -> None:
        """Begin an alarm where what was refused is evidence enough; `of`: how many connections there are."""
        key = _key(asking)
        for (told, code), witnesses in self._refused.get(key, {}).items():
            rule = rule_of(asking.kind, told)
            if key not in self._lasting and rule.enough(len(witnesses), len(witnesses), of):
                self._lasting[key] = Alarm(code, at, now + quiet_s(1))

    def end(self, connector: str, *, changed_at: float | None = None) -> bool:
        """End those of a connector; returns whether there was one. `changed_at`: none that began later."""
        ended = False
        for key in [each for each in (*self._lasting, *self._refused) if each[0] == connector]:
            alarm = self._lasting.get(key)
            if alarm is not None and changed_at is not None and alarm.since > changed_at:
                continue
            self._refused.pop(key, None)
            ended = self._lasting.pop(key, None) is not None or ended
        return ended


def _key(asking: Asking) -> Key:
    return asking.connector, asking.client, asking.kind
