"""Putting a copy of the database back, so that what happened since it was made does no harm.

Rule 1: a refresh token that may have been used since is never sent again where the provider rotates. The database that
is replaced knows which were used: each connection is compared with it, and what moved is taken over. Where it can't
tell, the connection gets the mark of a renewal whose outcome is not known, as of the moment of the back-up.
Rule 2: nothing is replaced while a server uses it, none over what has happened since unless that is asked for, and what
is replaced is kept beside.
Rule 3: all is prepared beside, and one rename puts it in place: whatever happens before, nothing that is there was
changed, and after it everything is there.

Source: the renewal design, "Settling the unknown" (restore) and "Faults to run"; I14.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from keyturn.adapters.sealing.data_keys import DataKeys
from keyturn.adapters.sealing.private_files import sync_directory
from keyturn.adapters.store.audit import add_records
from keyturn.adapters.store.backup.comparing import Comparison, compare
from keyturn.adapters.store.backup.making import opened
from keyturn.adapters.store.backup.merging import Fate
from keyturn.adapters.store.backup.replaced import (
    Compared,
    Held,
    Standing,
    fingerprint_in,
    heads_in,
    schema_in,
    standing_of,
)
from keyturn.adapters.store.backup.taking_over import Change, write_changes
from keyturn.adapters.store.chained.audit_chain import begun_chain
from keyturn.adapters.store.database.engine import Database
from keyturn.adapters.store.database.meta import BACKUP_MADE_AT
from keyturn.adapters.store.database.migrating import HEAD
from keyturn.core.audit_record import AuditRecord
from keyturn.core.errors import BackupUnusable, RestoreRefused, StoreUnavailable
from keyturn.ports.clock import Clock

RESTORED: Final = "backup.restored"
ENDED: Final = "connection.disconnected"
_JOURNALS: Final = ("-wal", "-shm", "-journal")
_IS_NEWER: Final = "more has happened in the database that is here than in the back-up"
_NOBODY_KNOWS: Final = "the database that is here can't be read, so nobody knows whether it is newer"


@dataclass(frozen=True, slots=True)
class Copy:
    """What a file says of itself. `made_at`: Unix seconds."""

    made_at: float
    schema: str
    fingerprint: str
    connections: int


@dataclass(frozen=True, slots=True)
class Prospect:
    """What a restore does. `fates`: how many connections have each."""

    copy: Copy
    compared: Compared
    fates: Mapping[Fate, int]

    @property
    def unused(self) -> int:
        """Connections that are as they are in the back-up."""
        return self.fates.get(Fate.KEPT, 0)

    @property
    def taken_over(self) -> int:
        """Connections that are as they are in the replaced database."""
        return self.fates.get(Fate.TAKEN_OVER, 0)

    @property
    def doubtful(self) -> int:
        """Connections whose refresh token may have been used."""
        return self.fates.get(Fate.UNKNOWN, 0) + self.fates.get(Fate.OPEN_THERE, 0)

    @property
    def ended(self) -> int:
        """Connections that ended since the back-up was made."""
        return self.fates.get(Fate.ENDED, 0) + self.fates.get(Fate.GONE, 0)

    @property
    def created(self) -> int:
        """Connections that were created since."""
        return self.fates.get(Fate.CREATED, 0)

    @property
    def left_out(self) -> int:
        """Connections that were created since and can't be brought along."""
        return self.fates.get(Fate.LEFT_OUT, 0)


@dataclass(frozen=True, slots=True)
class Restored:
    """`done`: what became of the connections. `kept`: where the database is that was there, if any."""

    done: Prospect
    api_keys: int
    kept: Path | None


@dataclass(frozen=True, slots=True)
class Prepared:
    """A restore that is ready; nothing has been changed yet. `here`, `there`: copies of both databases."""

    prospect: Prospect
    comparison: Comparison
    here: Path
    there: Path
    database: Path
    held: Held | None
    keys: DataKeys

    async def put_back(self, clock: Clock) -> Restored:
        """Put the back-up in the database's place; its audit log says so.

        Raises:
            BackupUnusable: it can't be written here.
            WrongKey, SealBroken, KeyUnavailable: the key of its audit log can't be opened.
            StoreUnavailable: the database that is there can't be closed in order, or put aside.
        """
        decided, made_at = self.comparison, self.prospect.copy.made_at
        there = self.there if decided.ground is not None else None
        try:
            fates, api_keys = write_changes(self.here, there, decided.changes, decided.ground, made_at)
            done = replace(self.prospect, fates=fates)
            await self._record(done, clock)
            with self.here.open("rb+") as file:
                os.fsync(file.fileno())
        except sqlite3.Error as error:
            raise BackupUnusable(f"the back-up can't be used: {_name_of(error)}") from None
        except OSError as error:
            raise _unwritable(error) from None
        if self.held is not None:
            try:
                self.held.release()
            except sqlite3.Error as error:
                raise StoreUnavailable(f"the database that is here can't be closed: {_name_of(error)}") from None
        try:
            kept = _in_place(self.here, self.database, clock.now())
        except OSError as error:
            raise _unwritable(error) from None
        return Restored(done, api_keys, kept)

    async def _record(self, done: Prospect, clock: Clock) -> None:
        """Say what was done in the log that is put in place, so that it tells of each row that it spoke of."""
        database = Database(self.here)
        try:
            await begun_chain(database, self.keys, clock)
            records = [*_ends(self.comparison.changes, clock.now()), _restored(done, clock.now())]
            await database.write(lambda tx: add_records(tx, records))
        except StoreUnavailable as error:
            raise BackupUnusable(f"the back-up can't be used: {error}") from None
        finally:
            await database.close()


