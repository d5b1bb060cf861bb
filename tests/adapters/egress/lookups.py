"""Resolvers that say what a test tells them, and remember who was asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence


class ScriptedResolver:
    """Each lookup gives the next script, the last one again and again; None hangs, an error is raised."""

    def __init__(self, *script: Sequence[str] | OSError | None) -> None:
        self._script = list(script)
        self.asked: list[str] = []

    async def resolve(self, host: str) -> Sequence[str]:
        """As `Resolver.resolve`."""
        self.asked.append(host)
        said = self._script.pop(0) if len(self._script) > 1 else self._script[0]
        if said is None:
            await asyncio.Event().wait()
        if isinstance(said, OSError):
            raise said
        return said or ()
