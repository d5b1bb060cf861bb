"""Time and randomness, handed in so that nothing that decides reads them by itself."""

from __future__ import annotations

from typing import Protocol


class Clock(Protocol):
    """Wall time for what people and providers see, monotonic time for how long something took."""

    def now(self) -> float:
        """Unix seconds."""
        ...

    def monotonic(self) -> float:
        """Seconds that only ever grow."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


class Entropy(Protocol):
    """Unguessable values and harmless dice."""

    def token(self, n_bytes: int = 32) -> str:
        """URL-safe text from so many random bytes."""
        ...

    def identifier(self, prefix: str) -> str:
        """A new id such as `cxn_…`, 128 bits, sortable by nothing."""
        ...

    def fraction(self) -> float:
        """A number in [0, 1), for jitter."""
        ...
