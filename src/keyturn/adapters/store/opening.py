"""Opening the store: the one entrance to this folder.

Rule 1: the data directory is its owner's alone where it is made here, and so are database, journals and spill files in
any case.
Rule 2: nothing is served under a wrong key: that is found out before the first row is read.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa

from keyturn.adapters.keys.key_ring import KeyRing
from keyturn.adapters.sealing.data_keys import DataKeys
from keyturn.adapters.store.abuse.login_stops import SqlLoginStops
from keyturn.adapters.store.abuse.login_watch import SqlLoginWatch
from keyturn.adapters.store.abuse.rate_counts import SqlRateCounts
from keyturn.adapters.store.access.people import SqlPeopleStore
from keyturn.adapters.store.access.person_links import SqlPersonLinkStore
from keyturn.adapters.store.api_keys import SqlApiKeyStore
from keyturn.adapters.store.audit import SqlAuditLog
from keyturn.adapters.store.chained.audit_chain import SqlAuditChain, begun_chain
from keyturn.adapters.store.chained.audit_keys import AuditKeys
from keyturn.adapters.store.challenges import SqlChallengeStore
from keyturn.adapters.store.connections import SqlConnectionStore
from keyturn.adapters.store.connectors import Dump, Load, SqlConnectorStore
from keyturn.adapters.store.database import meta
from keyturn.adapters.store.database.engine import Database
from keyturn.adapters.store.database.migrating import migrate
from keyturn.adapters.store.database.schema import meta as meta_table
from keyturn.adapters.store.database.wrapping_keys import is_key_known
from keyturn.adapters.store.figures.call_times import SqlCallTimes
from keyturn.adapters.store.idempotency import SqlIdempotencyStore
from keyturn.adapters.store.jobs import SqlJobs
from keyturn.adapters.store.keys.admission import admit_keys
from keyturn.adapters.store.keys.custody import SqlKeyCustody
from keyturn.adapters.store.keys.lost import SqlLostKeys, give_up_key
from keyturn.adapters.store.keys.wrapped_columns import count_by_key
from keyturn.adapters.store.lease_holder import Host
from keyturn.adapters.store.leases import SqliteLease
from keyturn.adapters.store.logins import SqlLoginLedger
from keyturn.adapters.store.operating.quiet_hours import SqlQuietHoursStore
from keyturn.adapters.store.overview.overview import SqlOverview
from keyturn.adapters.store.processes import SqlProcesses
from keyturn.adapters.store.renewals import SqlRenewalStore
from keyturn.adapters.store.revocations import SqlRevocationStore
from keyturn.adapters.store.rows.connection_seals import ConnectionSeals
from keyturn.adapters.store.rows.set_aside import SetAside, count_set_aside, unpark_for_release
from keyturn.adapters.store.sessions import SqlSessionStore
from keyturn.adapters.store.spill import FileSpill
from keyturn.adapters.store.webhooks.endpoints import SqlWebhookStore
from keyturn.adapters.store.webhooks.events import SqlEventStore
from keyturn.core.errors import SettingsInvalid, StoreUnavailable
from keyturn.ports.clock import Clock, Entropy
from keyturn.ports.keys import KeyProvider

DATABASE_NAME: Final = "keyturn.db"
SPILL_NAME: Final = "spill"


@dataclass(frozen=True, slots=True)
class Stores:
    """One attribute for each port, over one database."""

    connections: SqlConnectionStore
    revocations: SqlRevocationStore
    spill: FileSpill
    connectors: SqlConnectorStore
    logins: SqlLoginLedger
    login_watch: SqlLoginWatch
    login_stops: SqlLoginStops
    quiet_hours: SqlQuietHoursStore
    rate_counts: SqlRateCounts
    audit: SqlAuditLog
    chain: SqlAuditChain
    api_keys: SqlApiKeyStore
    sessions: SqlSessionStore
    challenges: SqlChallengeStore
    idempotency: SqlIdempotencyStore
    jobs: SqlJobs
    people: SqlPeopleStore
    person_links: SqlPersonLinkStore
    overview: SqlOverview
    call_times: SqlCallTimes
    webhooks: SqlWebhookStore
    events: SqlEventStore
    keys: SqlKeyCustody
    lost_keys: SqlLostKeys
    key_ring: KeyRing
    leases: SqliteLease
    processes: SqlProcesses
    renewals: SqlRenewalStore
    database: Database

    async def ping(self) -> None:
        """Raise StoreUnavailable where the database can't be read."""
        await self.database.read(lambda tx: tx.execute(sa.select(meta_table.c.name).limit(1)).all())

    async def set_aside(self) -> SetAside:
        """How many rows can't be read or opened and were set aside; StoreUnavailable."""
        return await count_set_aside(self.database)

    async def close(self) -> None:
        """End the writes under way, close the database, and let go of key services."""
        await self.database.close()
        await self.key_ring.close()


