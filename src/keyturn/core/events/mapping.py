"""Which events follow from a record of the audit log, as one table.

Rule 1: the audit log is the only source: what is committed with its record is told, and nothing else is.
Rule 2: a row is looked up by the record's action; a rule beside it narrows it down.
Rule 3: `connection.recovered` follows from a success after a failure; whether there was one is asked of who keeps
that (`Failing`), so that this stays a function.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from keyturn.core.audit_record import AuditRecord

OK: Final = "ok"
# Words of the log that say of a send that nothing is known, or nothing was sent: neither success nor failure.
UNSAID: Final = frozenset({"unknown", "not_sent"})
BY_ITSELF: Final = "scheduler"
AFTER_CRASH: Final[Mapping[str, str]] = MappingProxyType({"after": "crash"})  # facts of what nobody has told yet
_SESSION: Final = "session:"


@dataclass(frozen=True, slots=True)
class Told:
    """An event that follows. `object`: the id that it is about."""

    type: str
    object: str | None
    code: str | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One rule: of an action, which event. `about`: where the object's id stands, a column or a fact."""

    type: str
    about: str
    when: Callable[[AuditRecord], bool] = lambda record: True


def _failed(record: AuditRecord) -> bool:
    return record.outcome != OK and record.outcome not in UNSAID


def _by_page(record: AuditRecord) -> bool:
    return record.actor.startswith(_SESSION) and _failed(record)


def _by_renewal(record: AuditRecord) -> bool:
    """A login with the kept password is a renewal, and says of which generation; a person's login does not."""
    return record.connection is not None and "generation" in record.facts and _failed(record)


def _after_crash(record: AuditRecord) -> bool:
    """After a lost answer that answer's own record has told."""
    return AFTER_CRASH.items() <= record.facts.items()


def _asked_for(record: AuditRecord) -> bool:
    return record.actor != BY_ITSELF


_ROWS: Final[Mapping[str, tuple[Row, ...]]] = {
    "session.claimed": (Row("session.opened", "session"),),
    "session.completed": (Row("session.completed", "session"),),
    "session.cancelled": (Row("session.exited", "session"),),
    "session.expired": (Row("session.expired", "session"),),
    "login.answered": (
        Row("session.failed", "actor", _by_page),
        Row("connection.renewal_failed", "connection", _by_renewal),
    ),
    "login.refused": (Row("session.failed", "actor", _by_page),),
    "refresh.answered": (Row("connection.renewal_failed", "connection", _failed),),
    "connection.created": (Row("connection.created", "connection"),),
    "connection.renewed": (Row("connection.renewed", "connection"),),
    "connection.uncertain": (Row("connection.renewal_failed", "connection", _after_crash),),
    "connection.expiring": (Row("connection.expiring", "connection"),),
    "connection.needs_reconnect": (Row("connection.needs_reconnect", "connection"),),
    "connection.reconnected": (Row("connection.reconnected", "connection"),),
    "connection.version_moved": (Row("connection.version_moved", "connection"),),
    "connection.tested": (Row("connection.test_failed", "connection", _failed),),
    "connection.paused": (Row("connection.paused", "connection"),),
    "connection.disconnected": (Row("connection.disconnected", "connection"),),
    "connection.token_vended": (Row("connection.token_vended", "connection"),),
    "connector.published": (Row("connector.published", "connector"),),
    "connector.degraded": (Row("connector.degraded", "connector"),),
    "connector.recovered": (Row("connector.recovered", "connector"),),
    "job.finished": (Row("job.finished", "job", _asked_for),),
    "key.rotated": (Row("key.rotated", "key"),),
    "audit.verification_failed": (Row("audit.verification_failed", "seq"),),
    "webhook.disabled": (Row("webhook.disabled", "webhook"),),
}
SOURCES: Final = frozenset(row.type for rows in _ROWS.values() for row in rows)
RECOVERED: Final = "connection.recovered"
_FAILS: Final = frozenset({"connection.renewal_failed", "connection.test_failed"})
_WORKS: Final = frozenset({"connection.renewed", "connection.reconnected"})
_ENDS: Final = frozenset({"connection.disconnected"})


def events_of(record: AuditRecord) -> list[Told]:
    """The events that follow from a record by itself."""
    return [
        Told(row.type, _object_of(record, row.about), record.outcome if record.outcome != OK else None)
        for row in _ROWS.get(record.action, ())
        if row.when(record)
    ]


class Failing:
    """Follows which connections fail, along the records; `known` are those that did before."""

    def __init__(self, known: frozenset[str]) -> None:
        self._known = known
        self.still = set(known)

    def take(self, record: AuditRecord, told: list[Told]) -> Told | None:
        """Take the next record; returns that its connection works again, where that follows."""
        connection = record.connection
        if connection is None:
            return None
        types = {each.type for each in told}
        if types & _FAILS:
            self.still.add(connection)
        works = types & _WORKS or (record.action == "connection.tested" and record.outcome == OK)
        if types & _ENDS or works:
            failed = connection in self.still
            self.still.discard(connection)
            return Told(RECOVERED, connection) if works and failed else None
        return None

    @property
    def added(self) -> frozenset[str]:
        """Those that fail now and did not before."""
        return frozenset(self.still - self._known)

    @property
    def removed(self) -> frozenset[str]:
        """Those that failed before and do not now."""
        return self._known - frozenset(self.still)


def _object_of(record: AuditRecord, about: str) -> str | None:
    if about == "connection":
        return record.connection
    if about == "connector":
        return record.connector
    if about == "actor":
        return record.actor.removeprefix(_SESSION)
    found = record.facts.get(about)
    return None if found is None else str(found)
