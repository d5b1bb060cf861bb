"""What moving a connector's connections would do: a dry run, in which nothing is sent and nothing changes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from keyturn.core.building.changes import Change, changes
from keyturn.core.building.moving import NeedsLogin, needs_login
from keyturn.core.connection import State
from keyturn.core.errors import NotFound
from keyturn.engine.published import PublishedConnectors
from keyturn.ports.store import ConnectionFilter, ConnectionStore

PAGE: Final = 200
MOST_NAMED: Final = 1000


@dataclass(frozen=True, slots=True)
class MigrationPlan:
    """`version`: the newest. `already`: connections on it. `by_version`: older ones, how many are on each.

    `moves`: how many can go over, if the test call passes. `needs_login`: how many can't, by reason; `named`: those,
    a thousand at most. `changes`: what differs, by the version that a connection is on.
    """

    version: int
    already: int = 0
    by_version: Mapping[int, int] = field(default_factory=dict)
    moves: int = 0
    needs_login: Mapping[NeedsLogin, int] = field(default_factory=dict)
    named: tuple[tuple[str, NeedsLogin], ...] = ()
    changes: Mapping[int, tuple[Change, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PlanMigration:
    """The ports that this needs."""

    connections: ConnectionStore
    published: PublishedConnectors

    async def __call__(
        self, connector_id: str, *, owners: frozenset[str] = frozenset(), project: str = "default"
    ) -> MigrationPlan:
        """Look at each connection of a connector; NotFound, ConnectorNotPublished. `owners`: none for all."""
        newest = await self.published.newest(connector_id, project=project)
        by_version: Counter[int] = Counter()
        needs: Counter[NeedsLogin] = Counter()
        named: list[tuple[str, NeedsLogin]] = []
        which = ConnectionFilter(connector=connector_id, owners=owners or None, not_ended=True)
        cursor: str | None = None
        while True:
            page = await self.connections.list(which, cursor=cursor, limit=PAGE, project=project)
            for each in page.items:
                if each.state is State.UNREADABLE:
                    continue  # it moves with its person's next login
                by_version[each.connector_version] += 1
                reason = None
                if each.connector_version != newest.version:
                    reason = needs_login(newest.connector, each)
                if reason is not None:
                    needs[reason] += 1
                    named += [(each.id, reason)] if len(named) < MOST_NAMED else []
            cursor = page.next_cursor
            if cursor is None:
                break
        already = by_version.pop(newest.version, 0)
        found = {}
        for version in sorted(by_version):
            try:
                old = await self.published.version(connector_id, version, project=project)
            except NotFound:
                continue
            found[version] = changes(old, newest.connector, by_version[version])
        moves = by_version.total() - needs.total()
        return MigrationPlan(
            newest.version, already, dict(sorted(by_version.items())), moves, dict(needs), tuple(named), found
        )
