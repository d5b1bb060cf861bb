"""What a file of tests leaves behind in the process is found."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import pytest
import structlog

from tests.house.left_behind import left_behind, state


def _a_handler(patch: pytest.MonkeyPatch, _folder: Path) -> None:
    patch.setattr(logging.getLogger("keyturn"), "handlers", [logging.StreamHandler()])


def _a_level(patch: pytest.MonkeyPatch, _folder: Path) -> None:
    patch.setattr(logging.getLogger("uvicorn"), "level", logging.ERROR)


def _a_setting(patch: pytest.MonkeyPatch, _folder: Path) -> None:
    patch.setenv("KEYTURN_LISTEN", "not to be shown")


def _a_folder(patch: pytest.MonkeyPatch, folder: Path) -> None:
    patch.chdir(folder)


@pytest.mark.parametrize(
    ("leave", "said"),
    [
        pytest.param(_a_handler, "handlers of loggers: keyturn", id="a handler"),
        pytest.param(_a_level, "levels of loggers: uvicorn", id="a level"),
        pytest.param(_a_setting, "os.environ: KEYTURN_LISTEN", id="a setting"),
        pytest.param(_a_folder, "the working directory", id="a folder"),
    ],
)
def test_what_is_left_behind_is_named(
    leave: Callable[[pytest.MonkeyPatch, Path], None], said: str, tmp_path: Path
) -> None:
    """By its name, never by its value."""
    before = state()
    with pytest.MonkeyPatch.context() as patch:
        leave(patch, tmp_path)
        after = state()

    assert [said] == left_behind(before, after)


def _ours(_number: int, _frame: FrameType | None) -> None:
    """Do nothing with a signal."""


def test_a_signal_and_a_mask_are_named() -> None:
    """A handler of our own and another mask for new files both last as long as the process.

    Not a handler that the process may have had before: `nohup` and the like hand down that this signal is ignored.
    """
    before = state()
    handler, mask = signal.signal(signal.SIGHUP, _ours), os.umask(0o007)
    try:
        after = state()
    finally:
        signal.signal(signal.SIGHUP, handler)
        os.umask(mask)

    assert ["the umask", "handlers of signals: 1"] == left_behind(before, after)


def test_logging_that_was_set_up_is_named() -> None:
    """Once structlog is configured, whatever is logged later goes where it was told to."""
    configured, config = structlog.is_configured(), structlog.get_config()
    structlog.reset_defaults()
    before = state()
    try:
        structlog.configure(cache_logger_on_first_use=True)
        after = state()
    finally:
        structlog.reset_defaults()
        if configured:
            structlog.configure(**config)

    assert ["structlog's configuration: cache_logger_on_first_use"] == left_behind(before, after)


def test_nothing_is_nothing() -> None:
    """A second look alone leaves nothing."""
    assert [] == left_behind(state(), state())
