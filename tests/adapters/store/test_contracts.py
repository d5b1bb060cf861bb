"""The stores on SQLite keep the promises of the ports."""

from __future__ import annotations

from keyturn.adapters.store.opening import Stores
from tests.contracts.abuse_contract import LoginStopsContract, LoginWatchContract, RateCountsContract
from tests.contracts.all_stores import AllStores
from tests.contracts.api_key_store_contract import ApiKeyStoreContract
from tests.contracts.attention_contract import AttentionContract, SinceContract
from tests.contracts.audit_chain_contract import AuditChainContract
from tests.contracts.audit_log_contract import AuditLogContract
from tests.contracts.call_times_contract import CallTimesContract
from tests.contracts.challenge_store_contract import ChallengeStoreContract
from tests.contracts.connection_store_contract import (
    AccountContract,
    ConnectionListContract,
    ConnectionStoreContract,
    DueContract,
    UseContract,
)
from tests.contracts.connector_store_contract import ConnectorStoreContract
from tests.contracts.event_store_contract import EventStoreContract
from tests.contracts.idempotency_store_contract import IdempotencyStoreContract
from tests.contracts.jobs_contract import JobsContract
from tests.contracts.lease_contract import LeaseContract
from tests.contracts.login_ledger_contract import LoginLedgerContract
from tests.contracts.overview_contract import OverviewContract
from tests.contracts.people_store_contract import PeopleStoreContract
from tests.contracts.person_link_store_contract import PersonLinkStoreContract
from tests.contracts.quiet_hours_contract import QuietHoursContract
from tests.contracts.renewal_store_contract import RenewalStoreContract
from tests.contracts.revocation_store_contract import RevocationStoreContract
from tests.contracts.session_store_contract import SessionStoreContract
from tests.contracts.spill_contract import SpillContract
from tests.contracts.webhook_store_contract import WebhookStoreContract


class TestSqlConnectionStore(
    ConnectionStoreContract, AccountContract, ConnectionListContract, UseContract, DueContract
):
    """ConnectionStore."""


class TestSqlRevocationStore(RevocationStoreContract):
    """RevocationStore."""


class TestFileSpill(SpillContract):
    """Spill."""


class TestSqlConnectorStore(ConnectorStoreContract):
    """ConnectorStore."""


class TestSqlLoginLedger(LoginLedgerContract):
    """LoginLedger."""


class TestSqlLoginWatch(LoginWatchContract):
    """LoginWatch."""


class TestSqlLoginStops(LoginStopsContract):
    """LoginStops."""


class TestSqlQuietHours(QuietHoursContract):
    """QuietHoursStore."""


class TestSqlRateCounts(RateCountsContract):
    """RateCounts."""


class TestSqlAuditLog(AuditLogContract):
    """AuditLog."""


class TestSqlAuditChain(AuditChainContract):
    """AuditChain."""


class TestSqlApiKeyStore(ApiKeyStoreContract):
    """ApiKeyStore."""


class TestSqlSessionStore(SessionStoreContract):
    """SessionStore."""


class TestSqlChallengeStore(ChallengeStoreContract):
    """ChallengeStore."""


class TestSqlIdempotencyStore(IdempotencyStoreContract):
    """IdempotencyStore."""


class TestSqlJobs(JobsContract):
    """Jobs."""


class TestSqlCallTimes(CallTimesContract):
    """CallTimesStore."""


class TestSqlAttention(AttentionContract):
    """ConnectionStore: what is wrong with a connection."""


class TestSqlSince(SinceContract):
    """ConnectionStore: since when it is so."""


class TestSqlOverview(OverviewContract):
    """Overview."""


class TestSqlPersonLinkStore(PersonLinkStoreContract):
    """PersonLinkStore."""


class TestSqlPeopleStore(PeopleStoreContract):
    """PeopleStore."""


class TestSqlWebhookStore(WebhookStoreContract):
    """WebhookStore."""


class TestSqlEventStore(EventStoreContract):
    """EventStore."""


class TestSqlRenewalStore(RenewalStoreContract):
    """RenewalStore."""


class TestSqliteLease(LeaseContract):
    """Lease."""


def test_the_store_has_every_port(stores: Stores) -> None:
    """mypy holds the attributes against the ports."""
    all_stores: AllStores = stores

    assert stores.connections is all_stores.connections
