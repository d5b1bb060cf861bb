"""A clock that stands still until a test moves it."""

from __future__ import annotations

import asyncio


class FakeClock:
    """Wall and monotonic time, moved by hand; with `auto` a sleep moves it by itself and returns at once."""

    def __init__(self, now: float = 1_700_000_000.0, *, auto: bool = False) -> None:
        self.auto = auto
        self.slept: list[float] = []
        self._now = now
        self._monotonic = 1_000.0
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []

    def now(self) -> float:
        """Unix seconds."""
        return self._now

    def monotonic(self) -> float:
        """Seconds that only ever grow."""
        return self._monotonic

    async def sleep(self, seconds: float) -> None:
        """Wait until a test has moved the clock far enough."""
        self.slept.append(seconds)
        if self.auto:
            self.advance(seconds)
        if self.auto or seconds <= 0:
            await asyncio.sleep(0)
            return
        waker = asyncio.get_running_loop().create_future()
        self._sleepers.append((self._monotonic + seconds, waker))
        await waker

    def advance(self, seconds: float) -> None:
        """Let time pass, and wake who has slept enough."""
        if seconds < 0:
            raise ValueError("time does not run backwards; jump_wall sets the wall clock")
        self._now += seconds
        self._monotonic += seconds
        awake = [waker for until, waker in self._sleepers if until <= self._monotonic]
        self._sleepers = [(until, waker) for until, waker in self._sleepers if until > self._monotonic]
        for waker in awake:
            if not waker.done():
                waker.set_result(None)

    def jump_wall(self, seconds: float) -> None:
        """Set the wall clock forward or back, as an operator or NTP does; monotonic time takes no notice."""
        self._now += seconds

    @property
    def sleepers(self) -> int:
        """How many tasks wait for this clock."""
        return sum(not waker.done() for _, waker in self._sleepers)
