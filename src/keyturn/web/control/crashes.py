"""Mistakes of ours, written down without what a caller sent."""

from __future__ import annotations

import structlog

from keyturn.core.crashes import crash_facts

log = structlog.get_logger("keyturn.control")


def write_down(error: BaseException, event: str, *, request_id: str, operation: str = "") -> None:
    """Log that something crashed, and where."""
    log.error(event, operation=operation, request_id=request_id, **crash_facts(error))
