"""What `keyturn doctor` looks at on this machine: each check says what it found and how to mend it.

Rule 1: nothing is made, migrated or changed, and no key is created by looking.
Rule 2: nothing secret is read into a sentence: paths, modes, versions and counts are all that is said.
"""

from __future__ import annotations

import os
import platform
import shutil
import socket
import sqlite3
import stat
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

from keyturn.adapters.keys.key_setting import KEY_FILE_NAME, key_ring_from
from keyturn.adapters.store.database.meta import FINGERPRINT
from keyturn.adapters.store.database.migrating import HEAD
from keyturn.adapters.store.opening import SPILL_NAME, database_path
from keyturn.bootstrap.settings import Settings, unknown_names
from keyturn.bootstrap.upkeep.check import Check, Grade
from keyturn.bootstrap.upkeep.look_further import look_further
from keyturn.core.errors import KeyturnError
from keyturn.ports.keys import KeyProvider, KeyRing

OLDEST_PYTHON: Final = (3, 11)
OLDEST_SQLITE: Final = (3, 35, 0)
LEAST_FREE_BYTES: Final = 200 * 1024 * 1024
RELEASED_AT: Final = 1_764_000_000.0  # 2025-11-24; no clock that is right says less
CLOCK_LEEWAY_S: Final = 60.0
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


def examine(
    settings: Settings, *, environment: Mapping[str, str] | None = None, now: float | None = None
) -> Iterator[Check]:
    """Look at versions, files, key, database, disk, clock, port and settings.

    Args:
        settings: as read.
        environment: the process's own where nothing is given.
        now: Unix seconds; the system's clock where nothing is given.
    """
    given = os.environ if environment is None else environment
    yield from _versions()
    yield from _files(settings)
    path = _database_of(settings)
    yield _key(settings, path, given)
    yield from _database(path, time.time() if now is None else now)
    yield _disk(settings.data)
    yield _port(settings)
    yield from look_further(settings, path, time.time() if now is None else now)
    yield from unknown_settings(given)


def unknown_settings(environment: Mapping[str, str] | None = None) -> Iterator[Check]:
    """Each `KEYTURN_*` that nobody reads."""
    found = [(name, near) for name, near in unknown_names(environment) if name != "KEYTURN_API_KEY_FILE"]
    for name, near in found:
        fix = f"Did you mean {near}?" if near else "Take it out of the environment."
        yield Check("settings", Grade.WARNING, f"Nobody reads {name}.", fix)
    if not found:
        yield Check("settings", Grade.OK, "Every KEYTURN_ name in the environment is known.")


def _versions() -> Iterator[Check]:
    python = platform.python_version()
    if sys.version_info[:2] < OLDEST_PYTHON:
        yield Check("python", Grade.PROBLEM, f"Python {python} is too old.", "Install Python 3.11 or newer.")
    else:
        yield Check("python", Grade.OK, f"Python {python}.")
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        fix = "Install a Python that comes with SQLite 3.35 or newer."
        yield Check("sqlite", Grade.PROBLEM, f"SQLite {sqlite3.sqlite_version} is too old.", fix)
    else:
        yield Check("sqlite", Grade.OK, f"SQLite {sqlite3.sqlite_version}.")


def _files(settings: Settings) -> Iterator[Check]:
    data = settings.data
    if not data.is_dir():
        yield Check("data directory", Grade.OK, f"{data} is not there yet; the first start makes it.")
        return
    if not os.access(data, os.R_OK | os.W_OK | os.X_OK):
        fix = f"Run keyturn as the owner of {data}, or chown it."
        yield Check("data directory", Grade.PROBLEM, f"{data} can't be read and written by this user.", fix)
        return
    open_ones = [
        (path, right)
        for path, right in [(data, "700"), (data / SPILL_NAME, "700"), *((each, "600") for each in _kept(data))]
        if path.exists() and path.stat().st_mode & _OTHERS
    ]
    for path, right in open_ones:
        mode = f"{stat.S_IMODE(path.stat().st_mode):o}"
        yield Check("file modes", Grade.PROBLEM, f"{path} is open to others (mode {mode}).", f"chmod {right} {path}")
    if not open_ones:
        yield Check("file modes", Grade.OK, f"{data} and what is in it are its owner's alone.")


def _kept(data: Path) -> list[Path]:
    return [*sorted(data.glob("*.key")), *sorted(data.glob("*.db*"))]


def _database_of(settings: Settings) -> Path | None:
    try:
        return database_path(settings.data, settings.database_url)
    except KeyturnError:
        return None


def _key(settings: Settings, database: Path | None, environment: Mapping[str, str]) -> Check:
    default = settings.data / KEY_FILE_NAME
    kept = _fingerprint_in(database)
    if not settings.keys and not default.exists() and kept is None:
        return Check("key", Grade.OK, "There is no key yet; the first start makes one.")
    try:
        # "Something is sealed" keeps it from making a key.
        key = key_ring_from(settings.keys, settings.data, True, environ=environment)
    except KeyturnError as error:
        fix = "Put the key back from its back-up; correct KEYTURN_KEYS, or the key file's mode."
        return Check("key", Grade.PROBLEM, _sentence(error.detail or "The key can't be used"), fix)
    fitting = [each for each in key.held().values() if each.fingerprint().encode() == kept]
    if kept is not None and not fitting:
        fix = "Put the key back that this database was sealed under; nothing opens without it."
        return Check("key", Grade.PROBLEM, "The key is not the one that sealed this database.", fix)
    if len(key.held()) > 1:
        return _standing(key, fitting)
    if not settings.keys:
        return Check("key", Grade.OK, "The key file is there and fits the database.")
    return Check("key", Grade.OK, "The key of KEYTURN_KEYS is there and fits the database.")


