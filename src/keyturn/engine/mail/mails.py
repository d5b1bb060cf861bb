"""Which mails follow from an event, and when they go out.

Rule 1: what concerns many connections goes out as one mail for each connector and hour, at the hour's end: a provider
that ends a thousand tokens writes one mail. What stands alone goes out at once.
Rule 2: a mail's id follows from what it is about, so that it goes out once, whoever adds it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Final

from keyturn.core.events.event import Event
from keyturn.engine.actor import SCHEDULER
from keyturn.ports.jobs import Job

KIND: Final = "mail.send"
HOUR_S: Final = 3600.0
LATE_S: Final = 60.0  # for what was written at the very end of an hour
GROUPED: Final = frozenset({"connection.needs_reconnect", "connection.expiring"})
ALONE: Final = frozenset({"audit.verification_failed", "webhook.disabled", "connector.degraded"})


@dataclass(frozen=True, slots=True)
class Mails:
    """`wanted`: the operator has set where mail goes."""

    wanted: bool

    def jobs_of(self, event: Event, now: float) -> list[Job]:
        """The mail that an event belongs to, if any; `now`: Unix seconds."""
        if not self.wanted:
            return []
        if event.type in GROUPED:
            hour = event.at // HOUR_S * HOUR_S
            about = {"type": event.type, "connector": event.connector, "since": hour, "until": hour + HOUR_S}
            return [_job(about, event.project, now, run_at=hour + HOUR_S + LATE_S)]
        if event.type in ALONE:
            return [_job({"type": event.type, "event": event.id}, event.project, now, run_at=now)]
        return []


def _job(about: dict[str, Any], project: str, now: float, *, run_at: float) -> Job:
    name = f"{project} {sorted(about.items())}"
    return Job(
        id=f"job_mail{hashlib.sha256(name.encode('utf-8', 'replace')).hexdigest()[:28]}",
        kind=KIND,
        created_at=now,
        run_at=run_at,
        arguments=about,
        created_by=SCHEDULER.name,
        project=project,
    )
