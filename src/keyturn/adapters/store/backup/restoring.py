"""Putting a copy of the database back, so that what happened since it was made does no harm.

Rule 1: a refresh token that may have been used since is never sent again where the provider rotates: each connection
gets the mark of a renewal whose outcome is not known, as of the moment at which the copy was made. What follows is the
renewal design's: sent again only where that is harmless, else the kept password, else the person.
Rule 2: what works once does not work again: challenges, links and sign-ins of the copy are gone.
Rule 3: nothing is replaced while a server uses it, none over what has happened since unless that is asked for, and what
is replaced is kept beside.
Rule 4: until the last rename, nothing that is there was changed.

Source: the renewal design, "The design" (step 6) and "Faults to run" (a back-up that is one generation old); I14.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from keyturn.adapters.sealing.private_files import sync_directory
from keyturn.adapters.store.backup.making import opened
from keyturn.adapters.store.database.meta import BACKUP_MADE_AT, FINGERPRINT
from keyturn.adapters.store.database.migrating import HEAD
from keyturn.adapters.store.database.schema import NOT_ENDED
from keyturn.core.errors import BackupUnusable, RestoreRefused, StoreUnavailable

ATTEMPT: Final = "restored"
_USED_ONCE: Final = ("challenges", "sign_in_links", "console_sessions", "leases")
_MARK: Final = (
    "UPDATE connections SET intent_kind = 'refresh', intent_generation = generation, intent_attempt = ?,"  # noqa: S608
    f" intent_sent_at = ?, intent_tries = 1, revision = revision + 1 WHERE refreshable = 1 AND intent_kind IS NULL"
    f" AND {NOT_ENDED}"
)
_JOURNALS: Final = ("-wal", "-shm", "-journal")


@dataclass(frozen=True, slots=True)
class Copy:
    """What a file says of itself. `made_at`: Unix seconds. `head`: the newest audit record's number."""

    made_at: float
    head: int
    schema: str
    fingerprint: str
    connections: int


@dataclass(frozen=True, slots=True)
class Restored:
    """`marked`: connections whose refresh token is doubtful. `kept`: where the database is that was there, if any."""

    copy: Copy
    marked: int
    api_keys: int
    kept: Path | None


def read_copy(path: Path) -> Copy:
    """Look at a back-up.

    Raises:
        BackupUnusable: it is none, is damaged, or a newer release made it.
    """
    if not path.is_file():
        raise BackupUnusable("there is no such file")
    try:
        with closing(opened(path)) as connection:
            connection.execute("PRAGMA query_only=ON")
            if connection.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
                raise BackupUnusable("the file is damaged")
            copy = _looked_at(connection)
    except sqlite3.Error:
        raise BackupUnusable("the file is no back-up of keyturn's") from None
    if copy.schema > HEAD:
        raise BackupUnusable("a newer release of keyturn made it; use that one")
    return copy


