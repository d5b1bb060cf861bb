"""No way of logging, and no way of crashing, shows a secret."""

from __future__ import annotations

import asyncio
import gc
import io
import json
import logging
import sys
import threading
import warnings

import pytest
import structlog

from keyturn.bootstrap.logging import configure_logging, log_loop_exception, redacting_processor
from keyturn.core.redaction.redactor import KnownSecrets, Redactor
from keyturn.core.secret import Secret

_CANARY = "violet-Harbor-77"  # in flight; nothing beside it says that it is a secret
_NAMED = "hunter2-Zebra"  # known by the name before it alone


class _Log:
    """What was written, with the registry behind it."""

    def __init__(self, *, json_lines: bool, level: str = "debug") -> None:
        self.known = KnownSecrets()
        self.known.add(Secret(_CANARY))
        self.stream = io.StringIO()
        configure_logging(level=level, json=json_lines, redactor=Redactor(self.known), stream=self.stream)

    @property
    def text(self) -> str:
        return self.stream.getvalue()

    @property
    def records(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.text.splitlines()]


@pytest.fixture(params=[pytest.param(True, id="json"), pytest.param(False, id="console")])
def log(request: pytest.FixtureRequest) -> _Log:
    """Give what was written in either form."""
    return _Log(json_lines=request.param)


def assert_clean(log: _Log, *kept: str) -> None:
    """Check that a secret was hidden, that none is shown, and that `kept` is there."""
    assert _CANARY not in log.text
    assert _NAMED not in log.text
    assert "***" in log.text
    assert [] == [part for part in kept if part not in log.text]


def assert_told(log: _Log, *kept: str) -> None:
    """Check that no secret is shown, and that `kept` is there."""
    assert _CANARY not in log.text
    assert _NAMED not in log.text
    assert "not known to anybody" not in log.text
    assert [] == [part for part in kept if part not in log.text]


def _raise() -> None:
    raise ValueError(_CANARY, f"password={_NAMED}", "a text that is not known to anybody")


def test_a_structlog_event(log: _Log) -> None:
    """Members of an event are redacted by name and by value."""
    structlog.get_logger("keyturn.engine").info("logged in", password=_NAMED, note=f"with {_CANARY}", account="acme-1")

    assert_clean(log, "logged in", "acme-1", "keyturn.engine")


def test_an_exception_of_a_structlog_event(log: _Log) -> None:
    """Kinds and places are said, chained ones too; no message is, for no registry knows all that one may hold."""
    try:
        try:
            _raise()
        except ValueError as error:
            raise RuntimeError(f"token {_CANARY}") from error
    except RuntimeError:
        structlog.get_logger("keyturn.engine").exception("login failed")

    assert_told(log, "login failed", "RuntimeError", "ValueError", "test_logging.py:")


def test_a_record_of_the_standard_library(log: _Log) -> None:
    """Arguments of a plain record are redacted by what they are and by the name before them."""
    logging.getLogger("aiohttp.client").warning("sent %s with password %s, %r", _CANARY, _NAMED, {"otp": 4930271})

    assert_clean(log, "aiohttp.client", "with password")
    assert "4930271" not in log.text


@pytest.mark.parametrize("json_lines", [True, False])
def test_a_record_whose_arguments_do_not_fit(json_lines: bool, capsys: pytest.CaptureFixture[str]) -> None:
    """A record that can't be formatted is not printed raw, as logging would do."""
    log = _Log(json_lines=json_lines)  # here, so that the handlers of the test runner are gone
    logging.getLogger("uvicorn.error").error("one %s two %d", _CANARY, "no number", f"pwd={_NAMED}")

    assert_clean(log, "one %s two %d")
    assert ("", "") == capsys.readouterr()


@pytest.mark.parametrize("json_lines", [True, False])
def test_an_object_with_a_broken_repr(json_lines: bool, capsys: pytest.CaptureFixture[str]) -> None:
    """An argument that raises costs its own text only."""
    log = _Log(json_lines=json_lines)

    class Broken:
        def __repr__(self) -> str:
            raise RuntimeError(_CANARY)

    logging.getLogger("uvicorn.error").error("broken %s", Broken())
    structlog.get_logger("keyturn").info("broken too", member=Broken())

    assert _CANARY not in log.text
    assert ("", "") == capsys.readouterr()
    assert 2 == len(log.text.splitlines())


def test_an_uncaught_exception_in_a_thread(log: _Log, capsys: pytest.CaptureFixture[str]) -> None:
    """A thread that dies is logged, not printed."""
    thread = threading.Thread(target=_raise)
    thread.start()
    thread.join()

    assert_told(log, "uncaught exception in a thread", "ValueError")
    assert ("", "") == capsys.readouterr()


async def test_an_uncaught_exception_in_a_task(log: _Log, capsys: pytest.CaptureFixture[str]) -> None:
    """A task whose exception nobody fetched is logged by the loop's own handler, redacted."""
    await _lose_a_task()

    assert_clean(log, "ValueError")
    assert ("", "") == capsys.readouterr()