async def open_store(
    data_dir: Path,
    keys: KeyProvider,
    clock: Clock,
    entropy: Entropy,
    *,
    dump: Dump,
    load: Load,
    database_url: str | None = None,
    host: Host | None = None,
    lost_key: str | None = None,
    release: str | None = None,
) -> Stores:
    """Open the store, make or migrate its tables, and see that the key is the right one.

    Args:
        data_dir: made if it is not there (0700); holds spill files, and the database without a `database_url`.
        keys: the wrapping keys, or the one provider there is.
        clock, entropy: to wait for another start that is migrating; for ids and lease tokens.
        dump, load: write a connector as a plain mapping, and read it back.
        database_url: `sqlite:///path` or None.
        host: who this process is, for leases.
        release: of keyturn, the one that runs where none is given; another than before tries again what was set aside.
        lost_key: the id of a key that is given up by this opening; nothing may serve before what it had sealed is.

    Raises:
        WrongKey: sealed under another key. KeyStateConflict, NotFound: `lost_key` is at hand, or there is no such key.
        KeyUnavailable, StoreUnavailable: the key provider, or the database or its directory, can't be used.
        SettingsInvalid: the URL is of no database that this release knows.
    """
    path, spill = database_path(data_dir, database_url), data_dir / SPILL_NAME
    await asyncio.to_thread(_make_folders, data_dir, path.parent, spill)
    database = await asyncio.to_thread(Database, path)
    ring, data_keys, store_keys, chain = await _keys_in(database, keys, clock, lost_key, release or version("keyturn"))
    seals = ConnectionSeals(database, data_keys)
    host = host or Host()
    revocations = SqlRevocationStore(database, data_keys, seals, clock, host, entropy)
    leases, logins = SqliteLease(database, host, entropy), SqlLoginLedger(database, store_keys, entropy)
    processes = SqlProcesses(database, host, clock)
    return Stores(
        connections=SqlConnectionStore(database, store_keys, seals, revocations, host),
        revocations=revocations,
        spill=(file_spill := FileSpill(spill, data_keys, seals)),
        keys=SqlKeyCustody(database, ring, data_keys, file_spill),
        lost_keys=SqlLostKeys(database),
        key_ring=ring,
        connectors=SqlConnectorStore(database, data_keys, dump, load),
        logins=logins,
        **_against_abuse(database, store_keys),
        audit=SqlAuditLog(database),
        chain=SqlAuditChain(database, chain),
        api_keys=SqlApiKeyStore(database),
        sessions=SqlSessionStore(database),
        challenges=SqlChallengeStore(database, data_keys),
        idempotency=SqlIdempotencyStore(database, store_keys),
        jobs=SqlJobs(database),
        quiet_hours=SqlQuietHoursStore(database),
        **_of_people(database, store_keys),
        **_figures(database),
        webhooks=SqlWebhookStore(database, data_keys),
        events=SqlEventStore(database),
        leases=leases,
        processes=processes,
        renewals=SqlRenewalStore(database, seals, revocations, logins, processes),
        database=database,
    )


def _figures(database: Database) -> dict[str, Any]:
    return {"overview": SqlOverview(database), "call_times": SqlCallTimes(database)}


def _of_people(database: Database, store_keys: meta.StoreKeys) -> dict[str, Any]:
    return {"people": SqlPeopleStore(database, store_keys), "person_links": SqlPersonLinkStore(database)}


def _against_abuse(database: Database, store_keys: meta.StoreKeys) -> dict[str, Any]:
    return {
        "login_watch": SqlLoginWatch(database, store_keys),
        "login_stops": SqlLoginStops(database),
        "rate_counts": SqlRateCounts(database, store_keys),
    }


async def _keys_in(
    database: Database, keys: KeyProvider, clock: Clock, lost_key: str | None, release: str
) -> tuple[KeyRing, DataKeys, meta.StoreKeys, AuditKeys]:
    """Bring the tables up and find every key; the database is closed where that fails."""
    ring = keys if isinstance(keys, KeyRing) else KeyRing([keys])
    data_keys = DataKeys(ring)
    try:
        await _migrated(database, clock)
        if lost_key is not None:
            await give_up_key(database, ring, data_keys, lost_key, clock.now())
        await admit_keys(database, ring, clock.now(), lost=lost_key)
        store_keys = await meta.store_keys(database, data_keys, ring)
        await unpark_for_release(database, release)
        return ring, data_keys, store_keys, await begun_chain(database, data_keys, clock)
    except BaseException:
        await database.close()
        raise


def holds_sealed_rows(data_dir: Path, database_url: str | None = None) -> bool:
    """Say whether a database is there that something was sealed in; for `key_ring_from`. Makes nothing."""
    return meta.holds_sealed_rows(database_path(data_dir, database_url))


async def knows_key(data_dir: Path, database_url: str | None, key_id: str) -> bool:
    """Say whether anything tells of a wrapping key in a database that is there; brings its tables up, makes none."""
    path = database_path(data_dir, database_url)
    if not await asyncio.to_thread(meta.holds_sealed_rows, path):
        return False
    database = await asyncio.to_thread(Database, path)
    try:
        await database.write(migrate)
        return await database.read(lambda tx: key_id in count_by_key(tx) or is_key_known(tx, key_id))
    finally:
        await database.close()


def database_path(data_dir: Path, database_url: str | None) -> Path:
    """Where the database is; SettingsInvalid where the URL is of no SQLite file."""
    if not database_url:
        return data_dir / DATABASE_NAME
    try:
        url = sa.make_url(database_url)
    except (sa.exc.ArgumentError, ValueError):
        raise SettingsInvalid("the database URL can't be read") from None
    if url.get_backend_name() != "sqlite" or not url.database or url.database == ":memory:" or url.query:
        raise SettingsInvalid("the database URL has to be of the form sqlite:///path/to/file")
    return Path(url.database)


def _make_folders(*folders: Path) -> None:
    try:
        for folder in folders:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StoreUnavailable(f"the data directory can't be made: {error.strerror}") from None


async def _migrated(database: Database, clock: Clock) -> None:
    """Migrate; SQLite doesn't wait for the lock while a file is turned to WAL, so this does."""
    for tries_left in range(20, -1, -1):
        try:
            return await database.write(migrate)
        except StoreUnavailable as error:
            if not tries_left or "SQLITE_BUSY" not in error.detail:
                raise
            await clock.sleep(0.1)
