"""What every contract is given: all stores over one database."""

from __future__ import annotations

from typing import Protocol

from keyturn.ports.access.abuse import LoginStops, LoginWatch, RateCounts
from keyturn.ports.access.api_keys import ApiKeyStore
from keyturn.ports.access.idempotency import IdempotencyStore
from keyturn.ports.access.person_links import PersonLinkStore
from keyturn.ports.audit import AuditChain
from keyturn.ports.challenges import ChallengeStore
from keyturn.ports.jobs import Jobs
from keyturn.ports.key_custody import KeyCustody
from keyturn.ports.lease import Lease
from keyturn.ports.observing.call_times import CallTimesStore
from keyturn.ports.operating.quiet_hours import QuietHoursStore
from keyturn.ports.overview import Overview
from keyturn.ports.people import PeopleStore
from keyturn.ports.renewals import Processes, RenewalStore
from keyturn.ports.store import (
    AuditLog,
    ConnectionStore,
    ConnectorStore,
    LoginLedger,
    RevocationStore,
    SessionStore,
    Spill,
)
from keyturn.ports.webhooks.endpoints import WebhookStore
from keyturn.ports.webhooks.events import EventStore


class AllStores(Protocol):
    """One attribute for each port."""

    @property
    def connections(self) -> ConnectionStore:
        """Connections."""
        ...

    @property
    def revocations(self) -> RevocationStore:
        """Revocations that are due or will be."""
        ...

    @property
    def spill(self) -> Spill:
        """Token sets that could not be stored."""
        ...

    @property
    def connectors(self) -> ConnectorStore:
        """Connectors."""
        ...

    @property
    def logins(self) -> LoginLedger:
        """The login budget."""
        ...

    @property
    def login_watch(self) -> LoginWatch:
        """Which accounts were refused."""
        ...

    @property
    def login_stops(self) -> LoginStops:
        """Whose logins are stopped."""
        ...

    @property
    def quiet_hours(self) -> QuietHoursStore:
        """Connectors' quiet hours."""
        ...

    @property
    def rate_counts(self) -> RateCounts:
        """What all processes counted."""
        ...

    @property
    def audit(self) -> AuditLog:
        """The audit log."""
        ...

    @property
    def chain(self) -> AuditChain:
        """The audit log as a chain."""
        ...

    @property
    def api_keys(self) -> ApiKeyStore:
        """API keys."""
        ...

    @property
    def sessions(self) -> SessionStore:
        """Connect sessions."""
        ...

    @property
    def person_links(self) -> PersonLinkStore:
        """Links to one connection."""
        ...

    @property
    def challenges(self) -> ChallengeStore:
        """Challenges that wait."""
        ...

    @property
    def idempotency(self) -> IdempotencyStore:
        """Stored replies."""
        ...

    @property
    def keys(self) -> KeyCustody:
        """Wrapping keys."""
        ...

    @property
    def jobs(self) -> Jobs:
        """The queue of jobs."""
        ...

    @property
    def renewals(self) -> RenewalStore:
        """The two commits of a renewal."""
        ...

    @property
    def processes(self) -> Processes:
        """The processes that live."""
        ...

    @property
    def leases(self) -> Lease:
        """Leases."""
        ...

    @property
    def webhooks(self) -> WebhookStore:
        """Webhook endpoints and deliveries."""
        ...

    @property
    def events(self) -> EventStore:
        """Events, and the cursor along the audit log."""
        ...

    @property
    def people(self) -> PeopleStore:
        """People who sign in to the console."""
        ...

    @property
    def call_times(self) -> CallTimesStore:
        """How long calls took."""
        ...

    @property
    def overview(self) -> Overview:
        """Counts and groups."""
        ...
