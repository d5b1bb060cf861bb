"""One way out for all that is logged: structlog, the standard library, servers, threads, loops and crashes.

Rule 1: whatever is written has passed the redactor as its last step; of an exception only its kind and places are.
Rule 2: nothing but this module adds a handler, and no handler prints a record that it could not format.
Rule 3: servers write no access log; requests are logged by us, with the path's template.
"""

from __future__ import annotations

import asyncio
import copy
import json as json_format
import logging
import sys
import threading
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Final, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from keyturn.core.crashes import crash_facts
from keyturn.core.redaction.redactor import Redactor

_ACCESS_LOGS: Final = ("uvicorn.access", "aiohttp.access", "gunicorn.access")
_SERVERS: Final = (
    "uvicorn",
    "uvicorn.error",
    "uvicorn.asgi",
    "aiohttp",
    "aiohttp.client",
    "aiohttp.internal",
    "aiohttp.server",
    "aiohttp.web",
    "aiohttp.websocket",
    "asyncio",
    "concurrent.futures",
    "py.warnings",
)
# What these say below a warning is each statement with its values: no business of a log.
_TALKATIVE: Final = ("alembic", "sqlalchemy", "httpcore", "multipart", "python_multipart")
_QUIET: Final = logging.CRITICAL + 1
_UNCAUGHT: Final = "keyturn.uncaught"


def configure_logging(*, level: str, json: bool, redactor: Redactor, stream: TextIO) -> None:
    """Send every log record of the process through `redactor` to `stream`; a second call replaces the first.

    Args:
        level: a level's name, in any case; less urgent records are dropped early.
        json: one JSON object a line; otherwise lines for people.
        redactor: sees each rendered record last.
        stream: where to write, usually standard error.

    Raises:
        ValueError: `level` is no level's name.
    """
    threshold = _threshold(level)
    handler = _RedactingHandler(stream)
    handler.setFormatter(_RedactingFormatter(redactor, json=json))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(threshold)
    logging.captureWarnings(True)
    _calm_servers()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            *_shared_processors(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        cache_logger_on_first_use=False,
    )
    _catch_the_uncaught()


def change_level(level: str) -> None:
    """Drop less urgent records than these from now on; ValueError as `configure_logging`."""
    threshold = _threshold(level)
    logging.getLogger().setLevel(threshold)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(threshold))


def _threshold(level: str) -> int:
    threshold = logging.getLevelNamesMapping().get(level.upper())
    if threshold is None:
        raise ValueError("the log level is not one of debug, info, warning, error, critical")
    return threshold


def redacting_processor(redactor: Redactor) -> Processor:
    """Make a structlog processor that takes the secrets out of an event, for sinks that render by themselves."""

    def redact_event(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict | str:
        if isinstance(event, str):
            return redactor.redact_text(event)
        shown = redactor.redact_structure(event)
        return shown if isinstance(shown, dict) else {"event": shown}

    return redact_event


def log_loop_exception(_loop: asyncio.AbstractEventLoop, context: Mapping[str, Any]) -> None:
    """Log what an event loop could not deliver; for `loop.set_exception_handler`.

    The loop's own handler prints the repr of tasks and callbacks; this one keeps to the message and the exception.
    """
    error = context.get("exception")
    logging.getLogger(_UNCAUGHT).error(
        "event loop: %s", context.get("message", "unhandled error"), exc_info=error if error is not None else None
    )


def _shared_processors() -> list[Processor]:
    return [
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        _say_where,
        structlog.processors.UnicodeDecoder(),
    ]


def _say_where(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Put an exception's kind and places for it; its message may hold what no registry of secrets knows."""
    given = event.pop("exc_info", None)
    if given is True:
        given = sys.exc_info()
    error = given[1] if isinstance(given, tuple) else given
    if isinstance(error, BaseException):
        event.update(crash_facts(error))
    return event


class _RedactingFormatter(structlog.stdlib.ProcessorFormatter):
    """Renders a record of either kind and takes the secrets out of the text."""

    def __init__(self, redactor: Redactor, *, json: bool) -> None:
        renderer: Processor = (
            structlog.processors.JSONRenderer(ensure_ascii=False, default=str)
            if json
            else structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
        )
        super().__init__(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
            foreign_pre_chain=_shared_processors(),
        )
        self._redactor = redactor
        self._json = json

    def format(self, record: logging.LogRecord) -> str:
        try:
            rendered = super().format(self._filled(record))
        except Exception:  # noqa: BLE001  (rather a poor line than none, and never the raw record)
            rendered = self._poor_line(record)
        shown = self._redactor.redact_text(rendered)
        return shown if not self._json or shown == rendered else self._as_json(shown, rendered)

    def _filled(self, record: logging.LogRecord) -> logging.LogRecord:
        """Fill the arguments in here: an argument may be a secret by the name before it."""
        if isinstance(record.msg, dict):  # an event of structlog's
            return record
        record = copy.copy(record)
        record.msg = self._redactor.redact_message(str(record.msg), record.args)
        record.args = ()
        return record

    def _poor_line(self, record: logging.LogRecord) -> str:
        line = {"event": "a log record could not be rendered", "logger": record.name, "level": record.levelname.lower()}
        return json_format.dumps(line) if self._json else " ".join(f"{name}={text}" for name, text in line.items())

    def _as_json(self, shown: str, rendered: str) -> str:
        """A line that lost its shape with its secrets is redacted again, member by member."""
        try:
            json_format.loads(shown)
        except ValueError:
            try:
                members = self._redactor.redact_structure(json_format.loads(rendered))
            except ValueError:
                members = {"event": shown}
            return json_format.dumps(members, ensure_ascii=False)
        return shown


class _RedactingHandler(logging.StreamHandler[TextIO]):
    """Writes lines; says nothing of a record that it failed to write, where logging would print it raw."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """Drop the record: its arguments may hold secrets."""


def _calm_servers() -> None:
    for name in _SERVERS:
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
    for name in _ACCESS_LOGS:
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = False
        logger.setLevel(_QUIET)
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)


def _catch_the_uncaught() -> None:
    sys.excepthook = _log_uncaught
    sys.unraisablehook = _log_unraisable
    threading.excepthook = _log_thread
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return  # the one who starts a loop sets `log_loop_exception`; the loop's own handler logs through us as well
    loop.set_exception_handler(log_loop_exception)


def _log_uncaught(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        logging.getLogger(_UNCAUGHT).warning("interrupted")
        return
    logging.getLogger(_UNCAUGHT).critical("uncaught exception", exc_info=(kind, error, traceback))


def _log_thread(args: threading.ExceptHookArgs) -> None:
    if args.exc_type is SystemExit or args.exc_value is None:
        return
    logging.getLogger(_UNCAUGHT).error(
        "uncaught exception in a thread", exc_info=(args.exc_type, args.exc_value, args.exc_traceback)
    )


def _log_unraisable(unraisable: sys.UnraisableHookArgs) -> None:
    error = unraisable.exc_value
    if error is not None:
        logging.getLogger(_UNCAUGHT).error(
            "exception ignored", exc_info=(unraisable.exc_type, error, unraisable.exc_traceback)
        )
