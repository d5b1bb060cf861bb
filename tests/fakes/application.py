"""The whole application over fakes: real use cases, no file, no socket, no clock."""

from __future__ import annotations

from dataclasses import dataclass

from keyturn.adapters.catalogue.yaml_catalogue import YamlCatalogue
from keyturn.adapters.client_assertions import JwtAssertions
from keyturn.adapters.id_tokens import JoseIdTokens
from keyturn.adapters.suffix_list import load_public_suffixes
from keyturn.bootstrap.assembly import Ports, assemble
from keyturn.core.redaction.known import KnownSecrets
from keyturn.core.secret import Secret
from keyturn.engine.application import Application
from keyturn.engine.people.openid.relying import LINKS_ALONE, SignInSettings
from keyturn.ports.egress import Egress
from keyturn.ports.mail import Mailer
from tests.fakes.clock import FakeClock
from tests.fakes.egress import FakeEgress, FakeUpstream
from tests.fakes.entropy import FakeEntropy
from tests.fakes.stores import FakeStores

ADMIN_KEY = "an-admin-key-of-the-tests-0123456789"


@dataclass(frozen=True, slots=True)
class FakeWorld:
    """The application and the fakes under it."""

    application: Application
    stores: FakeStores
    egress: FakeEgress
    upstream: FakeUpstream
    clock: FakeClock
    entropy: FakeEntropy


def make_world(
    *,
    clock: FakeClock | None = None,
    egress: FakeEgress | None = None,
    upstream: FakeUpstream | None = None,
    offline_grace_s: float = 60.0,
    mailer: Mailer | None = None,
    sign_in: SignInSettings = LINKS_ALONE,
    way_out: Egress | None = None,
    return_origins: frozenset[str] = frozenset(),
) -> FakeWorld:
    """A fresh world; its admin API key is `ADMIN_KEY`. `way_out`: a real one, in the place of the scripted."""
    clock = clock or FakeClock()
    stores, entropy = FakeStores(clock), FakeEntropy()
    egress, upstream = egress or FakeEgress(insecure_http=True), upstream or FakeUpstream()
    ports = Ports(
        connections=stores.connections,
        revocations=stores.revocations,
        connectors=stores.connectors,
        client_assertions=JwtAssertions(clock, entropy),
        renewals=stores.renewals,
        processes=stores.processes,
        logins=stores.logins,
        login_watch=stores.login_watch,
        login_stops=stores.login_stops,
        quiet_hours=stores.quiet_hours,
        rate_counts=stores.rate_counts,
        audit=stores.audit,
        api_keys=stores.api_keys,
        sessions=stores.sessions,
        challenges=stores.challenges,
        idempotency=stores.idempotency,
        people=stores.people,
        person_links=stores.person_links,
        overview=stores.overview,
        call_times=stores.call_times,
        jobs=stores.jobs,
        webhooks=stores.webhooks,
        events=stores.events,
        keys=stores.keys,
        spill=stores.spill,
        chain=stores.chain,
        lease=stores.leases,
        egress=way_out or egress,
        upstream=upstream,
        id_tokens=JoseIdTokens(),
        catalogue=YamlCatalogue(),
        suffixes=load_public_suffixes(),
        clock=clock,
        entropy=entropy,
        mailer=mailer,
    )
    application = assemble(
        ports,
        known=KnownSecrets(),
        public_url="http://127.0.0.1:8800",
        return_origins=return_origins,
        admin_api_key=Secret(ADMIN_KEY),
        offline_grace_s=offline_grace_s,
        plain_http=True,
        sign_in=sign_in,
    )
    return FakeWorld(application, stores, egress, upstream, clock, entropy)
