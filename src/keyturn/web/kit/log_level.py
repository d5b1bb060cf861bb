"""How talkative this process's log is, for the doors that show and change it.

Rule: the change is recorded before it is made; it ends by itself after a day at most.
"""

from __future__ import annotations

from typing import Final, Protocol

from keyturn.core.audit_record import AuditRecord
from keyturn.engine.actor import Actor
from keyturn.engine.application import Application

LOG_LEVEL_SET: Final = "instance.log_level_set"
LEVELS: Final = ("debug", "info", "warning", "error")
LONGEST_S: Final = 86_400


class LogLevelSwitch(Protocol):
    """The switch."""

    @property
    def state(self) -> tuple[str, str, float | None]:
        """The level now, the one of the setting, and until when (Unix seconds) they differ."""
        ...

    def set(self, level: str, for_s: float) -> None:
        """Log at this level for so many seconds."""
        ...


async def set_log_level(application: Application, switch: LogLevelSwitch, level: str, for_s: int, actor: Actor) -> None:
    """Record it and do it.

    Args:
        application: for its audit log.
        switch: of this process.
        level: one of `LEVELS`.
        for_s: for how many seconds, `LONGEST_S` at most.
        actor: who wants it.

    Raises:
        StoreUnavailable: it can't be recorded; nothing changed.
    """
    facts = {"level": level, "for_s": for_s}
    now = application.clock.now()
    record = AuditRecord(now, LOG_LEVEL_SET, actor.name, request_id=actor.request_id, facts=facts)
    await application.audit.append([record])
    switch.set(level, for_s)
