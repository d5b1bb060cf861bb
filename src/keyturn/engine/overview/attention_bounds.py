"""What a question for connections that need attention is asked with: the time, and how each version in use renews."""

from __future__ import annotations

from dataclasses import dataclass

from keyturn.core.errors import NotFound
from keyturn.core.renewal.attention import NO_WAY, AttentionBounds, Ways, ways_of
from keyturn.engine.published import PublishedConnectors
from keyturn.ports.clock import Clock
from keyturn.ports.store import ConnectionStore


@dataclass(frozen=True, slots=True)
class ReadAttentionBounds:
    """Reads them; versions are at hand once they were read."""

    connections: ConnectionStore
    published: PublishedConnectors
    clock: Clock

    async def __call__(self, *, project: str = "default") -> AttentionBounds:
        """The bounds of this moment. StoreUnavailable."""
        found: dict[tuple[str, int], Ways] = {}
        for connector, version in await self.connections.active_versions(project=project):
            try:
                found[connector, version] = ways_of(await self.published.version(connector, version, project=project))
            except NotFound:
                found[connector, version] = NO_WAY  # it is gone, and so nothing renews what is on it
        return AttentionBounds(self.clock.now(), found)
