"""Links by which a person sees and ends one connection: who may open one is known by its digest alone.

Promises: `tests/contracts/person_link_store_contract.py`. Times are Unix seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from keyturn.core.audit_record import AuditRecord


@dataclass(frozen=True, slots=True)
class PersonLink:
    """A link to one connection.

    `digest`: SHA-256, hex, of the link's secret. `account_digest`: the same of the secret and the account together, so
    that a link ends with the account that it was made for, and the row names nobody.
    """

    id: str
    digest: str
    account_digest: str
    connection: str
    created_at: float
    expires_at: float
    created_by: str
    project: str = "default"


class PersonLinkStore(Protocol):
    """The links."""

    async def add(self, link: PersonLink, *, records: Sequence[AuditRecord] = ()) -> bool:
        """Add one; False, and nothing is written, where one of this digest is there."""
        ...

    async def find(self, digest: str) -> PersonLink | None:
        """Read one by the digest of its secret, expired ones too."""
        ...

    async def remove_of(
        self, connection_id: str, *, records: Sequence[AuditRecord] = (), project: str = "default"
    ) -> int:
        """Take all links of a connection away; returns how many there were."""
        ...

    async def purge(self, *, expired_before: float) -> int:
        """Take away those that ended earlier; returns how many."""
        ...