def _restored(done: Prospect, at: float) -> AuditRecord:
    facts = {
        "made_at": int(done.copy.made_at),
        "compared": done.compared.value,
        "unused": done.unused,
        "taken_over": done.taken_over,
        "doubtful": done.doubtful,
        "ended": done.ended,
        "created": done.created,
        "left_out": done.left_out,
    }
    return AuditRecord(at, RESTORED, "operator", facts=facts)


def _ends(changes: Sequence[Change], at: float) -> list[AuditRecord]:
    """Records of ends that the log of the back-up does not know.

    They name no person: one whose row is gone may have been erased.
    """
    return [
        AuditRecord(
            at,
            ENDED,
            "operator",
            connector=each.connection.connector,
            connection=each.connection.id,
            facts={"since": "backup"},
            project=each.connection.project,
        )
        for each in changes
        if each.connection is not None and each.here is not None
    ]


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


@asynccontextmanager
async def prepared(
    source: Path, database: Path, keys: DataKeys, *, over_newer: bool, nothing_since: bool
) -> AsyncIterator[Prepared]:
    """Compare a back-up with the database that it shall replace, which no process can open meanwhile.

    Args:
        source: the back-up; it stays as it is.
        database: where it goes.
        keys: to see that what is taken over can be opened.
        over_newer: also over a database in which something happened after the back-up was made.
        nothing_since: nothing ran on this data since the back-up was made, so that no token is doubtful.

    Raises:
        BackupUnusable: as `read_copy`, or it can't be written here.
        RestoreRefused: a server has the database open, or it is newer.
        KeyUnavailable: the service that has the key can't be reached.
    """
    copy = read_copy(source)
    held = _taken_hold_of(database, over_newer=over_newer)
    folder = None
    try:
        if held is not None:
            _remove_leftovers(database)
        folder = _folder_beside(database)
        here, there = folder / "here.db", folder / "there.db"
        _copy_privately(source, here, there)
        standing = _standing(here, there, held, database, vouched=nothing_since)
        if standing.more and not over_newer:
            raise RestoreRefused(_NOBODY_KNOWS if standing.compared is Compared.UNREADABLE else _IS_NEWER)
        comparison = await compare(here, there, standing, keys, vouched=nothing_since)
        fates = Counter(each.fate for each in comparison.changes)
        prospect = Prospect(copy, comparison.compared, fates)
        yield Prepared(prospect, comparison, here, there, database, held, keys)
    finally:
        if held is not None:
            held.close()
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)


def _looked_at(connection: sqlite3.Connection) -> Copy:
    made = connection.execute("SELECT value FROM meta WHERE name = ?", (BACKUP_MADE_AT,)).fetchone()
    # A copy that was made by other means says nothing of its time: the newest record is not after it.
    newest = [connection.execute(f"SELECT max(at) FROM {each}").fetchone()[0] for each in heads_in(connection)]  # noqa: S608
    connection.execute("SELECT 1 FROM audit LIMIT 1")
    return Copy(
        made_at=float(made[0]) if made else max((each for each in newest if each), default=0.0),
        schema=schema_in(connection),
        fingerprint=fingerprint_in(connection),
        connections=connection.execute("SELECT count(*) FROM connections").fetchone()[0],
    )


def _taken_hold_of(database: Path, *, over_newer: bool) -> Held | None:
    """Hold the database that is there; None: there is none, or it can't be read."""
    if not database.exists():
        return None
    try:
        return Held(database)
    except sqlite3.Error:
        if not over_newer:
            raise RestoreRefused(_NOBODY_KNOWS) from None
        return None


def _copy_privately(source: Path, here: Path, there: Path) -> None:
    """Copy the back-up, and make room for a copy of the other one."""
    try:
        for path in (here, there):
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        shutil.copyfile(source, here)
    except OSError as error:
        raise _unwritable(error) from None


def _standing(here: Path, there: Path, held: Held | None, database: Path, *, vouched: bool) -> Standing:
    if held is None:
        return Standing(Compared.UNREADABLE if database.exists() else Compared.ABSENT)
    try:
        held.copy_to(there)
    except sqlite3.Error:
        return Standing(Compared.UNREADABLE, more=True)
    return standing_of(here, there, vouched=vouched)


def _folder_beside(database: Path) -> Path:
    try:
        return Path(tempfile.mkdtemp(prefix=_prefix(database), dir=database.parent))
    except OSError as error:
        raise _unwritable(error) from None


def _remove_leftovers(database: Path) -> None:
    """Remove the copies of a restore that was killed; another one can't run now."""
    for folder in database.parent.glob(f"{_prefix(database)}*"):
        shutil.rmtree(folder, ignore_errors=True)


def _prefix(database: Path) -> str:
    return f".{database.name}.restore-"


def _in_place(new: Path, database: Path, now: float) -> Path | None:
    """Put a file in the database's place, and what is there under another name; returns that.

    The old one has both names until the new one has the first: whoever dies in between leaves one of them in place.
    """
    if not database.exists():
        new.replace(database)
        sync_directory(database.parent)
        return None
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
    kept = database.with_name(f"{database.name}.before-restore-{stamp}")
    try:
        os.link(database, kept)
    except FileExistsError:
        raise StoreUnavailable("there is a database that was put aside in this same second; try again") from None
    # Only a database that could not be read has journals left. One that stayed would be applied to the other database.
    for ending in _JOURNALS:
        journal = database.with_name(database.name + ending)
        if journal.exists():
            journal.replace(kept.with_name(kept.name + ending))
    new.replace(database)
    sync_directory(database.parent)
    return kept


def _unwritable(error: OSError) -> BackupUnusable:
    return BackupUnusable(f"the database can't be written: {error.strerror}")


def _name_of(error: sqlite3.Error) -> str:
    return getattr(error, "sqlite_errorname", type(error).__name__)
