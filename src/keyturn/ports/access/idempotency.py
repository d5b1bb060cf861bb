"""Replies to requests with an `Idempotency-Key`. The promises are written as tests: `tests/contracts`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class StoredReply:
    """What was answered to a request with an `Idempotency-Key`; None while it runs."""

    request_digest: str
    status: int | None
    body: bytes | None = field(repr=False)
    headers: tuple[tuple[str, str], ...] = ()


class IdempotencyStore(Protocol):
    """Replies that may be asked for again, for 24 hours."""

    async def begin(self, key: str, request_digest: str, *, now: float) -> StoredReply | None:
        """Claim the key (None), or read what it stands for already. A claim older than 2 min without a reply lapses."""
        ...

    async def finish(self, key: str, reply: StoredReply) -> None:
        """Store the reply."""
        ...

    async def abandon(self, key: str) -> None:
        """Give the claim back: the request failed before it did anything."""
        ...

    async def purge(self, *, claimed_before: float) -> int:
        """Take away what is of a request that came earlier; returns how many."""
        ...
