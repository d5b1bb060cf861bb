"""Following the audit log: what was committed becomes events, deliveries and mails, each once.

Rule 1: the cursor moves in the transaction that writes what follows; of several processes one works on each record,
and a process that dies has lost nothing.
Rule 2: what follows at the first start is what is written from then on.
Rule 3: an event of a type that is off by default is kept only where an endpoint chose it: renewals are most of what a
busy broker does.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from keyturn.core.audit_record import AuditRecord
from keyturn.core.events.catalogue import EVENT_TYPES, wants
from keyturn.core.events.event import Event
from keyturn.core.events.health import BUCKET_S, Tally, tally_of
from keyturn.core.events.mapping import Failing, Told, events_of
from keyturn.engine.mail.mails import Mails
from keyturn.engine.webhooks.deliver import delivery_job
from keyturn.ports.clock import Clock, Entropy
from keyturn.ports.store import AuditLog, ConnectionStore
from keyturn.ports.webhooks.endpoints import Delivery, Endpoint, WebhookStore
from keyturn.ports.webhooks.events import EventStore, Follow, Sends

AT_ONCE: Final = 200
EVENTS_OF_A_RECORD: Final = 4  # room in the numbering: at most three follow from one


class FollowEvents:
    """One process's follower; any number may run."""

    def __init__(
        self,
        audit: AuditLog,
        events: EventStore,
        webhooks: WebhookStore,
        connections: ConnectionStore,
        mails: Mails,
        clock: Clock,
        entropy: Entropy,
    ) -> None:
        self._audit = audit
        self._events = events
        self._webhooks = webhooks
        self._connections = connections
        self._mails = mails
        self._clock = clock
        self._entropy = entropy

    async def look(self) -> None:
        """Follow what was written since.

        Raises:
            StoreUnavailable: what was not followed is followed at the next look.
        """
        after = await self._events.position()
        if after is None:
            await self._events.begin(await self._audit.newest())
            return
        while found := await self._audit.since(after, limit=AT_ONCE):
            until = found[-1][0]
            if not await self._events.follow(await self._what_follows(found), after=after, until=until):
                return  # another process is at it
            after = until

    async def _what_follows(self, found: Sequence[tuple[int, AuditRecord]]) -> Follow:
        endpoints = [each for each in await self._webhooks.list(project=None) if each.enabled]
        told, failing, tallies = await self._told(found)
        events = [
            await self._event(seq * EVENTS_OF_A_RECORD + n, record, each)
            for seq, record, several in told
            for n, each in enumerate(several)
            if EVENT_TYPES[each.type].usual or any(wants(endpoint.events, each.type) for endpoint in endpoints)
        ]
        deliveries = [delivery for event in events for delivery in self._deliveries(event, endpoints)]
        now = self._clock.now()
        jobs = [delivery_job(each, now) for each in deliveries]
        jobs += [job for event in events for job in self._mails.jobs_of(event, now)]
        return Follow(events, deliveries, jobs, failing.added, failing.removed, tallies)

    async def _told(
        self, found: Iterable[tuple[int, AuditRecord]]
    ) -> tuple[list[tuple[int, AuditRecord, list[Told]]], Failing, dict[Sends, Tally]]:
        mapped = [(seq, record, events_of(record)) for seq, record in found]
        about = {record.connection for _, record, _ in mapped if record.connection is not None}
        failing = Failing(await self._events.failing(sorted(about)))
        tallies: dict[Sends, Tally] = {}
        for _, record, several in mapped:
            again = failing.take(record, several)
            if again is not None:
                several.append(again)
            tally = tally_of(record)
            if tally is not None and record.connector is not None:
                sends = Sends(record.project, record.connector, record.at // BUCKET_S * BUCKET_S)
                tallies[sends] = tallies.get(sends, Tally()).plus(tally)
        return mapped, failing, tallies

    async def _event(self, place: int, record: AuditRecord, told: Told) -> Event:
        state = None
        if told.type.startswith("connection.") and told.object is not None:
            connection = await self._connections.shown(told.object, project=record.project)
            state = connection.shown_state if connection is not None else None
        return Event(
            self._entropy.identifier("evt"),
            told.type,
            record.at,
            place,
            told.object,
            record.connector,
            record.owner,
            state,
            told.code,
            record.project,
        )

    def _deliveries(self, event: Event, endpoints: Iterable[Endpoint]) -> list[Delivery]:
        return [
            Delivery(
                self._entropy.identifier("dlv"),
                each.id,
                event.id,
                event.type,
                self._clock.now(),
                project=event.project,
            )
            for each in endpoints
            if each.project == event.project and wants(each.events, event.type) and each.id != event.object
        ]