def _standing(key: KeyRing, fitting: Sequence[KeyProvider]) -> Check:
    current = fitting[0] if fitting else key
    words = f"{len(key.held())} keys are there; {current.key_id} ({current.provider}) wraps, and fits the database."
    return Check("key", Grade.OK, words)


def _fingerprint_in(database: Path | None) -> bytes | None:
    if database is None or not database.is_file():
        return None
    try:
        with closing(_opened(database)) as connection:
            row: tuple[bytes | str] | None = connection.execute(
                "SELECT value FROM meta WHERE name = ?", (FINGERPRINT,)
            ).fetchone()
    except sqlite3.Error:
        return None  # the database's own check says so
    value = row[0] if row else None
    return value.encode() if isinstance(value, str) else value


def _database(path: Path | None, now: float) -> Iterator[Check]:
    if path is None:
        fix = "Unset KEYTURN_DATABASE_URL, or write sqlite:///PATH."
        yield Check("database", Grade.PROBLEM, "KEYTURN_DATABASE_URL names no SQLite file.", fix)
        return
    if not path.is_file():
        yield Check("database", Grade.OK, f"{path} is not there yet; the first start makes it.")
        yield _clock(None, now)
        return
    try:
        with closing(_opened(path)) as connection:
            whole = [row[0] for row in connection.execute("PRAGMA quick_check(1)")] == ["ok"]
            version = _one(connection, "SELECT version_num FROM alembic_version")
            newest = _one(connection, "SELECT max(at) FROM audit")
            routine = _one(connection, "SELECT at FROM audit_routine ORDER BY seq DESC LIMIT 1")
    except sqlite3.Error as error:
        name = getattr(error, "sqlite_errorname", type(error).__name__)
        fix = "Stop keyturn and restore the database from a back-up, if it stays so."
        yield Check("database", Grade.PROBLEM, f"{path} can't be read: {name}.", fix)
        return
    if whole:
        yield Check("database", Grade.OK, f"{path} is whole.")
    else:
        fix = "Stop keyturn, keep a copy of the file, and restore a back-up."
        yield Check("database", Grade.PROBLEM, f"{path} is damaged (quick_check).", fix)
    yield _schema(version)
    times = [each for each in (newest, routine) if isinstance(each, int | float)]
    yield _clock(max(times, default=None), now)


def _schema(version: object) -> Check:
    if version == HEAD:
        return Check("schema", Grade.OK, f"The tables are of version {HEAD}, as this release has them.")
    if version is None or (isinstance(version, str) and version < HEAD):
        return Check("schema", Grade.OK, "The tables are older than this release; the next start brings them up.")
    fix = "Run the release that wrote it, or a newer one."
    return Check("schema", Grade.PROBLEM, "A newer release of keyturn has written this database.", fix)


def _clock(newest: object, now: float) -> Check:
    fix = "Set the clock, and keep it right by NTP: tokens end by the clock."
    if now < RELEASED_AT:
        return Check("clock", Grade.PROBLEM, "The clock says a time before this release was made.", fix)
    if isinstance(newest, int | float) and newest > now + CLOCK_LEEWAY_S:
        words = f"The clock went back: the database holds a record from {newest - now:.0f} s later than now."
        return Check("clock", Grade.PROBLEM, words, fix)
    return Check("clock", Grade.OK, f"The clock says {time.strftime('%Y-%m-%d %H:%M:%SZ', time.gmtime(now))}.")


def _disk(data: Path) -> Check:
    place = next((each for each in (data, *data.absolute().parents) if each.exists()), Path("/"))
    free = shutil.disk_usage(place).free
    words = f"{free // 1024 // 1024} MiB are free for {data}."
    if free < LEAST_FREE_BYTES:
        return Check("disk", Grade.PROBLEM, words, "Make room: a full disk stops logins and renewals.")
    return Check("disk", Grade.OK, words)


def _port(settings: Settings) -> Check:
    try:
        host, port = settings.host_and_port
    except KeyturnError as error:
        return Check("port", Grade.PROBLEM, _sentence(error.detail), "Correct KEYTURN_LISTEN.")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except OSError as error:
            words = f"{host}:{port} can't be listened on now: {error.strerror or 'the host is not known'}."
            return Check("port", Grade.WARNING, words, "Fine if keyturn runs there already; else end what does.")
    return Check("port", Grade.OK, f"{host}:{port} is free.")


def _opened(path: Path) -> sqlite3.Connection:
    # A reader of a WAL database takes part in its shared memory, so it can't be opened read-only.
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=5.0)
    connection.execute("PRAGMA query_only=ON")
    return connection


def _one(connection: sqlite3.Connection, query: str) -> object:
    """The one value of a query; None where its table is not there yet."""
    try:
        row = connection.execute(query).fetchone()
    except sqlite3.OperationalError as error:
        if "no such table" in str(error):
            return None
        raise
    return row[0] if row else None


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:].rstrip(".") + "."
