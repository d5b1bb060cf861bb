"""What the tests of the wiring share."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Iterator

import pytest
import structlog

from tests.fakes.fresh_tables import fresh_tables_at_once


@pytest.fixture(scope="module", autouse=True)
def _fresh_tables() -> Iterator[None]:
    with fresh_tables_at_once():
        yield


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    """What is wired sets up the logging of the whole process, whose next tests do not expect it."""
    before = {each: (each.level, each.disabled, each.propagate, each.handlers[:]) for each in _loggers()}
    hooks = sys.excepthook, sys.unraisablehook, threading.excepthook
    configured, config = structlog.is_configured(), structlog.get_config()
    yield
    logging.captureWarnings(False)
    for each in _loggers():
        level, disabled, propagate, handlers = before.get(each, (logging.NOTSET, False, True, []))
        each.disabled, each.propagate, each.handlers[:] = disabled, propagate, handlers
        each.setLevel(level)
    sys.excepthook, sys.unraisablehook, threading.excepthook = hooks
    structlog.reset_defaults()
    if configured:
        structlog.configure(**config)


def _loggers() -> list[logging.Logger]:
    known = logging.root.manager.loggerDict.values()
    return [logging.root, *(each for each in known if isinstance(each, logging.Logger))]
