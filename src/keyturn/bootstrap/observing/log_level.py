"""A more talkative log for a while, without a restart; what was set comes back by itself.

Rule 1: it is one process's, ends at a stated time whatever happens, and at the latest with the process.
Rule 2: every record still passes the redactor, which knows no levels.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import structlog

log = structlog.get_logger("keyturn")


class TemporaryLogLevel:
    """Implements `LogLevelSwitch` of the doors."""

    def __init__(self, setting: str, apply: Callable[[str], None]) -> None:
        """`setting`: the level that comes back. `apply`: makes a level the process's."""
        self._setting = setting
        self._apply = apply
        self._level = setting
        self._until: float | None = None
        self._timer: asyncio.TimerHandle | None = None

    @property
    def state(self) -> tuple[str, str, float | None]:
        """The level now, the one of the setting, and until when (Unix seconds) they differ."""
        return self._level, self._setting, self._until

    def set(self, level: str, for_s: float) -> None:
        """Log at this level for so many seconds; a later call takes the place of an earlier one."""
        self._end_timer()
        self._level, self._until = level, time.time() + for_s
        self._timer = asyncio.get_running_loop().call_later(for_s, self._back)
        self._apply(level)
        log.warning("log_level_set", level=level, for_s=for_s)

    def _back(self) -> None:
        self._end_timer()
        self._level, self._until = self._setting, None
        self._apply(self._setting)
        log.warning("log_level_back", level=self._setting)

    def _end_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
