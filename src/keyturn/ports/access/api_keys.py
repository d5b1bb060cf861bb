"""API keys as they rest. The promises are written as tests: `tests/contracts/api_key_store_contract.py`.

Rule: what rests is a digest; nobody can call with what is stored. Times are Unix seconds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from keyturn.core.audit_record import AuditRecord


@dataclass(frozen=True, slots=True)
class ApiKey:
    """An API key as it is stored. `digest`: SHA-256 of the whole key, hex. `connectors`, `owners`: empty means all.

    `created_by`: an actor's name, empty where it was not written down. `last_used_at`: to the minute.
    """

    id: str
    name: str
    digest: str
    scopes: frozenset[str]
    created_at: float
    connectors: frozenset[str] = frozenset()
    expires_at: float | None = None
    revoked_at: float | None = None
    project: str = "default"
    owners: frozenset[str] = frozenset()
    created_by: str = ""
    last_used_at: float | None = None


class ApiKeyStore(Protocol):
    """API keys, by the hash of what their holders send."""

    async def add(self, key: ApiKey, *, records: Sequence[AuditRecord] = ()) -> None:
        """Add one."""
        ...

    async def find(self, digest: str) -> ApiKey | None:
        """The key with this digest, revoked and expired ones too."""
        ...

    async def list(self, *, project: str = "default") -> Sequence[ApiKey]:
        """All that are not revoked, newest first."""
        ...

    async def load(self, key_id: str, *, project: str = "default") -> ApiKey | None:
        """Read one, revoked and expired ones too."""
        ...

    async def revoke(self, key_id: str, *, at: float, records: Sequence[AuditRecord] = ()) -> bool:
        """Revoke one; False if there is none (already revoked counts as done)."""
        ...

    async def roll(self, key_id: str, key: ApiKey, *, ends_at: float, records: Sequence[AuditRecord] = ()) -> bool:
        """Add `key`, and end this one at `ends_at` unless it ends before.

        False, and nothing is added, where there is none that is neither revoked nor over by the time of `key`.
        """
        ...

    async def note_uses(self, uses: Mapping[str, float]) -> None:
        """Note by key id when it was last used; never goes back in time."""
        ...
