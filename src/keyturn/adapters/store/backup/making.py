"""A copy of the database while it is in use, as one file.

Rule 1: the copy is of one moment, whole, synced, and its owner's alone; where any of that fails there is no file.
Rule 2: no key goes along: sealed values stay sealed, and the copy is worth nothing without the keys.
Rule 3: a file that is there is never written over.

Source: SQLite's online backup interface (sqlite.org/backup.html); the threat model, S1.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from keyturn.adapters.sealing.private_files import sync_directory
from keyturn.adapters.store.database.meta import BACKUP_MADE_AT
from keyturn.core.errors import BackupUnusable, StoreUnavailable

PAGES_AT_ONCE: Final = 1024
BUSY_TIMEOUT_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class MadeBackup:
    """`made_at`: Unix seconds. `size`: bytes."""

    path: Path
    made_at: float
    size: int
    connections: int


def make_backup(database: Path, target: Path, now: float) -> MadeBackup:
    """Copy the database.

    Args:
        database: the file, in use or not.
        target: where the copy goes; nothing may be there.
        now: Unix seconds.

    Raises:
        StoreUnavailable: there is no database, or it can't be read.
        BackupUnusable: something is at the target already, it can't be written, or the copy is not whole.
    """
    if not database.is_file():
        raise StoreUnavailable("there is no database to make a back-up of")
    if target.exists() or target.is_symlink():
        raise BackupUnusable("there is something under this name already; nothing was written")
    beside = target.with_name(f".{target.name}.{os.urandom(8).hex()}")
    try:
        os.close(os.open(beside, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        try:
            connections = _copied(database, beside, now)
            with beside.open("rb+") as file:
                os.fsync(file.fileno())
            os.link(beside, target)  # fails where something has got the name meanwhile; a rename would replace it
        finally:
            for path in (beside, *(beside.with_name(beside.name + each) for each in ("-journal", "-wal", "-shm"))):
                path.unlink(missing_ok=True)
        sync_directory(target.parent)
    except OSError as error:
        raise BackupUnusable(f"the back-up can't be written: {error.strerror}") from None
    return MadeBackup(target, now, target.stat().st_size, connections)


def backup_made_at(database: Path) -> float | None:
    """When a back-up of this database was made last, Unix seconds; None where it never was, or can't be read."""
    try:
        with closing(opened(database)) as connection:
            row = connection.execute("SELECT value FROM meta WHERE name = ?", (BACKUP_MADE_AT,)).fetchone()
            return float(row[0]) if row else None
    except (sqlite3.Error, ValueError):
        return None


def opened(database: Path, *, timeout_s: float = BUSY_TIMEOUT_S) -> sqlite3.Connection:
    """A plain connection to a database that is there; autocommit."""
    return sqlite3.connect(f"{database.absolute().as_uri()}?mode=rw", uri=True, timeout=timeout_s, isolation_level=None)


def _copied(database: Path, beside: Path, now: float) -> int:
    try:
        with closing(opened(database)) as source, closing(opened(beside)) as copy:
            source.backup(copy, pages=PAGES_AT_ONCE, sleep=0.05)
            copy.execute("PRAGMA journal_mode=DELETE")  # one file, without a journal beside it
            _note(copy, now)
            if copy.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
                raise BackupUnusable("the copy is not whole; look at the database with `keyturn doctor`")
            row: tuple[int] = copy.execute("SELECT count(*) FROM connections").fetchone()
            _note(source, now)
            return row[0]
    except sqlite3.Error as error:
        name = getattr(error, "sqlite_errorname", type(error).__name__)
        raise StoreUnavailable(f"the database can't be copied: {name}") from None


def _note(connection: sqlite3.Connection, now: float) -> None:
    """Write down when it was made; as bytes, as all of `meta` is."""
    connection.execute("INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)", (BACKUP_MADE_AT, repr(now).encode()))