async def test_an_uncaught_exception_in_a_task_with_our_handler(log: _Log) -> None:
    """Our handler leaves out the repr of the task."""
    asyncio.get_running_loop().set_exception_handler(log_loop_exception)
    await _lose_a_task()

    assert_told(log, "ValueError", "keyturn.uncaught")
    assert "<Task" not in log.text


async def test_a_running_loop_is_given_the_handler() -> None:
    """Configured inside a loop, the loop needs no second call."""
    log = _Log(json_lines=True)
    await _lose_a_task()

    assert_told(log, "event loop: ", "ValueError")


async def _lose_a_task() -> None:
    async def fail() -> None:
        _raise()

    task = asyncio.get_running_loop().create_task(fail())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    del task
    gc.collect()


def test_a_crash_of_the_process(log: _Log, capsys: pytest.CaptureFixture[str]) -> None:
    """The last exception of a process is said in the same way."""
    try:
        _raise()
    except ValueError as error:
        sys.excepthook(ValueError, error, error.__traceback__)
    sys.excepthook(KeyboardInterrupt, KeyboardInterrupt(_CANARY), None)

    assert_told(log, "uncaught exception", "interrupted")
    assert ("", "") == capsys.readouterr()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_exception_that_nobody_can_catch(log: _Log, capsys: pytest.CaptureFixture[str]) -> None:
    """An exception in a finalizer is logged, not printed."""

    class Finalized:
        def __del__(self) -> None:
            _raise()

    Finalized()
    gc.collect()

    assert_told(log, "exception ignored", "ValueError")
    assert ("", "") == capsys.readouterr()


def test_a_warning(log: _Log) -> None:
    """Warnings are records like any other."""
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(True)
        warnings.warn(f"deprecated use of {_CANARY}", stacklevel=1)

    assert_clean(log, "deprecated use of")


def test_access_logs_of_servers_are_off(log: _Log) -> None:
    """URLs hold secrets; requests are logged by us, with the path's template."""
    logging.getLogger("uvicorn.access").info("GET /cb?token=%s", _NAMED)
    logging.getLogger("uvicorn.access").critical("GET /cb?token=%s", _NAMED)
    logging.getLogger("aiohttp.access").info("GET /cb?token=%s", _NAMED)

    assert "" == log.text


def test_servers_handlers_are_taken_away() -> None:
    """A handler that a server put on its own logger would pass the redactor by."""
    elsewhere = io.StringIO()
    logger = logging.getLogger("uvicorn")
    logger.addHandler(logging.StreamHandler(elsewhere))
    logger.propagate = False
    log = _Log(json_lines=True)
    logger.error("started with %s", _CANARY)

    assert "" == elsewhere.getvalue()
    assert_clean(log, "started with")


def test_the_level_is_kept() -> None:
    """Less urgent records are dropped for both kinds of loggers."""
    log = _Log(json_lines=True, level="Warning")
    structlog.get_logger("a").info("too quiet")
    logging.getLogger("b").info("too quiet")
    structlog.get_logger("a").warning("loud")
    logging.getLogger("b").warning("loud")

    assert ["loud", "loud"] == [record["event"] for record in log.records]


def test_an_unknown_level_is_refused() -> None:
    """A typing error in the settings is found at the start, and not echoed."""
    with pytest.raises(ValueError, match="the log level is not one of") as caught:
        configure_logging(level="loudly", json=True, redactor=Redactor(), stream=io.StringIO())

    assert "loudly" not in str(caught.value)


@pytest.mark.parametrize(
    "event",
    [
        pytest.param('truncated {"password": "hunter2-Zebra', id="cut JSON"),
        pytest.param("-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBg", id="a cut key"),
        pytest.param("token=[a, b", id="an open bracket"),
        pytest.param("otp: 493027", id="a number"),
        pytest.param("password: 'x\" y", id="odd quotes"),
    ],
)
def test_a_json_line_stays_json(event: str) -> None:
    """Whatever is cut out of it, a line can be read by a machine, and later members survive."""
    log = _Log(json_lines=True)
    structlog.get_logger("a").info(event, account="acme-1")

    assert ["acme-1"] == [record["account"] for record in log.records]
    assert [] == [part for part in ("hunter2-Zebra", "MIIEvQIBADANBg", "493027") if part in log.text]


def test_an_ordinary_record_is_complete() -> None:
    """A JSON line holds event, level, logger, time and members, unchanged."""
    log = _Log(json_lines=True)
    structlog.get_logger("keyturn.engine").info("renewed", connection="c-1", attempt=2)
    record = log.records[0]

    assert {"event": "renewed", "level": "info", "logger": "keyturn.engine", "connection": "c-1", "attempt": 2} == {
        name: member for name, member in record.items() if name != "timestamp"
    }
    assert str(record["timestamp"]).endswith("Z")


def test_the_processor_redacts_an_event() -> None:
    """Sinks that render by themselves use the processor before their renderer."""
    processor = redacting_processor(Redactor())

    assert {"event": "a", "password": "***"} == processor(None, "info", {"event": "a", "password": _NAMED})
    assert "password=***" == processor(None, "info", f"password={_NAMED}")  # type: ignore[arg-type]
