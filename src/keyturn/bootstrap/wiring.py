"""The application over the real adapters. Names them; decides nothing."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog

from keyturn.adapters.anchor_file import JsonAnchorFile
from keyturn.adapters.catalogue.yaml_catalogue import YamlCatalogue
from keyturn.adapters.client_assertions import JwtAssertions
from keyturn.adapters.egress.client import HttpEgress
from keyturn.adapters.egress.dialling import EgressAllowances
from keyturn.adapters.egress.mail import SmtpMailer, mail_server
from keyturn.adapters.egress.resolver import SystemResolver
from keyturn.adapters.egress.syslog import SyslogSink, syslog_address
from keyturn.adapters.egress.tunnel import egress_proxy
from keyturn.adapters.egress.upstream import PooledUpstream
from keyturn.adapters.id_tokens import JoseIdTokens
from keyturn.adapters.keys.key_setting import key_ring_from
from keyturn.adapters.store.opening import Stores, holds_sealed_rows, open_store
from keyturn.adapters.suffix_list import load_public_suffixes
from keyturn.bootstrap.assembly import Ports, assemble
from keyturn.bootstrap.observing.record_counts import RecordCounts, counted
from keyturn.bootstrap.observing.tracing import open_tracing, traced
from keyturn.bootstrap.settings import Settings
from keyturn.bootstrap.system import SystemClock, SystemEntropy
from keyturn.core.errors import SettingsInvalid
from keyturn.core.format.writing import dump_connector
from keyturn.core.reading import Document, read_connector
from keyturn.core.redaction.known import KnownSecrets
from keyturn.engine.application import Application
from keyturn.engine.audit.auditing import AuditSettings
from keyturn.ports.keys import KeyProvider
from keyturn.ports.mail import Mailer
from keyturn.ports.observing.tracing import NO_TRACING, Tracing
from keyturn.web.kit.metric import ConnectorLabels

log = structlog.get_logger("keyturn")

# The stores that a port of the same name is.
STORES: Final = (
    "connections",
    "revocations",
    "connectors",
    "logins",
    "login_watch",
    "login_stops",
    "quiet_hours",
    "rate_counts",
    "audit",
    "chain",
    "api_keys",
    "sessions",
    "challenges",
    "idempotency",
    "jobs",
    "keys",
    "people",
    "person_links",
    "overview",
    "call_times",
    "webhooks",
    "events",
    "spill",
    "renewals",
    "processes",
)


@dataclass(frozen=True, slots=True)
class Wired:
    """An application and what bootstrap has to look after."""

    application: Application
    stores: Stores
    counts: RecordCounts
    tracing: Tracing
    new_key_file: Path | None = None  # made just now: the operator has to back it up


@asynccontextmanager
async def wired(
    settings: Settings,
    known: KnownSecrets,
    wrap: Callable[[Ports], Ports] = lambda ports: ports,
    *,
    lost_key: str | None = None,
) -> AsyncIterator[Wired]:
    """Open the stores, build the application, and close everything at the end; no loop is started.

    `wrap`: what stands between the engine and the adapters, where somebody wants something there. `lost_key`: the id
    of a key that is given up by this opening.

    Raises:
        SettingsInvalid, WrongKey, KeyUnavailable, StoreUnavailable: it can't start, and why.
    """
    if settings.database_url is not None and not settings.database_url.startswith("sqlite"):
        raise SettingsInvalid("KEYTURN_DATABASE_URL: this version runs on SQLite; unset it or use sqlite:///PATH.")
    clock, entropy, suffixes = SystemClock(), SystemEntropy(), load_public_suffixes()
    key, new_key_file = await asyncio.to_thread(_find_keys, settings, lost_key is not None)
    stores = await open_store(
        settings.data,
        key,
        clock,
        entropy,
        dump=dump_connector,
        load=lambda found: read_connector(Document(found, {}), suffixes=suffixes),
        database_url=settings.database_url,
        lost_key=lost_key,
    )
    resolver = SystemResolver()
    allowances = EgressAllowances(settings.egress_allow, settings.insecure_http)
    proxy = egress_proxy(settings.egress_proxy) if settings.egress_proxy else None
    upstream = PooledUpstream(resolver, allowances, proxy=proxy)
    ports = Ports(
        **{each: getattr(stores, each) for each in STORES},
        lease=stores.leases,
        client_assertions=JwtAssertions(clock, entropy),
        id_tokens=JoseIdTokens(),
        egress=HttpEgress(resolver, allowances, clock, proxy=proxy),
        upstream=upstream,
        catalogue=YamlCatalogue(),
        suffixes=suffixes,
        clock=clock,
        entropy=entropy,
        audit_settings=_audit_settings(settings),
        rates=settings.rates,
        mailer=_mailer(settings),
    )
    counts = RecordCounts(ConnectorLabels())
    tracing: Tracing = NO_TRACING
    try:
        tracing = open_tracing(settings, resolver, clock)
        ports = wrap(traced(counted(ports, counts), tracing, settings.otel_propagate))
        application = _assembled(ports, settings, known)
        application.stopping.listen(stores.database.hurry)
        yield Wired(application, stores, counts, tracing, new_key_file)
    finally:
        await tracing.close()
        await upstream.close()
        await stores.close()


def _assembled(ports: Ports, settings: Settings, known: KnownSecrets) -> Application:
    return assemble(
        ports,
        known=known,
        public_url=settings.public_url or f"http://{settings.listen}",
        return_origins=frozenset(settings.return_origins),
        admin_api_key=settings.admin_api_key,
        operator_name=settings.operator_name,
        offline_grace_s=settings.offline_grace,
        plain_http=settings.insecure_http,
        sign_in=settings.sign_in,
    )


def _audit_settings(settings: Settings) -> AuditSettings:
    return AuditSettings(
        JsonAnchorFile(settings.audit_anchor) if settings.audit_anchor is not None else None,
        SyslogSink(syslog_address(settings.audit_syslog)) if settings.audit_syslog is not None else None,
        settings.audit_retention * 86_400.0 if settings.audit_retention else None,
    )


def _mailer(settings: Settings) -> Mailer | None:
    if settings.smtp_url is None:
        return None
    if not settings.mail_to:
        raise SettingsInvalid("KEYTURN_MAIL_TO is needed where KEYTURN_SMTP_URL is set: whom to write to.")
    return SmtpMailer(mail_server(settings.smtp_url), settings.mail_from or settings.mail_to[0], settings.mail_to)


def _find_keys(settings: Settings, may_make: bool) -> tuple[KeyProvider, Path | None]:
    """The keys; `may_make` a key file, in a data directory without any, beside data that a lost one sealed."""
    settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    if settings.data.stat().st_mode & 0o077:
        log.warning("data_directory_open", note="Others may enter the data directory: chmod 700 it.")
    sealed = not may_make and holds_sealed_rows(settings.data, settings.database_url)
    keys = key_ring_from(settings.keys, settings.data, sealed, environ=os.environ)
    return keys, keys.made_file
