"""The real clock and the real dice."""

from __future__ import annotations

import asyncio
import random
import secrets
import time


class SystemClock:
    """Implements `Clock`."""

    def now(self) -> float:
        """Unix seconds."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds that only ever grow."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)


class SystemEntropy:
    """Implements `Entropy`; everything but the dice comes from the operating system."""

    def token(self, n_bytes: int = 32) -> str:
        """URL-safe text from so many random bytes."""
        return secrets.token_urlsafe(n_bytes)

    def identifier(self, prefix: str) -> str:
        """A new id: the prefix, an underscore and 128 bits."""
        return f"{prefix}_{secrets.token_hex(16)}"

    def fraction(self) -> float:
        """A number in [0, 1)."""
        return random.random()  # noqa: S311  (jitter guards nothing)
