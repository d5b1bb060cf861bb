"""Sending a mail: the kind of job `mail.send`.

Rule 1: what a mail says is looked up when it goes out: who has signed in again meanwhile is not in it, and where
nobody is left there is no mail.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from keyturn.core.connection import Connection, State
from keyturn.engine.jobs.job_kind import Progress
from keyturn.engine.mail import compose
from keyturn.engine.mail.mails import GROUPED, KIND
from keyturn.ports.jobs import Job
from keyturn.ports.mail import Mail, Mailer
from keyturn.ports.store import ConnectionStore
from keyturn.ports.webhooks.endpoints import WebhookStore
from keyturn.ports.webhooks.events import EventStore

MOST: Final = 1000
_STILL: Final[dict[str, Callable[[Connection], bool]]] = {
    "connection.needs_reconnect": lambda each: each.state is State.NEEDS_RECONNECT,
    "connection.expiring": lambda each: each.state is State.ACTIVE,
}


@dataclass(frozen=True, slots=True)
class SendMail:
    """The kind, and what it needs."""

    mailer: Mailer | None
    events: EventStore
    webhooks: WebhookStore
    connections: ConnectionStore
    public_url: str
    name: str = KIND
    delays_s: tuple[float, ...] = (60.0, 300.0, 900.0, 3600.0, 4 * 3600.0)

    async def run(self, job: Job, progress: Progress) -> None:
        """Send it, if there still is something to say; MailUnavailable is tried again by the delays."""
        mail = await self._mail(job)
        if self.mailer is not None and mail is not None:
            await self.mailer.send(mail)

    async def _mail(self, job: Job) -> Mail | None:
        about = job.arguments
        if about["type"] in GROUPED:
            return await self._grouped(job)
        event = await self.events.event(about["event"], project=job.project)
        if event is None:
            return None
        match event.type:
            case "audit.verification_failed":
                return compose.audit_failed(event, self.public_url)
            case "webhook.disabled":
                endpoint = await self.webhooks.load(event.object or "", project=job.project)
                return compose.webhook_disabled(event, endpoint, self.public_url)
            case _:
                return compose.connector_degraded(event, self.public_url)

    async def _grouped(self, job: Job) -> Mail | None:
        kind, connector = job.arguments["type"], job.arguments["connector"]
        found = await self.events.of_type(
            kind,
            connector=connector,
            since=job.arguments["since"],
            until=job.arguments["until"],
            limit=MOST,
            project=job.project,
        )
        still = []
        for connection_id in dict.fromkeys(each.object for each in found if each.object is not None):
            connection = await self.connections.shown(connection_id, project=job.project)
            if connection is not None and _STILL[kind](connection):
                still.append(connection)
        if not still:
            return None
        make = compose.needs_reconnect if kind == "connection.needs_reconnect" else compose.expiring
        return make(connector, still, self.public_url)
