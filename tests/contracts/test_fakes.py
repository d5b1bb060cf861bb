"""The in-memory fakes keep the promises of the ports."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from keyturn.ports.keys import KeyProvider
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
from tests.contracts.key_custody_contract import KeyCustodyContract
from tests.contracts.key_provider_contract import KeyProviderContract
from tests.contracts.lease_contract import LeaseContract, Pass
from tests.contracts.login_ledger_contract import LoginLedgerContract
from tests.contracts.overview_contract import OverviewContract
from tests.contracts.people_store_contract import PeopleStoreContract
from tests.contracts.person_link_store_contract import PersonLinkStoreContract
from tests.contracts.quiet_hours_contract import QuietHoursContract
from tests.contracts.renewal_store_contract import AsProcess, RenewalStoreContract
from tests.contracts.revocation_store_contract import RevocationStoreContract
from tests.contracts.session_store_contract import SessionStoreContract
from tests.contracts.spill_contract import SpillContract
from tests.contracts.webhook_store_contract import WebhookStoreContract
from tests.fakes.clock import FakeClock
from tests.fakes.keys import FakeKeyProvider
from tests.fakes.stores import FakeStores


@pytest.fixture(name="clock")
def _clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(name="stores")
def _stores(clock: FakeClock) -> AllStores:
    return FakeStores(clock)


@pytest.fixture(name="pass_time")
def _pass_time(clock: FakeClock) -> Pass:
    return clock.advance


@pytest.fixture(name="as_process")
def _as_process(stores: FakeStores) -> AsProcess:
    @contextmanager
    def another(who: str) -> Iterator[None]:
        yield
        if who != "another container":
            stores.leases.holder_dies()

    return another


@pytest.fixture(name="keys")
def _keys() -> KeyProvider:
    return FakeKeyProvider()


@pytest.fixture(name="other_keys")
def _other_keys() -> KeyProvider:
    return FakeKeyProvider("fake-key-2")


class TestFakeConnectionStore(
    ConnectionStoreContract, AccountContract, ConnectionListContract, UseContract, DueContract
):
    """ConnectionStore."""


class TestFakeRevocationStore(RevocationStoreContract):
    """RevocationStore."""


class TestFakeSpill(SpillContract):
    """Spill."""


class TestFakeConnectorStore(ConnectorStoreContract):
    """ConnectorStore."""


class TestFakeLoginLedger(LoginLedgerContract):
    """LoginLedger."""


class TestFakeLoginWatch(LoginWatchContract):
    """LoginWatch."""


class TestFakeLoginStops(LoginStopsContract):
    """LoginStops."""


class TestFakeQuietHours(QuietHoursContract):
    """QuietHoursStore."""


class TestFakeRateCounts(RateCountsContract):
    """RateCounts."""


class TestFakeKeyCustody(KeyCustodyContract):
    """KeyCustody."""


class TestFakeAuditLog(AuditLogContract):
    """AuditLog."""


class TestFakeAuditChain(AuditChainContract):
    """AuditChain."""


class TestFakeApiKeyStore(ApiKeyStoreContract):
    """ApiKeyStore."""


class TestFakeSessionStore(SessionStoreContract):
    """SessionStore."""


class TestFakeChallengeStore(ChallengeStoreContract):
    """ChallengeStore."""


class TestFakeIdempotencyStore(IdempotencyStoreContract):
    """IdempotencyStore."""


class TestFakeJobs(JobsContract):
    """Jobs."""


class TestFakeRenewalStore(RenewalStoreContract):
    """RenewalStore."""


class TestFakeLease(LeaseContract):
    """Lease."""


class TestFakeKeyProvider(KeyProviderContract):
    """KeyProvider."""


class TestFakeCallTimes(CallTimesContract):
    """CallTimesStore."""


class TestFakeAttention(AttentionContract):
    """ConnectionStore: what is wrong with a connection."""


class TestFakeSince(SinceContract):
    """ConnectionStore: since when it is so."""


class TestFakeOverview(OverviewContract):
    """Overview."""


class TestFakePersonLinkStore(PersonLinkStoreContract):
    """PersonLinkStore."""


class TestFakePeopleStore(PeopleStoreContract):
    """PeopleStore."""


class TestFakeWebhookStore(WebhookStoreContract):
    """WebhookStore."""


class TestFakeEventStore(EventStoreContract):
    """EventStore."""
