"""Mistakes of ours, written down without what a caller sent.

Rule 1: a log line has the kind of the exception and the places that it went through; neither its message nor any
variable, since both may hold a body.
"""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import Final

import structlog

DEEPEST: Final = 12
log = structlog.get_logger("keyturn.control")


def write_down(error: BaseException, event: str, *, request_id: str, operation: str = "") -> None:
    """Log that something crashed, and where."""
    frames = traceback.extract_tb(error.__traceback__)[-DEEPEST:]
    places = [f"{Path(each.filename).name}:{each.lineno} {each.name}" for each in frames]
    log.error(event, operation=operation, request_id=request_id, error=type(error).__name__, places=places)
