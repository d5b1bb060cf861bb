"""Events, endpoints and deliveries in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from keyturn.core.audit_record import AuditRecord
from keyturn.core.events.event import Event
from keyturn.core.events.health import Tally
from keyturn.ports.jobs import Job
from keyturn.ports.store import ConnectSession, RevisionConflict
from keyturn.ports.webhooks.endpoints import Delivery, DeliveryState, Endpoint, EndpointChange, EndpointSecrets
from keyturn.ports.webhooks.events import Follow, Sends
from tests.fakes.cursors import page_of
from tests.fakes.database import FakeDatabase
from tests.fakes.jobs import FakeJobs
from tests.fakes.records import FakeSessionStore


class FakeWebhookStore:
    """Promises: `tests/contracts/webhook_store_contract.py`."""

    def __init__(self, database: FakeDatabase, jobs: FakeJobs) -> None:
        self._database = database
        self._jobs = jobs
        self._endpoints: dict[str, Endpoint] = {}
        self._secrets: dict[str, EndpointSecrets] = {}
        self.rows: dict[str, Delivery] = {}

    async def add(
        self, endpoint: Endpoint, secrets: EndpointSecrets, *, records: Sequence[AuditRecord] = ()
    ) -> Endpoint:
        """Add one."""
        await self._database.write("webhooks.add")
        self._database.log(records)
        self._endpoints[endpoint.id], self._secrets[endpoint.id] = endpoint, secrets
        return endpoint

    async def load(self, endpoint_id: str, *, project: str = "default") -> Endpoint | None:
        """Read one."""
        await self._database.read()
        found = self._endpoints.get(endpoint_id)
        return found if found is not None and found.project == project else None

    async def secrets(self, endpoint: Endpoint) -> EndpointSecrets | None:
        """Open its secrets."""
        await self._database.read()
        return self._secrets.get(endpoint.id)

    def lose_secrets(self, endpoint_id: str) -> None:
        """As where their key was given up."""
        del self._secrets[endpoint_id]

    async def list(self, *, project: str | None = "default") -> Sequence[Endpoint]:
        """Oldest first."""
        await self._database.read()
        found = [each for each in self._endpoints.values() if project in (None, each.project)]
        return tuple(sorted(found, key=lambda each: (each.created_at, each.id)))

    async def save(self, change: EndpointChange, *, records: Sequence[AuditRecord] = ()) -> Endpoint:
        """Write over the row with this revision."""
        endpoint = change.endpoint
        await self._database.write("webhooks.save")
        stored = self._endpoints.get(endpoint.id)
        if stored is None or (stored.project, stored.revision) != (endpoint.project, endpoint.revision):
            raise RevisionConflict("the endpoint was written by another")
        self._database.log(records)
        self._endpoints[endpoint.id] = replace(endpoint, revision=endpoint.revision + 1)
        if change.secrets is not None:
            self._secrets[endpoint.id] = change.secrets
        return self._endpoints[endpoint.id]

    async def remove(self, endpoint_id: str, *, records: Sequence[AuditRecord] = (), project: str = "default") -> bool:
        """Take one away with its deliveries."""
        await self._database.write("webhooks.remove")
        stored = self._endpoints.get(endpoint_id)
        if stored is None or stored.project != project:
            return False
        self._database.log(records)
        del self._endpoints[endpoint_id]
        self._secrets.pop(endpoint_id, None)
        self.rows = {key: each for key, each in self.rows.items() if each.endpoint != endpoint_id}
        return True

    async def disable(self, endpoint: Endpoint, code: str, *, records: Sequence[AuditRecord] = ()) -> bool:
        """Disable one that is enabled."""
        await self._database.write("webhooks.disable")
        stored = self._endpoints.get(endpoint.id)
        if stored is None or not stored.enabled or stored.project != endpoint.project:
            return False
        self._database.log(records)
        changed = replace(stored, enabled=False, disabled_code=code, revision=stored.revision + 1)
        self._endpoints[endpoint.id] = changed
        return True

    async def add_delivery(self, delivery: Delivery, *, job: Job | None = None) -> None:
        """Add one, with its job."""
        await self._database.write("webhooks.add_delivery")
        self.rows[delivery.id] = delivery
        if job is not None:
            self._jobs.put(job)

    async def delivery(self, delivery_id: str, *, project: str = "default") -> Delivery | None:
        """Read one."""
        await self._database.read()
        found = self.rows.get(delivery_id)
        return found if found is not None and found.project == project else None

    async def deliveries(
        self, endpoint_id: str, *, cursor: str | None = None, limit: int = 50, project: str = "default"
    ) -> tuple[Sequence[Delivery], str | None]:
        """Newest first."""
        await self._database.read()
        found = [each for each in self.rows.values() if (each.endpoint, each.project) == (endpoint_id, project)]
        ordered = sorted(found, key=lambda each: (each.created_at, each.id), reverse=True)
        return page_of([(each.id, each) for each in ordered], cursor, limit)

    async def note(self, delivery: Delivery) -> float | None:
        """Write what came of a try."""
        await self._database.write("webhooks.note")
        if delivery.id in self.rows:
            self.rows[delivery.id] = delivery
        endpoint = self._endpoints.get(delivery.endpoint)
        if delivery.state is DeliveryState.DROPPED or endpoint is None:
            return None
        delivered = delivery.state is DeliveryState.DELIVERED
        began = endpoint.failing_since if endpoint.failing_since is not None else delivery.tried_at
        self._endpoints[endpoint.id] = replace(endpoint, failing_since=None if delivered else began)
        return self._endpoints[endpoint.id].failing_since

    async def purge(self, *, created_before: float) -> int:
        """Take older deliveries away."""
        await self._database.write("webhooks.purge")
        before = len(self.rows)
        self.rows = {key: each for key, each in self.rows.items() if each.created_at >= created_before}
        return before - len(self.rows)


class FakeEventStore:
    """Promises: `tests/contracts/event_store_contract.py`."""

    def __init__(
        self, database: FakeDatabase, webhooks: FakeWebhookStore, jobs: FakeJobs, sessions: FakeSessionStore
    ) -> None:
        self._database = database
        self._webhooks = webhooks
        self._jobs = jobs
        self._sessions = sessions
        self._position: int | None = None
        self._failing: set[str] = set()
        self._said: dict[str, float] = {}
        self._tallies: dict[Sends, Tally] = {}
        self.rows: list[Event] = []

    async def position(self) -> int | None:
        """The cursor."""
        await self._database.read()
        return self._position

    async def begin(self, seq: int) -> None:
        """Set the cursor where there is none."""
        await self._database.write("events.begin")
        if self._position is None:
            self._position = seq

    async def follow(self, follow: Follow, *, after: int, until: int) -> bool:
        """Move the cursor, and write what follows."""
        await self._database.write("events.follow")
        if self._position != after:
            return False
        self._position = until
        self.rows += follow.events
        self._webhooks.rows |= {each.id: each for each in follow.deliveries}
        for job in follow.jobs:
            self._jobs.put(job)
        self._failing = (self._failing | follow.failing) - follow.working
        for sends, tally in follow.tallies.items():
            self._tallies[sends] = self._tallies.get(sends, Tally()).plus(tally)
        return True

    async def failing(self, connections: Sequence[str]) -> frozenset[str]:
        """Those of these that failed last."""
        await self._database.read()
        return frozenset(self._failing) & frozenset(connections)

    async def event(self, event_id: str, *, project: str = "default") -> Event | None:
        """Read one."""
        await self._database.read()
        return next((each for each in self.rows if (each.id, each.project) == (event_id, project)), None)

    async def newest(self, *, project: str = "default") -> int:
        """The newest place."""
        await self._database.read()
        return max((each.place for each in self.rows if each.project == project), default=0)

    async def since(
        self, place: int, *, limit: int, types: frozenset[str] | None = None, connectors: frozenset[str] | None = None,
        owners: frozenset[str] | None = None, project: str = "default",
    ) -> Sequence[Event]:  # fmt: skip
        """Oldest first."""
        await self._database.read()
        found = [
            each
            for each in sorted(self.rows, key=lambda each: each.place)
            if each.place > place
            and each.project == project
            and (types is None or each.type in types)
            and (connectors is None or each.connector in connectors)
            and (owners is None or each.owner in owners)
        ]
        return tuple(found[:limit])

    async def of_type(
        self, event_type: str, *, connector: str | None, since: float, until: float, limit: int, project: str
    ) -> Sequence[Event]:
        """Oldest first."""
        found = await self.since(0, limit=len(self.rows), types=frozenset({event_type}), project=project)
        return tuple(each for each in found if since <= each.at < until and connector in (None, each.connector))[:limit]

    async def tallies(self, *, since: float) -> Mapping[tuple[str, str], Tally]:
        """Sends by project and connector."""
        await self._database.read()
        found: dict[tuple[str, str], Tally] = {}
        for sends, tally in sorted(self._tallies.items(), key=lambda each: each[0].bucket):
            if sends.bucket >= since:
                key = (sends.project, sends.connector)
                found[key] = found.get(key, Tally()).plus(tally)
        return found

    async def say_once(self, what: str, *, at: float, records: Sequence[AuditRecord]) -> bool:
        """Mark it, and write the records."""
        await self._database.write("events.say_once")
        if what in self._said:
            return False
        self._said[what] = at
        self._database.log(records)
        return True

    async def unsay(self, what: str, *, records: Sequence[AuditRecord] = ()) -> bool:
        """Take the mark away, and write the records."""
        await self._database.write("events.unsay")
        if self._said.pop(what, None) is None:
            return False
        self._database.log(records)
        return True

    async def lapsed(self, *, after: float, until: float) -> Sequence[ConnectSession]:
        """Sessions that ended by time in between."""
        return await self._sessions.lapsed(after=after, until=until)

    async def purge(self, *, before: float, tallies_before: float) -> int:
        """Take away what is older."""
        await self._database.write("events.purge")
        number = len(self.rows)
        self.rows = [each for each in self.rows if each.at >= before]
        self._said = {what: at for what, at in self._said.items() if at >= before}
        self._tallies = {sends: tally for sends, tally in self._tallies.items() if sends.bucket >= tallies_before}
        return number - len(self.rows)
