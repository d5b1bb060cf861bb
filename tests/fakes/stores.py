"""All stores in memory, over one database that a test can switch off."""

from __future__ import annotations

from tests.fakes.abuse import FakeLoginStops, FakeLoginWatch, FakeRateCounts
from tests.fakes.audit import FakeAuditChain
from tests.fakes.call_times import FakeCallTimes
from tests.fakes.challenges import FakeChallengeStore
from tests.fakes.clock import FakeClock
from tests.fakes.connections import FakeConnectionStore, FakeRevocationStore, FakeSpill
from tests.fakes.connectors import FakeConnectorStore
from tests.fakes.database import FakeDatabase
from tests.fakes.jobs import FakeJobs
from tests.fakes.key_custody import FakeKeyCustody
from tests.fakes.leases import FakeLease
from tests.fakes.logins import FakeLoginLedger
from tests.fakes.overview import FakeOverview
from tests.fakes.people import FakePeopleStore
from tests.fakes.person_links import FakePersonLinkStore
from tests.fakes.quiet_hours import FakeQuietHoursStore
from tests.fakes.records import FakeApiKeyStore, FakeAuditLog, FakeIdempotencyStore, FakeSessionStore
from tests.fakes.renewals import FakeProcesses, FakeRenewalStore
from tests.fakes.webhooks import FakeEventStore, FakeWebhookStore


class FakeStores:
    """One attribute for each port, named as those of the real thing."""

    def __init__(self, clock: FakeClock | None = None) -> None:
        self.clock = clock or FakeClock()
        self.database = FakeDatabase()
        self.leases = FakeLease(self.database, self.clock)
        self.revocations = FakeRevocationStore(self.database)
        self.connections = FakeConnectionStore(self.database, self.revocations, self.leases)
        self.spill = FakeSpill()
        self.connectors = FakeConnectorStore(self.database)
        self.logins = FakeLoginLedger(self.database)
        self.renewals = FakeRenewalStore(self.database, self.connections, self.logins, self.leases)
        self.processes = FakeProcesses(self.database)
        self.login_watch = FakeLoginWatch(self.database)
        self.login_stops = FakeLoginStops(self.database)
        self.quiet_hours = FakeQuietHoursStore(self.database)
        self.rate_counts = FakeRateCounts(self.database)
        self.audit = FakeAuditLog(self.database)
        self.chain = FakeAuditChain(self.database, self.connections.rows, self._forget)
        self.api_keys = FakeApiKeyStore(self.database)
        self.sessions = FakeSessionStore(self.database)
        self.challenges = FakeChallengeStore(self.database)
        self.idempotency = FakeIdempotencyStore(self.database)
        self.people = FakePeopleStore(self.database)
        self.person_links = FakePersonLinkStore(self.database)
        self.jobs = FakeJobs(self.database)
        self.call_times = FakeCallTimes(self.database)
        self.webhooks = FakeWebhookStore(self.database, self.jobs)
        self.overview = FakeOverview(
            self.database, self.connections.rows, self.sessions, self.connections.calls, self.webhooks.rows
        )
        self.events = FakeEventStore(self.database, self.webhooks, self.jobs, self.sessions)
        self.keys = FakeKeyCustody(self.database, self.connections)

    def _forget(self, owner: str, project: str, subject: str) -> int:
        gone = self.sessions.forget(owner, project) + self.challenges.forget(owner, project)
        return gone + self.jobs.rename(owner, project, subject) + self.api_keys.rename(owner, project, subject)

    async def ping(self) -> None:
        """Raise StoreUnavailable where the database is gone."""
        await self.database.read()

    async def close(self) -> None:
        """Nothing to close."""
