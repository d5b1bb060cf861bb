"""A changed log level is one of the whole process, and goes back by itself."""

from __future__ import annotations

import asyncio
import io
import logging
from collections.abc import Iterator

import pytest
import structlog

from keyturn.bootstrap.logging import change_level, configure_logging
from keyturn.bootstrap.observing.log_level import TemporaryLogLevel
from keyturn.core.redaction.known import KnownSecrets
from keyturn.core.redaction.redactor import Redactor
from keyturn.core.secret import Secret

EARLY = structlog.get_logger("keyturn.early")


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """Where this process logs to, at info."""
    written = io.StringIO()
    known = KnownSecrets()
    configure_logging(level="info", json=True, redactor=Redactor(known), stream=written)
    with known.in_flight(Secret("canary-of-the-level")):
        yield written


async def test_it_changes_and_goes_back(stream: io.StringIO) -> None:
    """Loggers that were made before hear of it, those of the standard library too; what is logged stays redacted."""
    level = TemporaryLogLevel("info", change_level)
    EARLY.debug("one")
    level.set("debug", 0.05)
    EARLY.debug("two", value="canary-of-the-level")
    logging.getLogger("somebody").debug("three")
    during = level.state
    await asyncio.sleep(0.1)
    EARLY.debug("four")
    text = stream.getvalue()

    assert ("debug", "info") == during[:2]
    assert ("info", "info", None) == level.state
    assert [False, True, True, False] == [f'"{word}"' in text for word in ("one", "two", "three", "four")]
    assert "canary" not in text


async def test_a_later_call_wins(stream: io.StringIO) -> None:
    """The earlier one's end does not end it."""
    level = TemporaryLogLevel("info", change_level)
    level.set("debug", 0.02)
    level.set("error", 60)
    await asyncio.sleep(0.06)

    assert "error" == level.state[0]
    level.set("info", 0.001)
    await asyncio.sleep(0.02)
