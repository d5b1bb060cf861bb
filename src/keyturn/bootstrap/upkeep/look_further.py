"""What the data says of how it is looked after: late renewals, rows set aside, stuck jobs, back-ups, the audit log.

And what the public address says of itself.

Rule 1: it only reads, and opens nothing sealed.
Rule 2: a look that can't be had says nothing: the check of the database says why.
Rule 3: the one connection that goes out is to the operator's own public address, to see its certificate.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from keyturn.adapters.egress.certificate import addresses_of, certificate_ends_at
from keyturn.adapters.store.backup.making import backup_made_at, opened
from keyturn.adapters.store.database.schema import NOT_ENDED
from keyturn.bootstrap.settings import Settings
from keyturn.bootstrap.upkeep.check import Check, Grade
from keyturn.bootstrap.upkeep.rows import look_at_rows
from keyturn.core.errors import RFC_5280_FAULTS, ProviderTlsFailed, ProviderUnreachable
from keyturn.engine.quiet_hours.quiet_times import zone_named

LATE_S: Final = 300.0
STUCK_S: Final = 900.0  # a job is seen by its process every few seconds
BACKUP_OLD_S: Final = 2 * 86_400.0
VERIFIED_OLD_S: Final = 7 * 86_400.0
CERTIFICATE_ENDS_SOON_S: Final = 14 * 86_400.0
_LATE: Final = f"SELECT count(*), min(renews_at) FROM connections WHERE renews_at < ? AND {NOT_ENDED}"  # noqa: S608


def look_further(settings: Settings, database: Path | None, now: float) -> Iterator[Check]:
    """Look at the data and at the public address; `now`: Unix seconds."""
    if database is not None and database.is_file():
        try:
            with closing(opened(database)) as connection:
                connection.execute("PRAGMA query_only=ON")
                yield from _data(connection, database, now)
        except sqlite3.Error:
            pass  # the database's own check says so
    yield from _public_url(settings.public_url)


def _data(connection: sqlite3.Connection, database: Path, now: float) -> Iterator[Check]:
    tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if not tables >= {"connections", "jobs", "audit_marks", "audit"}:
        return
    if "quiet_hours" in tables:
        yield from _zones([hours for (hours,) in connection.execute("SELECT hours FROM quiet_hours")])
    connections = connection.execute("SELECT count(*) FROM connections").fetchone()[0]
    late, oldest = connection.execute(_LATE, (now - LATE_S,)).fetchone()
    yield _late(late, oldest, now)
    yield from look_at_rows(connection)
    query = "SELECT count(*) FROM jobs WHERE state = 'running' AND coalesce(seen_at, started_at, created_at) < ?"
    yield _stuck(connection.execute(query, (now - STUCK_S,)).fetchone()[0])
    if connections:
        yield _backup(backup_made_at(database), now)
        row = connection.execute("SELECT at FROM audit_marks WHERE name = 'verified'").fetchone()
        yield _verified(row[0] if row else None, now)


def _zones(rows: list[str]) -> Iterator[Check]:
    """Time zones of quiet hours that this machine does not know: nothing is quiet by them."""
    for zone in sorted({str(json.loads(each).get("zone")) for each in rows}):
        if zone_named(zone) is None:
            fix = "Install the package tzdata, or set the quiet hours anew with another zone."
            yield Check("quiet hours", Grade.PROBLEM, f"This machine knows no time zone {zone}: nothing is quiet.", fix)


def _late(number: int, oldest: float | None, now: float) -> Check:
    if not number or oldest is None:
        return Check("renewals", Grade.OK, "No renewal is late.")
    words = f"{number} renewals are late, the oldest by {_span(now - oldest)}."
    fix = "Fine if no server runs; else see `keyturn connection list` and its `why`, and the log."
    return Check("renewals", Grade.WARNING, words, fix)


def _stuck(number: int) -> Check:
    if not number:
        return Check("jobs", Grade.OK, "No job is stuck.")
    fix = "A server that runs takes them up again; see `keyturn job list`."
    return Check("jobs", Grade.WARNING, f"{number} jobs were begun and not seen since.", fix)


def _backup(made_at: float | None, now: float) -> Check:
    fix = "keyturn backup FILE, every day by a timer; keep the key apart from it."
    if made_at is None:
        return Check("back-up", Grade.WARNING, "No back-up was made by `keyturn backup`.", fix)
    words = f"The newest back-up is {_span(now - made_at)} old."
    return (
        Check("back-up", Grade.WARNING, words, fix)
        if now - made_at > BACKUP_OLD_S
        else Check("back-up", Grade.OK, words)
    )


def _verified(at: float | None, now: float) -> Check:
    fix = "keyturn audit verify, every day by a timer."
    if at is None:
        return Check("audit log", Grade.WARNING, "The audit log was never verified.", fix)
    words = f"The audit log was found right {_span(now - at)} ago."
    old = now - at > VERIFIED_OLD_S
    return Check("audit log", Grade.WARNING, words, fix) if old else Check("audit log", Grade.OK, words)


def _public_url(url: str | None) -> Iterator[Check]:
    if url is None:
        return
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
        addresses = addresses_of(host, port)
    except (ProviderUnreachable, ValueError):
        fix = "Correct KEYTURN_PUBLIC_URL, or the name's record: links lead nowhere."
        yield Check("public address", Grade.PROBLEM, "The host of KEYTURN_PUBLIC_URL is not known here.", fix)
        return
    if parts.scheme == "https":
        yield _certificate(host, port)
        return
    if all(each == "::1" or each.startswith("127.") for each in addresses):
        yield Check("public address", Grade.OK, "KEYTURN_PUBLIC_URL is of this machine alone.")
    else:
        fix = "Put a proxy with TLS before it, and say https:// in KEYTURN_PUBLIC_URL."
        yield Check("public address", Grade.PROBLEM, "Passwords reach KEYTURN_PUBLIC_URL without TLS.", fix)


def _certificate(host: str, port: int) -> Check:
    name = "public address"
    try:
        ends = certificate_ends_at(host, port)
    except ProviderTlsFailed as error:
        found = f"The certificate of KEYTURN_PUBLIC_URL is refused here: {error.detail}."
        if error.check in RFC_5280_FAULTS:
            return Check(name, Grade.PROBLEM, found, "Have its authority issue certificates that keep RFC 5280.")
        fix = "Renew it, or install the whole chain; browsers refuse it as well."
        return Check(name, Grade.PROBLEM, found, fix)
    except ProviderUnreachable:
        fix = "Fine where this machine can't reach it from inside; else look at the proxy before keyturn."
        return Check(name, Grade.WARNING, "KEYTURN_PUBLIC_URL does not answer by TLS from here.", fix)
    left = ends - time.time()
    if left < CERTIFICATE_ENDS_SOON_S:
        return Check(name, Grade.WARNING, f"Its certificate ends in {_span(left)}.", "See why it is not renewed.")
    return Check(name, Grade.OK, f"KEYTURN_PUBLIC_URL answers; its certificate is good for {_span(left)}.")


def _span(seconds: float) -> str:
    for size, unit in ((86_400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(seconds, 0.0):.0f} s"
