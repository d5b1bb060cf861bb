"""What one test file can leave to the next in the same process, and what differs once it has.

The order of files is drawn, and which worker has which: what is left behind makes a test fail here and there, far from
where it came from. So it is looked for wherever a file ends.
"""

from __future__ import annotations

import asyncio
import gc
import locale
import logging
import os
import resource
import signal
import socket
import sys
import threading
import time
from typing import Any, Final

import structlog

OF_PYTEST: Final = "PYTEST_CURRENT_TEST"
# pytest-timeout has this one put in and taken out for each test
_SIGNALS: Final = sorted(signal.valid_signals() - {signal.SIGALRM})
_LIMITS: Final = (resource.RLIMIT_CORE, resource.RLIMIT_NOFILE, resource.RLIMIT_FSIZE, resource.RLIMIT_AS)


def state() -> dict[str, Any]:
    """Everything that is looked at, by what it is called."""
    return {
        "os.environ": {name: value for name, value in os.environ.items() if name != OF_PYTEST},
        "the working directory": os.getcwd(),
        "the umask": _umask(),
        "handlers of signals": {name: signal.getsignal(name) for name in _SIGNALS},
        "limits of the process": {name: resource.getrlimit(name) for name in _LIMITS},
        "the locale": locale.setlocale(locale.LC_ALL),
        "the time zone": time.tzname,
        "sys.path": [*sys.path],
        "sys.argv": [*sys.argv],
        "hooks for errors": [sys.excepthook, sys.unraisablehook, threading.excepthook],
        "the recursion limit": sys.getrecursionlimit(),
        "the garbage collector": gc.isenabled(),
        "the time limit of sockets": socket.getdefaulttimeout(),
        # By its variable: asking for the policy is deprecated on 3.14.
        "the policy of event loops": type(getattr(asyncio.events, "_event_loop_policy", None)),
        "structlog's configuration": structlog.get_config() | {"processors": [*structlog.get_config()["processors"]]},
        "what is logged at all": logging.root.manager.disable,
        "handlers of loggers": _handlers(),
        "levels of loggers": _levels(),
    }


def left_behind(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """What differs, in words; of environment variables the names alone, as values can be secrets of the machine."""
    found = []
    for what, was in before.items():
        now = after[what]
        if was == now:
            continue
        if isinstance(was, dict) and isinstance(now, dict):
            names = [str(name) for name in {**was, **now} if was.get(name, ...) != now.get(name, ...)]
            found.append(f"{what}: {', '.join(sorted(names))}")
        else:
            found.append(what)
    return found


def _umask() -> int:
    was = os.umask(0o077)
    os.umask(was)
    return was


def _loggers() -> dict[str, logging.Logger]:
    known = {name: each for name, each in logging.root.manager.loggerDict.items() if isinstance(each, logging.Logger)}
    return {"root": logging.root, **known}


def _handlers() -> dict[str, list[int]]:
    """By logger; pytest's own and those that do nothing, which libraries put in as they are loaded, do not count."""
    found = {
        name: [
            id(each)
            for each in logger.handlers
            if not isinstance(each, logging.NullHandler) and not type(each).__module__.startswith("_pytest")
        ]
        for name, logger in _loggers().items()
    }
    return {name: handlers for name, handlers in found.items() if handlers}


def _levels() -> dict[str, tuple[int, bool, bool]]:
    """Of the loggers that the product sets; a library may set its own as it is loaded.

    Every uvicorn that serves without an access log switches that logger off for good, so it does not count.
    """
    ours = ("root", "keyturn", "uvicorn", "asyncio", "sqlalchemy", "aiohttp", "alembic", "py.warnings")
    return {
        name: (logger.level, logger.disabled, logger.propagate)
        for name, logger in _loggers().items()
        if name.startswith(ours) and name != "uvicorn.access"
        if logger.level or logger.disabled or not logger.propagate
    }
