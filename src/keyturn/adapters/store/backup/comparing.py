"""A back-up and the database that it replaces, compared row by row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, TypeVar

from keyturn.adapters.sealing.data_keys import DataKeys
from keyturn.adapters.store.backup.merging import (
    Fate,
    Ground,
    Lineage,
    Row,
    Unreadable,
    fate_alone,
    fate_of,
    fate_of_new,
)
from keyturn.adapters.store.backup.replaced import (
    Compared,
    Standing,
    Stored,
    facts_of,
    numbers_in,
    stored_in,
    up_to_date,
    versions_in,
)
from keyturn.adapters.store.backup.taking_over import Change
from keyturn.adapters.store.database.engine import Database
from keyturn.adapters.store.rows.connection_seals import ConnectionSeals
from keyturn.core.errors import BackupUnusable, StoreUnavailable

Each = TypeVar("Each")
AT_ONCE: Final = 200
Versions = Mapping[tuple[str, str, int], str]


@dataclass(frozen=True, slots=True)
class Comparison:
    """What was decided of each connection, and on what ground."""

    compared: Compared
    ground: Ground | None
    changes: Sequence[Change]


async def compare(here: Path, there: Path, standing: Standing, keys: DataKeys, *, vouched: bool) -> Comparison:
    """Decide of each connection; brings both copies to the tables of this release.

    Args:
        here, there: private copies of the back-up and of the replaced database.
        standing: how they stand to each other; without a ground the second is not opened.
        keys: to see that what is taken over can be opened.
        vouched: nothing ran on this data since the back-up was made.

    Raises:
        BackupUnusable: the back-up's tables can't be brought up.
        KeyUnavailable: the service that has the key can't be reached.
    """
    try:
        async with up_to_date(here) as ours:
            if standing.ground is not None:
                try:
                    async with up_to_date(there) as theirs:
                        both = _Both(ours, theirs, standing.ground, ConnectionSeals(theirs, keys))
                        return Comparison(standing.compared, standing.ground, await both.changes())
                except StoreUnavailable:  # of the other one; what is wrong with ours shows in the next lines as well
                    standing = Standing(Compared.UNREADABLE)
            return Comparison(standing.compared, None, await _alone(ours, vouched=vouched))
    except StoreUnavailable as error:
        raise BackupUnusable(f"the back-up can't be used: {error}") from None


@dataclass(frozen=True, slots=True)
class _Both:
    here: Database
    there: Database
    ground: Ground
    seals: ConnectionSeals

    async def changes(self) -> list[Change]:
        """What becomes of the connections of either."""
        ours, theirs = await numbers_in(self.here), await numbers_in(self.there)
        forked = self.ground.lineage is Lineage.FORKED  # else no version can stand for two documents
        versions = (await versions_in(self.here), await versions_in(self.there)) if forked else ({}, {})
        changes = []
        for ids in _some(ours):
            mine = await stored_in(self.here, [ours[each] for each in ids])
            found = await stored_in(self.there, [theirs[each] for each in ids if each in theirs])
            others = dict(zip((each for each in ids if each in theirs), found, strict=True))
            for name, row in zip(ids, mine, strict=True):
                other = others.get(name)
                fate = fate_of(await _own(row), await self._facts(other, row, versions), self.ground)
                ended = fate in (Fate.ENDED, Fate.GONE)
                of = next((each.connection for each in (other, row) if isinstance(each, Stored)), None)
                changes.append(Change(fate, ours[name], theirs.get(name), of if ended else None))
        for ids in _some(each for each in theirs if each not in ours):
            for name, row in zip(ids, await stored_in(self.there, [theirs[each] for each in ids]), strict=True):
                created = fate_of_new(await _own(row), self.ground)
                if created is not None:
                    changes.append(Change(created, None, theirs[name]))
        return changes

    async def _facts(
        self, found: Stored | int | None, mine: Stored | int, versions: tuple[Versions, Versions]
    ) -> Row | Unreadable | None:
        if found is None:
            return None
        row = await facts_of(found, self.seals, mine.row if isinstance(mine, Stored) else None)
        if isinstance(row, Row) and _clash(found, *versions):
            return replace(row, sound=row.ended)
        return row


async def _alone(here: Database, *, vouched: bool) -> list[Change]:
    numbers = await numbers_in(here)
    changes = []
    for some in _some(numbers.values()):
        for number, row in zip(some, await stored_in(here, some), strict=True):
            changes.append(Change(fate_alone(await _own(row), vouched=vouched), number))
    return changes


async def _own(found: Stored | int) -> Row | Unreadable:
    """The facts of a row that is not opened: it stays as it is."""
    return await facts_of(found, None)


def _clash(found: Stored | int, ours: Versions, theirs: Versions) -> bool:
    """True if both have the version that a connection is on, and these are not the same."""
    if isinstance(found, int) or found.connection is None:
        return False
    of = (found.connection.project, found.connection.connector, found.connection.connector_version)
    return of in ours and of in theirs and ours[of] != theirs[of]


def _some(all_of_them: Iterable[Each]) -> Iterator[Sequence[Each]]:
    found = list(all_of_them)
    return (found[start : start + AT_ONCE] for start in range(0, len(found), AT_ONCE))
