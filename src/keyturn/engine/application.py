"""Everything that a door can do, in one frozen value: bootstrap builds it, the doors are handed it."""

from __future__ import annotations

from dataclasses import dataclass

from keyturn.engine.abuse.guards import Guards
from keyturn.engine.api_keys import ApiKeys
from keyturn.engine.audit.auditing import Auditing
from keyturn.engine.builder.builder import Builder
from keyturn.engine.calls.ask_api import AskApi
from keyturn.engine.calls.calls import Calls
from keyturn.engine.calls.hand_out import HandOut
from keyturn.engine.edit_connector import EditConnector
from keyturn.engine.jobs.bulk.bulk_jobs import BulkJobs
from keyturn.engine.jobs.run_jobs import RunJobs
from keyturn.engine.keys.manage_keys import ManageKeys
from keyturn.engine.login.answer_challenge import Challenges
from keyturn.engine.login.connect import Connect
from keyturn.engine.login.connect_sessions import ConnectSessions
from keyturn.engine.login.revoke_session import RevokeSession
from keyturn.engine.migration.plan_migration import PlanMigration
from keyturn.engine.observing.call_times import CallTimes
from keyturn.engine.operating.set_quiet_hours import SetQuietHours
from keyturn.engine.overview.attention_bounds import ReadAttentionBounds
from keyturn.engine.overview.board import ReadBoard
from keyturn.engine.pause import Pause
from keyturn.engine.people.openid.sign_in import OpenIdSignIn
from keyturn.engine.people.people import People
from keyturn.engine.person.person_links import PersonLinks
from keyturn.engine.provider_gate import ProviderGate
from keyturn.engine.published import PublishedConnectors
from keyturn.engine.renewal.presence import Presence
from keyturn.engine.renewal.renew import Renewals
from keyturn.engine.revocation.disconnect import Disconnect
from keyturn.engine.revocation.erase_owner import EraseOwner
from keyturn.engine.scheduler import Scheduler
from keyturn.engine.stopping import Stopping
from keyturn.engine.test_connection import TestConnection
from keyturn.engine.webhooks.endpoints import Webhooks
from keyturn.ports.access.idempotency import IdempotencyStore
from keyturn.ports.clock import Clock, Entropy
from keyturn.ports.egress import Upstream
from keyturn.ports.jobs import Jobs
from keyturn.ports.overview import Overview
from keyturn.ports.store import AuditLog, ConnectionStore, ConnectorStore, SessionStore


@dataclass(frozen=True, slots=True)
class Application:
    """The use cases, and the stores that doors may read.

    `public_url`: where people reach this instance, without a slash at its end. `openid`: None where people sign in by
    links alone.
    """

    connect: Connect
    challenges: Challenges
    connect_sessions: ConnectSessions
    revoke_session: RevokeSession
    renewals: Renewals
    test_connection: TestConnection
    disconnect: Disconnect
    erase_owner: EraseOwner
    pause: Pause
    calls: Calls
    ask_api: AskApi
    hand_out: HandOut
    edit_connector: EditConnector
    builder: Builder
    api_keys: ApiKeys
    guards: Guards
    people: People
    person_links: PersonLinks
    scheduler: Scheduler
    run_jobs: RunJobs
    run_deliveries: RunJobs
    webhooks: Webhooks
    keys: ManageKeys
    bulk_jobs: BulkJobs
    plan_migration: PlanMigration
    attention_bounds: ReadAttentionBounds
    published: PublishedConnectors
    gate: ProviderGate
    connections: ConnectionStore
    connectors: ConnectorStore
    sessions: SessionStore
    overview: Overview
    quiet_hours: SetQuietHours
    board: ReadBoard
    call_times: CallTimes
    audit: AuditLog
    auditing: Auditing
    idempotency: IdempotencyStore
    jobs: Jobs
    upstream: Upstream
    clock: Clock
    entropy: Entropy
    stopping: Stopping
    presence: Presence
    public_url: str
    operator_name: str = ""
    openid: OpenIdSignIn | None = None