def put_back(source: Path, database: Path, now: float, *, over_newer: bool, nothing_since: bool) -> Restored:
    """Put a back-up in the database's place.

    Args:
        source: the back-up; it stays as it is.
        database: where it goes.
        now: Unix seconds.
        over_newer: also over a database in which something happened after the back-up was made.
        nothing_since: nothing ran on this data since the back-up was made, so that no token is doubtful.

    Raises:
        BackupUnusable: as `read_copy`, or it can't be written here.
        RestoreRefused: a server has the database open, or it is newer.
        StoreUnavailable: the database that is there can't be closed in order.
    """
    copy = read_copy(source)
    if database.exists():
        _release(database, copy, over_newer=over_newer)
    beside = database.with_name(f".{database.name}.{os.urandom(8).hex()}")
    try:
        os.close(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        try:
            shutil.copyfile(source, beside)
            marked, api_keys = _made_safe(beside, copy.made_at, nothing_since=nothing_since)
            with beside.open("rb+") as file:
                os.fsync(file.fileno())
            kept = _set_aside(database, now)
            beside.rename(database)
        finally:
            for path in (beside, *(beside.with_name(beside.name + each) for each in _JOURNALS)):
                path.unlink(missing_ok=True)
        sync_directory(database.parent)
    except OSError as error:
        raise BackupUnusable(f"the database can't be written: {error.strerror}") from None
    except sqlite3.Error as error:
        name = getattr(error, "sqlite_errorname", type(error).__name__)
        raise BackupUnusable(f"the back-up can't be used: {name}") from None
    return Restored(copy, marked, api_keys, kept)


def _looked_at(connection: sqlite3.Connection) -> Copy:
    told = dict(connection.execute("SELECT name, value FROM meta WHERE name IN (?, ?)", (BACKUP_MADE_AT, FINGERPRINT)))
    head, newest = _newest_record(connection)
    return Copy(
        # A copy that was made by other means says nothing of its time: the newest record is not after it.
        made_at=float(told.get(BACKUP_MADE_AT, newest)),
        head=head,
        schema=str(connection.execute("SELECT version_num FROM alembic_version").fetchone()[0]),
        fingerprint=_text(told.get(FINGERPRINT, b"")),
        connections=connection.execute("SELECT count(*) FROM connections").fetchone()[0],
    )


def _newest_record(connection: sqlite3.Connection) -> tuple[int, float]:
    """Number and time of the newest audit record; a database of before schema 0023 has one chain of them."""
    number, at = connection.execute("SELECT coalesce(max(seq), 0), coalesce(max(at), 0) FROM audit").fetchone()
    if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'audit_routine'").fetchone() is None:
        return number, at
    routine = connection.execute("SELECT seq, at FROM audit_routine ORDER BY seq DESC LIMIT 1").fetchone() or (0, 0.0)
    return max(number, routine[0]), max(at, routine[1])


def _release(database: Path, copy: Copy, *, over_newer: bool) -> None:
    """See that nobody has the database open, and that it is not newer; its journal is emptied into it."""
    try:
        with closing(opened(database, timeout_s=0.5)) as connection:
            # With this mode, a write of a WAL database fails where anybody else has it open.
            connection.execute("PRAGMA locking_mode=EXCLUSIVE")
            connection.execute("BEGIN IMMEDIATE")
            head, _ = _newest_record(connection)
            connection.execute("ROLLBACK")
            if head > copy.head and not over_newer:
                raise RestoreRefused("more has happened in the database that is here than in the back-up")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except sqlite3.Error as error:
        name = getattr(error, "sqlite_errorname", "")
        if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
            raise RestoreRefused("a server has the database open; stop it first") from None
        if not over_newer:
            words = "the database that is here can't be read, so nobody knows whether it is newer"
            raise RestoreRefused(words) from None


def _made_safe(path: Path, made_at: float, *, nothing_since: bool) -> tuple[int, int]:
    """Mark the doubtful tokens and take away what works once; returns how many were marked, and the API keys."""
    marked = 0
    with closing(opened(path)) as connection:
        connection.execute("PRAGMA journal_mode=DELETE")
        connection.execute("PRAGMA secure_delete=ON")
        connection.execute("BEGIN IMMEDIATE")
        there = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if not nothing_since:
            marked = connection.execute(_MARK, (ATTEMPT, made_at)).rowcount
        for table in _USED_ONCE:
            if table in there:
                connection.execute(f"DELETE FROM {table}")  # noqa: S608 - one of the constants above
        connection.execute("DELETE FROM sessions WHERE state IN ('open', 'claimed')")
        keys: int = connection.execute("SELECT count(*) FROM api_keys WHERE revoked_at IS NULL").fetchone()[0]
        connection.execute("COMMIT")
    return marked, keys


def _set_aside(database: Path, now: float) -> Path | None:
    """Move what is there out of the way; a journal that stayed would be applied to the other database."""
    if not database.exists():
        return None
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
    kept = database.with_name(f"{database.name}.before-restore-{stamp}")
    if kept.exists():
        raise StoreUnavailable("there is a database that was put aside in this same second; try again")
    database.rename(kept)
    for ending in _JOURNALS:
        journal = database.with_name(database.name + ending)
        if journal.exists():
            journal.rename(kept.with_name(kept.name + ending))
    return kept


def _text(value: bytes | str) -> str:
    return value if isinstance(value, str) else value.decode("ascii", "replace")
